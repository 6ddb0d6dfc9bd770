/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pinsync.h - which vcpus' masks should be told to libvirt, and when
 *
 * Moves take microseconds, telling libvirt about a millisecond: so `virsh
 * vcpupin` is kept true only of what has come to rest. Pure; one thread (the
 * control thread) owns the object. Time is an argument, CLOCK_MONOTONIC ns.
 */
#ifndef HOSTD_PINSYNC_H
#define HOSTD_PINSYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/bounds.h"
#include "hl/cpumask.h"

#define PINSYNC_GAP_NS	     (200 * 1000000ull)	 /* at most 5 calls a second */
#define PINSYNC_RETRY_NS     (1000 * 1000000ull) /* after a failure, doubled */
#define PINSYNC_RETRY_MAX_NS (64 * PINSYNC_RETRY_NS)

struct pinsync_vcpu {
	bool known;   /* somebody wants something of this slot */
	bool told;    /* libvirt_mask is what libvirt believes */
	uint8_t fail; /* calls failed in a row */
	uint16_t index;
	uint32_t gen;	   /* of want */
	uint64_t since_ns; /* want did not change since */
	uint64_t retry_ns; /* no call before */
	char uuid[37];
	struct cpumask want, libvirt;
};

struct pinsync {
	uint64_t stable_ns; /* how long a mask must have been at rest */
	uint64_t next_ns;   /* no call before: the rate limit */
	uint16_t cursor;    /* where the next search begins: all get a turn */
	uint16_t top;	    /* highest slot in use + 1 */
	uint64_t told_cnt, failed_cnt, overtaken_cnt;
	struct pinsync_vcpu vcpu[VCPU_MAX];
};

/* One call to make: virt_pin(uuid, index, &mask). */
struct pinsync_job {
	uint16_t vcpu; /* slot */
	uint16_t index;
	uint32_t gen;
	char uuid[37];
	struct cpumask mask;
};

/* pinsync_init() - Nothing is known. @stable_ns: hostd.conf's pin-after. */
void pinsync_init(struct pinsync *p, uint64_t stable_ns);

/*
 * pinsync_want() - The poll thread wants @mask for a slot since @since_ns
 * @uuid, @index: whose vcpu sits in the slot; another one than before makes
 *	the slot new
 * Call as often as you like with what holds now.
 */
void pinsync_want(struct pinsync *p, uint16_t vcpu, const char *uuid,
		  uint16_t index, uint32_t gen, const struct cpumask *mask,
		  uint64_t since_ns);

/* pinsync_forget() - Nobody wants anything of this slot any more. */
void pinsync_forget(struct pinsync *p, uint16_t vcpu);

/* pinsync_doubt() - What libvirt believes is not known any more (it was
 * restarted): every vcpu is told again, at the usual pace. */
void pinsync_doubt(struct pinsync *p);

/*
 * pinsync_next() - Is there a call to make now?
 *
 * Yes for a vcpu whose mask has been at rest for stable_ns and is not what
 * libvirt believes; in turn, PINSYNC_GAP_NS apart. Return: true with @job.
 */
bool pinsync_next(struct pinsync *p, uint64_t now_ns, struct pinsync_job *job);

/*
 * pinsync_done() - How the call went
 * @err: 0 or -errno of virt_pin()
 *
 * The call itself sets affinity and cpuset, so a move the poll thread made
 * meanwhile may have been undone: submit the vcpu's mask again.
 * Return: true when it must be (success, or a failure half way); false when
 * the VM is gone or nothing was sent (-ESRCH, -ENOTCONN).
 */
bool pinsync_done(struct pinsync *p, const struct pinsync_job *job, int err,
		  uint64_t now_ns);

#endif
