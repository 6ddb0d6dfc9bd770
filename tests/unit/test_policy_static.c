// SPDX-License-Identifier: Apache-2.0
/*
 * test_policy_static.c - dedicated cpus, and the limits all policies share
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "scene.h"

static struct snapshot snap;

static const struct {
	const char *what, *in, *out;
} row[] = {
	{ "no VM, nothing to do", "cpus=4", "" },
	{ "one VM gets its maximum", "cpus=4 lc min=1 max=3 halt halt halt",
	  "0>0:guarantee 1>1:spare 2>2:spare" },
	{ "no more than it has vcpus", "cpus=4 lc min=1 max=8 halt halt",
	  "0>0:guarantee 1>1:spare" },
	{ "and no more than there are cpus",
	  "cpus=2 lc min=1 max=3 run run run", "0>0:guarantee 1>1:spare" },
	{ "it keeps them, idle as they may be",
	  "cpus=2 lc min=1 max=2 halt:90000@0* halt:90000@1*", "" },
	{ "minimums come before maximums",
	  "cpus=4 lc min=1 max=4 run run run lc min=2 max=2 run run",
	  "0>0:guarantee 1>10:guarantee 2>11:guarantee 3>1:spare" },
	{ "what is left goes round one by one",
	  "cpus=5 lc min=0 max=8 run run run lc min=0 max=8 run run run",
	  "0>0:spare 1>10:spare 2>1:spare 3>11:spare 4>2:spare" },
	{ "a newcomer's minimum is taken from who has most above",
	  "cpus=4 lc min=1 max=3 run@0* run@1* run@2* lc min=1 max=2 run@3* "
	  "lc min=1 max=2 run run",
	  "2>20:guarantee" },
	{ "never from a minimum: slot order where too much is promised",
	  "cpus=2 lc min=1 max=2 run@0* run lc min=1 max=2 run@1* run "
	  "lc min=1 max=2 run",
	  "" },
	{ "an earlier slot's minimum wins over a later one's",
	  "cpus=2 lc min=2 max=2 run@0* run lc min=1 max=2 run@1*",
	  "1>1:guarantee" },
	{ "a minimum its vcpus cannot fill keeps nothing from others",
	  "cpus=3 lc min=3 max=3 run@0* lc min=0 max=8 run@1* run@2* "
	  "lc min=1 max=1 run",
	  "2>20:guarantee" },
	{ "best-effort VMs own nothing", "cpus=2 be min=0 max=2 run run", "" },
	{ "and lose what they own to a minimum",
	  "cpus=2 lc min=1 max=1 run lc min=1 max=2 run@0* be run@1*",
	  "1>0:guarantee" },
	{ "a minimum above the maximum is no minimum",
	  "cpus=4 lc min=3 max=1 run run run", "0>0:guarantee" },
	{ "a maximum lowered takes cpus back",
	  "cpus=4 lc min=1 max=1 run@0* halt@1* run@2*",
	  "1>-:give-back 2>-:give-back" },
	{ "a cpu no longer managed is taken, and made up for",
	  "cpus=3 unmanaged=0 lc min=1 max=1 run@0*",
	  "0>-:gone 1>0:guarantee" },
	{ "an unplugged vcpu's cpu goes to its fellow",
	  "cpus=1 lc min=1 max=2 unplugged run ghost=0:0", "0>1:guarantee" },
	{ "or to nobody", "cpus=1 lc min=0 max=0 unplugged ghost=0:0",
	  "0>-:gone" },
	{ "the cpus of a VM that is gone are free",
	  "cpus=2 absent run@0* lc min=2 max=2 run run",
	  "0>10:guarantee 1>11:guarantee" },
	{ "owned by a vcpu beyond all bounds", "cpus=1 ghost=0:9999",
	  "0>-:gone" },
	{ "owned by a slot no VM uses", "cpus=1 lc min=0 max=0 ghost=0:7",
	  "0>-:gone" },
	{ "two cpus owned by one vcpu: it keeps one",
	  "cpus=2 lc min=1 max=1 run@0* ghost=1:0", "1>-:gone" },
	{ "unplugged vcpus get nothing",
	  "cpus=4 lc min=2 max=4 unplugged run unplugged", "0>1:guarantee" },
};

static void test_rows(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const char *out;

		scene_build(&snap, row[i].in);
		out = scene_decide(&policy_static, NULL, &snap);
		if (strcmp(out, row[i].out))
			fail_msg("%s:\n%s\ngot  %s\nwant %s", row[i].what,
				 row[i].in, out, row[i].out);
	}
}

/* Observing changes nothing, not even what is wrong. */
static void test_none(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		scene_build(&snap, row[i].in);
		assert_string_equal(scene_decide(&policy_none, NULL, &snap),
				    "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
