// SPDX-License-Identifier: Apache-2.0
/*
 * publish.c - the poll thread's tables copied to where operators look
 *
 * Readers (telemetry) take no lock, so every number is written once, as its
 * final value: sums are made in a local first.
 */
#include "publish.h"

#include <string.h>

#include "hl/clock.h"
#include "stat.h"

#define SPREAD 64 /* turns of windows over one window's length */

static uint64_t look_ns; /* when publish() was called last */

/* What was never written to stays memory that nobody needed. */
static void forget(struct hist *h)
{
	if (h->count)
		hist_reset(h);
}

static void forget_signal(struct stat_signal *signal)
{
	forget(&signal->score.hist);
	forget(&signal->before);
	signal->score.done = signal->score.late = 0;
}

static void turn_window(struct stat_signal *signal)
{
	struct hist *now = &signal->score.hist;

	if (!now->count && !signal->before.count)
		return;
	signal->before = *now;
	forget(now);
}

/* The first window is shorter, by another part for each VM: histograms are some
 * KiB, and those of a thousand VMs would take one pass milliseconds. */
static void publish_window(struct stat_vm *st, uint16_t vm, uint64_t now_ns)
{
	if (!st->window_end_ns)
		st->window_end_ns = now_ns + STAT_WINDOW_NS -
				    vm % SPREAD * (STAT_WINDOW_NS / SPREAD);
	if (now_ns < st->window_end_ns)
		return;
	st->window_end_ns = now_ns + STAT_WINDOW_NS;
	st->share_was[1] = st->share_was[0];
	st->share_was[0] = st->share;
	for (unsigned k = 0; k < SLO_SIGNAL_NUM; k++)
		turn_window(&st->signal[k]);
}

/* Cpus in use since the look before, in thousandths; its vcpus may have been
 * replaced meanwhile. */
static uint32_t used_permille(const struct snapshot *s,
			      const struct stat_vm *st, uint64_t ran_ns)
{
	uint64_t past_us = (s->now_ns - look_ns) / NSEC_PER_USEC;

	if (!past_us || ran_ns < st->ran_ns)
		return 0;
	return (uint32_t)((ran_ns - st->ran_ns) / past_us);
}

static void publish_vm(const struct snapshot *s, uint16_t vm)
{
	const struct vm_view *view = &s->vm[vm];
	struct stat_vm *st = &stat_hostd.vm[vm];
	uint64_t ran_ns = 0, waited_ns = 0;

	publish_window(st, vm, s->now_ns);
	for (unsigned i = 0; i < view->vcpu_cnt; i++) {
		uint16_t slot = (uint16_t)(view->first_vcpu + i);

		if (s->vcpu[slot].vm != VM_NONE) {
			ran_ns += vcpu_ran_ns(s, slot);
			waited_ns += vcpu_waited_ns(s, slot);
		}
	}
	st->used_permille = used_permille(s, st, ran_ns);
	st->ran_ns = ran_ns;
	st->waited_ns = waited_ns;
	st->view = *view;
}

static void count_add(struct port_count *sum, const struct port_count *c)
{
	sum->from_frames += c->from_frames;
	sum->from_bytes += c->from_bytes;
	sum->to_frames += c->to_frames;
	sum->to_bytes += c->to_bytes;
	sum->kicks += c->kicks;
	sum->requests_lost += c->requests_lost;
	for (unsigned i = 0; i < DROP_NUM; i++)
		sum->drop[i] += c->drop[i];
}

/* A VM may have several ports, anywhere in the list: sum first, then show. */
static void publish_ports(const struct snapshot *s,
			  const struct port_list *ports)
{
	static struct port_count sum[VM_MAX];
	struct port_count uplink = { 0 };

	memset(sum, 0, s->vm_cnt * sizeof(sum[0]));
	for (unsigned i = 0; i < ports->count; i++) {
		const struct port *p = ports->port[i];

		count_add(p->vm == VM_NONE ? &uplink : &sum[p->vm], &p->count);
	}
	stat_hostd.uplink = uplink;
	for (unsigned i = 0; i < s->vm_cnt; i++) {
		stat_hostd.vm[i].port = sum[i];
		stat_hostd.vm[i].port_up = s->vm[i].has_port;
	}
}

static void publish_cpu(const struct snapshot *s, uint16_t cpu)
{
	struct stat_cpu *st = &stat_hostd.cpu[cpu];
	const struct cpu_view *c = &s->cpu[cpu];
	uint16_t vm = VM_NONE, index = 0;

	if (c->owner != VCPU_NONE) {
		vm = s->vcpu[c->owner].vm;
		if (vm != VM_NONE)
			index = (uint16_t)(c->owner - s->vm[vm].first_vcpu);
	}
	st->managed = c->managed;
	st->since_ns = c->since_ns;
	st->owner_vm = vm;
	st->owner_index = index;
	st->owner = c->owner;
}

void publish(const struct snapshot *s, const struct port_list *ports)
{
	for (unsigned i = 0; i < s->vm_cnt; i++)
		if (s->vm[i].present || stat_hostd.vm[i].view.present)
			publish_vm(s, (uint16_t)i);
	publish_ports(s, ports);
	stat_hostd.node_cnt = s->node_cnt;
	memcpy(stat_hostd.node, s->node, sizeof(stat_hostd.node));
	for (unsigned i = 0; i < s->cpu_cnt; i++)
		publish_cpu(s, (uint16_t)i);
	look_ns = s->now_ns;
}

void publish_vm_reset(uint16_t vm)
{
	struct stat_vm *st = &stat_hostd.vm[vm];

	memset(&st->view, 0, sizeof(st->view));
	memset(&st->port, 0, sizeof(st->port));
	memset(&st->bar, 0, sizeof(st->bar));
	for (unsigned i = 0; i < SLO_SIGNAL_NUM; i++)
		forget_signal(&st->signal[i]);
	st->done = st->late = 0;
	st->port_up = false;
	st->gained = st->lost = st->moves_failed = 0;
	st->ran_ns = st->waited_ns = 0;
	st->window_end_ns = 0;
	st->used_permille = 0;
	memset(&st->share, 0, sizeof(st->share));
	memset(st->share_was, 0, sizeof(st->share_was));
}
