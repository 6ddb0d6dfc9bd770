// SPDX-License-Identifier: Apache-2.0
/*
 * test_sim_models.c - the models of others do what their papers say
 *
 * Each step is a scene (scene.h), some time after the one before; a model
 * keeps its state from step to step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hl/sensor.h"
#include "policy/snapshot.h"
#include "scene.h"
#include "tests/sim/model.h"

#define US 1000ull
#define MS 1000000ull

static struct snapshot snap;

/* One decision of a model on a scene, @after_ns after SCENE_NOW_NS: the
 * scene's ages stay what its words say. */
static const char *at(const struct policy_ops *ops, void *state,
		      const char *scene, uint64_t after_ns)
{
	scene_build(&snap, scene);
	snap.now_ns += after_ns;
	for (unsigned i = 0; i < snap.vcpu_cnt; i++)
		snap.vcpu[i].since_ns += after_ns;
	return scene_decide(ops, state, &snap);
}

static void says(const char *what, const char *scene, const char *got,
		 const char *want)
{
	if (strcmp(got, want))
		fail_msg("%s:\n%s\ngot  %s\nwant %s", what, scene, got, want);
}

/* --- Caladan ------------------------------------------------------------ */

static const struct {
	const char *what, *in, *out;
} caladan_row[] = {
	{ "9 us are no congestion", "cpus=2 lc run@0* ready:9", "" },
	{ "10 us are", "cpus=2 lc run@0* ready:10", "1>1:ready-wait" },
	{ "so are frames", "cpus=2 lc delay=10 run@0* run", "1>1:delay" },
	{ "no port: what it says of frames is nothing",
	  "cpus=2 lc noport delay=99 run@0* run", "" },
	{ "none at all: at once", "cpus=2 lc min=0 ready:0", "0>0:ready-wait" },
	{ "one that rides on the floor has none", "cpus=2 lc min=0 run",
	  "0>0:ready-wait" },
	{ "halted for less than it spins: not parked", "cpus=1 lc halt:1@0*",
	  "" },
	{ "halted is parked, guaranteed or not", "cpus=1 lc min=1 halt:2@0*",
	  "0>-:give-back" },
	{ "frames are there: it runs on", "cpus=1 lc delay=1 halt:2@0*", "" },
	{ "what one parks another VM gets",
	  "cpus=1 lc min=0 halt:2@0* lc min=0 ready:10", "0>10:ready-wait" },
	{ "one cpu a decision", "cpus=4 lc run@0* ready:90 ready:80",
	  "1>1:ready-wait" },
	{ "at the maximum", "cpus=2 lc max=1 run@0* ready:90", "" },
	{ "nobody could use it", "cpus=2 lc delay=90 run@0* halt", "" },
	{ "best-effort VMs own nothing", "cpus=2 be delay=50 ready:900", "" },
	{ "no cpus come before few, few before many",
	  "cpus=4 lc min=0 run@0* run@1* ready:90 lc min=0 run@2* ready:50 "
	  "lc min=0 ready:10",
	  "3>20:ready-wait" },
	{ "the guaranteed one is home", "cpus=4 lc min=0 run@3* lc min=1 ready",
	  "0>10:ready-wait" },
	{ "a burst is evicted for two less",
	  "cpus=2 lc min=0 run@0* run@1* lc min=0 ready:10", "0>10:preempted" },
	{ "not for one less", "cpus=1 lc min=0 run@0* lc min=0 ready:10", "" },
	{ "not from a reserved cpu",
	  "cpus=2 lc min=2 run@0* run@1* lc min=0 ready:10", "" },
	{ "where the VM does not run on the sibling",
	  "cpus=4 smt lc min=0 run@0* ready:90", "2>1:ready-wait" },
	{ "both idle before one",
	  "cpus=4 smt lc min=0 run@0* lc min=0 ready:90", "2>10:ready-wait" },
	{ "guaranteed cpus are sibling pairs",
	  "cpus=4 smt lc min=2 run@0* ready:90", "1>1:ready-wait" },
	{ "the vcpu whose cpu it was", "cpus=2 lc run@0* ready:90@0 ready:20@1",
	  "1>2:ready-wait" },
	{ "else the longest waiting", "cpus=2 lc run@0* ready:20@0 ready:90@0",
	  "1>2:ready-wait" },
	{ "an owner that is gone", "cpus=1 ghost=0:7", "0>-:give-back" },
	{ "a cpu no longer managed", "cpus=1 unmanaged=0 lc run@0*",
	  "0>-:gone" },
};

static void test_caladan(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(caladan_row) / sizeof(caladan_row[0]);
	     i++) {
		void *state = calloc(1, model_caladan.state_bytes);

		says(caladan_row[i].what, caladan_row[i].in,
		     at(&model_caladan, state, caladan_row[i].in, 0),
		     caladan_row[i].out);
		free(state);
	}
}

/* After a grant one decision is let pass. */
static void test_caladan_hold_off(void **unused)
{
	static const char in[] = "cpus=4 lc run@0* ready:90 ready:80";
	void *state = calloc(1, model_caladan.state_bytes);

	(void)unused;
	says("first", in, at(&model_caladan, state, in, 0), "1>1:ready-wait");
	says("held off", in, at(&model_caladan, state, in, 10 * US), "");
	says("again", in, at(&model_caladan, state, in, 20 * US),
	     "1>1:ready-wait");
	free(state);
}

/* A cpu that was the VM's within 100 us is better than any other idle one. */
static void test_caladan_warm(void **unused)
{
	static const char was[] = "cpus=4 lc min=0 run@2*";
	static const char is[] = "cpus=4 lc min=0 ready";
	void *state = calloc(1, model_caladan.state_bytes);

	(void)unused;
	says("owns", was, at(&model_caladan, state, was, 0), "");
	says("warm", is, at(&model_caladan, state, is, 90 * US),
	     "2>0:ready-wait");
	says("cold", is, at(&model_caladan, state, is, 110 * US), "");
	says("cold", is, at(&model_caladan, state, is, 120 * US),
	     "0>0:ready-wait");
	free(state);
}

/* allowed() - Cpus a bar line leaves @vm; 999: there is no such line. */
static unsigned allowed(uint16_t vm, const struct plan *p)
{
	for (unsigned i = 0; i < p->bar_cnt; i++)
		if (p->bar[i].vm == vm)
			return snap.cpu_cnt - cpumask_count(&p->bar[i].cpus);
	return 999;
}

/* A vcpu busy for 40 us on its reserved cpu has the sibling to itself. */
static void test_caladan_sibling(void **unused)
{
	static const struct {
		const char *what, *in;
		unsigned allowed;
	} step[] = {
		{ "39 us", "cpus=4 smt lc min=2 run:39@0* be run", 999 },
		{ "40 us", "cpus=4 smt lc min=2 run:40@0* be run", 3 },
		{ "still", "cpus=4 smt lc min=2 run:50@0* be run", 999 },
		{ "rests", "cpus=4 smt lc min=2 halt:1@0* be run", 4 },
		{ "not reserved", "cpus=4 smt lc min=0 run:40@0* be run", 999 },
	};
	void *state = calloc(1, model_caladan.state_bytes);

	(void)unused;
	for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		struct plan p = { 0 };

		scene_build(&snap, step[i].in);
		model_caladan.decide(state, &snap, &p);
		if (allowed(VM_NONE, &p) != step[i].allowed)
			fail_msg("%s: %u", step[i].what, allowed(VM_NONE, &p));
	}
	free(state);
}

/* One cpu less a decision while the node is over 80 %, then one more. */
static void test_caladan_bandwidth(void **unused)
{
	static const struct {
		const char *what;
		uint64_t gb_s;
		unsigned allowed;
	} step[] = {
		{ "under", 79, 999 },	      { "over", 81, 2 },
		{ "still over", 81, 1 },      { "one cpu is left", 81, 999 },
		{ "under again", 79, 2 },     { "all back", 79, 4 },
		{ "nothing to do", 79, 999 },
	};
	void *state = calloc(1, model_caladan.state_bytes);

	(void)unused;
	for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		struct plan p = { 0 };

		scene_build(&snap, "cpus=4 lc run@0* be run be run run run");
		snap.node_cnt = 1;
		snap.now_ns += 20 * US * i;
		snap.node[0].metered = true;
		snap.node[0].since_ns = snap.now_ns - 10 * US;
		snap.node[0].mem_max_bytes_s = 100000000000ull;
		snap.node[0].mem_bytes_s = step[i].gb_s * 1000000000;
		snap.vm[1].mem_bytes_s = 9000000000; /* most, but of one cpu */
		snap.vm[2].mem_bytes_s = 6000000000;
		model_caladan.decide(state, &snap, &p);
		if (allowed(2, &p) != step[i].allowed)
			fail_msg("%s: %u", step[i].what, allowed(2, &p));
	}
	free(state);
}

/* --- what takes several decisions ------------------------------------------
 */

/* step() - Decide on `snap` and carry the plan out in it. */
static void step(const struct policy_ops *ops, void *state)
{
	static struct plan p;

	p.count = p.bar_cnt = 0;
	snapshot_mark_all(&snap);
	snapshot_list(&snap);
	ops->decide(state, &snap, &p);
	for (unsigned i = 0; i < p.count; i++)
		snapshot_own(&snap, p.grant[i].cpu, p.grant[i].vcpu);
}

/* begin() - The scene the steps start from. */
static void begin(const char *scene)
{
	scene_build(&snap, scene);
	snapshot_index(&snap);
}

/* --- PARTIES ------------------------------------------------------------ */

/* Each row: what the VMs own, and how long the requests of each take until the
 * decision after. SLOs are 100 us. */
static void test_parties(void **unused)
{
	static const struct {
		const char *what;
		unsigned owned[2], us[2];
	} row[] = {
		{ "equal parts to begin with", { 3, 3 }, { 50, 85 } },
		{ "half of it is slack: downsized", { 2, 3 }, { 90, 85 } },
		{ "a tenth is: nothing", { 2, 3 }, { 98, 85 } },
		{ "less than a twentieth: upsized", { 3, 3 }, { 90, 85 } },
		{ "nothing again", { 3, 3 }, { 50, 85 } },
		{ "slack: downsized", { 2, 3 }, { 150, 85 } },
		{ "missed after that: back at once", { 3, 3 }, { 50, 85 } },
		{ "and not downsized again", { 3, 3 }, { 150, 85 } },
		{ "missed, but nobody has slack", { 3, 3 }, { 150, 75 } },
		{ "somebody has", { 4, 2 }, { 150, 75 } },
		{ "no more than its maximum", { 4, 1 }, { 150, 75 } },
		{ "no less than one", { 4, 1 }, { 150, 75 } },
	};
	void *state = calloc(1, model_parties.state_bytes);

	(void)unused;
	begin("cpus=6 lc slo=100 min=1 max=4 halt halt halt halt "
	      "lc slo=100 min=0 max=3 halt halt halt");
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		step(&model_parties, state);
		for (uint16_t vm = 0; vm < 2; vm++) {
			if (snap.vm[vm].owned != row[i].owned[vm])
				fail_msg("%s: VM %u owns %u", row[i].what, vm,
					 snap.vm[vm].owned);
			for (int n = 0; n < 100; n++)
				parties_answered(state, vm, row[i].us[vm] * US);
		}
		snap.now_ns += PARTIES_INTERVAL_NS;
	}
	free(state);
}

/* --- SmartHarvest -----------------------------------------------------------
 */

/* windows() - @cnt windows in which VM 0 wants @cpus, and @peak of them for a
 * millisecond of each. Return: cpus it owns at the end. */
static unsigned windows(void *state, unsigned cnt, unsigned cpus, unsigned peak)
{
	for (unsigned n = 0; n < cnt; n++) {
		for (unsigned i = 0; i < 500; i++) {
			unsigned want = i >= 100 && i < 120 ? peak : cpus;

			for (unsigned v = 0; v < 8; v++)
				snap.vcpu[v].run = v < want ? VCPU_RUN_RUNNING
							    : VCPU_RUN_HALTED;
			snap.now_ns += SMARTHARVEST_POLL_NS;
			step(&model_smartharvest, state);
		}
	}
	return snap.vm[0].owned;
}

static void test_smartharvest(void **unused)
{
	void *state = calloc(1, model_smartharvest.state_bytes);
	unsigned owned;

	(void)unused;
	begin("cpus=12 lc min=1 max=8 halt halt halt halt halt "
	      "halt halt halt");
	step(&model_smartharvest, state);
	assert_int_equal(snap.vm[0].owned,
			 8); /* knows nothing: lends nothing */
	owned = windows(state, 80, 1, 3);
	assert_in_range(owned, 4,
			5); /* the peak, and no look without an idle one */
	owned = windows(state, 80, 1, 1);
	assert_in_range(owned, 2, 3);
	windows(state, 1, 6, 6); /* more than lent back: the safeguard */
	assert_in_range(snap.vm[0].owned, 7, 8);
	free(state);
}

/* Too many waits: all it may have, for ten seconds. */
static void test_smartharvest_stops(void **unused)
{
	void *state = calloc(1, model_smartharvest.state_bytes);

	(void)unused;
	begin("cpus=12 lc min=1 max=8 halt halt halt halt halt "
	      "halt halt halt");
	windows(state, 80, 1, 1);
	assert_in_range(snap.vm[0].owned, 2, 3);
	snap.vm[0].ready_ns = SMARTHARVEST_POLL_NS;
	windows(state, 40, 1, 1);
	snap.vm[0].ready_ns = 0;
	windows(state, 390, 1, 1);
	assert_int_equal(snap.vm[0].owned, 8);
	windows(state, 50, 1, 1);
	assert_in_range(snap.vm[0].owned, 2, 3);
	free(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caladan),
		cmocka_unit_test(test_caladan_hold_off),
		cmocka_unit_test(test_caladan_warm),
		cmocka_unit_test(test_caladan_sibling),
		cmocka_unit_test(test_caladan_bandwidth),
		cmocka_unit_test(test_parties),
		cmocka_unit_test(test_smartharvest),
		cmocka_unit_test(test_smartharvest_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
