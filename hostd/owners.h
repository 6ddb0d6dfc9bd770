/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owners.h - the ownership table: who owns which cpu, who may run where
 *
 * A policy proposes, this table disposes: every line of a plan is checked
 * against what is there, and each vcpu's affinity mask follows from the table
 * alone. Pure data, fixed size; the poll thread owns it.
 *
 * The mask a vcpu must have (docs/overview.md: owner, rider, floor):
 *	latency-critical, owns a cpu	that cpu
 *	latency-critical, owns none	the cpus its VM owns; if none, the floor
 *	best-effort			every managed cpu it is not barred from;
 *					if none, the floor
 * Best-effort vcpus ride below everybody by their group's cpu.idle, so that
 * owning a cpu changes nothing for them. Bars (struct bar in policy.h) stand
 * until another one replaces them; those of all VMs and those of one add up.
 */
#ifndef HOSTD_OWNERS_H
#define HOSTD_OWNERS_H

#include "hl/bounds.h"
#include "hl/cpumask.h"
#include "policy/policy.h"

struct owners_vm {
	bool present;
	uint8_t class; /* enum vm_class */
	uint16_t first_vcpu, vcpu_cnt;
	uint16_t cnt;		 /* cpus owned */
	struct cpumask own;	 /* the same, as a set */
	struct cpumask barred;	 /* best-effort: it does not ride on these */
	bool touched;		 /* during owners_apply() only */
	struct cpumask was;	 /* own, before the plan */
	struct cpumask was_ride; /* best-effort: its mask, before the plan */
};

struct owners {
	struct cpumask managed, floor;
	struct cpumask moved;  /* owners changed since a reader emptied it */
	struct cpumask barred; /* no best-effort VM rides on these */
	uint16_t cpu_owner[CPU_MAX]; /* vcpu, or VCPU_NONE */
	uint16_t vcpu_cpu[VCPU_MAX]; /* cpu, or CPU_NONE */
	uint16_t vcpu_was[VCPU_MAX]; /* vcpu_cpu, before the plan */
	uint16_t vcpu_vm[VCPU_MAX];  /* VM whose slot it is, or VM_NONE */
	struct owners_vm vm[VM_MAX];
	uint16_t touched_cnt;
	uint16_t touched[VM_MAX]; /* VMs a plan changed */
};

/* Vcpus whose mask is another one now, each once. */
struct owners_changed {
	uint16_t count;
	uint16_t vcpu[VCPU_MAX];
};

/* owners_init() - Nobody there, nobody owns anything. */
void owners_init(struct owners *o, const struct cpumask *managed,
		 const struct cpumask *floor);

/*
 * owners_set() - Other cpus are managed from now on, or another floor
 *
 * Cpus no longer managed lose their owner. Any vcpu's mask may have changed:
 * ask for all of them.
 */
void owners_set(struct owners *o, const struct cpumask *managed,
		const struct cpumask *floor);

/* owners_clear() - Nobody owns anything or is barred; VMs stay. */
void owners_clear(struct owners *o);

/* owners_bars_clear() - Nobody is barred: another policy decides from now on.
 * Any best-effort vcpu's mask may have changed: ask for all of them. */
void owners_bars_clear(struct owners *o);

/*
 * owners_vm_set() - A VM is there, with these vcpu slots
 *
 * Again for a VM that is there already: with another class or other slots it
 * starts anew, owning nothing, but barred as it was unless the class is another
 * one; with the same nothing changes.
 * Return: 0, or -EINVAL for slots out of range or in use by another VM (the VM
 * is then not there).
 */
int owners_vm_set(struct owners *o, uint16_t vm, uint8_t class,
		  uint16_t first_vcpu, uint16_t vcpu_cnt);

/* owners_vm_del() - A VM is gone; its cpus are free. */
void owners_vm_del(struct owners *o, uint16_t vm);

/*
 * owners_apply() - Carry out a plan, line by line
 * @s: the snapshot it was made from; says which vcpus are plugged, and limits
 * @changed: out: the vcpus whose masks are different now
 *
 * A line is refused, and nothing of it done, when the cpu is not managed or
 * stood in the plan before, the vcpu is not there, or its VM would own more
 * than cpus_max. Giving a cpu to nobody is refused only for a cpu >= CPU_MAX
 * or one that stood in the plan before. A vcpu that owns another cpu leaves it
 * free. An owner that is no longer plugged loses a cpu the plan names even
 * where the line is refused. A bar is refused for a VM that is not there, not
 * best-effort, or stood in a bar of the plan before. Cost: the plan's lines
 * plus the vcpus of the VMs they touch; a bar of all touches every best-effort
 * VM.
 *
 * Return: how many lines were refused.
 */
unsigned owners_apply(struct owners *o, const struct snapshot *s,
		      const struct plan *p, struct owners_changed *changed);

/* owners_mask() - The affinity @vcpu must have; empty when it is not there. */
struct cpumask owners_mask(const struct owners *o, uint16_t vcpu);

/* owners_barred() - Cpus best-effort VM @vm is barred from, by itself or with
 * all others. */
struct cpumask owners_barred(const struct owners *o, uint16_t vm);

/* owners_bar_stands() - Does the table say what @b says, or was it refused? */
bool owners_bar_stands(const struct owners *o, const struct bar *b);

/* owners_of_cpu() - Return: the vcpu that owns @cpu, or VCPU_NONE. */
uint16_t owners_of_cpu(const struct owners *o, uint16_t cpu);

/* owners_of_vm() - Return: how many cpus @vm owns. */
uint16_t owners_of_vm(const struct owners *o, uint16_t vm);

#endif
