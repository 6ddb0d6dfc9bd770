// SPDX-License-Identifier: Apache-2.0
/*
 * sibling.c - a stage of policies: harvesters leave the SMT sibling of a cpu
 * whose owner is in trouble
 *
 * Theory of operation. A VM with an SLO is in trouble when its oldest untaken
 * frame has waited for half of it (slo asks for cpus at a quarter: this comes
 * second), or when since its window began more of its frames, or answers, were
 * late than the SLO allows; two at least, for one proves nothing. Then each cpu
 * it owns is looked at whose owner runs without a pause, and whose sibling a
 * harvester runs on right now: that sibling is barred.
 *
 * A bar goes when the cpu it protects has another owner, or when it stood for
 * its time and there was no trouble for as long. If trouble is back within two
 * such times the next one stands twice as long; if it comes later, half as
 * long. So a VM that always suffers beside a harvester is left in peace nearly
 * always, and one that had a bad moment costs the harvesters one.
 *
 * It does badly where a VM is late for reasons of its own and never pauses: its
 * siblings then rest for nothing. No SLO, no bar: that is the operator's say.
 */
#include "sibling.h"

#include "hl/sensor.h"
#include "snapshot.h"

#define LATE_MIN    2
#define PERMYRIAD   10000
#define STUCK_NS    1000000000ull /* past its SLO: nobody takes that frame */
#define THREADS_MAX 8		  /* of a core; POWER has so many */

/* owner_vm() - The VM that owns @cpu, or VM_NONE. */
static uint16_t owner_vm(const struct snapshot *s, uint16_t cpu)
{
	return cpu < s->cpu_cnt ? snapshot_vm(s, snapshot_owner(s, cpu))
				: (uint16_t)VM_NONE;
}

/* --- trouble ------------------------------------------------------------- */

/* late() - More late in this window than the SLO allows? Ends it if so. */
static bool late(struct sibling_vm *m, const struct vm_view *v, uint64_t now_ns)
{
	uint64_t done = v->done - m->done, over = v->late - m->late;
	uint64_t allowed = PERMYRIAD - v->slo_permyriad % PERMYRIAD;
	bool counts = m->window_ns && v->done >= m->done && v->late >= m->late;
	bool is_late =
	    counts && over >= LATE_MIN && over * PERMYRIAD > done * allowed;

	if (is_late || !counts || now_ns - m->window_ns >= SIBLING_WINDOW_NS) {
		m->done = v->done;
		m->late = v->late;
		m->window_ns = now_ns;
	}
	return is_late;
}

static bool in_trouble(struct sibling_vm *m, const struct vm_view *v,
		       uint64_t now_ns)
{
	bool is_late = late(m, v, now_ns);

	return is_late || (v->has_port && v->delay_ns >= v->slo_ns / 2 &&
			   v->delay_ns < v->slo_ns + STUCK_NS);
}

/* --- bars ---------------------------------------------------------------- */

/* ridden() - Cpus on which a harvester runs now. */
static struct cpumask ridden(const struct snapshot *s)
{
	struct cpumask m = { 0 };

	for (unsigned i = 0; i < s->vcpu_cnt; i++) {
		const struct vcpu_view *v = &s->vcpu[i];
		uint16_t vm = snapshot_vm(s, (uint16_t)i);

		if (vm != VM_NONE && v->run == VCPU_RUN_RUNNING &&
		    s->vm[vm].class == VM_CLASS_BEST_EFFORT)
			cpumask_set(&m, v->last_cpu);
	}
	return m;
}

/* labours() - Is the owner of @cpu running, and has it for a while? */
static bool labours(const struct snapshot *s, uint16_t cpu)
{
	const struct vcpu_view *v = &s->vcpu[s->cpu[cpu].owner];

	return v->run == VCPU_RUN_RUNNING && v->since_ns <= s->now_ns &&
	       s->now_ns - v->since_ns >= SIBLING_RUN_NS;
}

static bool room(const struct sibling_state *st, const struct snapshot *s)
{
	return st->cnt < SIBLING_BARS_MAX &&
	       2 * (st->cnt + 1u) <= cpumask_count(&s->managed);
}

/* settle_hold() - How long bars for @m stand, going by how the last one ended.
 */
static void settle_hold(struct sibling_vm *m, uint64_t now_ns)
{
	if (m->lifted_ns && now_ns - m->lifted_ns < 2 * m->hold_ns)
		m->hold_ns *= 2;
	else if (m->lifted_ns)
		m->hold_ns /= 2;
	m->lifted_ns = 0;
	if (m->hold_ns < SIBLING_HOLD_NS)
		m->hold_ns = SIBLING_HOLD_NS;
	if (m->hold_ns > SIBLING_HOLD_MAX)
		m->hold_ns = SIBLING_HOLD_MAX;
}

/* rest() - Bar harvesters from @cpu for the sake of @vm's @owned. */
static void rest(struct sibling_state *st, const struct snapshot *s,
		 uint16_t cpu, uint16_t owned, uint16_t vm)
{
	struct sibling_bar *b = &st->bar[st->cnt++];

	*b = (struct sibling_bar){
		.cpu = cpu,
		.owned = owned,
		.vm = vm,
		.until_ns = s->now_ns + st->vm[vm].hold_ns,
	};
	cpumask_set(&st->off, cpu);
	if (st->cnt == 1 || b->until_ns < st->due_ns)
		st->due_ns = b->until_ns;
}

/* guarded() - Does a bar protect @cpu? Then harvesters may ride on it still: so
 * that there is always a cpu for them. */
static bool guarded(const struct sibling_state *st, uint16_t cpu)
{
	for (unsigned i = 0; i < st->cnt; i++)
		if (st->bar[i].owned == cpu)
			return true;
	return false;
}

/* protect() - Bar what harvesters ride on beside @cpu of @vm. Return: did it?
 */
static bool protect(struct sibling_state *st, const struct snapshot *s,
		    uint16_t cpu, uint16_t vm, const struct cpumask *busy)
{
	uint16_t next = s->cpu[cpu].sibling;
	bool did = false;

	if (cpumask_has(&st->off, cpu))
		return false;
	for (unsigned i = 1; i < THREADS_MAX; i++) {
		if (next >= s->cpu_cnt || next == cpu)
			break;
		if (s->cpu[next].managed && cpumask_has(busy, next) &&
		    !cpumask_has(&st->off, next) && !guarded(st, next) &&
		    room(st, s)) {
			rest(st, s, next, cpu, vm);
			did = true;
		}
		next = s->cpu[next].sibling;
	}
	return did;
}

/* protect_vm() - The same for all cpus it owns. */
static bool protect_vm(struct sibling_state *st, const struct snapshot *s,
		       uint16_t vm, const struct cpumask *busy)
{
	struct sibling_vm *m = &st->vm[vm];
	struct sibling_vm before = *m;
	bool did = false;

	settle_hold(m, s->now_ns);
	for (unsigned i = 0; i < s->vm[vm].vcpu_cnt; i++) {
		unsigned vcpu = s->vm[vm].first_vcpu + i;
		uint16_t cpu =
		    vcpu < s->vcpu_cnt ? s->vcpu[vcpu].cpu : (uint16_t)CPU_NONE;

		if (owner_vm(s, cpu) == vm && s->cpu[cpu].owner == vcpu &&
		    s->cpu[cpu].managed && labours(s, cpu))
			did |= protect(st, s, cpu, vm, busy);
	}
	if (!did)
		*m = before;
	return did;
}

/* --- the pass ------------------------------------------------------------ */

/* watch() - The VMs that changed: who is in trouble? */
static bool watch(struct sibling_state *st, const struct snapshot *s)
{
	bool any = false;

	for (unsigned i = 0; i < s->changed_cnt; i++) {
		uint16_t vm = s->changed[i];
		const struct vm_view *v;

		if (vm >= s->vm_cnt)
			continue;
		v = &s->vm[vm];
		if (!v->present || v->class != VM_CLASS_LATENCY_CRITICAL ||
		    !v->slo_ns) {
			st->vm[vm] = (struct sibling_vm){ 0 };
			continue;
		}
		if (in_trouble(&st->vm[vm], v, s->now_ns)) {
			st->vm[vm].trouble_ns = s->now_ns;
			any = true;
		}
	}
	return any;
}

static bool bar_all(struct sibling_state *st, const struct snapshot *s)
{
	struct cpumask busy = ridden(s);
	bool did = false;

	st->look_ns = s->now_ns + SIBLING_LOOK_NS;
	for (unsigned i = 0; i < s->changed_cnt; i++) {
		uint16_t vm = s->changed[i];

		if (vm < s->vm_cnt && st->vm[vm].trouble_ns == s->now_ns)
			did |= protect_vm(st, s, vm, &busy);
	}
	return did;
}

/* over() - May @b go? Puts its end off while there is trouble. */
static bool over(struct sibling_state *st, const struct snapshot *s,
		 struct sibling_bar *b)
{
	struct sibling_vm *m = &st->vm[b->vm];

	if (owner_vm(s, b->owned) != b->vm || !s->cpu[b->owned].managed ||
	    b->cpu >= s->cpu_cnt || !s->cpu[b->cpu].managed)
		return true;
	if (s->now_ns < b->until_ns)
		return false;
	if (s->now_ns - m->trouble_ns >= m->hold_ns) {
		m->lifted_ns = s->now_ns;
		return true;
	}
	b->until_ns = m->trouble_ns + m->hold_ns;
	return false;
}

static bool lift(struct sibling_state *st, const struct snapshot *s)
{
	unsigned left = 0, had = st->cnt;

	st->due_ns = UINT64_MAX;
	st->off = (struct cpumask){ 0 };
	for (unsigned i = 0; i < had; i++) {
		struct sibling_bar b = st->bar[i];

		if (over(st, s, &b))
			continue;
		st->bar[left++] = b;
		cpumask_set(&st->off, b.cpu);
		if (b.until_ns < st->due_ns)
			st->due_ns = b.until_ns;
	}
	st->cnt = (uint16_t)left;
	return left < had;
}

enum reason sibling_pass(struct sibling_state *st, const struct snapshot *s)
{
	enum reason why = REASON_NONE;
	bool trouble = watch(st, s);

	if (st->cnt && (s->changed_cnt || s->now_ns >= st->due_ns) &&
	    lift(st, s))
		why = REASON_RELIEF;
	if (trouble && s->now_ns >= st->look_ns && bar_all(st, s))
		why = REASON_SIBLING;
	return why;
}
