// SPDX-License-Identifier: Apache-2.0
/*
 * policy_rules.c - what must hold after any plan of any policy
 *
 * Deliberately slow and simple, and sharing nothing with the policies.
 */
#include <stdint.h>
#include <string.h>

#include "policy_rules.h"

static const struct snapshot *snap;
static uint16_t owner[CPU_MAX]; /* after the plan */

/* The VM @vcpu really belongs to, or VM_NONE. */
static uint16_t vm_of(unsigned vcpu)
{
	unsigned vm;

	if (vcpu >= snap->vcpu_cnt)
		return VM_NONE;
	vm = snap->vcpu[vcpu].vm;
	if (vm >= snap->vm_cnt || !snap->vm[vm].present)
		return VM_NONE;
	if (vcpu < snap->vm[vm].first_vcpu ||
	    vcpu >= snap->vm[vm].first_vcpu + (unsigned)snap->vm[vm].vcpu_cnt)
		return VM_NONE;
	return (uint16_t)vm;
}

static const char *check_lines(const struct plan *p)
{
	static bool seen[CPU_MAX];

	memset(seen, 0, sizeof(seen));
	if (p->count > CPU_MAX)
		return "a plan is bounded";
	for (unsigned i = 0; i < p->count; i++) {
		const struct grant *g = &p->grant[i];

		if (g->cpu >= snap->cpu_cnt)
			return "a line names a cpu there is";
		if (seen[g->cpu])
			return "a cpu stands in a plan once";
		seen[g->cpu] = true;
		if (g->reason == REASON_NONE || g->reason >= REASON_NUM)
			return "every line has a reason";
		owner[g->cpu] = g->vcpu;
		if (g->vcpu == VCPU_NONE)
			continue;
		if (!snap->cpu[g->cpu].managed)
			return "only managed cpus are given";
		if (vm_of(g->vcpu) == VM_NONE)
			return "only plugged vcpus of present VMs get cpus";
		if (snap->vm[vm_of(g->vcpu)].class != VM_CLASS_LATENCY_CRITICAL)
			return "only latency-critical VMs are given cpus";
	}
	return NULL;
}

static unsigned owned_by(unsigned vm)
{
	unsigned cnt = 0;

	for (unsigned cpu = 0; cpu < snap->cpu_cnt; cpu++)
		cnt += owner[cpu] != VCPU_NONE && vm_of(owner[cpu]) == vm;
	return cnt;
}

static const char *check_owners(void)
{
	for (unsigned cpu = 0; cpu < snap->cpu_cnt; cpu++) {
		if (owner[cpu] == VCPU_NONE)
			continue;
		if (!snap->cpu[cpu].managed)
			return "unmanaged cpus have no owner";
		if (vm_of(owner[cpu]) == VM_NONE)
			return "what is gone owns nothing";
		for (unsigned other = 0; other < cpu; other++)
			if (owner[other] == owner[cpu])
				return "a vcpu owns one cpu at most";
	}
	return NULL;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static const char *check_limits(void)
{
	unsigned left = 0, due;

	for (unsigned cpu = 0; cpu < snap->cpu_cnt; cpu++)
		left += snap->cpu[cpu].managed;
	for (unsigned vm = 0; vm < snap->vm_cnt; vm++) {
		const struct vm_view *v = &snap->vm[vm];
		unsigned plugged = 0;

		if (!v->present)
			continue;
		if (owned_by(vm) > v->cpus_max)
			return "no VM owns more than its maximum";
		if (v->class != VM_CLASS_LATENCY_CRITICAL)
			continue;
		for (unsigned vcpu = 0; vcpu < snap->vcpu_cnt; vcpu++)
			plugged += vm_of(vcpu) == vm;
		due = least(v->cpus_min, v->cpus_max);
		due = least(least(due, plugged), left);
		if (owned_by(vm) < due)
			return "a VM owns its minimum, in slot order";
		left -= due;
	}
	return NULL;
}

/* bar_leaves() - Is a managed cpu left to those @b is about? */
static bool bar_leaves(const struct bar *b)
{
	bool any = false;

	for (unsigned cpu = 0; cpu < snap->cpu_cnt; cpu++) {
		if (snap->cpu[cpu].managed && !cpumask_has(&b->cpus, cpu))
			return true;
		any |= snap->cpu[cpu].managed;
	}
	return !any;
}

static const char *check_bars(const struct plan *p)
{
	if (p->bar_cnt > BAR_MAX)
		return "bars are bounded";
	for (unsigned i = 0; i < p->bar_cnt; i++) {
		const struct bar *b = &p->bar[i];

		for (unsigned j = 0; j < i; j++)
			if (p->bar[j].vm == b->vm)
				return "a VM stands in the bars once";
		if (b->reason == REASON_NONE || b->reason >= REASON_NUM)
			return "every bar has a reason";
		if (b->vm != VM_NONE &&
		    (b->vm >= snap->vm_cnt || !snap->vm[b->vm].present ||
		     snap->vm[b->vm].class != VM_CLASS_BEST_EFFORT))
			return "only best-effort VMs there are are barred";
		if (!bar_leaves(b))
			return "a bar leaves a cpu to ride on";
	}
	return NULL;
}

const char *rules_broken(const struct policy_ops *ops, const struct snapshot *s,
			 const struct plan *p)
{
	const char *rule;

	snap = s;
	if (ops == &policy_none)
		return p->count || p->bar_cnt ? "none plans nothing" : NULL;
	for (unsigned cpu = 0; cpu < s->cpu_cnt; cpu++)
		owner[cpu] = s->cpu[cpu].owner;
	rule = check_lines(p);
	if (!rule)
		rule = check_owners();
	if (!rule)
		rule = check_limits();
	if (!rule)
		rule = check_bars(p);
	return rule;
}
