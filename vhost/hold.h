/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold.h - frames kept for a guest whose ring is full
 *
 * First in, first out, bounded by count and by age: a frame that waited too
 * long is worth less than the memory it takes. Pure: frames are opaque
 * pointers; who takes one out frees it or gives it away. The poll thread owns
 * it.
 */
#ifndef VHOST_HOLD_H
#define VHOST_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost/port.h"

struct hold_entry {
	struct rte_mbuf *frame;
	uint64_t since_ns;
};

struct hold {
	struct hold_entry *ring; /* [PORT_HOLD_MAX], a power of two */
	uint16_t head, cnt;
};

/* hold_init() - An empty queue in @ring, the caller's memory. */
void hold_init(struct hold *h, struct hold_entry *ring);

/*
 * hold_push() - Add a frame at the end
 * @max: how many may be held, at most PORT_HOLD_MAX
 * @since_ns: when it came; not before the frame pushed last
 * Return: false when full; the frame stays the caller's.
 */
bool hold_push(struct hold *h, uint16_t max, struct rte_mbuf *frame,
	       uint64_t since_ns);

/*
 * hold_front() - Look at the oldest frames that came at the same time
 * @frames: gets up to @max of them, in order
 * @since_ns: gets when they came
 * Return: how many; 0 when nothing is held. Nothing is taken out.
 */
unsigned hold_front(const struct hold *h, struct rte_mbuf **frames,
		    unsigned max, uint64_t *since_ns);

/* hold_pop() - Take out the @n oldest, @n at most what is held. */
void hold_pop(struct hold *h, unsigned n);

/* hold_expire() - Take out the oldest frame if it came more than @hold_ns ago.
 * Return: the frame, or NULL. */
struct rte_mbuf *hold_expire(struct hold *h, uint64_t hold_ns, uint64_t now_ns);

/* hold_oldest_ns() - Age of the oldest frame; 0 when nothing is held. */
uint64_t hold_oldest_ns(const struct hold *h, uint64_t now_ns);

#endif
