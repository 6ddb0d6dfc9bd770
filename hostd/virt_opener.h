/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virt_opener.h - open a connection without waiting for it
 *
 * For a call that may block for ever and cannot be interrupted: it is made on
 * a thread of its own, which is left behind if nobody wants its result.
 */
#ifndef HOSTD_VIRT_OPENER_H
#define HOSTD_VIRT_OPENER_H

#include <stdbool.h>
#include <stddef.h>

struct opener;

struct opener_ops {
	/* On the opener's thread; may block. Return: a connection, or NULL
	 * with a sentence in @why. */
	void *(*open)(const char *uri, char *why, size_t size);
	/* Any thread: nobody took this connection. */
	void (*drop)(void *conn);
};

/*
 * opener_start() - Begin; every signal is blocked on the new thread
 * @wake_fd: an eventfd that is written once there is a result; duplicated
 * Return: 0 or -errno.
 */
int opener_start(struct opener **out, const struct opener_ops *ops,
		 const char *uri, int wake_fd);

/*
 * opener_take() - Is there a result?
 * @conn: the connection, the caller's now; NULL: it failed, see @why
 *
 * Return: false while it is under way; true: @o is freed, forget it.
 */
bool opener_take(struct opener *o, void **conn, char *why, size_t size);

/* opener_leave() - No matter any more; never waits. */
void opener_leave(struct opener *o);

#endif
