// SPDX-License-Identifier: Apache-2.0
/*
 * replay_run.c - policies decide again on what was recorded
 *
 * The recording drives everything: replay_go() reads one look after the other,
 * lets the time up to it pass (step() at each moment a policy would have
 * looked), takes over what changed, and decides. A run is what hostd's loop
 * does between sense and actuate: snapshot, plan, ownership table, snapshot.
 */
#include "replay_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/snapshot.h"

int replay_add(struct replay *p, const struct policy_ops *ops)
{
	struct replay_run *run;

	if (p->cnt == REPLAY_RUNS)
		return -ENOSPC;
	run = calloc(1, sizeof(*run));
	if (!run)
		return -ENOMEM;
	run->state = calloc(1, ops->state_bytes + 1);
	if (!run->state) {
		free(run);
		return -ENOMEM;
	}
	run->ops = ops;
	p->run[p->cnt++] = run;
	p->tally[p->cnt].name = ops->name;
	return 0;
}

void replay_free(struct replay *p)
{
	while (p->cnt) {
		struct replay_run *run = p->run[--p->cnt];

		free(run->state);
		free(run);
	}
}

/* --- tallies -----------------------------------------------------------------
 */

static void owned_by(struct replay_tally *t, uint16_t vm, int delta,
		     uint64_t now_ns)
{
	struct replay_vm *v = &t->vm[vm];

	v->owned_ns += v->owned * (now_ns - v->since_ns);
	v->since_ns = now_ns;
	v->owned = (uint16_t)(v->owned + delta);
}

/* belongs() - @cpu is @vm's from now on. */
static void belongs(struct replay_tally *t, uint16_t cpu, uint16_t vm,
		    uint64_t now_ns)
{
	uint16_t was = t->cpu_vm[cpu];

	if (was == vm)
		return;
	if (was != VM_NONE) {
		owned_by(t, was, -1, now_ns);
		t->vm[was].lost++;
	}
	if (vm != VM_NONE) {
		owned_by(t, vm, 1, now_ns);
		t->vm[vm].gained++;
	}
	t->cpu_vm[cpu] = vm;
	t->moves++;
}

/* What a VM owned when deciding began, or owns at the end, is no move. */
static void tally_begin(struct replay_tally *t, uint64_t now_ns)
{
	t->moves = 0;
	for (unsigned i = 0; i < VM_MAX; i++)
		t->vm[i] = (struct replay_vm){ .owned = t->vm[i].owned,
					       .since_ns = now_ns };
}

static void tally_end(struct replay_tally *t, uint64_t now_ns)
{
	for (unsigned i = 0; i < VM_MAX; i++)
		owned_by(t, (uint16_t)i, 0, now_ns);
}

/* recorded() - The cpus hostd let @vm own, as of this look: those it gained,
 * or those it lost. All that were gained come first: a cpu that goes from VM to
 * VM moves once. */
static void recorded(struct replay *p, uint16_t vm, bool gained)
{
	struct replay_tally *t = &p->tally[REPLAY_RECORDED];
	const struct snapshot *s = &p->file.s;
	const struct vm_view *v = &s->vm[vm];
	struct cpumask own = { 0 };

	for (unsigned i = 0; i < v->vcpu_cnt; i++)
		if (s->vcpu[v->first_vcpu + i].vm == vm)
			cpumask_set(&own, s->vcpu[v->first_vcpu + i].cpu);
	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++)
		if (gained && cpumask_has(&own, cpu))
			belongs(t, cpu, vm, s->now_ns);
		else if (!gained && !cpumask_has(&own, cpu) &&
			 t->cpu_vm[cpu] == vm)
			belongs(t, cpu, VM_NONE, s->now_ns);
}

/* --- one policy
 * --------------------------------------------------------------- */

/* show_owners() - From the ownership table to the snapshot and the tally. */
static void show_owners(struct replay_run *run, struct replay_tally *t)
{
	struct cpumask moved = run->owners.moved;
	struct snapshot *s = &run->s;

	run->owners.moved = (struct cpumask){ 0 };
	cpumask_for_each (i, &moved) {
		uint16_t cpu = (uint16_t)i;
		uint16_t vcpu = owners_of_cpu(&run->owners, cpu);

		if (vcpu != s->cpu[cpu].owner)
			snapshot_own(s, cpu, vcpu);
		belongs(t, cpu, vcpu == VCPU_NONE ? VM_NONE : s->vcpu[vcpu].vm,
			s->now_ns);
	}
}

/* plug() - VMs that came, left, or have other vcpus. First all that must let
 * go of slots, for another one may have them now. */
static void plug(const struct replay_file *f, struct replay_run *run)
{
	for (unsigned i = 0; i < f->s.changed_cnt; i++) {
		uint16_t vm = f->s.changed[i];
		const struct owners_vm *was = &run->owners.vm[vm];
		const struct vm_view *v = &run->s.vm[vm];

		if (was->present && (!v->present || was->class != v->class ||
				     was->first_vcpu != v->first_vcpu ||
				     was->vcpu_cnt != v->vcpu_cnt))
			owners_vm_del(&run->owners, vm);
	}
	for (unsigned i = 0; i < f->s.changed_cnt; i++) {
		uint16_t vm = f->s.changed[i];
		const struct vm_view *v = &run->s.vm[vm];

		if (v->present)
			owners_vm_set(&run->owners, vm, v->class, v->first_vcpu,
				      v->vcpu_cnt);
	}
}

/* configure() - Cpus or VMs are other ones. */
static void configure(const struct replay_file *f, struct replay_run *run,
		      struct replay_tally *t)
{
	struct cpumask managed = { 0 }, floor = { 0 };
	struct snapshot *s = &run->s;

	for (unsigned i = 0; i < s->cpu_cnt && i < CPU_MAX; i++) {
		if (s->cpu[i].managed)
			cpumask_set(&managed, i);
		if (s->cpu[i].floor)
			cpumask_set(&floor, i);
	}
	owners_set(&run->owners, &managed, &floor);
	plug(f, run);
	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++)
		s->cpu[cpu].owner = owners_of_cpu(&run->owners, cpu);
	snapshot_index(s);
	show_owners(run, t);
}

/* see_vcpus() - From @first on, but for what they own here. */
static void see_vcpus(const struct snapshot *from, struct snapshot *to,
		      unsigned first, unsigned cnt)
{
	for (unsigned i = first; i < first + cnt; i++) {
		uint16_t cpu = to->vcpu[i].cpu;

		to->vcpu[i] = from->vcpu[i];
		to->vcpu[i].cpu = cpu;
	}
}

static void see_vm(const struct replay *p, struct replay_run *run, uint16_t vm)
{
	const struct snapshot *from = &p->file.s;
	struct vm_view *v = &run->s.vm[vm], was = *v;

	*v = from->vm[vm];
	v->owned = was.owned;
	v->plugged = was.plugged;
	v->due = was.due;
	for (unsigned i = 0; i < p->slo_cnt; i++)
		if (!strcmp(p->slo[i].vm, p->file.name[vm]))
			v->slo_ns = p->slo[i].ns;
	see_vcpus(from, &run->s, was.first_vcpu, was.vcpu_cnt);
	see_vcpus(from, &run->s, v->first_vcpu, v->vcpu_cnt);
	snapshot_mark(&run->s, vm);
}

/* see() - What this look of the recording has that is new. */
static void see(const struct replay *p, struct replay_run *run,
		struct replay_tally *t)
{
	const struct snapshot *from = &p->file.s;
	struct snapshot *s = &run->s;

	s->now_ns = from->now_ns;
	s->move_ns = from->move_ns;
	s->vm_cnt = from->vm_cnt;
	s->vcpu_cnt = from->vcpu_cnt;
	s->node_cnt = from->node_cnt;
	memcpy(s->node, from->node, sizeof(s->node));
	if (p->file.configured)
		for (; s->cpu_cnt < from->cpu_cnt; s->cpu_cnt++)
			s->cpu[s->cpu_cnt].owner = VCPU_NONE;
	for (unsigned i = 0; p->file.configured && i < s->cpu_cnt; i++) {
		struct cpu_view *c = &s->cpu[i];

		c->managed = from->cpu[i].managed;
		c->floor = from->cpu[i].floor;
		c->sibling = from->cpu[i].sibling;
		c->llc = from->cpu[i].llc;
		c->node = from->cpu[i].node;
	}
	for (unsigned i = 0; i < from->changed_cnt; i++)
		see_vm(p, run, from->changed[i]);
	if (p->file.configured)
		configure(&p->file, run, t);
}

static void decide(struct replay_run *run, struct replay_tally *t)
{
	run->plan.count = run->plan.bar_cnt = 0;
	snapshot_list(&run->s);
	run->ops->decide(run->state, &run->s, &run->plan);
	t->decisions++;
	if (!run->plan.count && !run->plan.bar_cnt)
		return;
	for (unsigned i = 0; i < run->plan.count; i++)
		t->reason[run->plan.grant[i].reason]++;
	for (unsigned i = 0; i < run->plan.bar_cnt; i++)
		t->reason[run->plan.bar[i].reason]++;
	t->refused +=
	    owners_apply(&run->owners, &run->s, &run->plan, &run->changed);
	show_owners(run, t);
}

/* adopt() - Begin with the owners that were recorded. */
static void adopt(const struct replay *p, struct replay_run *run,
		  struct replay_tally *t)
{
	const struct snapshot *from = &p->file.s;
	struct plan *plan = &run->plan;

	plan->count = plan->bar_cnt = 0;
	for (unsigned i = 0; i < from->vcpu_cnt; i++)
		if (from->vcpu[i].vm != VM_NONE &&
		    from->vcpu[i].cpu != CPU_NONE)
			plan_add(plan, from->vcpu[i].cpu, (uint16_t)i,
				 REASON_NONE);
	owners_apply(&run->owners, &run->s, plan, &run->changed);
	show_owners(run, t);
}

/* --- time
 * --------------------------------------------------------------------- */

/* wait_list() - VMs with a wait are looked at each time. */
static void wait_list(struct replay *p, uint16_t vm, bool waits)
{
	if (waits && !p->waits[vm])
		p->waiting[p->waiting_cnt++] = vm;
	p->waits[vm] = waits;
}

/* passed() - So much time, with the owners as they are. */
static void passed(struct replay *p, uint64_t ns)
{
	for (unsigned i = 0; i < p->waiting_cnt; i++) {
		uint16_t vm = p->waiting[i];
		const struct vm_view *v = &p->run[0]->s.vm[vm];

		if (!v->slo_ns ||
		    (v->delay_ns <= v->slo_ns && v->ready_ns <= v->slo_ns))
			continue;
		p->over_ns[vm] += ns;
		for (unsigned j = 1; j <= p->cnt; j++)
			if (p->tally[j].vm[vm].owned >
			    p->tally[REPLAY_RECORDED].vm[vm].owned)
				p->tally[j].vm[vm].helped_ns += ns;
	}
}

/* step() - It is @now_ns: waits are older, and everybody decides. */
static void step(struct replay *p, uint64_t now_ns)
{
	const struct snapshot *first = &p->run[0]->s;

	for (unsigned i = 0; i < p->waiting_cnt; i++)
		replay_ages(&p->run[0]->s, p->waiting[i],
			    p->untaken_ns[p->waiting[i]], now_ns);
	passed(p, now_ns - p->now_ns);
	p->now_ns = now_ns;
	for (unsigned j = 0; j < p->cnt; j++) {
		struct snapshot *s = &p->run[j]->s;

		s->now_ns = now_ns;
		for (unsigned i = 0; i < p->waiting_cnt; i++) {
			uint16_t vm = p->waiting[i];

			s->vm[vm].delay_ns = first->vm[vm].delay_ns;
			s->vm[vm].ready_ns = first->vm[vm].ready_ns;
			snapshot_mark(s, vm);
		}
		decide(p->run[j], &p->tally[j + 1]);
	}
}

/* pass_until() - All moments at which a policy would have looked before
 * @now_ns. */
static void pass_until(struct replay *p, uint64_t now_ns, uint64_t interval_ns)
{
	for (;;) {
		uint64_t ns = p->waiting_cnt ? interval_ns : REPLAY_REST_NS;

		if (now_ns - p->now_ns <= ns)
			break;
		step(p, p->now_ns + ns);
	}
	passed(p, now_ns - p->now_ns);
	p->now_ns = now_ns;
}

/* begin() - Nothing is known yet. */
static void begin(struct replay *p)
{
	const struct cpumask none = { 0 };

	p->tally[REPLAY_RECORDED].name = "recorded";
	for (unsigned j = 0; j <= p->cnt; j++)
		for (unsigned i = 0; i < CPU_MAX; i++)
			p->tally[j].cpu_vm[i] = VM_NONE;
	for (unsigned j = 0; j < p->cnt; j++) {
		owners_init(&p->run[j]->owners, &none, &none);
		for (unsigned i = 0; i < VCPU_MAX; i++) {
			p->run[j]->s.vcpu[i].vm = VM_NONE;
			p->run[j]->s.vcpu[i].cpu = CPU_NONE;
			p->run[j]->s.vcpu[i].last_cpu = CPU_NONE;
		}
	}
}

/* go_live() - All that was there when the recording began is known. */
static void go_live(struct replay *p)
{
	p->live = true;
	p->began_ns = p->now_ns = p->file.s.now_ns;
	for (unsigned j = 0; j < p->cnt; j++)
		adopt(p, p->run[j], &p->tally[j + 1]);
	for (unsigned j = 0; j <= p->cnt; j++)
		tally_begin(&p->tally[j], p->now_ns);
	memset(p->over_ns, 0, sizeof(p->over_ns));
}

/* look() - One look of the recording. */
static void look(struct replay *p)
{
	const struct snapshot *s = &p->file.s;
	uint16_t kept = 0;

	for (unsigned i = 0; i < s->changed_cnt; i++) {
		uint16_t vm = s->changed[i];

		p->seen[vm] |= s->vm[vm].present;
		p->untaken_ns[vm] = p->file.untaken_ns[vm];
		recorded(p, vm, true);
		wait_list(
		    p, vm,
		    replay_ages(&p->file.s, vm, p->untaken_ns[vm], s->now_ns));
	}
	for (unsigned i = 0; i < s->changed_cnt; i++)
		recorded(p, s->changed[i], false);
	for (unsigned i = 0; i < p->waiting_cnt; i++)
		if (p->waits[p->waiting[i]])
			p->waiting[kept++] = p->waiting[i];
	p->waiting_cnt = kept;
	for (unsigned j = 0; j < p->cnt; j++)
		see(p, p->run[j], &p->tally[j + 1]);
	for (unsigned i = 0; i < p->file.plan.count; i++)
		p->tally[REPLAY_RECORDED]
		    .reason[p->file.plan.grant[i].reason]++;
	for (unsigned i = 0; i < p->file.plan.bar_cnt; i++)
		p->tally[REPLAY_RECORDED].reason[p->file.plan.bar[i].reason]++;
}

int replay_go(struct replay *p, FILE *f)
{
	uint64_t interval_ns;
	int n;

	if (replay_open(&p->file, f))
		return -1;
	begin(p);
	for (;;) {
		interval_ns = p->file.time.interval_ns;
		n = replay_next(&p->file);
		if (n <= 0)
			break;
		if (p->live)
			pass_until(p, p->file.s.now_ns, interval_ns);
		look(p);
		if (p->live)
			step(p, p->file.s.now_ns);
		else if (p->file.time.whole)
			go_live(p);
	}
	if (!n && p->live)
		pass_until(p, p->file.end_ns, interval_ns);
	for (unsigned j = 0; j <= p->cnt; j++)
		tally_end(&p->tally[j], p->now_ns);
	return n;
}
