/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpumask.h - a set of host cpus, CPU_MAX bits, by value
 *
 * Bit n of word n / 64 is cpu n: the layout sched_setaffinity(2) and libvirt's
 * cpumaps take on little-endian machines, so a mask can be passed as bytes.
 */
#ifndef HL_CPUMASK_H
#define HL_CPUMASK_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/bounds.h"

#define CPUMASK_WORDS (CPU_MAX / 64)

struct cpumask {
	uint64_t word[CPUMASK_WORDS];
};

static inline void cpumask_set(struct cpumask *m, unsigned cpu)
{
	if (cpu < CPU_MAX)
		m->word[cpu / 64] |= 1ull << (cpu % 64);
}

static inline void cpumask_clear(struct cpumask *m, unsigned cpu)
{
	if (cpu < CPU_MAX)
		m->word[cpu / 64] &= ~(1ull << (cpu % 64));
}

static inline bool cpumask_has(const struct cpumask *m, unsigned cpu)
{
	return cpu < CPU_MAX && (m->word[cpu / 64] >> (cpu % 64) & 1);
}

/* Bits in pairs, fours, bytes, then all bytes added up: without a processor's
 * own instruction the compiler would call a library. */
static inline unsigned cpumask_count_word(uint64_t w)
{
	w -= w >> 1 & 0x5555555555555555;
	w = (w & 0x3333333333333333) + (w >> 2 & 0x3333333333333333);
	w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (unsigned)(w * 0x0101010101010101 >> 56);
}

static inline unsigned cpumask_count(const struct cpumask *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CPUMASK_WORDS; i++)
		n += cpumask_count_word(m->word[i]);
	return n;
}

static inline bool cpumask_empty(const struct cpumask *m)
{
	for (unsigned i = 0; i < CPUMASK_WORDS; i++)
		if (m->word[i])
			return false;
	return true;
}

static inline bool cpumask_equal(const struct cpumask *a,
				 const struct cpumask *b)
{
	for (unsigned i = 0; i < CPUMASK_WORDS; i++)
		if (a->word[i] != b->word[i])
			return false;
	return true;
}

/* a is wholly inside b */
static inline bool cpumask_subset(const struct cpumask *a,
				  const struct cpumask *b)
{
	for (unsigned i = 0; i < CPUMASK_WORDS; i++)
		if (a->word[i] & ~b->word[i])
			return false;
	return true;
}

static inline struct cpumask cpumask_or(struct cpumask a,
					const struct cpumask *b)
{
	for (unsigned i = 0; i < CPUMASK_WORDS; i++)
		a.word[i] |= b->word[i];
	return a;
}

static inline struct cpumask cpumask_and(struct cpumask a,
					 const struct cpumask *b)
{
	for (unsigned i = 0; i < CPUMASK_WORDS; i++)
		a.word[i] &= b->word[i];
	return a;
}

/* First cpu at or after @cpu that is in the set, or CPU_NONE. */
static inline unsigned cpumask_next(const struct cpumask *m, unsigned cpu)
{
	for (; cpu < CPU_MAX; cpu++) {
		uint64_t rest = m->word[cpu / 64] >> (cpu % 64);

		if (rest)
			return cpu + (unsigned)__builtin_ctzll(rest);
		cpu |= 63;
	}
	return CPU_NONE;
}

#define cpumask_for_each(cpu, m)                                               \
	for (unsigned cpu = cpumask_next((m), 0); cpu != CPU_NONE;             \
	     cpu = cpumask_next((m), cpu + 1))

#endif
