/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sibling.h - a stage of policies: harvesters leave the SMT sibling of a cpu
 * whose owner is in trouble
 *
 * Two threads of one core share its units and caches; what a harvester does on
 * one may make a request on the other take twice its time. Giving the VM more
 * cpus does not make that request faster. So, when a VM waits for half of what
 * its SLO allows, and a vcpu of it has been running for a while on a cpu it
 * owns, all best-effort VMs are barred from that cpu's siblings.
 *
 * After Caladan's hyperthread controller (iokernel/ias_ht.c): it idles the
 * sibling of a core whose request has been running for longer than a budget
 * that the task's owner configures (25 us for Silo, 40 us for storage; off by
 * default), and looks every 10 us. A request inside a guest is not seen from
 * outside; what is seen is a vcpu that does not pause, and that its VM is late.
 * Both must hold here, and the budget is everybody's. Moving the harvesters of
 * a whole host costs far more than Caladan's one signal: so a bar stands for
 * a while, longer each time it was lifted too early.
 *
 * Pure; poll thread.
 */
#ifndef HOSTD_POLICY_SIBLING_H
#define HOSTD_POLICY_SIBLING_H

#include "policy.h"

#define SIBLING_RUN_NS	  25000ull	/* Caladan's smallest budget in use */
#define SIBLING_LOOK_NS	  1000000ull	/* between two bars */
#define SIBLING_HOLD_NS	  10000000ull	/* a bar stands so long at least */
#define SIBLING_HOLD_MAX  1000000000ull /* and so long at most, untroubled */
#define SIBLING_WINDOW_NS 100000000ull	/* in which lateness is counted */
#define SIBLING_BARS_MAX  128		/* siblings at rest at a time */

struct sibling_vm {
	uint64_t done, late; /* when the window began */
	uint64_t window_ns;
	uint64_t trouble_ns; /* last seen in trouble; 0: never */
	uint64_t hold_ns;    /* how long its next bar stands */
	uint64_t lifted_ns;  /* its last bar, on trial since; 0: not */
};

struct sibling_bar {
	uint16_t cpu;	   /* harvesters keep off this one, */
	uint16_t owned;	   /* for it is the sibling of this one, */
	uint16_t vm;	   /* which this VM owns */
	uint64_t until_ns; /* or longer, while there is trouble */
};

struct sibling_state {
	uint64_t look_ns;   /* no new bar before */
	uint64_t due_ns;    /* no bar ends before */
	struct cpumask off; /* cpus of all bars */
	uint16_t cnt;
	struct sibling_bar bar[SIBLING_BARS_MAX];
	struct sibling_vm vm[VM_MAX];
};

/*
 * sibling_pass() - Which cpus are all best-effort VMs barred from?
 *
 * Looks at the VMs that changed; O(VMs + vcpus + cpus) when one is in trouble,
 * once in SIBLING_LOOK_NS at most. Never more than half of the managed cpus.
 * Return: why st->off is another one than before, or REASON_NONE: it is not.
 */
enum reason sibling_pass(struct sibling_state *st, const struct snapshot *s);

#endif
