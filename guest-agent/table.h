/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - the workers: who they are, what they had, what they have now
 *
 * One table of fixed size in memory that the guardian shares: what is needed
 * to put a thread back is in it before the thread is touched. A slot is a u16,
 * the member index of the picker. The agent's thread writes; the guardian
 * reads, after the agent is gone.
 */
#ifndef AGENT_TABLE_H
#define AGENT_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hl/agent.h"
#include "hl/cpumask.h"

#define WORKER_MAX  4096
#define WORKER_NONE 0xffffu
#define WORKER_PAST 3 /* masks remembered beside the present one */

enum worker_why {
	WORKER_CHOSEN = 1,     /* the configuration names its process */
	WORKER_REGISTERED = 2, /* it asked to be one */
};

struct worker {
	pid_t tid, tgid;    /* tid 0: slot is free */
	uint8_t why;	    /* enum worker_why, or-ed */
	bool touched;	    /* `had` must be put back */
	bool changing;	    /* the kernel may have past[0] still, not `set` */
	uint16_t vcpu;	    /* it is pinned there; CPU_NONE: rides */
	uint16_t next;	    /* table.c's: chain of a hash bucket */
	uint16_t hash;	    /* table.c's */
	uint64_t started;   /* field 22 of stat: tells a recycled tid */
	struct cpumask had; /* what it gets back */
	struct cpumask set; /* what we set last */
	/* What we set before that, latest first: a thread may be cloned with
	 * any of these and be seen only later. */
	struct cpumask past[WORKER_PAST];
	uint64_t run_ns;    /* of schedstat, at the last look */
	uint64_t wait_ns;   /* the same */
	uint64_t seen_ns;   /* when that was; 0: never */
	uint64_t since_ns;  /* runnable and not moving since; 0: is not */
	uint16_t last_vcpu; /* where it last ran, or CPU_NONE */
	bool ran;	    /* in the last look's stretch */
};

struct table {
	uint16_t count, high;	     /* workers; highest slot in use + 1 */
	uint64_t full;		     /* threads that found no slot */
	uint16_t free;		     /* table.c's */
	uint16_t bucket[WORKER_MAX]; /* table.c's */
	struct worker worker[WORKER_MAX];
};

/* table_init() - Nobody there. */
void table_init(struct table *t);

/* table_find() - Return: slot of @tid, or WORKER_NONE. O(1). */
uint16_t table_find(const struct table *t, pid_t tid);

/* table_add() - Return: a slot for @tid, zero but for tid, tgid, started and
 * vcpu; WORKER_NONE when it is in already or the table is full (counted). */
uint16_t table_add(struct table *t, pid_t tid, pid_t tgid, uint64_t started);

/* table_del() - Forget a worker. O(1). */
void table_del(struct table *t, uint16_t slot);

/* table_mend() - Build chains and counts again from the slots: whoever wrote
 * the table died, perhaps in the middle of it. O(WORKER_MAX). */
void table_mend(struct table *t);

#endif
