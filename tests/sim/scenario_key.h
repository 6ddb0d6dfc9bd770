/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenario_key.h - between the two halves of the scenario parser
 */
#ifndef TESTS_SIM_SCENARIO_KEY_H
#define TESTS_SIM_SCENARIO_KEY_H

#include "scenario.h"

enum section {
	SECTION_TOP,
	SECTION_HOST,
	SECTION_COSTS,
	SECTION_VM,    /* the last of out->kind[] */
	SECTION_PHASE, /* the last of out->phase[] */
};

struct parse {
	struct sim_scenario *out;
	const char *name;
	unsigned line;
	enum section section;
	FILE *err; /* NULL: say nothing */
};

/* scenario_fail() - Say where and why. Return: -EINVAL. */
int scenario_fail(struct parse *p, const char *why);

/* scenario_key() - One key of the section that is open. */
int scenario_key(struct parse *p, const char *key, const char *value);

#endif
