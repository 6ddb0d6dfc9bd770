/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.h - one run of the simulated host: what goes in, what comes out
 *
 * A run is a scenario (scenario.h: a host, VMs, loads, for so long), a policy
 * and a seed. The same three give the same result to the last bit, on any
 * machine. Nothing is shared between runs: several processes may run at once;
 * within a process one after the other.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hl/hist.h"
#include "policy/policy.h"

#define SIM_VM_MAX   512
#define SIM_CPU_MAX  256
#define SIM_VCPU_MAX 2048
#define SIM_NAME_MAX 24
#define SIM_CLASSES  2 /* indices: enum vm_class */

struct sim_scenario; /* scenario.h */

/* What things cost on the host. Times in ns of virtual time; a speed is in
 * permille of a cpu that runs alone, warm and near its memory. */
struct sim_costs {
	uint64_t wake_ns;    /* a resting cpu: from the wake-up until it runs */
	uint64_t switch_ns;  /* from one vcpu to another on one cpu */
	uint64_t preempt_ns; /* on top, where the former one wanted to go on */
	uint64_t move_ns;    /* from a decision until the kernel knows it: the
				first move of a plan */
	uint64_t move_next_ns;	/* each further move of the same plan */
	uint64_t refill_ns;	/* work a vcpu repeats with cold caches */
	uint64_t refill_far_ns; /* and when even its last-level cache is cold */
	uint64_t cold_ns;	/* others ran there for so long: all is cold */
	uint64_t agent_ns;   /* until an agent has heard of a grant and acted */
	uint64_t slice_ns;   /* fair scheduler: a turn, while others wait */
	uint64_t wakeup_ns;  /* and how far behind lets a woken one preempt */
	uint64_t balance_ns; /* how often cpus look for work elsewhere */
	uint32_t smt_speed;  /* permille, while the SMT sibling is busy */
	uint32_t remote_speed; /* permille, memory on the next node */
};

/* sim_costs_default - What was measured, and where; see costs.c. */
extern const struct sim_costs sim_costs_default;

/*
 * sim_costs_load() - Read a costs file: one `name value` a line, # comments
 * @c: out; fields the file does not name keep what they have
 * Return: 0, or -errno with file:line and the reason on @err.
 */
int sim_costs_load(struct sim_costs *c, const char *path, FILE *err);

enum sim_mode {
	SIM_OWN,    /* cpus are owned, as hostd's table says */
	SIM_SHARES, /* nobody owns: a fair scheduler over all cpus */
	SIM_ORACLE, /* clairvoyant: earliest deadline first, free of cost */
};

/* One line of what is compared. */
struct sim_policy {
	const char *name;  /* a word */
	const char *about; /* a line */
	enum sim_mode mode;
	const struct policy_ops *ops; /* SIM_OWN only */
	/* SIM_OWN: a decision every so often. One that finds nothing changed
	 * and nobody waiting is put off, by at most SIM_CALM_NS. */
	uint64_t interval_ns;
	/* Needs so long to learn; 0: the scenario's warm-up will do. */
	uint64_t warmup_ns;
	/* SIM_SHARES: what a latency-critical VM weighs beside a best-effort
	 * one of the same weight; 0 means 1. */
	uint32_t lc_weight;
	bool be_idle; /* SIM_SHARES: best-effort only when nobody else wants */
	bool strict;  /* held to the invariants although hostd has no such */
	/* How often its meters of memory traffic are read; 0: every 2 ms */
	uint64_t meter_ns;
	/* Tells the policy of each answer of a latency-critical VM, or NULL.
	 * @state: what decide() gets */
	void (*answered)(void *state, uint16_t vm, uint64_t response_ns);
};

#define SIM_CALM_NS 1000000ull

/* Of one VM, or all of one class. Responses are from a request's arrival at
 * the switch until its answer; those that arrive after warm-up. */
struct sim_vm_result {
	char name[SIM_NAME_MAX];
	uint8_t class;
	uint16_t vcpus;
	uint64_t slo_ns;	/* 0: none */
	uint16_t slo_permyriad; /* of 10,000 so many must meet it */
	uint64_t done, lost;	/* answered; refused for a full queue */
	uint64_t late;		/* answered after slo_ns; lost ones count */
	uint64_t p50_ns, p99_ns, p999_ns, max_ns;
	uint64_t slo_at_ns; /* the response at slo_permyriad */
	bool met;	    /* not more late than the SLO allows */
	double owned_s;	    /* integral of cpus its vcpus owned */
	double run_s;	    /* cpu time of its vcpus */
	double work_s;	    /* of that, what counts: costs and slowness off */
	uint64_t moves;	    /* cpus gained and lost */
};

struct sim_class_result {
	struct hist response;
	unsigned vms, slos, met; /* VMs; those with an SLO; of these met */
	uint64_t done, lost;
	uint64_t p50_ns, p99_ns, p999_ns;
	double owned_s, run_s, work_s;
};

struct sim_result {
	double seconds; /* of virtual time, warm-up left out */
	unsigned cpus;	/* managed */
	unsigned vm_cnt;
	struct sim_class_result class[SIM_CLASSES];
	struct sim_vm_result vm[SIM_VM_MAX];
	/* cpu-seconds latency-critical VMs cost everybody else: cpus they own,
	 * and what they use of others */
	double lc_cpu_s;
	uint64_t moves;		/* cpus that changed owner */
	uint64_t decisions;	/* calls of decide() */
	uint64_t events;	/* of the engine, warm-up included */
	double wall_s, cpu_s;	/* what the run took; not deterministic */
	uint64_t decide_ns;	/* wall time in decide(); not deterministic */
	unsigned broken;	/* invariants that did not hold, in all */
	char first_broken[160]; /* the first: when, who, which */
};

/*
 * sim_run() - Simulate
 * @p: its ops start from zeroed state
 * Return: 0, or -ENOMEM, or -EINVAL for a scenario that does not fit @p.
 */
int sim_run(const struct sim_scenario *s, const struct sim_policy *p,
	    uint64_t seed, struct sim_result *out);

/* sim_policies - What can be compared; models.c. `name` NULL ends it. */
extern const struct sim_policy sim_policies[];

/* sim_policy_find() - Return: the line called @name, or NULL. models.c. */
const struct sim_policy *sim_policy_find(const char *name);

#endif
