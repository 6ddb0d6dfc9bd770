// SPDX-License-Identifier: Apache-2.0
/*
 * pick_list.c - for comparison: the list scan (Caladan until 2023)
 *
 * One list of the idle, latest first: walk it for one whose home is this cpu,
 * walk it again for the sibling's, else take its tail. O(members). The list
 * goes through the members' own structures by pointers; here each of them is
 * one cache line and no more.
 */
#include <stdbool.h>

#include "tests/bench/pick_algo.h"
#include "tests/bench/pick_links.h"

struct member {
	_Alignas(64) struct link idle; /* first: a link is its member */
	uint16_t home;
	bool is_idle;
};

struct algo {
	struct link idle;
	uint16_t sibling[CPU_MAX];
	struct member member[];
};

static size_t algo_bytes(const struct pick_host *host)
{
	return sizeof(struct algo) + host->member_cnt * sizeof(struct member);
}

static void algo_init(struct algo *a, const struct pick_host *host)
{
	a->idle = (struct link){ &a->idle, &a->idle };
	for (unsigned i = 0; i < host->cpu_cnt; i++)
		a->sibling[i] = host->sibling[i];
}

static inline void algo_join(struct algo *a, uint16_t member)
{
	a->member[member].home = CPU_NONE;
	a->member[member].is_idle = true;
	link_after(a->idle.prev, &a->member[member].idle);
}

static inline void algo_leave(struct algo *a, uint16_t member)
{
	if (a->member[member].is_idle)
		link_cut(&a->member[member].idle);
	a->member[member].is_idle = false;
}

static inline void algo_idle(struct algo *a, uint16_t member, uint16_t cpu)
{
	a->member[member].home = cpu;
	a->member[member].is_idle = true;
	link_after(&a->idle, &a->member[member].idle);
}

static inline struct member *find(struct algo *a, uint16_t cpu)
{
	for (struct link *l = a->idle.next; l != &a->idle; l = l->next) {
		struct member *m = (struct member *)l;

		if (m->home == cpu)
			return m;
	}
	return NULL;
}

static inline uint16_t algo_pick(struct algo *a, uint16_t cpu)
{
	struct member *m = find(a, cpu);

	if (!m && a->sibling[cpu] != CPU_NONE)
		m = find(a, a->sibling[cpu]);
	if (!m)
		m = (struct member *)a->idle.prev;
	link_cut(&m->idle);
	m->is_idle = false;
	return (uint16_t)(m - a->member);
}

#include "tests/bench/pick_replay.h"

const struct pick_algo pick_list = PICK_ALGO("list");
