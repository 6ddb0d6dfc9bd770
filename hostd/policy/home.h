/* SPDX-License-Identifier: Apache-2.0 */
/*
 * home.h - a stage of policies: VMs go back to the node their memory is on
 *
 * A VM that needs one cpu more than its node has free gets one on the next node
 * by distance (pick.by_node). Once a nearer one is free, it moves: a cpu away
 * from its memory serves every request slower, for as long as it is owned.
 *
 * Pure; poll thread.
 */
#ifndef HOSTD_POLICY_HOME_H
#define HOSTD_POLICY_HOME_H

#include "pick.h"

#define HOME_LOOK_NS 1000000ull /* between two looks for nearer cpus */
#define HOME_STAY_NS                                                           \
	10000000ull  /* nothing moves that moved just now: as long             \
		      * as slo holds a grant at least */
#define HOME_TRIES 4 /* VMs looked at each time */

struct home_state {
	uint64_t look_ns;
	uint16_t away_cnt, turn;
	uint16_t away[VM_MAX]; /* VMs that may own cpus off their node */
	bool listed[VM_MAX];
};

/*
 * home_pass() - One cpu at most of each VM looked at changes for a nearer one
 *
 * After the policy it is a stage of, with pick.by_node set. O(VMs that changed)
 * in general; every HOME_LOOK_NS one pick_cpu() for each of HOME_TRIES VMs.
 */
void home_pass(struct home_state *st, struct pick *k);

#endif
