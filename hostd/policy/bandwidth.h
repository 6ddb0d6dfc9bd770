/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bandwidth.h - a stage of policies: memory bandwidth is kept below its limit
 *
 * When a node's memory bears more traffic than it can, every VM on it slows
 * down, and no cpu given to any of them cures that. So the best-effort VM that
 * causes most of it rides on fewer cpus until there is room again.
 *
 * After Caladan's memory bandwidth controller (iokernel/ias_bw.c): every 10 us
 * it compares the traffic with a limit (25 GB/s unless told otherwise), and
 * takes one core from the best-effort task with most cache misses, or gives one
 * back. Here traffic comes from meters that are read every few milliseconds,
 * not from counters a spinning core reads; so a step is as large as the excess
 * asks for, and one step's effect is seen before the next. Where Caladan's two
 * rules meet at the limit, and swing around it, a cpu is given back here only
 * when the traffic it brings would leave a tenth of the limit free.
 *
 * Pure; poll thread.
 */
#ifndef HOSTD_POLICY_BANDWIDTH_H
#define HOSTD_POLICY_BANDWIDTH_H

#include "policy.h"

/* So long after a step the moves it asked for are made. Only traffic of later
 * times shows what it did. */
#define BANDWIDTH_SETTLE_NS 1000000ull

/* How often limited VMs are looked at again: cpus they keep may have got
 * owners, or there may be room. */
#define BANDWIDTH_CARE_NS 10000000ull

struct bandwidth_vm {
	uint16_t cpus;	    /* it may ride on so many; 0: on all */
	struct cpumask off; /* it is barred from these */
};

struct bandwidth_state {
	uint16_t limited_cnt;	     /* VMs whose .cpus is not 0 */
	uint64_t care_ns;	     /* next look at them */
	uint64_t acted_ns[NODE_MAX]; /* last step because of this node */
	struct bandwidth_vm vm[VM_MAX];
};

/*
 * bandwidth_pass() - Bar best-effort VMs from cpus, or lift that
 * @off: cpus all best-effort VMs are barred from anyway
 *
 * The bars are per VM; no VM is left without a managed cpu. O(nodes), and
 * O(VMs + cpus) for each step and every BANDWIDTH_CARE_NS while a VM is
 * limited.
 */
void bandwidth_pass(struct bandwidth_state *st, const struct snapshot *s,
		    const struct cpumask *off, struct plan *p);

#endif
