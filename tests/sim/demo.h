/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo.h - what the simulator says of the demo, beside what the demo measured
 */
#ifndef TESTS_SIM_DEMO_H
#define TESTS_SIM_DEMO_H

#include <stdio.h>

#include "sim.h"

/*
 * demo_compare() - Simulate the demo's four phases
 * @path: result.json, as scripts/demo writes it
 * @costs: of the machine it ran on
 * @to: a table of measured and predicted figures, and the errors
 * Return: 0, or -errno with the reason on @err.
 */
int demo_compare(const char *path, const struct sim_costs *costs, FILE *to,
		 FILE *err);

#endif
