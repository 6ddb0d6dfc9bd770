/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cores.h - a stage of policies: whole cores for latency-critical VMs
 *
 * Two threads of a core share its units: each is slowed down to some 60 % while
 * the other is busy. A harvester is always busy. So on a core of which a
 * latency-critical VM owned a thread lately, harvesters ride on one thread
 * only, and cpus are given core by core. A bar changes where every best-effort
 * vcpu may run: therefore bars change every CORES_TURN_NS at most, and stand
 * for CORES_HOLD_NS after the last owner left.
 *
 * Pure; poll thread.
 */
#ifndef HOSTD_POLICY_CORES_H
#define HOSTD_POLICY_CORES_H

#include "policy.h"

#define CORES_TURN_NS	 10000000ull
#define CORES_TURN_MOVES 100 /* nor sooner than so many moves take */
#define CORES_HOLD_NS	 20000000ull

struct cores_state {
	uint64_t turned_ns;
	struct cpumask off;   /* barred */
	struct cpumask quiet; /* what shares a core with one of these */
};

/* cores_pass() - Plan what is barred from now on, if that is something else.
 * O(cpus) every CORES_TURN_NS, else nothing. */
void cores_pass(struct cores_state *st, const struct snapshot *s,
		struct plan *p);

#endif
