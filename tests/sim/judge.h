/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.h - who is better in one scenario
 *
 * The rule, the same words the report prints (judge_rule): what counts is the
 * worst tail, over all latency-critical VMs with an SLO, of the response at
 * the SLO's percentile divided by the SLO; and the cpu-seconds those VMs cost
 * everybody else. The best of the others is the one with the lowest worst
 * tail; of those that cannot be told apart, the one with the fewest
 * cpu-seconds. We win with no worse a tail at 0.8 of its cpu-seconds or less,
 * or with half its tail or less at no more cpu-seconds.
 *
 * Tails come from histograms with 32 buckets an octave: two that differ by
 * 1/32 or less cannot be told apart. Pure.
 */
#ifndef TESTS_SIM_JUDGE_H
#define TESTS_SIM_JUDGE_H

#include <stdbool.h>

#include "sim.h"

#define JUDGE_SAME   (1 + 1.0 / HIST_SUB) /* tails not told apart */
#define JUDGE_FRUGAL 0.8		  /* cpu-seconds, at the same tail */
#define JUDGE_SHORT  0.5		  /* tail, at the same cpu-seconds */

extern const char judge_rule[];

/* What of a run counts. */
struct score {
	bool there;   /* such a run there was */
	double tail;  /* 1: at the SLO; infinite: too many were lost */
	double cpu_s; /* of latency-critical VMs */
	unsigned slos, met;
};

struct score judge_score(const struct sim_result *r);

enum verdict {
	VERDICT_LOST,
	VERDICT_FRUGAL, /* won: no worse a tail, fewer cpu-seconds */
	VERDICT_SHORT,	/* won: half the tail, no more cpu-seconds */
};

/* judge_best() - Return: index of the best of @cnt others, or -1. */
int judge_best(const struct score *other, unsigned cnt);

enum verdict judge(const struct score *ours, const struct score *best);

#endif
