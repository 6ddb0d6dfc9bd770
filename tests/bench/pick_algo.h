/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pick_algo.h - what bench_pick gives to each algorithm: a host, and a trace of
 * cpus given up and given out
 *
 * Each algorithm is one file that ends with pick_replay.h, so that all have the
 * same loop around them and none is called through a pointer inside it.
 */
#ifndef TESTS_BENCH_PICK_ALGO_H
#define TESTS_BENCH_PICK_ALGO_H

#include <stddef.h>
#include <stdint.h>

#include "hl/bounds.h"

#define PICK_CYCLES_MAX	 20000
#define PICK_MEMBERS_MAX 10000
#define PICK_EXIT	 0x8000u /* in `from`: a new member takes its place */
#define PICK_CPU	 0x7fffu

struct pick_host {
	uint16_t cpu_cnt, member_cnt;
	uint16_t sibling[CPU_MAX]; /* CPU_NONE: none */
	uint16_t llc[CPU_MAX];	   /* lowest cpu of it */
};

/* One cycle: the member on cpu `from` becomes idle, or exits; then a member is
 * picked for cpu `to`. */
struct pick_cycle {
	uint16_t from, to;
};

enum pick_pattern {
	PATTERN_RANDOM, /* any busy cpu, then any free one */
	PATTERN_RETURN, /* three in four go to one of the last four freed */
	PATTERN_SWEEP,	/* a wave over the host: first freed, first given */
	PATTERN_CHURN,	/* as random; one in 16 exits and another one joins */
	PATTERN_NUM
};

struct pick_trace {
	uint16_t busy_cnt; /* cpus 0 to this have a member at the start */
	unsigned cnt;
	struct pick_cycle cycle[PICK_CYCLES_MAX];
};

/*
 * pick_trace_record() - @cnt random cycles; the same @seed, the same trace
 *
 * Three quarters of what can be busy (cpus or members, the fewer) are: so
 * there are cpus to choose from and idle members to choose among, and no pick
 * finds nobody.
 */
void pick_trace_record(struct pick_trace *t, const struct pick_host *host,
		       enum pick_pattern pattern, unsigned cnt, uint64_t seed);

/* Where picked members had been, of `picks` picks. */
struct pick_hits {
	uint64_t picks, home, llc; /* llc: home included */
};

struct pick_algo {
	const char *name;
	/* bytes it works on, topology included */
	size_t (*bytes)(const struct pick_host *host);
	/* everybody joins, then cpus 0 to @busy_cnt are given out; @on: the
	 * member on each cpu */
	void (*start)(void *mem, const struct pick_host *host,
		      unsigned busy_cnt, uint16_t *on);
	/* cycles @begin to @end */
	void (*run)(void *mem, const struct pick_trace *t, unsigned begin,
		    unsigned end, uint16_t *on);
	/* the same with @mem out of every cache before each operation;
	 * time stamp ticks of each are stored */
	void (*run_cold)(void *mem, size_t bytes, const struct pick_trace *t,
			 unsigned begin, unsigned end, uint16_t *on,
			 uint64_t *idle_tsc, uint64_t *pick_tsc);
	void (*run_hits)(void *mem, const struct pick_host *host,
			 const struct pick_trace *t, unsigned begin,
			 uint16_t *on, struct pick_hits *hits);
};

extern const struct pick_algo pick_list, pick_array, pick_memo, pick_homed;

#endif
