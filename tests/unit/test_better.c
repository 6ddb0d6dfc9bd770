// SPDX-License-Identifier: Apache-2.0
/*
 * test_better.c - a late VM changes a poor cpu for a better one
 *
 * The VM in question is in slot 0, its memory on node 1: cpus 4 to 7 of eight
 * with two threads a core. The floor is cpu 4, where it is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "policy/better.h"
#include "scene.h"

#define HOST "cpus=8 smt node=4 "

static struct snapshot snap;

static const struct {
	const char *what, *in, *out;
} row[] = {
	{ "it owns nothing", HOST "lc at=1 run", "" },
	{ "half a core for a whole one", HOST "lc at=1 run@4* lc run@5*",
	  "4>-:budget 6>0:budget" },
	{ "a whole one already", HOST "lc at=1 run@4* lc run@6*", "" },
	{ "half a core for another half",
	  HOST "lc at=1 run@4* lc run@5* lc run@6*", "" },
	{ "a far one for a near one", HOST "lc at=1 run@0*",
	  "0>-:budget 4>0:budget" },
	{ "whole but far for half a core that is near",
	  HOST "lc at=1 run@0* lc run@4* lc run@6*", "0>-:budget 5>0:budget" },
	{ "near half a core for a far whole one: no",
	  HOST "lc at=1 run@4* lc run@5* lc run@6* lc run@7*", "" },
	{ "the floor", HOST "floor=4 lc at=1 run@4*", "4>-:budget 6>0:budget" },
	{ "on one core with it", HOST "floor=4 lc at=1 run@5*",
	  "5>-:budget 6>0:budget" },
	{ "no other is free", "cpus=2 smt floor=0 lc run@0* lc run@1*", "" },
	{ "the floor is free, and a whole core: not the floor",
	  "cpus=8 smt floor=0 lc run@2* lc run@3*", "2>-:budget 4>0:budget" },
	{ "one of several, the poorest",
	  HOST "floor=4 lc at=1 run@5* run@4* run@0* lc run@7*",
	  "0>-:budget 6>2:budget" },
	{ "memory nobody knows of: cores all the same",
	  HOST "lc run@0* lc run@1*", "0>-:budget 2>0:budget" },
};

static void test_rows(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct plan plan = { 0 };
		struct pick k;

		scene_build(&snap, row[i].in);
		pick_begin(&k, &snap, &plan);
		k.by_node = k.whole = true;
		k.quiet = (struct cpumask){ 0 };
		better_pass(&k, 0);
		if (strcmp(scene_plan(&plan), row[i].out))
			fail_msg("%s: \"%s\"", row[i].what, scene_plan(&plan));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
