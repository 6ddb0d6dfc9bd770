/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - the matrix of runs, as tables, CSV and figures
 *
 * Rows come in any order; runs of one scenario, size and policy that differ
 * in their seed only are one line of a table, of medians.
 */
#ifndef TESTS_SIM_REPORT_H
#define TESTS_SIM_REPORT_H

#include <stdio.h>

#include "row.h"

/* report_print() - Tables, the rule, who won, and the lines `figure ...`. */
void report_print(FILE *to, const struct sim_row *rows, unsigned cnt);

/* report_csv() - A line for each class of each run. Return: 0 or -errno. */
int report_csv(FILE *to, const struct sim_row *rows, unsigned cnt);

/*
 * report_svg() - For each scenario and size one field: cpu-seconds to the
 * right, worst tail upwards, a mark for each policy. Left and low is good.
 * Return: 0 or -errno.
 */
int report_svg(FILE *to, const struct sim_row *rows, unsigned cnt);

#endif
