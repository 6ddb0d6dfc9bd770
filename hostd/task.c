// SPDX-License-Identifier: Apache-2.0
/*
 * task.c - a vcpu's thread as the kernel sees it
 *
 * The kernel wants a buffer at least as wide as its own cpu mask (up to 8192
 * cpus on distribution kernels), struct cpumask has CPU_MAX: hence the wide
 * copy. Cpus at and above CPU_MAX are never managed and are dropped.
 */
#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

union wide {
	cpu_set_t set;
	unsigned char byte[1024];
};

int task_start(pid_t pid, pid_t tid, uint64_t *ticks)
{
	char path[64], text[1024], *at, *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n <= 0)
		return n ? (int)n : -ESRCH;
	text[n] = '\0';
	/* The name (field 2) may hold anything: count from its last ')'. */
	at = strrchr(text, ')');
	for (int i = 2; at && i < 22; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EINVAL;
	*ticks = strtoull(at, &end, 10);
	return end != at && *end == ' ' ? 0 : -EINVAL;
}

int task_get_mask(pid_t tid, struct cpumask *m)
{
	union wide wide;

	memset(&wide, 0, sizeof(wide));
	if (sched_getaffinity(tid, sizeof(wide), &wide.set) < 0)
		return -errno;
	memcpy(m, wide.byte, sizeof(*m));
	return 0;
}

int task_set_mask(pid_t tid, const struct cpumask *m)
{
	union wide wide;

	memset(&wide, 0, sizeof(wide));
	memcpy(wide.byte, m, sizeof(*m));
	return sched_setaffinity(tid, sizeof(wide), &wide.set) ? -errno : 0;
}

int task_follow_mask(pid_t tid, const struct cpumask *m)
{
	union wide wide;
	struct cpumask now = { 0 };
	int err;

	memset(&wide, 0xff, sizeof(wide));
	if (sched_setaffinity(tid, sizeof(wide), &wide.set) < 0)
		return -errno;
	err = task_get_mask(tid, &now);
	if (err || cpumask_equal(&now, m))
		return err;
	err = task_set_mask(tid, m);
	if (!err)
		err = task_get_mask(tid, &now);
	if (err)
		return err;
	return cpumask_equal(&now, m) ? 0 : -EBUSY;
}
