/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * dirty.h - which of many slots were written since a reader looked
 *
 * Any number of writers, one reader. A bit a slot; 64 of them are a word, each
 * on a cache line of its own, for writers on different cpus are many and the
 * reader is one; and above them a bit a word, so that the reader finds out what
 * changed without going through what did not.
 *
 * A writer writes the slot, then marks it; between the two stands something
 * that orders a store before a later load (an atomic exchange does). The reader
 * takes the top, then a word, then reads the slots. So a writer that finds its
 * bits set, and leaves them, has written before the reader will read.
 *
 * Plain C types and __sync builtins: BPF programs include this as it is.
 */
#ifndef HL_DIRTY_H
#define HL_DIRTY_H

struct dirty_word {
	unsigned long long bits;
	unsigned long long pad[7];
};

#define DIRTY_WORDS(slots) (((slots) + 63) / 64)
#define DIRTY_TOPS(slots)  (((slots) + 4095) / 4096)

/* dirty_mark() - Slot @i was written. */
static inline __attribute__((always_inline)) void
dirty_mark(struct dirty_word *word, unsigned long long *top, unsigned int i)
{
	unsigned long long bit = 1ull << (i % 64);

	word += i / 64;
	top += i / 4096;
	if (!(*(volatile unsigned long long *)&word->bits & bit))
		__sync_fetch_and_or(&word->bits, bit);
	bit = 1ull << (i / 64 % 64);
	if (!(*(volatile unsigned long long *)top & bit))
		__sync_fetch_and_or(top, bit);
}

/* dirty_any() - Reader: is any of @cnt tops not 0? */
static inline int dirty_any(const unsigned long long *top, unsigned int cnt)
{
	unsigned long long any = 0;

	for (unsigned int i = 0; i < cnt; i++)
		any |= *(const volatile unsigned long long *)&top[i];
	return any != 0;
}

/* dirty_take() - Reader: the bits of a word or a top, which are 0 then. */
static inline unsigned long long dirty_take(unsigned long long *bits)
{
	if (!*(volatile unsigned long long *)bits)
		return 0;
	return __atomic_exchange_n(bits, 0, __ATOMIC_SEQ_CST);
}

#endif
