// SPDX-License-Identifier: Apache-2.0
/*
 * snapshot.c - what is derived in a snapshot, kept true
 *
 * reckon() is the one place that says which of the sets of VMs a VM is in, and
 * own() the one that changes an owner; snapshot_index() does it for all.
 */
#include "snapshot.h"

static uint16_t lesser(uint16_t a, uint16_t b)
{
	return a < b ? a : b;
}

static bool is_lc(const struct vm_view *v)
{
	return v->present && v->class == VM_CLASS_LATENCY_CRITICAL;
}

/* reckon() - Which sets @vm is in, by what it owns now. */
static void reckon(struct snapshot *s, uint16_t vm)
{
	const struct vm_view *v = &s->vm[vm];
	bool grows = v->owned < v->cpus_max && v->owned < v->vcpu_cnt;

	vmset_put(&s->below, vm, v->owned < v->due);
	vmset_put(&s->rich, vm, v->owned > v->due);
	vmset_put(&s->above, vm, v->owned > v->cpus_max);
	vmset_put(&s->elastic, vm,
		  is_lc(v) && (grows || v->owned > v->cpus_min));
}

/* leave_alone() - Note for the cpu @cpu is the sibling of: is it alone? */
static void leave_alone(struct snapshot *s, uint16_t cpu, bool alone)
{
	uint16_t beside = s->cpu[cpu].beside;

	if (alone)
		cpumask_set(&s->alone, beside); /* CPU_NONE: none is set */
	else
		cpumask_clear(&s->alone, beside);
}

/* own() - @vcpu, which owns nothing, has @cpu, which nobody owns. */
static void own(struct snapshot *s, uint16_t cpu, uint16_t vcpu)
{
	uint16_t vm = snapshot_vm(s, vcpu);

	s->cpu[cpu].owner = vcpu;
	if (vcpu == VCPU_NONE)
		return;
	if (vm == VM_NONE || !s->cpu[cpu].managed ||
	    s->vcpu[vcpu].cpu != CPU_NONE) {
		cpumask_set(&s->gone, cpu);
		return;
	}
	s->vcpu[vcpu].cpu = cpu;
	s->vm[vm].owned++;
	cpumask_clear(&s->free, cpu);
	leave_alone(s, cpu, false);
}

/* disown() - Nobody owns @cpu. */
static void disown(struct snapshot *s, uint16_t cpu)
{
	uint16_t vcpu = snapshot_owner(s, cpu), vm;

	s->cpu[cpu].owner = VCPU_NONE;
	s->cpu[cpu].since_ns = s->now_ns;
	cpumask_clear(&s->gone, cpu);
	if (vcpu == VCPU_NONE)
		return;
	vm = s->vcpu[vcpu].vm;
	s->vcpu[vcpu].cpu = CPU_NONE;
	s->vm[vm].owned--;
	cpumask_set(&s->free, cpu);
	leave_alone(s, cpu, true);
	reckon(s, vm);
	snapshot_mark(s, vm);
}

void snapshot_own(struct snapshot *s, uint16_t cpu, uint16_t vcpu)
{
	uint16_t vm = snapshot_vm(s, vcpu);

	disown(s, cpu);
	if (vm != VM_NONE && s->vcpu[vcpu].cpu != CPU_NONE)
		disown(s, s->vcpu[vcpu].cpu);
	own(s, cpu, vcpu);
	if (vm == VM_NONE)
		return;
	reckon(s, vm);
	snapshot_mark(s, vm);
}

/* --- from scratch -------------------------------------------------------- */

static void index_topology(struct snapshot *s)
{
	for (unsigned i = 0; i < CPU_MAX; i++)
		s->llc[i] = (struct cpumask){ 0 };
	for (unsigned i = 0; i < NODE_MAX; i++)
		s->node_cpus[i] = (struct cpumask){ 0 };
	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++)
		s->cpu[cpu].beside = CPU_NONE;
	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++) {
		const struct cpu_view *c = &s->cpu[cpu];

		if (c->llc < CPU_MAX)
			cpumask_set(&s->llc[c->llc], cpu);
		if (c->node < NODE_MAX)
			cpumask_set(&s->node_cpus[c->node], cpu);
		if (c->sibling < s->cpu_cnt)
			s->cpu[c->sibling].beside = cpu;
	}
}

static void index_vms(struct snapshot *s)
{
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		struct vm_view *v = &s->vm[vm];

		v->owned = v->plugged = 0;
		for (unsigned i = v->first_vcpu; i < snapshot_vcpus_end(s, vm);
		     i++)
			v->plugged += s->vcpu[i].vm == vm;
	}
}

static void index_owners(struct snapshot *s)
{
	s->managed = s->free = s->gone = s->alone = (struct cpumask){ 0 };
	for (unsigned i = 0; i < s->vcpu_cnt; i++)
		s->vcpu[i].cpu = CPU_NONE;
	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++) {
		if (s->cpu[cpu].managed) {
			cpumask_set(&s->managed, cpu);
			cpumask_set(&s->free, cpu);
		}
		own(s, cpu, s->cpu[cpu].owner);
	}
	/* said of each cpu itself: siblings need not be mutual */
	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++) {
		uint16_t sibling = s->cpu[cpu].sibling;

		if (sibling >= s->cpu_cnt ||
		    snapshot_owner(s, sibling) == VCPU_NONE)
			cpumask_set(&s->alone, cpu);
		else
			cpumask_clear(&s->alone, cpu);
	}
}

static void index_limits(struct snapshot *s)
{
	uint16_t left = (uint16_t)cpumask_count(&s->managed);

	s->below = s->rich = s->above = s->elastic = (struct vmset){ 0 };
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		struct vm_view *v = &s->vm[vm];

		v->due = is_lc(v) ? lesser(v->cpus_min, v->cpus_max) : 0;
		v->due = lesser(lesser(v->due, v->plugged), left);
		left -= v->due;
		if (v->present)
			reckon(s, vm);
	}
}

void snapshot_index(struct snapshot *s)
{
	index_topology(s);
	index_vms(s);
	index_owners(s);
	index_limits(s);
}

/* --- what changed -------------------------------------------------------- */

void snapshot_mark_all(struct snapshot *s)
{
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++)
		snapshot_mark(s, vm);
}

/* list_word() - The VMs of a word of marks. Return: how many are listed now. */
static unsigned list_word(struct snapshot *s, unsigned word, unsigned cnt)
{
	uint64_t bits = s->marked.word[word];

	s->marked.word[word] = 0;
	for (; bits; bits &= bits - 1) {
		unsigned vm = word * 64 + (unsigned)__builtin_ctzll(bits);

		if (vm < s->vm_cnt)
			s->changed[cnt++] = (uint16_t)vm;
	}
	return cnt;
}

void snapshot_list(struct snapshot *s)
{
	unsigned cnt = 0;

	for (uint64_t tops = s->marked.all; tops; tops &= tops - 1) {
		unsigned i = (unsigned)__builtin_ctzll(tops);
		uint64_t words = s->marked.top[i];

		s->marked.top[i] = 0;
		for (; words; words &= words - 1)
			cnt = list_word(
			    s, i * 64 + (unsigned)__builtin_ctzll(words), cnt);
	}
	s->marked.all = 0;
	s->changed_cnt = (uint16_t)cnt;
}
