// SPDX-License-Identifier: Apache-2.0
/*
 * judge.c - who is better in one scenario
 */
#include <math.h>

#include "judge.h"

const char judge_rule[] =
    "tail: over all latency-critical VMs with an SLO, the worst response at\n"
    "the SLO's percentile, as a multiple of the SLO. cpu-s: of cpus such VMs\n"
    "own, or use where none are owned, or use beyond those they own. Best of\n"
    "the others: the lowest tail; of those within 1/32 of it (a histogram's\n"
    "bucket) the fewest cpu-s. Won: no worse a tail (1/32) with at most 0.8 "
    "of\n"
    "its cpu-s, or at most half its tail with no more cpu-s.\n";

/* tail_of() - A request that was refused was never answered. */
static double tail_of(const struct sim_vm_result *v)
{
	uint64_t all = v->done + v->lost;

	if (v->lost * 10000 > all * (10000 - v->slo_permyriad))
		return INFINITY;
	return (double)v->slo_at_ns / (double)v->slo_ns;
}

struct score judge_score(const struct sim_result *r)
{
	struct score s = { .there = true, .cpu_s = r->lc_cpu_s };

	for (unsigned i = 0; i < r->vm_cnt; i++) {
		const struct sim_vm_result *v = &r->vm[i];

		if (v->class != VM_CLASS_LATENCY_CRITICAL || !v->slo_ns)
			continue;
		s.slos++;
		s.met += v->met;
		s.tail = fmax(s.tail, tail_of(v));
	}
	return s;
}

int judge_best(const struct score *other, unsigned cnt)
{
	double lowest = INFINITY;
	int best = -1;

	for (unsigned i = 0; i < cnt; i++)
		if (other[i].there)
			lowest = fmin(lowest, other[i].tail);
	for (unsigned i = 0; i < cnt; i++) {
		if (!other[i].there || other[i].tail > lowest * JUDGE_SAME)
			continue;
		if (best < 0 || other[i].cpu_s < other[best].cpu_s)
			best = (int)i;
	}
	return best;
}

enum verdict judge(const struct score *ours, const struct score *best)
{
	if (!isfinite(ours->tail))
		return VERDICT_LOST;
	if (ours->tail <= best->tail * JUDGE_SAME &&
	    ours->cpu_s <= best->cpu_s * JUDGE_FRUGAL)
		return VERDICT_FRUGAL;
	if (ours->tail <= best->tail * JUDGE_SHORT &&
	    ours->cpu_s <= best->cpu_s)
		return VERDICT_SHORT;
	return VERDICT_LOST;
}
