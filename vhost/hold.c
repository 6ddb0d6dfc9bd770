/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold.c - frames kept for a guest whose ring is full
 *
 * A ring of (frame, time) pairs. An emptied ring starts again at its first
 * slot, so that a queue that never grows long touches little memory.
 */
#include <stddef.h>

#include "vhost/hold.h"

_Static_assert((PORT_HOLD_MAX & (PORT_HOLD_MAX - 1)) == 0, "masked on use");

static struct hold_entry *entry_at(const struct hold *h, unsigned n)
{
	return &h->ring[(h->head + n) & (PORT_HOLD_MAX - 1)];
}

void hold_init(struct hold *h, struct hold_entry *ring)
{
	*h = (struct hold){ .ring = ring };
}

bool hold_push(struct hold *h, uint16_t max, struct rte_mbuf *frame,
	       uint64_t since_ns)
{
	if (h->cnt >= max || h->cnt >= PORT_HOLD_MAX)
		return false;
	*entry_at(h, h->cnt) = (struct hold_entry){ frame, since_ns };
	h->cnt++;
	return true;
}

unsigned hold_front(const struct hold *h, struct rte_mbuf **frames,
		    unsigned max, uint64_t *since_ns)
{
	unsigned n = 0;

	if (!h->cnt)
		return 0;
	*since_ns = entry_at(h, 0)->since_ns;
	while (n < max && n < h->cnt && entry_at(h, n)->since_ns == *since_ns) {
		frames[n] = entry_at(h, n)->frame;
		n++;
	}
	return n;
}

void hold_pop(struct hold *h, unsigned n)
{
	h->cnt -= n;
	h->head = h->cnt ? (h->head + n) & (PORT_HOLD_MAX - 1) : 0;
}

struct rte_mbuf *hold_expire(struct hold *h, uint64_t hold_ns, uint64_t now_ns)
{
	struct rte_mbuf *frame;

	if (!h->cnt || hold_oldest_ns(h, now_ns) <= hold_ns)
		return NULL;
	frame = entry_at(h, 0)->frame;
	hold_pop(h, 1);
	return frame;
}

uint64_t hold_oldest_ns(const struct hold *h, uint64_t now_ns)
{
	return h->cnt ? now_ns - entry_at(h, 0)->since_ns : 0;
}
