/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place_ring.h - rings of u16: members are entries of an array, the head is one
 *
 * An entry that is in no ring names itself. Pure.
 */
#ifndef AGENT_PLACE_RING_H
#define AGENT_PLACE_RING_H

#include <stdbool.h>
#include <stdint.h>

struct place_link {
	uint16_t next, prev;
};

/* ring_init() - @entries, and behind them the head: all in no ring. */
static inline void ring_init(struct place_link *ring, unsigned entries)
{
	for (unsigned i = 0; i <= entries; i++)
		ring[i] = (struct place_link){ (uint16_t)i, (uint16_t)i };
}

/* ring_has() - Is entry @i in the ring? */
static inline bool ring_has(const struct place_link *ring, uint16_t i)
{
	return ring[i].next != i;
}

/* ring_push() - Put @i at the back, unless it is in. */
static inline void ring_push(struct place_link *ring, uint16_t head, uint16_t i)
{
	uint16_t last = ring[head].prev;

	if (ring_has(ring, i))
		return;
	ring[i] = (struct place_link){ head, last };
	ring[last].next = i;
	ring[head].prev = i;
}

/* ring_cut() - Take @i out, if it is in. */
static inline void ring_cut(struct place_link *ring, uint16_t i)
{
	struct place_link l = ring[i];

	ring[l.prev].next = l.next;
	ring[l.next].prev = l.prev;
	ring[i] = (struct place_link){ i, i };
}

#endif
