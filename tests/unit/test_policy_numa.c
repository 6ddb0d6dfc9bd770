// SPDX-License-Identifier: Apache-2.0
/*
 * test_policy_numa.c - the numa policy: near first, spill, and go home
 *
 * Most scenes have four cpus on two nodes, and the VM in question in slot 0
 * with its memory on node 1, cpus 2 and 3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "scene.h"

#define US   1000ull
#define HOST "cpus=4 node=2 "

static struct snapshot snap;

static const struct {
	const char *what, *in, *out;
} row[] = {
	/* near first */
	{ "the minimum, near the memory", HOST "lc at=1 halt",
	  "2>0:guarantee" },
	{ "nearer than where it last ran", HOST "lc at=1 min=0 ready:900@0",
	  "2>0:ready-wait" },
	{ "among the near ones, where it last ran",
	  HOST "lc at=1 min=0 ready:900@3", "3>0:ready-wait" },
	{ "memory all over: where it last ran", HOST "lc min=0 ready:900@0",
	  "0>0:ready-wait" },
	{ "a node there is not: the same", HOST "lc at=7 min=0 ready:900@0",
	  "0>0:ready-wait" },
	/* spill */
	{ "its node is full", HOST "lc at=1 min=2 run@2* run@3* ready:900 run",
	  "0>2:ready-wait" },
	{ "the nearest of the others",
	  "cpus=6 node=2 dist=2:0:30 lc at=2 min=2 run@4* run@5* ready:900@0",
	  "2>2:ready-wait" },
	/* and home */
	{ "a near one is free", HOST "lc at=1 run@0*", "0>-:home 2>0:home" },
	{ "one a look", HOST "lc at=1 min=2 run@0* run@1*",
	  "0>-:home 2>0:home" },
	{ "best-effort VMs have no home", HOST "be at=1 run@0*", "" },
	{ "it is at home", HOST "lc at=1 run@2*", "" },
	{ "its memory is all over", HOST "lc run@0*", "" },
	{ "no near one is free", HOST "lc at=1 run@0* lc run@2* lc run@3*",
	  "" },
	{ "it came here just now", HOST "fresh=0 lc at=1 run@0*", "" },
	{ "not what changes hands in this decision",
	  HOST "lc at=1 max=0 min=0 run@0*", "0>-:give-back" },
	{ "each of two VMs", HOST "lc at=1 run@0* lc at=1 run@1*",
	  "0>-:home 2>0:home 1>-:home 3>10:home" },
	{ "a little nearer is better, too",
	  "cpus=6 node=2 dist=2:0:30 lc at=2 run@0* lc run@4* lc run@5*",
	  "0>-:home 2>0:home" },
	{ "the farthest first",
	  "cpus=8 node=2 dist=2:0:30 lc at=2 min=2 run@2* run@0* lc run@5* ",
	  "0>-:home 4>1:home" },
};

static void test_rows(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		void *state = calloc(1, policy_numa.state_bytes);
		const char *out;

		scene_build(&snap, row[i].in);
		out = scene_decide(&policy_numa, state, &snap);
		if (strcmp(out, row[i].out))
			fail_msg("%s: \"%s\"", row[i].what, out);
		free(state);
	}
}

/* Who is away is remembered; looks for nearer cpus are a millisecond apart. */
static void test_waits_for_a_near_one(void **unused)
{
	static const struct {
		uint64_t at_us;
		bool changed; /* is the VM listed? */
		const char *in, *out;
	} step[] = {
		{ 0, true, HOST "lc at=1 run@0* lc run@2* lc run@3*", "" },
		{ 999, false, HOST "lc at=1 run@0* lc run@2*", "" },
		{ 1000, false, HOST "lc at=1 run@0* lc run@2*",
		  "0>-:home 3>0:home" },
		{ 2000, false, HOST "lc at=1 run@3* lc run@2*", "" },
	};
	void *state = calloc(1, policy_numa.state_bytes);

	(void)unused;
	for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		scene_build(&snap, step[i].in);
		snap.now_ns += step[i].at_us * US;
		if (!step[i].changed)
			snap.changed_cnt = 0;
		assert_string_equal(scene_decide(&policy_numa, state, &snap),
				    step[i].out);
	}
	free(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_waits_for_a_near_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
