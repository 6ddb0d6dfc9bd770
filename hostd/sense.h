/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sense.h - ports and vcpu states become one snapshot
 */
#ifndef HOSTD_SENSE_H
#define HOSTD_SENSE_H

#include <stdint.h>

#include "agent_board.h"
#include "policy/policy.h"
#include "vhost/switch.h"

struct sense_bpf;

/* The poll thread's list of ports in the switch. */
struct port_list {
	unsigned count;
	struct port *port[PORT_MAX];
};

/*
 * sense_snapshot() - Refresh what changes by itself
 * @s: configured fields (class, limits, slots, owners) are left as they are;
 *     delay, held, ready wait, run states, hints and now_ns are written
 * @bpf: NULL where there is no sensor: run states stay UNKNOWN
 *
 * @board: what agents say; NULL: there are none
 *
 * Poll thread. No system call; cost: one cache line a vcpu and one a port.
 * Delays of taken frames go into the VM's current window in stat_hostd, run
 * time on owned cpus into its share.
 */
void sense_snapshot(struct snapshot *s, struct sw *sw,
		    const struct port_list *ports, const struct sense_bpf *bpf,
		    const struct agent_board *board, uint64_t now_ns);

/*
 * sense_patience_ns() - How long the loop may sleep and miss nothing
 *
 * Short while a frame waits or a vcpu is ready in a latency-critical VM that
 * could get another cpu; long when no decision could change anything.
 */
uint64_t sense_patience_ns(const struct snapshot *s);

#endif
