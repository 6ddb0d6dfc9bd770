/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hist.h - a log-linear histogram of nanoseconds, 1 ns to 18 minutes
 *
 * 32 buckets an octave: a quantile is off by at most 1/32 (3.1 %) and always
 * rounded up, so a reported tail is never better than the real one. One
 * writer; readers on other threads may be one count behind. No allocation.
 */
#ifndef HL_HIST_H
#define HL_HIST_H

#include <stdint.h>
#include <string.h>

#define HIST_SUB_BITS 5
#define HIST_SUB      (1u << HIST_SUB_BITS)
#define HIST_TOP_BIT  40
#define HIST_BUCKETS  ((HIST_TOP_BIT - HIST_SUB_BITS + 1) * HIST_SUB)

struct hist {
	uint64_t count;
	uint64_t max_ns;
	uint64_t bucket[HIST_BUCKETS];
};

/* hist_index() - Values below 32 ns have a bucket each; above, the octave
 * picks the row and the next five bits the column. Too large: last bucket. */
static inline unsigned hist_index(uint64_t ns)
{
	unsigned top, row;

	if (ns < HIST_SUB)
		return (unsigned)ns;
	if (ns >> HIST_TOP_BIT)
		return HIST_BUCKETS - 1;
	top = 63 - (unsigned)__builtin_clzll(ns);
	row = top - HIST_SUB_BITS;
	return (row + 1) * HIST_SUB + (unsigned)(ns >> row) - HIST_SUB;
}

/* hist_upper() - The largest value that falls into bucket @i; the last one
 * takes all that are too large. */
static inline uint64_t hist_upper(unsigned i)
{
	unsigned row = i / HIST_SUB;

	if (i == HIST_BUCKETS - 1)
		return UINT64_MAX;
	if (!row)
		return i;
	return ((uint64_t)(i % HIST_SUB + HIST_SUB + 1) << (row - 1)) - 1;
}

static inline void hist_add(struct hist *h, uint64_t ns)
{
	h->bucket[hist_index(ns)]++;
	h->count++;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

static inline void hist_reset(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}

static inline void hist_merge(struct hist *to, const struct hist *from)
{
	to->count += from->count;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

/*
 * hist_quantile() - The value that @permyriad of 10,000 samples do not exceed
 *
 * Return: an upper bound in ns (never above the maximum seen); 0 when empty.
 */
static inline uint64_t hist_quantile(const struct hist *h, unsigned permyriad)
{
	uint64_t rank = (h->count * permyriad + 9999) / 10000, seen = 0;

	if (!h->count)
		return 0;
	if (!rank)
		rank = 1;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			return hist_upper(i) < h->max_ns ? hist_upper(i)
							 : h->max_ns;
	}
	return h->max_ns;
}

#endif
