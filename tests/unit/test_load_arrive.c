// SPDX-License-Identifier: Apache-2.0
/*
 * test_load_arrive.c - the schedule is Poisson, repeatable and bounded
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/load/arrive.h"

#define S 1000000000ull

static const struct {
	const char *what;
	struct arrive in;
	double work_mean; /* of the samples */
	double work_dev;  /* standard deviation of one sample */
} cases[] = {
	{ "constant", { 10000, 10 * S, DIST_CONSTANT, 2000, 1 }, 2000, 0 },
	{ "exponential", { 10000, 10 * S, DIST_EXP, 2000, 2 }, 2000, 2000 },
	/* 0.9 * 1000 + 0.1 * 11000 = 2000; deviation 10000 * sqrt(0.09) */
	{ "bimodal", { 10000, 10 * S, DIST_BIMODAL, 2000, 3 }, 2000, 3000 },
	{ "seed 0", { 10000, 10 * S, DIST_EXP, 2000, 0 }, 2000, 2000 },
};

/* A mean of n samples stays within five of its own deviations. */
static void check_mean(const char *what, double sum, size_t n, double mean,
		       double dev)
{
	double off = fabs(sum / (double)n - mean);
	double may = 5 * dev / sqrt((double)n) + 1;

	if (off > may)
		print_error("%s: mean is off by %f, may be %f\n", what, off,
			    may);
	assert_true(off <= may);
}

static void test_statistics(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct arrive *a = &cases[i].in;
		double gap_ns = 1e9 / a->rate, work = 0, square = 0;
		size_t room = arrive_room(a), n;
		struct request *r = calloc(room, sizeof(*r));
		uint64_t last_ns = 0;

		assert_non_null(r);
		n = arrive_fill(a, r, room);
		assert_true(n < room);
		for (size_t j = 0; j < n; j++) {
			double gap = (double)(r[j].due_ns - last_ns);

			assert_true(r[j].due_ns >= last_ns);
			assert_true(r[j].due_ns < a->length_ns);
			assert_true(r[j].latency_ns == LATENCY_NONE);
			last_ns = r[j].due_ns;
			work += (double)r[j].work;
			square += gap * gap;
		}
		check_mean("count", (double)n, 1, 1e5, sqrt(1e5));
		check_mean(cases[i].what, work, n, cases[i].work_mean,
			   cases[i].work_dev);
		/* an exponential gap's square has mean 2g^2, deviation
		 * sqrt(20) g^2: regular gaps would show here */
		check_mean("square of gaps", square, n, 2 * gap_ns * gap_ns,
			   sqrt(20) * gap_ns * gap_ns);
		free(r);
	}
}

static void test_repeatable(void **state)
{
	struct arrive a = { 100, S, DIST_EXP, 500, 42 };
	struct request one[512] = { 0 }, two[512] = { 0 };
	size_t n = arrive_fill(&a, one, 512);

	(void)state;
	assert_int_equal(arrive_fill(&a, two, 512), n);
	assert_memory_equal(one, two, sizeof(one));

	/* another distribution leaves the arrivals alone */
	a.dist = DIST_CONSTANT;
	assert_int_equal(arrive_fill(&a, two, 512), n);
	for (size_t i = 0; i < n; i++)
		assert_true(one[i].due_ns == two[i].due_ns);

	a.seed = 43;
	arrive_fill(&a, two, 512);
	assert_true(one[0].due_ns != two[0].due_ns);
}

static void test_bounded(void **state)
{
	struct arrive a = { 1e6, S, DIST_CONSTANT, 0, 1 };
	struct request r[4] = { 0 };

	(void)state;
	r[3].due_ns = 12345;
	assert_int_equal(arrive_fill(&a, r, 3), 3);
	assert_true(r[3].due_ns == 12345);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statistics),
		cmocka_unit_test(test_repeatable),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
