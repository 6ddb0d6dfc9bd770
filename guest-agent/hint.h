/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hint.h - what the workers are up to, from /proc, for the host and for place
 *
 * Pure but for the reader it is given: a function that reads one thread's
 * numbers (procfs.h; tests have their own).
 */
#ifndef AGENT_HINT_H
#define AGENT_HINT_H

#include "hl/agent.h"
#include "link.h"
#include "table.h"

#define HINT_LOOKS_MAX 64 /* workers looked at in one tick */

/* One look at a thread. */
struct look {
	uint64_t run_ns, wait_ns; /* schedstat */
	uint16_t vcpu;		  /* field 39 of stat */
	bool runnable;		  /* state R */
};

struct hint_reader {
	/* Return: 0, or -ESRCH when the thread is gone. */
	int (*look)(void *arg, const struct worker *w, struct look *out);
	void *arg;
};

struct hints {
	struct agent_hint all;
	struct agent_hint_vcpu vcpu[AGENT_VCPUS];
	bool any_ran;	   /* else: tick more slowly */
	bool urgent;	   /* the host should know now */
	uint16_t turn;	   /* where the next tick goes on */
	uint16_t gone_cnt; /* slots whose thread was not found */
	uint16_t gone[HINT_LOOKS_MAX];
};

/*
 * hint_tick() - Look at up to HINT_LOOKS_MAX workers, update their fields in
 * the table (run_ns .. ran) and work out @h
 * @grants: its words become the acks
 *
 * wanted = what the workers looked at ran and waited for, in vcpus, scaled to
 * all of them, rounded up; at least the runnable ones up to 1.
 */
void hint_tick(struct hints *h, struct table *t, const struct grants *grants,
	       const struct hint_reader *r, uint64_t now_ns);

#endif
