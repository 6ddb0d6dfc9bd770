/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenario.h - a host, its VMs and their loads, from a small text file
 *
 *	about = one line
 *	seconds = 4		simulated, after
 *	warmup = 500ms
 *	[host]
 *	cpus = 16		the command line may say another number
 *	smt = 2			cpus of a core: 1 or 2
 *	llc = 8			cpus that share a last-level cache
 *	node = 64		cpus on a NUMA node
 *	floor = 1		the lowest so many cpus are the floor
 *	riders = beside		or behind: what a rider is to the cpu's owner
 *	bandwidth = 3000	MB/s a node can bear, a cpu it has; 0: no limit
 *	[costs]			any field of struct sim_costs without its unit
 *	wake = 5us
 *	[vm web]		VMs of one kind
 *	count = 1 per 8 cpus	or a number
 *	class = latency		or best-effort
 *	vcpus = 4		never more than cpus
 *	min = 1			cpus guaranteed, and
 *	max = 4			owned at most
 *	weight = 100
 *	agent = no		yes; liar: an agent that always wants more
 *	port = yes
 *	slo = p99 500us		p50 p90 p95 p99 p999
 *	signal = response	or delay: what hostd is told the SLO is about
 *	service = exp 100us	const 100us | lognormal 100us 1.5 (mean, sigma)
 *				| bimodal 20us 1ms 1% (most; the rarer share)
 *	load = poisson 40%	of what its vcpus can do | bursts 90% 2ms 8ms
 *				(on and off for so long on average) | spin 4
 *				(threads that never rest) | none
 *	memory = 2000		MB/s a vcpu moves while it runs
 *	collect = 4ms 200ms	so much work for each vcpu at once, so often:
 *				a parallel garbage collection
 *	queue = 1024		requests that may wait
 *	[phase]			from then on, for VMs of one kind
 *	vm = web
 *	at = 1s			from the start, warm-up included
 *	every = 2s		and again and again
 *	spread = 300ms		the last VM of the kind so much later
 *	load = poisson 90%	or memory = ...
 *
 * Times take ns, us, ms, s. Everything has a default. An unknown key, a value
 * out of range or a line that is none is refused with file and line.
 */
#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "sim.h"

#define SCENARIO_KINDS	 16
#define SCENARIO_PHASES	 32
#define SCENARIO_VCPUS	 64		  /* of one VM */
#define SCENARIO_SPAN_NS 1000000000000ull /* longest time there is: 1000 s */

enum load_kind {
	LOAD_NONE,
	LOAD_POISSON,
	LOAD_BURSTS,
	LOAD_SPIN,
};

struct sim_load {
	enum load_kind kind;
	uint32_t permille; /* of what the VM's vcpus can do */
	uint64_t on_ns, off_ns;
	uint16_t threads;
};

enum service_kind {
	SERVICE_CONST,
	SERVICE_EXP,
	SERVICE_LOGNORMAL,
	SERVICE_BIMODAL,
};

struct sim_service {
	enum service_kind kind;
	uint64_t mean_ns; /* bimodal: of the common ones */
	uint64_t rare_ns;
	double rare_share, sigma;
};

enum agent_kind {
	AGENT_NO,
	AGENT_YES,
	AGENT_LIAR,
};

struct sim_kind {
	char name[SIM_NAME_MAX];
	unsigned count;
	uint32_t per_cpus; /* 0: count as it is; else count per so many */
	uint8_t class;
	uint8_t agent; /* enum agent_kind */
	bool port;
	uint16_t vcpus, min, max, weight;
	uint64_t slo_ns;
	uint16_t slo_permyriad;
	uint8_t slo_signal;
	struct sim_service service;
	struct sim_load load;
	uint32_t memory_mb_s;
	uint64_t collect_ns, collect_every_ns;
	uint32_t queue;
};

struct sim_phase {
	uint16_t kind;
	uint64_t at_ns, every_ns, spread_ns;
	bool has_load, has_memory;
	struct sim_load load;
	uint32_t memory_mb_s;
};

struct sim_scenario {
	char name[SIM_NAME_MAX];
	char about[160];
	uint64_t run_ns, warmup_ns;
	unsigned cpus, smt, llc, node, floor;
	bool riders_behind;
	uint32_t bandwidth_mb_s;
	struct sim_costs costs;
	unsigned kind_cnt, phase_cnt;
	struct sim_kind kind[SCENARIO_KINDS];
	struct sim_phase phase[SCENARIO_PHASES];
};

/*
 * scenario_load() - Read a scenario
 * @cpus: the host's size; 0: what the file says
 * @out: filled; costs the file does not name are sim_costs_default
 * Return: 0, or -errno with file:line and the reason on @err.
 */
int scenario_load(struct sim_scenario *out, const char *path, unsigned cpus,
		  FILE *err);

/* scenario_parse() - The same from memory; @name stands for the file. */
int scenario_parse(struct sim_scenario *out, const char *name, const char *text,
		   size_t len, unsigned cpus, FILE *err);

/* service_mean_ns() - The mean of @s. */
double service_mean_ns(const struct sim_service *s);

#endif
