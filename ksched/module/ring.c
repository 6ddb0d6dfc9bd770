// SPDX-License-Identifier: GPL-2.0
/*
 * ring.c - answers, in memory that the caller maps read-only
 *
 * Written by workers on any cpu and by the committing thread, under ring_lock;
 * read by the caller without a lock: `head` is stored after what it counts.
 * Nothing is read back from the mapping but counters nobody else can write.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>

#include "session.h"

static struct ksched_done *ring_of(const struct session *s)
{
	return (struct ksched_done *)(s->page + 1);
}

int ring_open(struct session *s)
{
	BUILD_BUG_ON(KSCHED_MAP_BYTES % PAGE_SIZE);
	s->page = vmalloc_user(KSCHED_MAP_BYTES);
	if (!s->page)
		return -ENOMEM;
	spin_lock_init(&s->ring_lock);
	s->page->version = KSCHED_VERSION;
	s->page->map_bytes = KSCHED_MAP_BYTES;
	s->page->ring_slots = KSCHED_RING_SLOTS;
	return 0;
}

void ring_close(struct session *s)
{
	vfree(s->page);
}

static u64 *counter_of(struct ksched_page *page, int err)
{
	switch (err) {
	case 0:
		return &page->moved;
	case -ECANCELED:
		return &page->overtaken;
	case -ESRCH:
		return &page->gone;
	default:
		return &page->refused;
	}
}

void ring_answer(struct session *s, const struct ksched_move *m, int err,
		 unsigned int cpu, u64 asked_ns)
{
	struct ksched_done *d;
	u64 now_ns = ktime_get_ns();

	spin_lock(&s->ring_lock);
	d = &ring_of(s)[s->head % KSCHED_RING_SLOTS];
	d->slot = m->slot;
	d->gen = m->gen;
	d->err = err;
	d->cpu = cpu;
	d->by = raw_smp_processor_id();
	d->took_ns = now_ns - asked_ns;
	d->at_ns = now_ns;
	++*counter_of(s->page, err);
	/* Pairs with the caller's acquire load: the answer before its count. */
	smp_store_release(&s->page->head, ++s->head);
	spin_unlock(&s->ring_lock);
}
