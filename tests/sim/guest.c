// SPDX-License-Identifier: Apache-2.0
/*
 * guest.c - in a VM: frames, its queue, its vcpus, its agent
 *
 * A frame goes to one vcpu's ring, by its hash, and interrupts that vcpu. It is
 * taken when that vcpu runs next, at once if it runs already. Then the guest
 * wakes a worker: on this vcpu if it has nothing else, else on one that is
 * halted, else the request waits in the VM's one queue, which any vcpu that
 * gets free takes from (a guest's idle vcpus pull work from busy ones). What a
 * vcpu has begun, or was woken for, stays with it: a guest does not see that
 * the host keeps a vcpu waiting, so it does not move what is stuck there.
 *
 * With an agent, work goes only to vcpus that own a cpu, as far as the agent
 * knows, and interrupts too. What a vcpu that lost its cpu was woken for goes
 * back to the queue; what it is in the middle of, once it runs again.
 *
 * Vcpus that spin have work without end: they run when they are let.
 */
#include "engine.h"

/* usable() - Vcpus the guest gives work to. */
static uint64_t usable(const struct sim_vm *vm)
{
	uint64_t all = vm->cnt == 64 ? ~0ull : (1ull << vm->cnt) - 1;

	return vm->told ? vm->told & all : all;
}

/* nth() - Bit number @hash of those set in @bits, counted round. */
static unsigned nth(uint64_t bits, uint32_t hash)
{
	unsigned n = hash % (unsigned)__builtin_popcountll(bits);

	while (n--)
		bits &= bits - 1;
	return (unsigned)__builtin_ctzll(bits);
}

static struct vcpu *vcpu_at(struct sim *s, const struct sim_vm *vm, unsigned i)
{
	return &s->vcpu[vm->first + i];
}

static bool can_take(const struct sim_vm *vm, const struct vcpu *v)
{
	return !v->spin && v->req == REQ_NONE && (usable(vm) >> v->index & 1);
}

/* hand_out() - A vcpu for @r, or the queue. @here: where it was taken. */
static void hand_out(struct sim *s, struct sim_vm *vm, struct vcpu *here,
		     uint32_t r)
{
	uint64_t halted = vm->halted & usable(vm);
	struct vcpu *v = here;

	if (!can_take(vm, here)) {
		if (!halted) {
			req_push(s, &vm->queue, r);
			return;
		}
		v = vcpu_at(s, vm, nth(halted, s->req[r].hash));
	}
	v->req = r;
	if (v->run == VCPU_RUN_HALTED)
		vcpu_wake(s, v);
}

/* kick() - Halted vcpus take what waits in the queue. */
static void kick(struct sim *s, struct sim_vm *vm)
{
	while (vm->queue.cnt) {
		uint64_t halted = vm->halted & usable(vm);
		struct vcpu *v;

		if (!halted)
			return;
		v = vcpu_at(s, vm, (unsigned)__builtin_ctzll(halted));
		v->req = req_pop(s, &vm->queue);
		vcpu_wake(s, v);
	}
}

/* take() - @v, which runs, takes its frames. */
static void take(struct sim *s, struct vcpu *v)
{
	struct sim_vm *vm = vm_of(s, v);
	uint32_t r, cnt = v->ring.cnt;

	if (!cnt)
		return;
	while (v->ring.cnt) {
		r = req_pop(s, &v->ring);
		vm->delay_done++;
		vm->delay_late +=
		    s->now_ns - s->req[r].arrived_ns > vm->kind->slo_ns;
		hand_out(s, vm, v, r);
	}
	vm_waits(s, vm, 0, -(int)cnt);
	host_changed(s, vm);
}

void guest_frame(struct sim *s, struct sim_vm *vm, uint64_t work_ns,
		 uint32_t hash)
{
	struct vcpu *v;
	uint32_t r;

	if (vm->pending >= vm->kind->queue) {
		result_lost(s, vm);
		return;
	}
	vm->pending++;
	r = req_get(s);
	s->req[r] = (struct req){ .arrived_ns = s->now_ns,
				  .work_ns = work_ns,
				  .hash = hash };
	v = vcpu_at(s, vm, nth(usable(vm), hash));
	req_push(s, &v->ring, r);
	vm_waits(s, vm, 0, 1);
	host_changed(s, vm);
	if (v->run == VCPU_RUN_RUNNING) {
		take(s, v);
	} else if (v->run == VCPU_RUN_HALTED) {
		vcpu_wake(s, v);
	}
}

void guest_collect(struct sim *s, struct sim_vm *vm)
{
	for (unsigned i = 0; i < vm->cnt; i++) {
		uint32_t r;

		if (s->free_req == REQ_NONE)
			break;
		r = req_get(s);
		s->req[r] = (struct req){ .arrived_ns = s->now_ns,
					  .work_ns = vm->kind->collect_ns,
					  .internal = true };
		req_push_front(s, &vm->queue, r);
	}
	kick(s, vm);
	host_changed(s, vm);
}

/* unload() - @v gives up what it works on. */
static void unload(struct sim *s, struct vcpu *v)
{
	if (v->req == REQ_NONE)
		return;
	req_push_front(s, &vm_of(s, v)->queue, v->req);
	v->req = REQ_NONE;
}

/* rest_or_go_on() - @v runs and may have lost its work. */
static void rest_or_go_on(struct sim *s, struct vcpu *v)
{
	struct sim_vm *vm = vm_of(s, v);

	if (v->run != VCPU_RUN_RUNNING)
		return; /* somebody it woke took the cpu */
	if (v->req == REQ_NONE && vm->queue.cnt && can_take(vm, v))
		v->req = req_pop(s, &vm->queue);
	if (v->req != REQ_NONE || v->spin)
		cpu_work(s, &s->cpu[v->cpu]);
	else
		vcpu_halt(s, v);
}

void guest_threads(struct sim *s, struct sim_vm *vm, unsigned threads)
{
	for (unsigned i = 0; i < vm->cnt; i++) {
		struct vcpu *v = vcpu_at(s, vm, i);
		bool spin = i < threads;

		if (v->spin == spin)
			continue;
		if (v->run == VCPU_RUN_RUNNING)
			cpu_charge(s, &s->cpu[v->cpu]);
		v->spin = spin;
		if (v->run == VCPU_RUN_HALTED)
			vcpu_wake(s, v);
		else if (v->run == VCPU_RUN_RUNNING)
			rest_or_go_on(s, v);
	}
}

void guest_run(struct sim *s, struct vcpu *v)
{
	struct sim_vm *vm = vm_of(s, v);

	if (v->evict) {
		v->evict = false;
		unload(s, v);
		kick(s, vm);
	}
	take(s, v);
	rest_or_go_on(s, v);
}

void guest_done(struct sim *s, struct vcpu *v)
{
	struct sim_vm *vm = vm_of(s, v);
	uint32_t r = v->req;

	v->req = REQ_NONE;
	if (!s->req[r].internal) {
		vm->pending--;
		result_answer(s, vm, s->req[r].arrived_ns);
		host_changed(s, vm);
	}
	req_put(s, r);
	rest_or_go_on(s, v);
}

/* evict() - @v is not to be used any more, says the agent. */
static void evict(struct sim *s, struct vcpu *v)
{
	if (v->req == REQ_NONE)
		return;
	if (v->run == VCPU_RUN_READY && s->req[v->req].begun) {
		v->evict = true; /* it must run to stop */
		return;
	}
	if (v->run == VCPU_RUN_RUNNING)
		cpu_charge(s, &s->cpu[v->cpu]);
	unload(s, v);
	if (v->run == VCPU_RUN_RUNNING)
		rest_or_go_on(s, v);
	else if (!v->ring.cnt)
		vcpu_halt(s, v);
}

void guest_told(struct sim *s, struct sim_vm *vm, uint64_t told)
{
	vm->told = told;
	for (unsigned i = 0; i < vm->cnt; i++) {
		struct vcpu *v = vcpu_at(s, vm, i);

		if (usable(vm) >> i & 1)
			v->evict = false;
		else if (!v->spin)
			evict(s, v);
	}
	kick(s, vm);
	host_changed(s, vm);
}

uint64_t guest_wait_ns(const struct sim *s, const struct sim_vm *vm)
{
	return vm->queue.cnt ? s->now_ns - s->req[vm->queue.head].arrived_ns
			     : 0;
}
