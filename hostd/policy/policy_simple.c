// SPDX-License-Identifier: Apache-2.0
/*
 * policy_simple.c - Shenango's rule, for VMs: congested? one more cpu
 *
 * Every decision, a latency-critical VM is congested or it is not. Congested
 * means its oldest frame or its longest ready vcpu has waited SIMPLE_WAIT_NS,
 * or frames are held because its ring is full. A congested VM with a runnable
 * vcpu that owns no cpu gets one free cpu; then the next decision passes it
 * by, for the cpu has to show what it does. A VM above its minimum loses a cpu
 * once the vcpu that owns it has been halted for SIMPLE_IDLE_NS: Shenango's
 * processes park by themselves when idle, and a halt is the nearest thing a
 * guest does. Minimums are met first; bursts beyond them use free cpus only.
 *
 * It does badly where
 *  - targets differ: one threshold for all, the VM's SLO is not looked at;
 *  - load spreads over many vcpus that each wake often: none is ever halted
 *    long enough, so all keep their cpus;
 *  - vcpu states are not known: it then never gives back at all;
 *  - work waits inside the guest: agents are therefore told of no grants;
 *  - cpus are short: lower slots ask first, and nothing balances the shares.
 */
#include "pick.h"

/* Just above what waking one halted vcpu costs on a virtual machine (42 us
 * measured): below that every packet after a pause would look congested. */
#define SIMPLE_WAIT_NS 50000ull

/* Some twenty such wake-ups: a guest between two requests is not idle yet. */
#define SIMPLE_IDLE_NS 1000000ull

struct simple_state {
	bool waking[VM_MAX]; /* got a cpu in the decision before */
};

/* congested() - Return: why @v is, or REASON_NONE. */
static enum reason congested(const struct vm_view *v)
{
	if (v->has_port && v->delay_ns >= SIMPLE_WAIT_NS)
		return REASON_DELAY;
	if (v->ready_ns >= SIMPLE_WAIT_NS)
		return REASON_READY_WAIT;
	if (v->has_port && v->held)
		return REASON_HELD;
	return REASON_NONE;
}

/* park() - Take back the cpus of vcpus that have been halted for a while. */
static void park(struct pick *k)
{
	const struct snapshot *s = k->s;

	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++) {
		uint16_t vcpu = pick_owner(k, cpu);
		uint16_t vm;

		if (vcpu == VCPU_NONE || cpumask_has(&k->moved, cpu))
			continue;
		vm = s->vcpu[vcpu].vm;
		if (pick_owned(k, vm) <= s->vm[vm].cpus_min ||
		    pick_halted_ns(s, vcpu) < SIMPLE_IDLE_NS)
			continue;
		pick_because(k, pick_halted_ns(s, vcpu), SIMPLE_IDLE_NS);
		pick_drop(k, cpu, REASON_GIVE_BACK);
	}
}

/* help() - One free cpu for a congested VM. Return: whether it got one. */
static bool help(struct pick *k, uint16_t vm, enum reason why)
{
	uint16_t cpu;

	if (pick_owned(k, vm) >= k->s->vm[vm].cpus_max)
		return false;
	if (pick_vcpu(k, vm, CPU_NONE, PICK_RUNNABLE) == VCPU_NONE)
		return false;
	cpu = pick_cpu(k, vm, PICK_RUNNABLE);
	if (cpu == CPU_NONE)
		return false;
	pick_because(k, pick_signal_ns(&k->s->vm[vm], why), SIMPLE_WAIT_NS);
	pick_give(k, cpu, pick_vcpu(k, vm, cpu, PICK_RUNNABLE), why);
	return true;
}

static void simple_decide(void *state, const struct snapshot *s, struct plan *p)
{
	struct simple_state *st = state;
	enum reason why;
	struct pick k;

	pick_begin(&k, s, p);
	pick_guarantee(&k);
	pick_trim(&k);
	park(&k);
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		bool waking = st->waking[vm];

		st->waking[vm] = false;
		if (waking || !pick_is_lc(s, vm))
			continue;
		why = congested(&s->vm[vm]);
		if (why != REASON_NONE)
			st->waking[vm] = help(&k, vm, why);
	}
	pick_end(&k);
}

const struct policy_ops policy_simple = {
	.name = "simple",
	.about = "Shenango's rule: a cpu more while congested, less when idle",
	.state_bytes = sizeof(struct simple_state),
	.decide = simple_decide,
};
