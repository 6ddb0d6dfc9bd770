/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matrix.h - many runs at once
 */
#ifndef TESTS_SIM_MATRIX_H
#define TESTS_SIM_MATRIX_H

#include "row.h"

struct matrix_job {
	const struct sim_scenario *scenario;
	const struct sim_policy *policy;
	uint64_t seed;
};

/*
 * matrix_run() - Run all jobs, in @workers processes
 * @rows: out: one a job, in their order; memory shared with children, see
 *	  matrix_rows()
 * @say: progress
 *
 * Results do not depend on how many processes there are.
 * Return: 0, or -errno when a run failed or a process could not be had.
 */
int matrix_run(const struct matrix_job *job, unsigned cnt, unsigned workers,
	       struct sim_row *rows, FILE *say);

/* matrix_rows() - Room for @cnt rows, shared. Return: NULL: no memory. */
struct sim_row *matrix_rows(unsigned cnt);

#endif
