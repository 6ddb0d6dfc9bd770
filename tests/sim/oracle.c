// SPDX-License-Identifier: Apache-2.0
/*
 * oracle.c - a bound: one queue for the whole host, earliest deadline first
 *
 * It knows every request the moment it comes and how much work it is; a cpu
 * takes another request at no cost, in the middle of one; nothing is slowed
 * down by caches, memory, or best-effort work on the sibling. Only that two
 * busy siblings do less than two cpus holds for it too: that is the host it
 * has. It fills whole cores first, and all that run share what those cores can
 * do. A VM works on as many requests at once as it may own cpus. So of all
 * requests, the first few of each VM are candidates, and those of the
 * candidates that are due first run. Best-effort VMs, and threads that never
 * rest, get what is left; but a latency-critical VM whose threads never rest
 * keeps what it is guaranteed.
 *
 * Deadlines: arrival plus target. Without a target, a second more: last.
 */
#include <stdlib.h>

#include "engine.h"

#define NO_TARGET_NS 1000000000ull

struct task {
	uint64_t deadline_ns, arrived_ns;
	uint64_t left_ns;	  /* work, when it was stopped last */
	uint64_t since_ns, since; /* runs since; the work clock then */
	uint32_t next;
	uint16_t vm;
	bool internal;
};

struct oracle {
	struct task *task;
	uint32_t free;
	struct heap ready;   /* candidates that do not run, by deadline */
	struct heap running; /* by deadline, latest first */
	struct heap ends;    /* the same, by the work clock when complete */
	/* The work clock: what each that runs has done. It goes slower than
	 * time while siblings share cores. */
	uint64_t work_ns, at_ns;
	uint32_t speed;		/* of 1024 */
	struct req_list *queue; /* of each VM: not candidates yet */
	uint16_t *active;	/* of each VM: candidates */
	unsigned held;		/* cpus guaranteed to threads without rest */
};

static uint32_t task_cap(const struct sim *s)
{
	uint32_t cap = 0;

	for (unsigned i = 0; i < s->vm_cnt; i++)
		cap += s->vm[i].kind->queue + 2u * s->vm[i].cnt;
	return cap;
}

int oracle_open(struct sim *s)
{
	uint32_t cap = task_cap(s);
	struct oracle *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	s->oracle = o;
	o->task = calloc(cap, sizeof(*o->task));
	o->queue = calloc(s->vm_cnt, sizeof(*o->queue));
	o->active = calloc(s->vm_cnt, sizeof(*o->active));
	if (!o->task || !o->queue || !o->active || heap_open(&o->ready, cap) ||
	    heap_open(&o->running, cap) || heap_open(&o->ends, cap))
		return -ENOMEM;
	o->speed = 1024;
	for (uint32_t i = 0; i < cap; i++)
		o->task[i].next = i + 1 < cap ? i + 1 : REQ_NONE;
	return 0;
}

void oracle_close(struct sim *s)
{
	struct oracle *o = s->oracle;

	if (!o)
		return;
	heap_close(&o->ends);
	heap_close(&o->running);
	heap_close(&o->ready);
	free(o->active);
	free(o->queue);
	free(o->task);
	free(o);
}

/* advance() - The work clock goes on until now. */
static void advance(struct sim *s)
{
	struct oracle *o = s->oracle;

	o->work_ns += (s->now_ns - o->at_ns) * o->speed / 1024;
	o->at_ns = s->now_ns;
}

/* set_speed() - So many run now: how fast is each? */
static void set_speed(struct sim *s)
{
	struct oracle *o = s->oracle;
	uint32_t busy = o->running.cnt + o->held, cores = s->cpu_cnt, pairs;

	if (s->s->smt == 2)
		cores = (s->cpu_cnt + 1) / 2;
	o->speed = 1024;
	if (busy <= cores)
		return;
	pairs = busy - cores;
	o->speed = ((cores - pairs) * 1000 + 2 * pairs * s->cost.smt_speed) *
		   1024 / 1000 / busy;
}

static void run(struct sim *s, uint32_t t)
{
	struct oracle *o = s->oracle;
	struct task *q = &o->task[t];

	q->since_ns = s->now_ns;
	q->since = o->work_ns;
	heap_set(&o->running, t, UINT64_MAX - q->deadline_ns);
	heap_set(&o->ends, t, o->work_ns + q->left_ns);
}

/* stop() - @t runs no more; what it has done is done. */
static void stop(struct sim *s, uint32_t t)
{
	struct oracle *o = s->oracle;
	struct task *q = &o->task[t];
	uint64_t ran_ns = s->now_ns - q->since_ns;
	uint64_t work_ns = o->work_ns - q->since;

	heap_drop(&o->running, t);
	heap_drop(&o->ends, t);
	q->left_ns -= work_ns < q->left_ns ? work_ns : q->left_ns;
	if (s->warm && q->since_ns < s->warm_ns) {
		work_ns = work_ns * (s->now_ns - s->warm_ns) / ran_ns;
		ran_ns = s->now_ns - s->warm_ns;
	}
	s->vm[q->vm].run_ns += ran_ns;
	s->vm[q->vm].work_ns += work_ns;
}

static void plan_end(struct sim *s)
{
	const struct oracle *o = s->oracle;
	uint64_t left_ns;

	if (!o->ends.cnt) {
		heap_drop(&s->heap, s->id.oracle);
		return;
	}
	left_ns = o->ends.node[0].at_ns - o->work_ns;
	heap_set(&s->heap, s->id.oracle,
		 s->now_ns + (left_ns * 1024 + o->speed - 1) / o->speed);
}

/* sort_out() - The candidates due first run, on as many cpus as there are. */
static void sort_out(struct sim *s)
{
	struct oracle *o = s->oracle;

	while (o->ready.cnt) {
		uint32_t first = o->ready.node[0].id;

		if (o->held >= s->cpu_cnt)
			break;
		if (o->running.cnt + o->held >= s->cpu_cnt) {
			uint32_t last = o->running.node[0].id;

			if (o->task[last].deadline_ns <=
			    o->task[first].deadline_ns)
				break;
			stop(s, last);
			heap_set(&o->ready, last, o->task[last].deadline_ns);
		}
		heap_drop(&o->ready, first);
		run(s, first);
	}
	set_speed(s);
	plan_end(s);
}

void oracle_threads(struct sim *s)
{
	struct oracle *o = s->oracle;

	advance(s);
	o->held = 0;
	for (unsigned i = 0; i < s->vm_cnt; i++) {
		const struct sim_vm *vm = &s->vm[i];
		unsigned threads = vm->load.threads;

		if (is_lc(vm))
			o->held +=
			    threads < vm->kind->min ? threads : vm->kind->min;
	}
	while (o->running.cnt && o->running.cnt + o->held > s->cpu_cnt) {
		uint32_t last = o->running.node[0].id;

		stop(s, last);
		heap_set(&o->ready, last, o->task[last].deadline_ns);
	}
	sort_out(s);
}

/* Lists of tasks are linked as those of requests are. */
static void push(struct oracle *o, struct req_list *l, uint32_t t)
{
	o->task[t].next = REQ_NONE;
	if (l->cnt++)
		o->task[l->tail].next = t;
	else
		l->head = t;
	l->tail = t;
}

static uint32_t pop(struct oracle *o, struct req_list *l)
{
	uint32_t t = l->head;

	l->head = o->task[t].next;
	l->cnt--;
	return t;
}

void oracle_frame(struct sim *s, struct sim_vm *vm, uint64_t work_ns,
		  bool internal)
{
	struct oracle *o = s->oracle;
	uint16_t nr = vm_nr(s, vm);
	uint64_t slo_ns = vm->kind->slo_ns;
	uint32_t t = o->free;

	if (!internal && vm->pending >= vm->kind->queue) {
		result_lost(s, vm);
		return;
	}
	if (t == REQ_NONE)
		return; /* collections that never end: not another one */
	o->free = o->task[t].next;
	vm->pending += !internal;
	o->task[t] = (struct task){
		.deadline_ns = s->now_ns + (slo_ns ? slo_ns : NO_TARGET_NS),
		.arrived_ns = s->now_ns,
		.left_ns = work_ns,
		.vm = nr,
		.internal = internal,
	};
	advance(s);
	if (o->active[nr] < vm->kind->max) {
		o->active[nr]++;
		heap_set(&o->ready, t, o->task[t].deadline_ns);
		sort_out(s);
	} else {
		push(o, &o->queue[nr], t);
	}
}

void oracle_due(struct sim *s)
{
	struct oracle *o = s->oracle;

	advance(s);
	while (o->ends.cnt && o->ends.node[0].at_ns <= o->work_ns) {
		uint32_t t = o->ends.node[0].id;
		struct task *q = &o->task[t];
		struct sim_vm *vm = &s->vm[q->vm];
		struct req_list *l = &o->queue[q->vm];

		stop(s, t);
		if (!q->internal) {
			vm->pending--;
			result_answer(s, vm, q->arrived_ns);
		}
		q->next = o->free;
		o->free = t;
		o->active[q->vm]--;
		if (l->cnt) {
			o->active[q->vm]++;
			t = pop(o, l);
			heap_set(&o->ready, t, o->task[t].deadline_ns);
		}
	}
	sort_out(s);
}

void oracle_end(struct sim *s)
{
	struct oracle *o = s->oracle;
	uint64_t left_ns = (s->end_ns - s->warm_ns) * s->cpu_cnt;
	uint64_t speed = s->s->smt == 2 ? s->cost.smt_speed : 1000;
	unsigned spinning = 0;

	advance(s);
	while (o->running.cnt)
		stop(s, o->running.node[0].id);
	for (unsigned i = 0; i < s->vm_cnt; i++) {
		uint64_t ran_ns = s->vm[i].run_ns;

		left_ns -= ran_ns < left_ns ? ran_ns : left_ns;
		spinning += s->vm[i].load.kind == LOAD_SPIN;
	}
	for (unsigned i = 0; i < s->vm_cnt && spinning; i++) {
		if (s->vm[i].load.kind != LOAD_SPIN)
			continue;
		s->vm[i].run_ns += left_ns / spinning;
		s->vm[i].work_ns += left_ns / spinning * speed / 1000;
	}
}
