/* SPDX-License-Identifier: Apache-2.0 */
/*
 * costs.h - the fields of struct sim_costs by name
 */
#ifndef TESTS_SIM_COSTS_H
#define TESTS_SIM_COSTS_H

#include "sim.h"

/*
 * costs_set() - Set the field called @key from text
 * Return: 0; -ENOENT: no such field; -EINVAL: not such a value.
 */
int costs_set(struct sim_costs *c, const char *key, const char *value);

/* costs_print() - As a file that sim_costs_load() reads. */
void costs_print(const struct sim_costs *c, FILE *to);

#endif
