/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup.h - where a VM's control groups are, and their files
 *
 * Control thread, worker threads and the guardian; may block. Paths are host
 * paths; a test may put a fake root in front of all of them.
 */
#ifndef HOSTD_CGROUP_H
#define HOSTD_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CGROUP_PATH_MAX	  512
#define CGROUP_VALUE_MAX  1024 /* a cpu list of CPU_MAX cpus fits */
#define CGROUP_MOUNTS_MAX 8

enum cgroup_kind { CGROUP_KIND_CPU, CGROUP_KIND_CPUSET, CGROUP_KIND_NUM };

struct cgroup_mount {
	bool v2;
	bool has[CGROUP_KIND_NUM];   /* v1: controllers of this hierarchy */
	char root[CGROUP_PATH_MAX];  /* part of the hierarchy seen there */
	char point[CGROUP_PATH_MAX]; /* where it is mounted */
};

/* The hierarchies that matter here, from /proc/self/mountinfo. */
struct cgroup_mounts {
	unsigned cnt;
	struct cgroup_mount mount[CGROUP_MOUNTS_MAX];
};

/* cgroup_set_root() - Tests: put @dir before every path this module opens.
 * Not copied; NULL: the real root. */
void cgroup_set_root(const char *dir);

/* cgroup_mounts_parse() - Pick the cgroup mounts out of a mountinfo text; one
 * more than the table holds, or longer than it holds, is left out. Pure. */
void cgroup_mounts_parse(struct cgroup_mounts *m, const char *mountinfo);

/* cgroup_mounts_load() - The same from this process's own mountinfo.
 * Return: 0, -errno, or -ENOENT when no cgroup is mounted. */
int cgroup_mounts_load(struct cgroup_mounts *m);

/*
 * cgroup_locate() - The directory of a task's group
 * @groups: text of /proc/PID/cgroup
 * @kind: which controller's hierarchy: v1 if a v1 hierarchy has it, else v2
 * @out: CGROUP_PATH_MAX bytes
 * @v2: which kind it is
 *
 * Pure. Return: 0, or -ENOENT when there is none or no mount shows it.
 */
int cgroup_locate(const struct cgroup_mounts *m, const char *groups,
		  enum cgroup_kind kind, char *out, bool *v2);

/* cgroup_of() - cgroup_locate() for a live thread. Return: 0 or -errno. */
int cgroup_of(const struct cgroup_mounts *m, pid_t pid, pid_t tid,
	      enum cgroup_kind kind, char *out, bool *v2);

/*
 * cgroup_vm_group() - From QEMU's own group to the group around the whole VM
 * @path: cut in place: libvirt keeps QEMU in ".../emulator", under systemd
 *	  with cgroup v2 in ".../libvirt/emulator"
 *
 * Pure. Return: false when this is no group of a VM alone (say, QEMU started
 * by hand in a login session); then it must not be written to.
 */
bool cgroup_vm_group(char *path);

/* cgroup_may_write() - Is it a file hostd may set (cpu.idle, cpu.shares,
 * cpu.weight, cpuset.cpus) below a cgroup mount, with no way out? Pure. */
bool cgroup_may_write(const struct cgroup_mounts *m, const char *path);

/*
 * cgroup_read() - A file's text without the newline at its end
 * @buf: @size bytes, NUL-terminated on success
 * Return: 0, -EFBIG when it does not fit, or -errno.
 */
int cgroup_read(const char *path, char *buf, size_t size);

/* cgroup_write() - One write(2) of @value. Return: 0 or -errno. */
int cgroup_write(const char *path, const char *value);

/* cgroup_usable() - Is there a cpu controller whose groups this process may
 * change? Return: 0, -ENOENT when there is none, -EROFS, -EACCES. */
int cgroup_usable(const struct cgroup_mounts *m);

/* cgroup_has() - Is there a file @name in @dir? */
bool cgroup_has(const char *dir, const char *name);

/* cgroup_join() - @dir/@name into @out (CGROUP_PATH_MAX bytes).
 * Return: 0 or -ENAMETOOLONG. */
int cgroup_join(char *out, const char *dir, const char *name);

#endif
