// SPDX-License-Identifier: Apache-2.0
/*
 * place.c - which cpu a vcpu that wakes goes to; looking for work
 *
 * As Linux does it. A vcpu that wakes goes back where it ran if nobody of its
 * rank is there, else to a cpu without one that shares its last-level cache, a
 * wholly idle core first; else it queues where it was. A cpu that runs out of
 * work takes a waiting vcpu from its last-level cache's cpus; best-effort ones,
 * which may run anywhere, from everywhere. The rest is done now and then: idle
 * cpus look at the whole host, and long queues give to short ones.
 */
#include "engine.h"

#define SHIFTS 8 /* vcpus moved from cpu to cpu at once, at most */

/* whole_cores() - Of idle cpus, those whose siblings are idle too. Siblings
 * are 2n and 2n + 1. */
static struct cpumask whole_cores(const struct sim *s, struct cpumask m)
{
	if (s->s->smt == 1)
		return m;
	for (unsigned i = 0; i < CPUMASK_WORDS; i++) {
		uint64_t even = s->idle.word[i] & 0x5555555555555555ull;
		uint64_t both = even & s->idle.word[i] >> 1;

		m.word[i] &= both | both << 1;
	}
	return m;
}

/* first_from() - The first cpu of @m at or after @cpu, counted round. */
static unsigned first_from(const struct cpumask *m, unsigned cpu)
{
	unsigned found = cpumask_next(m, cpu);

	return found != CPU_NONE ? found : cpumask_next(m, 0);
}

/* free_in() - A cpu in @where that @v would have at once; or CPU_NONE. */
static unsigned free_in(const struct sim *s, const struct vcpu *v,
			struct cpumask where)
{
	unsigned from = v->cpu != CPU_NONE ? v->cpu : 0, cpu;
	struct cpumask m, whole;

	where = cpumask_and(where, &v->mask);
	m = cpumask_and(where, &s->idle);
	whole = whole_cores(s, m);
	cpu = first_from(&whole, from);
	if (cpu == CPU_NONE)
		cpu = first_from(&m, from);
	if (cpu != CPU_NONE || v->rank == RANK_BE)
		return cpu;
	m = cpumask_and(where, &s->calm);
	return first_from(&m, from);
}

/* shortest() - The cpu of @m where least vcpus wait. */
static unsigned shortest(const struct sim *s, const struct cpumask *m)
{
	unsigned best = CPU_NONE, best_len = UINT32_MAX;

	cpumask_for_each (cpu, m) {
		const struct cpu *c = &s->cpu[cpu];
		unsigned len = c->waiting[RANK_LC] * 2u;

		len += c->cur != VCPU_NONE && s->vcpu[c->cur].rank == RANK_LC;
		len = len * 256 + c->waiting[RANK_BE];
		if (len < best_len) {
			best = cpu;
			best_len = len;
		}
	}
	return best;
}

uint16_t place_pick(struct sim *s, const struct vcpu *v)
{
	const struct cpumask *free = v->rank != RANK_BE ? &s->calm : &s->idle;
	bool home = v->cpu != CPU_NONE && cpumask_has(&v->mask, v->cpu);
	unsigned cpu;

	if (home && cpumask_has(free, v->cpu))
		return v->cpu;
	if (v->cpu != CPU_NONE) {
		cpu = free_in(s, v, s->llc[s->cpu[v->cpu].llc]);
		if (cpu != CPU_NONE)
			return (uint16_t)cpu;
	}
	if (home)
		return v->cpu;
	cpu = free_in(s, v, s->all);
	return (uint16_t)(cpu != CPU_NONE ? cpu : shortest(s, &v->mask));
}

/* waiter() - Of those of @rank that wait on @from, one that may run on @cpu. */
static struct vcpu *waiter(struct sim *s, unsigned from, enum rank rank,
			   unsigned cpu)
{
	struct vcpu *best = NULL;

	for (uint16_t i = s->cpu[from].head; i != VCPU_NONE;
	     i = s->vcpu[i].next) {
		struct vcpu *v = &s->vcpu[i];

		if (v->rank == rank && cpumask_has(&v->mask, cpu) &&
		    (!best || v->since_ns < best->since_ns))
			best = v;
	}
	return best;
}

/* pull_from() - The same, of those on @where. */
static struct vcpu *pull_from(struct sim *s, struct cpumask where,
			      enum rank rank, unsigned cpu)
{
	where = cpumask_and(where, &s->waits[rank]);
	cpumask_for_each (from, &where) {
		struct vcpu *v = waiter(s, from, rank, cpu);

		if (v)
			return v;
	}
	return NULL;
}

struct vcpu *place_pull(struct sim *s, const struct cpu *c, bool wide)
{
	unsigned cpu = (unsigned)(c - s->cpu);
	struct vcpu *v;

	for (unsigned rank = 0; rank < RANKS; rank++) {
		if (cpumask_empty(&s->waits[rank]))
			continue;
		v = pull_from(s, s->llc[c->llc], rank, cpu);
		if (!v && (wide || rank == RANK_BE))
			v = pull_from(s, s->all, rank, cpu);
		if (v)
			return v;
	}
	return NULL;
}

void place_mask(struct sim *s, struct vcpu *v, const struct cpumask *mask,
		enum rank rank)
{
	bool stays = cpumask_has(mask, v->cpu) && v->rank == rank;

	v->mask = *mask;
	if (v->run == VCPU_RUN_HALTED || stays)
		v->rank = (uint8_t)rank;
	else
		vcpu_move(s, v, rank);
}

/* load_of() - What those of @rank that have @c or wait for it weigh. */
static double load_of(const struct sim *s, const struct cpu *c, enum rank rank)
{
	uint16_t i = c->cur;
	double load = 0;

	if (i != VCPU_NONE && s->vcpu[i].rank == rank)
		load = vcpu_weight(s, &s->vcpu[i]);
	for (i = c->waiting[rank] ? c->head : VCPU_NONE; i != VCPU_NONE;
	     i = s->vcpu[i].next)
		if (s->vcpu[i].rank == rank)
			load += vcpu_weight(s, &s->vcpu[i]);
	return load;
}

/* heaviest() - Of those that wait on @from, the heaviest that may run on @to
 * and weighs less than @most. */
static struct vcpu *heaviest(struct sim *s, unsigned from, unsigned to,
			     enum rank rank, double most)
{
	struct vcpu *best = NULL;

	for (uint16_t i = s->cpu[from].head; i != VCPU_NONE;
	     i = s->vcpu[i].next) {
		struct vcpu *v = &s->vcpu[i];
		double weight = vcpu_weight(s, v);

		if (v->rank == rank && cpumask_has(&v->mask, to) &&
		    weight < most && (!best || weight > vcpu_weight(s, best)))
			best = v;
	}
	return best;
}

/* shift() - One vcpu from the cpu with most load to that with least.
 * Return: false when that would not make them more even. */
static bool shift(struct sim *s, enum rank rank)
{
	unsigned from = CPU_NONE, to = CPU_NONE;
	double most = 0, least = INFINITY, load;
	struct vcpu *v;

	for (unsigned i = 0; i < s->cpu_cnt; i++) {
		load = load_of(s, &s->cpu[i], rank);
		if (s->cpu[i].waiting[rank] && load > most) {
			most = load;
			from = i;
		}
		if (load < least) {
			least = load;
			to = i;
		}
	}
	if (from == CPU_NONE)
		return false;
	v = heaviest(s, from, to, rank, most - least);
	if (!v)
		return false;
	cpu_take(s, v);
	cpu_add(s, &s->cpu[to], v);
	return true;
}

void place_balance(struct sim *s)
{
	struct cpumask idle = s->idle;

	cpumask_for_each (cpu, &idle) {
		struct cpu *c = &s->cpu[cpu];
		struct vcpu *v =
		    c->cur == VCPU_NONE ? place_pull(s, c, true) : NULL;

		if (!v)
			continue;
		cpu_take(s, v);
		cpu_add(s, c, v);
	}
	for (unsigned rank = 0; rank < RANKS; rank++)
		for (unsigned i = 0; i < SHIFTS && shift(s, rank); i++)
			;
}
