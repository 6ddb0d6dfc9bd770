// SPDX-License-Identifier: Apache-2.0
/*
 * test_hist.c - buckets and quantiles by hand
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hl/hist.h"

static const struct {
	const char *what;
	uint64_t ns;
	unsigned index;
	uint64_t upper;
} buckets[] = {
	{ "zero", 0, 0, 0 },
	{ "last exact one", 31, 31, 31 },
	{ "first of the second row is exact too", 32, 32, 32 },
	{ "last of the second row", 63, 63, 63 },
	{ "from here two values share one", 64, 64, 65 },
	{ "the other of them", 65, 64, 65 },
	{ "1000: 512 + 30 * 16 + 8", 1000, 190, 1007 },
	{ "largest below the limit", (1ull << 40) - 1, HIST_BUCKETS - 1,
	  UINT64_MAX },
	{ "too large", 1ull << 40, HIST_BUCKETS - 1, UINT64_MAX },
	{ "far too large", UINT64_MAX, HIST_BUCKETS - 1, UINT64_MAX },
};

static void test_bucket(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(buckets) / sizeof(buckets[0]); i++) {
		unsigned at = hist_index(buckets[i].ns);

		if (at != buckets[i].index ||
		    hist_upper(at) != buckets[i].upper)
			fail_msg("%s: bucket %u up to %ju", buckets[i].what, at,
				 (uintmax_t)hist_upper(at));
	}
}

/* Buckets follow each other without gap, and none is wider than 1/32. */
static void test_buckets_tile(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HIST_BUCKETS - 1; i++) {
		uint64_t upper = hist_upper(i);
		uint64_t lower = i ? hist_upper(i - 1) + 1 : 0;

		assert_int_equal(hist_index(lower), i);
		assert_int_equal(hist_index(upper), i);
		assert_int_equal(hist_index(upper + 1), i + 1);
		assert_true((upper - lower) * HIST_SUB <= lower);
	}
}

static const struct {
	const char *what;
	uint64_t in[12];
	unsigned n, permyriad;
	uint64_t out;
} quantiles[] = {
	{ "nothing", { 0 }, 0, 9900, 0 },
	{ "one sample is every quantile", { 7 }, 1, 1, 7 },
	{ "median of ten is the fifth",
	  { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 },
	  10,
	  5000,
	  5 },
	{ "p90 of ten is the ninth",
	  { 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 },
	  10,
	  9000,
	  9 },
	{ "p99 of ten is the largest",
	  { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 },
	  10,
	  9900,
	  10 },
	{ "all of them", { 1, 2, 3 }, 3, 10000, 3 },
	{ "none of them is still the smallest", { 4, 5 }, 2, 0, 4 },
	{ "rounded up to the bucket's end", { 1000, 5000 }, 2, 5000, 1007 },
	{ "but never above the maximum", { 1000 }, 1, 5000, 1000 },
	{ "too large for a bucket", { 1ull << 41 }, 1, 9900, 1ull << 41 },
};

static void test_quantile(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		struct hist h;
		uint64_t got;

		hist_reset(&h);
		for (unsigned k = 0; k < quantiles[i].n; k++)
			hist_add(&h, quantiles[i].in[k]);
		got = hist_quantile(&h, quantiles[i].permyriad);
		if (got != quantiles[i].out)
			fail_msg("%s: %ju", quantiles[i].what, (uintmax_t)got);
	}
}

/* Merging two halves is the same as adding all to one. */
static void test_merge(void **state)
{
	static struct hist whole, half[2];
	uint64_t v = 1;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		v = v * 6364136223846793005ull + 1442695040888963407ull;
		hist_add(&whole, v >> (24 + i % 40));
		hist_add(&half[i & 1], v >> (24 + i % 40));
	}
	hist_merge(&half[0], &half[1]);
	assert_memory_equal(&whole, &half[0], sizeof(whole));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_buckets_tile),
		cmocka_unit_test(test_quantile),
		cmocka_unit_test(test_merge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
