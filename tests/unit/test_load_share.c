// SPDX-License-Identifier: Apache-2.0
/*
 * test_load_share.c - which run time counts as spent on granted vcpus
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/load/share.h"

#define OWNS(gen) ((uint64_t)(gen) << 32 | 5)
#define NOT(gen)  ((uint64_t)(gen) << 32 | AGENT_CPU_NONE)

/* Two vcpus; 10 ns of run time on one of them in a stretch of 20 ns. */
static const struct {
	const char *what;
	uint64_t from[2], to[2];
	unsigned vcpu;
	uint64_t on_ns, off_ns, unsure_ns, counted_ns, changes;
} cases[] = {
	{ "on a granted one",
	  { OWNS(1), NOT(1) },
	  { OWNS(1), NOT(1) },
	  0,
	  10,
	  0,
	  0,
	  20,
	  0 },
	{ "on the other one",
	  { OWNS(1), NOT(1) },
	  { OWNS(1), NOT(1) },
	  1,
	  0,
	  10,
	  0,
	  20,
	  0 },
	{ "never granted", { OWNS(1), 0 }, { OWNS(1), 0 }, 1, 0, 10, 0, 20, 0 },
	{ "nobody granted",
	  { NOT(1), NOT(1) },
	  { NOT(1), NOT(1) },
	  1,
	  0,
	  0,
	  0,
	  0,
	  0 },
	{ "all granted",
	  { OWNS(1), OWNS(1) },
	  { OWNS(1), OWNS(1) },
	  1,
	  0,
	  0,
	  0,
	  0,
	  0 },
	{ "taken meanwhile",
	  { OWNS(1), NOT(1) },
	  { NOT(2), OWNS(2) },
	  0,
	  0,
	  0,
	  10,
	  20,
	  2 },
	{ "granted meanwhile",
	  { OWNS(1), NOT(1) },
	  { NOT(2), OWNS(2) },
	  1,
	  0,
	  0,
	  10,
	  20,
	  2 },
	{ "taken and granted again meanwhile",
	  { OWNS(1), NOT(1) },
	  { OWNS(3), NOT(1) },
	  0,
	  0,
	  0,
	  10,
	  20,
	  1 },
	{ "the other one's changed",
	  { OWNS(1), NOT(1) },
	  { OWNS(3), NOT(1) },
	  1,
	  0,
	  10,
	  0,
	  20,
	  1 },
	{ "a vcpu nobody knows",
	  { OWNS(1), NOT(1) },
	  { OWNS(1), NOT(1) },
	  2,
	  0,
	  0,
	  0,
	  20,
	  0 },
};

static void test_run(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct share_look from, to;
		static struct share s;

		from = (struct share_look){ .at_ns = 100, .vcpu_cnt = 2 };
		to = (struct share_look){ .at_ns = 120, .vcpu_cnt = 2 };
		for (int v = 0; v < 2; v++) {
			from.word[v] = cases[i].from[v];
			to.word[v] = cases[i].to[v];
		}
		s = (struct share){ 0 };
		share_run(&s, &from, &to, cases[i].vcpu, 10);
		share_stretch(&s, &from, &to);
		if (s.on_ns != cases[i].on_ns || s.off_ns != cases[i].off_ns ||
		    s.unsure_ns != cases[i].unsure_ns ||
		    s.counted_ns != cases[i].counted_ns ||
		    s.changes != cases[i].changes)
			print_error("%s\n", cases[i].what);
		assert_int_equal(s.on_ns, cases[i].on_ns);
		assert_int_equal(s.off_ns, cases[i].off_ns);
		assert_int_equal(s.unsure_ns, cases[i].unsure_ns);
		assert_int_equal(s.counted_ns, cases[i].counted_ns);
		assert_int_equal(s.changes, cases[i].changes);
		assert_int_equal(s.all_ns, 20);
	}
}

/* How long after a change a run on a vcpu that is not granted counts where. */
static const struct {
	const char *what;
	uint64_t after_ns;
	unsigned age;
} ages[] = {
	{ "at once", 0, 0 },	    { "just below 10 ms", 9999999, 0 },
	{ "10 ms", 10000000, 1 },   { "just below 100 ms", 99999999, 1 },
	{ "100 ms", 100000000, 2 }, { "just below 1 s", 999999999, 2 },
	{ "1 s", 1000000000, 3 },   { "an hour", 3600000000000, 3 },
};

static void test_ages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		static struct share_look at[3];
		static struct share s;

		s = (struct share){ 0 };
		for (int n = 0; n < 3; n++) {
			at[n] = (struct share_look){ .vcpu_cnt = 2 };
			at[n].word[0] = OWNS(n ? 2 : 1);
			at[n].word[1] = NOT(1);
		}
		at[1].at_ns = 1000;
		share_stretch(&s, &at[0], &at[1]);
		at[1].at_ns += ages[i].after_ns;
		at[2].at_ns = at[1].at_ns + 20;
		share_run(&s, &at[1], &at[2], 1, 10);
		if (s.off_age_ns[ages[i].age] != 10)
			print_error("%s\n", ages[i].what);
		assert_int_equal(s.off_age_ns[ages[i].age], 10);
		assert_int_equal(s.off_ns, 10);
	}
}

static void test_bounds(void **state)
{
	static struct share s;

	(void)state;
	assert_true(share_low(&s) < 0);
	assert_true(share_high(&s) < 0);
	s.on_ns = 90;
	s.off_ns = 5;
	s.unsure_ns = 5;
	assert_true(share_low(&s) > 0.899 && share_low(&s) < 0.901);
	assert_true(share_high(&s) > 0.949 && share_high(&s) < 0.951);
}

static void test_by_number(void **state)
{
	static struct share_look from = { .vcpu_cnt = 3 },
				 to = { .vcpu_cnt = 3 };
	static struct share s;

	(void)state;
	for (unsigned n = 0; n <= 3; n++) {
		from.at_ns = to.at_ns;
		to.at_ns += 10 * (n + 1);
		if (n)
			from.word[n - 1] = to.word[n - 1] = OWNS(n);
		assert_int_equal(share_granted(&from), n);
		share_stretch(&s, &from, &to);
		assert_int_equal(s.granted_ns[n], 10 * (n + 1));
		assert_int_equal(s.gap_max_ns, 10 * (n + 1));
	}
	assert_int_equal(s.all_ns, 100);
	assert_int_equal(s.counted_ns, 20 + 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_by_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
