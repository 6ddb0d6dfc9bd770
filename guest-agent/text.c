// SPDX-License-Identifier: Apache-2.0
/*
 * text.c - a small file of /proc or /sys, whole
 *
 * The kernel makes such a file when it is read: one read gets all of it, or as
 * much as there is room for. The agent's thread, and the guardian.
 */
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

ssize_t text_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	buf[0] = '\0';
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n > 0)
		buf[n] = '\0';
	return n;
}
