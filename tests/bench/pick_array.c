// SPDX-License-Identifier: Apache-2.0
/*
 * pick_array.c - for comparison: the packed array (Caladan since 2023)
 *
 * The homes of all members in one array of u16, an active one's matching
 * nothing: the first that is this cpu or its sibling is taken, else the tail of
 * the list of the idle. O(members), 32 to a cache line and no pointers to
 * follow. Caladan's list goes through its thread structures; here it is packed
 * u16 links, as the picker's are, so that what differs is the algorithm.
 */
#include <stdbool.h>

#include "tests/bench/pick_algo.h"

#define HOME_ACTIVE 0xfffeu
#define HOME_NEVER  0xfffdu

struct link {
	uint16_t next, prev;
};

/* Fixed addresses: nothing has to be read to know where a member's are. */
struct algo {
	uint16_t member_cnt;
	uint16_t sibling[CPU_MAX]; /* itself when it has none */
	_Alignas(64) uint16_t home[PICK_MEMBERS_MAX];
	_Alignas(64) struct link link[PICK_MEMBERS_MAX + 1]; /* [0]: head */
};

static size_t algo_bytes(const struct pick_host *host)
{
	return offsetof(struct algo, link) +
	       (host->member_cnt + 1u) * sizeof(struct link);
}

static void algo_init(struct algo *a, const struct pick_host *host)
{
	a->member_cnt = host->member_cnt;
	a->link[0] = (struct link){ 0, 0 };
	for (unsigned i = 0; i < host->cpu_cnt; i++)
		a->sibling[i] = host->sibling[i] == CPU_NONE ? (uint16_t)i
							     : host->sibling[i];
}

static inline void link_after(struct algo *a, uint16_t at, uint16_t i)
{
	uint16_t next = a->link[at].next;

	a->link[i] = (struct link){ next, at };
	a->link[next].prev = i;
	a->link[at].next = i;
}

static inline void link_cut(struct algo *a, uint16_t i)
{
	struct link l = a->link[i];

	a->link[l.prev].next = l.next;
	a->link[l.next].prev = l.prev;
}

static inline void algo_join(struct algo *a, uint16_t member)
{
	a->home[member] = HOME_NEVER;
	link_after(a, a->link[0].prev, (uint16_t)(member + 1));
}

static inline void algo_leave(struct algo *a, uint16_t member)
{
	if (a->home[member] != HOME_ACTIVE)
		link_cut(a, (uint16_t)(member + 1));
	a->home[member] = HOME_ACTIVE;
}

static inline void algo_idle(struct algo *a, uint16_t member, uint16_t cpu)
{
	a->home[member] = cpu;
	link_after(a, 0, (uint16_t)(member + 1));
}

static inline uint16_t find(const struct algo *a, uint16_t cpu)
{
	uint16_t sibling = a->sibling[cpu];

	for (unsigned i = 0; i < a->member_cnt; i++)
		if (a->home[i] == cpu || a->home[i] == sibling)
			return (uint16_t)i;
	return (uint16_t)(a->link[0].prev - 1);
}

static inline uint16_t algo_pick(struct algo *a, uint16_t cpu)
{
	uint16_t i = find(a, cpu);

	link_cut(a, (uint16_t)(i + 1));
	a->home[i] = HOME_ACTIVE;
	return i;
}

#include "tests/bench/pick_replay.h"

const struct pick_algo pick_array = PICK_ALGO("array");
