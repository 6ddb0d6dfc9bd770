/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actuate.h - a plan becomes moves, moves are followed until they are done
 *
 * Poll thread, but for actuate_wish() (any thread).
 */
#ifndef HOSTD_ACTUATE_H
#define HOSTD_ACTUATE_H

#include <stdbool.h>
#include <stdint.h>

#include "act.h"
#include "policy/policy.h"

struct actuate;

/* actuate_open() - Start-up. Return: 0 or -ENOMEM. */
int actuate_open(struct actuate **out, const struct act_ops *ops,
		 struct act *act);
void actuate_close(struct actuate *a);

/* actuate_vcpu() - The thread behind a vcpu slot; tid 0: there is none. */
void actuate_vcpu(struct actuate *a, uint16_t vcpu, uint16_t vm, uint16_t index,
		  pid_t pid, pid_t tid);

/*
 * actuate_want() - From now on @vcpu shall run on @mask
 * Nothing is sent when it is wanted already. Never blocks: what the backend
 * does not take now is submitted in a later actuate_turn().
 */
void actuate_want(struct actuate *a, uint16_t vcpu, const struct cpumask *mask,
		  uint64_t now_ns);

/* actuate_forget() - Nothing is wanted of @vcpu any more; sends no move. */
void actuate_forget(struct actuate *a, uint16_t vcpu);

/* actuate_reassert() - Submit again what is wanted (somebody else moved it). */
void actuate_reassert(struct actuate *a, uint16_t vcpu, uint64_t now_ns);

/* actuate_turn() - Collect answers, submit what had to wait. Once a pass. */
void actuate_turn(struct actuate *a);

/* actuate_flush() - Let the backend begin what was submitted. Once a pass, as
 * the last. */
void actuate_flush(struct actuate *a, uint64_t now_ns);

/* actuate_busy() - Are moves waiting or under way? */
bool actuate_busy(const struct actuate *a);

/* What the poll thread wants of a vcpu, for libvirt's view. */
struct wish {
	uint32_t gen; /* 0: nothing wanted */
	uint64_t since_ns;
	struct cpumask mask;
};

/* actuate_wish() - A consistent copy; any thread. Return: false when it was
 * being written three times in a row (try later). */
bool actuate_wish(const struct actuate *a, uint16_t vcpu, struct wish *out);

/*
 * actuate_move_ns() - What a move takes on this host, asked to done
 * The median so far, 1 us to 10 ms; 0 until a few were done: then
 * it is not known. Poll thread; as dear as a histogram is long.
 */
uint64_t actuate_move_ns(void);

#endif
