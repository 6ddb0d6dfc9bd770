// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_place_model.c - who is placed where, in a million random steps
 *
 * What place.c says is held against a model that knows the rules, but no rings:
 * it looks at all workers for each choice. Where workers' masks are restricted,
 * place.c asks a bounded number of them, so who is chosen is not foretold; the
 * rules that hold for every choice are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/agent_stage.h"

#define MODEL_VCPUS   6
#define MODEL_WORKERS 24
#define STEPS	      1000000

/* What the rules say, with a look at everybody. */
static struct model {
	bool restricted; /* masks are: then choices are not foretold */
	uint64_t clock;	 /* counts what happens: who became idle when */
	uint64_t granted;
	struct {
		bool joined, apart, waits;
		uint16_t slot;
		uint16_t home, vcpu;
		uint64_t idle;	 /* when it became so; of one that never ran:
				  * when it joined */
		uint64_t queued; /* when it began to wait */
		uint64_t placed_ns;
	} w[MODEL_WORKERS];
} model;

static unsigned rnd(unsigned n)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (unsigned)(x >> 33) % n;
}

static int model_on(uint16_t vcpu)
{
	for (int i = 0; i < MODEL_WORKERS; i++)
		if (model.w[i].joined && model.w[i].vcpu == vcpu)
			return i;
	return -1;
}

static bool model_rides(int i)
{
	return model.w[i].joined && !model.w[i].apart &&
	       model.w[i].vcpu == CPU_NONE;
}

/* Is @i to be preferred to @best for @vcpu? */
static bool model_better(int i, int best, uint16_t vcpu)
{
	bool wi = model.w[i].waits, wb = best >= 0 && model.w[best].waits;
	bool hi = model.w[i].home == vcpu, hb;

	if (best < 0)
		return true;
	hb = model.w[best].home == vcpu;
	if (wi || wb)
		return wi && (!wb || model.w[i].queued < model.w[best].queued);
	if (hi != hb)
		return hi;
	if (hi)
		return model.w[i].idle > model.w[best].idle;
	if ((model.w[i].home == CPU_NONE) != (model.w[best].home == CPU_NONE))
		return model.w[i].home == CPU_NONE;
	if (model.w[i].home == CPU_NONE)
		return model.w[i].idle > model.w[best].idle;
	return model.w[i].idle < model.w[best].idle;
}

static void model_put(int i, uint16_t vcpu, uint64_t now)
{
	model.w[i].vcpu = vcpu;
	model.w[i].waits = false;
	model.w[i].placed_ns = now;
}

static void model_fill(uint16_t vcpu, uint64_t now)
{
	int best = -1;

	for (int i = 0; i < MODEL_WORKERS; i++)
		if (model_rides(i) && model_better(i, best, vcpu))
			best = i;
	if (best >= 0)
		model_put(best, vcpu, now);
}

static void model_displace(int i)
{
	model.w[i].home = model.w[i].vcpu;
	model.w[i].vcpu = CPU_NONE;
	model.w[i].idle = ++model.clock;
}

static void model_grants(uint64_t bits, uint64_t now)
{
	uint64_t come = bits & ~model.granted, go = model.granted & ~bits;

	model.granted = bits;
	for (uint16_t v = 0; v < MODEL_VCPUS; v++)
		if (go >> v & 1 && model_on(v) >= 0)
			model_displace(model_on(v));
	for (uint16_t v = 0; v < MODEL_VCPUS; v++)
		if (come >> v & 1)
			model_fill(v, now);
}

static void model_withdraw(int i, uint64_t now)
{
	uint16_t v = model.w[i].vcpu;

	model.w[i].vcpu = CPU_NONE;
	model.w[i].waits = false;
	model.w[i].apart = true;
	if (v != CPU_NONE)
		model_fill(v, now);
}

/* Somebody came: when a vcpu is empty, there is no other rider, or masks are in
 * the way. */
static void model_offer(uint64_t now)
{
	for (uint16_t v = 0; v < MODEL_VCPUS; v++)
		if (model.granted >> v & 1 && model_on(v) < 0) {
			model_fill(v, now);
			return;
		}
}

/* Which of several empty vcpus a newcomer gets, and which sleeper or spent
 * worker gives way, is taken over from place.c; who gets it is not. */
static void model_follow(uint64_t now)
{
	for (uint16_t v = 0; v < MODEL_VCPUS; v++) {
		uint16_t slot = place.vcpu[v].slot;
		int was = model_on(v);

		if (was >= 0 && model.w[was].slot == slot)
			continue;
		if (was >= 0)
			model_displace(was);
		for (int i = 0; slot != WORKER_NONE && i < MODEL_WORKERS; i++)
			if (model.w[i].joined && model.w[i].slot == slot)
				model_put(i, v, now);
	}
}

static void check_equal(unsigned step)
{
	for (uint16_t v = 0; v < MODEL_VCPUS; v++) {
		int i = model_on(v);
		uint16_t slot = i < 0 ? WORKER_NONE : model.w[i].slot;

		if (place.vcpu[v].slot != slot)
			fail_msg("step %u: vcpu %u has slot %u, not %u", step,
				 v, place.vcpu[v].slot, slot);
	}
}

/* What must hold whatever was chosen. */
static void check_rules(unsigned step)
{
	uint64_t seen = 0;

	for (unsigned v = 0; v < AGENT_VCPUS; v++) {
		uint16_t slot = place.vcpu[v].slot;

		if (slot == WORKER_NONE)
			continue;
		if (v >= MODEL_VCPUS || !(model.granted >> v & 1))
			fail_msg("step %u: vcpu %u is not granted", step, v);
		if (!table.worker[slot].tid || table.worker[slot].vcpu != v)
			fail_msg("step %u: stale slot %u", step, slot);
		if (!cpumask_has(&table.worker[slot].had, v))
			fail_msg("step %u: %u may not use %u", step, slot, v);
		seen |= 1ull << v;
	}
	for (int i = 0; i < MODEL_WORKERS; i++) {
		uint16_t v = model.w[i].joined
				 ? table.worker[model.w[i].slot].vcpu
				 : CPU_NONE;

		if (v != CPU_NONE && place.vcpu[v].slot != model.w[i].slot)
			fail_msg("step %u: two on vcpu %u", step, v);
	}
	/* An empty vcpu, and a rider who may use it: only when masks kept
	 * place from finding him among many. */
	for (uint16_t v = 0; !model.restricted && v < MODEL_VCPUS; v++)
		for (int i = 0; i < MODEL_WORKERS; i++)
			if (model.granted >> v & 1 && !(seen >> v & 1) &&
			    model_rides(i))
				fail_msg("step %u: vcpu %u left empty", step,
					 v);
}

/* What was emitted is what each worker should have by now. */
static void check_said(unsigned step)
{
	for (int i = 0; i < MODEL_WORKERS; i++) {
		uint16_t slot = model.w[i].slot;
		const struct place_change *c = &said[slot];
		const struct worker *w = &table.worker[slot];
		uint8_t kind = PLACE_BACK;

		if (!model.w[i].joined)
			continue;
		if (w->vcpu != CPU_NONE)
			kind = PLACE_PIN;
		else if (!model.w[i].apart && w->had.word[0] & model.granted)
			kind = PLACE_RIDE;
		if (c->kind != kind ||
		    (kind == PLACE_PIN && c->vcpu != w->vcpu))
			fail_msg("step %u: slot %u was told %u, not %u", step,
				 slot, c->kind, kind);
	}
}

/* After a tick nobody is over the cap who could have been served. */
static void check_age(unsigned step, uint64_t now)
{
	for (int i = 0; i < MODEL_WORKERS; i++) {
		const struct worker *w = &table.worker[model.w[i].slot];

		if (!model_rides(i) || !model.w[i].waits ||
		    now - w->since_ns <= AGE)
			continue;
		for (uint16_t v = 0; v < MODEL_VCPUS; v++)
			if (model.granted >> v & 1 && cpumask_has(&w->had, v) &&
			    now - place.vcpu[v].since_ns >= AGE)
				fail_msg("step %u: slot %u starves, vcpu %u",
					 step, model.w[i].slot, v);
	}
}

static uint64_t random_mask(void)
{
	return model.restricted && rnd(3) ? 1 + rnd((1 << MODEL_VCPUS) - 1)
					  : FULL;
}

static void step_join(int i, uint64_t now)
{
	static pid_t tid;

	model.w[i].joined = true;
	model.w[i].apart = model.w[i].waits = false;
	model.w[i].home = model.w[i].vcpu = CPU_NONE;
	model.w[i].idle = ++model.clock;
	model.w[i].slot = join(++tid, random_mask(), now);
	model_offer(now);
}

static void step_leave(int i, uint64_t now)
{
	uint16_t v = model.w[i].vcpu;

	leave(model.w[i].slot, now);
	model.w[i].joined = false;
	model.w[i].vcpu = CPU_NONE;
	if (v != CPU_NONE)
		model_fill(v, now);
}

static void step_look(int i, uint64_t now)
{
	uint16_t slot = model.w[i].slot;
	bool ran = rnd(2), waits = rnd(2);

	/* once it waits, it waits since then */
	look(slot, ran,
	     !waits		? 0
	     : model.w[i].waits ? table.worker[slot].since_ns
				: now,
	     now);
	waits = waits && !ran && model_rides(i);
	if (waits && !model.w[i].waits)
		model.w[i].queued = ++model.clock;
	model.w[i].waits = waits;
}

static void step_other(int i, uint64_t now)
{
	uint16_t slot = model.w[i].slot;

	if (rnd(2)) {
		if (!model.w[i].apart)
			model_withdraw(i, now);
		place_refused(&place, slot, now);
		return;
	}
	if (model.w[i].vcpu == CPU_NONE || model.restricted) {
		bool stays;

		table.worker[slot].had = mask(random_mask());
		stays = model.w[i].vcpu != CPU_NONE &&
			cpumask_has(&table.worker[slot].had, model.w[i].vcpu);
		place_had(&place, slot, now);
		if (stays)
			return;
		model_withdraw(i, now);
		model.w[i].apart = false;
		model.w[i].home = CPU_NONE;
		model.w[i].idle = ++model.clock;
		model_offer(now);
	}
}

static void one_step(uint64_t now, unsigned step)
{
	int i = (int)rnd(MODEL_WORKERS);
	uint64_t bits = rnd(4) ? model.granted ^ 1ull << rnd(MODEL_VCPUS)
			       : rnd(1 << MODEL_VCPUS);

	switch (rnd(8)) {
	case 0:
		model_grants(bits, now);
		grant(bits, now);
		break;
	case 1:
	case 2:
		if (!model.w[i].joined)
			step_join(i, now);
		break;
	case 3:
		if (model.w[i].joined)
			step_leave(i, now);
		break;
	case 4:
		if (model.w[i].joined && !rnd(4))
			step_other(i, now);
		break;
	case 5:
		place_tick(&place, now);
		model_follow(now);
		check_age(step, now);
		break;
	default:
		if (model.w[i].joined)
			step_look(i, now);
	}
	if (model.restricted)
		model_follow(now);
}

static void play(bool restricted, unsigned steps)
{
	uint64_t now = NSEC_PER_SEC;
	unsigned pins = 0, moved = 0;

	memset(&model, 0, sizeof(model));
	model.restricted = restricted;
	start(MODEL_VCPUS);
	for (unsigned step = 0; step < steps; step++) {
		uint64_t picks = place.n.picks;

		now += rnd(10) * NSEC_PER_MSEC;
		one_step(now, step);
		check_equal(step);
		if (step % 4 == 0) {
			pins += drain();
			check_said(step);
			check_rules(step);
		}
		moved += place.n.picks > picks;
	}
	/* A pin is said for a pick only. */
	assert_true(pins <= place.n.picks);
	assert_true(moved > steps / 100);
	assert_true(place.n.aged && place.n.parked && place.n.home);
	stop();
}

static void test_model(void **unused)
{
	(void)unused;
	play(false, STEPS);
}

static void test_model_restricted(void **unused)
{
	(void)unused;
	play(true, STEPS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_model_restricted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
