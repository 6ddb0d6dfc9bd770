// SPDX-License-Identifier: Apache-2.0
/*
 * table.c - the workers: slots, and a hash from thread to slot
 *
 * Theory of operation. Threads hash by number: the kernel hands numbers out in
 * order, so the lowest bits spread them. A bucket is a chain through
 * worker.next, and so is the list of slots given back; slots never used are
 * those from `high` on. An empty table begins anew, so that `high`, which
 * bounds whoever walks the table, falls again.
 *
 * The guardian reads slots, not chains, and may find the agent dead between any
 * two instructions here. A slot counts as soon as `tid` is there, and is put
 * back as soon as `touched` is: each is stored after what it vouches for, and
 * cleared before it.
 *
 * Pure. The agent's thread.
 */
#include "table.h"

#include <string.h>

/* Keep the compiler from moving stores across: for a reader that comes after
 * this process's death, program order is all that is needed. */
#define store_barrier() __asm__ volatile("" ::: "memory")

static uint16_t bucket_of(pid_t tid)
{
	return (uint16_t)((uint32_t)tid % WORKER_MAX);
}

void table_init(struct table *t)
{
	t->count = 0;
	t->high = 0;
	t->full = 0;
	t->free = WORKER_NONE;
	for (unsigned i = 0; i < WORKER_MAX; i++) {
		t->bucket[i] = WORKER_NONE;
		t->worker[i].tid = 0;
		t->worker[i].touched = false;
	}
}

uint16_t table_find(const struct table *t, pid_t tid)
{
	uint16_t i;

	if (tid <= 0)
		return WORKER_NONE;
	i = t->bucket[bucket_of(tid)];
	while (i != WORKER_NONE && t->worker[i].tid != tid)
		i = t->worker[i].next;
	return i;
}

/* A slot nobody has, or WORKER_NONE. */
static uint16_t take_slot(struct table *t)
{
	uint16_t slot = t->free;

	if (slot != WORKER_NONE)
		t->free = t->worker[slot].next;
	else if (t->high < WORKER_MAX)
		slot = t->high++;
	return slot;
}

uint16_t table_add(struct table *t, pid_t tid, pid_t tgid, uint64_t started)
{
	struct worker *w;
	uint16_t slot;

	if (tid <= 0 || table_find(t, tid) != WORKER_NONE)
		return WORKER_NONE;
	slot = take_slot(t);
	if (slot == WORKER_NONE) {
		t->full++;
		return WORKER_NONE;
	}
	w = &t->worker[slot];
	memset(w, 0, sizeof(*w));
	w->tgid = tgid;
	w->started = started;
	w->vcpu = CPU_NONE;
	w->last_vcpu = CPU_NONE;
	w->hash = bucket_of(tid);
	w->next = t->bucket[w->hash];
	store_barrier();
	w->tid = tid;
	t->bucket[w->hash] = slot;
	t->count++;
	return slot;
}

void table_del(struct table *t, uint16_t slot)
{
	struct worker *w;
	uint16_t *at;

	if (slot >= t->high || !t->worker[slot].tid)
		return;
	w = &t->worker[slot];
	at = &t->bucket[w->hash];
	while (*at != slot)
		at = &t->worker[*at].next;
	*at = w->next;
	w->touched = false;
	store_barrier();
	w->tid = 0;
	w->next = t->free;
	t->free = slot;
	if (--t->count)
		return;
	t->high = 0;
	t->free = WORKER_NONE;
}

void table_mend(struct table *t)
{
	t->count = 0;
	t->high = WORKER_MAX;
	t->free = WORKER_NONE;
	for (unsigned i = 0; i < WORKER_MAX; i++)
		t->bucket[i] = WORKER_NONE;
	for (unsigned i = 0; i < WORKER_MAX; i++) {
		struct worker *w = &t->worker[i];
		uint16_t *at = &t->free;

		if (w->tid) {
			w->hash = bucket_of(w->tid);
			at = &t->bucket[w->hash];
			t->count++;
		}
		w->next = *at;
		*at = (uint16_t)i;
	}
}
