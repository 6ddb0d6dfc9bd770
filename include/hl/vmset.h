/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmset.h - a set of VM slots that costs what is in it
 *
 * Three levels: a bit a slot, a bit for each word of these that is not 0, and a
 * bit for each of those. Going through the set takes a look at what is in it,
 * and finding that nothing is takes one look, however many VMs there are. In
 * rising order.
 */
#ifndef HL_VMSET_H
#define HL_VMSET_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/bounds.h"

#define VMSET_WORDS ((VM_MAX + 63) / 64)
#define VMSET_TOPS  ((VMSET_WORDS + 63) / 64)

struct vmset {
	uint64_t all; /* which tops are not 0 */
	uint64_t top[VMSET_TOPS];
	uint64_t word[VMSET_WORDS];
};

_Static_assert(VMSET_TOPS <= 64, "three levels do for so many VMs");

static inline bool vmset_has(const struct vmset *s, unsigned vm)
{
	return s->word[vm / 64] >> (vm % 64) & 1;
}

static inline void vmset_add(struct vmset *s, unsigned vm)
{
	if (!s->word[vm / 64]) {
		s->top[vm / 4096] |= 1ull << (vm / 64 % 64);
		s->all |= 1ull << (vm / 4096);
	}
	s->word[vm / 64] |= 1ull << (vm % 64);
}

static inline void vmset_del(struct vmset *s, unsigned vm)
{
	s->word[vm / 64] &= ~(1ull << (vm % 64));
	if (s->word[vm / 64])
		return;
	s->top[vm / 4096] &= ~(1ull << (vm / 64 % 64));
	if (!s->top[vm / 4096])
		s->all &= ~(1ull << (vm / 4096));
}

static inline void vmset_put(struct vmset *s, unsigned vm, bool in)
{
	if (in != vmset_has(s, vm))
		in ? vmset_add(s, vm) : vmset_del(s, vm);
}

static inline bool vmset_empty(const struct vmset *s)
{
	return !s->all;
}

/* The lowest bit of @bits at or above @from, or 64. */
static inline unsigned vmset_bit(uint64_t bits, unsigned from)
{
	if (from > 63 || !(bits >> from))
		return 64;
	return from + (unsigned)__builtin_ctzll(bits >> from);
}

/* First slot at or after @vm that is in the set, or VM_NONE. */
static inline unsigned vmset_next(const struct vmset *s, unsigned vm)
{
	unsigned word = vm / 64, top = vm / 4096, bit;

	if (!s->all || vm >= VM_MAX)
		return VM_NONE;
	bit = vmset_bit(s->word[word], vm % 64);
	if (bit < 64)
		return word * 64 + bit;
	bit = vmset_bit(s->top[top], word % 64 + 1);
	if (bit == 64) {
		top = vmset_bit(s->all, top + 1);
		if (top >= VMSET_TOPS)
			return VM_NONE;
		bit = vmset_bit(s->top[top], 0);
	}
	word = top * 64 + bit;
	return word * 64 + vmset_bit(s->word[word], 0);
}

#define vmset_for_each(vm, s)                                                  \
	for (unsigned vm = vmset_next((s), 0); vm != VM_NONE;                  \
	     vm = vmset_next((s), vm + 1))

#endif
