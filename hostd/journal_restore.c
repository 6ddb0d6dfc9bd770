// SPDX-License-Identifier: Apache-2.0
/*
 * journal_restore.c - carry out a restore journal
 *
 * A VM counts as alive while its pid has the start time noted; of a VM that is
 * gone nothing is touched, for its ids and group names may be another's now.
 *
 * Files first, in sweeps. A cpuset may only be narrowed once its children
 * are, and widened once its parent is (cgroup v1 refuses else); shares cannot
 * be written while cpu.idle is 1, and change when it is set. Rather than know
 * every such rule, look at all files forwards, then backwards, write each that
 * differs, and stop when a sweep had nothing to write or two in a row could
 * write nothing.
 * Threads come last: writing a cpuset moves the threads in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "journal.h"
#include "journal_table.h"
#include "log.h"
#include "task.h"

#define SWEEPS_MAX     8 /* groups are four deep: each direction, twice */
#define FILE_BYTES_MAX (64 << 20) /* four times what full tables give */

/* --- putting back -------------------------------------------------------- */

static bool is_gone(int err)
{
	return err == -ENOENT || err == -ENODEV || err == -ESRCH;
}

static bool owner_lives(const struct journal_owner *v)
{
	uint64_t start;

	return !task_start(v->pid, v->pid, &start) && start == v->start;
}

/*
 * An empty cpuset.cpus of v2 means "as the parent"; one that was filled cannot
 * be emptied while threads are in it (-ENOSPC, seen on Linux 6.1). What the
 * parent has is the same until that changes. @now: what the file has.
 * Return: 1 written, 0 it has that already, or -errno.
 */
static int empty_put_back(const char *path, const char *now)
{
	char dir[CGROUP_PATH_MAX], file[CGROUP_PATH_MAX];
	char list[CGROUP_VALUE_MAX] = "", *slash;
	int err;

	snprintf(dir, sizeof(dir), "%s", path);
	for (int up = 0; up < 2; up++) { /* the file, its group */
		slash = strrchr(dir, '/');
		if (!slash)
			return -ENOSPC;
		*slash = '\0';
	}
	err = cgroup_join(file, dir, "cpuset.cpus.effective");
	if (!err)
		err = cgroup_read(file, list, sizeof(list));
	if (err || !strcmp(list, now))
		return err;
	err = cgroup_write(path, list);
	return err ? err : 1;
}

/* Return: true when the file was written. */
static bool file_put_back(const struct cgroup_mounts *m, struct journal_item *i)
{
	char now[CGROUP_VALUE_MAX];
	int wrote;

	if (!cgroup_may_write(m, i->path)) {
		i->err = -EPERM;
		return false;
	}
	i->err = cgroup_read(i->path, now, sizeof(now));
	if (i->err || !strcmp(now, i->value))
		return false;
	wrote = cgroup_write(i->path, i->value);
	if (wrote == -ENOSPC && !i->value[0])
		wrote = empty_put_back(i->path, now);
	else if (!wrote)
		wrote = 1;
	i->err = wrote < 0 ? wrote : 0;
	return wrote > 0;
}

/* One sweep over all files. *wrote, *failed: was any written, refused? */
static void files_sweep(struct journal_owner *v, const struct cgroup_mounts *m,
			bool backwards, bool *wrote, bool *failed)
{
	*wrote = *failed = false;
	for (unsigned n = 0; n < v->cnt; n++) {
		unsigned at = backwards ? v->cnt - 1 - n : n;
		struct journal_item *i = &v->item[at];

		if (i->kind != JOURNAL_KIND_FILE)
			continue;
		*wrote |= file_put_back(m, i);
		*failed |= i->err && !is_gone(i->err);
	}
}

static void files_put_back(struct journal_owner *v)
{
	struct cgroup_mounts *m = malloc(sizeof(*m));
	bool wrote = true, failed = true;
	int vain = 0; /* sweeps since one that wrote */

	if (!m || cgroup_mounts_load(m) < 0)
		log_warn("no cgroup mounts found: cannot put back %s", v->name);
	for (int n = 0; m && n < SWEEPS_MAX && vain < 2; n++) {
		files_sweep(v, m, n % 2, &wrote, &failed);
		if (!wrote && !failed)
			break;
		vain = wrote ? 0 : vain + 1;
	}
	free(m);
}

static void thread_put_back(const struct journal_owner *v,
			    struct journal_item *i)
{
	uint64_t start;

	i->err = task_start(v->pid, (pid_t)i->id, &start);
	if (!i->err && start != i->start)
		i->err = -ESRCH;
	if (!i->err)
		i->err = task_follow_mask((pid_t)i->id, &i->mask);
}

static int item_count(const struct journal_owner *v,
		      const struct journal_item *i, struct journal_result *out)
{
	if (!i->err) {
		out->restored++;
		return 0;
	}
	if (is_gone(i->err)) {
		out->gone++;
		return 0;
	}
	out->failed++;
	if (i->kind == JOURNAL_KIND_FILE)
		log_warn("VM %s: cannot put back %s to \"%s\": %s", v->name,
			 i->path, i->value, strerror(-i->err));
	else
		log_warn("VM %s: cannot put back cpus of thread %u: %s",
			 v->name, i->id, strerror(-i->err));
	return i->err;
}

int journal_owner_put_back(struct journal_owner *v, struct journal_result *out)
{
	bool lives = owner_lives(v);
	int err = 0, first = 0;

	out->vms++;
	for (unsigned n = 0; n < v->cnt; n++)
		v->item[n].err = lives ? -ENOMEM : -ESRCH;
	if (lives)
		files_put_back(v);
	for (unsigned n = 0; n < v->cnt; n++) {
		struct journal_item *i = &v->item[n];

		if (i->kind == JOURNAL_KIND_PIN)
			continue;
		if (lives && i->kind == JOURNAL_KIND_THREAD)
			thread_put_back(v, i);
		err = item_count(v, i, out);
		if (!first)
			first = err;
	}
	return first;
}

/* --- from a file --------------------------------------------------------- */

static int fd_load(int fd, char **text, size_t *len)
{
	struct stat st;
	size_t size;
	ssize_t n = 1;
	char *buf;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > FILE_BYTES_MAX)
		return -EFBIG;
	size = (size_t)st.st_size;
	buf = malloc(size + 1);
	if (!buf)
		return -ENOMEM;
	for (*len = 0; n > 0 && *len < size; *len += (size_t)n) {
		n = read(fd, buf + *len, size - *len);
		if (n < 0) {
			free(buf);
			return -EIO;
		}
	}
	*text = buf;
	return 0;
}

static int text_load(const char *path, char **text, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	err = fd_load(fd, text, len);
	close(fd);
	return err;
}

/* Lines into a table; one that makes no sense is left out and counted. */
static int table_parse(struct journal *j, const char *text, size_t len,
		       unsigned *bad)
{
	struct journal_owner *v = NULL;
	struct journal_line l;
	int err = 0;

	for (const char *end = text + len; text < end;) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((stop ? stop : end) - text);
		int line_err = stop ? journal_line_parse(&l, text, n) : -EINVAL;

		/* What follows a bad vm line is nobody's. */
		if (n >= 2 && !memcmp(text, "vm", 2))
			v = NULL;
		text += n + 1;
		if (!line_err && l.kind == JOURNAL_KIND_VM) {
			line_err = journal_owner_add(j, &l);
			v = line_err ? NULL : journal_find(j, l.uuid);
		} else if (!line_err) {
			line_err = v ? journal_item_add(v, &l) : -EINVAL;
		}
		if (line_err) {
			(*bad)++;
			err = line_err;
		}
	}
	return err;
}

static int table_load(struct journal **out, const char *path, unsigned *bad)
{
	struct journal *j;
	size_t len = 0;
	char *text = NULL;
	int err = text_load(path, &text, &len);

	if (err)
		return err;
	j = calloc(1, sizeof(*j));
	if (!j) {
		free(text);
		return -ENOMEM;
	}
	err = table_parse(j, text, len, bad);
	if (err)
		log_warn("%s: %u lines make no sense and are left out", path,
			 *bad);
	free(text);
	*out = j;
	return 0;
}

int journal_put_back(const char *path, struct journal_result *out)
{
	struct journal_result r = { 0 };
	struct journal *j;
	int err, first;

	err = table_load(&j, path, &r.failed);
	if (err)
		return err;
	first = r.failed ? -EINVAL : 0;
	for (unsigned i = 0; i < j->cnt; i++) {
		err = journal_owner_put_back(&j->vm[i], &r);
		if (!first)
			first = err;
	}
	journal_close(j);
	if (out)
		*out = r;
	return first;
}

int journal_restore(const char *path, struct journal_result *out)
{
	int err = journal_put_back(path, out);

	if (err == -ENOENT)
		return err;
	if (unlink(path) && !err)
		err = -errno;
	return err;
}

int journal_each_pin(const char *path,
		     void (*fn)(void *arg, const char *uuid, unsigned index,
				const struct cpumask *mask),
		     void *arg)
{
	struct journal *j;
	unsigned bad = 0;
	int err = table_load(&j, path, &bad);

	if (err)
		return err;
	for (unsigned i = 0; i < j->cnt; i++) {
		const struct journal_owner *v = &j->vm[i];

		for (unsigned n = 0; n < v->cnt && owner_lives(v); n++)
			if (v->item[n].kind == JOURNAL_KIND_PIN)
				fn(arg, v->uuid, v->item[n].id,
				   &v->item[n].mask);
	}
	journal_close(j);
	return 0;
}
