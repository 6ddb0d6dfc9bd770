// SPDX-License-Identifier: Apache-2.0
/*
 * arrive.c - when requests come and what work they ask for
 *
 * A VM has three streams of random numbers: gaps, works, and the lengths of
 * bursts. None is drawn from for what the host does, so every policy meets the
 * same requests. Gaps are exponential. During a burst they come at the load's
 * rate, between bursts not at all; a gap cut short by the end of a burst is
 * simply the next burst's first: exponential gaps have no memory.
 */
#include "engine.h"

static uint64_t draw_work(const struct sim_service *sv, struct rng *r)
{
	double mean = (double)sv->mean_ns, ns = mean;

	switch (sv->kind) {
	case SERVICE_CONST:
		break;
	case SERVICE_EXP:
		ns = rng_exp(r, mean);
		break;
	case SERVICE_LOGNORMAL:
		/* of that mean: mu = ln(mean) - sigma^2 / 2 */
		ns = mean *
		     exp(sv->sigma * rng_normal(r) - sv->sigma * sv->sigma / 2);
		break;
	case SERVICE_BIMODAL:
		if (rng_unit(r) <= sv->rare_share)
			ns = (double)sv->rare_ns;
		break;
	}
	return ns < 1 ? 1 : ns > 1e10 ? 10000000000ull : (uint64_t)ns;
}

static uint32_t arrive_id(const struct sim *s, const struct sim_vm *vm)
{
	return s->id.arrive + vm_nr(s, vm);
}

static void schedule(struct sim *s, struct sim_vm *vm)
{
	uint64_t gap_ns = (uint64_t)rng_exp(&vm->gaps, vm->gap_ns) + 1;

	heap_set(&s->heap, arrive_id(s, vm), s->now_ns + gap_ns);
}

void arrive_set(struct sim *s, struct sim_vm *vm, const struct sim_load *load)
{
	uint32_t burst = s->id.burst + vm_nr(s, vm);

	vm->load = *load;
	heap_drop(&s->heap, arrive_id(s, vm));
	heap_drop(&s->heap, burst);
	if (s->oracle)
		oracle_threads(s);
	else
		guest_threads(s, vm,
			      load->kind == LOAD_SPIN ? load->threads : 0);
	if (load->kind != LOAD_POISSON && load->kind != LOAD_BURSTS)
		return;
	vm->gap_ns = service_mean_ns(&vm->kind->service) * 1000 /
		     ((double)load->permille * vm->cnt);
	vm->on = load->kind == LOAD_POISSON;
	if (vm->on)
		schedule(s, vm);
	else
		heap_set(&s->heap, burst,
			 s->now_ns + (uint64_t)rng_exp(&vm->bursts,
						       (double)load->off_ns));
}

void arrive_turn(struct sim *s, struct sim_vm *vm)
{
	double mean;

	vm->on = !vm->on;
	mean = (double)(vm->on ? vm->load.on_ns : vm->load.off_ns);
	heap_set(&s->heap, s->id.burst + vm_nr(s, vm),
		 s->now_ns + (uint64_t)rng_exp(&vm->bursts, mean) + 1);
	if (vm->on)
		schedule(s, vm);
	else
		heap_drop(&s->heap, arrive_id(s, vm));
}

void arrive_due(struct sim *s, struct sim_vm *vm)
{
	uint32_t hash = (uint32_t)rng_next(&vm->works);
	uint64_t work_ns = draw_work(&vm->kind->service, &vm->works);

	schedule(s, vm);
	if (s->oracle)
		oracle_frame(s, vm, work_ns, false);
	else
		guest_frame(s, vm, work_ns, hash);
}

void arrive_open(struct sim *s, struct sim_vm *vm, uint64_t seed)
{
	uint64_t nr = vm_nr(s, vm);

	vm->gaps = rng_open(seed, 4 * nr);
	vm->works = rng_open(seed, 4 * nr + 1);
	vm->bursts = rng_open(seed, 4 * nr + 2);
}
