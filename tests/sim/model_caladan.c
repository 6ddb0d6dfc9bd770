// SPDX-License-Identifier: Apache-2.0
/*
 * model_caladan.c - congested for 10 us? a cpu more; parked? it is idle
 *
 * Caladan's own rule (Fried et al., OSDI 2020, and shenango/caladan at
 * bdb4dde: its default policy `ias`), with a VM where it has a process and a
 * vcpu where it has a kernel thread:
 *  - a decision every 10 us (iokernel/defs.h);
 *  - congested: the oldest work has waited 10 us (runtime_qdelay_us), or there
 *    is work and no cpu at all;
 *  - one cpu for a congested VM, at most one in two decisions: the one after a
 *    grant is let pass;
 *  - a thread that finds nothing to do spins for 2 us and parks; its cpu is
 *    idle at once. A vcpu that halts is the nearest thing, so a VM owns
 *    little more than what runs, guaranteed cpus included;
 *  - who is congested is served by how many cpus it has: those with none come
 *    first, in the order in which they became congested; then those with few,
 *    of two equals the one further below its guarantee;
 *  - which cpu: guaranteed ones are reserved as whole sibling pairs. A cpu's
 *    score is 7 when it is reserved for the VM, and 3 when its sibling does
 *    not run the VM, and 2 when both are idle, and up to 1 for how recently
 *    the VM was there, nothing after 100 us;
 *  - whose cpu: an idle one. Else anybody's who is not on his own reserved one
 *    and owns, above his guarantee, at least two more than the asker does;
 *  - which vcpu: one that last ran on that cpu or its sibling, else the one
 *    that has waited longest.
 *
 * Better than Caladan: nobody has to be asked to leave (its preemption waits
 * for the other program's signal handler), a VM without a cpu rides on the
 * floor while it waits for one, an idle cpu is always preferred to somebody's,
 * and an idle reserved cpu costs nothing to get back. delay is the true age of
 * the oldest frame, not the time since the queue moved last.
 *
 * Left out: what needs the program's cooperation (work stealing between
 * threads, user-level time slices). Its controllers of memory bandwidth and of
 * SMT siblings are in model_caladan_ias.c.
 */
#include "hl/sensor.h"
#include "model_caladan.h"

#define US 1000ull

#define bit_set(map, i) ((map)[(i) / 64] |= 1ull << ((i) % 64))
#define bit_has(map, i) ((map)[(i) / 64] >> ((i) % 64) & 1)

#define QDELAY_NS (10 * US)
#define PARK_NS	  (2 * US)
#define COLD_NS	  (100 * US)

/* One decision under way. */
struct turn {
	struct caladan_state *st;
	const struct snapshot *s;
	struct plan *plan;
	struct cpumask moved;
	struct cpumask idle;	      /* managed, owned by nobody, not moved */
	int most_over;		      /* cpus above its guarantee, of any VM */
	uint16_t owner[CPU_MAX];      /* vcpu, parked ones taken out; or NONE */
	uint16_t active[VM_MAX];      /* cpus of each VM, likewise */
	uint64_t busy[VCPU_MAX / 64]; /* vcpus that own one, or just owned */
	struct cpumask parked;	      /* had an owner that parked or is gone */
};

static uint16_t vm_of(const struct snapshot *s, uint16_t vcpu)
{
	uint16_t vm = vcpu < s->vcpu_cnt ? s->vcpu[vcpu].vm : VM_NONE;

	return vm < s->vm_cnt && s->vm[vm].present ? vm : VM_NONE;
}

/* runs_on() - The VM whose vcpu owns @cpu, or VM_NONE. */
static uint16_t runs_on(const struct turn *t, uint16_t cpu)
{
	return cpu < t->s->cpu_cnt ? vm_of(t->s, t->owner[cpu]) : VM_NONE;
}

/* is_parked() - Halted for as long as a thread spins; frames it has not yet
 * taken would have it run again at once. */
static bool is_parked(const struct snapshot *s, uint16_t vcpu)
{
	const struct vm_view *v = &s->vm[s->vcpu[vcpu].vm];

	return pick_halted_ns(s, vcpu) >= PARK_NS &&
	       !(v->has_port && v->delay_ns);
}

static void give(struct turn *t, uint16_t cpu, uint16_t vcpu, enum reason why)
{
	if (plan_add(t->plan, cpu, vcpu, why))
		cpumask_set(&t->moved, cpu);
}

/* over() - Cpus of @vm above its guarantee; anybody may evict best-effort. */
static int over(const struct turn *t, uint16_t vm)
{
	if (!pick_is_lc(t->s, vm))
		return CPU_MAX;
	return t->active[vm] - t->st->guaranteed[vm];
}

static void note_most(struct turn *t)
{
	t->most_over = -CPU_MAX;
	for (uint16_t vm = 0; vm < t->s->vm_cnt; vm++)
		if (t->active[vm] && over(t, vm) > t->most_over)
			t->most_over = over(t, vm);
}

/* stock() - Who runs where, and which cpus are idle. */
static void stock(struct turn *t)
{
	const struct snapshot *s = t->s;

	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++) {
		uint16_t vcpu = s->cpu[cpu].owner, vm = vm_of(s, vcpu);

		t->owner[cpu] = VCPU_NONE;
		if (!s->cpu[cpu].managed) {
			if (vcpu != VCPU_NONE)
				give(t, cpu, VCPU_NONE, REASON_GONE);
			continue;
		}
		cpumask_set(&t->idle, cpu);
		if (vcpu == VCPU_NONE)
			continue;
		if (vm == VM_NONE || is_parked(s, vcpu)) {
			cpumask_set(&t->parked, cpu);
			continue;
		}
		cpumask_clear(&t->idle, cpu);
		t->owner[cpu] = vcpu;
		t->active[vm]++;
		bit_set(t->busy, vcpu);
		t->st->last_vm[cpu] = vm;
		t->st->last_ns[cpu] = s->now_ns;
	}
	note_most(t);
}

/* reserve_one() - The best cpu not yet reserved: sibling of one that is the
 * VM's already, else of one that is nobody's. */
static void reserve_one(struct caladan_state *st, const struct snapshot *s,
			uint16_t vm)
{
	uint16_t best = CPU_NONE, sibling;
	int best_score = 0, score;

	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++) {
		if (!s->cpu[cpu].managed || st->reserved[cpu] != VM_NONE)
			continue;
		sibling = s->cpu[cpu].sibling;
		score = 2;
		if (sibling < s->cpu_cnt && st->reserved[sibling] == vm)
			score = 3;
		else if (sibling < s->cpu_cnt &&
			 st->reserved[sibling] != VM_NONE)
			score = 1;
		if (score > best_score) {
			best = cpu;
			best_score = score;
		}
	}
	if (best != CPU_NONE)
		st->reserved[best] = vm;
}

static uint16_t guaranteed(const struct snapshot *s, uint16_t vm)
{
	return pick_is_lc(s, vm) ? s->vm[vm].cpus_min : 0;
}

/* reserve() - Guaranteed cpus for everybody, again when guarantees change. */
static void reserve(struct caladan_state *st, const struct snapshot *s)
{
	bool same = st->begun;

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		same &= st->guaranteed[vm] == guaranteed(s, vm);
		st->guaranteed[vm] = guaranteed(s, vm);
	}
	if (same)
		return;
	for (uint16_t cpu = 0; cpu < CPU_MAX; cpu++) {
		st->reserved[cpu] = VM_NONE;
		if (!st->begun)
			st->last_vm[cpu] = VM_NONE;
	}
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++)
		for (uint16_t i = 0; i < st->guaranteed[vm]; i++)
			reserve_one(st, s, vm);
	st->begun = true;
}

/* may_take() - Would @cpu be taken from its owner for @vm? */
static bool may_take(const struct turn *t, uint16_t cpu, uint16_t vm)
{
	uint16_t cur = runs_on(t, cpu);

	if (cur == vm || t->st->reserved[cpu] == cur)
		return false;
	return over(t, cur) > over(t, vm) + 1;
}

/* score() - How well @cpu suits @vm, in hundredths. */
static unsigned score(const struct turn *t, uint16_t cpu, uint16_t vm)
{
	uint16_t sibling = t->s->cpu[cpu].sibling;
	uint16_t beside = runs_on(t, sibling);
	uint64_t age_ns = t->s->now_ns - t->st->last_ns[cpu];
	unsigned points = 0;

	if (beside == vm)
		points += 100;
	else if (t->st->last_vm[cpu] == vm && age_ns < COLD_NS)
		points += (unsigned)(100 * (COLD_NS - age_ns) / COLD_NS);
	if (t->st->reserved[cpu] == vm)
		points += 700;
	if (beside != vm)
		points += 300;
	if (beside == VM_NONE && t->owner[cpu] == VCPU_NONE)
		points += 200;
	return points;
}

/* choose_cpu() - Return: the best one to be had, or CPU_NONE. */
static uint16_t choose_cpu(const struct turn *t, uint16_t vm)
{
	bool idle = !cpumask_empty(&t->idle);
	unsigned best_score = 0, points;
	uint16_t best = CPU_NONE;

	if (!idle && t->most_over <= over(t, vm) + 1)
		return CPU_NONE;
	for (uint16_t cpu = 0; cpu < t->s->cpu_cnt; cpu++) {
		if (idle ? !cpumask_has(&t->idle, cpu)
			 : !t->s->cpu[cpu].managed ||
			       cpumask_has(&t->moved, cpu) ||
			       !may_take(t, cpu, vm))
			continue;
		points = score(t, cpu, vm);
		if (best == CPU_NONE || points > best_score) {
			best = cpu;
			best_score = points;
		}
	}
	return best;
}

/* choose_vcpu() - Of those that want a cpu and own none. @cpu: or CPU_NONE */
static uint16_t choose_vcpu(const struct turn *t, uint16_t vm, uint16_t cpu)
{
	const struct snapshot *s = t->s;
	unsigned end = s->vm[vm].first_vcpu + (unsigned)s->vm[vm].vcpu_cnt;
	uint64_t best_rank = 0, rank;
	uint16_t best = VCPU_NONE;

	for (unsigned i = s->vm[vm].first_vcpu; i < end && i < s->vcpu_cnt;
	     i++) {
		const struct vcpu_view *v = &s->vcpu[i];

		if (v->vm != vm || bit_has(t->busy, i) ||
		    v->run == VCPU_RUN_HALTED)
			continue;
		rank = 1 +
		       (v->run == VCPU_RUN_READY ? s->now_ns - v->since_ns : 0);
		if (cpu != CPU_NONE && v->last_cpu != CPU_NONE &&
		    (v->last_cpu == cpu || v->last_cpu == s->cpu[cpu].sibling))
			rank += 1ull << 62;
		if (rank > best_rank) {
			best = (uint16_t)i;
			best_rank = rank;
		}
	}
	return best;
}

static enum reason congested(const struct turn *t, uint16_t vm)
{
	const struct vm_view *v = &t->s->vm[vm];

	if (v->has_port && v->delay_ns >= QDELAY_NS)
		return REASON_DELAY;
	if (v->ready_ns >= QDELAY_NS || !t->active[vm])
		return REASON_READY_WAIT;
	return REASON_NONE;
}

/* before() - Is @a served before @b? */
static bool before(const struct turn *t, uint16_t a, uint16_t b)
{
	const struct caladan_state *st = t->st;

	if (t->active[a] != t->active[b])
		return t->active[a] < t->active[b];
	if (!t->active[a])
		return st->since_ns[a] < st->since_ns[b];
	return st->guaranteed[a] > st->guaranteed[b];
}

/* list_all() - The congested in the order of service. Return: how many. */
static unsigned list_all(const struct turn *t, uint16_t list[VM_MAX])
{
	const struct snapshot *s = t->s;
	unsigned cnt = 0, at;

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		bool waking = t->st->waking[vm];

		if (!pick_is_lc(s, vm) || congested(t, vm) == REASON_NONE ||
		    choose_vcpu(t, vm, CPU_NONE) == VCPU_NONE) {
			t->st->since_ns[vm] = 0;
			t->st->waking[vm] = false;
			continue;
		}
		if (!t->st->since_ns[vm])
			t->st->since_ns[vm] = s->now_ns;
		t->st->waking[vm] = false;
		if (waking || t->active[vm] >= s->vm[vm].cpus_max)
			continue;
		for (at = cnt++; at && before(t, vm, list[at - 1]); at--)
			list[at] = list[at - 1];
		list[at] = vm;
	}
	return cnt;
}

static void help(struct turn *t, uint16_t vm)
{
	uint16_t cpu = choose_cpu(t, vm), vcpu;
	bool evicts;

	if (cpu == CPU_NONE)
		return;
	vcpu = choose_vcpu(t, vm, cpu);
	evicts = t->owner[cpu] != VCPU_NONE;
	give(t, cpu, vcpu, evicts ? REASON_PREEMPTED : congested(t, vm));
	if (evicts)
		t->active[runs_on(t, cpu)]--;
	t->owner[cpu] = vcpu;
	t->active[vm]++;
	cpumask_clear(&t->idle, cpu);
	if (evicts)
		note_most(t);
	else if (over(t, vm) > t->most_over)
		t->most_over = over(t, vm);
	bit_set(t->busy, vcpu);
	t->st->waking[vm] = true;
}

static void caladan_decide(void *state, const struct snapshot *s,
			   struct plan *p)
{
	struct caladan_state *st = state;
	struct turn t = { .st = st, .s = s, .plan = p };
	uint16_t list[VM_MAX];
	unsigned cnt;

	reserve(st, s);
	stock(&t);
	cnt = list_all(&t, list);
	for (unsigned i = 0; i < cnt; i++)
		help(&t, list[i]);
	cpumask_for_each (cpu, &t.parked)
		if (!cpumask_has(&t.moved, cpu))
			give(&t, (uint16_t)cpu, VCPU_NONE, REASON_GIVE_BACK);
	caladan_bar(st, s, p);
}

const struct policy_ops model_caladan = {
	.name = "caladan",
	.about =
	    "Caladan's rule at 10 us: congested, one more; halted, one less",
	.state_bytes = sizeof(struct caladan_state),
	.decide = caladan_decide,
};
