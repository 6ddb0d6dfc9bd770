/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h - the simulated host, as its own files see it
 *
 *	arrive.c  loads: when requests come and what work they ask for
 *	guest.c	  in a VM: frames, its queue, its vcpus, its agent
 *	queue.c	  who waits for a cpu, and who is next
 *	cpu.c	  a cpu: who has it, for how long, how fast
 *	place.c	  which cpu a vcpu that wakes goes to; looking for work
 *	host.c	  hostd: senses, decides, owns, moves
 *	memory.c  bandwidth, and its meters
 *	check.c	  what must always hold
 *	oracle.c  instead of all this: the bound
 *	run.c	  the loop over events, start and end
 *
 * Everything happens at sim.now_ns, to one struct sim; files call each other
 * as guests and hosts do: an arrival may wake a vcpu, which may preempt
 * another, which stops in the middle of a request. No function here fails: all
 * tables are as large as the scenario needs.
 */
#ifndef TESTS_SIM_ENGINE_H
#define TESTS_SIM_ENGINE_H

#include "heap.h"
#include "hl/cpumask.h"
#include "hl/sensor.h"
#include "owners.h"
#include "rng.h"
#include "scenario.h"

#define REQ_NONE UINT32_MAX

/* A request, or a guest's own task (internal), from arrival to answer. */
struct req {
	uint64_t arrived_ns;
	uint64_t work_ns; /* at full speed, still to do */
	uint32_t next;
	uint32_t hash; /* which of the VM's vcpus: as a NIC's hash */
	bool internal;
	bool begun; /* a vcpu has worked on it */
};

struct req_list {
	uint32_t head, tail, cnt;
};

/* What the kernel compares first; smaller is better. */
enum rank {
	RANK_OWNER, /* where riders are behind it */
	RANK_LC,
	RANK_BE, /* cpu.idle = 1 */
	RANKS,
};

struct vcpu {
	uint16_t vm;
	uint8_t index;	     /* in its VM */
	uint8_t run;	     /* enum vcpu_run */
	uint8_t rank;	     /* enum rank */
	bool spin;	     /* has work without end */
	bool evict;	     /* its agent wants what it works on elsewhere */
	uint16_t cpu;	     /* where it is, waits, or was last; or CPU_NONE */
	uint16_t ran_on;     /* where it ran last; or CPU_NONE */
	uint16_t next, prev; /* in the cpu's queue */
	struct cpumask mask; /* the kernel's */
	/* Weighted cpu time. While it has or waits for a cpu: in its queue's
	 * time; else what it is owed, against the average where it was. */
	int64_t turn;
	int64_t due;		    /* in its queue's time */
	uint64_t since_ns;	    /* when `run` began */
	uint64_t ran_ns, waited_ns; /* sums of finished stretches */
	uint64_t slept_ns;	    /* before it woke up */
	uint64_t extra_ns;	    /* work that only warms caches */
	uint64_t left_cpu_ns;	    /* the cpu's busy_ns when it left */
	uint32_t req;		    /* what it works on, or REQ_NONE */
	struct req_list ring;	    /* frames not taken yet */
};

struct cpu {
	uint16_t cur;	 /* the vcpu that has it, or VCPU_NONE */
	bool starting;	 /* it does not run yet */
	bool queue_turn; /* somebody waits for cur's turn to end */
	uint16_t head;	 /* vcpus that wait, any order */
	uint16_t waiting[RANKS];
	uint16_t sibling, llc, node;
	uint32_t speed;	     /* of 1024, of cur */
	uint64_t begin_ns;   /* starting: when it begins to run */
	uint64_t turn_ns;    /* when cur's turn began */
	uint64_t done_ns;    /* accounted until then */
	uint64_t busy_ns;    /* of all that ran here */
	int64_t turn[RANKS]; /* of the last that left an empty queue */
};

struct sim_vm {
	const struct sim_kind *kind;
	uint16_t first, cnt; /* vcpus */
	uint16_t node;	     /* of its memory */
	uint64_t halted;     /* bit a vcpu */
	uint64_t told;	     /* vcpus its agent was told own a cpu */
	uint16_t runnable;   /* vcpus */
	uint16_t ready;	     /* of these, those that wait */
	uint32_t untaken;    /* frames */
	struct req_list queue;
	uint32_t pending; /* requests that came and are not answered */
	/* load */
	struct sim_load load;
	uint32_t memory_mb_s;
	struct rng gaps, works, bursts;
	bool on; /* bursts */
	double gap_ns;
	/* results */
	uint64_t done, late, lost;
	uint64_t delay_done, delay_late;
	uint64_t all_done, all_late; /* from the very start, for the policy */
	uint64_t run_ns, guest_ns;   /* cpu time; on cpus it does not own */
	uint64_t work_ns;
	uint64_t owned_ns, owned_since_ns;
	uint64_t moves;
	uint64_t moved_bytes; /* memory, in the meter's window */
	struct hist *response;
};

/* Ids of events: see run.c. Each kind begins where the one before ends. */
struct event_ids {
	uint32_t cpu, arrive, burst, collect, agent, hint, move, phase;
	uint32_t decide, balance, memory, oracle, warm, end, cnt;
};

struct oracle;

struct sim {
	const struct sim_scenario *s;
	const struct sim_policy *p;
	struct sim_result *out;
	struct sim_costs cost;
	uint64_t now_ns, warm_ns, end_ns, shift_ns;
	uint64_t events;
	bool warm; /* results count */
	struct heap heap;
	struct event_ids id;
	unsigned cpu_cnt, vm_cnt, vcpu_cnt, node_cnt;
	struct cpu *cpu;
	struct sim_vm *vm;
	struct vcpu *vcpu;
	struct req *req;
	uint32_t free_req;
	/* cpus: nothing there; none but RANK_BE there or waiting */
	struct cpumask idle, calm, all;
	struct cpumask waits[RANKS]; /* cpus where such a one waits */
	struct cpumask llc[SIM_CPU_MAX];
	uint64_t waiting[SIM_VM_MAX / 64]; /* VMs where something waits */
	uint64_t changed[SIM_VM_MAX / 64]; /* VMs to be looked at anew */
	uint32_t lc_waiting; /* latency-critical ones among them */
	/* memory.c */
	uint32_t node_speed[NODE_MAX]; /* of 1024 */
	uint64_t node_bytes[NODE_MAX], node_max_mb_s[NODE_MAX];
	uint64_t meter_ns; /* when the meter's window began */
	/* host.c */
	uint64_t decided_ns;
	bool put_off; /* the next decision is later than it could be */
	uint64_t decisions, plans, moves, decide_wall_ns;
	struct snapshot *snap;
	struct plan *plan;
	struct owners *owners;
	struct owners_changed *masks;
	void *state;
	struct oracle *oracle; /* SIM_ORACLE */
	bool ours;	       /* the policy is held to the invariants */
};

static inline struct sim_vm *vm_of(struct sim *s, const struct vcpu *v)
{
	return &s->vm[v->vm];
}

static inline uint16_t vcpu_nr(const struct sim *s, const struct vcpu *v)
{
	return (uint16_t)(v - s->vcpu);
}

static inline uint16_t vm_nr(const struct sim *s, const struct sim_vm *vm)
{
	return (uint16_t)(vm - s->vm);
}

static inline bool is_lc(const struct sim_vm *vm)
{
	return vm->kind->class == VM_CLASS_LATENCY_CRITICAL;
}

/* vcpu_weight() - What @v, which wants to run, weighs in its queue. */
static inline double vcpu_weight(const struct sim *s, const struct vcpu *v)
{
	const struct sim_vm *vm = &s->vm[v->vm];
	double weight = vm->kind->weight;

	if (is_lc(vm) && s->p->lc_weight)
		weight *= s->p->lc_weight;
	return weight / (vm->runnable ? vm->runnable : 1);
}

/* vm_waits() - Vcpus of @vm that wait for a cpu are more by @ready, frames not
 * taken by @untaken. */
static inline void vm_waits(struct sim *s, struct sim_vm *vm, int ready,
			    int untaken)
{
	bool had = vm->ready || vm->untaken, has;
	uint16_t nr = vm_nr(s, vm);

	vm->ready = (uint16_t)(vm->ready + ready);
	vm->untaken += (uint32_t)untaken;
	has = vm->ready || vm->untaken;
	if (had == has)
		return;
	s->waiting[nr / 64] ^= 1ull << nr % 64;
	if (is_lc(vm))
		s->lc_waiting += has ? 1u : -1u;
}

/* --- arrive.c ------------------------------------------------------------ */

/* arrive_open() - A VM's streams and its load at the start. */
void arrive_open(struct sim *s, struct sim_vm *vm, uint64_t seed);

/* arrive_set() - Another load from now on. */
void arrive_set(struct sim *s, struct sim_vm *vm, const struct sim_load *load);

/* arrive_due(), arrive_turn() - A request comes; a burst begins or ends. */
void arrive_due(struct sim *s, struct sim_vm *vm);
void arrive_turn(struct sim *s, struct sim_vm *vm);

/* --- result.c ----- */

/* result_answer() - @vm has answered a request that came at @arrived_ns. */
void result_answer(struct sim *s, struct sim_vm *vm, uint64_t arrived_ns);

/* result_lost() - It was refused. */
void result_lost(struct sim *s, struct sim_vm *vm);

/* result_warm() - From now on it counts; result_end() - it is over. */
void result_warm(struct sim *s);
void result_end(struct sim *s);

/* --- guest.c ------------------------------------------------------------- */

/* guest_frame() - A request comes in at the VM's port. */
void guest_frame(struct sim *s, struct sim_vm *vm, uint64_t work_ns,
		 uint32_t hash);

/* guest_collect() - Every vcpu has internal work before anything else. */
void guest_collect(struct sim *s, struct sim_vm *vm);

/* guest_threads() - So many of the VM's vcpus spin. */
void guest_threads(struct sim *s, struct sim_vm *vm, unsigned threads);

/* guest_run() - @v has just begun to run. It may have halted on return. */
void guest_run(struct sim *s, struct vcpu *v);

/* guest_done() - @v's request is complete. It may have halted on return. */
void guest_done(struct sim *s, struct vcpu *v);

/* guest_told() - The agent hears which vcpus own a cpu. */
void guest_told(struct sim *s, struct sim_vm *vm, uint64_t told);

/* guest_wait_ns() - How long the oldest task has waited for a vcpu. */
uint64_t guest_wait_ns(const struct sim *s, const struct sim_vm *vm);

/* --- queue.c ------------------------------------------------------------- */

/* queue_time() - @ran_ns of @v, in its queue's time. */
int64_t queue_time(const struct sim *s, const struct vcpu *v, uint64_t ran_ns);

/* queue_join() - Where a vcpu that comes stands in @c's order: it is owed as
 * much against the new average as against the old one, and counts in it. */
void queue_join(struct sim *s, const struct cpu *c, struct vcpu *v);

/* queue_leave() - It goes away, and does not count in @c's order any more. */
void queue_leave(const struct sim *s, struct cpu *c, struct vcpu *v);

/* queue_insert(), queue_remove() - It waits; it does not wait any more. */
void queue_insert(struct sim *s, struct cpu *c, struct vcpu *v);
void queue_remove(struct sim *s, struct cpu *c, struct vcpu *v);

/* queue_next() - Of those that wait, who should run; NULL: nobody waits. */
struct vcpu *queue_next(struct sim *s, const struct cpu *c);

/* queue_beats() - Does @v, just woken, take the cpu from @cur? At once if @cur
 * is ahead of their average; if @v is due earlier, once @cur's turn has lasted
 * `wakeup`. */
bool queue_beats(const struct sim *s, const struct cpu *c, const struct vcpu *v,
		 struct vcpu *cur);

/* queue_over() - @cur's slice has ended and it asks for another one. Return:
 * who should run instead, or NULL. */
struct vcpu *queue_over(struct sim *s, const struct cpu *c, struct vcpu *cur);

/* --- cpu.c --------------------------------------------------------------- */

/* cpu_charge() - Account for what ran on @c until now. */
void cpu_charge(struct sim *s, struct cpu *c);

/* cpu_speed() - What determines @c's speed has changed. */
void cpu_speed(struct sim *s, struct cpu *c);

/* cpu_event() - @c's event is due. */
void cpu_event(struct sim *s, struct cpu *c);

/* cpu_work() - The amount of work left to @c's vcpu has changed. */
void cpu_work(struct sim *s, struct cpu *c);

/* cpu_add() - @v, which is READY, waits here from now on, or has it at once.*/
void cpu_add(struct sim *s, struct cpu *c, struct vcpu *v);

/* cpu_remove() - @v waits here or has it, and leaves: somebody else may run. */
void cpu_remove(struct sim *s, struct cpu *c, struct vcpu *v);

/* cpu_take() - @v, which waits on some cpu's queue, leaves it. */
void cpu_take(struct sim *s, struct vcpu *v);

/* vcpu_wake() - A halted vcpu wants to run. */
void vcpu_wake(struct sim *s, struct vcpu *v);

/* vcpu_move() - One that has a cpu or waits for one goes where it may, and is
 * of @rank there. */
void vcpu_move(struct sim *s, struct vcpu *v, enum rank rank);

/* vcpu_halt() - A running or ready one does not any more. */
void vcpu_halt(struct sim *s, struct vcpu *v);

/* --- place.c ------------------------------------------------------------- */

/* place_pick() - The cpu a READY vcpu goes to. */
uint16_t place_pick(struct sim *s, const struct vcpu *v);

/* place_pull() - A vcpu that waits elsewhere and may run on @c; or NULL.
 * @wide: look beyond the last-level cache */
struct vcpu *place_pull(struct sim *s, const struct cpu *c, bool wide);

/* place_mask() - @v may run there from now on, and is of that rank. */
void place_mask(struct sim *s, struct vcpu *v, const struct cpumask *mask,
		enum rank rank);

/* place_balance() - Idle cpus look everywhere, long queues get shorter. */
void place_balance(struct sim *s);

/* --- host.c -------------------------------------------------------------- */

/* host_open() - Return: 0 or -ENOMEM. */
int host_open(struct sim *s);
void host_close(struct sim *s);

/* host_changed() - Something of @vm a policy can see is different. */
void host_changed(struct sim *s, struct sim_vm *vm);

/* host_owns() - Has hostd decided that @c is @vm's? */
bool host_owns(const struct sim *s, const struct sim_vm *vm,
	       const struct cpu *c);

/* host_decide() - One decision; the next is then due. */
void host_decide(struct sim *s);
/* host_move() - A decided move takes effect. */
void host_move(struct sim *s, struct vcpu *v);

/* host_told() - The agent of @vm hears what its vcpus own. */
void host_told(struct sim *s, struct sim_vm *vm);

/* host_hint() - It looks at its workers and says what it sees. */
void host_hint(struct sim *s, struct sim_vm *vm);

/* --- memory.c ------------------------------------------------------------ */

void memory_open(struct sim *s);
void memory_tick(struct sim *s);

/* --- check.c ------------------------------------------------------------- */

/* check_plan() - Before a plan is carried out; check_after() behind it.
 * @refused: lines owners_apply() refused */
void check_plan(struct sim *s);
void check_after(struct sim *s, unsigned refused);

/* check_end() - Did a VM of constant load lose and gain cpus for nothing? */
void check_end(struct sim *s);

/* check_note() - An invariant does not hold. */
void check_note(struct sim *s, const char *who, const char *rule);

/* --- oracle.c ------------------------------------------------------------ */

/* oracle_open() - Return: 0 or -ENOMEM. */
int oracle_open(struct sim *s);
void oracle_close(struct sim *s);
/* oracle_frame() - A request comes, or (internal) a task of a collection. */
void oracle_frame(struct sim *s, struct sim_vm *vm, uint64_t work_ns,
		  bool internal);
/* oracle_due() - Some requests are done. */
void oracle_due(struct sim *s);
/* oracle_end() - What it could not answer, and what best-effort VMs had. */
void oracle_end(struct sim *s);

/* --- requests ------------------------------------------------------------ */

static inline uint32_t req_get(struct sim *s)
{
	uint32_t r = s->free_req;

	s->free_req = s->req[r].next;
	return r;
}

static inline void req_put(struct sim *s, uint32_t r)
{
	s->req[r].next = s->free_req;
	s->free_req = r;
}

static inline void req_push(struct sim *s, struct req_list *l, uint32_t r)
{
	s->req[r].next = REQ_NONE;
	if (l->cnt++)
		s->req[l->tail].next = r;
	else
		l->head = r;
	l->tail = r;
}

static inline void req_push_front(struct sim *s, struct req_list *l, uint32_t r)
{
	s->req[r].next = l->cnt ? l->head : REQ_NONE;
	if (!l->cnt++)
		l->tail = r;
	l->head = r;
}

static inline uint32_t req_pop(struct sim *s, struct req_list *l)
{
	uint32_t r = l->head;

	l->head = s->req[r].next;
	l->cnt--;
	return r;
}

#endif
