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
 * how long each one counted, and what was added since the reading before is
 * scaled by that. So a sum never shrinks.
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

struct counter {
	int fd; /* -1: that thread is not counted */
	uint64_t count, enabled_ns, running_ns; /* as read last */
};

struct vm {
	uint16_t cnt;
	uint64_t bytes;		 /* of all threads it ever had */
	struct counter *counter; /* [cnt] */
};

struct meter {
	struct vm vm[VM_MAX];
};

static int counter_open(pid_t tid)
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

/* more_bytes() - What was moved since @c was read last. */
static uint64_t more_bytes(struct counter *c)
{
	uint64_t v[3]; /* count, time enabled, time running */
	struct counter was = *c;

	if (c->fd < 0 || read(c->fd, v, sizeof(v)) != sizeof(v))
		return 0;
	if (v[2] <= was.running_ns) /* it had no turn */
		return 0;
	c->count = v[0];
	c->enabled_ns = v[1];
	c->running_ns = v[2];
	return (uint64_t)((double)(v[0] - was.count) *
			  (double)(v[1] - was.enabled_ns) /
			  (double)(v[2] - was.running_ns)) *
	       LINE_BYTES;
}

static int perf_open(struct meter **out, const struct meter_conf *c)
{
	int fd = counter_open(0); /* this thread: is there such a counter? */

	(void)c;
	if (fd < 0)
		return fd;
	close(fd);
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static void add_up(struct vm *v)
{
	for (unsigned i = 0; i < v->cnt; i++)
		v->bytes += more_bytes(&v->counter[i]);
}

static void forget(struct vm *v)
{
	add_up(v);
	for (unsigned i = 0; i < v->cnt; i++)
		if (v->counter[i].fd >= 0)
			close(v->counter[i].fd);
	free(v->counter);
	v->counter = NULL;
	v->cnt = 0;
}

static int perf_watch(struct meter *m, const struct act_vm *vm)
{
	struct vm *v = &m->vm[vm->vm];
	int err = 0;

	forget(v);
	if (!vm->vcpu_cnt) {
		v->bytes = 0;
		return 0;
	}
	v->counter = calloc(vm->vcpu_cnt, sizeof(v->counter[0]));
	if (!v->counter)
		return -ENOMEM;
	v->cnt = vm->vcpu_cnt;
	for (unsigned i = 0; i < v->cnt; i++) {
		int fd = vm->tid[i] ? counter_open(vm->tid[i]) : -1;

		v->counter[i].fd = fd;
		if (fd < 0 && vm->tid[i])
			err = fd;
	}
	return err;
}

static void perf_read(struct meter *m, uint64_t now_ns, struct meter_sample *s)
{
	(void)now_ns;
	for (unsigned vm = 0; vm < VM_MAX; vm++) {
		struct vm *v = &m->vm[vm];

		if (!v->cnt)
			continue;
		add_up(v);
		s->vm[vm].there = true;
		s->vm[vm].bytes = v->bytes;
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
