// SPDX-License-Identifier: Apache-2.0
/*
 * home.c - a stage of policies: VMs go back to the node their memory is on
 *
 * Theory of operation. A VM that changed and owns a cpu off its node goes on a
 * list, and leaves it when it owns none. Now and then the next few on the list
 * are looked at: if the free cpu that suits a VM best is nearer to its memory
 * than the farthest one it owns, the vcpu there moves. The VM never owns fewer
 * cpus for that, nor more; nobody else loses one.
 *
 * It does badly where two VMs sit on each other's node and no cpu is free: they
 * stay.
 */
#include "home.h"

/* far() - How far @cpu is from the memory of @vm, in the firmware's units. */
static unsigned far(const struct snapshot *s, uint16_t vm, uint16_t cpu)
{
	uint16_t home = s->vm[vm].node, node = s->cpu[cpu].node;

	if (home >= s->node_cnt || home >= NODE_MAX || node >= NODE_MAX)
		return 0;
	return s->node[home].distance[node];
}

/* farthest() - Of the cpus @vm owns, the one farthest from its memory.
 * @settled: only those that did not change hands just now
 * Return: a cpu off its node, or CPU_NONE. */
static uint16_t farthest(const struct pick *k, uint16_t vm, bool settled)
{
	const struct snapshot *s = k->s;
	unsigned most, dist;
	uint16_t best = CPU_NONE;

	if (!pick_is_lc(s, vm) || s->vm[vm].node >= s->node_cnt ||
	    s->vm[vm].node >= NODE_MAX)
		return CPU_NONE;
	most = s->node[s->vm[vm].node].distance[s->vm[vm].node];
	for (unsigned i = 0; i < s->vm[vm].vcpu_cnt; i++) {
		uint16_t cpu = pick_held(k, vm, s->vm[vm].first_vcpu + i);

		if (cpu == CPU_NONE)
			continue;
		dist = far(s, vm, cpu);
		if (dist <= most ||
		    (settled &&
		     s->now_ns - s->cpu[cpu].since_ns < HOME_STAY_NS))
			continue;
		best = cpu;
		most = dist;
	}
	return best;
}

static void list_changed(struct home_state *st, const struct pick *k)
{
	for (unsigned i = 0; i < k->s->changed_cnt; i++) {
		uint16_t vm = k->s->changed[i];

		if (vm >= k->s->vm_cnt || st->listed[vm] ||
		    farthest(k, vm, false) == CPU_NONE)
			continue;
		st->listed[vm] = true;
		st->away[st->away_cnt++] = vm;
	}
}

static void go_home(struct pick *k, uint16_t vm)
{
	const struct snapshot *s = k->s;
	uint16_t from = farthest(k, vm, true), to;

	if (from == CPU_NONE)
		return;
	to = pick_cpu(k, vm, PICK_ANY);
	if (to == CPU_NONE || far(s, vm, to) >= far(s, vm, from))
		return;
	pick_change(k, from, to, REASON_HOME);
}

void home_pass(struct home_state *st, struct pick *k)
{
	unsigned tries;

	list_changed(st, k);
	if (!st->away_cnt || k->s->now_ns < st->look_ns)
		return;
	st->look_ns = k->s->now_ns + HOME_LOOK_NS;
	tries = st->away_cnt < HOME_TRIES ? st->away_cnt : HOME_TRIES;
	while (tries-- && st->away_cnt) {
		uint16_t at = st->turn++ % st->away_cnt, vm = st->away[at];

		if (vm < k->s->vm_cnt && farthest(k, vm, false) != CPU_NONE) {
			go_home(k, vm);
			continue;
		}
		st->listed[vm] = false;
		st->away[at] = st->away[--st->away_cnt];
	}
}
