/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockfile.c - the file of a listening socket: left-overs, group and mode
 */
#include "vhost/sockfile.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define GROUP_BUF_BYTES 16384

static int dir_is_writable(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (!slash)
		return access(".", W_OK | X_OK) ? -errno : 0;
	if (len >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, path, len);
	dir[len] = '\0';
	return access(len ? dir : "/", W_OK | X_OK) ? -errno : 0;
}

/* Return: 0 when nobody listens at @path, else -EADDRINUSE or -errno. */
static int nobody_listens(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, ret = -EADDRINUSE;

	memcpy(un.sun_path, path, strlen(path) + 1);
	/* Not blocking: a full backlog answers EAGAIN, so somebody listens. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) &&
	    errno == ECONNREFUSED)
		ret = 0;
	close(fd);
	return ret;
}

int sockfile_clear(const char *path)
{
	struct stat st;
	int err;

	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return -ENAMETOOLONG;
	err = dir_is_writable(path);
	if (err)
		return err;
	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	err = nobody_listens(path);
	if (err)
		return err;
	return unlink(path) ? -errno : 0;
}

int sockfile_share(const char *path, const char *group, uint16_t mode)
{
	struct group entry, *found = NULL;
	char *buf;
	int err = 0;

	if (group) {
		buf = malloc(GROUP_BUF_BYTES);
		if (!buf)
			return -ENOMEM;
		err = -getgrnam_r(group, &entry, buf, GROUP_BUF_BYTES, &found);
		if (!err && !found)
			err = -ENOENT;
		if (!err && lchown(path, (uid_t)-1, found->gr_gid))
			err = -errno;
		free(buf);
	}
	if (!err && chmod(path, mode))
		err = -errno;
	return err;
}
