/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task.h - a vcpu's thread as the kernel sees it: is it the same, where may
 * it run
 *
 * Any thread but the poll thread: system calls, which may block.
 */
#ifndef HOSTD_TASK_H
#define HOSTD_TASK_H

#include <stdint.h>
#include <sys/types.h>

#include "hl/cpumask.h"

/*
 * task_start() - When a thread was started: tells a recycled id from the old
 * @tid: equal to @pid for the process itself
 * @ticks: field 22 of /proc/PID/task/TID/stat, clock ticks since boot
 * Return: 0, -ESRCH when there is no such thread in @pid, or -errno.
 */
int task_start(pid_t pid, pid_t tid, uint64_t *ticks);

/* task_get_mask() - Cpus a thread may run on now. Return: 0 or -errno. */
int task_get_mask(pid_t tid, struct cpumask *m);

/* task_set_mask() - Let a thread run on @m. The kernel silently leaves out
 * what its cpuset has not. Return: 0, -EINVAL when nothing remains, -errno. */
int task_set_mask(pid_t tid, const struct cpumask *m);

/*
 * task_follow_mask() - Give @m back to a thread
 * A thread that had all its cpuset's cpus is told "all", so that it follows
 * its cpuset later on, as before; any other is told @m.
 * Return: 0; -EBUSY when its cpuset now lacks some; or -errno.
 */
int task_follow_mask(pid_t tid, const struct cpumask *m);

#endif
