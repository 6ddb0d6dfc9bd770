// SPDX-License-Identifier: Apache-2.0
/*
 * test_policy_simple.c - congested? one more cpu; halted long? one less
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "scene.h"

static struct snapshot snap;

static const struct {
	const char *what, *in, *out;
} row[] = {
	{ "the minimum first, wanted or not", "cpus=2 lc min=1 halt:90000",
	  "0>0:guarantee" },
	{ "no wait, no cpu", "cpus=2 lc min=1 delay=49 run@0* ready:49", "" },
	{ "frames wait", "cpus=2 lc delay=50 run@0* run", "1>1:delay" },
	{ "a vcpu waits", "cpus=2 lc run@0* ready:50", "1>1:ready-wait" },
	{ "frames are held", "cpus=2 lc held=1 run@0* run", "1>1:held" },
	{ "no port: what it says of frames is nothing",
	  "cpus=2 lc noport delay=999 held=9 run@0* run", "" },
	{ "nobody could use it", "cpus=2 lc delay=50 run@0* halt", "" },
	{ "at the maximum", "cpus=2 lc max=1 delay=50 run@0* run", "" },
	{ "best-effort VMs wait", "cpus=2 be delay=50 ready:900", "" },
	{ "one a decision", "cpus=4 lc run@0* ready:90 ready:80",
	  "1>1:ready-wait" },
	{ "a burst takes free cpus only",
	  "cpus=2 lc min=1 delay=90 run@0* run lc min=0 run@1*", "" },
	{ "a minimum takes from a burst",
	  "cpus=2 lc min=1 run@0* run@1* lc min=1 run", "1>10:guarantee" },
	{ "halted not long enough", "cpus=2 lc run@0* halt:999@1*", "" },
	{ "halted long enough", "cpus=2 lc run@0* halt:1000@1*",
	  "1>-:give-back" },
	{ "but never below the minimum", "cpus=2 lc min=2 run@0* halt:9000@1*",
	  "" },
	{ "all idle: the minimum stays",
	  "cpus=3 lc min=1 halt:9000@0* halt:9000@1* halt:9000@2*",
	  "0>-:give-back 1>-:give-back" },
	{ "nothing known of the vcpus: nothing comes back",
	  "cpus=2 lc unk:9000@0* unk:9000@1*", "" },
	{ "an unknown vcpu may be the one in need",
	  "cpus=2 lc delay=50 unk@0* unk", "1>1:delay" },
};

static void test_rows(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		void *state = calloc(1, policy_simple.state_bytes);
		const char *out;

		scene_build(&snap, row[i].in);
		out = scene_decide(&policy_simple, state, &snap);
		if (strcmp(out, row[i].out))
			fail_msg("%s:\n%s\ngot  %s\nwant %s", row[i].what,
				 row[i].in, out, row[i].out);
		free(state);
	}
}

/* After a grant one decision is let pass. */
static void test_hold_off(void **unused)
{
	static const char in[] = "cpus=4 lc delay=50 run@0* run run";
	void *state = calloc(1, policy_simple.state_bytes);

	(void)unused;
	scene_build(&snap, in);
	assert_string_equal(scene_decide(&policy_simple, state, &snap),
			    "1>1:delay");
	assert_string_equal(scene_decide(&policy_simple, state, &snap), "");
	assert_string_equal(scene_decide(&policy_simple, state, &snap),
			    "1>1:delay");
	free(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_hold_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
