// SPDX-License-Identifier: Apache-2.0
/*
 * door_listen.c - a socket file to listen at
 *
 * An agent that was killed leaves its file behind. Whether anybody is behind a
 * file is asked by connecting: only the kernel's refusal says that nobody is.
 * What is no socket is never removed.
 */
#include "door_listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

/* Is somebody behind the socket at @addr? Return: 0: nobody; -EADDRINUSE;
 * -errno. */
static int probe(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, err;

	if (lstat(addr->sun_path, &st))
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = -EADDRINUSE;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) &&
	    errno == ECONNREFUSED)
		err = 0;
	close(fd);
	return err;
}

int door_listen(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const struct sockaddr *at = (const struct sockaddr *)&addr;
	int fd, err;

	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, at, sizeof(addr))) {
		err = -errno;
		if (err == -EADDRINUSE)
			err = probe(&addr);
		if (err)
			goto err_close;
		if (unlink(path) || bind(fd, at, sizeof(addr))) {
			err = -errno;
			goto err_close;
		}
	}
	if (chmod(path, 0666) || listen(fd, BACKLOG)) {
		err = -errno;
		goto err_unlink;
	}
	return fd;

err_unlink:
	unlink(path);
err_close:
	close(fd);
	return err;
}
