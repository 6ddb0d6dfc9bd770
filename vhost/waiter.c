/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waiter.c - sleep until one of many files is ready, or somebody calls
 *
 * One epoll instance. Watched files are edge-triggered: every write to an
 * eventfd is an edge, one that comes before the wait is kept for it, and a file
 * that its owner never drains, or that is broken for good, ends one wait and
 * not all of them.
 *
 * A file is watched through a duplicate of its descriptor. epoll forgets a file
 * when its last descriptor is closed, and QEMU has one too: when a guest goes
 * and its port closes its own, nobody could take the file out again.
 *
 * waiter_wake() is called from any thread; all else from the poll thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vhost/waiter.h"

#define NS_PER_S   1000000000ull
#define EVENTS_MAX 16 /* read at once; the others stay for the next wait */

static int epoll_add(int epoll_fd, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

int waiter_open(struct waiter *w)
{
	int err;

	w->woken = 0;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll_fd < 0)
		return -errno;
	w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->event_fd < 0) {
		err = -errno;
		goto err_close_epoll;
	}
	err = epoll_add(w->epoll_fd, w->event_fd, EPOLLIN);
	if (err)
		goto err_close_event;
	return 0;

err_close_event:
	close(w->event_fd);
err_close_epoll:
	close(w->epoll_fd);
	return err;
}

void waiter_close(struct waiter *w)
{
	close(w->event_fd);
	close(w->epoll_fd);
}

int waiter_watch(struct waiter *w, int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (own < 0)
		return -1;
	if (epoll_add(w->epoll_fd, own, EPOLLIN | EPOLLET)) {
		close(own);
		return -1;
	}
	return own;
}

void waiter_forget(struct waiter *w, int handle)
{
	if (handle < 0)
		return;
	epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, handle, NULL);
	close(handle);
}

/*
 * drain() - Take the calls that were made
 *
 * The event is read first, then `woken` falls: a call in between finds it set
 * and writes nothing, which is right, for the sleeper is awake and has yet to
 * look at the caller's news. The exchange orders that look after it.
 */
static void drain(struct waiter *w)
{
	uint64_t calls;

	if (read(w->event_fd, &calls, sizeof(calls)) == sizeof(calls))
		__atomic_exchange_n(&w->woken, 0, __ATOMIC_SEQ_CST);
}

void waiter_wait(struct waiter *w, uint64_t timeout_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(timeout_ns / NS_PER_S),
		.tv_nsec = (long)(timeout_ns % NS_PER_S),
	};
	struct epoll_event ev[EVENTS_MAX];
	int n;

	n = epoll_pwait2(w->epoll_fd, ev, EVENTS_MAX, &ts, NULL);
	for (int i = 0; i < n; i++)
		if (ev[i].data.fd == w->event_fd)
			drain(w);
}

void waiter_wake(struct waiter *w)
{
	const uint64_t one = 1;

	if (__atomic_exchange_n(&w->woken, 1, __ATOMIC_SEQ_CST))
		return;
	/* Cannot fail: the counter is at most 1 */
	if (write(w->event_fd, &one, sizeof(one)) != sizeof(one))
		__atomic_store_n(&w->woken, 0, __ATOMIC_SEQ_CST);
}
