/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_group.h - rows of a matrix, by scenario and size, and by policy
 */
#ifndef TESTS_SIM_REPORT_GROUP_H
#define TESTS_SIM_REPORT_GROUP_H

#include "judge.h"
#include "row.h"

#define SEEDS_MAX    16 /* more of one line are let go */
#define CASES_MAX    256
#define POLICIES_MAX 16

/* Runs that differ in their seed only. */
struct group {
	const struct sim_policy *policy;
	const struct sim_row *row[SEEDS_MAX];
	unsigned cnt; /* 0: there was none */
	struct score score;
};

/* One scenario on a host of one size. */
struct kase {
	const char *scenario;
	unsigned cpus;
	struct group group[POLICIES_MAX]; /* in the order of sim_policies[] */
	unsigned policies;
	int ours, oracle; /* indices in group[], or -1 */
	int best;	  /* of the others, or -1 */
};

struct cases {
	unsigned cnt;
	struct kase kase[CASES_MAX];
};

/* cases_of() - Scenarios by name, small hosts first; free() it.
 * Return: NULL when there is no memory. */
struct cases *cases_of(const struct sim_row *rows, unsigned cnt);

/* group_median() - Of what @get says of each run; the upper of the middle. */
double group_median(const struct group *g,
		    double (*get)(const struct sim_result *r));

#endif
