// SPDX-License-Identifier: Apache-2.0
/*
 * procfs.c - what /proc says of processes and threads
 *
 * Each file is read with one read(2): the kernel writes these in one piece, so
 * what is read is of one moment. A file that ends before its form does, or is
 * longer than any kernel writes it, is refused.
 *
 * A thread is asked for under its process, /proc/TGID/task/TID: the same file
 * under /proc/TID sums up over all threads of the process.
 */
#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cpulist.h"
#include "text.h"

#define STAT_MAX   1024	       /* 52 numbers and a name */
#define PF_KTHREAD 0x00200000u /* of field 9, include/linux/sched.h */

enum stat_field { /* as proc(5) counts them */
		  STAT_STATE = 3,
		  STAT_PPID = 4,
		  STAT_FLAGS = 9,
		  STAT_STARTED = 22,
		  STAT_CPU = 39,
};

/* --- parsers ------------------------------------------------------------ */

struct text {
	const char *at, *end;
};

/* The next decimal number and the blank behind it. False: there is none. */
static bool take_number(struct text *t, uint64_t *out)
{
	const char *from = t->at;
	bool minus = t->at < t->end && *t->at == '-';
	uint64_t n = 0;

	t->at += minus;
	from += minus;
	for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (unsigned)(*t->at - '0'), &n))
			return false;
	if (t->at == from)
		return false;
	if (t->at < t->end && *t->at != ' ' && *t->at != '\n')
		return false;
	while (t->at < t->end && (*t->at == ' ' || *t->at == '\n'))
		t->at++;
	*out = minus ? 0 - n : n;
	return true;
}

/* Fields behind the state, up to the last one wanted. */
static int take_fields(struct text *t, struct procfs_stat *out)
{
	uint64_t v;

	for (unsigned field = STAT_PPID; field <= STAT_CPU; field++) {
		if (!take_number(t, &v))
			return -EINVAL;
		switch (field) {
		case STAT_PPID:
			if (v > INT_MAX)
				return -EINVAL;
			out->ppid = (pid_t)v;
			break;
		case STAT_FLAGS:
			out->kthread = v & PF_KTHREAD;
			break;
		case STAT_STARTED:
			out->started = v;
			break;
		case STAT_CPU:
			out->cpu = v < CPU_MAX ? (uint16_t)v : CPU_NONE;
			break;
		default:
			break;
		}
	}
	return 0;
}

int procfs_parse_stat(const char *text, size_t len, struct procfs_stat *out)
{
	/* The name may hold anything, ") R 1" too: its end is the last ')'. */
	const char *name_end = memrchr(text, ')', len);
	struct text t = { name_end, text + len };

	memset(out, 0, sizeof(*out));
	if (!name_end || t.end - t.at < 5 || t.at[1] != ' ' || t.at[3] != ' ')
		return -EINVAL;
	out->state = t.at[2];
	t.at += 4;
	return take_fields(&t, out);
}

int procfs_parse_schedstat(const char *text, size_t len, uint64_t *run_ns,
			   uint64_t *wait_ns)
{
	struct text t = { text, text + len };

	return take_number(&t, run_ns) && take_number(&t, wait_ns) ? 0
								   : -EINVAL;
}

bool procfs_pid(const char *name, pid_t *out)
{
	int64_t n = 0;

	if (*name < '1' || *name > '9')
		return false;
	for (; *name >= '0' && *name <= '9'; name++) {
		n = n * 10 + (*name - '0');
		if (n > INT_MAX)
			return false;
	}
	*out = (pid_t)n;
	return !*name;
}

/* --- readers ------------------------------------------------------------ */

/* Up to @size - 1 bytes and a NUL. Return: bytes, or -ESRCH. */
static ssize_t slurp(const char *path, char *buf, size_t size)
{
	ssize_t n = text_read(path, buf, size);

	return n > 0 ? n : -ESRCH;
}

int procfs_stat(pid_t tgid, pid_t tid, struct procfs_stat *out)
{
	char path[64], text[STAT_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", tgid, tid);
	n = slurp(path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	return procfs_parse_stat(text, (size_t)n, out) ? -ESRCH : 0;
}

int procfs_comm(pid_t pid, char out[PROCFS_COMM])
{
	char path[64], text[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	n = slurp(path, text, sizeof(text));
	if (n <= 0)
		return -ESRCH;
	if (text[n - 1] == '\n')
		text[n - 1] = '\0';
	snprintf(out, PROCFS_COMM, "%.*s", PROCFS_COMM - 1, text);
	return 0;
}

int procfs_cgroups(pid_t pid, char out[PROCFS_CGROUP])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	n = slurp(path, out, PROCFS_CGROUP);
	return n < 0 ? (int)n : 0;
}

static int read_cpus(const char *path, struct cpumask *out)
{
	char text[1024];

	if (slurp(path, text, sizeof(text)) < 0)
		return -ENOENT;
	return cpulist_parse(text, out);
}

int procfs_online(struct cpumask *out)
{
	return read_cpus("/sys/devices/system/cpu/online", out);
}

uint16_t procfs_possible(void)
{
	struct cpumask m;
	uint16_t cnt = 0;

	if (read_cpus("/sys/devices/system/cpu/possible", &m))
		return CPU_MAX;
	cpumask_for_each (cpu, &m)
		cnt = (uint16_t)(cpu + 1);
	return cnt;
}

/* --- files kept open ---------------------------------------------------- */

void procfs_forget(struct procfs_files *f, uint16_t slot)
{
	if (!f->of[slot].stat)
		return;
	close(f->of[slot].stat);
	close(f->of[slot].schedstat);
	f->of[slot].stat = f->of[slot].schedstat = 0;
	f->left++;
}

static int open_file(const struct worker *w, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", w->tgid, w->tid,
		 name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Return: bytes or -ESRCH. */
static ssize_t read_file(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size, 0);

	return n > 0 ? n : -ESRCH;
}

static int read_look(const struct worker *w, int stat, int schedstat,
		     bool fresh, struct look *out)
{
	char text[STAT_MAX];
	struct procfs_stat s;
	ssize_t n = read_file(schedstat, text, sizeof(text));

	if (n < 0 || procfs_parse_schedstat(text, (size_t)n, &out->run_ns,
					    &out->wait_ns))
		return -ESRCH;
	n = read_file(stat, text, sizeof(text));
	if (n < 0 || procfs_parse_stat(text, (size_t)n, &s) ||
	    (fresh && s.started != w->started) || s.state == 'Z' ||
	    s.state == 'X')
		return -ESRCH;
	out->vcpu = s.cpu;
	out->runnable = s.state == 'R';
	return 0;
}

int procfs_look(void *arg, const struct worker *w, struct look *out)
{
	struct procfs_files *f = arg;
	uint16_t slot = (uint16_t)(w - f->table->worker);
	int stat = f->of[slot].stat, schedstat = f->of[slot].schedstat, err;

	if (stat)
		return read_look(w, stat, schedstat, false, out);
	stat = open_file(w, "stat");
	schedstat = open_file(w, "schedstat");
	err = read_look(w, stat, schedstat, true, out);
	if (!err && f->left && stat > 0 && schedstat > 0) {
		f->of[slot].stat = stat;
		f->of[slot].schedstat = schedstat;
		f->left--;
		return 0;
	}
	if (stat >= 0)
		close(stat);
	if (schedstat >= 0)
		close(schedstat);
	return err;
}
