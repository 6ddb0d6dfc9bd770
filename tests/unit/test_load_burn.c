// SPDX-License-Identifier: Apache-2.0
/*
 * test_load_burn.c - time to loops
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/load/burn.h"

static const struct {
	const char *what;
	uint64_t ns, loop_ps, out;
} cases[] = {
	{ "no time", 0, 1000, 0 },
	{ "one ns a loop", 5000, 1000, 5000 },
	{ "four loops a ns", 5000, 250, 20000 },
	{ "rounded down", 10, 3000, 3 },
	{ "no overflow", 10000000000000000ull, 1000, 10000000000000000ull },
	{ "slowest loop", 1, UINT64_MAX, 0 },
};

static void test_loops(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t out = burn_loops(cases[i].ns, cases[i].loop_ps);

		if (out != cases[i].out)
			print_error("%s\n", cases[i].what);
		assert_true(out == cases[i].out);
	}
}

static void test_calibrate(void **state)
{
	uint64_t ps = burn_calibrate();

	(void)state;
	/* a dependent multiplication: never below 0.1 ns, and no machine this
	 * runs on, emulated or instrumented, needs a microsecond */
	assert_in_range(ps, 100, 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_calibrate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
