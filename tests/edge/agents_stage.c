// SPDX-License-Identifier: Apache-2.0
/*
 * agents_stage.c - fake guests for the agents thread
 */
#include "agents_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include <cmocka.h>

#include "hl/clock.h"
#include "tests/fake/fake_fail.h"

char stage_dir[] = "/tmp/test_agents.XXXXXX";
struct agents *agents;
struct agent_board *board;
unsigned wakes;

/* --- a clock that jumps, and calls fake_fail.c does not have -------------- */

uint64_t ahead_ns;
const char *also_failing;

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int err = __real_clock_gettime(id, ts);
	uint64_t ns = (uint64_t)ts->tv_nsec +
		      __atomic_load_n(&ahead_ns, __ATOMIC_RELAXED);

	ts->tv_sec += (time_t)(ns / NSEC_PER_SEC);
	ts->tv_nsec = (long)(ns % NSEC_PER_SEC);
	return err;
}

static bool also_fails(const char *call)
{
	if (!also_failing || strcmp(also_failing, call))
		return false;
	also_failing = NULL;
	return true;
}

int __real_eventfd(unsigned cnt, int flags);
int __wrap_eventfd(unsigned cnt, int flags);
int __wrap_eventfd(unsigned cnt, int flags)
{
	errno = EMFILE;
	return also_fails("eventfd") ? -1 : __real_eventfd(cnt, flags);
}

ssize_t __real_getrandom(void *buf, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *buf, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *buf, size_t n, unsigned flags)
{
	errno = EAGAIN;
	return also_fails("getrandom") ? -1 : __real_getrandom(buf, n, flags);
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg)
{
	return also_fails("pthread_create")
		   ? EAGAIN
		   : __real_pthread_create(t, attr, fn, arg);
}

void turn(void)
{
	for (unsigned i = 0; i < 5; i++)
		agents_turn(agents, 0);
}

void pass(unsigned ms)
{
	for (; ms >= 10; ms -= 10) {
		ahead_ns += 10 * MS;
		agents_turn(agents, 0);
	}
	ahead_ns += ms * MS;
	turn();
}

/* --- QEMU and the agent -------------------------------------------------- */

struct guest guest, other;

void guest_listen(struct guest *g, const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	memset(g, 0, sizeof(*g));
	snprintf(g->path, sizeof(g->path), "%.60s/%s", stage_dir, name);
	memcpy(addr.sun_path, g->path, sizeof(addr.sun_path));
	g->fd = -1;
	g->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	unlink(g->path);
	assert_int_equal(
	    bind(g->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(g->listener, 1), 0);
}

void guest_end(struct guest *g)
{
	if (g->fd >= 0)
		close(g->fd);
	if (g->listener >= 0)
		close(g->listener);
	g->fd = g->listener = -1;
}

/* Is hostd connected now? */
bool guest_accept(struct guest *g)
{
	int fd = accept4(g->listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd < 0)
		return false;
	if (g->fd >= 0)
		close(g->fd);
	g->fd = fd;
	memset(&g->rx, 0, sizeof(g->rx));
	return true;
}

/* The next message hostd sent. Return: its kind; 0: none. */
unsigned guest_hear(struct guest *g, struct agent_any *m)
{
	size_t room;
	ssize_t n;
	void *at;

	memset(m, 0, sizeof(*m));
	while (!agent_rx_next(&g->rx, m)) {
		at = agent_rx_room(&g->rx, &room);
		n = recv(g->fd, at, room, MSG_DONTWAIT);
		if (n <= 0)
			return 0;
		g->rx.fill += (uint32_t)n;
	}
	assert_int_equal(g->rx.skipped, 0);
	return m->head.kind;
}

/* Wait for this kind; others before it are passed over. */
void guest_expect(struct guest *g, unsigned kind, struct agent_any *m)
{
	unsigned heard = 1;

	for (unsigned i = 0; i < 100 && heard && heard != kind; i++)
		heard = guest_hear(g, m);
	assert_int_equal(heard, kind);
}

static void guest_say(struct guest *g, enum agent_kind kind, uint64_t epoch,
		      struct agent_any *m, size_t body)
{
	size_t n = agent_msg_put(m, kind, epoch, body);

	assert_int_equal(send(g->fd, m, n, MSG_NOSIGNAL), n);
	turn();
}

void guest_hello(struct guest *g, uint64_t epoch, uint32_t version)
{
	struct agent_any m = { .hello = { .version = version,
					  .vcpu_cnt = 4,
					  .caps = AGENT_CAP_PAGE,
					  .name = "1.0" } };

	guest_say(g, AGENT_HELLO, epoch, &m, sizeof(m.hello));
}

void guest_hint(struct guest *g, uint64_t epoch, unsigned wanted,
		unsigned wait_us)
{
	struct agent_any m = { .hints = { .hint = { .wanted = (uint16_t)wanted,
						    .wait_us = wait_us,
						    .workers = 8,
						    .runnable = 2 },
					  .first = 1,
					  .count = 1 } };

	m.hints.vcpu[0].runnable = 6;
	m.hints.vcpu[0].ack = board_word(board, FIRST + 1);
	guest_say(g, AGENT_HINTS, epoch, &m, agent_hints_bytes(1));
}

void guest_word(struct guest *g, enum agent_kind kind, uint64_t epoch)
{
	struct agent_any m = { .head = { 0 } };

	guest_say(g, kind, epoch, &m, 0);
}

/* --- pages --------------------------------------------------------------- */

char *page_path(const char *name)
{
	static char path[2][128];
	static unsigned next;
	char *at = path[next++ % 2];

	snprintf(at, sizeof(path[0]), "%.60s/%s", stage_dir, name);
	return at;
}

/* A page's file as QEMU makes it. Return: mapped. */
struct agent_page *page_make(const char *name, off_t bytes, mode_t mode)
{
	int fd = open(page_path(name), O_RDWR | O_CREAT | O_TRUNC, mode);
	void *mem;

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(ftruncate(fd, bytes), 0);
	mem = mmap(NULL, sizeof(struct agent_page), PROT_READ | PROT_WRITE,
		   MAP_SHARED, fd, 0);
	assert_true(mem != MAP_FAILED);
	close(fd);
	return mem;
}

void page_done(struct agent_page *p)
{
	munmap(p, sizeof(*p));
}

/* The agent takes the page for its own. */
void take_page(struct agent_page *p, uint64_t epoch)
{
	p->guest.version = AGENT_VERSION;
	p->guest.epoch = epoch;
	p->guest.hint =
	    (struct agent_hint){ .wanted = 2, .wait_us = 90, .workers = 4 };
	p->to_host[2].hint.runnable = 3;
	p->guest.magic = AGENT_GUEST_MAGIC;
}

/* --- hostd --------------------------------------------------------------- */

void on_wake(void *arg)
{
	(void)arg;
	wakes++;
}

struct peer_conf vm_conf(const struct guest *g, const char *shmem)
{
	struct peer_conf c = { .name = "web",
			       .pid = getpid(),
			       .first_vcpu = FIRST,
			       .vcpu_cnt = 4,
			       .enabled = true };

	memcpy(c.channel, g->path, sizeof(c.channel));
	snprintf(c.shmem, sizeof(c.shmem), "%s", shmem);
	return c;
}

const struct stat_agent *shown(unsigned vm)
{
	return &stat_hostd.vm[vm].agent;
}

void expect_state(unsigned vm, enum session_state state)
{
	if (shown(vm)->state != state)
		fail_msg("%s, not %s (%s)",
			 session_state_name(shown(vm)->state),
			 session_state_name(state),
			 shown(vm)->why ? shown(vm)->why : "");
}

void grant(unsigned vcpu, uint16_t cpu)
{
	board_grant(board, (uint16_t)(FIRST + vcpu), cpu, 0);
	board_kick(board);
	turn();
}

void open_agents(void)
{
	assert_int_equal(agents_open(&agents, stage_dir, on_wake, NULL), 0);
	board = agents_board(agents);
	wakes = 0;
}

/* VM is there, its agent has said hello. */
void begin(const char *shmem)
{
	const struct peer_conf c = vm_conf(&guest, shmem);
	struct agent_any m;

	assert_int_equal(agents_vm(agents, VM, &c), 0);
	turn();
	assert_true(guest_accept(&guest));
	guest_hello(&guest, EPOCH, AGENT_VERSION);
	guest_expect(&guest, AGENT_WELCOME, &m);
	assert_int_equal(m.welcome.vcpu_cnt, 4);
	guest_expect(&guest, AGENT_GRANTS, &m);
}

int stage_setup(void **state)
{
	(void)state;
	memset(&stat_hostd, 0, sizeof(stat_hostd));
	fail_next(NULL, 0, 0);
	also_failing = NULL;
	guest_listen(&guest, "c");
	other.fd = other.listener = -1;
	open_agents();
	return 0;
}

int stage_teardown(void **state)
{
	(void)state;
	agents_close(agents);
	guest_end(&guest);
	guest_end(&other);
	return 0;
}

int stage_make(void **state)
{
	(void)state;
	return mkdtemp(stage_dir) ? 0 : -1;
}

int stage_remove(void **state)
{
	char cmd[64];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", stage_dir);
	return system(cmd);
}
