// SPDX-License-Identifier: Apache-2.0
/*
 * virt_proc.c - a QEMU process and its vcpu threads, from /proc
 *
 * What a file says is checked against a second source: the pid file against
 * the process's arguments, a thread's name against the cgroup libvirt put the
 * thread in ("vcpuN"; hosts without these cgroups have only the name).
 */
#include "virt_proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CMDLINE_MAX (256u << 10) /* -uuid stands well before that */
#define SMALL_MAX   4096

/* Read up to @size - 1 bytes and a NUL. Return: bytes, or -errno. */
static ssize_t slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t at = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (n > 0 && at < size - 1) {
		n = read(fd, buf + at, size - 1 - at);
		if (n > 0)
			at += (size_t)n;
	}
	if (n < 0)
		n = -errno;
	close(fd);
	buf[at] = '\0';
	return n < 0 ? n : (ssize_t)at;
}

static bool pid_parse(const char *at, pid_t *out)
{
	char *end;
	long n = strtol(at, &end, 10);

	if (end == at || n <= 0 || n > INT_MAX)
		return false;
	*out = (pid_t)n;
	return *end == '\0' || *end == '\n';
}

/* "guest=NAME" or "guest=NAME,..." */
static bool is_guest(const char *arg, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(arg, "guest=", 6) && !strncmp(arg + 6, name, n) &&
	       (arg[6 + n] == '\0' || arg[6 + n] == ',');
}

/* The uuid decides if there is one among the arguments, else the name. */
static bool args_match(const char *args, size_t len, const char *name,
		       const char *uuid)
{
	const char *end = args + len, *before = "";
	bool named = false;

	for (const char *arg = args; arg < end; arg += strlen(arg) + 1) {
		if (!strcmp(before, "-uuid"))
			return !strcmp(arg, uuid);
		if (!strcmp(before, "-name") && is_guest(arg, name))
			named = true;
		before = arg;
	}
	return named;
}

static bool is_vm(const struct virt_proc *p, pid_t pid, const char *name,
		  const char *uuid)
{
	char path[PATH_MAX], *args = malloc(CMDLINE_MAX);
	bool yes = false;
	ssize_t n;

	if (!args)
		return false;
	snprintf(path, sizeof(path), "%s/%d/cmdline", p->proc, (int)pid);
	n = slurp(path, args, CMDLINE_MAX);
	if (n > 0)
		yes = args_match(args, (size_t)n, name, uuid);
	free(args);
	return yes;
}

pid_t virt_proc_pid(const struct virt_proc *p, const char *name,
		    const char *uuid)
{
	char path[PATH_MAX], text[32];
	pid_t pid;

	if (strchr(name, '/'))
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/%s.pid", p->run, name);
	if (slurp(path, text, sizeof(text)) < 0)
		return -ENOENT;
	if (!pid_parse(text, &pid) || !is_vm(p, pid, name, uuid))
		return -ESRCH;
	return pid;
}

pid_t virt_proc_owner(const struct virt_proc *p, pid_t tid, const char *name,
		      const char *uuid)
{
	char path[PATH_MAX], text[SMALL_MAX], *at;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%d/status", p->proc, (int)tid);
	if (slurp(path, text, sizeof(text)) < 0)
		return -ESRCH;
	at = strstr(text, "\nTgid:");
	if (!at)
		return -ESRCH;
	at += strlen("\nTgid:");
	at[strcspn(at, "\n")] = '\0';
	if (!pid_parse(at, &pid) || !is_vm(p, pid, name, uuid))
		return -ESRCH;
	return pid;
}

/* "CPU 12/KVM" */
static bool vcpu_of_name(const char *comm, unsigned max, unsigned *index)
{
	char *end;
	unsigned long n;

	if (strncmp(comm, "CPU ", 4) || comm[4] < '0' || comm[4] > '9')
		return false;
	n = strtoul(comm + 4, &end, 10);
	if (*end != '/' || n >= max)
		return false;
	*index = (unsigned)n;
	return true;
}

/* Is the thread in the cgroup of another vcpu? A line ends in ".../vcpuN". */
static bool in_other_group(const char *task, unsigned index)
{
	char path[PATH_MAX + 8], text[SMALL_MAX], *save = NULL;

	snprintf(path, sizeof(path), "%s/cgroup", task);
	if (slurp(path, text, sizeof(text)) < 0)
		return false;
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *last = strrchr(line, '/');

		if (last && !strncmp(last, "/vcpu", 5) && last[5] >= '0' &&
		    last[5] <= '9' && strtoul(last + 5, NULL, 10) != index)
			return true;
	}
	return false;
}

static void take_thread(const char *tasks, pid_t thread, pid_t *tid,
			unsigned max, unsigned *cnt)
{
	char task[PATH_MAX], path[PATH_MAX + 8], comm[32] = "";
	unsigned i;

	snprintf(task, sizeof(task), "%s/%d", tasks, (int)thread);
	snprintf(path, sizeof(path), "%s/comm", task);
	if (slurp(path, comm, sizeof(comm)) < 0)
		return; /* it ended meanwhile */
	if (!vcpu_of_name(comm, max, &i) || tid[i] || in_other_group(task, i))
		return;
	tid[i] = thread;
	if (i >= *cnt)
		*cnt = i + 1;
}

unsigned virt_proc_vcpus(const struct virt_proc *p, pid_t pid, pid_t *tid,
			 unsigned max)
{
	char tasks[PATH_MAX / 2];
	const struct dirent *e;
	unsigned cnt = 0;
	pid_t thread;
	DIR *dir;

	memset(tid, 0, max * sizeof(tid[0]));
	snprintf(tasks, sizeof(tasks), "%s/%d/task", p->proc, (int)pid);
	dir = opendir(tasks);
	if (!dir)
		return 0;
	while ((e = readdir(dir)))
		if (pid_parse(e->d_name, &thread))
			take_thread(tasks, thread, tid, max, &cnt);
	closedir(dir);
	return cnt;
}

static bool known(const pid_t *tid, unsigned cnt, long thread)
{
	for (unsigned i = 0; i < cnt; i++)
		if (tid[i] == thread)
			return true;
	return false;
}

/* Lines are "* CPU #0: thread_id=4711"; the star marks the monitor's own. */
unsigned virt_proc_monitor(const char *text, pid_t *tid, unsigned max)
{
	static const char cpu[] = "CPU #", thread[] = "thread_id=";
	unsigned cnt = 0;

	memset(tid, 0, max * sizeof(tid[0]));
	while ((text = strstr(text, cpu))) {
		size_t line = strcspn(text, "\n");
		const char *id = memmem(text, line, thread, strlen(thread));
		unsigned long i = strtoul(text + strlen(cpu), NULL, 10);
		long n = id ? strtol(id + strlen(thread), NULL, 10) : 0;

		text += line;
		if (i >= max || n <= 0 || n > INT_MAX || known(tid, cnt, n))
			continue;
		tid[i] = (pid_t)n;
		if (i >= cnt)
			cnt = (unsigned)i + 1;
	}
	return cnt;
}

/* Spread an id over all bits, so that sums of ids do not coincide. */
static uint64_t spread(uint64_t id)
{
	const uint64_t odd = 0x9e3779b97f4a7c15ull; /* 2^64 / golden ratio */

	id *= odd;
	id ^= id >> 32;
	return id * odd;
}

uint64_t virt_proc_mark(const struct virt_proc *p, pid_t pid)
{
	char tasks[PATH_MAX];
	const struct dirent *e;
	uint64_t mark = 0;
	pid_t thread;
	DIR *dir;

	snprintf(tasks, sizeof(tasks), "%s/%d/task", p->proc, (int)pid);
	dir = opendir(tasks);
	if (!dir)
		return 0;
	/* A sum, for the order in which they are listed means nothing. */
	while ((e = readdir(dir)))
		if (pid_parse(e->d_name, &thread))
			mark += spread((uint64_t)thread);
	closedir(dir);
	return mark ? mark : 1;
}
