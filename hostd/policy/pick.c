// SPDX-License-Identifier: Apache-2.0
/*
 * pick.c - which cpu, which vcpu, who loses
 *
 * One struct pick is filled by pick_begin(), changed by pick_give() and
 * pick_drop(), and never outlives decide(). Everything below costs a walk over
 * the cpus, or over one VM's vcpus; policies call it for VMs that need
 * something, not for all there are. Guarantees: guarantee.c.
 */
#include "pick.h"

#include "hl/sensor.h"

#define bit_set(map, i) ((map)[(i) / 64] |= 1ull << ((i) % 64))
#define bit_has(map, i) ((map)[(i) / 64] >> ((i) % 64) & 1)

/* vcpus_end() - One behind a VM's last vcpu slot, cut to what exists. */
static unsigned vcpus_end(const struct snapshot *s, uint16_t vm)
{
	unsigned end = s->vm[vm].first_vcpu + (unsigned)s->vm[vm].vcpu_cnt;

	return end < s->vcpu_cnt ? end : s->vcpu_cnt;
}

/* vcpu_vm() - The VM @vcpu belongs to; VM_NONE when either is not there. */
static uint16_t vcpu_vm(const struct snapshot *s, uint16_t vcpu)
{
	const struct vm_view *v;
	uint16_t vm;

	if (vcpu >= s->vcpu_cnt)
		return VM_NONE;
	vm = s->vcpu[vcpu].vm;
	if (vm >= s->vm_cnt || !s->vm[vm].present)
		return VM_NONE;
	v = &s->vm[vm];
	if (vcpu < v->first_vcpu || vcpu - v->first_vcpu >= v->vcpu_cnt)
		return VM_NONE;
	return vm;
}

void pick_begin(struct pick *k, const struct snapshot *s, struct plan *p)
{
	*k = (struct pick){ .s = s, .plan = p };

	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++) {
		uint16_t vcpu = s->cpu[cpu].owner;
		uint16_t vm = vcpu_vm(s, vcpu);

		k->owner[cpu] = VCPU_NONE;
		if (!s->cpu[cpu].managed) {
			if (vcpu != VCPU_NONE)
				pick_drop(k, cpu, REASON_GONE);
			continue;
		}
		k->managed_cnt++;
		if (vm != VM_NONE && !bit_has(k->busy, vcpu)) {
			k->owner[cpu] = vcpu;
			k->owned[vm]++;
			bit_set(k->busy, vcpu);
			continue;
		}
		cpumask_set(&k->free, cpu);
		if (vcpu != VCPU_NONE)
			cpumask_set(&k->gone, cpu);
	}
}

void pick_end(struct pick *k)
{
	cpumask_for_each (cpu, &k->gone)
		pick_drop(k, (uint16_t)cpu, REASON_GONE);
}

/* move() - Note a change of owner, here and in the plan. */
static void move(struct pick *k, uint16_t cpu, uint16_t vcpu, enum reason why)
{
	uint64_t saw_ns = k->saw_ns, limit_ns = k->limit_ns;

	pick_because(k, 0, 0);
	if (cpumask_has(&k->moved, cpu) || !plan_add(k->plan, cpu, vcpu, why))
		return;
	k->plan->grant[k->plan->count - 1].saw_ns = saw_ns;
	k->plan->grant[k->plan->count - 1].limit_ns = limit_ns;
	if (k->owner[cpu] != VCPU_NONE)
		k->owned[vcpu_vm(k->s, k->owner[cpu])]--;
	k->owner[cpu] = vcpu;
	cpumask_set(&k->moved, cpu);
	cpumask_clear(&k->free, cpu);
	cpumask_clear(&k->gone, cpu);
	if (vcpu != VCPU_NONE) {
		k->owned[vcpu_vm(k->s, vcpu)]++;
		bit_set(k->busy, vcpu);
	}
}

void pick_give(struct pick *k, uint16_t cpu, uint16_t vcpu, enum reason why)
{
	move(k, cpu, vcpu, why);
}

void pick_drop(struct pick *k, uint16_t cpu, enum reason why)
{
	move(k, cpu, VCPU_NONE, why);
}

/* candidate() - May @vcpu be given a cpu for @vm? */
static bool candidate(const struct pick *k, unsigned vcpu, uint16_t vm,
		      enum pick_who who)
{
	const struct vcpu_view *v = &k->s->vcpu[vcpu];

	if (v->vm != vm || bit_has(k->busy, vcpu))
		return false;
	return who == PICK_ANY || v->run != VCPU_RUN_HALTED;
}

static bool is_mine(const struct pick *k, uint16_t cpu, uint16_t vm)
{
	return cpu < k->s->cpu_cnt && k->owner[cpu] != VCPU_NONE &&
	       k->s->vcpu[k->owner[cpu]].vm == vm;
}

/* Where a VM is warm: last-level caches and nodes are sets of ids. */
struct near {
	struct cpumask home, llc, node;
};

static void near_add(struct near *n, const struct cpu_view *c)
{
	cpumask_set(&n->llc, c->llc);
	cpumask_set(&n->node, c->node);
}

static void near_of(const struct pick *k, uint16_t vm, enum pick_who who,
		    struct near *n)
{
	const struct snapshot *s = k->s;

	*n = (struct near){ 0 };
	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++)
		if (is_mine(k, cpu, vm))
			near_add(n, &s->cpu[cpu]);
	for (unsigned v = s->vm[vm].first_vcpu; v < vcpus_end(s, vm); v++) {
		uint16_t last = s->vcpu[v].last_cpu;

		if (last >= s->cpu_cnt || !candidate(k, v, vm, who))
			continue;
		cpumask_set(&n->home, last);
		if (!k->owned[vm])
			near_add(n, &s->cpu[last]);
	}
}

/* suits() - How well @cpu suits @vm; each term outweighs all after it. */
static unsigned suits(const struct pick *k, uint16_t cpu, uint16_t vm,
		      const struct near *n)
{
	const struct cpu_view *c = &k->s->cpu[cpu];
	bool sibling = is_mine(k, c->sibling, vm);
	unsigned score = 0;

	if (cpumask_has(&n->home, cpu))
		score += 16;
	if (sibling)
		score += 8;
	if (cpumask_has(&n->llc, c->llc))
		score += 4;
	if (cpumask_has(&n->node, c->node))
		score += 2;
	if (sibling || c->sibling >= k->s->cpu_cnt ||
	    k->owner[c->sibling] == VCPU_NONE)
		score += 1;
	return score;
}

uint16_t pick_cpu(const struct pick *k, uint16_t vm, enum pick_who who)
{
	unsigned best_score = 0, score;
	uint16_t best = CPU_NONE;
	struct near n;

	if (cpumask_empty(&k->free))
		return CPU_NONE;
	near_of(k, vm, who, &n);
	cpumask_for_each (cpu, &k->free) {
		score = suits(k, (uint16_t)cpu, vm, &n);
		if (best == CPU_NONE || score > best_score) {
			best = (uint16_t)cpu;
			best_score = score;
		}
	}
	return best;
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

	for (unsigned v = k->s->vm[vm].first_vcpu; v < vcpus_end(k->s, vm);
	     v++) {
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

uint16_t pick_loser(const struct pick *k, uint16_t vm)
{
	const struct snapshot *s = k->s;
	unsigned best_score = 0, score;
	uint16_t best = CPU_NONE;
	uint16_t on_llc[CPU_MAX] = { 0 };

	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++)
		if (is_mine(k, cpu, vm) && s->cpu[cpu].llc < CPU_MAX)
			on_llc[s->cpu[cpu].llc]++;
	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++) {
		const struct cpu_view *c = &s->cpu[cpu];

		if (!is_mine(k, cpu, vm) || cpumask_has(&k->moved, cpu))
			continue;
		score = CPU_MAX - (c->llc < CPU_MAX ? on_llc[c->llc] : 0);
		if (!is_mine(k, c->sibling, vm))
			score += 2 * CPU_MAX;
		if (s->vcpu[k->owner[cpu]].run == VCPU_RUN_HALTED)
			score += 4 * CPU_MAX;
		if (best == CPU_NONE || score > best_score ||
		    (score == best_score &&
		     c->since_ns >= s->cpu[best].since_ns)) {
			best = cpu;
			best_score = score;
		}
	}
	return best;
}

struct pick_use pick_use(const struct snapshot *s, uint16_t vm)
{
	struct pick_use u = { 0 };

	for (unsigned v = s->vm[vm].first_vcpu; v < vcpus_end(s, vm); v++) {
		if (s->vcpu[v].vm != vm)
			continue;
		u.plugged++;
		u.runnable += s->vcpu[v].run != VCPU_RUN_HALTED;
		u.sensed |= s->vcpu[v].run != VCPU_RUN_UNKNOWN;
		u.ran_ns += s->vcpu[v].ran_ns;
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
