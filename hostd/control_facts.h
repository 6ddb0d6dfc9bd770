/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_facts.h - facts of stat_hostd as fields of an answer
 *
 * Between control.c and control_facts.c. @d is a dictionary under construction;
 * telemetry threads.
 */
#ifndef HOSTD_CONTROL_FACTS_H
#define HOSTD_CONTROL_FACTS_H

#include <stdint.h>

#include "stat.h"

#define CONTROL_STRING_MAX 128 /* DPDK's strings, NUL included */

struct rte_tel_data;

/* add_num(), add_text() - One field; control.c. */
void add_num(struct rte_tel_data *d, const char *key, uint64_t v);
void add_text(struct rte_tel_data *d, const char *key, const char *text);

/* add_loop() - The poll thread's counters. */
void add_loop(struct rte_tel_data *d);

/* add_nodes() - Traffic of the nodes that are metered, in bytes a second. */
void add_nodes(struct rte_tel_data *d);

/* add_memory() - Where a VM's memory is, how much it moves, and which cpus it
 * is barred from. */
void add_memory(struct rte_tel_data *d, const struct stat_vm *v);

/* add_agent() - What is known of a VM's agent. */
void add_agent(struct rte_tel_data *d, const struct stat_agent *a);

/* add_riders() - Vcpus that may use @cpu besides its owner, by why they may. */
void add_riders(struct rte_tel_data *d, unsigned cpu, uint16_t owner_vm);

#endif
