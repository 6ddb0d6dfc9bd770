// SPDX-License-Identifier: Apache-2.0
/*
 * port.c - the byte stream to the host: a virtio-serial port or a unix socket
 *
 * A port's driver shows its name in /sys/class/virtio-ports/vportNpM/name; the
 * device beside it in /dev has the same name whether or not udev made a link
 * in /dev/virtio-ports. Where sysfs shows no such class, that link is taken.
 */
#include "port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hl/agent.h"
#include "text.h"

/* Does the file hold @want, a newline allowed? */
static bool file_says(const char *path, const char *want)
{
	char text[128];

	if (text_read(path, text, sizeof(text)) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, want);
}

int port_find(const char *root, char *path, size_t size)
{
	char name[PORT_PATH + 300];
	struct dirent *e;
	struct stat st;
	bool found = false;
	DIR *dir;

	snprintf(name, sizeof(name), "%s/sys/class/virtio-ports", root);
	dir = opendir(name);
	while (dir && !found && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name),
			 "%s/sys/class/virtio-ports/%s/name", root, e->d_name);
		found = file_says(name, AGENT_PORT) &&
			(size_t)snprintf(path, size, "%s/dev/%s", root,
					 e->d_name) < size;
	}
	if (dir)
		closedir(dir);
	if (found)
		return 0;
	if ((size_t)snprintf(path, size, "%s/dev/virtio-ports/%s", root,
			     AGENT_PORT) >= size ||
	    stat(path, &st))
		return -ENOENT;
	return 0;
}

static int connect_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int port_open(const char *path, bool *is_device)
{
	struct stat st;
	int fd;

	if (stat(path, &st))
		return -errno;
	*is_device = S_ISCHR(st.st_mode);
	if (S_ISSOCK(st.st_mode))
		return connect_socket(path);
	if (!*is_device)
		return -ENOTSUP;
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

bool port_hung(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) < 0 || (p.revents & (POLLHUP | POLLERR));
}

ssize_t port_read(int fd, void *buf, size_t bytes)
{
	ssize_t n;

	do
		n = read(fd, buf, bytes);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t port_write(int fd, const void *buf, size_t bytes)
{
	ssize_t n;

	/* only a socket can raise SIGPIPE, and only send() can keep it from
	 * that; a device has write() alone */
	do {
		n = send(fd, buf, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == ENOTSOCK)
			n = write(fd, buf, bytes);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
