/* SPDX-License-Identifier: Apache-2.0 */
/*
 * procfs.h - what /proc says of processes and threads
 *
 * Parsers are pure and take any bytes: a process writes its own name into its
 * stat. Readers block no longer than the kernel takes to fill a page.
 */
#ifndef AGENT_PROCFS_H
#define AGENT_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "hl/cpumask.h"
#include "hint.h"
#include "table.h"

#define PROCFS_COMM   16   /* bytes of a command name, NUL included */
#define PROCFS_CGROUP 4096 /* bytes of a process's list of control groups */

struct procfs_stat {
	char state; /* field 3: R S D Z .. */
	pid_t ppid; /* field 4 */
	bool kthread;
	uint16_t cpu;	  /* field 39: where it ran last */
	uint64_t started; /* field 22, clock ticks since boot */
};

/* procfs_parse_stat() - Text of /proc/PID/stat, @len bytes.
 * Return: 0, or -EINVAL when it is not of that form. */
int procfs_parse_stat(const char *text, size_t len, struct procfs_stat *out);

/* procfs_parse_schedstat() - Text of /proc/PID/schedstat: ns on a cpu, ns
 * runnable without one. Return: 0 or -EINVAL. */
int procfs_parse_schedstat(const char *text, size_t len, uint64_t *run_ns,
			   uint64_t *wait_ns);

/* procfs_pid() - Is @name, of a directory entry, a process? */
bool procfs_pid(const char *name, pid_t *out);

/* procfs_stat() - Of a thread. Return: 0, -ESRCH when there is none. */
int procfs_stat(pid_t tgid, pid_t tid, struct procfs_stat *out);

/* procfs_comm() - The name of a process. Return: 0 or -ESRCH. */
int procfs_comm(pid_t pid, char out[PROCFS_COMM]);

/* procfs_cgroups() - /proc/PID/cgroup as it is. Return: 0 or -ESRCH. */
int procfs_cgroups(pid_t pid, char out[PROCFS_CGROUP]);

/* procfs_online() - Cpus that are online. Return: 0 or -errno. */
int procfs_online(struct cpumask *out);

/* procfs_possible() - How many cpus there can ever be, CPU_MAX at most. */
uint16_t procfs_possible(void);

/*
 * Files of workers that are looked at again and again, kept open by slot: to
 * open one costs more than to read it. An open one is of that thread for ever:
 * when it is gone, to read it fails, whoever has its number by then.
 */
struct procfs_files {
	const struct table *table;
	unsigned left; /* how many more workers' may be open */
	struct {
		int stat, schedstat; /* 0: not open */
	} of[WORKER_MAX];
};

/* procfs_forget() - The worker in @slot is another one from now on. */
void procfs_forget(struct procfs_files *f, uint16_t slot);

/* procfs_look() - For struct hint_reader; @arg is a struct procfs_files.
 * Return: 0, or -ESRCH when the worker's thread is gone. */
int procfs_look(void *arg, const struct worker *w, struct look *out);

#endif
