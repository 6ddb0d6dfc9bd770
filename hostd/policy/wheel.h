/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wheel.h - one timer for each VM
 *
 * A hashed wheel: a timer hangs in the slot of its time, modulo WHEEL_SLOTS
 * slots of 2^WHEEL_SHIFT ns each. Arming, moving and stopping one costs the
 * same however many there are, and so does finding that none is due. A timer
 * further away than the wheel is long is passed over once a turn (17 ms).
 *
 * A wheel of zeroes is one with no timer. Pure; part of a policy's state.
 */
#ifndef HOSTD_POLICY_WHEEL_H
#define HOSTD_POLICY_WHEEL_H

#include <stdint.h>

#include "hl/bounds.h"

#define WHEEL_SHIFT 15 /* 33 us */
#define WHEEL_SLOTS 512u

struct wheel {
	uint64_t tick;		    /* slots before this one's are empty of
				       what is due */
	uint16_t cnt;		    /* timers armed */
	uint16_t head[WHEEL_SLOTS]; /* VM + 1; 0: none */
	uint64_t used[WHEEL_SLOTS / 64];
	uint64_t at_ns[VM_MAX];		     /* 0: not armed */
	uint16_t next[VM_MAX], prev[VM_MAX]; /* VM + 1; 0: none */
	uint16_t slot[VM_MAX];
};

/* wheel_set() - @vm's timer is due at @at_ns (not 0) and at no other time. */
void wheel_set(struct wheel *w, uint16_t vm, uint64_t at_ns);

/* wheel_stop() - @vm has no timer. */
void wheel_unlink(struct wheel *w, uint16_t vm);
static inline void wheel_stop(struct wheel *w, uint16_t vm)
{
	if (w->at_ns[vm])
		wheel_unlink(w, vm);
}

/*
 * wheel_pop() - A VM whose timer is due; it has none from then on
 * @now_ns: never goes back from one call to the next
 * Return: a VM, or VM_NONE when none is due.
 */
uint16_t wheel_pop(struct wheel *w, uint64_t now_ns);

#endif
