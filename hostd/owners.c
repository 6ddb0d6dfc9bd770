// SPDX-License-Identifier: Apache-2.0
/*
 * owners.c - the ownership table
 *
 * Three views of one relation are kept in step by assign() alone: cpu_owner[],
 * vcpu_cpu[] and each VM's set. Masks are not stored but worked out when asked
 * for. While a plan is carried out, the first change to a VM notes what its
 * vcpus had, so that afterwards only masks that really differ are reported,
 * whatever order the lines came in. Bars are kept beside that relation and
 * carried out by the same rule.
 *
 * Poll thread; pure.
 */
#include <errno.h>
#include <string.h>

#include "owners.h"

void owners_init(struct owners *o, const struct cpumask *managed,
		 const struct cpumask *floor)
{
	memset(o, 0, sizeof(*o));
	o->managed = *managed;
	o->floor = *floor;
	for (unsigned i = 0; i < CPU_MAX; i++)
		o->cpu_owner[i] = VCPU_NONE;
	for (unsigned i = 0; i < VCPU_MAX; i++) {
		o->vcpu_cpu[i] = CPU_NONE;
		o->vcpu_vm[i] = VM_NONE;
	}
}

/* barred() - Cpus best-effort VM @v does not ride on. */
static struct cpumask barred(const struct owners *o, const struct owners_vm *v)
{
	return cpumask_or(v->barred, &o->barred);
}

/* ride_mask() - The mask of every vcpu of best-effort VM @v. */
static struct cpumask ride_mask(const struct owners *o,
				const struct owners_vm *v)
{
	struct cpumask off = barred(o, v), m = o->managed;

	for (unsigned i = 0; i < CPUMASK_WORDS; i++)
		m.word[i] &= ~off.word[i];
	return cpumask_empty(&m) ? o->floor : m;
}

/* touch() - Before a VM's first change in a plan: note what it has. */
static void touch(struct owners *o, uint16_t vm)
{
	struct owners_vm *v = &o->vm[vm];

	if (v->touched)
		return;
	v->touched = true;
	v->was = v->own;
	v->was_ride = ride_mask(o, v);
	for (unsigned i = 0; i < v->vcpu_cnt; i++)
		o->vcpu_was[v->first_vcpu + i] = o->vcpu_cpu[v->first_vcpu + i];
	o->touched[o->touched_cnt++] = vm;
}

/* disown() - Nobody owns @cpu. */
static void disown(struct owners *o, uint16_t cpu)
{
	uint16_t vcpu = o->cpu_owner[cpu];
	struct owners_vm *v;

	if (vcpu == VCPU_NONE)
		return;
	touch(o, o->vcpu_vm[vcpu]);
	v = &o->vm[o->vcpu_vm[vcpu]];
	v->cnt--;
	cpumask_clear(&v->own, cpu);
	cpumask_set(&o->moved, cpu);
	o->vcpu_cpu[vcpu] = CPU_NONE;
	o->cpu_owner[cpu] = VCPU_NONE;
}

/* assign() - @vcpu owns @cpu and nothing else. */
static void assign(struct owners *o, uint16_t cpu, uint16_t vcpu)
{
	struct owners_vm *v = &o->vm[o->vcpu_vm[vcpu]];

	disown(o, cpu);
	if (o->vcpu_cpu[vcpu] != CPU_NONE)
		disown(o, o->vcpu_cpu[vcpu]);
	touch(o, o->vcpu_vm[vcpu]);
	v->cnt++;
	cpumask_set(&v->own, cpu);
	cpumask_set(&o->moved, cpu);
	o->vcpu_cpu[vcpu] = cpu;
	o->cpu_owner[cpu] = vcpu;
}

/* settle() - Forget what touch() noted. */
static void settle(struct owners *o)
{
	for (unsigned i = 0; i < o->touched_cnt; i++)
		o->vm[o->touched[i]].touched = false;
	o->touched_cnt = 0;
}

void owners_set(struct owners *o, const struct cpumask *managed,
		const struct cpumask *floor)
{
	o->managed = *managed;
	o->floor = *floor;
	for (uint16_t cpu = 0; cpu < CPU_MAX; cpu++)
		if (!cpumask_has(managed, cpu))
			disown(o, cpu);
	settle(o);
}

void owners_clear(struct owners *o)
{
	for (uint16_t cpu = 0; cpu < CPU_MAX; cpu++)
		disown(o, cpu);
	settle(o);
	owners_bars_clear(o);
}

void owners_bars_clear(struct owners *o)
{
	o->barred = (struct cpumask){ 0 };
	for (unsigned vm = 0; vm < VM_MAX; vm++)
		o->vm[vm].barred = (struct cpumask){ 0 };
}

int owners_vm_set(struct owners *o, uint16_t vm, uint8_t class,
		  uint16_t first_vcpu, uint16_t vcpu_cnt)
{
	struct cpumask barred = { 0 };
	struct owners_vm *v;

	if (vm >= VM_MAX)
		return -EINVAL;
	v = &o->vm[vm];
	if (v->present && v->class == class)
		barred = v->barred; /* a policy says so once */
	if (v->present && v->class == class && v->first_vcpu == first_vcpu &&
	    v->vcpu_cnt == vcpu_cnt)
		return 0;
	owners_vm_del(o, vm);
	if (first_vcpu + (unsigned)vcpu_cnt > VCPU_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < vcpu_cnt; i++)
		if (o->vcpu_vm[first_vcpu + i] != VM_NONE)
			return -EINVAL;
	for (unsigned i = 0; i < vcpu_cnt; i++)
		o->vcpu_vm[first_vcpu + i] = vm;
	*v = (struct owners_vm){ .present = true,
				 .class = class,
				 .first_vcpu = first_vcpu,
				 .vcpu_cnt = vcpu_cnt,
				 .barred = barred };
	return 0;
}

void owners_vm_del(struct owners *o, uint16_t vm)
{
	struct owners_vm *v;

	if (vm >= VM_MAX || !o->vm[vm].present)
		return;
	v = &o->vm[vm];
	for (unsigned i = 0; i < v->vcpu_cnt; i++) {
		unsigned vcpu = v->first_vcpu + i;

		if (o->vcpu_cpu[vcpu] != CPU_NONE)
			disown(o, o->vcpu_cpu[vcpu]);
		o->vcpu_vm[vcpu] = VM_NONE;
	}
	settle(o);
	*v = (struct owners_vm){ 0 };
}

/* plugged() - Is @vcpu there, going by the snapshot too? */
static bool plugged(const struct owners *o, const struct snapshot *s,
		    uint16_t vcpu)
{
	uint16_t vm;

	if (vcpu >= VCPU_MAX || vcpu >= s->vcpu_cnt)
		return false;
	vm = o->vcpu_vm[vcpu];
	return vm != VM_NONE && s->vcpu[vcpu].vm == vm && s->vm[vm].present;
}

/* may_own() - Is the grant of @cpu to @vcpu within every rule? */
static bool may_own(const struct owners *o, const struct snapshot *s,
		    uint16_t cpu, uint16_t vcpu)
{
	uint16_t vm, owner = o->cpu_owner[cpu];
	unsigned after;

	if (!cpumask_has(&o->managed, cpu))
		return false;
	if (!plugged(o, s, vcpu))
		return false;
	vm = o->vcpu_vm[vcpu];
	after = o->vm[vm].cnt + 1u;
	after -= o->vcpu_cpu[vcpu] != CPU_NONE;
	after -= owner != VCPU_NONE && owner != vcpu && o->vcpu_vm[owner] == vm;
	return after <= s->vm[vm].cpus_max;
}

/* mask_for() - Of a latency-critical VM that owns @own: the mask of a vcpu
 * that owns @cpu. */
static struct cpumask mask_for(const struct owners *o,
			       const struct cpumask *own, uint16_t cpu)
{
	struct cpumask m = { 0 };

	if (cpu == CPU_NONE)
		return cpumask_empty(own) ? o->floor : *own;
	cpumask_set(&m, cpu);
	return m;
}

/* bury() - Owners that were unplugged leave the cpus a plan names, before any
 * line is judged: they must not count against their VM's limit. */
static void bury(struct owners *o, const struct snapshot *s,
		 const struct plan *p)
{
	for (unsigned i = 0; i < p->count && i < CPU_MAX; i++) {
		uint16_t cpu = p->grant[i].cpu;

		if (cpu < CPU_MAX && !plugged(o, s, o->cpu_owner[cpu]))
			disown(o, cpu);
	}
}

static bool harvests(const struct owners_vm *v)
{
	return v->present && v->class != VM_CLASS_LATENCY_CRITICAL;
}

/* may_bar() - Is line @i about best-effort VMs no line before it is about? */
static bool may_bar(const struct owners *o, const struct plan *p, unsigned i)
{
	uint16_t vm = p->bar[i].vm;

	for (unsigned j = 0; j < i; j++)
		if (p->bar[j].vm == vm)
			return false;
	return vm == VM_NONE || (vm < VM_MAX && harvests(&o->vm[vm]));
}

/* bar() - Carry out one bar. */
static void bar(struct owners *o, const struct bar *b)
{
	if (b->vm != VM_NONE) {
		touch(o, b->vm);
		o->vm[b->vm].barred = b->cpus;
		return;
	}
	for (uint16_t vm = 0; vm < VM_MAX; vm++)
		if (harvests(&o->vm[vm]))
			touch(o, vm);
	o->barred = b->cpus;
}

/* report() - Which masks of one VM a plan has changed. */
static void report(const struct owners *o, const struct owners_vm *v,
		   struct owners_changed *changed)
{
	struct cpumask now = ride_mask(o, v), was = v->was_ride;

	for (unsigned i = 0; i < v->vcpu_cnt; i++) {
		uint16_t vcpu = (uint16_t)(v->first_vcpu + i);

		if (!harvests(v)) {
			now = mask_for(o, &v->own, o->vcpu_cpu[vcpu]);
			was = mask_for(o, &v->was, o->vcpu_was[vcpu]);
		}
		if (!cpumask_equal(&now, &was))
			changed->vcpu[changed->count++] = vcpu;
	}
}

unsigned owners_apply(struct owners *o, const struct snapshot *s,
		      const struct plan *p, struct owners_changed *changed)
{
	struct cpumask seen = { 0 };
	unsigned refused = 0;

	bury(o, s, p);
	for (unsigned i = 0; i < p->count && i < CPU_MAX; i++) {
		const struct grant *g = &p->grant[i];

		if (g->cpu >= CPU_MAX || cpumask_has(&seen, g->cpu)) {
			refused++;
			continue;
		}
		cpumask_set(&seen, g->cpu);
		if (g->vcpu == VCPU_NONE)
			disown(o, g->cpu);
		else if (may_own(o, s, g->cpu, g->vcpu))
			assign(o, g->cpu, g->vcpu);
		else
			refused++;
	}
	for (unsigned i = 0; i < p->bar_cnt && i < BAR_MAX; i++) {
		if (may_bar(o, p, i))
			bar(o, &p->bar[i]);
		else
			refused++;
	}
	changed->count = 0;
	for (unsigned i = 0; i < o->touched_cnt; i++)
		report(o, &o->vm[o->touched[i]], changed);
	settle(o);
	return refused;
}

struct cpumask owners_mask(const struct owners *o, uint16_t vcpu)
{
	struct cpumask m = { 0 };
	const struct owners_vm *v;

	if (vcpu >= VCPU_MAX || o->vcpu_vm[vcpu] == VM_NONE)
		return m;
	v = &o->vm[o->vcpu_vm[vcpu]];
	if (harvests(v))
		return ride_mask(o, v);
	return mask_for(o, &v->own, o->vcpu_cpu[vcpu]);
}

struct cpumask owners_barred(const struct owners *o, uint16_t vm)
{
	if (vm >= VM_MAX || !harvests(&o->vm[vm]))
		return (struct cpumask){ 0 };
	return barred(o, &o->vm[vm]);
}

bool owners_bar_stands(const struct owners *o, const struct bar *b)
{
	if (b->vm == VM_NONE)
		return cpumask_equal(&o->barred, &b->cpus);
	return b->vm < VM_MAX && harvests(&o->vm[b->vm]) &&
	       cpumask_equal(&o->vm[b->vm].barred, &b->cpus);
}

uint16_t owners_of_cpu(const struct owners *o, uint16_t cpu)
{
	return cpu < CPU_MAX ? o->cpu_owner[cpu] : VCPU_NONE;
}

uint16_t owners_of_vm(const struct owners *o, uint16_t vm)
{
	return vm < VM_MAX ? o->vm[vm].cnt : 0;
}
