/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmset.h - a set of VM slots that costs what is in it
 *
 * Two levels: a bit a slot, and above them a bit for each word that is not 0.
 * Going through the set, and finding that nothing is in it, takes a look at
 * what is there and at VM_MAX / 4096 words more, however many VMs there are.
 * In rising order.
 */
#ifndef HL_VMSET_H
#define HL_VMSET_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/bounds.h"

#define VMSET_WORDS ((VM_MAX + 63) / 64)
#define VMSET_TOPS  ((VMSET_WORDS + 63) / 64)

struct vmset {
	uint64_t top[VMSET_TOPS];
	uint64_t word[VMSET_WORDS];
};

static inline bool vmset_has(const struct vmset *s, unsigned vm)
{
	return s->word[vm / 64] >> (vm % 64) & 1;
}

static inline void vmset_add(struct vmset *s, unsigned vm)
{
	s->word[vm / 64] |= 1ull << (vm % 64);
	s->top[vm / 4096] |= 1ull << (vm / 64 % 64);
}

static inline void vmset_del(struct vmset *s, unsigned vm)
{
	s->word[vm / 64] &= ~(1ull << (vm % 64));
	if (!s->word[vm / 64])
		s->top[vm / 4096] &= ~(1ull << (vm / 64 % 64));
}

static inline void vmset_put(struct vmset *s, unsigned vm, bool in)
{
	if (in != vmset_has(s, vm))
		in ? vmset_add(s, vm) : vmset_del(s, vm);
}

static inline bool vmset_empty(const struct vmset *s)
{
	for (unsigned i = 0; i < VMSET_TOPS; i++)
		if (s->top[i])
			return false;
	return true;
}

/* First slot at or after @vm that is in the set, or VM_NONE. */
static inline unsigned vmset_next(const struct vmset *s, unsigned vm)
{
	uint64_t rest;
	unsigned w = vm / 64;

	if (vm >= VM_MAX)
		return VM_NONE;
	rest = s->word[w] >> (vm % 64);
	if (rest)
		return vm + (unsigned)__builtin_ctzll(rest);
	for (w++; w < VMSET_WORDS; w = (w | 63) + 1) {
		rest = s->top[w / 64] >> (w % 64);
		if (!rest)
			continue;
		w += (unsigned)__builtin_ctzll(rest);
		return w * 64 + (unsigned)__builtin_ctzll(s->word[w]);
	}
	return VM_NONE;
}

#define vmset_for_each(vm, s)                                                  \
	for (unsigned vm = vmset_next((s), 0); vm != VM_NONE;                  \
	     vm = vmset_next((s), vm + 1))

#endif
