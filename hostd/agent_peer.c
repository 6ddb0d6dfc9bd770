// SPDX-License-Identifier: Apache-2.0
/*
 * agent_peer.c - one VM's agent: its channel, its page, what came of them
 *
 * Theory of operation. QEMU listens on the channel's socket for as long as the
 * VM runs, whether or not an agent is in the guest; hostd connects, and again
 * each second while it cannot. The session (agent_session.c) says what the
 * bytes mean and what to answer; the page is another way for the same words.
 *
 * What a guest does wrong costs that guest: it is read from no faster than the
 * session allows, what it does not read is never queued, and a connection full
 * of nonsense is ended and made again later and later.
 */
#include "agent_peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "hl/clock.h"
#include "log.h"

#define TICK_NS	       NSEC_PER_SEC /* beat in the page, connect again */
#define LOOK_NS	       (20 * NSEC_PER_MSEC)  /* at the page of a busy agent */
#define LOOK_CALM_NS   (100 * NSEC_PER_MSEC) /* of one that wants nothing */
#define STRIKES_MAX    6		     /* 1 s << 6: about a minute */
#define STRIKE_LAST_NS (60 * NSEC_PER_SEC)

/* --- the page ------------------------------------------------------------ */

/* Is the file another VM's page already? */
static bool page_taken(const struct peer_room *r, const struct peer *p)
{
	for (unsigned i = 0; i < VM_MAX; i++) {
		const struct peer *o = r->peer[i];

		if (o && o != p && o->page.mem &&
		    !strcmp(o->conf.shmem, p->conf.shmem))
			return true;
	}
	return false;
}

static void session_tell(struct peer *p)
{
	session_set(&p->session, p->conf.vcpu_cnt, p->conf.enabled,
		    p->page.token);
}

static void drop_page(struct peer *p, const char *why)
{
	page_close(&p->page);
	p->page_why = why;
	session_tell(p);
}

/* Find a page where there is none, lose one whose file is not what it was. */
static void sync_page(const struct peer_room *r, struct peer *p)
{
	if (p->page.lost)
		drop_page(p, "was cut short");
	else if (!p->page.mem && p->conf.shmem[0] && p->conf.enabled) {
		p->page_why = page_taken(r, p)
				  ? "is another VM's page"
				  : page_open(&p->page, r->shm_dir,
					      p->conf.shmem, p->qemu);
		session_tell(p);
	}
	page_words(&p->page, p->session.word, p->session.vcpu_cnt,
		   p->session.gen);
	page_beat(&p->page, p->session.gen);
}

static void look(struct peer_room *r, struct peer *p, uint64_t now_ns)
{
	const struct session *s = &p->session;

	p->session.look = false;
	p->look_ns = UINT64_MAX;
	if (!p->page.mem || !session_is_up(s))
		return;
	page_read(&p->page, s->vcpu_cnt, &r->seen);
	if (!p->page.lost)
		session_page(&p->session, &r->seen, now_ns);
	p->look_ns = now_ns + (session_state(s) == SESSION_SILENT ? TICK_NS
			       : s->hint.wanted			  ? LOOK_NS
						: LOOK_CALM_NS);
}

/* --- the connection ------------------------------------------------------ */

static void lose(struct peer *p, uint64_t retry_ns)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->stuck = false;
	p->retry_ns = retry_ns;
	session_link(&p->session);
}

/* More and more patience with a guest that talks nonsense. */
static void strike(struct peer *p, uint64_t now_ns)
{
	if (now_ns - p->linked_ns > STRIKE_LAST_NS)
		p->strikes = 0;
	log_limited(LOG_LEVEL_WARN,
		    "VM '%s': its agent's channel is full of nonsense: closed "
		    "for %u s",
		    p->conf.name, 1u << p->strikes);
	lose(p, now_ns + (NSEC_PER_SEC << p->strikes));
	if (p->strikes < STRIKES_MAX)
		p->strikes++;
}

static void set_interest(const struct peer_room *r, struct peer *p)
{
	struct epoll_event e = {
		.events = (session_may_read(&p->session) ? EPOLLIN : 0u) |
			  (p->stuck ? EPOLLOUT : 0u),
		.data.u64 = (uint64_t)p->serial << 16 | p->vm,
	};

	if (p->fd < 0 || e.events == p->interest)
		return;
	if (!epoll_ctl(r->epoll_fd, EPOLL_CTL_MOD, p->fd, &e))
		p->interest = e.events;
}

/* Return: 0 or -errno. A Unix socket connects at once or not at all. */
static int link_up(struct peer_room *r, struct peer *p)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct epoll_event e = { .events = EPOLLIN };
	int fd, err;

	memcpy(addr.sun_path, p->conf.channel, sizeof(addr.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	e.data.u64 = (uint64_t)++r->serial << 16 | p->vm;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &e)) {
		err = -errno;
		close(fd);
		return err;
	}
	p->fd = fd;
	p->serial = r->serial;
	p->interest = e.events;
	return 0;
}

static void connect_again(struct peer_room *r, struct peer *p, uint64_t now_ns)
{
	int err = link_up(r, p);

	p->retry_ns = now_ns + NSEC_PER_SEC;
	if (!err)
		p->linked_ns = now_ns;
	else
		log_debug("VM '%s': cannot connect to %s: %s", p->conf.name,
			  p->conf.channel, strerror(-err));
}

static void receive(struct peer *p, uint64_t now_ns)
{
	size_t room;
	void *at;
	ssize_t n;

	if (!session_may_read(&p->session))
		return;
	at = session_room(&p->session, &room);
	n = recv(p->fd, at, room, MSG_DONTWAIT);
	if (n > 0)
		session_take(&p->session, (size_t)n, now_ns);
	else if (!n || (errno != EAGAIN && errno != EINTR))
		lose(p, now_ns + NSEC_PER_SEC);
}

/* What does not fit now is made anew, from newer words, when it does. */
static void send_out(struct peer *p, uint64_t now_ns)
{
	const uint8_t *data;
	size_t bytes;
	ssize_t n;

	p->stuck = false;
	while (p->fd >= 0 && !p->stuck) {
		bytes = session_out(&p->session, &data, now_ns);
		if (!bytes)
			return;
		n = send(p->fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0)
			session_sent(&p->session, (size_t)n);
		else if (errno == EAGAIN || errno == EINTR)
			p->stuck = true;
		else
			lose(p, now_ns + NSEC_PER_SEC);
	}
}

/* --- what came of it ----------------------------------------------------- */

static void put_hint(const struct peer_room *r, struct peer *p)
{
	const struct session *s = &p->session;
	const struct board_hint was = board_hint(r->board, p->vm);
	const struct board_hint h = { .valid = s->hint.valid,
				      .wanted = s->hint.wanted,
				      .wait_us = s->hint.wait_us };

	if (!s->hint_new)
		return;
	p->session.hint_new = false;
	for (unsigned i = 0; i < p->conf.vcpu_cnt; i++)
		board_runnable_put(r->board, (uint16_t)(p->conf.first_vcpu + i),
				   i < s->vcpu_cnt ? s->runnable[i] : 0);
	board_hint_put(r->board, p->vm, &h);
	if (h.wanted > was.wanted || h.wait_us > was.wait_us)
		r->wake(r->wake_arg);
}

static enum session_state state_of(const struct peer *p)
{
	enum session_state s = session_state(&p->session);

	return s == SESSION_CHANNEL && p->page_why ? SESSION_BAD_PAGE : s;
}

static void put_stat(struct peer *p)
{
	struct stat_agent *st = &stat_hostd.vm[p->vm].agent;
	const struct session *s = &p->session;
	unsigned granted, acked;

	session_acks(s, &granted, &acked);
	st->granted = (uint16_t)granted;
	st->acked = (uint16_t)acked;
	st->why = p->page_why;
	st->status = s->status;
	st->version = s->peer_version;
	memcpy(st->name, s->name, sizeof(st->name) - 1);
	st->hint = s->hint;
	st->count = s->count;
	st->state = (uint8_t)state_of(p);
	if (st->state == p->state_said)
		return;
	p->state_said = st->state;
	log_limited(LOG_LEVEL_INFO, "VM '%s': agent: %s", p->conf.name,
		    session_state_name(st->state));
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* After anything happened: answer, pass on, work out when to be here again. */
static void settle(struct peer_room *r, struct peer *p, uint64_t now_ns)
{
	if (p->session.look || now_ns >= p->look_ns ||
	    (p->look_ns == UINT64_MAX && p->page.mem &&
	     session_is_up(&p->session)))
		look(r, p, now_ns);
	send_out(p, now_ns);
	if (p->fd >= 0 && session_is_bad(&p->session))
		strike(p, now_ns);
	set_interest(r, p);
	put_hint(r, p);
	put_stat(p);
	p->due_ns = sooner(p->tick_ns, p->look_ns);
	p->due_ns = sooner(p->due_ns, p->fd < 0 ? p->retry_ns
						: session_due_ns(&p->session));
}

/* --- events -------------------------------------------------------------- */

void peer_event(struct peer_room *r, struct peer *p, uint32_t events,
		uint64_t now_ns)
{
	if (events & EPOLLIN)
		receive(p, now_ns);
	else if (events & (EPOLLHUP | EPOLLERR))
		lose(p, now_ns + NSEC_PER_SEC);
	settle(r, p, now_ns);
}

static bool take_words(struct peer_room *r, struct peer *p)
{
	uint64_t word[AGENT_VCPUS];

	for (unsigned i = 0; i < p->session.vcpu_cnt; i++)
		word[i] =
		    board_word(r->board, (uint16_t)(p->conf.first_vcpu + i));
	return session_words(&p->session, word);
}

void peer_words(struct peer_room *r, struct peer *p, uint64_t now_ns)
{
	if (!take_words(r, p))
		return;
	page_words(&p->page, p->session.word, p->session.vcpu_cnt,
		   p->session.gen);
	settle(r, p, now_ns);
}

void peer_time(struct peer_room *r, struct peer *p, uint64_t now_ns)
{
	if (now_ns >= p->tick_ns) {
		p->tick_ns = now_ns + TICK_NS;
		take_words(r, p);
		sync_page(r, p);
	}
	if (p->fd < 0 && now_ns >= p->retry_ns)
		connect_again(r, p, now_ns);
	session_time(&p->session, now_ns);
	if (!session_may_read(&p->session))
		session_take(&p->session, 0, now_ns);
	settle(r, p, now_ns);
}

/* --- coming and going ---------------------------------------------------- */

/* Whom the page's file must belong to: the effective user of "Uid: real
 * effective saved fs". A QEMU that cannot be asked: root only. */
static uid_t owner_of(pid_t pid)
{
	char path[64], line[128], *at;
	unsigned long uid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "Uid:", 4))
			continue;
		strtoul(line + 4, &at, 10);
		uid = strtoul(at, NULL, 10);
		break;
	}
	fclose(f);
	return (uid_t)uid;
}

static void clear_board(const struct peer_room *r, const struct peer *p)
{
	const struct board_hint none = { .valid = false };

	for (unsigned i = 0; i < p->conf.vcpu_cnt; i++)
		board_runnable_put(r->board, (uint16_t)(p->conf.first_vcpu + i),
				   0);
	board_hint_put(r->board, p->vm, &none);
}

/* End the connection in good order; it may be made again at once. */
static void part(struct peer *p)
{
	uint8_t bye[sizeof(struct agent_msg)];
	size_t bytes = session_bye(&p->session, bye);

	if (p->fd >= 0 && bytes)
		(void)!send(p->fd, bye, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	lose(p, 0);
}

int peer_open(struct peer_room *r, uint16_t vm, const struct peer_conf *c)
{
	struct peer *p = calloc(1, sizeof(*p));
	uint32_t gen = 0;

	if (!p)
		return -ENOMEM;
	if (getrandom(&gen, sizeof(gen), GRND_NONBLOCK) != sizeof(gen))
		log_debug("no random numbers: generations begin at 0");
	p->vm = vm;
	p->fd = -1;
	p->look_ns = UINT64_MAX;
	session_init(&p->session, gen);
	r->peer[vm] = p;
	__atomic_add_fetch(&r->board->watched, 1, __ATOMIC_SEQ_CST);
	memset(&stat_hostd.vm[vm].agent, 0, sizeof(stat_hostd.vm[vm].agent));
	p->conf = *c;
	p->qemu = owner_of(c->pid);
	session_tell(p);
	return 0;
}

void peer_set(struct peer_room *r, struct peer *p, const struct peer_conf *c)
{
	bool moved = strcmp(p->conf.channel, c->channel) ||
		     p->conf.enabled != c->enabled || p->conf.pid != c->pid;
	bool paged = strcmp(p->conf.shmem, c->shmem) ||
		     p->conf.enabled != c->enabled || p->conf.pid != c->pid;

	clear_board(r, p);
	if (moved)
		part(p);
	p->conf = *c;
	p->qemu = owner_of(c->pid);
	if (paged)
		drop_page(p, NULL);
	session_tell(p);
	p->session.hint_new = true;
	p->tick_ns = p->due_ns = 0;
	put_stat(p);
	put_hint(r, p);
}

void peer_close(struct peer_room *r, struct peer *p)
{
	clear_board(r, p);
	part(p);
	page_close(&p->page);
	__atomic_sub_fetch(&r->board->watched, 1, __ATOMIC_SEQ_CST);
	memset(&stat_hostd.vm[p->vm].agent, 0,
	       sizeof(stat_hostd.vm[p->vm].agent));
	r->peer[p->vm] = NULL;
	free(p);
}
