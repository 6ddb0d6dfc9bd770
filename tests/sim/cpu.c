// SPDX-License-Identifier: Apache-2.0
/*
 * cpu.c - a cpu: who has it, for how long, how fast
 *
 * A fair scheduler in two ranks: best-effort vcpus, where they ride, get what
 * the others leave, at once (cpu.idle of control groups). Within a rank who has
 * had least runs, each for a slice at least while others wait; one that wakes
 * does not cut a turn short that has not lasted `wakeup`. Cpu time counts by
 * weight: what a VM weighs is shared by its vcpus that want to run, as groups
 * are. One that has slept is not owed more than a slice.
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

static int64_t weigh(const struct sim *s, const struct sim_vm *vm,
		     uint64_t ran_ns)
{
	uint64_t weight = vm->kind->weight;

	if (is_lc(vm) && s->p->lc_weight)
		weight *= s->p->lc_weight;
	return (int64_t)(ran_ns * 100 * (vm->runnable ? vm->runnable : 1) /
			 weight);
}

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
	v->turn += weigh(s, vm, ran_ns);
	if (!c->waiting[v->rank])
		c->turn[v->rank] = v->turn;
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
	bool lc = c->waiting[RANK_LC] ||
		  (c->cur != VCPU_NONE && s->vcpu[c->cur].rank == RANK_LC);

	if (lc)
		cpumask_clear(&s->calm, nr);
	else
		cpumask_set(&s->calm, nr);
	if (c->cur == VCPU_NONE)
		cpumask_set(&s->idle, nr);
	else
		cpumask_clear(&s->idle, nr);
}

/* insert() - Into @c's queue. */
static void insert(struct sim *s, struct cpu *c, struct vcpu *v)
{
	uint16_t nr = vcpu_nr(s, v);

	v->prev = VCPU_NONE;
	v->next = c->head;
	if (c->head != VCPU_NONE)
		s->vcpu[c->head].prev = nr;
	c->head = nr;
	if (!c->waiting[v->rank]++)
		cpumask_set(&s->waits[v->rank], cpu_nr(s, c));
}

/* join() - Where a vcpu that comes stands in @c's order: it brings along what
 * it is ahead or behind, up to a slice. */
static void join(struct sim *s, const struct cpu *c, struct vcpu *v)
{
	int64_t slice = weigh(s, vm_of(s, v), s->cost.slice_ns);

	if (v->turn < -slice)
		v->turn = -slice;
	if (v->turn > slice)
		v->turn = slice;
	v->turn += c->turn[v->rank];
	v->cpu = cpu_nr(s, c);
}

/* leave() - It goes away from @c. */
static void leave(const struct cpu *c, struct vcpu *v)
{
	v->turn -= c->turn[v->rank];
}

static void dequeue(struct sim *s, struct cpu *c, struct vcpu *v)
{
	if (v->prev != VCPU_NONE)
		s->vcpu[v->prev].next = v->next;
	else
		c->head = v->next;
	if (v->next != VCPU_NONE)
		s->vcpu[v->next].prev = v->prev;
	if (!--c->waiting[v->rank])
		cpumask_clear(&s->waits[v->rank], cpu_nr(s, c));
}

/* next_of() - Who of those that wait should run. */
static struct vcpu *next_of(struct sim *s, const struct cpu *c)
{
	struct vcpu *best = NULL;

	for (uint16_t i = c->head; i != VCPU_NONE; i = s->vcpu[i].next) {
		struct vcpu *v = &s->vcpu[i];

		if (!best || v->rank < best->rank ||
		    (v->rank == best->rank &&
		     (v->turn < best->turn ||
		      (v->turn == best->turn && v->since_ns < best->since_ns))))
			best = v;
	}
	return best;
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
	vm->ready--;
	s->lc_waiting -= is_lc(vm);
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
	if (v->turn > c->turn[v->rank])
		c->turn[v->rank] = v->turn;
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
		c->last = c->cur;
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
	vm->ready++;
	s->lc_waiting += is_lc(vm);
	host_changed(s, vm);
}

/* refill() - Nobody has the cpu: the next one, or rest. */
static void refill(struct sim *s, struct cpu *c)
{
	struct vcpu *v = next_of(s, c);

	if (v) {
		dequeue(s, c, v);
	} else {
		v = place_pull(s, c, false);
		if (v) {
			cpu_take(s, v);
			join(s, c, v);
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
	insert(s, c, old);
	start(s, c, v, cost_ns);
}

/* beats() - Does @v, just woken, take the cpu from @cur? */
static bool beats(const struct sim *s, const struct cpu *c,
		  const struct vcpu *v, const struct vcpu *cur)
{
	if (v->rank != cur->rank)
		return v->rank < cur->rank;
	return v->turn < cur->turn &&
	       s->now_ns - c->turn_ns >= s->cost.wakeup_ns;
}

void cpu_add(struct sim *s, struct cpu *c, struct vcpu *v)
{
	cpu_charge(s, c);
	join(s, c, v);
	if (c->cur == VCPU_NONE) {
		start(s, c, v, s->cost.wake_ns);
		return;
	}
	if (beats(s, c, v, &s->vcpu[c->cur])) {
		displace(s, c, v, s->cost.switch_ns + s->cost.preempt_ns);
		return;
	}
	insert(s, c, v);
	note_calm(s, c);
	if (!c->queue_turn)
		plan_event(s, c);
}

void cpu_take(struct sim *s, struct vcpu *v)
{
	struct cpu *c = &s->cpu[v->cpu];

	dequeue(s, c, v);
	leave(c, v);
	note_calm(s, c);
}

void cpu_remove(struct sim *s, struct cpu *c, struct vcpu *v)
{
	if (c->cur != vcpu_nr(s, v)) {
		cpu_take(s, v);
		return;
	}
	off(s, c);
	leave(c, v);
	refill(s, c);
}

/* turn_over() - The slice of who runs has ended. */
static void turn_over(struct sim *s, struct cpu *c)
{
	struct vcpu *best = next_of(s, c);

	if (best && best->turn < s->vcpu[c->cur].turn) {
		dequeue(s, c, best);
		displace(s, c, best, s->cost.switch_ns);
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

	if (v->cpu != CPU_NONE) { /* others went on while it slept */
		cpu_charge(s, &s->cpu[v->cpu]);
		leave(&s->cpu[v->cpu], v);
	}
	vm->halted &= ~(1ull << v->index);
	vm->runnable++;
	vm->ready++;
	s->lc_waiting += is_lc(vm);
	v->run = VCPU_RUN_READY;
	v->since_ns = s->now_ns;
	host_changed(s, vm);
	cpu_add(s, &s->cpu[place_pick(s, v)], v);
}

void vcpu_halt(struct sim *s, struct vcpu *v)
{
	struct sim_vm *vm = vm_of(s, v);
	struct cpu *c = &s->cpu[v->cpu];
	bool was_ready = v->run == VCPU_RUN_READY;
	int64_t least = c->turn[v->rank];

	cpu_remove(s, c, v);
	v->turn += least; /* it stays where it stood; see vcpu_wake() */
	if (was_ready) {
		v->waited_ns += s->now_ns - v->since_ns;
		vm->ready--;
		s->lc_waiting -= is_lc(vm);
	}
	v->run = VCPU_RUN_HALTED;
	v->since_ns = s->now_ns;
	vm->halted |= 1ull << v->index;
	vm->runnable--;
	host_changed(s, vm);
}

void vcpu_move(struct sim *s, struct vcpu *v)
{
	cpu_remove(s, &s->cpu[v->cpu], v);
	ready_again(s, v);
	cpu_add(s, &s->cpu[place_pick(s, v)], v);
}
