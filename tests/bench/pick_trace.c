// SPDX-License-Identifier: Apache-2.0
/*
 * pick_trace.c - records which cpus are given up and given out
 */
#include "tests/bench/pick_algo.h"

#include <string.h>

/* Cpus in the order they came in. */
struct line {
	unsigned cnt;
	uint16_t cpu[CPU_MAX + 1];
};

static void line_add(struct line *l, uint16_t cpu)
{
	l->cpu[l->cnt++] = cpu;
}

static uint16_t line_take(struct line *l, unsigned at)
{
	uint16_t cpu = l->cpu[at];

	l->cnt--;
	memmove(&l->cpu[at], &l->cpu[at + 1],
		(l->cnt - at) * sizeof(l->cpu[0]));
	return cpu;
}

/* below() - xorshift64, Marsaglia 2003 */
static unsigned below(uint64_t *seed, unsigned n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (unsigned)(*seed >> 33) % n;
}

/* whom() - Which of the free to give out; the last one was freed just now. */
static unsigned whom(const struct line *free, enum pick_pattern pattern,
		     uint64_t *seed)
{
	if (pattern == PATTERN_SWEEP)
		return 0;
	if (pattern == PATTERN_RETURN && below(seed, 4))
		return free->cnt - 1 -
		       below(seed, free->cnt < 4 ? free->cnt : 4);
	return below(seed, free->cnt);
}

void pick_trace_record(struct pick_trace *t, const struct pick_host *host,
		       enum pick_pattern pattern, unsigned cnt, uint64_t seed)
{
	struct line busy = { 0 }, free = { 0 };
	unsigned most =
	    host->cpu_cnt < host->member_cnt ? host->cpu_cnt : host->member_cnt;

	t->busy_cnt = (uint16_t)(most * 3 / 4 ? most * 3 / 4 : 1);
	t->cnt = cnt;
	for (uint16_t cpu = 0; cpu < host->cpu_cnt; cpu++)
		line_add(cpu < t->busy_cnt ? &busy : &free, cpu);
	for (unsigned i = 0; i < cnt; i++) {
		struct pick_cycle *c = &t->cycle[i];

		c->from = line_take(&busy, pattern == PATTERN_SWEEP
					       ? 0
					       : below(&seed, busy.cnt));
		line_add(&free, c->from);
		c->to = line_take(&free, whom(&free, pattern, &seed));
		line_add(&busy, c->to);
		if (pattern == PATTERN_CHURN && !below(&seed, 16))
			c->from |= PICK_EXIT;
	}
}
