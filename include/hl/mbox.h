/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbox.h - a bounded queue between two threads: one writes, one reads
 *
 * Messages are copied by value. A full box refuses (the writer counts it or
 * tries later); nothing blocks, nothing allocates after mbox_init().
 * `tail` is written by the producer alone, `head` by the consumer alone; each
 * on its own cache line. Both only grow and are masked on use, so full and
 * empty cannot be confused.
 */
#ifndef HL_MBOX_H
#define HL_MBOX_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct mbox {
	_Alignas(64) uint32_t tail; /* producer */
	_Alignas(64) uint32_t head; /* consumer */
	_Alignas(64) uint32_t mask; /* constant after init, as the rest */
	uint32_t msg_bytes;
	unsigned char *slot;
};

/*
 * mbox_init() - Make an empty box
 * @slots: capacity, a power of two
 * @msg_bytes: size of one message
 *
 * Return: 0, -EINVAL for a capacity that is no power of two, or -ENOMEM.
 */
static inline int mbox_init(struct mbox *b, uint32_t slots, uint32_t msg_bytes)
{
	if (!slots || (slots & (slots - 1)))
		return -EINVAL;
	memset(b, 0, sizeof(*b));
	b->slot = calloc(slots, msg_bytes);
	if (!b->slot)
		return -ENOMEM;
	b->mask = slots - 1;
	b->msg_bytes = msg_bytes;
	return 0;
}

static inline void mbox_exit(struct mbox *b)
{
	free(b->slot);
	b->slot = NULL;
}

/* mbox_push() - Producer only. Return: false when the box is full. */
static inline bool mbox_push(struct mbox *b, const void *msg)
{
	uint32_t tail = b->tail;

	if (tail - __atomic_load_n(&b->head, __ATOMIC_ACQUIRE) > b->mask)
		return false;
	memcpy(b->slot + (size_t)(tail & b->mask) * b->msg_bytes, msg,
	       b->msg_bytes);
	__atomic_store_n(&b->tail, tail + 1, __ATOMIC_RELEASE);
	return true;
}

/* mbox_room() - Producer only. Return: so many messages fit at least. */
static inline uint32_t mbox_room(const struct mbox *b)
{
	return b->mask + 1 -
	       (b->tail - __atomic_load_n(&b->head, __ATOMIC_ACQUIRE));
}

/* mbox_pop() - Consumer only. Return: false when the box is empty. */
static inline bool mbox_pop(struct mbox *b, void *msg)
{
	uint32_t head = b->head;

	if (head == __atomic_load_n(&b->tail, __ATOMIC_ACQUIRE))
		return false;
	memcpy(msg, b->slot + (size_t)(head & b->mask) * b->msg_bytes,
	       b->msg_bytes);
	__atomic_store_n(&b->head, head + 1, __ATOMIC_RELEASE);
	return true;
}

#endif
