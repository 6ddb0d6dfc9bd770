// SPDX-License-Identifier: Apache-2.0
/*
 * host.c - hostd: senses, decides, owns, moves
 *
 * The policy under test runs here as in hostd: over a snapshot filled the same
 * way, with hostd's own ownership table behind it. What differs is only that
 * moves take virtual time until the kernel knows them, and that a decision
 * nobody waits for is put off, as the loop's sleep does.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine.h"
#include "policy/snapshot.h"

/* An agent looks at its workers so often (guest-agent's tick). */
#define HINT_NS	     20000000ull
#define HINT_WAIT_NS 1000000000ull /* longest wait that can be said */

static void show_host(struct sim *s)
{
	struct snapshot *snap = s->snap;

	snap->cpu_cnt = (uint16_t)s->cpu_cnt;
	snap->node_cnt = (uint16_t)s->node_cnt;
	for (unsigned i = 0; i < s->cpu_cnt; i++) {
		const struct cpu *c = &s->cpu[i];

		snap->cpu[i] = (struct cpu_view){ .managed = true,
						  .floor = i < s->s->floor,
						  .owner = VCPU_NONE,
						  .sibling = c->sibling,
						  .llc = c->llc,
						  .node = c->node };
	}
	for (unsigned i = 0; i < s->node_cnt; i++)
		for (unsigned j = 0; j < s->node_cnt; j++)
			snap->node[i].distance[j] = i == j ? 10 : 20;
}

static void show_vm(struct sim *s, struct sim_vm *vm)
{
	const struct sim_kind *k = vm->kind;
	struct vm_view *view = &s->snap->vm[vm_nr(s, vm)];

	*view = (struct vm_view){ .present = true,
				  .has_port = k->port,
				  .class = k->class,
				  .cpus_min = k->min,
				  .cpus_max = k->max,
				  .weight = k->weight,
				  .first_vcpu = vm->first,
				  .vcpu_cnt = vm->cnt,
				  .slo_ns = k->slo_ns,
				  .slo_permyriad = k->slo_permyriad,
				  .slo_signal = k->slo_signal,
				  .node = vm->node };
	owners_vm_set(s->owners, vm_nr(s, vm), k->class, vm->first, vm->cnt);
	for (unsigned i = 0; i < vm->cnt; i++)
		s->snap->vcpu[vm->first + i] =
		    (struct vcpu_view){ .vm = vm_nr(s, vm),
					.cpu = CPU_NONE,
					.last_cpu = CPU_NONE,
					.run = VCPU_RUN_HALTED };
}

int host_open(struct sim *s)
{
	struct cpumask floor = { 0 };

	s->snap = calloc(1, sizeof(*s->snap));
	s->plan = calloc(1, sizeof(*s->plan));
	s->owners = calloc(1, sizeof(*s->owners));
	s->masks = calloc(1, sizeof(*s->masks));
	if (s->p->mode == SIM_OWN)
		s->state = calloc(1, s->p->ops->state_bytes + 1);
	if (!s->snap || !s->plan || !s->owners || !s->masks ||
	    (s->p->mode == SIM_OWN && !s->state))
		return -ENOMEM;
	for (unsigned i = 0; i < s->s->floor; i++)
		cpumask_set(&floor, i);
	owners_init(s->owners, &s->all, &floor);
	show_host(s);
	s->snap->vm_cnt = (uint16_t)s->vm_cnt;
	s->snap->vcpu_cnt = (uint16_t)s->vcpu_cnt;
	for (unsigned i = 0; i < s->vm_cnt; i++)
		show_vm(s, &s->vm[i]);
	snapshot_index(s->snap);
	snapshot_mark_all(s->snap);
	for (unsigned i = 0; i < s->vcpu_cnt; i++)
		s->vcpu[i].mask = s->p->mode == SIM_OWN
				      ? owners_mask(s->owners, (uint16_t)i)
				      : s->all;
	for (unsigned i = 0; i < s->vm_cnt; i++)
		if (s->vm[i].kind->agent && s->p->mode == SIM_OWN)
			heap_set(&s->heap, s->id.hint + i, HINT_NS);
	if (s->p->mode == SIM_OWN)
		heap_set(&s->heap, s->id.decide, 0);
	return 0;
}

void host_close(struct sim *s)
{
	free(s->state);
	free(s->masks);
	free(s->owners);
	free(s->plan);
	free(s->snap);
}

bool host_owns(const struct sim *s, const struct sim_vm *vm,
	       const struct cpu *c)
{
	uint16_t vcpu = owners_of_cpu(s->owners, (uint16_t)(c - s->cpu));

	return vcpu != VCPU_NONE && s->vcpu[vcpu].vm == vm_nr(s, vm);
}

void host_changed(struct sim *s, struct sim_vm *vm)
{
	uint16_t nr = vm_nr(s, vm);
	uint64_t due_ns;

	if (s->p->mode != SIM_OWN)
		return;
	s->changed[nr / 64] |= 1ull << nr % 64;
	if (!is_lc(vm) || !s->put_off)
		return;
	due_ns = s->decided_ns + s->p->interval_ns;
	heap_set(&s->heap, s->id.decide,
		 due_ns > s->now_ns ? due_ns : s->now_ns);
	s->put_off = false;
}

/* --- sense --------------------------------------------------------------- */

static void sense_vcpu(struct sim *s, struct vm_view *view, unsigned nr)
{
	struct vcpu_view *to = &s->snap->vcpu[nr];
	const struct vcpu *v = &s->vcpu[nr];
	uint64_t open_ns = s->now_ns - v->since_ns;
	bool ready = v->run == VCPU_RUN_READY;

	to->run = v->run;
	to->since_ns = v->since_ns;
	to->last_cpu = v->ran_on;
	to->ran_ns = v->ran_ns;
	to->waited_ns = v->waited_ns;
	if (ready && open_ns > view->ready_ns)
		view->ready_ns = open_ns;
	if (v->ring.cnt && view->has_port) {
		uint64_t age_ns = s->now_ns - s->req[v->ring.head].arrived_ns;

		if (age_ns > view->delay_ns)
			view->delay_ns = age_ns;
	}
}

static void sense_vm(struct sim *s, struct sim_vm *vm)
{
	struct vm_view *view = &s->snap->vm[vm_nr(s, vm)];

	view->ready_ns = view->delay_ns = 0;
	for (unsigned i = 0; i < vm->cnt; i++)
		sense_vcpu(s, view, vm->first + i);
	if (vm->kind->slo_signal == SLO_RESPONSE) {
		view->done = vm->all_done;
		view->late = vm->all_late;
	} else {
		view->done = vm->delay_done;
		view->late = vm->delay_late;
	}
}

/* grow_older() - Nothing of @vm has changed, but something of it waits. */
static void grow_older(struct vm_view *view, uint64_t by_ns)
{
	if (view->ready_ns)
		view->ready_ns += by_ns;
	if (view->delay_ns)
		view->delay_ns += by_ns;
}

/* sense() - Refresh what is not as it was, and what time alone changes. */
static void sense(struct sim *s)
{
	struct snapshot *snap = s->snap;
	uint64_t by_ns = s->now_ns - snap->now_ns;

	snap->now_ns = s->now_ns;
	s->snap->move_ns = s->cost.move_ns;
	for (unsigned i = 0; i < SIM_VM_MAX / 64; i++) {
		uint64_t fresh = s->changed[i], old = s->waiting[i] & ~fresh;

		s->changed[i] = 0;
		for (; fresh; fresh &= fresh - 1) {
			unsigned vm = i * 64 + (unsigned)__builtin_ctzll(fresh);

			sense_vm(s, &s->vm[vm]);
			snapshot_mark(snap, (uint16_t)vm);
		}
		for (; old; old &= old - 1) {
			unsigned vm = i * 64 + (unsigned)__builtin_ctzll(old);

			grow_older(&snap->vm[vm], by_ns);
			snapshot_mark(snap, (uint16_t)vm);
		}
	}
	snapshot_list(snap);
}

/* --- decide and act ------------------------------------------------------ */

static uint64_t wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* note_own() - @vm is about to own another number of cpus. */
static void note_own(struct sim *s, struct sim_vm *vm)
{
	const struct vm_view *view = &s->snap->vm[vm_nr(s, vm)];

	vm->owned_ns += view->owned * (s->now_ns - vm->owned_since_ns);
	vm->owned_since_ns = s->now_ns;
	vm->moves++;
	if (vm->kind->agent && s->p->ops->tells_agents)
		heap_set(&s->heap, s->id.agent + vm_nr(s, vm),
			 s->now_ns + s->cost.agent_ns);
}

/* show_owner() - @cpu has another owner: into the snapshot. */
static void show_owner(struct sim *s, unsigned cpu)
{
	uint16_t was = s->snap->cpu[cpu].owner;
	uint16_t is = owners_of_cpu(s->owners, (uint16_t)cpu);

	if (was == is)
		return;
	cpu_charge(s, &s->cpu[cpu]); /* the floor's bill: run time so far */
	s->moves++;
	if (was != VCPU_NONE) {
		struct sim_vm *vm = &s->vm[s->vcpu[was].vm];

		note_own(s, vm);
		vm->taken += s->vcpu[was].run != VCPU_RUN_HALTED;
	}
	if (is != VCPU_NONE)
		note_own(s, &s->vm[s->vcpu[is].vm]);
	snapshot_own(s->snap, (uint16_t)cpu, is);
}

static void act(struct sim *s)
{
	uint64_t at_ns = s->now_ns + s->cost.move_ns;
	unsigned refused;

	refused = owners_apply(s->owners, s->snap, s->plan, s->masks);
	cpumask_for_each (cpu, &s->owners->moved)
		show_owner(s, cpu);
	s->owners->moved = (struct cpumask){ 0 };
	for (unsigned i = 0; i < s->masks->count; i++) {
		heap_set(&s->heap, s->id.move + s->masks->vcpu[i], at_ns);
		at_ns += s->cost.move_next_ns;
	}
	check_after(s, refused);
}

void host_decide(struct sim *s)
{
	uint64_t began_ns, wait_ns = SIM_CALM_NS;

	sense(s);
	s->plan->count = s->plan->bar_cnt = 0;
	began_ns = wall_ns();
	s->p->ops->decide(s->state, s->snap, s->plan);
	s->decide_wall_ns += wall_ns() - began_ns;
	s->decisions++;
	/* the thread that decides hands out the moves too */
	s->decided_ns = s->now_ns + s->plan->count * s->cost.move_next_ns;
	s->put_off = !s->lc_waiting;
	if (!s->put_off || wait_ns < s->p->interval_ns)
		wait_ns = s->p->interval_ns;
	heap_set(&s->heap, s->id.decide, s->decided_ns + wait_ns);
	if (!s->plan->count && !s->plan->bar_cnt)
		return;
	check_plan(s);
	act(s);
}

void host_move(struct sim *s, struct vcpu *v)
{
	struct cpumask mask = owners_mask(s->owners, vcpu_nr(s, v));
	enum rank rank = RANK_LC;

	if (!is_lc(vm_of(s, v)))
		rank = RANK_BE;
	else if (s->s->riders_behind &&
		 s->snap->vcpu[vcpu_nr(s, v)].cpu != CPU_NONE)
		rank = RANK_OWNER;
	place_mask(s, v, &mask, rank);
}

/* --- agents -------------------------------------------------------------- */

void host_told(struct sim *s, struct sim_vm *vm)
{
	uint64_t told = 0;

	for (unsigned i = 0; i < vm->cnt; i++)
		if (s->snap->vcpu[vm->first + i].cpu != CPU_NONE)
			told |= 1ull << i;
	guest_told(s, vm, told);
}

void host_hint(struct sim *s, struct sim_vm *vm)
{
	struct vm_view *view = &s->snap->vm[vm_nr(s, vm)];
	uint64_t wait_ns = guest_wait_ns(s, vm);
	uint32_t wanted = vm->queue.cnt;

	for (unsigned i = 0; i < vm->cnt; i++) {
		const struct vcpu *v = &s->vcpu[vm->first + i];
		bool busy = v->req != REQ_NONE || v->spin;

		s->snap->vcpu[vm->first + i].hint_runnable = busy;
		wanted += busy;
	}
	if (vm->kind->agent == AGENT_LIAR) {
		wanted = vm->cnt;
		wait_ns = HINT_WAIT_NS;
	}
	view->hinted = true;
	view->hint_wanted = (uint16_t)(wanted < vm->cnt ? wanted : vm->cnt);
	view->hint_wait_ns = wait_ns < HINT_WAIT_NS ? wait_ns : HINT_WAIT_NS;
	host_changed(s, vm);
	heap_set(&s->heap, s->id.hint + vm_nr(s, vm), s->now_ns + HINT_NS);
}
