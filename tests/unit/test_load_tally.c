// SPDX-License-Identifier: Apache-2.0
/*
 * test_load_tally.c - percentiles by hand, lost requests as infinite
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "tests/load/tally.h"

#define INF   TALLY_INF
#define NONE  LATENCY_NONE
#define NEVER LATENCY_NEVER_SENT

/* Due times are 0, 1, 2, ... */
static const struct {
	const char *what;
	uint64_t in[12];
	size_t n;
	uint64_t from_ns;
	uint64_t scheduled, never_sent, lost, answered;
	uint64_t min, p50, p90, p99, max;
} cases[] = {
	{ "nothing", { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	{ "one", { 5 }, 1, 0, 1, 0, 0, 1, 5, 5, 5, 5, 5 },
	{ "ten, out of order",
	  { 9, 1, 8, 2, 7, 3, 6, 4, 10, 5 },
	  10,
	  0,
	  10,
	  0,
	  0,
	  10,
	  1,
	  5,
	  9,
	  10,
	  10 },
	{ "eleven: ranks are rounded up",
	  { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 },
	  11,
	  0,
	  11,
	  0,
	  0,
	  11,
	  1,
	  6,
	  10,
	  11,
	  11 },
	{ "a lost one is the slowest",
	  { 1, NONE, 3, 4, 5, 6, 7, 8, 9, 10 },
	  10,
	  0,
	  10,
	  0,
	  1,
	  9,
	  1,
	  6,
	  10,
	  INF,
	  INF },
	{ "all lost",
	  { NONE, NONE },
	  2,
	  0,
	  2,
	  0,
	  2,
	  0,
	  INF,
	  INF,
	  INF,
	  INF,
	  INF },
	{ "one never sent is left out",
	  { 1, NEVER, 3 },
	  3,
	  0,
	  3,
	  1,
	  0,
	  2,
	  1,
	  1,
	  3,
	  3,
	  3 },
	{ "only never sent",
	  { NEVER, NEVER },
	  2,
	  0,
	  2,
	  2,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0 },
	{ "the warm-up does not count",
	  { 90, NONE, NEVER, 4, 5 },
	  5,
	  3,
	  2,
	  0,
	  0,
	  2,
	  4,
	  4,
	  5,
	  5,
	  5 },
};

static void test_table(void **state)
{
	static struct tally t;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request r[12] = { 0 };
		uint64_t scratch[12];

		print_message("%s\n", cases[i].what);
		for (size_t j = 0; j < cases[i].n; j++) {
			r[j].due_ns = j;
			r[j].latency_ns = cases[i].in[j];
		}
		tally_make(&t, r, cases[i].n, cases[i].from_ns, scratch);
		assert_int_equal(t.scheduled, cases[i].scheduled);
		assert_int_equal(t.never_sent, cases[i].never_sent);
		assert_int_equal(t.lost, cases[i].lost);
		assert_int_equal(t.answered, cases[i].answered);
		assert_int_equal(t.hist.count, cases[i].answered);
		assert_true(t.min_ns == cases[i].min);
		assert_true(t.q_ns[TALLY_P50] == cases[i].p50);
		assert_true(t.q_ns[TALLY_P90] == cases[i].p90);
		assert_true(t.q_ns[TALLY_P99] == cases[i].p99);
		assert_true(t.max_ns == cases[i].max);
	}
}

/* 10,000 samples 1..10000: every percentile is its own number. */
static void test_tail(void **state)
{
	static struct request r[10000];
	static uint64_t scratch[10000];
	static struct tally t;

	(void)state;
	for (size_t i = 0; i < 10000; i++)
		r[i].latency_ns = 10000 - i;
	tally_make(&t, r, 10000, 0, scratch);
	assert_int_equal(t.q_ns[TALLY_P50], 5000);
	assert_int_equal(t.q_ns[TALLY_P90], 9000);
	assert_int_equal(t.q_ns[TALLY_P99], 9900);
	assert_int_equal(t.q_ns[TALLY_P999], 9990);
	assert_int_equal(t.q_ns[TALLY_P9999], 9999);
	assert_string_equal(tally_q_name(TALLY_P9999), "p99.99");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_tail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
