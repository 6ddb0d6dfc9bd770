// SPDX-License-Identifier: Apache-2.0
/*
 * take.c - the part of pick.h for when cpus are short: whose cpu?
 *
 * Who misses is decided here. Earliest deadline first meets every deadline that
 * can be met (Liu and Layland 1973), but lets who asks for much starve the rest
 * once not all can be met; equal parts starve nobody, and miss the tight ones
 * first. So: by deadlines, within equal parts.
 *
 * Whose cpu would be missed least hangs little on who asks: a decision looks
 * for the best few once, and each asker takes the best of them he may have.
 * Where he may have none of them, and there are more, it looks for him alone.
 */
#include "pick.h"

#include "hl/sensor.h"

/* Ranks of victims; within one, more is taken first. */
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

/* may_wait() - Should the vcpu that runs on a cpu wait rather than @vcpu? */
static bool may_wait(const struct pick *k, uint16_t owner, uint16_t vcpu)
{
	const struct snapshot *s = k->s;
	uint16_t from = s->vcpu[owner].vm, to = s->vcpu[vcpu].vm;
	int has = over(k, from), wants = over(k, to);

	if (!s->vm[to].slo_ns)
		return has >= wants + 2;
	if (!s->vm[from].slo_ns) /* equal parts: he would have it back */
		return has * weight(s, to) > wants * weight(s, from);
	return has * weight(s, to) >= wants * weight(s, from) &&
	       deadline_ns(s, owner) >
		   deadline_ns(s, vcpu) + s->vm[to].slo_ns / MARGIN_SHARE;
}

/* worth() - How good a victim @cpu is, whoever asks; 0: none. */
static uint64_t worth(const struct pick *k, uint16_t cpu, uint64_t settle_ns)
{
	const struct snapshot *s = k->s;
	uint16_t owner = pick_owner(k, cpu), vm;
	int has;

	if (owner == VCPU_NONE || cpumask_has(&k->moved, cpu) ||
	    s->now_ns - s->cpu[cpu].since_ns < settle_ns)
		return 0;
	vm = s->vcpu[owner].vm;
	has = over(k, vm);
	if (has <= 0)
		return 0;
	if (!pick_is_lc(s, vm))
		return rank(RANK_HARVEST, (uint64_t)has);
	if (pick_halted_ns(s, owner) >= settle_ns)
		return rank(RANK_IDLE, pick_halted_ns(s, owner));
	if (!s->vm[vm].slo_ns)
		return rank(RANK_RUNS, UINT64_MAX) - CPU_MAX + (uint64_t)has;
	return rank(RANK_RUNS, deadline_ns(s, owner));
}

/* find_victims() - The best, in order; of equals the highest number first. */
static void find_victims(struct pick *k, uint64_t settle_ns)
{
	uint64_t found[PICK_VICTIMS], w;
	unsigned cnt = 0, at;

	for (uint16_t cpu = 0; cpu < k->s->cpu_cnt; cpu++) {
		w = worth(k, cpu, settle_ns);
		if (!w || (cnt == PICK_VICTIMS && w < found[cnt - 1]))
			continue;
		if (cnt < PICK_VICTIMS)
			cnt++;
		for (at = cnt - 1; at && w >= found[at - 1]; at--) {
			found[at] = found[at - 1];
			k->victim[at] = k->victim[at - 1];
		}
		found[at] = w;
		k->victim[at] = cpu;
	}
	k->victim_cnt = (uint16_t)cnt;
	k->victims_known = true;
}

/* What an asker may have, as far as was looked. */
struct found {
	uint16_t cpu; /* CPU_NONE: nothing */
	uint64_t worth;
};

/* consider() - @best is @cpu if that is better, and @vcpu of @asker may have
 * it.
 */
static void consider(const struct pick *k, uint16_t cpu, uint16_t asker,
		     uint16_t vcpu, uint64_t settle_ns, struct found *best)
{
	uint64_t w = worth(k, cpu, settle_ns);
	uint16_t owner = pick_owner(k, cpu), vm;

	if (w <= best->worth)
		return;
	vm = k->s->vcpu[owner].vm;
	if (vm != asker && (!pick_is_lc(k->s, vm) ||
			    pick_halted_ns(k->s, owner) >= settle_ns ||
			    may_wait(k, owner, vcpu)))
		*best = (struct found){ cpu, w };
}

/* The list says who owned most when the decision began. */
uint16_t pick_take(struct pick *k, uint16_t asker, uint16_t vcpu,
		   uint64_t settle_ns)
{
	struct found best = { .cpu = CPU_NONE };

	if (!k->victims_known)
		find_victims(k, settle_ns);
	for (unsigned i = 0; i < k->victim_cnt; i++) {
		consider(k, k->victim[i], asker, vcpu, settle_ns, &best);
		/* none behind one with an SLO is better */
		if (best.cpu != CPU_NONE &&
		    k->s->vm[k->s->vcpu[pick_owner(k, best.cpu)].vm].slo_ns)
			break;
	}
	if (best.cpu != CPU_NONE || k->victim_cnt < PICK_VICTIMS ||
	    k->searches == PICK_SEARCHES)
		return best.cpu;
	k->searches++;
	for (uint16_t cpu = 0; cpu < k->s->cpu_cnt; cpu++)
		consider(k, cpu, asker, vcpu, settle_ns, &best);
	return best.cpu;
}
