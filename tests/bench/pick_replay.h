/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pick_replay.h - the loops around an algorithm, compiled with each
 *
 * Included at the end of an algorithm's file, which has defined `struct algo`
 * and algo_bytes(), algo_init(), algo_join(), algo_leave(), algo_idle(),
 * algo_pick() as static inline functions.
 */
#include <string.h>

#include "tests/bench/pick_tsc.h"

static void replay_start(void *mem, const struct pick_host *host,
			 unsigned busy_cnt, uint16_t *on)
{
	struct algo *a = mem;

	memset(mem, 0, algo_bytes(host));
	algo_init(a, host);
	for (unsigned i = 0; i < host->member_cnt; i++)
		algo_join(a, (uint16_t)i);
	for (unsigned cpu = 0; cpu < busy_cnt; cpu++)
		on[cpu] = algo_pick(a, (uint16_t)cpu);
}

static inline __attribute__((always_inline)) void
replay_give_up(struct algo *a, struct pick_cycle c, uint16_t *on)
{
	uint16_t member = on[c.from & PICK_CPU];

	if (c.from & PICK_EXIT) {
		algo_leave(a, member);
		algo_join(a, member);
	} else {
		algo_idle(a, member, c.from);
	}
}

static void replay_run(void *mem, const struct pick_trace *t, unsigned begin,
		       unsigned end, uint16_t *on)
{
	struct algo *a = mem;

	for (unsigned i = begin; i < end; i++) {
		struct pick_cycle c = t->cycle[i];

		replay_give_up(a, c, on);
		on[c.to] = algo_pick(a, c.to);
	}
}

static void replay_run_cold(void *mem, size_t bytes, const struct pick_trace *t,
			    unsigned begin, unsigned end, uint16_t *on,
			    uint64_t *idle_tsc, uint64_t *pick_tsc)
{
	struct algo *a = mem;

	for (unsigned i = begin; i < end; i++) {
		struct pick_cycle c = t->cycle[i];
		uint64_t t0;

		tsc_flush(mem, bytes);
		t0 = tsc_begin();
		replay_give_up(a, c, on);
		idle_tsc[i - begin] = tsc_end() - t0;
		tsc_flush(mem, bytes);
		t0 = tsc_begin();
		on[c.to] = algo_pick(a, c.to);
		pick_tsc[i - begin] = tsc_end() - t0;
	}
}

static void replay_run_hits(void *mem, const struct pick_host *host,
			    const struct pick_trace *t, unsigned begin,
			    uint16_t *on, struct pick_hits *hits)
{
	static uint16_t home[PICK_MEMBERS_MAX];
	struct algo *a = mem;

	memset(home, 0xff, sizeof(home));
	for (unsigned i = 0; i < t->cnt; i++) {
		struct pick_cycle c = t->cycle[i];
		uint16_t from = c.from & PICK_CPU, member = on[from];

		home[member] = c.from & PICK_EXIT ? CPU_NONE : from;
		replay_give_up(a, c, on);
		on[c.to] = member = algo_pick(a, c.to);
		if (i < begin)
			continue;
		hits->picks++;
		if (home[member] == CPU_NONE)
			continue;
		hits->home += home[member] == c.to;
		hits->llc += host->llc[home[member]] == host->llc[c.to];
	}
}

#define PICK_ALGO(what)                                                        \
	{                                                                      \
		.name = (what), .bytes = algo_bytes, .start = replay_start,    \
		.run = replay_run, .run_cold = replay_run_cold,                \
		.run_hits = replay_run_hits                                    \
	}
