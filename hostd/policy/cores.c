// SPDX-License-Identifier: Apache-2.0
/*
 * cores.c - whole cores for latency-critical VMs
 *
 * Of two threads that were both in use the one with the higher number is
 * barred: the other one is left to harvesters, so that none is ever without a
 * place. Cores of more threads than two are looked at as the pairs that
 * cpu_view.sibling names.
 */
#include "cores.h"

/* in_use() - Does a latency-critical VM own @cpu, or did somebody lately? Only
 * such VMs own any. */
static bool in_use(const struct snapshot *s, uint16_t cpu)
{
	const struct cpu_view *c = &s->cpu[cpu];

	return c->managed &&
	       (c->owner != VCPU_NONE ||
		(c->since_ns && s->now_ns - c->since_ns < CORES_HOLD_NS));
}

void cores_pass(struct cores_state *st, const struct snapshot *s,
		struct plan *p)
{
	struct cpumask off = { 0 }, quiet = { 0 };

	uint64_t turn_ns = CORES_TURN_MOVES * s->move_ns;

	if (turn_ns < CORES_TURN_NS)
		turn_ns = CORES_TURN_NS;
	if (st->turned_ns && s->now_ns - st->turned_ns < turn_ns)
		return;
	st->turned_ns = s->now_ns;
	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++) {
		uint16_t next = s->cpu[cpu].sibling;

		if (next >= s->cpu_cnt || next == cpu || !in_use(s, cpu) ||
		    !s->cpu[next].managed || (in_use(s, next) && next < cpu))
			continue;
		cpumask_set(&off, next);
		cpumask_set(&quiet, cpu);
	}
	st->quiet = quiet;
	if (cpumask_equal(&off, &st->off))
		return;
	st->off = off;
	plan_bar(p, VM_NONE, &off,
		 cpumask_empty(&off) ? REASON_RELIEF : REASON_SIBLING);
}
