/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sense.h - ports and vcpu states become one snapshot
 *
 * Poll thread. No system call, no allocation.
 */
#ifndef HOSTD_SENSE_H
#define HOSTD_SENSE_H

#include <stdint.h>

#include "agent_board.h"
#include "policy/policy.h"
#include "sensor_page.h"
#include "vhost/switch.h"

/* The poll thread's list of ports in the switch. */
struct port_list {
	unsigned count;
	struct port *port[PORT_MAX];
};

/* The vcpus of a VM that are ready. */
struct sense_ready {
	bool stale;	   /* some vcpu became ready, or ceased to be */
	uint64_t since_ns; /* the one that waits longest */
	uint16_t cnt;
};

struct sense {
	struct sw *sw;
	const struct sensor_page *page; /* NULL: run states stay UNKNOWN */
	struct agent_board *board;	/* NULL: no hints */
	/* vcpus to look at, beside those the sensor marks: as in hl/dirty.h */
	uint64_t pending_top[DIRTY_TOPS(VCPU_MAX)];
	uint64_t pending[DIRTY_WORDS(VCPU_MAX)];
	bool any_pending;
	unsigned word;	      /* where the next look at the sensor begins */
	struct vmset waiting; /* a frame untaken or a vcpu ready */
	uint16_t wait_at;     /* where the next turn through them begins */
	struct sense_ready ready[VM_MAX];
	struct port *first_port[VM_MAX], *next_port[PORT_MAX]; /* of a VM */
	uint64_t counted_ns[VCPU_MAX]; /* run time that is in stat's share */
};

/* sense_init() - @z is all zeroes. */
void sense_init(struct sense *z, struct sw *sw, const struct sensor_page *page,
		struct agent_board *board);

/*
 * sense_snapshot() - Refresh what changes by itself, and list what changed
 * @s: configured and derived fields are left as they are; delay, held, ready
 *     wait, run states, hints, changed[] and now_ns are written
 *
 * Looks at vcpus the sensor marked, ports the switch names, hints that are new,
 * and VMs that waited already; of each only so many in one call, and at the
 * others in the next. Delays of taken frames go into the VM's score.
 */
void sense_snapshot(struct sense *z, struct snapshot *s, uint64_t now_ns);

/* sense_vcpu_renew() - Slot @vcpu is about to be set: its run time counts, and
 * it will be looked at again. Before the change. */
void sense_vcpu_renew(struct sense *z, struct snapshot *s, uint16_t vcpu);

/* sense_vm_renew() - @vm was set, and nothing is known of it: all of it will be
 * looked at again. After the change. */
void sense_vm_renew(struct sense *z, struct snapshot *s, uint16_t vm);

/* sense_port_add() - @p came into the switch, for a VM; before sense_vm_renew()
 * or at any time. sense_port_del() - It is about to go. */
void sense_port_add(struct sense *z, struct port *p);
void sense_port_del(struct sense *z, struct snapshot *s, struct port *p);

/*
 * sense_share() - Run time of @vcpu so far goes into its VM's share
 *
 * It counts as owned when the vcpu owns a cpu now: so call this before it gains
 * or loses one. sense_shares() - The same of all vcpus, before it is shown.
 */
void sense_share(struct sense *z, const struct snapshot *s, uint16_t vcpu);
void sense_shares(struct sense *z, const struct snapshot *s);

/*
 * sense_patience_ns() - How long the loop may sleep and miss nothing
 *
 * Short while a frame waits or a vcpu is ready in a latency-critical VM that
 * could get another cpu; long when no decision could change anything.
 */
uint64_t sense_patience_ns(const struct snapshot *s);

#endif
