// SPDX-License-Identifier: Apache-2.0
/*
 * test_sim_calibrate.c - what is measured of this machine can be read back
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/sim/calibrate.h"
#include "tests/sim/sim.h"

static const struct {
	const char *what;
	unsigned cnt; /* samples: cnt, cnt - 1, ... 1 */
	struct probe_range out;
} row[] = {
	{ "one is all three", 1, { 1, 1, 1 } },
	{ "few: the ends", 3, { 2, 1, 3 } },
	{ "5 % beyond either end", 100, { 51, 6, 95 } },
	{ "more than there is room for",
	  PROBE_SAMPLES + 100,
	  { 601, 151, 1050 } },
};

static void test_range(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct probe p = { .cnt = 0 };
		struct probe_range r;

		for (unsigned n = row[i].cnt; n; n--)
			probe_add(&p, n);
		r = probe_range(&p);
		if (r.median != row[i].out.median || r.low != row[i].out.low ||
		    r.high != row[i].out.high)
			fail_msg("%s: %lu in %lu..%lu", row[i].what,
				 (unsigned long)r.median, (unsigned long)r.low,
				 (unsigned long)r.high);
	}
}

/* All probes, a moment each; the caller's cpus are as they were. */
static void test_file(void **unused)
{
	char path[] = "/tmp/test_sim_calibrate.XXXXXX";
	struct sim_costs costs = sim_costs_default;
	cpu_set_t before, after;
	int fd = mkstemp(path);
	FILE *to, *say = fopen("/dev/null", "w");

	(void)unused;
	assert_true(fd >= 0 && say);
	costs.refill_far_ns = 0;
	to = fdopen(fd, "w");
	sched_getaffinity(0, sizeof(before), &before);
	assert_int_equal(calibrate(to, say, 20000000), 0);
	sched_getaffinity(0, sizeof(after), &after);
	assert_true(CPU_EQUAL(&before, &after));
	fclose(to);
	fclose(say);
	assert_int_equal(sim_costs_load(&costs, path, stderr), 0);
	assert_true(costs.refill_far_ns > 0);
	assert_true(costs.cold_ns == sim_costs_default.cold_ns);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
