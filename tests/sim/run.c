// SPDX-License-Identifier: Apache-2.0
/*
 * run.c - the loop over events, start and end
 *
 * Every event that can ever be due has a number of its own: one a cpu, several
 * a VM, one a vcpu (a move on its way), one a phase, and a few for the whole
 * host. So nothing is allocated while the run goes on, and an event that is
 * planned anew replaces itself.
 *
 * A policy that needs a longer warm-up than the scenario has gets it in front:
 * phases come later by as much.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine.h"

static void number_events(struct sim *s)
{
	struct event_ids *id = &s->id;

	id->cpu = 0;
	id->arrive = id->cpu + s->cpu_cnt;
	id->burst = id->arrive + s->vm_cnt;
	id->collect = id->burst + s->vm_cnt;
	id->agent = id->collect + s->vm_cnt;
	id->hint = id->agent + s->vm_cnt;
	id->move = id->hint + s->vm_cnt;
	id->phase = id->move + s->vcpu_cnt;
	id->decide = id->phase + s->s->phase_cnt * s->vm_cnt;
	id->balance = id->decide + 1;
	id->memory = id->balance + 1;
	id->oracle = id->memory + 1;
	id->warm = id->oracle + 1;
	id->end = id->warm + 1;
	id->cnt = id->end + 1;
}

/* --- set-up -------------------------------------------------------------- */

static void count(struct sim *s)
{
	const struct sim_scenario *sc = s->s;

	s->cpu_cnt = sc->cpus;
	s->node_cnt = (sc->cpus + sc->node - 1) / sc->node;
	if (s->node_cnt > NODE_MAX)
		s->node_cnt = NODE_MAX;
	for (unsigned i = 0; i < sc->kind_cnt; i++) {
		s->vm_cnt += sc->kind[i].count;
		s->vcpu_cnt += sc->kind[i].count * sc->kind[i].vcpus;
	}
}

static uint32_t req_cap(const struct sim *s)
{
	uint32_t cap = 0;

	for (unsigned i = 0; i < s->s->kind_cnt; i++) {
		const struct sim_kind *k = &s->s->kind[i];

		cap += k->count * (k->queue + 2u * k->vcpus);
	}
	return cap;
}

static int allocate(struct sim *s)
{
	uint32_t cap = req_cap(s);

	s->cpu = calloc(s->cpu_cnt, sizeof(*s->cpu));
	s->vm = calloc(s->vm_cnt, sizeof(*s->vm));
	s->vcpu = calloc(s->vcpu_cnt, sizeof(*s->vcpu));
	s->req = calloc(cap, sizeof(*s->req));
	if (!s->cpu || !s->vm || !s->vcpu || !s->req ||
	    heap_open(&s->heap, s->id.cnt))
		return -ENOMEM;
	for (uint32_t i = 0; i < cap; i++)
		s->req[i].next = i + 1 < cap ? i + 1 : REQ_NONE;
	for (unsigned i = 0; i < s->vm_cnt; i++) {
		s->vm[i].response = calloc(1, sizeof(struct hist));
		if (!s->vm[i].response)
			return -ENOMEM;
	}
	return 0;
}

static void open_cpus(struct sim *s)
{
	for (unsigned i = 0; i < s->cpu_cnt; i++) {
		struct cpu *c = &s->cpu[i];

		*c = (struct cpu){ .cur = VCPU_NONE,
				   .head = VCPU_NONE,
				   .sibling = CPU_NONE,
				   .speed = 1024 };
		if (s->s->smt == 2 && (i ^ 1) < s->cpu_cnt)
			c->sibling = (uint16_t)(i ^ 1);
		c->llc = (uint16_t)(i / s->s->llc);
		c->node = (uint16_t)(i / s->s->node % s->node_cnt);
		cpumask_set(&s->all, i);
		cpumask_set(&s->llc[c->llc], i);
	}
	s->idle = s->calm = s->all;
}

static void open_vm(struct sim *s, const struct sim_kind *k, unsigned nr,
		    unsigned *vcpu)
{
	struct sim_vm *vm = &s->vm[nr];
	struct hist *response = vm->response;
	bool be_below = s->p->mode == SIM_OWN || s->p->be_idle;

	*vm =
	    (struct sim_vm){ .kind = k,
			     .first = (uint16_t)*vcpu,
			     .cnt = k->vcpus,
			     .node = (uint16_t)(nr % s->node_cnt),
			     .halted = k->vcpus == 64 ? ~0ull
						      : (1ull << k->vcpus) - 1,
			     .memory_mb_s = k->memory_mb_s,
			     .response = response };
	for (unsigned i = 0; i < k->vcpus; i++, ++*vcpu)
		s->vcpu[*vcpu] = (struct vcpu){
			.vm = (uint16_t)nr,
			.index = (uint8_t)i,
			.run = VCPU_RUN_HALTED,
			.rank = !is_lc(vm) && be_below ? RANK_BE : RANK_LC,
			.cpu = CPU_NONE,
			.ran_on = CPU_NONE,
			.req = REQ_NONE,
		};
}

static void open_vms(struct sim *s)
{
	unsigned nr = 0, vcpu = 0;

	for (unsigned i = 0; i < s->s->kind_cnt; i++)
		for (unsigned j = 0; j < s->s->kind[i].count; j++)
			open_vm(s, &s->s->kind[i], nr++, &vcpu);
}

/* phase_at() - When phase @p reaches @vm first. */
static uint64_t phase_at(const struct sim *s, const struct sim_phase *p,
			 const struct sim_vm *vm)
{
	uint64_t shift_ns = s->shift_ns;
	unsigned first = 0;

	while (s->vm[first].kind != vm->kind)
		first++;
	if (p->every_ns)
		shift_ns %= p->every_ns;
	return p->at_ns + shift_ns +
	       p->spread_ns * (vm_nr(s, vm) - first) / vm->kind->count;
}

static void open_loads(struct sim *s, uint64_t seed)
{
	for (unsigned i = 0; i < s->vm_cnt; i++) {
		struct sim_vm *vm = &s->vm[i];
		const struct sim_kind *k = vm->kind;

		arrive_open(s, vm, seed);
		arrive_set(s, vm, &k->load);
		if (k->collect_ns)
			/* not all at once */
			heap_set(&s->heap, s->id.collect + i,
				 k->collect_every_ns * (i + 1) / s->vm_cnt);
		for (unsigned j = 0; j < s->s->phase_cnt; j++) {
			const struct sim_phase *p = &s->s->phase[j];

			if (&s->s->kind[p->kind] == k)
				heap_set(&s->heap,
					 s->id.phase + j * s->vm_cnt + i,
					 phase_at(s, p, vm));
		}
	}
}

static int sim_open(struct sim *s, uint64_t seed)
{
	const struct sim_scenario *sc = s->s;
	uint64_t warmup_ns = s->p->warmup_ns;
	int err;

	s->cost = sc->costs;
	if (warmup_ns > sc->warmup_ns)
		s->shift_ns = warmup_ns - sc->warmup_ns;
	s->warm_ns = sc->warmup_ns + s->shift_ns;
	s->end_ns = s->warm_ns + sc->run_ns;
	s->ours = s->p->strict ||
		  (s->p->ops && policy_find(s->p->ops->name) == s->p->ops);
	count(s);
	number_events(s);
	err = allocate(s);
	if (err)
		return err;
	open_cpus(s);
	open_vms(s);
	err = host_open(s);
	if (!err && s->p->mode == SIM_ORACLE)
		err = oracle_open(s);
	if (err)
		return err;
	memory_open(s);
	open_loads(s, seed);
	if (!s->oracle)
		heap_set(&s->heap, s->id.balance, s->cost.balance_ns);
	heap_set(&s->heap, s->id.warm, s->warm_ns);
	heap_set(&s->heap, s->id.end, s->end_ns);
	return 0;
}

static void sim_close(struct sim *s)
{
	oracle_close(s);
	host_close(s);
	heap_close(&s->heap);
	for (unsigned i = 0; s->vm && i < s->vm_cnt; i++)
		free(s->vm[i].response);
	free(s->req);
	free(s->vcpu);
	free(s->vm);
	free(s->cpu);
}

/* --- events -------------------------------------------------------------- */

static void phase_due(struct sim *s, uint32_t nr)
{
	const struct sim_phase *p = &s->s->phase[nr / s->vm_cnt];
	struct sim_vm *vm = &s->vm[nr % s->vm_cnt];

	if (p->has_load)
		arrive_set(s, vm, &p->load);
	if (p->has_memory)
		vm->memory_mb_s = p->memory_mb_s;
	if (p->every_ns)
		heap_set(&s->heap, s->id.phase + nr, s->now_ns + p->every_ns);
}

static void collect_due(struct sim *s, struct sim_vm *vm)
{
	uint32_t id = s->id.collect + vm_nr(s, vm);

	if (s->oracle)
		for (unsigned i = 0; i < vm->cnt; i++)
			oracle_frame(s, vm, vm->kind->collect_ns, true);
	else
		guest_collect(s, vm);
	heap_set(&s->heap, id, s->now_ns + vm->kind->collect_every_ns);
}

/* host_due() - An event that is there once. */
static void host_due(struct sim *s, uint32_t id)
{
	if (id == s->id.decide)
		host_decide(s);
	else if (id == s->id.memory)
		memory_tick(s);
	else if (id == s->id.oracle)
		oracle_due(s);
	else if (id == s->id.warm)
		result_warm(s);
	else if (id == s->id.balance) {
		place_balance(s);
		heap_set(&s->heap, id, s->now_ns + s->cost.balance_ns);
	}
}

static void due(struct sim *s, uint32_t id)
{
	const struct event_ids *e = &s->id;

	if (id < e->arrive)
		cpu_event(s, &s->cpu[id - e->cpu]);
	else if (id < e->burst)
		arrive_due(s, &s->vm[id - e->arrive]);
	else if (id >= e->decide)
		host_due(s, id);
	else if (id < e->collect)
		arrive_turn(s, &s->vm[id - e->burst]);
	else if (id < e->agent)
		collect_due(s, &s->vm[id - e->collect]);
	else if (id < e->hint)
		host_told(s, &s->vm[id - e->agent]);
	else if (id < e->move)
		host_hint(s, &s->vm[id - e->hint]);
	else if (id < e->phase)
		host_move(s, &s->vcpu[id - e->move]);
	else
		phase_due(s, id - e->phase);
}

static void loop(struct sim *s)
{
	for (;;) {
		struct heap_node n = heap_begin(&s->heap);

		s->now_ns = n.at_ns;
		if (n.id == s->id.end)
			return;
		s->events++;
		due(s, n.id);
		heap_end(&s->heap);
	}
}

static double clock_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int sim_run(const struct sim_scenario *sc, const struct sim_policy *p,
	    uint64_t seed, struct sim_result *out)
{
	struct sim *s;
	double wall_s = clock_s(CLOCK_MONOTONIC);
	double cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
	int err;

	if (p->mode == SIM_OWN && (!p->ops || !p->interval_ns))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	memset(out, 0, sizeof(*out));
	s->s = sc;
	s->p = p;
	s->out = out;
	err = sim_open(s, seed);
	if (!err) {
		loop(s);
		if (s->oracle)
			oracle_end(s);
		check_end(s);
		result_end(s);
		out->wall_s = clock_s(CLOCK_MONOTONIC) - wall_s;
		out->cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_s;
	}
	sim_close(s);
	free(s);
	return err;
}
