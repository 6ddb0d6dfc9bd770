// SPDX-License-Identifier: Apache-2.0
/*
 * pick_stat.c - the median of a few rounds, and how sure it is
 */
#include "tests/bench/pick_stat.h"

#include <stdlib.h>
#include <string.h>

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct estimate estimate(const double *value)
{
	double v[ROUNDS];

	memcpy(v, value, sizeof(v));
	qsort(v, ROUNDS, sizeof(*v), by_double);
	return (struct estimate){ .median = v[ROUNDS / 2],
				  .low = v[1],
				  .high = v[ROUNDS - 2] };
}

struct estimate estimate_ratio(const double *a, const double *b)
{
	double v[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++)
		v[i] = a[i] / b[i];
	return estimate(v);
}

uint64_t median_of(uint64_t *value, unsigned cnt)
{
	qsort(value, cnt, sizeof(*value), by_value);
	return value[cnt / 2];
}
