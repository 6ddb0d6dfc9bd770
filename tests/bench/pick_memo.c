// SPDX-License-Identifier: Apache-2.0
/*
 * pick_memo.c - for comparison: the memo with its fall-back (Danian's slides)
 *
 * Each cpu remembers the thread it ran last, by pointer. If that one is not
 * active it is taken, else the tail of the idle list. O(1). No sibling is
 * asked. The slides show no check for a cpu that never ran anything; it is
 * here, or the first pick would crash. Whoever leaves is taken out of the memo
 * of the cpu it ran on last; other cpus may go on remembering it, and then
 * remember whoever is there after it.
 */
#include <stdbool.h>

#include "tests/bench/pick_algo.h"
#include "tests/bench/pick_links.h"

struct member {
	_Alignas(64) struct link idle; /* first: a link is its member */
	uint16_t home;
	bool active;
};

struct algo {
	struct link idle;
	struct member *last_run[CPU_MAX];
	struct member member[];
};

static size_t algo_bytes(const struct pick_host *host)
{
	return sizeof(struct algo) + host->member_cnt * sizeof(struct member);
}

static void algo_init(struct algo *a, const struct pick_host *host)
{
	(void)host;
	a->idle = (struct link){ &a->idle, &a->idle };
}

static inline void algo_join(struct algo *a, uint16_t member)
{
	struct member *m = &a->member[member];

	m->home = CPU_NONE;
	m->active = false;
	link_after(a->idle.prev, &m->idle);
}

static inline void algo_leave(struct algo *a, uint16_t member)
{
	struct member *m = &a->member[member];

	if (!m->active)
		link_cut(&m->idle);
	m->active = true;
	if (m->home != CPU_NONE && a->last_run[m->home] == m)
		a->last_run[m->home] = NULL;
}

static inline void algo_idle(struct algo *a, uint16_t member, uint16_t cpu)
{
	struct member *m = &a->member[member];

	(void)cpu; /* the memo was written when it was picked */
	m->active = false;
	link_after(&a->idle, &m->idle);
}

static inline uint16_t algo_pick(struct algo *a, uint16_t cpu)
{
	struct member *m = a->last_run[cpu];

	if (!m || m->active)
		m = (struct member *)a->idle.prev;
	link_cut(&m->idle);
	m->active = true;
	m->home = cpu;
	a->last_run[cpu] = m;
	return (uint16_t)(m - a->member);
}

#include "tests/bench/pick_replay.h"

const struct pick_algo pick_memo = PICK_ALGO("memo");
