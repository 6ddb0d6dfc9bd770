// SPDX-License-Identifier: Apache-2.0
/*
 * sense.c - ports and vcpu states become one snapshot
 *
 * Three sources: each port's signal (age of the oldest frame its guest has not
 * taken, frames held), each vcpu's sensor slot (running, ready, halted; since
 * when), and the board with what the guests' agents say, which is in bounds
 * already. All are plain memory reads. A vm_view's delay is the worst of its
 * ports, its ready wait the worst of its vcpus.
 *
 * The sensor stamps with the same clock, but on other cpus and after this
 * pass read it: ages are clamped at 0.
 */
#include "sense.h"

#include "hl/clock.h"
#include "policy/snapshot.h"
#include "sense_bpf.h"
#include "sense_slo.h"
#include "stat.h"

/* While something waits the loop looks this often: the resolution of delay. */
#define LOOK_NS (50 * NSEC_PER_USEC)
/* A VM could get a cpu but nothing waits: ready waits are noticed this soon. */
#define CALM_NS NSEC_PER_MSEC
/* No decision could change anything: only frames and messages matter. */
#define STILL_NS (100 * NSEC_PER_MSEC)

static uint64_t age_ns(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

/* What it ran since the last look counts for who owned a cpu in that time. */
static void sense_ran(const struct snapshot *s, uint16_t vcpu)
{
	static uint64_t counted_ns[VCPU_MAX]; /* of each vcpu */
	const struct vcpu_view *v = &s->vcpu[vcpu];
	struct stat_share *share = &stat_hostd.vm[v->vm].share;
	uint64_t ran_ns = vcpu_ran_ns(s, vcpu);

	if (ran_ns > counted_ns[vcpu]) {
		share->ran_ns += ran_ns - counted_ns[vcpu];
		if (v->cpu != CPU_NONE)
			share->owned_ns += ran_ns - counted_ns[vcpu];
	}
	counted_ns[vcpu] = ran_ns;
}

static void sense_vcpu(struct snapshot *snap, struct vcpu_view *v,
		       const struct sense_bpf *bpf, uint16_t slot)
{
	struct sensor_slot s;

	if (!bpf || !sense_bpf_read(bpf, slot, &s))
		return; /* being written: the former values are fresh enough */
	v->run = (uint8_t)s.state;
	v->since_ns = s.since_ns;
	v->last_cpu = s.state == VCPU_RUN_UNKNOWN ? CPU_NONE : (uint16_t)s.cpu;
	v->ran_ns = s.ran_ns;
	v->waited_ns = s.waited_ns;
	sense_ran(snap, slot);
}

static void sense_vm(struct snapshot *s, struct vm_view *vm,
		     const struct sense_bpf *bpf)
{
	vm->ready_ns = 0;
	for (unsigned i = 0; i < vm->vcpu_cnt; i++) {
		uint16_t slot = (uint16_t)(vm->first_vcpu + i);
		struct vcpu_view *v = &s->vcpu[slot];
		uint64_t open_ns;

		if (v->vm == VM_NONE)
			continue;
		sense_vcpu(s, v, bpf, slot);
		if (v->run != VCPU_RUN_READY)
			continue;
		open_ns = age_ns(s->now_ns, v->since_ns);
		if (open_ns > vm->ready_ns)
			vm->ready_ns = open_ns;
	}
}

static void sense_hint(struct snapshot *s, uint16_t vm,
		       const struct agent_board *board)
{
	struct vm_view *view = &s->vm[vm];
	const struct board_hint h = board_hint(board, vm);

	if (!h.valid && !view->hinted)
		return; /* as before: nothing */
	view->hinted = h.valid;
	view->hint_wanted = h.wanted;
	view->hint_wait_ns = h.wait_us * NSEC_PER_USEC;
	for (unsigned i = 0; i < view->vcpu_cnt; i++) {
		uint16_t slot = (uint16_t)(view->first_vcpu + i);

		s->vcpu[slot].hint_runnable =
		    h.valid ? board_runnable(board, slot) : 0;
	}
}

static void sense_port(struct snapshot *s, struct sw *sw, struct port *p)
{
	struct vm_view *vm = &s->vm[p->vm];

	sw_watch(sw, p, s->now_ns, sense_slo_delays(p->vm));
	sense_slo(s, p->vm);
	vm->has_port = vm->has_port || p->signal.up;
	vm->held = (uint16_t)(vm->held + p->signal.held);
	if (p->signal.delay_ns > vm->delay_ns)
		vm->delay_ns = p->signal.delay_ns;
}

void sense_snapshot(struct snapshot *s, struct sw *sw,
		    const struct port_list *ports, const struct sense_bpf *bpf,
		    const struct agent_board *board, uint64_t now_ns)
{
	s->now_ns = now_ns;
	for (unsigned i = 0; i < s->vm_cnt; i++) {
		s->vm[i].delay_ns = 0;
		s->vm[i].held = 0;
		s->vm[i].has_port = false;
	}
	for (unsigned i = 0; i < ports->count; i++)
		if (ports->port[i]->vm != VM_NONE)
			sense_port(s, sw, ports->port[i]);
	for (unsigned i = 0; i < s->vm_cnt; i++) {
		if (!s->vm[i].present)
			continue;
		sense_vm(s, &s->vm[i], bpf);
		if (board)
			sense_hint(s, (uint16_t)i, board);
	}
	snapshot_mark_all(s);
	snapshot_list(s);
}

/* Could this VM be given one cpu more, if it wanted it? */
static bool can_grow(const struct vm_view *vm)
{
	return vm->owned < vm->cpus_max && vm->owned < vm->vcpu_cnt;
}

uint64_t sense_patience_ns(const struct snapshot *s)
{
	uint64_t patience_ns = STILL_NS;

	for (unsigned i = 0; i < s->vm_cnt; i++) {
		const struct vm_view *vm = &s->vm[i];

		if (vm->delay_ns)
			return LOOK_NS;
		if (!vm->present || vm->class != VM_CLASS_LATENCY_CRITICAL)
			continue;
		if (vm->ready_ns && can_grow(vm))
			return LOOK_NS;
		if (can_grow(vm) || vm->owned > vm->cpus_min)
			patience_ns = CALM_NS;
	}
	return patience_ns;
}
