// SPDX-License-Identifier: Apache-2.0
/*
 * hostctl_sock.c - hostctl's end of hostd's telemetry socket
 *
 * DPDK serves a SOCK_SEQPACKET Unix socket: one packet a message, the first a
 * greeting. It lies in DPDK's run directory under hostd's file prefix: below
 * $RUNTIME_DIRECTORY when systemd set one (/run/heighliner), else /var/run for
 * root and $XDG_RUNTIME_DIR for others. A dead hostd leaves its socket behind,
 * and DPDK may append ":N" to the name: so all that fit are tried, newest
 * first.
 */
#include "hostctl_sock.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define GREETING_S     2
#define CANDIDATES_MAX 64

const char *const *sock_dirs(void)
{
	static char xdg[256];
	static const char *dirs[] = { "/run/heighliner/dpdk/heighliner",
				      "/var/run/dpdk/heighliner", NULL, NULL,
				      NULL };
	const char *env = getenv("XDG_RUNTIME_DIR");
	unsigned n = 2;

	if (env && *env) {
		snprintf(xdg, sizeof(xdg), "%s/dpdk/heighliner", env);
		dirs[n++] = xdg;
	}
	dirs[n++] = "/tmp/dpdk/heighliner";
	dirs[n] = NULL;
	return dirs;
}

/* One packet. Return: its bytes, NUL added; or -errno as in sock_ask(). */
static ssize_t receive(int fd, char *buf, size_t size, unsigned timeout_s)
{
	struct timeval tv = { .tv_sec = timeout_s };
	struct iovec iov = { .iov_base = buf, .iov_len = size - 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)))
		return -errno;
	do
		n = recvmsg(fd, &msg, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (!n)
		return -ECONNRESET;
	if (msg.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	buf[n] = '\0';
	return n;
}

static int connect_one(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = GREETING_S };
	char greeting[4096];
	ssize_t n;
	int fd, rc;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* a full backlog would hold connect() as long */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		rc = errno == EAGAIN ? -ETIMEDOUT : -errno;
		goto err_close;
	}
	n = receive(fd, greeting, sizeof(greeting), GREETING_S);
	if (n < 0) {
		rc = (int)n;
		goto err_close;
	}
	return fd;

err_close:
	close(fd);
	return rc;
}

struct candidate {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct timespec born;
};

static int by_age(const void *a, const void *b)
{
	const struct timespec *x = &((const struct candidate *)a)->born;
	const struct timespec *y = &((const struct candidate *)b)->born;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? 1 : -1;
	return (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
}

static unsigned gather(struct candidate *list)
{
	unsigned n = 0;

	for (const char *const *dir = sock_dirs(); *dir; dir++) {
		char pattern[300];
		glob_t g;

		snprintf(pattern, sizeof(pattern), "%s/dpdk_telemetry.v2*",
			 *dir);
		if (glob(pattern, GLOB_NOSORT, NULL, &g))
			continue;
		for (size_t i = 0; i < g.gl_pathc && n < CANDIDATES_MAX; i++) {
			struct candidate *c = &list[n];
			struct stat st;

			if (strlen(g.gl_pathv[i]) >= sizeof(c->path) ||
			    stat(g.gl_pathv[i], &st) || !S_ISSOCK(st.st_mode))
				continue;
			memcpy(c->path, g.gl_pathv[i],
			       strlen(g.gl_pathv[i]) + 1);
			c->born = st.st_mtim;
			n++;
		}
		globfree(&g);
	}
	qsort(list, n, sizeof(*list), by_age);
	return n;
}

int sock_open(const char *path)
{
	struct candidate list[CANDIDATES_MAX];
	int fd, rc = -ENOENT;
	unsigned n;

	if (path)
		return connect_one(path);
	n = gather(list);
	for (unsigned i = 0; i < n; i++) {
		fd = connect_one(list[i].path);
		if (fd >= 0)
			return fd;
		rc = fd;
	}
	/* a directory that may not be read hides its sockets from glob() */
	for (const char *const *dir = sock_dirs(); *dir && rc == -ENOENT; dir++)
		if (access(*dir, R_OK | X_OK) && errno == EACCES)
			rc = -EACCES;
	return rc;
}

ssize_t sock_ask(int fd, const char *request, char *reply, size_t size,
		 unsigned timeout_s)
{
	ssize_t n;

	do
		n = send(fd, request, strlen(request), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EPIPE ? -ECONNRESET : -errno;
	return receive(fd, reply, size, timeout_s);
}
