// SPDX-License-Identifier: Apache-2.0
/*
 * model_caladan_ias.c - Caladan's two controllers of interference, for VMs
 *
 * SMT siblings (its ias_ht.c): a thread that works on one request for longer
 * than its budget, on a cpu reserved for it, gets the sibling cleared. A VM's
 * requests are not seen; how long the vcpu has run without a pause stands for
 * it. Budgets published with it are 25 us (Silo) to 100 us (the sample
 * configuration); 40 us here. When the vcpu rests, the sibling is free again.
 *
 * Memory bandwidth (ias_bw.c): over the limit, the best-effort VM that moves
 * most per cpu may use one cpu less; under it, the most limited one more; so
 * once a decision, every 10 us, or as often as there are new figures. Its limit
 * of 25 GB/s is for its authors' box; here it is 80 % of what a node can bear.
 * It samples misses on each cpu; here the meter says what each VM moves.
 *
 * In Caladan a best-effort program owns its cpus and loses one. Here it rides
 * on any, so it is barred from all but so many, unowned ones first.
 *
 * Better than Caladan: it counts bandwidth of one socket only, and not at all
 * on a virtual machine; a cleared sibling is not charged to the VM it is
 * cleared for.
 */
#include "hl/sensor.h"
#include "model_caladan.h"

#define HT_PUNISH_NS 40000ull
#define BW_PERCENT   80

/* budget_used() - Has a vcpu on its VM's reserved @cpu run for too long? */
static bool budget_used(const struct caladan_state *st,
			const struct snapshot *s, uint16_t cpu)
{
	uint16_t vcpu = s->cpu[cpu].owner;
	const struct vcpu_view *v = &s->vcpu[vcpu < VCPU_MAX ? vcpu : 0];

	return vcpu < s->vcpu_cnt && st->reserved[cpu] == v->vm &&
	       v->vm != VM_NONE && v->run == VCPU_RUN_RUNNING &&
	       v->since_ns <= s->now_ns &&
	       s->now_ns - v->since_ns >= HT_PUNISH_NS;
}

static void clear_siblings(struct caladan_state *st, const struct snapshot *s,
			   struct plan *p)
{
	struct cpumask beside = { 0 };
	uint16_t sibling;

	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++) {
		sibling = s->cpu[cpu].sibling;
		if (sibling < s->cpu_cnt && budget_used(st, s, cpu))
			cpumask_set(&beside, sibling);
	}
	if (cpumask_equal(&beside, &st->beside) || p->bar_cnt >= BAR_MAX)
		return;
	st->beside = beside;
	p->bar[p->bar_cnt++] = (struct bar){ .vm = VM_NONE,
					     .reason = REASON_SIBLING,
					     .cpus = beside };
}

/* limit_say() - Bar @vm from all but st->limit[] cpus, the last ones that
 * nobody owns if there are so many. */
static void limit_say(const struct caladan_state *st, const struct snapshot *s,
		      struct plan *p, uint16_t vm, enum reason why)
{
	struct bar bar = { .vm = vm, .reason = (uint16_t)why };
	unsigned left = st->limit[vm];

	for (uint16_t cpu = 0; cpu < s->cpu_cnt && st->limit[vm]; cpu++)
		if (s->cpu[cpu].managed)
			cpumask_set(&bar.cpus, cpu);
	for (int owned = 0; owned < 2; owned++) {
		for (uint16_t cpu = s->cpu_cnt; cpu-- > 0 && left;) {
			if ((s->cpu[cpu].owner != VCPU_NONE) != owned ||
			    !cpumask_has(&bar.cpus, cpu))
				continue;
			cpumask_clear(&bar.cpus, cpu);
			left--;
		}
	}
	p->bar[p->bar_cnt++] = bar;
}

/* is_news() - Do the meters say something about after the last step? */
static bool is_news(const struct caladan_state *st, const struct snapshot *s)
{
	for (uint16_t i = 0; i < s->node_cnt; i++)
		if (s->node[i].metered && s->node[i].since_ns > st->limited_ns)
			return true;
	return false;
}

static bool is_over(const struct snapshot *s)
{
	for (uint16_t i = 0; i < s->node_cnt; i++) {
		const struct node_view *n = &s->node[i];

		if (n->metered && n->mem_max_bytes_s &&
		    n->mem_bytes_s > n->mem_max_bytes_s / 100 * BW_PERCENT)
			return true;
	}
	return false;
}

static uint16_t cpus_used(const struct caladan_state *st,
			  const struct vm_view *v, uint16_t vm)
{
	uint16_t limit = st->limit[vm];

	return limit && limit < v->vcpu_cnt ? limit : v->vcpu_cnt;
}

/* hungriest() - The best-effort VM that moves most per cpu, or VM_NONE. */
static uint16_t hungriest(const struct caladan_state *st,
			  const struct snapshot *s)
{
	uint16_t best = VM_NONE;
	uint64_t most = 0, each;

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		const struct vm_view *v = &s->vm[vm];
		uint16_t cpus = cpus_used(st, v, vm);

		if (!v->present || v->class != VM_CLASS_BEST_EFFORT ||
		    cpus <= 1)
			continue;
		each = v->mem_bytes_s / cpus;
		if (each > most) {
			best = vm;
			most = each;
		}
	}
	return best;
}

/* limited() - The limited VM with the highest limit, or VM_NONE. */
static uint16_t limited(const struct caladan_state *st,
			const struct snapshot *s)
{
	uint16_t best = VM_NONE;

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++)
		if (s->vm[vm].present && st->limit[vm] &&
		    (best == VM_NONE || st->limit[vm] > st->limit[best]))
			best = vm;
	return best;
}

static void limit_bandwidth(struct caladan_state *st, const struct snapshot *s,
			    struct plan *p)
{
	bool over = is_over(s);
	uint16_t vm;

	if (!is_news(st, s))
		return;
	vm = over ? hungriest(st, s) : limited(st, s);
	if (vm == VM_NONE || p->bar_cnt >= BAR_MAX)
		return;
	st->limited_ns = s->now_ns;
	if (over) {
		st->limit[vm] = cpus_used(st, &s->vm[vm], vm) - 1;
	} else if (++st->limit[vm] >= s->vm[vm].vcpu_cnt) {
		st->limit[vm] = 0;
	}
	limit_say(st, s, p, vm, over ? REASON_BANDWIDTH : REASON_RELIEF);
}

void caladan_bar(struct caladan_state *st, const struct snapshot *s,
		 struct plan *p)
{
	clear_siblings(st, s, p);
	limit_bandwidth(st, s, p);
}
