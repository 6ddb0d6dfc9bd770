/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rng.h - random numbers, one stream for each thing that is random
 *
 * SplitMix64 (Steele, Lea, Flood 2014): passes BigCrush, and any seed will do.
 * Streams of a run are seeded from its seed and a number of their own, so that
 * all policies meet the same arrivals and the same work.
 */
#ifndef TESTS_SIM_RNG_H
#define TESTS_SIM_RNG_H

#include <math.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* rng_open() - Stream number @stream of a run. */
static inline struct rng rng_open(uint64_t seed, uint64_t stream)
{
	struct rng r = { seed };

	r.state = rng_next(&r) ^ (stream + 1) * 0xd1342543de82ef95ull;
	rng_next(&r);
	return r;
}

/* rng_unit() - Uniform in (0, 1]: zero has no logarithm. */
static inline double rng_unit(struct rng *r)
{
	return (double)((rng_next(r) >> 11) + 1) * 0x1p-53;
}

static inline double rng_exp(struct rng *r, double mean)
{
	return -log(rng_unit(r)) * mean;
}

/* rng_normal() - Mean 0, deviation 1 (Box and Muller 1958). */
static inline double rng_normal(struct rng *r)
{
	double radius = sqrt(-2 * log(rng_unit(r)));

	return radius * cos(2 * M_PI * rng_unit(r));
}

#endif
