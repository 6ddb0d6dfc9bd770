// SPDX-License-Identifier: Apache-2.0
/*
 * virt_opener.c - open a connection without waiting for it
 *
 * Two hold the object: the thread and the caller. `done` is written by the
 * thread and ends its use of conn and why; who lets go last frees.
 */
#include "virt_opener.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct opener {
	const struct opener_ops *ops;
	unsigned holders; /* atomic */
	bool done;	  /* atomic */
	int wake_fd;
	void *conn;
	char why[160];
	char uri[];
};

static void put(struct opener *o)
{
	if (__atomic_sub_fetch(&o->holders, 1, __ATOMIC_ACQ_REL))
		return;
	if (o->conn)
		o->ops->drop(o->conn);
	close(o->wake_fd);
	free(o);
}

static void *run(void *arg)
{
	const uint64_t one = 1;
	struct opener *o = arg;

	o->conn = o->ops->open(o->uri, o->why, sizeof(o->why));
	__atomic_store_n(&o->done, true, __ATOMIC_RELEASE);
	/* Refused only when the counter is full: then it is awake already. */
	while (write(o->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	put(o);
	return NULL;
}

/* Signals are for the caller's thread, whose loop they end. */
static int start_thread(struct opener *o)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return -err;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attr, run, o);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

int opener_start(struct opener **out, const struct opener_ops *ops,
		 const char *uri, int wake_fd)
{
	size_t bytes = strlen(uri) + 1;
	struct opener *o = calloc(1, sizeof(*o) + bytes);
	int err;

	if (!o)
		return -ENOMEM;
	o->ops = ops;
	o->holders = 2;
	memcpy(o->uri, uri, bytes);
	o->wake_fd = fcntl(wake_fd, F_DUPFD_CLOEXEC, 0);
	if (o->wake_fd < 0) {
		err = -errno;
		goto err_free;
	}
	err = start_thread(o);
	if (err)
		goto err_close;
	*out = o;
	return 0;

err_close:
	close(o->wake_fd);
err_free:
	free(o);
	return err;
}

bool opener_take(struct opener *o, void **conn, char *why, size_t size)
{
	if (!__atomic_load_n(&o->done, __ATOMIC_ACQUIRE))
		return false;
	*conn = o->conn;
	o->conn = NULL;
	snprintf(why, size, "%s", o->why);
	put(o);
	return true;
}

void opener_leave(struct opener *o)
{
	put(o);
}
