// SPDX-License-Identifier: Apache-2.0
/*
 * cpu.c - a cpu: who has it, for how long, how fast
 *
 * Who waits here and who is next: queue.c. One of a better rank takes the cpu
 * at once; others have a slice each while somebody waits.
 *
 * Getting a cpu takes time: a resting cpu wakes up, a busy one switches, and a
 * vcpu whose caches are cold (it ran elsewhere, or others ran here meanwhile)
 * does more work for the same. Until it really runs it is READY, as a sensor in
 * the kernel sees it. How fast it runs depends on the SMT sibling, on where its
 * memory is, and on the bandwidth left there.
 *
 * Each cpu has one event: its vcpu begins, completes its request, or ends its
 * turn, whichever comes first.
 */
#include "engine.h"

#define SPEED_ONE 1024u

static uint32_t cpu_id(const struct sim *s, const struct cpu *c)
{
	return s->id.cpu + (uint32_t)(c - s->cpu);
}

static uint16_t cpu_nr(const struct sim *s, const struct cpu *c)
{
	return (uint16_t)(c - s->cpu);
}

/* --- time and speed ------------------------------------------------------ */

/* progress() - @v has done @work_ns. */
static void progress(struct sim *s, struct sim_vm *vm, struct vcpu *v,
		     uint64_t work_ns)
{
	uint64_t extra_ns = v->extra_ns < work_ns ? v->extra_ns : work_ns;

	v->extra_ns -= extra_ns;
	work_ns -= extra_ns;
	vm->work_ns += work_ns;
	if (v->req != REQ_NONE) {
		struct req *r = &s->req[v->req];

		r->begun = true;
		r->work_ns -= work_ns < r->work_ns ? work_ns : r->work_ns;
	}
}

void cpu_charge(struct sim *s, struct cpu *c)
{
	uint64_t ran_ns = s->now_ns - c->done_ns;
	struct sim_vm *vm;
	struct vcpu *v;

	c->done_ns = s->now_ns;
	if (c->cur == VCPU_NONE || c->starting || !ran_ns)
		return;
	v = &s->vcpu[c->cur];
	vm = vm_of(s, v);
	c->busy_ns += ran_ns;
	v->turn += queue_time(s, v, ran_ns);
	vm->run_ns += ran_ns;
	if (s->p->mode == SIM_OWN && is_lc(vm) && !host_owns(s, vm, c))
		vm->guest_ns += ran_ns;
	progress(s, vm, v, ran_ns * c->speed / SPEED_ONE);
}

static uint32_t speed_of(const struct sim *s, const struct cpu *c)
{
	const struct sim_vm *vm = &s->vm[s->vcpu[c->cur].vm];
	uint64_t speed = SPEED_ONE;

	if (c->sibling != CPU_NONE && s->cpu[c->sibling].cur != VCPU_NONE)
		speed = speed * s->cost.smt_speed / 1000;
	if (vm->node != c->node)
		speed = speed * s->cost.remote_speed / 1000;
	if (vm->memory_mb_s)
		speed = speed * s->node_speed[vm->node] / SPEED_ONE;
	return speed ? (uint32_t)speed : 1;
}

/* plan_event() - When does something happen here next? */
static void plan_event(struct sim *s, struct cpu *c)
{
	uint64_t at_ns = UINT64_MAX, left_ns, turn_ns;
	const struct vcpu *v;

	if (c->cur == VCPU_NONE) {
		heap_drop(&s->heap, cpu_id(s, c));
		return;
	}
	v = &s->vcpu[c->cur];
	if (c->starting) {
		heap_set(&s->heap, cpu_id(s, c), c->begin_ns);
		return;
	}
	if (v->req != REQ_NONE) {
		left_ns = v->extra_ns + s->req[v->req].work_ns;
		at_ns =
		    s->now_ns + (left_ns * SPEED_ONE + c->speed - 1) / c->speed;
	}
	c->queue_turn = c->waiting[v->rank];
	if (c->queue_turn) {
		turn_ns = c->turn_ns + s->cost.slice_ns;
		if (turn_ns < s->now_ns)
			turn_ns = s->now_ns;
		at_ns = turn_ns < at_ns ? turn_ns : at_ns;
	}
	if (at_ns == UINT64_MAX)
		heap_drop(&s->heap, cpu_id(s, c));
	else
		heap_set(&s->heap, cpu_id(s, c), at_ns);
}

void cpu_speed(struct sim *s, struct cpu *c)
{
	uint32_t speed;

	if (c->cur == VCPU_NONE || c->starting)
		return;
	speed = speed_of(s, c);
	if (speed == c->speed)
		return;
	cpu_charge(s, c);
	c->speed = speed;
	plan_event(s, c);
}

void cpu_work(struct sim *s, struct cpu *c)
{
	cpu_charge(s, c);
	plan_event(s, c);
}

/* --- the queue ----------------------------------------------------------- */

/* note_calm() - Keep the sets of idle and calm cpus true. */
static void note_calm(struct sim *s, const struct cpu *c)
{
	uint16_t nr = cpu_nr(s, c);
	bool lc = c->waiting[RANK_LC] || c->waiting[RANK_OWNER] ||
		  (c->cur != VCPU_NONE && s->vcpu[c->cur].rank != RANK_BE);

	if (lc)
		cpumask_clear(&s->calm, nr);
	else
		cpumask_set(&s->calm, nr);
	if (c->cur == VCPU_NONE)
		cpumask_set(&s->idle, nr);
	else
		cpumask_clear(&s->idle, nr);
}

/* --- getting the cpu and leaving it -------------------------------------- */

/* cold_ns() - What @v, about to run on @c, must do again. */
static uint64_t cold_ns(const struct sim *s, const struct vcpu *v,
			const struct cpu *c, uint16_t from)
{
	uint64_t others_ns;

	if (from == CPU_NONE)
		return s->cost.refill_far_ns;
	if (from != cpu_nr(s, c))
		return s->cpu[from].llc == c->llc ? s->cost.refill_ns
						  : s->cost.refill_far_ns;
	others_ns = c->busy_ns - v->left_cpu_ns;
	if (others_ns >= s->cost.cold_ns)
		return s->cost.refill_ns;
	return s->cost.refill_ns * others_ns / s->cost.cold_ns;
}

/* begin() - The vcpu that was started runs now. */
static void begin(struct sim *s, struct cpu *c)
{
	struct vcpu *v = &s->vcpu[c->cur];
	struct sim_vm *vm = vm_of(s, v);

	c->starting = false;
	c->done_ns = c->turn_ns = s->now_ns;
	c->speed = speed_of(s, c);
	v->run = VCPU_RUN_RUNNING;
	v->waited_ns += s->now_ns - v->since_ns;
	v->since_ns = s->now_ns;
	v->extra_ns = cold_ns(s, v, c, v->ran_on);
	v->ran_on = cpu_nr(s, c);
	vm_waits(s, vm, -1, 0);
	host_changed(s, vm);
	guest_run(s, v);
}

/* start() - @v, which waits nowhere, gets the cpu after @cost_ns. */
static void start(struct sim *s, struct cpu *c, struct vcpu *v,
		  uint64_t cost_ns)
{
	c->cur = vcpu_nr(s, v);
	c->starting = true;
	v->cpu = cpu_nr(s, c);
	c->begin_ns = s->now_ns + cost_ns;
	note_calm(s, c);
	plan_event(s, c);
	if (c->sibling != CPU_NONE)
		cpu_speed(s, &s->cpu[c->sibling]);
}

/* off() - Whoever has the cpu has it no more. */
static struct vcpu *off(struct sim *s, struct cpu *c)
{
	struct vcpu *v = &s->vcpu[c->cur];

	cpu_charge(s, c);
	if (!c->starting) {
		v->left_cpu_ns = c->busy_ns;
		v->ran_ns += s->now_ns - v->since_ns;
	}
	c->cur = VCPU_NONE;
	c->starting = false;
	return v;
}

/* ready_again() - A vcpu that was put off its cpu waits. */
static void ready_again(struct sim *s, struct vcpu *v)
{
	struct sim_vm *vm = vm_of(s, v);

	if (v->run == VCPU_RUN_READY)
		return; /* it had not begun */
	v->run = VCPU_RUN_READY;
	v->since_ns = s->now_ns;
	vm_waits(s, vm, 1, 0);
	host_changed(s, vm);
}

/* refill() - Nobody has the cpu: the next one, or rest. */
static void refill(struct sim *s, struct cpu *c)
{
	struct vcpu *v = queue_next(s, c);

	if (v) {
		queue_remove(s, c, v);
	} else {
		v = place_pull(s, c, false);
		if (v) {
			cpu_take(s, v);
			queue_join(s, c, v);
		}
	}
	if (v) {
		start(s, c, v, s->cost.switch_ns);
		return;
	}
	note_calm(s, c);
	plan_event(s, c);
	if (c->sibling != CPU_NONE)
		cpu_speed(s, &s->cpu[c->sibling]);
}

/* displace() - @v, which waits nowhere, takes the cpu from who has it. */
static void displace(struct sim *s, struct cpu *c, struct vcpu *v,
		     uint64_t cost_ns)
{
	struct vcpu *old = off(s, c);

	ready_again(s, old);
	queue_insert(s, c, old);
	start(s, c, v, cost_ns);
}

void cpu_add(struct sim *s, struct cpu *c, struct vcpu *v)
{
	cpu_charge(s, c);
	queue_join(s, c, v);
	if (c->cur == VCPU_NONE) {
		start(s, c, v, s->cost.wake_ns);
		return;
	}
	if (queue_beats(s, c, v, &s->vcpu[c->cur])) {
		displace(s, c, v, s->cost.switch_ns + s->cost.preempt_ns);
		return;
	}
	queue_insert(s, c, v);
	note_calm(s, c);
	if (!c->queue_turn)
		plan_event(s, c);
}

void cpu_take(struct sim *s, struct vcpu *v)
{
	struct cpu *c = &s->cpu[v->cpu];

	queue_remove(s, c, v);
	queue_leave(s, c, v);
	note_calm(s, c);
}

void cpu_remove(struct sim *s, struct cpu *c, struct vcpu *v)
{
	if (c->cur != vcpu_nr(s, v)) {
		cpu_take(s, v);
		return;
	}
	off(s, c);
	queue_leave(s, c, v);
	refill(s, c);
}

/* turn_over() - The slice of who runs has ended. If it goes on all the same,
 * it has another whole one. */
static void turn_over(struct sim *s, struct cpu *c)
{
	struct vcpu *next = queue_over(s, c, &s->vcpu[c->cur]);

	if (next) {
		queue_remove(s, c, next);
		displace(s, c, next, s->cost.switch_ns);
		return;
	}
	c->turn_ns = s->now_ns;
	plan_event(s, c);
}

void cpu_event(struct sim *s, struct cpu *c)
{
	struct vcpu *v = &s->vcpu[c->cur];

	if (c->starting) {
		begin(s, c);
		return;
	}
	cpu_charge(s, c);
	if (v->req != REQ_NONE && !v->extra_ns && !s->req[v->req].work_ns)
		guest_done(s, v);
	else if (c->waiting[v->rank] &&
		 s->now_ns - c->turn_ns >= s->cost.slice_ns)
		turn_over(s, c);
	else
		plan_event(s, c);
}

/* --- vcpus --------------------------------------------------------------- */

void vcpu_wake(struct sim *s, struct vcpu *v)
{
	struct sim_vm *vm = vm_of(s, v);

	vm->halted &= ~(1ull << v->index);
	vm->runnable++;
	vm_waits(s, vm, 1, 0);
	v->slept_ns = s->now_ns - v->since_ns;
	v->run = VCPU_RUN_READY;
	v->since_ns = s->now_ns;
	host_changed(s, vm);
	cpu_add(s, &s->cpu[place_pick(s, v)], v);
}

void vcpu_halt(struct sim *s, struct vcpu *v)
{
	struct sim_vm *vm = vm_of(s, v);
	bool was_ready = v->run == VCPU_RUN_READY;

	cpu_remove(s, &s->cpu[v->cpu], v);
	if (was_ready) {
		v->waited_ns += s->now_ns - v->since_ns;
		vm_waits(s, vm, -1, 0);
	}
	v->run = VCPU_RUN_HALTED;
	v->since_ns = s->now_ns;
	vm->halted |= 1ull << v->index;
	vm->runnable--;
	host_changed(s, vm);
}

void vcpu_move(struct sim *s, struct vcpu *v, enum rank rank)
{
	cpu_remove(s, &s->cpu[v->cpu], v);
	ready_again(s, v);
	v->rank = (uint8_t)rank;
	cpu_add(s, &s->cpu[place_pick(s, v)], v);
}
