// SPDX-License-Identifier: Apache-2.0
/*
 * test_policy_ias.c - the ias policy: what its two stages bar, and for how long
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/types.h>
#include "hl/sensor.h"
#include "scene.h"

#define US 1000ull

static struct snapshot snap;

static const struct {
	const char *what, *in, *out;
} row[] = {
	/* sibling */
	{ "half of the SLO, a harvester beside it",
	  "cpus=4 smt lc slo=400 delay=200 run:30@0* be run@1 run@2",
	  "bar*:1:sibling" },
	{ "less than half",
	  "cpus=4 smt lc slo=400 delay=199 run:30@0* be run@1", "" },
	{ "no SLO", "cpus=4 smt lc delay=900 run:30@0* be run@1", "" },
	{ "no port: there is no delay",
	  "cpus=4 smt lc noport slo=400 delay=200 run:30@0* be run@1", "" },
	{ "the frame was left lying for a second",
	  "cpus=4 smt lc slo=400 delay=1000400 run:30@0* be run@1", "" },
	{ "the owner began just now",
	  "cpus=4 smt lc slo=400 delay=200 run:24@0* be run@1", "" },
	{ "the owner is halted",
	  "cpus=4 smt lc slo=400 delay=200 halt:30@0* be run@1", "" },
	{ "nobody runs beside it",
	  "cpus=4 smt lc slo=400 delay=200 run:30@0* be ready@1 halt@1 run@3",
	  "" },
	{ "another owner runs beside it",
	  "cpus=4 smt lc slo=400 delay=200 run:30@0* lc run@1*", "" },
	{ "no SMT", "cpus=4 lc slo=400 delay=200 run:30@0* be run@1", "" },
	{ "its sibling is not hostd's",
	  "cpus=4 smt unmanaged=1 lc slo=400 delay=200 run:30@0* be run@1",
	  "" },
	{ "both cpus it owns",
	  "cpus=4 smt lc min=2 slo=400 delay=200 run:30@0* run:30@3* "
	  "be run@1 run@2",
	  "bar*:1-2:sibling" },
	{ "half of the cpus at most",
	  "cpus=4 smt unmanaged=3 lc min=2 slo=400 delay=200 run:30@0* "
	  "run:30@2* be run@1 run@3",
	  "bar*:1:sibling" },
	{ "a best-effort VM cannot be in trouble",
	  "cpus=4 smt be slo=400 delay=200 run:30@0* be run@1", "" },
	/* bandwidth */
	{ "at the limit", "cpus=4 load=0:50/50 be mem=50 run run run run", "" },
	{ "a fifth above it: one of four cpus",
	  "cpus=4 load=0:60/50 be mem=60 run run run run", "bar0:3:bandwidth" },
	{ "as many as the excess asks for",
	  "cpus=6 load=0:90/50 be mem=60 run run run run run run",
	  "bar0:3-5:bandwidth" },
	{ "half of them at most",
	  "cpus=4 load=0:200/50 be mem=200 run run run run",
	  "bar0:2-3:bandwidth" },
	{ "cpus it does not use do not count",
	  "cpus=4 load=0:60/50 be mem=60 run ready halt halt",
	  "bar0:1-3:bandwidth" },
	{ "one cpu is left to it",
	  "cpus=4 load=0:60/50 be mem=60 run halt halt halt", "" },
	{ "no limit", "cpus=4 load=0:60/0 be mem=60 run run run run", "" },
	{ "no meter", "cpus=4 node=4 be mem=60 run run run run", "" },
	{ "the one that moves most",
	  "cpus=4 load=0:60/50 be mem=20 run run be mem=30 run run",
	  "bar1:1-3:bandwidth" },
	{ "owners are not slowed down",
	  "cpus=4 load=0:60/50 lc mem=57 run@0* be mem=3 run run", "" },
	{ "what nobody owns is kept",
	  "cpus=4 load=0:60/50 lc run@0* lc run@2* be mem=60 run run run run",
	  "bar2:2:bandwidth" },
	{ "what is near its memory is kept",
	  "cpus=4 node=2 load=1:60/50 be at=1 mem=60 run run",
	  "bar0:0-1,3:bandwidth" },
	{ "its memory is elsewhere",
	  "cpus=4 node=2 load=0:60/50 be at=1 mem=60 run run", "" },
	{ "its memory is who knows where",
	  "cpus=4 node=2 load=0:60/50 be mem=60 run run",
	  "bar0:1-3:bandwidth" },
	{ "each node by itself",
	  "cpus=4 node=2 load=0:60/50 load=1:60/50 be at=0 mem=60 run run "
	  "be at=1 mem=60 run run",
	  "bar0:1-3:bandwidth bar1:0-1,3:bandwidth" },
	/* both, and slo's part */
	{ "what all are barred from is not kept",
	  "cpus=4 smt load=0:60/50 lc slo=400 delay=200 run:30@0* "
	  "be mem=60 run@1 run run",
	  "bar*:1:sibling bar1:0-1:bandwidth" },
	{ "slo's cpus come first",
	  "cpus=4 load=0:60/50 lc slo=400 delay=100 run@0* ready:50 "
	  "be mem=60 run run run run",
	  "1>1:delay bar1:0:bandwidth" },
};

static void test_rows(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		void *state = calloc(1, policy_ias.state_bytes);
		const char *out;

		scene_build(&snap, row[i].in);
		out = scene_decide(&policy_ias, state, &snap);
		if (strcmp(out, row[i].out))
			fail_msg("%s: \"%s\"", row[i].what, out);
		free(state);
	}
}

/* --- sequences ----------------------------------------------------------- */

struct step {
	uint64_t at_us;
	const char *in, *out;
};

#define STEPS_MAX 12

/* build_at() - The scene as it is @us later than usual. */
static void build_at(const char *text, uint64_t us)
{
	scene_build(&snap, text);
	snap.now_ns += us * US;
	for (unsigned i = 0; i < snap.vcpu_cnt; i++)
		snap.vcpu[i].since_ns += us * US;
	for (unsigned i = 0; i < snap.cpu_cnt; i++)
		snap.cpu[i].since_ns += us * US;
	for (unsigned i = 0; i < snap.node_cnt; i++)
		snap.node[i].since_ns += us * US;
}

#define BAD   "cpus=4 smt lc slo=400 delay=200 run:30@0* be run@1 run@2"
#define GOOD  "cpus=4 smt lc slo=400 run:30@0* be run@2 run@3"
#define OTHER "cpus=4 smt lc slo=400 min=0 halt lc run@0* be run@2 run@3"
#define BE4   "be mem=60 run run run run"
#define SLOW  "be mem=30 run run run run"

static const struct {
	const char *what;
	struct step step[STEPS_MAX];
} play[] = {
	{ "a sibling rests while there is trouble, and as long after it",
	  { { 0, BAD, "bar*:1:sibling" },
	    { 5000, BAD, "" },
	    { 10000, GOOD, "" },
	    { 14999, GOOD, "" },
	    { 15000, GOOD, "bar*:-:relief" },
	    { 15100, GOOD, "" } } },
	{ "trouble soon after: twice as long; later: half as long",
	  { { 0, BAD, "bar*:1:sibling" },
	    { 10000, GOOD, "bar*:-:relief" },
	    { 29000, BAD, "bar*:1:sibling" },
	    { 48999, GOOD, "" },
	    { 49000, GOOD, "bar*:-:relief" },
	    { 89000, BAD, "bar*:1:sibling" },
	    { 98999, GOOD, "" },
	    { 99000, GOOD, "bar*:-:relief" } } },
	{ "it has another owner: at once",
	  { { 0, BAD, "bar*:1:sibling" }, { 100, OTHER, "bar*:-:relief" } } },
	{ "one bar in a millisecond",
	  { { 0, BAD, "bar*:1:sibling" },
	    { 999,
	      "cpus=4 smt lc min=2 slo=400 delay=300 run:30@0* run:30@3* "
	      "be run@2",
	      "" },
	    { 1000,
	      "cpus=4 smt lc min=2 slo=400 delay=300 run:30@0* "
	      "run:30@3* be run@2",
	      "bar*:1-2:sibling" } } },
	{ "more late than its SLO allows",
	  { { 0, "cpus=4 smt lc slo=400 late=50/100 run:30@0* be run@1", "" },
	    { 50, "cpus=4 smt lc slo=400 late=51/102 run:30@0* be run@1", "" },
	    { 100, "cpus=4 smt lc slo=400 late=52/300 run:30@0* be run@1", "" },
	    { 150, "cpus=4 smt lc slo=400 late=53/300 run:30@0* be run@1",
	      "bar*:1:sibling" } } },
	{ "late in another window: forgotten",
	  { { 0, "cpus=4 smt lc slo=400 late=0/1 run:30@0* be run@1", "" },
	    { 100000, "cpus=4 smt lc slo=400 late=1/10 run:30@0* be run@1",
	      "" },
	    { 100100, "cpus=4 smt lc slo=400 late=2/11 run:30@0* be run@1",
	      "" } } },
	{ "a step, and what it did is read before the next one",
	  { { 0, "cpus=4 load=0:60/50 " BE4, "bar0:3:bandwidth" },
	    { 5999, "cpus=4 load=0:60/50 " BE4, "" },
	    { 6000, "cpus=4 load=0:60/50 " BE4, "bar0:2-3:bandwidth" },
	    { 12000, "cpus=4 load=0:60/50 " BE4, "bar0:1-3:bandwidth" },
	    { 18000, "cpus=4 load=0:60/50 " BE4, "" } } },
	{ "given back one by one while there is room",
	  { { 0, "cpus=4 load=0:90/50 " BE4, "bar0:2-3:bandwidth" },
	    { 10000, "cpus=4 load=0:31/50 " SLOW, "" },
	    { 20000, "cpus=4 load=0:30/50 " SLOW, "bar0:3:relief" },
	    { 30000, "cpus=4 load=0:35/50 " SLOW, "bar0:-:relief" },
	    { 40000, "cpus=4 load=0:35/50 " SLOW, "" } } },
	{ "at the limit nothing swings",
	  { { 0, "cpus=4 load=0:60/50 " BE4, "bar0:3:bandwidth" },
	    { 10000, "cpus=4 load=0:45/50 be mem=45 run run run run", "" },
	    { 20000, "cpus=4 load=0:45/50 be mem=45 run run run run", "" },
	    { 30000, "cpus=4 load=0:45/50 be mem=45 run run run run", "" } } },
	{ "on two nodes for all we know: what one takes the other does not "
	  "give",
	  { { 0,
	      "cpus=4 node=2 load=0:60/50 load=1:10/50 "
	      "be mem=60 run run run run",
	      "bar0:3:bandwidth" },
	    { 10000,
	      "cpus=4 node=2 load=0:45/50 load=1:10/50 "
	      "be mem=45 run run run run",
	      "" },
	    { 20000,
	      "cpus=4 node=2 load=0:20/50 load=1:10/50 "
	      "be mem=20 run run run run",
	      "bar0:-:relief" } } },
	{ "owners move in: it moves on",
	  { { 0, "cpus=4 load=0:90/50 " BE4, "bar0:2-3:bandwidth" },
	    { 10000, "cpus=4 load=0:45/50 " BE4 " lc run@0*",
	      "bar0:0,3:bandwidth" },
	    { 20000, "cpus=4 load=0:45/50 " BE4 " lc run@0*", "" } } },
	{ "nobody reads the traffic any more",
	  { { 0, "cpus=4 load=0:90/50 " BE4, "bar0:2-3:bandwidth" },
	    { 10000, "cpus=4 " BE4, "bar0:-:relief" } } },
	{ "it is gone, and its bars with it",
	  { { 0, "cpus=4 load=0:90/50 " BE4, "bar0:2-3:bandwidth" },
	    { 10000, "cpus=4 load=0:10/50 absent", "" },
	    { 20000, "cpus=4 load=0:90/50 " BE4, "bar0:2-3:bandwidth" } } },
};

static void test_plays(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(play) / sizeof(play[0]); i++) {
		void *state = calloc(1, policy_ias.state_bytes);

		for (unsigned j = 0; j < STEPS_MAX && play[i].step[j].in; j++) {
			const struct step *step = &play[i].step[j];
			const char *out;

			build_at(step->in, step->at_us);
			out = scene_decide(&policy_ias, state, &snap);
			if (strcmp(out, step->out))
				fail_msg("%s: after %u us \"%s\"", play[i].what,
					 (unsigned)step->at_us, out);
		}
		free(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_plays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
