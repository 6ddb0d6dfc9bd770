// SPDX-License-Identifier: Apache-2.0
/*
 * result.c - what a run has shown
 *
 * Counters of a VM start at 0 when the warm-up ends. A request counts when it
 * came after that. One that is still unanswered at the end counts with the age
 * it has reached if that is already over the target, else not at all: a VM that
 * starves must not look good because it answered nothing.
 */
#include <string.h>

#include "engine.h"

void result_answer(struct sim *s, struct sim_vm *vm, uint64_t arrived_ns)
{
	uint64_t took_ns = s->now_ns - arrived_ns;
	uint64_t slo_ns = vm->kind->slo_ns;

	vm->all_done++;
	vm->all_late += slo_ns && took_ns > slo_ns;
	if (s->p->answered && is_lc(vm))
		s->p->answered(s->state, vm_nr(s, vm), took_ns);
	if (!s->warm || arrived_ns < s->warm_ns)
		return;
	vm->done++;
	vm->late += slo_ns && took_ns > slo_ns;
	hist_add(vm->response, took_ns);
}

void result_lost(struct sim *s, struct sim_vm *vm)
{
	if (!s->warm)
		return;
	vm->lost++;
	vm->late++;
}

/* settle() - Book what is under way at this moment. */
static void settle(struct sim *s)
{
	for (unsigned i = 0; i < s->cpu_cnt; i++)
		cpu_charge(s, &s->cpu[i]);
	for (unsigned i = 0; i < s->vm_cnt; i++) {
		struct sim_vm *vm = &s->vm[i];

		vm->owned_ns +=
		    s->snap->vm[i].owned * (s->now_ns - vm->owned_since_ns);
		vm->owned_since_ns = s->now_ns;
	}
}

void result_warm(struct sim *s)
{
	settle(s);
	s->warm = true;
	s->moves = s->decisions = 0;
	for (unsigned i = 0; i < s->vm_cnt; i++) {
		struct sim_vm *vm = &s->vm[i];

		vm->owned_ns = vm->run_ns = vm->guest_ns = vm->work_ns = 0;
		vm->moves = vm->taken = 0;
	}
}

/* unanswered() - A request @vm still has at the end. */
static void unanswered(struct sim *s, struct sim_vm *vm, uint32_t r)
{
	const struct req *q = &s->req[r];
	uint64_t age_ns = s->now_ns - q->arrived_ns;
	uint64_t least_ns = vm->kind->slo_ns;

	if (q->internal || q->arrived_ns < s->warm_ns)
		return;
	if (!least_ns)
		least_ns = 10 * (uint64_t)service_mean_ns(&vm->kind->service);
	if (age_ns <= least_ns)
		return;
	vm->late += vm->kind->slo_ns != 0;
	vm->done++;
	hist_add(vm->response, age_ns);
}

static void all_unanswered(struct sim *s, struct sim_vm *vm)
{
	uint32_t r, n;

	for (r = vm->queue.head, n = vm->queue.cnt; n--; r = s->req[r].next)
		unanswered(s, vm, r);
	for (unsigned i = 0; i < vm->cnt; i++) {
		const struct vcpu *v = &s->vcpu[vm->first + i];

		if (v->req != REQ_NONE)
			unanswered(s, vm, v->req);
		for (r = v->ring.head, n = v->ring.cnt; n--; r = s->req[r].next)
			unanswered(s, vm, r);
	}
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static void result_vm(const struct sim_vm *vm, struct sim_vm_result *r)
{
	const struct sim_kind *k = vm->kind;
	uint64_t total = vm->done + vm->lost;

	*r = (struct sim_vm_result){ .class = k->class, .vcpus = vm->cnt };
	memcpy(r->name, k->name, sizeof(r->name));
	r->slo_ns = k->slo_ns;
	r->slo_permyriad = k->slo_permyriad;
	r->done = vm->done;
	r->lost = vm->lost;
	r->late = vm->late;
	r->p50_ns = hist_quantile(vm->response, 5000);
	r->p99_ns = hist_quantile(vm->response, 9900);
	r->p999_ns = hist_quantile(vm->response, 9990);
	r->max_ns = vm->response->max_ns;
	r->slo_at_ns = hist_quantile(vm->response, k->slo_permyriad);
	r->met = vm->late * 10000 <= (10000ull - k->slo_permyriad) * total;
	r->owned_s = seconds(vm->owned_ns);
	r->run_s = seconds(vm->run_ns);
	r->work_s = seconds(vm->work_ns);
	r->moves = vm->moves;
}

static void add_class(struct sim_class_result *c, const struct sim_vm *vm,
		      const struct sim_vm_result *r)
{
	c->vms++;
	if (r->slo_ns) {
		c->slos++;
		c->met += r->met;
	}
	hist_merge(&c->response, vm->response);
	c->done += r->done;
	c->lost += r->lost;
	c->owned_s += r->owned_s;
	c->run_s += r->run_s;
	c->work_s += r->work_s;
}

void result_end(struct sim *s)
{
	struct sim_result *out = s->out;

	settle(s);
	out->seconds = seconds(s->end_ns - s->warm_ns);
	out->cpus = s->cpu_cnt;
	out->vm_cnt = s->vm_cnt;
	for (unsigned i = 0; i < s->vm_cnt; i++) {
		struct sim_vm *vm = &s->vm[i];

		if (!s->oracle)
			all_unanswered(s, vm);
		result_vm(vm, &out->vm[i]);
		add_class(&out->class[vm->kind->class], vm, &out -> vm[i]);
		if (!is_lc(vm) || !vm->kind->slo_ns)
			continue;
		out->lc_cpu_s +=
		    seconds(s->p->mode == SIM_OWN ? vm->owned_ns + vm->guest_ns
						  : vm->run_ns);
	}
	for (unsigned i = 0; i < SIM_CLASSES; i++) {
		struct sim_class_result *c = &out->class[i];

		c->p50_ns = hist_quantile(&c->response, 5000);
		c->p99_ns = hist_quantile(&c->response, 9900);
		c->p999_ns = hist_quantile(&c->response, 9990);
	}
	out->moves = s->moves;
	out->decisions = s->decisions;
	out->decide_ns = s->decide_wall_ns;
	out->events = s->events;
}
