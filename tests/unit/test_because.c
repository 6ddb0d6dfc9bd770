// SPDX-License-Identifier: Apache-2.0
/* test_because.c - each line of a plan says which figures led to it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/pick.h"
#include "scene.h"

static struct snapshot s;
static struct plan plan;

/* Host -> the first line of the plan, and its figures in microseconds. */
static const struct {
	const char *what;
	const struct policy_ops *ops;
	const char *scene, *line;
	unsigned saw_us, limit_us;
} rows[] = {
	{ "a guarantee needs no signal", &policy_slo, "cpus=1 lc run@0",
	  "0>0:guarantee", 0, 0 },
	{ "slo: a frame", &policy_slo, "cpus=2 lc min=0 slo=300 delay=80 run@1",
	  "1>0:delay", 80, 75 },
	{ "slo: a vcpu", &policy_slo, "cpus=2 lc min=0 slo=300 ready:90@0",
	  "0>0:ready-wait", 90, 75 },
	{ "slo: no SLO, the usual limit", &policy_slo,
	  "cpus=2 lc min=0 delay=101 run@0", "0>0:delay", 101, 100 },
	{ "slo: held frames are no time", &policy_slo,
	  "cpus=2 lc min=0 slo=300 held=3 run@0", "0>0:held", 0, 75 },
	{ "slo: taken from another: the asker's wait", &policy_slo,
	  "cpus=1 be run@0* lc min=0 slo=300 ready:90", "0>10:preempted", 90,
	  75 },
	{ "simple: a frame", &policy_simple, "cpus=2 lc min=0 delay=60 ready@1",
	  "1>0:delay", 60, 50 },
	{ "simple: an owner at rest", &policy_simple,
	  "cpus=2 lc min=0 halt:1500@1*", "1>-:give-back", 1500, 1000 },
	{ "simple: above what it may own", &policy_simple,
	  "cpus=2 lc min=0 max=0 run@1*", "1>-:give-back", 0, 0 },
	{ "static looks at nothing", &policy_static,
	  "cpus=2 lc min=0 delay=900 run@0", "0>0:spare", 0, 0 },
};

static void decide(const struct policy_ops *ops, void *state)
{
	memset(&plan, 0, sizeof(plan));
	ops->decide(state, &s, &plan);
}

static void test_rows(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *mem = calloc(1, rows[i].ops->state_bytes + 1);
		const char *line;

		scene_build(&s, rows[i].scene);
		decide(rows[i].ops, mem);
		free(mem);
		if (!plan.count)
			fail_msg("%s: nothing planned", rows[i].what);
		line = scene_plan(&plan);
		if (strncmp(line, rows[i].line, strlen(rows[i].line)) ||
		    plan.grant[0].saw_ns != rows[i].saw_us * 1000ull ||
		    plan.grant[0].limit_ns != rows[i].limit_us * 1000ull)
			fail_msg("%s: %s saw %lu limit %lu", rows[i].what, line,
				 (unsigned long)plan.grant[0].saw_ns,
				 (unsigned long)plan.grant[0].limit_ns);
	}
}

/* Two cpus, the second idle all along: the first window is too early to give
 * it back, a later one does, and says how idle. */
static void test_idle(void **state)
{
	void *mem = calloc(1, policy_slo.state_bytes);
	const struct grant *g = &plan.grant[0];

	(void)state;
	scene_build(&s, "cpus=2 lc min=1 run@0* halt@1*");
	for (unsigned i = 0; i < 100; i++) {
		s.now_ns += 1000000;
		s.vcpu[0].ran_ns += 300000;
		s.vcpu[0].since_ns = s.now_ns;
		decide(&policy_slo, mem);
		if (plan.count)
			break;
	}
	free(mem);
	assert_int_equal(plan.count, 1);
	assert_string_equal(scene_plan(&plan), "1>-:give-back");
	/* of two cpus for 10 ms it used 3 ms; one cpu bears 7 ms */
	assert_in_range(g->saw_ns, 16900000, 17100000);
	assert_in_range(g->limit_ns, 12900000, 13100000);
}

/* Figures belong to one line only, planned or not. */
static void test_once(void **state)
{
	struct pick k;

	(void)state;
	memset(&plan, 0, sizeof(plan));
	scene_build(&s, "cpus=3 lc halt halt halt");
	pick_begin(&k, &s, &plan);
	pick_because(&k, 7, 5);
	pick_give(&k, 0, 0, REASON_DELAY);
	pick_give(&k, 1, 1, REASON_DELAY);
	pick_because(&k, 9, 8);
	pick_drop(&k, 1, REASON_SPARE); /* moved already: not planned */
	pick_give(&k, 2, 2, REASON_DELAY);
	assert_int_equal(plan.count, 3);
	assert_int_equal(plan.grant[0].saw_ns, 7);
	assert_int_equal(plan.grant[0].limit_ns, 5);
	assert_int_equal(plan.grant[1].saw_ns, 0);
	assert_int_equal(plan.grant[2].saw_ns, 0);
	assert_int_equal(plan.grant[2].limit_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
