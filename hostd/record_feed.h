/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_feed.h - from snapshots to the records of a recording (hl/record.h)
 *
 * One producer, the poll thread, puts records into a bounded ring; one consumer
 * takes them out. What is written is what differs from what was written before,
 * so that a look left out costs resolution in time and nothing else.
 */
#ifndef HOSTD_RECORD_FEED_H
#define HOSTD_RECORD_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/mbox.h"
#include "hl/record.h"
#include "hl/vmset.h"
#include "policy/policy.h"

#define FEED_RECORDS 65536 /* of the ring: 6 MB, some seconds' worth */
#define FEED_STEP    256   /* records of state in one look, 24 KB */
#define FEED_VMS     32	   /* VMs compared in one look: 20 us at most */

struct feed {
	struct mbox ring;
	struct vmset pending; /* VMs to be compared */
	uint16_t turn;	      /* from here on in the next look */
	uint16_t vcpu;	      /* of a VM, where the last one ran out of room */
	bool all;	      /* and all VMs and cpus there are */
	struct vmset unseen;  /* there from the beginning, not written yet */
	uint16_t cpu;	      /* the cpus from here on, when not CPU_NONE */
	uint64_t skipped, lost;
	/* as written */
	struct record_cpu cpus[CPU_MAX];
	struct record_node nodes[NODE_MAX];
	struct record_name names[VM_MAX];
	struct record_vm vms[VM_MAX];
	struct record_vcpu vcpus[VCPU_MAX];
	uint16_t slot_vm[VCPU_MAX]; /* whose slot it is, or VM_NONE */
};

/* feed_init() - Nothing was written yet. Return: 0 or -ENOMEM. */
int feed_init(struct feed *f);
void feed_exit(struct feed *f);

/* feed_again() - Producer: compare everything in the next look: cpus may be
 * managed or not any more. */
void feed_again(struct feed *f);

/*
 * feed_look() - Producer: one look, before the plan is carried out
 * @names: by VM slot; read for those that changed
 * @interval_ns, @policy: settings in force
 *
 * Compares at most FEED_VMS VMs and writes at most FEED_STEP records of state,
 * and the plan; the rest waits for the next looks.
 */
void feed_look(struct feed *f, const struct snapshot *s, const struct plan *p,
	       const char *(*names)(uint16_t vm), uint64_t interval_ns,
	       const char *policy);

#endif
