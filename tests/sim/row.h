/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row.h - one run of the matrix, and where it stands in it
 */
#ifndef TESTS_SIM_ROW_H
#define TESTS_SIM_ROW_H

#include "sim.h"

struct sim_row {
	char scenario[SIM_NAME_MAX];
	unsigned cpus;
	const struct sim_policy *policy;
	uint64_t seed;
	struct sim_result result;
};

#endif
