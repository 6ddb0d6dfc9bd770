// SPDX-License-Identifier: Apache-2.0
/*
 * take.c - the part of pick.h for when cpus are short: whose cpu?
 *
 * Who misses is decided here. Earliest deadline first meets every deadline that
 * can be met (Liu and Layland 1973), but lets who asks for much starve the rest
 * once not all can be met; equal parts starve nobody, and miss the tight ones
 * first. So: by deadlines, within equal parts.
 */
#include "pick.h"

#include "hl/sensor.h"

/* Ranks of victims; within one, more is worse off. */
#define RANK_BITS    60
#define RANK_HARVEST 3ull
#define RANK_IDLE    2ull
#define RANK_RUNS    1ull

/* Deadlines are guesses: those nearer than this part of the asker's SLO are the
 * same, or equals would take from each other for nothing. */
#define MARGIN_SHARE 8

static uint64_t rank(uint64_t kind, uint64_t within)
{
	uint64_t most = (1ull << RANK_BITS) - 1;

	return kind << RANK_BITS | (within < most ? within : most);
}

/* over() - Cpus @vm owns above its minimum, as planned. */
static int over(const struct pick *k, uint16_t vm)
{
	const struct vm_view *v = &k->s->vm[vm];

	return pick_owned(k, vm) - (pick_is_lc(k->s, vm) ? v->cpus_min : 0);
}

/* deadline_ns() - When @vcpu should be through; it has an SLO. */
static uint64_t deadline_ns(const struct snapshot *s, uint16_t vcpu)
{
	const struct vcpu_view *v = &s->vcpu[vcpu];
	uint64_t slo_ns = s->vm[v->vm].slo_ns, from_ns = v->since_ns;

	if (v->run != VCPU_RUN_READY && s->now_ns > slo_ns / 2 &&
	    from_ns < s->now_ns - slo_ns / 2)
		from_ns = s->now_ns - slo_ns / 2;
	return from_ns + slo_ns;
}

/* weight() - Never 0: a snapshot may say anything. */
static int weight(const struct snapshot *s, uint16_t vm)
{
	return s->vm[vm].weight ? s->vm[vm].weight : 1;
}

/* later() - By how much the vcpu that runs on a cpu may wait longer than @vcpu,
 * in ns; 0: not at all. */
static uint64_t later(const struct pick *k, uint16_t owner, uint16_t vcpu)
{
	const struct snapshot *s = k->s;
	uint16_t from = s->vcpu[owner].vm, to = s->vcpu[vcpu].vm;
	uint64_t owner_ns, vcpu_ns;
	int has = over(k, from), wants = over(k, to);

	if (!s->vm[to].slo_ns)
		return has >= wants + 2 ? (uint64_t)has : 0;
	if (has * weight(s, to) < wants * weight(s, from))
		return 0;
	if (!s->vm[from].slo_ns) /* equal parts: he would have it back */
		return has * weight(s, to) > wants * weight(s, from)
			   ? UINT64_MAX
			   : 0;
	owner_ns = deadline_ns(s, owner);
	vcpu_ns = deadline_ns(s, vcpu) + s->vm[to].slo_ns / MARGIN_SHARE;
	return owner_ns > vcpu_ns ? owner_ns - vcpu_ns : 0;
}

/* worth() - How good a victim @cpu is; 0: none. */
static uint64_t worth(const struct pick *k, uint16_t cpu, uint16_t asker,
		      uint16_t vcpu, uint64_t settle_ns)
{
	const struct snapshot *s = k->s;
	uint16_t owner = pick_owner(k, cpu), vm;
	uint64_t by;

	if (owner == VCPU_NONE || cpumask_has(&k->moved, cpu))
		return 0;
	vm = s->vcpu[owner].vm;
	if (vm == asker || over(k, vm) <= 0)
		return 0;
	if (s->now_ns - s->cpu[cpu].since_ns < settle_ns)
		return 0;
	if (!pick_is_lc(s, vm))
		return rank(RANK_HARVEST, (uint64_t)over(k, vm));
	if (pick_halted_ns(s, owner) >= settle_ns)
		return rank(RANK_IDLE, pick_halted_ns(s, owner));
	by = later(k, owner, vcpu);
	return by ? rank(RANK_RUNS, by) : 0;
}

uint16_t pick_take(const struct pick *k, uint16_t asker, uint16_t vcpu,
		   uint64_t settle_ns)
{
	uint64_t best_worth = 0, w;
	uint16_t best = CPU_NONE;

	for (uint16_t cpu = 0; cpu < k->s->cpu_cnt; cpu++) {
		w = worth(k, cpu, asker, vcpu, settle_ns);
		if (w && w >= best_worth) {
			best = cpu;
			best_worth = w;
		}
	}
	return best;
}
