// SPDX-License-Identifier: Apache-2.0
/*
 * meter_perf.c - memory traffic by the last-level cache misses of vcpu threads
 *
 * Each vcpu thread has a counter of the processor's "cache misses" event, which
 * perf_event_open(2) makes follow the thread, guest and host mode alike; a miss
 * fetches a line of 64 bytes. What it does not see: lines written back,
 * prefetched on some processors, moved by devices, and other processes. So it
 * orders VMs by their traffic well and says how much with a factor of about
 * two; limits should be found by trial with the same meter.
 *
 * More events than the processor has counters take turns: the kernel says for
 * how long each one counted, and the number is scaled by that.
 *
 * A virtual machine often has no such event: -ENOENT at start.
 */
#include "meter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/perf_event.h>

#define LINE_BYTES 64

struct vm {
	uint16_t cnt;
	uint64_t gone_bytes; /* of threads that are not counted any more */
	int *fd;	     /* [cnt]; -1: that thread is not counted */
};

struct meter {
	struct vm vm[VM_MAX];
};

static int counter(pid_t tid)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_CACHE_MISSES,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED |
			       PERF_FORMAT_TOTAL_TIME_RUNNING,
	};
	long fd = syscall(SYS_perf_event_open, &attr, tid, -1, -1,
			  PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static uint64_t read_bytes(int fd)
{
	uint64_t v[3]; /* count, time enabled, time running */

	if (fd < 0 || read(fd, v, sizeof(v)) != sizeof(v) || !v[2])
		return 0;
	return (uint64_t)((double)v[0] * (double)v[1] / (double)v[2]) *
	       LINE_BYTES;
}

static int perf_open(struct meter **out, const struct meter_conf *c)
{
	int fd = counter(0); /* this thread: is there such a counter? */

	(void)c;
	if (fd < 0)
		return fd;
	close(fd);
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static void forget(struct vm *v)
{
	for (unsigned i = 0; i < v->cnt; i++) {
		if (v->fd[i] < 0)
			continue;
		v->gone_bytes += read_bytes(v->fd[i]);
		close(v->fd[i]);
	}
	free(v->fd);
	v->fd = NULL;
	v->cnt = 0;
}

static int perf_watch(struct meter *m, const struct act_vm *vm)
{
	struct vm *v = &m->vm[vm->vm];
	int err = 0;

	forget(v);
	if (!vm->vcpu_cnt) {
		v->gone_bytes = 0;
		return 0;
	}
	v->fd = calloc(vm->vcpu_cnt, sizeof(v->fd[0]));
	if (!v->fd)
		return -ENOMEM;
	v->cnt = vm->vcpu_cnt;
	for (unsigned i = 0; i < v->cnt; i++) {
		v->fd[i] = vm->tid[i] ? counter(vm->tid[i]) : -1;
		if (v->fd[i] < 0 && vm->tid[i])
			err = v->fd[i];
	}
	return err;
}

static void perf_read(struct meter *m, uint64_t now_ns, struct meter_sample *s)
{
	(void)now_ns;
	for (unsigned vm = 0; vm < VM_MAX; vm++) {
		const struct vm *v = &m->vm[vm];

		if (!v->cnt)
			continue;
		s->vm[vm].there = true;
		s->vm[vm].bytes = v->gone_bytes;
		for (unsigned i = 0; i < v->cnt; i++)
			s->vm[vm].bytes += read_bytes(v->fd[i]);
	}
}

static void perf_close(struct meter *m)
{
	for (unsigned i = 0; i < VM_MAX; i++)
		forget(&m->vm[i]);
	free(m);
}

const struct meter_ops meter_perf = {
	.name = "perf",
	.open = perf_open,
	.watch = perf_watch,
	.read = perf_read,
	.close = perf_close,
};
