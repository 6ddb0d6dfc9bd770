// SPDX-License-Identifier: Apache-2.0
/*
 * test_budget.c - lateness counted, gears shifted
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/budget.h"

#define MS 1000000ull

/* "100:2" is a look 100 ms later, 1000 more done, 2 of them late; a number in
 * front of it and a * repeats it. What the gear is after each, as digits. */
static const struct {
	const char *what;
	uint64_t done; /* in each look */
	uint16_t permyriad;
	const char *looks, *gears;
} rows[] = {
	{ "nothing happens", 0, 9900, "5*100:0", "22222" },
	{ "all in time: there is nothing thriftier", 1000, 9900, "7*100:0",
	  "2222222" },
	{ "just what is allowed: stay", 1000, 9900, "6*100:10", "222222" },
	{ "half of it: stay", 1000, 9900, "6*100:5", "222222" },
	{ "twice as much: down, each period", 1000, 9900, "4*100:20", "1000" },
	{ "looks come often: nothing before 100 ms", 1000, 9900, "9*10:0",
	  "222222222" },
	{ "few frames, six late: at once", 20, 9900, "5:3 6:3 1:0 1:0",
	  "2111" },
	{ "but not in less than 10 ms", 20, 9900, "1:9 1:0 1:0", "222" },
	{ "few frames, none late: two seconds a period", 6, 9900, "62*100:0",
	  "22222222222222222222222222222222222222222222222222222222222222" },
	{ "so few that none may be late: chance", 1, 9900, "70*100:0",
	  "2222222222222222222222222222222222222222222222222222222222222222222"
	  "222" },
	{ "p50 forgives more", 1000, 5000, "3*100:300", "222" },
	{ "p50, a fifth of what may be", 1000, 5000, "3*100:100", "222" },
	{ "p99.9: one in a thousand is what may be", 10000, 9990, "3*100:11",
	  "100" },
	{ "a fall, then quiet: up again after two seconds", 1000, 9900,
	  "100:20 22*100:0", "11111111111111111111222" },
	{ "the second fall costs four; then three good ones a gear", 1000, 9900,
	  "100:20 20*100:0 100:20 43*100:0",
	  "11111111111111111111211111111111111111111111111111111111111112222" },
};

static const char *play(unsigned row)
{
	static char gears[512];
	struct vm_view v = { .slo_ns = 1000,
			     .slo_permyriad = rows[row].permyriad };
	const char *at = rows[row].looks;
	unsigned times, ms, late, n = 0;
	uint64_t now_ns = 5000 * MS;
	struct budget b;
	int used;

	budget_start(&b, &v, now_ns);
	while (*at) {
		if (sscanf(at, "%u*%u:%u%n", &times, &ms, &late, &used) != 3) {
			times = 1;
			if (sscanf(at, "%u:%u%n", &ms, &late, &used) != 2)
				return at;
		}
		at += used + (at[used] == ' ');
		while (times--) {
			now_ns += ms * MS;
			v.done += rows[row].done;
			v.late += late;
			budget_turn(&b, &v, now_ns);
			gears[n++] = (char)('0' + b.gear);
		}
	}
	gears[n] = '\0';
	return gears;
}

static void test_gears(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(play(i), rows[i].gears))
			fail_msg("%s: %s", rows[i].what, play(i));
}

static void test_counts_that_start_anew(void **state)
{
	struct vm_view v = {
		.slo_ns = 1000, .slo_permyriad = 9900, .done = 5000, .late = 100
	};
	struct budget b;

	(void)state;
	budget_start(&b, &v, 0);
	v.done = v.late = 0;
	assert_false(budget_turn(&b, &v, 500 * MS));
	v.done = 1000;
	v.late = 20;
	assert_true(budget_turn(&b, &v, 600 * MS));
	assert_int_equal(b.burn, 2000);
	assert_int_equal(b.gear, 1);
}

/* In the most generous gear lateness is no news: no pause grows by it. */
static void test_bottom(void **state)
{
	struct vm_view v = { .slo_ns = 1000, .slo_permyriad = 9900 };
	struct budget b;
	uint64_t retry_ns = 0;

	(void)state;
	budget_start(&b, &v, 0);
	for (unsigned i = 1; i <= 9; i++) {
		v.done += 1000;
		v.late += 500;
		budget_turn(&b, &v, i * 100 * MS);
		if (i == 2)
			retry_ns = b.retry_ns;
	}
	assert_int_equal(b.gear, 0);
	assert_int_equal(b.falls, 2);
	assert_true(b.retry_ns == retry_ns);
	/* another target: all begins anew */
	v.slo_ns = 2000;
	budget_turn(&b, &v, 1000 * MS);
	assert_int_equal(b.gear, BUDGET_START);
}

/* The thriftier, the sooner a cpu goes back. */
static void test_gears_are_ordered(void **state)
{
	struct budget b = { 0 };
	const struct gear *was = budget_gear(&b);

	(void)state;
	for (b.gear = 1; b.gear < BUDGET_GEARS; b.gear++) {
		assert_true(budget_gear(&b)->linger_moves < was->linger_moves);
		was = budget_gear(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gears),
		cmocka_unit_test(test_counts_that_start_anew),
		cmocka_unit_test(test_bottom),
		cmocka_unit_test(test_gears_are_ordered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
