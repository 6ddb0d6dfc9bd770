// SPDX-License-Identifier: Apache-2.0
/*
 * journal.c - what every VM had before hostd changed it: gather and write
 *
 * The table in memory is the truth while hostd lives; the file is a copy for
 * whoever comes after it. Each commit writes a new file beside the old one and
 * renames it, so a reader finds the old text or the new one, never a part.
 * There is no fsync: the file must survive hostd, and after a power cut there
 * is no VM left to put back.
 *
 * Lookups walk the tables: a few hundred VMs, a few items for each vcpu, and
 * only when a VM comes or goes.
 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "journal_table.h"
#include "task.h"

/* --- the table ----------------------------------------------------------- */

/* Room for one more of @bytes each in a growing array. */
static void *grow(void *array, unsigned cnt, unsigned *room, size_t bytes)
{
	unsigned more = *room ? *room * 2 : 8;
	void *bigger;

	if (cnt < *room)
		return array;
	bigger = realloc(array, more * bytes);
	if (bigger)
		*room = more;
	return bigger;
}

static void item_free(struct journal_item *i)
{
	free(i->path);
	free(i->value);
}

static void owner_clear(struct journal_owner *v)
{
	for (unsigned i = 0; i < v->cnt; i++)
		item_free(&v->item[i]);
	free(v->item);
	v->item = NULL;
	v->cnt = v->room = 0;
}

struct journal_owner *journal_find(struct journal *j, const char *uuid)
{
	for (unsigned i = 0; i < j->cnt; i++)
		if (!strcmp(j->vm[i].uuid, uuid))
			return &j->vm[i];
	return NULL;
}

int journal_owner_add(struct journal *j, const struct journal_line *l)
{
	struct journal_owner *v = journal_find(j, l->uuid), *bigger;

	if (v && v->pid == (pid_t)l->id && v->start == l->start)
		return 0;
	if (v) {
		owner_clear(v);
	} else {
		if (j->cnt == VM_MAX)
			return -ENOSPC;
		bigger = grow(j->vm, j->cnt, &j->room, sizeof(*j->vm));
		if (!bigger)
			return -ENOMEM;
		j->vm = bigger;
		v = &j->vm[j->cnt++];
		memset(v, 0, sizeof(*v));
	}
	snprintf(v->uuid, sizeof(v->uuid), "%s", l->uuid);
	snprintf(v->name, sizeof(v->name), "%.*s", VM_NAME_MAX - 1, l->text);
	v->pid = (pid_t)l->id;
	v->start = l->start;
	return 0;
}

static bool same_item(const struct journal_item *i,
		      const struct journal_line *l)
{
	if (i->kind != l->kind)
		return false;
	if (i->kind == JOURNAL_KIND_FILE)
		return !strcmp(i->path, l->path);
	return i->id == l->id;
}

int journal_item_add(struct journal_owner *v, const struct journal_line *l)
{
	struct journal_item *i = NULL, *bigger;

	for (unsigned n = 0; n < v->cnt && !i; n++)
		if (same_item(&v->item[n], l))
			i = &v->item[n];
	if (i && i->start == l->start)
		return 0;
	if (i) { /* a new thread with an old one's id */
		i->start = l->start;
		i->mask = l->mask;
		return 0;
	}
	bigger = grow(v->item, v->cnt, &v->room, sizeof(*v->item));
	if (!bigger)
		return -ENOMEM;
	v->item = bigger;
	i = &v->item[v->cnt];
	*i = (struct journal_item){
		.kind = l->kind, .id = l->id, .start = l->start, .mask = l->mask
	};
	if (l->kind == JOURNAL_KIND_FILE) {
		i->path = strdup(l->path);
		i->value = strdup(l->text);
		if (!i->path || !i->value) {
			item_free(i);
			return -ENOMEM;
		}
	}
	v->cnt++;
	return 0;
}

static void owner_del(struct journal *j, struct journal_owner *v)
{
	owner_clear(v);
	j->cnt--;
	memmove(v, v + 1, (size_t)(&j->vm[j->cnt] - v) * sizeof(*v));
}

/* --- gathering ----------------------------------------------------------- */

int journal_open(struct journal **out, const char *path)
{
	struct journal *j;
	struct stat st;

	if (!lstat(path, &st))
		return -EEXIST;
	if (errno != ENOENT)
		return -errno;
	j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	j->path = strdup(path);
	if (!j->path) {
		free(j);
		return -ENOMEM;
	}
	*out = j;
	return 0;
}

void journal_close(struct journal *j)
{
	while (j->cnt)
		owner_del(j, &j->vm[0]);
	free(j->vm);
	free(j->path);
	free(j);
}

int journal_vm(struct journal *j, const char *uuid, pid_t pid, const char *name)
{
	struct journal_line l = { .kind = JOURNAL_KIND_VM,
				  .id = (uint32_t)pid };
	int err = task_start(pid, pid, &l.start);

	if (err)
		return err;
	snprintf(l.uuid, sizeof(l.uuid), "%s", uuid);
	snprintf(l.text, sizeof(l.text), "%s", name);
	return journal_owner_add(j, &l);
}

int journal_file(struct journal *j, const char *uuid, const char *path)
{
	struct journal_owner *v = journal_find(j, uuid);
	struct journal_line l = { .kind = JOURNAL_KIND_FILE };
	int err;

	if (!v)
		return -ENOENT;
	if (snprintf(l.path, sizeof(l.path), "%s", path) >= (int)sizeof(l.path))
		return -ENAMETOOLONG;
	err = cgroup_read(path, l.text, sizeof(l.text));
	return err ? err : journal_item_add(v, &l);
}

int journal_thread(struct journal *j, const char *uuid, pid_t tid)
{
	struct journal_owner *v = journal_find(j, uuid);
	struct journal_line l = { .kind = JOURNAL_KIND_THREAD,
				  .id = (uint32_t)tid };
	int err;

	if (!v)
		return -ENOENT;
	err = task_start(v->pid, tid, &l.start);
	if (!err)
		err = task_get_mask(tid, &l.mask);
	return err ? err : journal_item_add(v, &l);
}

int journal_pin(struct journal *j, const char *uuid, unsigned index,
		const struct cpumask *mask)
{
	struct journal_owner *v = journal_find(j, uuid);
	struct journal_line l = { .kind = JOURNAL_KIND_PIN,
				  .id = index,
				  .mask = *mask };

	if (index >= VCPU_MAX || cpumask_empty(mask))
		return -EINVAL;
	return v ? journal_item_add(v, &l) : -ENOENT;
}

/* --- writing ------------------------------------------------------------- */

/* Refuses what could not be read back: then nothing is changed either. */
static int line_write(FILE *f, const struct journal_line *l)
{
	char text[JOURNAL_LINE_MAX];
	struct journal_line back;
	int n = journal_line_format(l, text, sizeof(text));
	int err = n < 0 ? n : journal_line_parse(&back, text, (size_t)n - 1);

	if (err)
		return err;
	return fwrite(text, 1, (size_t)n, f) == (size_t)n ? 0 : -EIO;
}

static int owner_write(FILE *f, const struct journal_owner *v)
{
	struct journal_line l = { .kind = JOURNAL_KIND_VM,
				  .id = (uint32_t)v->pid,
				  .start = v->start };
	int err;

	memcpy(l.uuid, v->uuid, sizeof(l.uuid));
	memcpy(l.text, v->name, sizeof(v->name));
	err = line_write(f, &l);
	for (unsigned n = 0; n < v->cnt && !err; n++) {
		const struct journal_item *i = &v->item[n];

		l.kind = i->kind;
		l.id = i->id;
		l.start = i->start;
		l.mask = i->mask;
		snprintf(l.path, sizeof(l.path), "%s", i->path ?: "");
		snprintf(l.text, sizeof(l.text), "%s", i->value ?: "");
		err = line_write(f, &l);
	}
	return err;
}

/* The whole table into a new file at @path. */
static int table_write(const struct journal *j, const char *path)
{
	FILE *f;
	int fd, err = 0;

	if (unlink(path) && errno != ENOENT)
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	f = fdopen(fd, "w");
	if (!f) {
		err = -errno;
		close(fd);
		return err;
	}
	for (unsigned i = 0; i < j->cnt && !err; i++)
		err = owner_write(f, &j->vm[i]);
	if (fclose(f) && !err)
		err = -errno;
	return err;
}

int journal_commit(struct journal *j)
{
	char *fresh;
	int err;

	if (!j->cnt)
		return unlink(j->path) && errno != ENOENT ? -errno : 0;
	if (asprintf(&fresh, "%s.new", j->path) < 0)
		return -ENOMEM;
	err = table_write(j, fresh);
	if (!err && rename(fresh, j->path))
		err = -errno;
	if (err)
		unlink(fresh);
	free(fresh);
	return err;
}

int journal_restore_vm(struct journal *j, const char *uuid)
{
	struct journal_owner *v = journal_find(j, uuid);
	struct journal_result r = { 0 };
	int err, commit_err;

	if (!v)
		return -ENOENT;
	err = journal_owner_put_back(v, &r);
	owner_del(j, v);
	commit_err = journal_commit(j);
	return err ? err : commit_err;
}
