// SPDX-License-Identifier: Apache-2.0
/*
 * cgroup.c - where a VM's control groups are, and their files
 *
 * /proc/PID/cgroup says which group a task is in, for each hierarchy, from
 * the hierarchy's root; /proc/self/mountinfo says where hierarchies are
 * mounted, and which part of each (in a container: not the whole). A
 * controller lives in one hierarchy only: if a v1 hierarchy has it, v2 has
 * not, and the other way round; hosts with both sorts mounted are common.
 *
 * A group name may hold any byte but '/' and newline, so nothing here splits
 * a path at blanks; mountinfo escapes them as \040, which is undone.
 */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX                                                               \
	((size_t)256 << 10) /* a container host's mountinfo is 50 KiB */

static const char *const kind_name[] = { "cpu", "cpuset" };

static const char *root_dir = "";

void cgroup_set_root(const char *dir)
{
	root_dir = dir ? dir : "";
}

int cgroup_join(char *out, const char *dir, const char *name)
{
	int n = snprintf(out, CGROUP_PATH_MAX, "%s/%s", dir, name);

	return n < CGROUP_PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* --- files --------------------------------------------------------------- */

static int file_open(const char *path, int flags)
{
	char real[2 * CGROUP_PATH_MAX];
	int fd;

	if (snprintf(real, sizeof(real), "%s%s", root_dir, path) >=
	    (int)sizeof(real))
		return -ENAMETOOLONG;
	fd = open(real, flags | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int cgroup_read(const char *path, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int fd = file_open(path, O_RDONLY), err = 0;

	if (fd < 0)
		return fd;
	do {
		n = read(fd, buf + len, size - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 && len < size) || (n < 0 && errno == EINTR));
	if (n < 0)
		err = -errno;
	else if (len == size)
		err = -EFBIG;
	close(fd);
	if (err)
		return err;
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return 0;
}

int cgroup_write(const char *path, const char *value)
{
	/* Writing "" does nothing at all; an empty cpu list is a newline. */
	const char *text = *value ? value : "\n";
	ssize_t n;
	int fd = file_open(path, O_WRONLY), err = 0;

	if (fd < 0)
		return fd;
	do {
		n = write(fd, text, strlen(text));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		err = -errno;
	close(fd);
	return err;
}

bool cgroup_has(const char *dir, const char *name)
{
	char path[CGROUP_PATH_MAX];
	int fd;

	if (cgroup_join(path, dir, name))
		return false;
	fd = file_open(path, O_RDONLY);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* --- mounts -------------------------------------------------------------- */

/* One blank-separated field of mountinfo, escapes undone. Return: what
 * follows it, or NULL when the line ends or the field is too long. */
static const char *field(const char *at, char *out, size_t size)
{
	size_t len = 0;

	while (*at == ' ')
		at++;
	while (*at && *at != ' ' && *at != '\n') {
		unsigned char c = (unsigned char)*at++;

		if (c == '\\' && at[0] >= '0' && at[0] <= '3' && at[1] >= '0' &&
		    at[1] <= '7' && at[2] >= '0' && at[2] <= '7') {
			c = (unsigned char)((at[0] - '0') << 6 |
					    (at[1] - '0') << 3 | (at[2] - '0'));
			at += 3;
		}
		if (len + 1 >= size)
			return NULL;
		out[len++] = (char)c;
	}
	out[len] = '\0';
	return len ? at : NULL;
}

/* Does the comma-separated @list hold the word @name? */
static bool list_has(const char *list, size_t len, const char *name)
{
	size_t want = strlen(name);

	while (len) {
		const char *comma = memchr(list, ',', len);
		size_t n = comma ? (size_t)(comma - list) : len;

		if (n == want && !memcmp(list, name, n))
			return true;
		if (!comma)
			return false;
		len -= n + 1;
		list += n + 1;
	}
	return false;
}

/* Skip @n fields; @word, of CGROUP_PATH_MAX bytes, gets the last one. */
static const char *skip(const char *at, unsigned n, char *word)
{
	while (at && n--)
		at = field(at, word, CGROUP_PATH_MAX);
	return at;
}

/* One line: ID PARENT DEV ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER.
 * Return: false when it is no cgroup mount that matters. */
static bool mount_parse(struct cgroup_mount *m, const char *line)
{
	char word[CGROUP_PATH_MAX];
	const char *at = skip(line, 3, word);

	memset(m, 0, sizeof(*m));
	if (at)
		at = field(at, m->root, sizeof(m->root));
	if (at)
		at = field(at, m->point, sizeof(m->point));
	do {
		if (at)
			at = field(at, word, sizeof(word));
	} while (at && strcmp(word, "-"));
	at = skip(at, 1, word);
	if (!at)
		return false;
	m->v2 = !strcmp(word, "cgroup2");
	if (m->v2)
		return true;
	if (strcmp(word, "cgroup") || !skip(at, 2, word))
		return false;
	for (int k = 0; k < CGROUP_KIND_NUM; k++)
		m->has[k] = list_has(word, strlen(word), kind_name[k]);
	return m->has[CGROUP_KIND_CPU] || m->has[CGROUP_KIND_CPUSET];
}

void cgroup_mounts_parse(struct cgroup_mounts *m, const char *mountinfo)
{
	const char *line = mountinfo;

	m->cnt = 0;
	while (line && *line && m->cnt < CGROUP_MOUNTS_MAX) {
		if (mount_parse(&m->mount[m->cnt], line))
			m->cnt++;
		line = strchr(line, '\n');
		if (line)
			line++;
	}
}

int cgroup_mounts_load(struct cgroup_mounts *m)
{
	char *text = malloc(TEXT_MAX);
	int err;

	m->cnt = 0;
	if (!text)
		return -ENOMEM;
	err = cgroup_read("/proc/self/mountinfo", text, TEXT_MAX);
	if (!err)
		cgroup_mounts_parse(m, text);
	free(text);
	if (err)
		return err;
	return m->cnt ? 0 : -ENOENT;
}

/* In v2 the root's cgroup.controllers names those no v1 hierarchy took. */
static bool mount_has_cpu(const struct cgroup_mount *m)
{
	char path[CGROUP_PATH_MAX], text[CGROUP_VALUE_MAX];

	if (!m->v2)
		return m->has[CGROUP_KIND_CPU];
	if (cgroup_join(path, m->point, "cgroup.controllers") ||
	    cgroup_read(path, text, sizeof(text)))
		return false;
	for (char *at = text; *at; at++)
		if (*at == ' ')
			*at = ',';
	return list_has(text, strlen(text), kind_name[CGROUP_KIND_CPU]);
}

int cgroup_usable(const struct cgroup_mounts *m)
{
	char real[2 * CGROUP_PATH_MAX];
	int err = -ENOENT;

	for (unsigned i = 0; i < m->cnt && err; i++) {
		if (!mount_has_cpu(&m->mount[i]))
			continue;
		snprintf(real, sizeof(real), "%s%s", root_dir,
			 m->mount[i].point);
		err = access(real, W_OK) ? -errno : 0;
	}
	return err;
}

/* --- groups -------------------------------------------------------------- */

/* Does @path begin with the whole components of @dir? Return: the rest, which
 * is empty or begins with '/', else NULL. */
static const char *below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	while (len && dir[len - 1] == '/')
		len--;
	if (strncmp(path, dir, len) || (path[len] && path[len] != '/'))
		return NULL;
	return path + len;
}

/* Is a component "." or ".." in there? */
static bool has_dots(const char *path)
{
	while ((path = strchr(path, '/'))) {
		size_t n = strcspn(++path, "/");

		if ((n == 1 && path[0] == '.') ||
		    (n == 2 && path[0] == '.' && path[1] == '.'))
			return true;
	}
	return false;
}

/* The mounted directory of group @path, which is @len bytes long. */
static int mounted(const struct cgroup_mounts *m, bool v2,
		   enum cgroup_kind kind, const char *path, size_t len,
		   char *out)
{
	char group[CGROUP_PATH_MAX];

	if (len >= sizeof(group))
		return -ENAMETOOLONG;
	memcpy(group, path, len);
	group[len] = '\0';
	/* "/../x": outside this process's cgroup namespace. */
	if (has_dots(group))
		return -ENOENT;
	for (unsigned i = 0; i < m->cnt; i++) {
		const struct cgroup_mount *at = &m->mount[i];
		const char *rest = below(group, at->root);

		if (at->v2 != v2 || (!v2 && !at->has[kind]) || !rest)
			continue;
		if (snprintf(out, CGROUP_PATH_MAX, "%s%s", at->point,
			     strcmp(rest, "/") ? rest : "") >= CGROUP_PATH_MAX)
			return -ENAMETOOLONG;
		return 0;
	}
	return -ENOENT;
}

int cgroup_locate(const struct cgroup_mounts *m, const char *groups,
		  enum cgroup_kind kind, char *out, bool *v2)
{
	const char *line = groups, *unified = NULL;
	size_t unified_len = 0;

	/* Lines: ID:CONTROLLERS:PATH, v2's is 0::PATH. */
	while (line && *line) {
		size_t len = strcspn(line, "\n");
		const char *list = memchr(line, ':', len), *path;

		if (!list)
			return -ENOENT;
		list++;
		path = memchr(list, ':', len - (size_t)(list - line));
		if (!path)
			return -ENOENT;
		path++;
		if (list_has(list, (size_t)(path - 1 - list),
			     kind_name[kind])) {
			*v2 = false;
			return mounted(m, false, kind, path,
				       len - (size_t)(path - line), out);
		}
		if (path - 1 == list && line[0] == '0') {
			unified = path;
			unified_len = len - (size_t)(path - line);
		}
		line += len + (line[len] == '\n');
	}
	if (!unified)
		return -ENOENT;
	*v2 = true;
	return mounted(m, true, kind, unified, unified_len, out);
}

int cgroup_of(const struct cgroup_mounts *m, pid_t pid, pid_t tid,
	      enum cgroup_kind kind, char *out, bool *v2)
{
	char path[64], *text;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/cgroup", pid, tid);
	text = malloc(TEXT_MAX);
	if (!text)
		return -ENOMEM;
	err = cgroup_read(path, text, TEXT_MAX);
	if (!err)
		err = cgroup_locate(m, text, kind, out, v2);
	free(text);
	return err;
}

/* Cut @name off the end of @path if it is its last component. */
static bool cut_last(char *path, const char *name)
{
	char *last = strrchr(path, '/');

	if (!last || last == path || strcmp(last + 1, name))
		return false;
	*last = '\0';
	return true;
}

bool cgroup_vm_group(char *path)
{
	bool cut = cut_last(path, "emulator");
	const char *last;

	cut |= cut_last(path, "libvirt");
	last = strrchr(path, '/');
	return last && last != path && (cut || strstr(last, "qemu"));
}

bool cgroup_may_write(const struct cgroup_mounts *m, const char *path)
{
	static const char *const name[] = { "cpu.idle", "cpu.shares",
					    "cpu.weight", "cpuset.cpus" };
	const char *last = strrchr(path, '/');
	bool known = false;

	if (path[0] != '/' || has_dots(path))
		return false;
	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		known |= !strcmp(last + 1, name[i]);
	for (unsigned i = 0; known && i < m->cnt; i++) {
		const char *rest = below(path, m->mount[i].point);

		/* A file of the mount itself is no VM's. */
		if (rest && rest != last)
			return true;
	}
	return false;
}
