// SPDX-License-Identifier: Apache-2.0
/*
 * better.c - a late VM changes a poor cpu for a better one
 */
#include "better.h"

/* calm() - How far is @cpu from the floor? 0: on it; 1: on one core with it; 2:
 * neither. Many come and go there, though none stays for long. */
static unsigned calm(const struct snapshot *s, uint16_t cpu)
{
	uint16_t sibling = s->cpu[cpu].sibling;

	if (s->cpu[cpu].floor)
		return 0;
	return sibling < s->cpu_cnt && s->cpu[sibling].floor ? 1 : 2;
}

/* quality() - Of @cpu for @vm: what may make it slow there, worst first. */
static unsigned quality(const struct pick *k, uint16_t vm, uint16_t cpu)
{
	const struct snapshot *s = k->s;
	uint16_t home = s->vm[vm].node, node = s->cpu[cpu].node;
	unsigned near = 0;

	if (home < s->node_cnt && home < NODE_MAX && node < NODE_MAX)
		near = UINT8_MAX - s->node[home].distance[node];
	return near << 3 | calm(s, cpu) << 1 | cpumask_has(&k->alone, cpu);
}

/* poorest() - Of the cpus @vm owns and no line has moved; or CPU_NONE. */
static uint16_t poorest(const struct pick *k, uint16_t vm)
{
	const struct snapshot *s = k->s;
	uint16_t worst = CPU_NONE, cpu;

	for (unsigned i = s->vm[vm].first_vcpu; i < snapshot_vcpus_end(s, vm);
	     i++) {
		cpu = pick_held(k, vm, i);
		if (cpu == CPU_NONE)
			continue;
		if (worst == CPU_NONE ||
		    quality(k, vm, cpu) < quality(k, vm, worst))
			worst = cpu;
	}
	return worst;
}

void better_pass(struct pick *k, uint16_t vm)
{
	uint16_t from = poorest(k, vm), to;
	struct cpumask free = k->free;
	unsigned poor;

	if (from == CPU_NONE)
		return;
	poor = quality(k, vm, from);
	cpumask_for_each (cpu, &free)
		if (quality(k, vm, (uint16_t)cpu) <= poor)
			cpumask_clear(&k->free, cpu);
	to = pick_cpu(k, vm, PICK_ANY);
	k->free = free;
	if (to != CPU_NONE)
		pick_change(k, from, to, REASON_BUDGET);
}
