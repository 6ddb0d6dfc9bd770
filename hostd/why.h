/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why.h - the trace: the last decisions, and what led to each
 *
 * A ring without end of which the last WHY_MAX events are kept. Its one writer
 * is the poll thread; any thread may read. An event is complete in itself: it
 * has the names the VMs had, for their slots may be somebody else's by now.
 */
#ifndef HOSTD_WHY_H
#define HOSTD_WHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hl/bounds.h"
#include "policy/policy.h"

#define WHY_MAX 1024

struct why_name {
	char name[VM_NAME_MAX]; /* "": nobody */
	char uuid[37];
};

/*
 * One cpu changed hands; or, with cpu CPU_NONE, a best-effort VM (`from`,
 * nobody means all of them) is barred from `barred` from then on.
 *
 * What is said of "the VM" is said of the one that gained the cpu, or, where it
 * went to nobody, of the one that lost it; as it was when the decision was
 * made.
 */
struct why_event {
	uint64_t at_ns;
	uint64_t saw_ns, limit_ns;   /* struct grant's */
	uint64_t delay_ns, ready_ns; /* the VM's */
	struct why_name to, from;
	struct cpumask barred;
	uint16_t cpu, reason;
	uint16_t to_vcpu, from_vcpu; /* which of the VM's vcpus; 0: nobody's */
	uint16_t from_owned;	     /* cpus, of the VM that lost it */
	uint16_t owned, min, may;    /* cpus: owned, guaranteed, at most */
	uint16_t sensed;	     /* the next one means something */
	uint16_t runnable;	     /* vcpus that ran or wanted to */
	uint16_t hinted, wanted;     /* vcpus its agent could have used */
	uint32_t used_permille;	     /* cpus it used of late */
};

/*
 * why_moved() - Poll thread: a line of a plan was carried out
 * @s: still as the policy saw it
 * @from: the vcpu that lost the cpu, or VCPU_NONE
 *
 * Adds an event, and counts the move with the cpu and both VMs. O(vcpus of the
 * VM).
 */
void why_moved(const struct snapshot *s, const struct grant *g, uint16_t from);

/* why_barred() - Poll thread: a bar was carried out, and it is another one than
 * before. */
void why_barred(const struct snapshot *s, const struct bar *b);

/* why_count() - Events ever; any thread. */
uint64_t why_count(void);

/*
 * why_get() - Copy event number @n (0 is the first ever); any thread
 * Return: false when it is not there yet, or too old: the last WHY_MAX - 1 can
 * be had.
 */
bool why_get(uint64_t n, struct why_event *out);

/*
 * why_about() - Is @e about @who?
 * @who: a cpu's number, whose owner changed or which a VM is barred from; or a
 *	VM's name, in wire form or not, or its UUID. A VM
 *	whose name is a number goes by its UUID.
 */
bool why_about(const struct why_event *e, const char *who);

#endif
