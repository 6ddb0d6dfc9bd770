// SPDX-License-Identifier: Apache-2.0
/*
 * arrive.c - when requests are due and how much work each one asks for
 *
 * Gaps of a Poisson process are exponential: -ln(u) / rate. Two generators run
 * side by side, one for gaps and one for work, so that another distribution of
 * work leaves the arrivals as they were.
 */
#include <math.h>

#include "tests/load/arrive.h"

static const char *const dist_name[DIST_NUM] = { "constant", "exp", "bimodal" };

/* SplitMix64 (Steele, Lea, Flood 2014): passes BigCrush, any seed will do. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* Uniform in (0, 1]: zero has no logarithm. */
static double next_unit(uint64_t *state)
{
	return (double)((next_random(state) >> 11) + 1) * 0x1p-53;
}

static uint64_t next_work(const struct arrive *a, uint64_t *state)
{
	double mean = (double)a->work;

	switch (a->dist) {
	case DIST_EXP:
		return (uint64_t)(-log(next_unit(state)) * mean);
	case DIST_BIMODAL:
		return (uint64_t)(next_unit(state) <= 0.9 ? mean * 0.5
							  : mean * 5.5);
	default:
		return a->work;
	}
}

size_t arrive_room(const struct arrive *a)
{
	double mean = a->rate * (double)a->length_ns / 1e9;

	return (size_t)(mean + 10 * sqrt(mean)) + 16;
}

size_t arrive_fill(const struct arrive *a, struct request *req, size_t room)
{
	uint64_t gaps = a->seed, works = ~a->seed;
	double gap_ns = 1e9 / a->rate, due_ns = 0;
	size_t n;

	for (n = 0; n < room; n++) {
		due_ns += -log(next_unit(&gaps)) * gap_ns;
		if (due_ns >= (double)a->length_ns)
			break;
		req[n].due_ns = (uint64_t)due_ns;
		req[n].work = next_work(a, &works);
		req[n].latency_ns = LATENCY_NONE;
	}
	return n;
}

const char *arrive_dist_name(enum dist dist)
{
	return dist < DIST_NUM ? dist_name[dist] : "?";
}
