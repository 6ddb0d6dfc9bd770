// SPDX-License-Identifier: Apache-2.0
/*
 * fake_fail.c - one call of the C library fails
 *
 * The failing call does nothing but set errno; all others are the real ones.
 */
#include "tests/fake/fake_fail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static const char *failing;
static unsigned skipping;
static int with;
static bool done;

void fail_next(const char *call, unsigned skip, int err)
{
	failing = call;
	skipping = skip;
	with = err;
	done = false;
}

bool fail_done(void)
{
	return done;
}

unsigned fail_open(void)
{
	unsigned n = 0;
	DIR *dir = opendir("/proc/self/fd");

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static bool fails(const char *call)
{
	if (!failing || done || strcmp(call, failing))
		return false;
	if (skipping) {
		skipping--;
		return false;
	}
	done = true;
	errno = with;
	return true;
}

/* WRAP() - @type @name(@params), called with @args, fails as @bad. */
#define WRAP(type, name, bad, params, args)                                    \
	type __real_##name params;                                             \
	type __wrap_##name params;                                             \
	type __wrap_##name params                                              \
	{                                                                      \
		if (fails(#name))                                              \
			return bad;                                            \
		return __real_##name args;                                     \
	}

WRAP(void *, calloc, NULL, (size_t n, size_t size), (n, size))
WRAP(int, close, -1, (int fd), (fd))
WRAP(int, epoll_create1, -1, (int flags), (flags))
WRAP(int, epoll_ctl, -1, (int ep, int op, int fd, struct epoll_event *e),
     (ep, op, fd, e))
WRAP(int, socket, -1, (int family, int type, int protocol),
     (family, type, protocol))
WRAP(int, connect, -1, (int fd, const struct sockaddr *a, socklen_t n),
     (fd, a, n))
WRAP(int, bind, -1, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(int, listen, -1, (int fd, int n), (fd, n))
WRAP(int, chmod, -1, (const char *path, mode_t mode), (path, mode))
WRAP(void *, mmap, MAP_FAILED,
     (void *at, size_t n, int prot, int flags, int fd, off_t from),
     (at, n, prot, flags, fd, from))
WRAP(int, fstat, -1, (int fd, struct stat *st), (fd, st))
WRAP(int, sigaction, -1,
     (int sig, const struct sigaction *act, struct sigaction *old),
     (sig, act, old))
WRAP(int, memfd_create, -1, (const char *name, unsigned flags), (name, flags))
WRAP(int, ftruncate, -1, (int fd, off_t n), (fd, n))
WRAP(ssize_t, read, with ? -1 : 0, (int fd, void *buf, size_t n), (fd, buf, n))
WRAP(int, poll, -1, (struct pollfd * p, nfds_t n, int ms), (p, n, ms))
WRAP(int, getsockopt, -1, (int fd, int level, int opt, void *v, socklen_t *n),
     (fd, level, opt, v, n))
WRAP(int, accept4, -1, (int fd, struct sockaddr *a, socklen_t *n, int flags),
     (fd, a, n, flags))

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (fails("open"))
		return -1;
	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return __real_open(path, flags, mode);
}

int __real_fcntl(int fd, int cmd, long arg);
int __wrap_fcntl(int fd, int cmd, long arg);
int __wrap_fcntl(int fd, int cmd, long arg)
{
	if (fails("fcntl"))
		return -1;
	return __real_fcntl(fd, cmd, arg);
}
