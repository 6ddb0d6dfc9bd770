// SPDX-License-Identifier: Apache-2.0
/*
 * pick.c - which cpu, which vcpu, who loses
 *
 * One struct pick is filled by pick_begin(), changed by pick_give() and
 * pick_drop(), and never outlives decide(). It holds the masks of cpus a
 * decision may change, by value, and of the rest only what the plan's lines
 * change. Everything below costs a walk over one VM's vcpus, the plan's lines
 * and some masks; nothing walks over the cpus or the VMs. Guarantees:
 * guarantee.c.
 */
#include "pick.h"

#include "hl/sensor.h"

void pick_begin(struct pick *k, const struct snapshot *s, struct plan *p)
{
	k->s = s;
	k->plan = p;
	k->by_node = false;
	k->whole = false;
	k->victims_known = false;
	k->searches = 0;
	k->free = s->free;
	k->gone = s->gone;
	k->alone = s->alone;
	k->moved = (struct cpumask){ 0 };
	pick_because(k, 0, 0);
	if (cpumask_empty(&s->gone))
		return;
	cpumask_for_each (cpu, &s->gone)
		if (!cpumask_has(&s->managed, cpu))
			pick_drop(k, (uint16_t)cpu, REASON_GONE);
}

void pick_end(struct pick *k)
{
	struct cpumask gone = k->gone;

	if (cpumask_empty(&gone))
		return;
	cpumask_for_each (cpu, &gone)
		pick_drop(k, (uint16_t)cpu, REASON_GONE);
}

/* move() - Note a change of owner, here and in the plan. */
static void move(struct pick *k, uint16_t cpu, uint16_t vcpu, enum reason why)
{
	const struct snapshot *s = k->s;
	uint64_t saw_ns = k->saw_ns, limit_ns = k->limit_ns;
	uint16_t from, line = k->plan->count;

	pick_because(k, 0, 0);
	if (cpumask_has(&k->moved, cpu) || !plan_add(k->plan, cpu, vcpu, why))
		return;
	k->plan->grant[line].saw_ns = saw_ns;
	k->plan->grant[line].limit_ns = limit_ns;
	from = snapshot_owner(s, cpu);
	k->from_vm[line] = from == VCPU_NONE ? VM_NONE : s->vcpu[from].vm;
	k->to_vm[line] = vcpu == VCPU_NONE ? VM_NONE : s->vcpu[vcpu].vm;
	k->owner[cpu] = vcpu;
	cpumask_set(&k->moved, cpu);
	cpumask_clear(&k->free, cpu);
	cpumask_clear(&k->gone, cpu);
	if (vcpu == VCPU_NONE)
		cpumask_set(&k->alone, s->cpu[cpu].beside);
	else
		cpumask_clear(&k->alone, s->cpu[cpu].beside);
}

void pick_give(struct pick *k, uint16_t cpu, uint16_t vcpu, enum reason why)
{
	move(k, cpu, vcpu, why);
}

void pick_drop(struct pick *k, uint16_t cpu, enum reason why)
{
	move(k, cpu, VCPU_NONE, why);
}

void pick_change(struct pick *k, uint16_t from, uint16_t to, enum reason why)
{
	uint16_t vcpu = pick_owner(k, from);

	pick_drop(k, from, why);
	pick_give(k, to, vcpu, why);
}

uint16_t pick_held(const struct pick *k, uint16_t vm, unsigned vcpu)
{
	const struct snapshot *s = k->s;
	uint16_t cpu;

	if (vcpu >= s->vcpu_cnt || s->vcpu[vcpu].vm != vm)
		return CPU_NONE;
	cpu = s->vcpu[vcpu].cpu;
	if (cpu >= s->cpu_cnt || s->cpu[cpu].owner != vcpu ||
	    !s->cpu[cpu].managed || cpumask_has(&k->moved, cpu))
		return CPU_NONE;
	return cpu;
}

/* is_busy() - Does @vcpu own a cpu, or did until this plan? */
static bool is_busy(const struct pick *k, unsigned vcpu)
{
	if (k->s->vcpu[vcpu].cpu != CPU_NONE)
		return true;
	for (unsigned i = 0; i < k->plan->count; i++)
		if (k->plan->grant[i].vcpu == vcpu)
			return true;
	return false;
}

/* candidate() - May @vcpu be given a cpu for @vm? */
static bool candidate(const struct pick *k, unsigned vcpu, uint16_t vm,
		      enum pick_who who)
{
	const struct vcpu_view *v = &k->s->vcpu[vcpu];

	if (v->vm != vm || is_busy(k, vcpu))
		return false;
	return who == PICK_ANY || v->run != VCPU_RUN_HALTED;
}

/* mine() - The cpus @vm owns as planned; those in the plan are not in @old. */
static struct cpumask mine(const struct pick *k, uint16_t vm,
			   struct cpumask *old)
{
	const struct snapshot *s = k->s;
	struct cpumask all;

	*old = (struct cpumask){ 0 };
	for (unsigned v = s->vm[vm].first_vcpu; v < snapshot_vcpus_end(s, vm);
	     v++)
		if (s->vcpu[v].vm == vm &&
		    !cpumask_has(&k->moved, s->vcpu[v].cpu))
			cpumask_set(old, s->vcpu[v].cpu);
	all = *old;
	for (unsigned i = 0; i < k->plan->count; i++)
		if (k->to_vm[i] == vm)
			cpumask_set(&all, k->plan->grant[i].cpu);
	return all;
}

/* Where a VM is warm, as sets of cpus. */
struct near {
	struct cpumask home, sibling, llc, node;
};

static void near_add(struct near *n, const struct snapshot *s, uint16_t cpu)
{
	const struct cpu_view *c = &s->cpu[cpu];

	if (c->llc < CPU_MAX && !cpumask_has(&n->llc, cpu))
		n->llc = cpumask_or(n->llc, &s->llc[c->llc]);
	if (c->node < NODE_MAX && !cpumask_has(&n->node, cpu))
		n->node = cpumask_or(n->node, &s->node_cpus[c->node]);
}

static void near_of(const struct pick *k, uint16_t vm, enum pick_who who,
		    struct near *n)
{
	const struct snapshot *s = k->s;
	struct cpumask old, own = mine(k, vm, &old);
	bool owns = !cpumask_empty(&own);

	*n = (struct near){ 0 };
	cpumask_for_each (cpu, &own) {
		cpumask_set(&n->sibling, s->cpu[cpu].beside);
		near_add(n, s, (uint16_t)cpu);
	}
	for (unsigned v = s->vm[vm].first_vcpu; v < snapshot_vcpus_end(s, vm);
	     v++) {
		uint16_t last = s->vcpu[v].last_cpu;

		if (last >= s->cpu_cnt || !candidate(k, v, vm, who))
			continue;
		cpumask_set(&n->home, last);
		if (!owns)
			near_add(n, s, last);
	}
}

/* prefer() - Of the cpus in @m keep those in @these, if there are any. */
static void prefer(struct cpumask *m, const struct cpumask *these)
{
	struct cpumask both = cpumask_and(*m, these);

	if (!cpumask_empty(&both))
		*m = both;
}

/* prefer_node() - Keep the cpus of @m nearest to @node's memory. */
static void prefer_node(struct cpumask *m, const struct snapshot *s,
			uint16_t node)
{
	struct cpumask nearest = { 0 };
	unsigned best = ~0u;

	if (node >= s->node_cnt || node >= NODE_MAX)
		return;
	for (unsigned n = 0; n < s->node_cnt && n < NODE_MAX; n++) {
		struct cpumask here = cpumask_and(*m, &s->node_cpus[n]);
		unsigned far = n == node ? 0 : s->node[node].distance[n];

		if (cpumask_empty(&here) || far > best)
			continue;
		nearest = far < best ? here : cpumask_or(nearest, &here);
		best = far;
	}
	prefer(m, &nearest);
}

uint16_t pick_cpu(const struct pick *k, uint16_t vm, enum pick_who who)
{
	struct cpumask m = k->free, quiet;
	struct near n;

	if (cpumask_empty(&m))
		return CPU_NONE;
	if (k->by_node)
		prefer_node(&m, k->s, k->s->vm[vm].node);
	if (k->whole) {
		prefer(&m, &k->quiet);
		prefer(&m, &k->alone);
	}
	near_of(k, vm, who, &n);
	quiet = cpumask_or(k->alone, &n.sibling);
	prefer(&m, &n.home);
	prefer(&m, &n.sibling);
	prefer(&m, &n.llc);
	prefer(&m, &n.node);
	prefer(&m, &quiet);
	return (uint16_t)cpumask_next(&m, 0);
}

/* claim() - Rank of a candidate for @cpu, see pick_vcpu(). */
static unsigned claim(const struct vcpu_view *v, uint16_t cpu)
{
	if (v->run == VCPU_RUN_HALTED)
		return 0;
	if (cpu != CPU_NONE && v->last_cpu == cpu)
		return 4;
	switch (v->run) {
	case VCPU_RUN_READY:
		return 3;
	case VCPU_RUN_RUNNING:
		return 2;
	default:
		return 1;
	}
}

/* more_due() - Of two of one rank: who has workers, then who waits longer. */
static bool more_due(const struct vcpu_view *a, const struct vcpu_view *b)
{
	if (a->hint_runnable != b->hint_runnable)
		return a->hint_runnable > b->hint_runnable;
	return a->run == VCPU_RUN_READY && a->since_ns < b->since_ns;
}

uint16_t pick_vcpu(const struct pick *k, uint16_t vm, uint16_t cpu,
		   enum pick_who who)
{
	const struct vcpu_view *vcpu = k->s->vcpu;
	unsigned best_rank = 0, rank;
	uint16_t best = VCPU_NONE;

	for (unsigned v = k->s->vm[vm].first_vcpu;
	     v < snapshot_vcpus_end(k->s, vm); v++) {
		if (!candidate(k, v, vm, who))
			continue;
		rank = claim(&vcpu[v], cpu);
		if (best == VCPU_NONE || rank > best_rank ||
		    (rank == best_rank && more_due(&vcpu[v], &vcpu[best]))) {
			best = (uint16_t)v;
			best_rank = rank;
		}
	}
	return best;
}

/* misses() - How little a VM with @own misses @cpu. */
static unsigned misses(const struct snapshot *s, uint16_t cpu,
		       const struct cpumask *own)
{
	const struct cpu_view *c = &s->cpu[cpu];
	unsigned score = CPU_MAX;
	struct cpumask near;

	if (c->llc < CPU_MAX) {
		near = cpumask_and(*own, &s->llc[c->llc]);
		score -= cpumask_count(&near);
	}
	if (!cpumask_has(own, c->sibling))
		score += 2 * CPU_MAX;
	if (s->vcpu[c->owner].run == VCPU_RUN_HALTED)
		score += 4 * CPU_MAX;
	return score;
}

uint16_t pick_loser(const struct pick *k, uint16_t vm)
{
	const struct snapshot *s = k->s;
	struct cpumask old, own = mine(k, vm, &old);
	unsigned best_score = 0, score;
	uint16_t best = CPU_NONE;

	cpumask_for_each (cpu, &old) {
		score = misses(s, (uint16_t)cpu, &own);
		if (best == CPU_NONE || score > best_score ||
		    (score == best_score &&
		     s->cpu[cpu].since_ns >= s->cpu[best].since_ns)) {
			best = (uint16_t)cpu;
			best_score = score;
		}
	}
	return best;
}

struct pick_use pick_use(const struct snapshot *s, uint16_t vm)
{
	struct pick_use u = { 0 };

	for (unsigned v = s->vm[vm].first_vcpu; v < snapshot_vcpus_end(s, vm);
	     v++) {
		if (s->vcpu[v].vm != vm)
			continue;
		u.plugged++;
		u.runnable += s->vcpu[v].run != VCPU_RUN_HALTED;
		u.sensed |= s->vcpu[v].run != VCPU_RUN_UNKNOWN;
		u.ran_ns += vcpu_ran_ns(s, (uint16_t)v);
	}
	return u;
}

uint64_t pick_waited_ns(const struct snapshot *s, uint16_t vcpu)
{
	const struct vcpu_view *v = &s->vcpu[vcpu];

	if (v->run != VCPU_RUN_READY || v->since_ns > s->now_ns)
		return 0;
	return s->now_ns - v->since_ns;
}

uint64_t pick_halted_ns(const struct snapshot *s, uint16_t vcpu)
{
	const struct vcpu_view *v = &s->vcpu[vcpu];

	if (v->run != VCPU_RUN_HALTED || v->since_ns > s->now_ns)
		return 0;
	return s->now_ns - v->since_ns;
}
