// SPDX-License-Identifier: Apache-2.0
/*
 * bench_pick.c - what a pick costs and whom it finds: the picker (homed) beside
 * the list scan, the packed array and the memo
 *
 * Counted is a cycle: a member gives its cpu up and is put away, a member is
 * picked for another cpu and taken out. The same recorded traces go to all
 * four (pick_trace.c), in four patterns; warm figures are the mean of the four.
 *
 * Warm: thousands of cycles in one go, in time of this thread, the loop
 * around them and its misses of the branch predictor included, the same for
 * all; of three goes the least disturbed. Cold: clflush puts everything an
 * algorithm works on out of all caches before each half of a cycle, each half
 * is timed by itself and the cost of timing is taken off; the median of many.
 * The code, and who is on which cpu, stay warm.
 *
 * In each of nine rounds all four take their turn, each time another one
 * first; ratios are made inside a round. Hosts: two threads a core, sixteen
 * threads a last-level cache.
 *
 * With an algorithm, members and cpus as arguments it goes over the four traces
 * once, 80,000 cycles, and measures nothing: to count instructions under
 *	valgrind --tool=callgrind --toggle-collect=replay_run
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hl/clock.h"
#include "tests/bench/pick_algo.h"
#include "tests/bench/pick_stat.h"
#include "tests/bench/pick_tsc.h"

#define ALGOS	    4
#define CYCLES_COLD 200
#define GOES	    3

enum { LIST, ARRAY, MEMO, HOMED };

static const struct pick_algo *const algo[ALGOS] = { &pick_list, &pick_array,
						     &pick_memo, &pick_homed };

static const uint16_t members[] = { 1, 4, 16, 64, 256, 1024, 10000 };
static const uint16_t cpus[] = { 1, 4, 16, 64, 256 };
#define MEMBERS (sizeof(members) / sizeof(*members))
#define CPUS	(sizeof(cpus) / sizeof(*cpus))

struct cell {
	double warm_ns[ALGOS][ROUNDS], cold_ns[ALGOS][ROUNDS];
	struct pick_hits hits[ALGOS];
};

static struct cell cell[MEMBERS][CPUS];
static struct pick_host host;
static struct pick_trace trace[PATTERN_NUM];
static uint16_t on[CPU_MAX];
static _Alignas(4096) char memory[(PICK_MEMBERS_MAX + 1) * 64 + 16384];
static double tsc_per_ns;
static uint64_t tsc_cost; /* of timing nothing */

/* --- one algorithm in one cell ------------------------------------------- */

static uint64_t thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* The first quarter of a trace is for homes to settle. */
static double warm_ns(const struct pick_algo *a)
{
	double sum = 0;

	for (unsigned p = 0; p < PATTERN_NUM; p++) {
		const struct pick_trace *t = &trace[p];
		uint64_t best = UINT64_MAX;

		for (unsigned go = 0; go < GOES; go++) {
			uint64_t took;

			a->start(memory, &host, t->busy_cnt, on);
			a->run(memory, t, 0, t->cnt / 4, on);
			took = thread_ns();
			a->run(memory, t, t->cnt / 4, t->cnt, on);
			took = thread_ns() - took;
			if (took < best)
				best = took;
		}
		sum += (double)best / (t->cnt - t->cnt / 4);
	}
	return sum / PATTERN_NUM;
}

static double cold_ns(const struct pick_algo *a)
{
	static uint64_t idle[CYCLES_COLD], pick[CYCLES_COLD];
	const struct pick_trace *t = &trace[PATTERN_RANDOM];
	uint64_t sum;

	a->start(memory, &host, t->busy_cnt, on);
	a->run(memory, t, 0, t->cnt / 4, on);
	a->run_cold(memory, a->bytes(&host), t, t->cnt / 4,
		    t->cnt / 4 + CYCLES_COLD, on, idle, pick);
	sum = median_of(idle, CYCLES_COLD) + median_of(pick, CYCLES_COLD);
	return sum < 2 * tsc_cost ? 0
				  : (double)(sum - 2 * tsc_cost) / tsc_per_ns;
}

static void count_hits(const struct pick_algo *a, struct pick_hits *hits)
{
	for (unsigned p = 0; p < PATTERN_NUM; p++) {
		a->start(memory, &host, trace[p].busy_cnt, on);
		a->run_hits(memory, &host, &trace[p], trace[p].cnt / 4, on,
			    hits);
	}
}

/* --- the grid ------------------------------------------------------------ */

static void make_host(uint16_t member_cnt, uint16_t cpu_cnt)
{
	unsigned cores = cpu_cnt / 2;

	host.member_cnt = member_cnt;
	host.cpu_cnt = cpu_cnt;
	for (unsigned cpu = 0; cpu < cpu_cnt; cpu++) {
		host.sibling[cpu] = CPU_NONE;
		host.llc[cpu] = 0;
		if (!cores)
			continue;
		host.sibling[cpu] = (uint16_t)((cpu + cores) % cpu_cnt);
		host.llc[cpu] = (uint16_t)(cpu % cores / 8 * 8);
	}
}

static void make_traces(uint16_t member_cnt, uint16_t cpu_cnt, unsigned cycles,
			uint64_t seed)
{
	make_host(member_cnt, cpu_cnt);
	for (unsigned p = 0; p < PATTERN_NUM; p++)
		pick_trace_record(&trace[p], &host, (enum pick_pattern)p,
				  cycles, seed + p);
}

static void measure(unsigned m, unsigned c)
{
	unsigned cycles =
	    members[m] > 256 ? PICK_CYCLES_MAX / 10 : PICK_CYCLES_MAX;
	struct cell *x = &cell[m][c];

	make_traces(members[m], cpus[c], cycles, 20211 + 64 * m + 8 * c);
	for (unsigned r = 0; r < ROUNDS; r++)
		for (unsigned i = 0; i < ALGOS; i++) {
			unsigned k = (r + i) % ALGOS;

			x->warm_ns[k][r] = warm_ns(algo[k]);
			x->cold_ns[k][r] = cold_ns(algo[k]);
		}
	for (unsigned k = 0; k < ALGOS; k++)
		count_hits(algo[k], &x->hits[k]);
}

static void calibrate(void)
{
	static uint64_t cost[1001];
	uint64_t ns = clock_now_ns(), tsc = tsc_begin();

	while (clock_now_ns() - ns < 20 * NSEC_PER_MSEC)
		;
	tsc_per_ns = (double)(tsc_end() - tsc) / (double)(clock_now_ns() - ns);
	for (unsigned i = 0; i < 1001; i++) {
		uint64_t t0 = tsc_begin();

		cost[i] = tsc_end() - t0;
	}
	tsc_cost = median_of(cost, 1001);
}

/* --- the report ---------------------------------------------------------- */

static void show_times(const char *title, bool cold)
{
	printf("\n%s\n%7s %5s", title, "members", "cpus");
	for (unsigned k = 0; k < ALGOS; k++)
		printf("  %-20s", algo[k]->name);
	printf("  homed/array\n");
	for (unsigned m = 0; m < MEMBERS; m++)
		for (unsigned c = 0; c < CPUS; c++) {
			double(*ns)[ROUNDS] =
			    cold ? cell[m][c].cold_ns : cell[m][c].warm_ns;
			struct estimate e =
			    estimate_ratio(ns[HOMED], ns[ARRAY]);

			printf("%7u %5u", members[m], cpus[c]);
			for (unsigned k = 0; k < ALGOS; k++) {
				struct estimate t = estimate(ns[k]);

				printf("  %6.1f %6.1f-%-6.1f", t.median, t.low,
				       t.high);
			}
			printf("  %.2f %.2f-%.2f\n", e.median, e.low, e.high);
		}
}

static double share(uint64_t part, uint64_t all)
{
	return all ? 100.0 * (double)part / (double)all : 0;
}

static void show_hits(void)
{
	printf("\nPicks that found a member at its last home (and one whose "
	       "home is on the same\nlast-level cache), %% of all\n%7s %5s",
	       "members", "cpus");
	for (unsigned k = 0; k < ALGOS; k++)
		printf("  %-13s", algo[k]->name);
	printf("\n");
	for (unsigned m = 0; m < MEMBERS; m++)
		for (unsigned c = 0; c < CPUS; c++) {
			printf("%7u %5u", members[m], cpus[c]);
			for (unsigned k = 0; k < ALGOS; k++) {
				const struct pick_hits *h = &cell[m][c].hits[k];

				printf("  %5.1f (%5.1f)",
				       share(h->home, h->picks),
				       share(h->llc, h->picks));
			}
			printf("\n");
		}
}

/* The worst of many cells, and which one it was. */
struct worst {
	struct estimate e;
	unsigned m, c;
};

static void worst_add(struct worst *w, struct estimate e, unsigned m,
		      unsigned c)
{
	if (e.median > w->e.median)
		*w = (struct worst){ e, m, c };
}

/* worst_vs_array() - With members[@from] or more. */
static struct worst worst_vs_array(bool cold, unsigned from)
{
	struct worst w = { 0 };

	for (unsigned m = from; m < MEMBERS; m++)
		for (unsigned c = 0; c < CPUS; c++) {
			double(*ns)[ROUNDS] =
			    cold ? cell[m][c].cold_ns : cell[m][c].warm_ns;

			worst_add(&w, estimate_ratio(ns[HOMED], ns[ARRAY]), m,
				  c);
		}
	return w;
}

/* worst_growth() - From 16 members to 10,000, on any host. */
static struct worst worst_growth(void)
{
	struct worst w = { 0 };
	unsigned few = 0, many = MEMBERS - 1;

	while (members[few] < 16)
		few++;
	for (unsigned c = 0; c < CPUS; c++)
		worst_add(&w,
			  estimate_ratio(cell[many][c].warm_ns[HOMED],
					 cell[few][c].warm_ns[HOMED]),
			  many, c);
	return w;
}

/* worst_hits() - Ours over the list scan's, where either had any. */
static double worst_hits(void)
{
	double worst = 1e9;

	for (unsigned m = 0; m < MEMBERS; m++)
		for (unsigned c = 0; c < CPUS; c++) {
			const struct pick_hits *h = cell[m][c].hits;
			double ratio;

			if (!h[LIST].home)
				continue;
			ratio = (double)h[HOMED].home / (double)h[LIST].home;
			if (ratio < worst)
				worst = ratio;
		}
	return worst;
}

static void say_worst(const char *what, struct worst w)
{
	printf("%s: worst with %u members on %u cpus, %.2f (%.2f to %.2f)\n",
	       what, members[w.m], cpus[w.c], w.e.median, w.e.low, w.e.high);
}

static void figure(const char *name, struct worst w, double limit)
{
	say_worst(name, w);
	printf("figure %s %.2f x goal <=%.1f %s\n", name, w.e.median, limit,
	       w.e.median <= limit ? "met" : "missed");
}

static void figures(void)
{
	double hits = worst_hits();

	printf("\n");
	for (unsigned m = 1; m < MEMBERS; m++)
		for (unsigned cold = 0; cold < 2; cold++) {
			char what[64];

			snprintf(what, sizeof(what),
				 "homed/array, %s, from %u members",
				 cold ? "cold" : "warm", members[m]);
			say_worst(what, worst_vs_array(cold, m));
		}
	figure("pick-growth", worst_growth(), 1.5);
	figure("pick-vs-array-warm", worst_vs_array(false, 0), 1.0);
	figure("pick-vs-array-cold", worst_vs_array(true, 0), 1.0);
	printf("figure pick-hits-vs-list %.3f x goal >=1.0 %s\n", hits,
	       hits >= 1 ? "met" : "missed");
}

/*
 * once() - Each trace once through one algorithm, untimed, for a program that
 * counts instructions
 * Return: false when there is no such algorithm or cell.
 */
static bool once(const char *name, unsigned member_cnt, unsigned cpu_cnt)
{
	if (!member_cnt || member_cnt > PICK_MEMBERS_MAX || !cpu_cnt ||
	    cpu_cnt > CPU_MAX || (cpu_cnt > 1 && cpu_cnt % 2))
		return false;
	for (unsigned k = 0; k < ALGOS; k++) {
		if (strcmp(algo[k]->name, name) != 0)
			continue;
		make_traces((uint16_t)member_cnt, (uint16_t)cpu_cnt,
			    PICK_CYCLES_MAX, 20211);
		for (unsigned p = 0; p < PATTERN_NUM; p++) {
			algo[k]->start(memory, &host, trace[p].busy_cnt, on);
			algo[k]->run(memory, &trace[p], 0, trace[p].cnt, on);
		}
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	if (argc == 4 &&
	    once(argv[1], (unsigned)atoi(argv[2]), (unsigned)atoi(argv[3])))
		return 0;
	if (argc != 1) {
		fprintf(stderr, "usage: bench_pick [list|array|memo|homed "
				"MEMBERS CPUS]\n");
		return 2;
	}
	calibrate();
	for (unsigned m = 0; m < MEMBERS; m++)
		for (unsigned c = 0; c < CPUS; c++)
			measure(m, c);
	show_times("Warm, ns a cycle: median and 96 % interval", false);
	show_times("Cold, ns a cycle: median and 96 % interval", true);
	show_hits();
	figures();
	return 0;
}
