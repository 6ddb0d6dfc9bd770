// SPDX-License-Identifier: Apache-2.0
/*
 * agents.c - the agents thread: all that is said to and heard of guests'
 * agents
 *
 * Theory of operation. One thread waits in epoll for every channel and for the
 * board's eventfd, and looks after every peer when its time has come. A lock
 * is held while it works, never while it waits; nothing it does blocks. So the
 * control thread can change a VM between two turns, and has nothing to wait for
 * afterwards. The poll thread takes no lock: it stores words and rings.
 *
 * An event carries the number of the connection it is of: one that was closed
 * since is known by that.
 */
#include "agents.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "hl/clock.h"
#include "log.h"

#define EVENTS_MAX 64
#define KICK	   UINT64_MAX /* an event's number that no connection has */

struct agents {
	struct peer_room room;
	struct agent_board board;
	pthread_mutex_t lock; /* room, next_ns */
	uint64_t next_ns;     /* no peer's due_ns is earlier */
	pthread_t thread;
	bool started;
	bool stop; /* atomic */
};

static void ring(struct agents *a)
{
	const uint64_t one = 1;

	if (write(a->board.kick_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it is awake */
}

/* --- a turn -------------------------------------------------------------- */

static void on_kick(struct agents *a, uint64_t now_ns)
{
	uint64_t count;

	if (read(a->board.kick_fd, &count, sizeof(count)) < 0)
		return; /* nobody rang */
	/* first, so that what is stored from now on rings again */
	(void)__atomic_exchange_n(&a->board.rung, false, __ATOMIC_ACQ_REL);
	for (unsigned i = 0; i < VM_MAX; i++)
		if (a->room.peer[i])
			peer_words(&a->room, a->room.peer[i], now_ns);
}

static void on_event(struct agents *a, const struct epoll_event *e,
		     uint64_t now_ns)
{
	struct peer *p = a->room.peer[(uint16_t)e->data.u64];

	if (p && p->fd >= 0 && p->serial == e->data.u64 >> 16)
		peer_event(&a->room, p, e->events, now_ns);
}

/* Those whose time has come; the others' next time. */
static void on_time(struct agents *a, uint64_t now_ns)
{
	a->next_ns = UINT64_MAX;
	for (unsigned i = 0; i < VM_MAX; i++) {
		struct peer *p = a->room.peer[i];

		if (p && now_ns >= p->due_ns)
			peer_time(&a->room, p, now_ns);
		if (p && p->due_ns < a->next_ns)
			a->next_ns = p->due_ns;
	}
}

static int wait_ms(struct agents *a, int ms)
{
	uint64_t now_ns = clock_now_ns(), next_ns, left_ms;

	pthread_mutex_lock(&a->lock);
	next_ns = a->next_ns;
	pthread_mutex_unlock(&a->lock);
	if (next_ns <= now_ns)
		return 0;
	left_ms = (next_ns - now_ns) / NSEC_PER_MSEC + 1;
	return left_ms < (uint64_t)ms ? (int)left_ms : ms;
}

void agents_turn(struct agents *a, int ms)
{
	struct epoll_event e[EVENTS_MAX];
	int cnt = epoll_wait(a->room.epoll_fd, e, EVENTS_MAX, wait_ms(a, ms));
	uint64_t now_ns = clock_now_ns();

	pthread_mutex_lock(&a->lock);
	for (int i = 0; i < cnt; i++) {
		if (e[i].data.u64 == KICK)
			on_kick(a, now_ns);
		else
			on_event(a, &e[i], now_ns);
	}
	if (cnt > 0 || now_ns >= a->next_ns)
		on_time(a, now_ns);
	pthread_mutex_unlock(&a->lock);
}

static void *run(void *arg)
{
	struct agents *a = arg;

	pthread_setname_np(pthread_self(), "hostd-agents");
	while (!__atomic_load_n(&a->stop, __ATOMIC_ACQUIRE))
		agents_turn(a, 10000);
	return NULL;
}

/* --- VMs ----------------------------------------------------------------- */

int agents_vm(struct agents *a, uint16_t vm, const struct peer_conf *c)
{
	struct peer *p;
	int err = 0;

	pthread_mutex_lock(&a->lock);
	p = a->room.peer[vm];
	if (p && !c)
		peer_close(&a->room, p);
	else if (p)
		peer_set(&a->room, p, c);
	else if (c)
		err = peer_open(&a->room, vm, c);
	a->next_ns = 0;
	pthread_mutex_unlock(&a->lock);
	ring(a);
	return err;
}

struct agent_board *agents_board(struct agents *a)
{
	return &a->board;
}

/* --- start and stop ------------------------------------------------------ */

int agents_open(struct agents **out, const char *shm_dir,
		void (*wake)(void *arg), void *wake_arg)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = KICK };
	struct agents *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->room.board = &a->board;
	a->room.shm_dir = shm_dir;
	a->room.wake = wake;
	a->room.wake_arg = wake_arg;
	a->next_ns = UINT64_MAX;
	err = page_guard();
	if (err)
		goto err_free;
	a->room.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (a->room.epoll_fd < 0) {
		err = -errno;
		goto err_free;
	}
	a->board.kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->board.kick_fd < 0) {
		err = -errno;
		goto err_epoll;
	}
	if (epoll_ctl(a->room.epoll_fd, EPOLL_CTL_ADD, a->board.kick_fd, &e)) {
		err = -errno;
		goto err_kick;
	}
	pthread_mutex_init(&a->lock, NULL);
	*out = a;
	return 0;

err_kick:
	close(a->board.kick_fd);
err_epoll:
	close(a->room.epoll_fd);
err_free:
	free(a);
	return err;
}

/* Signals are for the control thread; but a fault in a page is this one's. */
int agents_start(struct agents *a)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&a->thread, NULL, run, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	a->started = !err;
	return -err;
}

void agents_close(struct agents *a)
{
	__atomic_store_n(&a->stop, true, __ATOMIC_RELEASE);
	ring(a);
	if (a->started)
		pthread_join(a->thread, NULL);
	for (unsigned i = 0; i < VM_MAX; i++)
		if (a->room.peer[i])
			peer_close(&a->room, a->room.peer[i]);
	pthread_mutex_destroy(&a->lock);
	close(a->board.kick_fd);
	close(a->room.epoll_fd);
	free(a);
}
