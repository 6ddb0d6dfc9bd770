/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostctl_sock.h - hostctl's end of hostd's telemetry socket
 */
#ifndef HOSTD_HOSTCTL_SOCK_H
#define HOSTD_HOSTCTL_SOCK_H

#include <stddef.h>
#include <sys/types.h>

#define SOCK_REPLY_MAX (256 * 1024)

/* sock_dirs() - Where the socket may be, best first; NULL-terminated. Depends
 * on $XDG_RUNTIME_DIR. Static memory. */
const char *const *sock_dirs(void);

/*
 * sock_open() - Connect to hostd
 * @path: the socket; NULL: the newest in sock_dirs() that answers
 *
 * Return: a file descriptor whose greeting was read; -ENOENT when there is no
 * socket, -ECONNREFUSED when nobody answers, -EACCES, or another -errno.
 */
int sock_open(const char *path);

/*
 * sock_ask() - One request, one answer
 * @reply: NUL-terminated on success
 * @timeout_s: how long to wait for it
 *
 * Return: bytes of the answer; -ETIMEDOUT, -ECONNRESET when hostd went away,
 * -EMSGSIZE for an answer larger than @size, or another -errno.
 */
ssize_t sock_ask(int fd, const char *request, char *reply, size_t size,
		 unsigned timeout_s);

#endif
