// SPDX-License-Identifier: Apache-2.0
/*
 * link.c - the agent's end of the channel and the page
 *
 * Theory of operation: link_turn() does all there is to do at `now` and never
 * waits: open the port if it is not, read what came, let session.c think,
 * write what it wants said. The port is watched only to know when to call it.
 *
 * A port stays open while nobody is at its other end. It then polls as hung up
 * for ever, so it is watched edge by edge, and looked at with each turn, at
 * most TURN_MS apart. A port that was unplugged fails to be read, is closed,
 * and searched for each RETRY_NS. A unix socket is opened again each time.
 *
 * A host that writes without end is read by READ_MAX bytes each READ_PAUSE_NS.
 * One that does not read finds one message half written when it does, then the
 * newest of everything (say.c).
 */
#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hl/agent_wire.h"
#include "hl/clock.h"
#include "port.h"
#include "session.h"

#define TURN_MS	      1000
#define RETRY_NS      NSEC_PER_SEC
#define READ_MAX      (64 * 1024)
#define READ_PAUSE_NS (10 * NSEC_PER_MSEC)

struct link {
	char path[PORT_PATH]; /* of the port that was opened */
	int epoll, fd;	      /* fd < 0: not open */
	bool device;	      /* a port, else a socket */
	bool connected;	      /* somebody is at its other end */
	uint64_t retry_ns;    /* open it then */
	uint64_t read_ns;     /* there is more to read then; SESSION_NEVER */
	struct session session;
	struct agent_rx rx;
	struct agent_any tx; /* one message, tx_bytes of it still to go */
	size_t tx_at, tx_bytes;
};

/* --- the port ------------------------------------------------------------ */

static void port_drop(struct link *l, uint64_t now_ns)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->retry_ns = now_ns + RETRY_NS;
}

static void say_nobody(struct link *l, uint64_t now_ns)
{
	if (!session_refused(&l->session, now_ns))
		session_become(&l->session, LINK_WAITING,
			       "nobody is at the other end of %s", l->path);
}

/* Nobody is at the other end: what was half said or half heard is void. */
static void hang_up(struct link *l, uint64_t now_ns)
{
	session_end(&l->session, SESSION_NEVER);
	l->rx.fill = 0;
	l->tx_bytes = l->tx_at = 0;
	l->read_ns = SESSION_NEVER;
	l->connected = false;
	if (!l->device)
		port_drop(l, now_ns);
	say_nobody(l, now_ns);
}

static void unplugged(struct link *l, int err, uint64_t now_ns)
{
	hang_up(l, now_ns);
	port_drop(l, now_ns);
	session_become(&l->session, LINK_NONE, "%s went away: %s", l->path,
		       strerror(-err));
}

static int port_watch(struct link *l)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP |
					   EPOLLET };
	int fd = port_open(l->path, &l->device), err;

	if (fd < 0)
		return fd;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e)) {
		err = -errno;
		close(fd);
		return err;
	}
	l->fd = fd;
	return 0;
}

static void say_failed(struct link *l, int err)
{
	struct session *s = &l->session;

	switch (-err) {
	case ENOTSUP:
		session_become(s, LINK_NONE,
			       "%s is neither a port nor a socket", l->path);
		break;
	case ENOENT:
	case ENODEV:
	case ENXIO:
		session_become(s, LINK_NONE, "%s: %s", l->path, strerror(-err));
		break;
	case EBUSY:
		session_become(s, LINK_WAITING, "%s is open in another process",
			       l->path);
		break;
	case ECONNREFUSED:
		session_become(s, LINK_WAITING, "nobody listens at %s",
			       l->path);
		break;
	default:
		session_become(s, LINK_WAITING, "%s: %s", l->path,
			       strerror(-err));
	}
}

static void port_try(struct link *l, uint64_t now_ns)
{
	const struct link_conf *c = &l->session.conf;
	int err;

	l->retry_ns = now_ns + RETRY_NS;
	if (c->port) {
		snprintf(l->path, sizeof(l->path), "%s", c->port);
	} else if (port_find(c->root, l->path, sizeof(l->path))) {
		session_become(&l->session, LINK_NONE,
			       "this machine has no port " AGENT_PORT);
		return;
	}
	err = port_watch(l);
	if (err)
		say_failed(l, err);
	else
		say_nobody(l, now_ns);
}

/* Return: 0, or -errno when the port is gone (-EPIPE: the end of a socket). */
static int hear(struct link *l, uint64_t now_ns)
{
	struct agent_any m;
	size_t room, taken = 0;
	ssize_t n;
	void *at;

	if (l->read_ns != SESSION_NEVER && now_ns < l->read_ns)
		return 0;
	l->read_ns = SESSION_NEVER;
	while (taken < READ_MAX) {
		at = agent_rx_room(&l->rx, &room);
		n = port_read(l->fd, at, room);
		if (n == -EAGAIN || (!n && l->device))
			return 0;
		if (n <= 0)
			return n ? (int)n : -EPIPE;
		taken += (size_t)n;
		l->rx.fill += (uint32_t)n;
		while (agent_rx_next(&l->rx, &m))
			session_hear(&l->session, &m, now_ns);
	}
	l->read_ns = now_ns + READ_PAUSE_NS;
	return 0;
}

/* Return: 0, or -errno when the port is gone. */
static int speak(struct link *l, uint64_t now_ns)
{
	ssize_t n;

	for (;;) {
		if (!l->tx_bytes) {
			l->tx_bytes = say_next(&l->session.say, &l->tx, now_ns);
			l->tx_at = 0;
			if (!l->tx_bytes)
				return 0;
		}
		n = port_write(l->fd, (const char *)&l->tx + l->tx_at,
			       l->tx_bytes);
		if (n == -EAGAIN || !n)
			return 0;
		if (n < 0)
			return (int)n;
		l->tx_at += (size_t)n;
		l->tx_bytes -= (size_t)n;
	}
}

/* --- one turn ------------------------------------------------------------ */

static void converse(struct link *l, uint64_t now_ns)
{
	bool hung = port_hung(l->fd);
	int err;

	if (!hung && !l->connected) {
		l->connected = true;
		session_begin(&l->session, now_ns);
	}
	err = hear(l, now_ns);
	if (!err && !hung) {
		session_turn(&l->session, now_ns);
		err = speak(l, now_ns);
	}
	if (err && l->device)
		unplugged(l, err, now_ns);
	else if (err || (hung && (l->connected || !l->device)))
		hang_up(l, now_ns);
}

bool link_turn(struct link *l, uint64_t now_ns)
{
	uint32_t gen = l->session.now.gen;
	struct epoll_event e;

	/* what happened is found out by trying; this only quietens link_fd() */
	while (epoll_wait(l->epoll, &e, 1, 0) > 0)
		;
	if (l->fd < 0 && now_ns >= l->retry_ns)
		port_try(l, now_ns);
	if (l->fd >= 0)
		converse(l, now_ns);
	return l->session.now.gen != gen;
}

int link_wait_ms(const struct link *l, uint64_t now_ns)
{
	uint64_t at_ns = now_ns + TURN_MS * NSEC_PER_MSEC;
	uint64_t when_ns = SESSION_NEVER;

	if (l->fd < 0)
		when_ns = l->retry_ns;
	else if (l->connected)
		when_ns = session_when_ns(&l->session);
	/* what cannot be written now has the port say when it can */
	if (l->tx_bytes && when_ns < now_ns)
		when_ns = SESSION_NEVER;
	if (when_ns < at_ns)
		at_ns = when_ns;
	if (l->read_ns < at_ns)
		at_ns = l->read_ns;
	if (at_ns <= now_ns)
		return 0;
	return (int)((at_ns - now_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

/* --- the rest ------------------------------------------------------------ */

int link_open(struct link **out, const struct link_conf *c, uint64_t now_ns)
{
	struct link *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	session_init(&l->session, c);
	l->fd = -1;
	l->retry_ns = now_ns;
	l->read_ns = SESSION_NEVER;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		err = -errno;
		goto err_free;
	}
	*out = l;
	return 0;

err_free:
	free(l);
	return err;
}

void link_close(struct link *l)
{
	struct agent_any m;

	if (!l)
		return;
	/* behind half a message it would be no word; and if it cannot be
	 * written, the host finds out by the hang-up or by silence */
	if (l->fd >= 0 && l->session.welcomed && !l->tx_bytes)
		port_write(
		    l->fd, &m,
		    agent_msg_put(&m, AGENT_BYE, l->session.say.epoch, 0));
	session_end(&l->session, SESSION_NEVER);
	if (l->fd >= 0)
		close(l->fd);
	close(l->epoll);
	free(l);
}

int link_fd(const struct link *l)
{
	return l->epoll;
}

void link_grants(struct link *l, struct grants *out)
{
	session_grants(&l->session, out);
}

void link_hint(struct link *l, const struct agent_hint *hint,
	       const struct agent_hint_vcpu *vcpu, uint16_t vcpu_cnt,
	       bool urgent, uint64_t now_ns)
{
	struct session *s = &l->session;

	say_hint(&s->say, hint, vcpu, vcpu_cnt);
	if (!s->welcomed || s->asked)
		return;
	if (s->page.at) {
		if (vcpu_cnt > s->now.vcpu_cnt)
			vcpu_cnt = s->now.vcpu_cnt;
		page_hint(&s->page, hint, vcpu, vcpu_cnt);
		s->say.bell |= urgent;
	}
	/* a port that fails here fails in link_turn() as well */
	speak(l, now_ns);
}

enum link_state link_state(const struct link *l)
{
	return l->session.state;
}

const char *link_why(const struct link *l)
{
	return l->session.why;
}
