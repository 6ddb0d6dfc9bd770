/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h - what is derived in a snapshot, kept true
 *
 * A snapshot says who owns what in one place, cpu_view.owner. Everything marked
 * derived in policy.h follows from that, from what is configured (managed,
 * topology, class, limits, slots) and from nothing else. Who fills a
 * snapshot calls snapshot_index() after he changed something configured, and
 * snapshot_own() for every cpu that changes hands; the latter is all that a
 * decision costs.
 *
 * `due` is what a latency-critical VM may insist on: its cpus_min, but not more
 * than its cpus_max, than it has vcpus, or than is left: where more is
 * guaranteed than managed, lower slots come first and the last go without.
 *
 * Pure; the thread that owns the snapshot.
 */
#ifndef HOSTD_POLICY_SNAPSHOT_H
#define HOSTD_POLICY_SNAPSHOT_H

#include "policy.h"

/*
 * snapshot_index() - Work out all that is derived
 *
 * Tables may contradict each other: an owner that is no vcpu of a VM that is
 * there, or owns a lower cpu already, is gone. O(cpus + VMs + vcpus).
 */
void snapshot_index(struct snapshot *s);

/*
 * snapshot_own() - @vcpu (VCPU_NONE: nobody) owns @cpu from now_ns on
 *
 * Its former owner owns nothing then, and what @vcpu owned before is nobody's.
 * Both VMs are marked. O(1), but for the fields that index() must have set.
 */
void snapshot_own(struct snapshot *s, uint16_t cpu, uint16_t vcpu);

/* snapshot_mark() - Something of @vm may be different in the next decision. */
static inline void snapshot_mark(struct snapshot *s, uint16_t vm)
{
	vmset_add(&s->marked, vm);
}

/* snapshot_mark_all() - The same of every VM. */
void snapshot_mark_all(struct snapshot *s);

/* snapshot_list() - Make changed[] of what was marked, in rising order; the
 * marks are gone then. */
void snapshot_list(struct snapshot *s);

/* snapshot_vm() - The VM @vcpu belongs to; VM_NONE when either is not there. */
static inline uint16_t snapshot_vm(const struct snapshot *s, uint16_t vcpu)
{
	const struct vm_view *v;
	uint16_t vm;

	if (vcpu >= s->vcpu_cnt)
		return VM_NONE;
	vm = s->vcpu[vcpu].vm;
	if (vm >= s->vm_cnt || !s->vm[vm].present)
		return VM_NONE;
	v = &s->vm[vm];
	if (vcpu < v->first_vcpu || vcpu - v->first_vcpu >= v->vcpu_cnt)
		return VM_NONE;
	return vm;
}

/* snapshot_vcpus_end() - One behind @vm's last vcpu, cut to what exists. */
static inline unsigned snapshot_vcpus_end(const struct snapshot *s, uint16_t vm)
{
	unsigned end = s->vm[vm].first_vcpu + (unsigned)s->vm[vm].vcpu_cnt;

	return end < s->vcpu_cnt ? end : s->vcpu_cnt;
}

/* snapshot_owner() - Who owns @cpu (< cpu_cnt) and may; VCPU_NONE for a cpu of
 * nobody, of who is gone, or one that is not managed. */
static inline uint16_t snapshot_owner(const struct snapshot *s, uint16_t cpu)
{
	return cpumask_has(&s->gone, cpu) ? VCPU_NONE : s->cpu[cpu].owner;
}

#endif
