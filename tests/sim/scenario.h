/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenario.h - a host, its VMs and their loads, from a small text file
 *
 *	[scenario]			about the whole
 *	about = one line
 *	seconds = 4			simulated, after warm-up
 *	warmup = 0.5
 *	[host]
 *	cpus = 16			the command line may say another number
 *	smt = 2				cpus of one core: 1 or 2
 *	llc = 8				cpus that share a last-level cache
 *	node = 64			cpus on a NUMA node
 *	bandwidth = 80			GB/s a node can bear; 0: no limit
 *	[costs]				any field of struct sim_costs
 *	wake = 5us
 *	[vm web]			one or several VMs of one kind
 *	count = 4 | 1 per 8 cpus
 *	class = latency | best-effort
 *	vcpus = 4
 *	min = 1				cpus guaranteed, and at most
 *	max = 4
 *	weight = 100
 *	agent = yes | no
 *	slo = p99 500us
 *	service = exp 100us | const 100us | lognormal 100us 2.0 |
 *		  bimodal 20us 1ms 1%	(mean; sigma; the rarer one's share)
 *	load = poisson 150%		offered work, of one cpu
 *	       | bursts 400% 2ms 8ms	on and off, for so long on average
 *	       | spin 4			so many threads that never rest
 *	memory = 2			GB/s a vcpu moves while it runs
 *	pause = 4ms every 200ms		all vcpus at once collect garbage
 *	queue = 1024			requests that may wait
 *	port = yes | no
 *	[phase]				from then on, for VMs of that name
 *	at = 1s
 *	vm = web
 *	load = poisson 300%
 *	every = 2s			again and again
 *
 * Times take ns, us, ms, s. Everything has a default; an unknown key, a value
 * out of range and a line that is none are errors with file and line.
 */
#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "sim.h"

/*
 * scenario_load() - Read a scenario
 * @cpus: the host's size; 0: what the file says
 * @out: allocated; scenario_free() it
 * Return: 0, or -errno with file:line and the reason on @err.
 */
int scenario_load(struct sim_scenario **out, const char *path, unsigned cpus,
		  FILE *err);

/* scenario_parse() - The same from memory; @name stands for the file. */
int scenario_parse(struct sim_scenario **out, const char *name,
		   const char *text, size_t len, unsigned cpus, FILE *err);

void scenario_free(struct sim_scenario *s);

/* scenario_costs() - To be changed between loading and running. */
struct sim_costs *scenario_costs(struct sim_scenario *s);

/* scenario_name() - The file's name, without path and ending. */
const char *scenario_name(const struct sim_scenario *s);

#endif
