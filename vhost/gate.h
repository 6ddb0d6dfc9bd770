/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate.h - what one thread uses freely, another can take away
 *
 * The poll thread goes in and out; it never waits, a shut gate turns it away.
 * Whoever is about to change or free what is behind shuts the gate and waits
 * until the poll thread is out. Nothing needs to be acknowledged: a poll
 * thread that sleeps, or whose port is in no switch, is not inside.
 *
 * `inside` is written by the user, `open` by the others, each before it reads
 * the other's word, all sequentially consistent: at least one of them sees
 * the other (Dekker). Who shuts must hold no lock that is taken inside.
 */
#ifndef VHOST_GATE_H
#define VHOST_GATE_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

struct gate {
	uint32_t inside; /* poll thread */
	uint32_t open;	 /* the others, one at a time */
};

/* gate_enter() - Poll thread. Return: false when shut; then stay out. */
static inline bool gate_enter(struct gate *g)
{
	if (!__atomic_load_n(&g->open, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&g->inside, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&g->open, __ATOMIC_SEQ_CST))
		return true;
	__atomic_store_n(&g->inside, 0, __ATOMIC_RELEASE);
	return false;
}

static inline void gate_leave(struct gate *g)
{
	__atomic_store_n(&g->inside, 0, __ATOMIC_RELEASE);
}

/* gate_open() - What is behind is ready. */
static inline void gate_open(struct gate *g)
{
	__atomic_store_n(&g->open, 1, __ATOMIC_SEQ_CST);
}

/* gate_shut() - On return the poll thread is out and stays out. Waits for as
 * long as the poll thread's present visit lasts. */
static inline void gate_shut(struct gate *g)
{
	__atomic_store_n(&g->open, 0, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&g->inside, __ATOMIC_SEQ_CST))
		sched_yield();
}

#endif
