/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pick_stat.h - the median of a few rounds, and how sure it is
 *
 * Of nine independent rounds, the second and the eighth value enclose the true
 * median with 96.1 % (order statistics: 1 - 2 (1 + 9) / 2^9), whatever the
 * distribution. No bell curve is assumed of a shared machine.
 */
#ifndef TESTS_BENCH_PICK_STAT_H
#define TESTS_BENCH_PICK_STAT_H

#include <stdint.h>

#define ROUNDS 9

struct estimate {
	double median, low, high;
};

/* estimate() - Of ROUNDS values, in any order */
struct estimate estimate(const double *value);

/* estimate_ratio() - Of a[i] / b[i], measured side by side in round i */
struct estimate estimate_ratio(const double *a, const double *b);

/* median_of() - Of @cnt numbers, which it sorts */
uint64_t median_of(uint64_t *value, unsigned cnt);

#endif
