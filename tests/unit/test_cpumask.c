// SPDX-License-Identifier: Apache-2.0
/*
 * test_cpumask.c - set operations at the edges of words, and a random run
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "hl/cpumask.h"

#define END CPU_NONE

static struct cpumask mask_of(const unsigned *cpu)
{
	struct cpumask m = { 0 };

	for (; *cpu != END; cpu++)
		cpumask_set(&m, *cpu);
	return m;
}

static const struct {
	const char *what;
	unsigned in[6];
	unsigned count, from, next;
} sets[] = {
	{ "empty", { END }, 0, 0, CPU_NONE },
	{ "cpu 0", { 0, END }, 1, 0, 0 },
	{ "after the only one", { 0, END }, 1, 1, CPU_NONE },
	{ "end of a word", { 63, END }, 1, 0, 63 },
	{ "start of the next word", { 63, 64, END }, 2, 64, 64 },
	{ "over empty words", { 1, 300, END }, 2, 2, 300 },
	{ "the last cpu", { 511, END }, 1, 64, 511 },
	{ "from the last cpu", { 511, END }, 1, 511, 511 },
	{ "from behind the last cpu", { 511, END }, 1, 512, CPU_NONE },
	{ "a cpu too high is no member", { 512, 5, END }, 1, 0, 5 },
	{ "twice is once", { 7, 7, END }, 1, 0, 7 },
};

static void test_sets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct cpumask m = mask_of(sets[i].in);

		if (cpumask_count(&m) != sets[i].count ||
		    cpumask_empty(&m) != !sets[i].count ||
		    cpumask_next(&m, sets[i].from) != sets[i].next)
			fail_msg("%s: %u members, next %u", sets[i].what,
				 cpumask_count(&m),
				 cpumask_next(&m, sets[i].from));
	}
}

static const struct {
	const char *what;
	unsigned a[4], b[4], both[6], common[4];
	bool subset, equal; /* of a in b */
} pairs[] = {
	{ "empty sets", { END }, { END }, { END }, { END }, true, true },
	{ "empty is in all",
	  { END },
	  { 9, END },
	  { 9, END },
	  { END },
	  true,
	  false },
	{ "not in empty",
	  { 9, END },
	  { END },
	  { 9, END },
	  { END },
	  false,
	  false },
	{ "same",
	  { 1, 511, END },
	  { 511, 1, END },
	  { 1, 511, END },
	  { 1, 511, END },
	  true,
	  true },
	{ "inside",
	  { 64, END },
	  { 63, 64, END },
	  { 63, 64, END },
	  { 64, END },
	  true,
	  false },
	{ "apart",
	  { 1, 2, END },
	  { 65, 66, END },
	  { 1, 2, 65, 66, END },
	  { END },
	  false,
	  false },
	{ "overlap",
	  { 1, 100, END },
	  { 100, 200, END },
	  { 1, 100, 200, END },
	  { 100, END },
	  false,
	  false },
};

static void test_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct cpumask a = mask_of(pairs[i].a), b = mask_of(pairs[i].b);
		struct cpumask both = mask_of(pairs[i].both);
		struct cpumask common = mask_of(pairs[i].common);
		struct cpumask got_or = cpumask_or(a, &b);
		struct cpumask got_and = cpumask_and(a, &b);

		if (!cpumask_equal(&got_or, &both) ||
		    !cpumask_equal(&got_and, &common) ||
		    cpumask_subset(&a, &b) != pairs[i].subset ||
		    cpumask_equal(&a, &b) != pairs[i].equal)
			fail_msg("%s", pairs[i].what);
	}
}

/* 10,000 steps beside an array of booleans. */
static void test_random(void **state)
{
	struct cpumask m = { 0 };
	bool model[CPU_MAX] = { false };

	(void)state;
	srandom(1);
	for (unsigned step = 0; step < 10000; step++) {
		unsigned cpu = (unsigned)random() % CPU_MAX, seen = 0;

		model[cpu] = random() & 1;
		if (model[cpu])
			cpumask_set(&m, cpu);
		else
			cpumask_clear(&m, cpu);
		assert_int_equal(cpumask_has(&m, cpu), model[cpu]);
		if (step % 100)
			continue;
		cpumask_for_each (c, &m) {
			for (; seen < c; seen++)
				assert_false(model[seen]);
			assert_true(model[seen++]);
		}
		for (; seen < CPU_MAX; seen++)
			assert_false(model[seen]);
	}
	cpumask_clear(&m, CPU_MAX); /* outside: no effect */
	assert_false(cpumask_has(&m, CPU_MAX));
}

/* The layout sched_setaffinity(2) takes: cpu n is bit n % 8 of byte n / 8. */
static void test_bytes(void **state)
{
	struct cpumask m = mask_of((unsigned[]){ 0, 9, 70, END });
	unsigned char bytes[sizeof(m)];

	(void)state;
	memcpy(bytes, &m, sizeof(m));
	assert_int_equal(bytes[0], 0x01);
	assert_int_equal(bytes[1], 0x02);
	assert_int_equal(bytes[8], 0x40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
