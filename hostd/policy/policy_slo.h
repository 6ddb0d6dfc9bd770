/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_slo.h - the slo policy as a stage of others
 *
 * ias and numa are slo with a stage more before or behind it. They keep its
 * state inside their own.
 */
#ifndef HOSTD_POLICY_SLO_H
#define HOSTD_POLICY_SLO_H

#include "budget.h"
#include "cores.h"
#include "hint.h"
#include "pick.h"
#include "wheel.h"

struct slo_vm {
	bool live;	     /* the slot is in use */
	bool judged;	     /* a window is open */
	bool sensed;	     /* vcpu states are known */
	bool loud;	     /* a wait came near the threshold in this window */
	uint8_t calm;	     /* windows in a row without one; when not sensed */
	uint16_t spare;	     /* cpus the last window says it could lose */
	uint64_t window_ns;  /* when this window began */
	uint64_t ran_ns;     /* its vcpus' cpu time then */
	uint64_t hold_ns;    /* how long the next grant is kept */
	uint64_t granted_ns; /* last grant, settled and held from then on */
	uint64_t gave_ns;    /* last give-back; 0: none */
	uint64_t halted_ns;  /* when the next halted owner loses its cpu */
	uint64_t grace_ns;   /* with an agent: waits mean nothing until then */
	struct hint_trust trust;
	struct budget budget;
};

struct slo_ask {
	uint16_t vm;
	uint16_t why; /* enum reason */
	bool poor;    /* owned nothing when it asked */
};

struct slo_state {
	uint16_t turn; /* where the next round of asking starts */
	uint16_t ask_cnt;
	uint16_t takes;	  /* searches for somebody's cpu in this decision */
	uint16_t vain;	  /* of them, such as found no victim */
	uint16_t changes; /* late VMs that looked for a better cpu */
	struct slo_ask ask[VM_MAX];
	uint64_t short_ns; /* when a VM last asked and no cpu was free */
	struct cores_state cores;
	struct wheel wheel; /* when to look at a VM though nothing changes */
	struct slo_vm vm[VM_MAX];
};

/* slo_pass() - All of slo's decision between pick_begin() and pick_end(). */
void slo_pass(struct slo_state *st, struct pick *k);

#endif
