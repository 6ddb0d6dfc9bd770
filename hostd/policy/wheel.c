// SPDX-License-Identifier: Apache-2.0
/*
 * wheel.c - one timer for each VM
 *
 * A slot's timers are a list through next[] and prev[]. The slot of now stays
 * the current one until its time has passed, so a timer is never early and,
 * unless many hang in one slot, is found in the first call after its time.
 */
#include "wheel.h"

#define WORDS (WHEEL_SLOTS / 64)

void wheel_unlink(struct wheel *w, uint16_t vm)
{
	uint16_t slot = w->slot[vm], next = w->next[vm], prev = w->prev[vm];

	if (next)
		w->prev[next - 1] = prev;
	if (prev)
		w->next[prev - 1] = next;
	else
		w->head[slot] = next;
	if (!w->head[slot])
		w->used[slot / 64] &= ~(1ull << (slot % 64));
	w->at_ns[vm] = 0;
	w->cnt--;
}

void wheel_set(struct wheel *w, uint16_t vm, uint64_t at_ns)
{
	uint64_t tick = at_ns >> WHEEL_SHIFT;
	uint16_t slot, next;

	if (w->at_ns[vm] == at_ns)
		return;
	wheel_stop(w, vm);
	if (tick < w->tick)
		tick = w->tick; /* due already: found in the current slot */
	slot = (uint16_t)(tick % WHEEL_SLOTS);
	next = w->head[slot];
	w->at_ns[vm] = at_ns;
	w->slot[vm] = slot;
	w->next[vm] = next;
	w->prev[vm] = 0;
	if (next)
		w->prev[next - 1] = (uint16_t)(vm + 1);
	w->head[slot] = (uint16_t)(vm + 1);
	w->used[slot / 64] |= 1ull << (slot % 64);
	w->cnt++;
}

/* step() - Ticks from @slot to the next one that holds a timer; not 0. */
static unsigned step(const struct wheel *w, unsigned slot)
{
	unsigned from = (slot + 1) % WHEEL_SLOTS, word = from / 64;
	uint64_t rest = w->used[word] >> (from % 64);

	if (rest)
		return 1 + (unsigned)__builtin_ctzll(rest);
	for (unsigned i = 1; i <= WORDS; i++) {
		rest = w->used[(word + i) % WORDS];
		if (rest)
			return 1 + i * 64 - from % 64 +
			       (unsigned)__builtin_ctzll(rest);
	}
	return WHEEL_SLOTS;
}

uint16_t wheel_pop(struct wheel *w, uint64_t now_ns)
{
	uint64_t end = now_ns >> WHEEL_SHIFT;

	if (!w->cnt) {
		w->tick = end;
		return VM_NONE;
	}
	if (end > w->tick + WHEEL_SLOTS)
		w->tick = end - WHEEL_SLOTS; /* once round is enough */
	for (;;) {
		unsigned slot = (unsigned)(w->tick % WHEEL_SLOTS);

		for (uint16_t i = w->head[slot]; i; i = w->next[i - 1]) {
			if (w->at_ns[i - 1] > now_ns)
				continue;
			wheel_unlink(w, (uint16_t)(i - 1));
			return (uint16_t)(i - 1);
		}
		if (w->tick >= end)
			return VM_NONE;
		w->tick += step(w, slot);
		if (w->tick > end)
			w->tick = end;
	}
}
