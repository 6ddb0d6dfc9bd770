/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waiter.h - sleep until one of many files is ready, or somebody calls
 */
#ifndef VHOST_WAITER_H
#define VHOST_WAITER_H

#include <stdint.h>

struct waiter {
	int epoll_fd;
	int event_fd;	/* what waiter_wake() writes to */
	uint32_t woken; /* a call is under way; any thread */
};

/* waiter_open() - Return: 0 or -errno. */
int waiter_open(struct waiter *w);
void waiter_close(struct waiter *w);

/*
 * waiter_watch() - End waits when @fd becomes ready
 * @fd: its owner may close it at any time
 *
 * Return: a handle for waiter_forget(), or -1 when @fd cannot be waited on (it
 * was closed meanwhile, say).
 */
int waiter_watch(struct waiter *w, int fd);

/* waiter_forget() - @handle: from waiter_watch(); -1 is let pass. */
void waiter_forget(struct waiter *w, int handle);

/*
 * waiter_wait() - Wait, at most @timeout_ns
 *
 * Returns as soon as a watched file got ready since the last wait,
 * waiter_wake() was called since then, or a signal came. May return early for
 * no reason.
 */
void waiter_wait(struct waiter *w, uint64_t timeout_ns);

/* waiter_wake() - End the wait, now or the next one. Any thread. */
void waiter_wake(struct waiter *w);

#endif
