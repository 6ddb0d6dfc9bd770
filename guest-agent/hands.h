/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hands.h - masks of threads: read, set, put back
 *
 * The only file that calls sched_setaffinity(2) for others. What a thread gets
 * back is in the shared table before it is touched. The agent's thread; after
 * the agent's death, the guardian.
 */
#ifndef AGENT_HANDS_H
#define AGENT_HANDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hl/cpumask.h"
#include "place.h"
#include "table.h"

struct hands_counters {
	uint64_t set;	    /* masks set, of workers */
	uint64_t same;	    /* changes that needed no call */
	uint64_t back;	    /* workers that got back what they had */
	uint64_t inherited; /* threads cloned with a mask of ours */
	uint64_t strays;    /* threads that are no workers, and had inherited */
	uint64_t others;    /* masks somebody else changed: respected */
	uint64_t cpuset;    /* refused: outside the thread's cpuset */
	uint64_t denied;    /* refused: no permission */
	uint64_t gone;	    /* thread ended before it could be set */
};

struct hands {
	struct table *table;
	struct cpumask online;	  /* as last read */
	uint16_t pinned[CPU_MAX]; /* slot pinned there last */
	struct hands_counters n;
};

enum hands_end {
	HANDS_DONE,
	HANDS_HAD,     /* somebody else had changed it: `had` is new, nothing
			* was set; tell place_had() */
	HANDS_REFUSED, /* left as it was; tell place_refused() */
	HANDS_GONE,    /* no such thread any more */
};

/* hands_init() - Return: 0, or -errno: the machine's cpus cannot be read. */
int hands_init(struct hands *h, struct table *t);

/* hands_online() - Read again which vcpus are online. Return: changed? */
bool hands_online(struct hands *h);

/*
 * hands_note() - Find out what a new worker has: its `had`
 * @parent: a worker of the process it was cloned in, best the one that did;
 *	NULL when none is known
 *
 * A mask of ours that it inherited is not its own: its `had` is its parent's.
 * Return: 0 or -ESRCH.
 */
int hands_note(struct hands *h, uint16_t slot, const struct worker *parent);

/*
 * hands_apply() - Carry out a change
 * @granted: vcpus that are granted and online
 * Return: enum hands_end.
 */
int hands_apply(struct hands *h, const struct place_change *c,
		const struct cpumask *granted, uint64_t now_ns);

/* hands_check() - Has somebody else changed a worker's mask? One system call.
 * Return: enum hands_end. */
int hands_check(struct hands *h, uint16_t slot);

/* hands_back() - Put back what a worker had, if it still has what we set.
 * Return: enum hands_end. */
int hands_back(struct hands *h, uint16_t slot);

/*
 * hands_stray() - A thread that is no worker: did it, its process or an
 * ancestor of that inherit a mask of ours? Then it gets what that one had
 *
 * One system call for a thread that may use every cpu, else O(workers).
 * Return: true when its mask was changed.
 */
bool hands_stray(struct hands *h, pid_t tgid, pid_t tid);

#endif
