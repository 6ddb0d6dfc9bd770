/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crew.h - who is a worker: joins, leaves, and what is done for them
 *
 * Ties table, match, place and hands together: events, scan and door say what
 * they saw, the loop has the changes carried out. One thread.
 */
#ifndef AGENT_CREW_H
#define AGENT_CREW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "events.h"
#include "hands.h"
#include "match.h"
#include "place.h"
#include "table.h"

/* A worker whose mask somebody else changed as often as this between two scans
 * is left to him until the next one. */
#define CREW_FIGHTS 8

struct crew_counters {
	uint64_t joined, left;
	uint64_t fought; /* workers left alone: see CREW_FIGHTS */
};

struct crew_ops {
	/* A worker is on @vcpu now, CPU_NONE: rides; @leaving: loses it. */
	void (*tell)(void *arg, const struct worker *w, uint16_t vcpu,
		     bool leaving);
	/* It is gone from the table. */
	void (*forget)(void *arg, uint16_t slot, pid_t tid);
	void *arg;
};

struct crew {
	struct table *table;
	struct place place;
	struct hands hands;
	const struct match *match;
	struct crew_ops ops;
	struct crew_counters n;
	bool rescan; /* something needs a scan soon */
	uint8_t fights[WORKER_MAX];
};

/* crew_grants() - These vcpus are granted; those not online do not count. */
void crew_grants(struct crew *c, const struct cpumask *granted,
		 uint64_t now_ns);

/*
 * crew_apply() - Carry out what was decided, until @until_ns
 * Return: is there more?
 */
bool crew_apply(struct crew *c, uint64_t now_ns, uint64_t until_ns);

/* crew_event() - What the kernel said. */
void crew_event(struct crew *c, const struct event *ev, uint64_t now_ns);

/* crew_chosen() - Does the configuration name this process? Two files read. */
bool crew_chosen(const struct crew *c, pid_t tgid);

/*
 * crew_join() - A thread is a worker from now on, or for one reason more
 * @kin: slot of a worker of the process it was cloned in, WORKER_NONE: not
 * known Return: its slot; -ESRCH it is gone, -ENOSPC the table is full
 * (counted).
 */
int crew_join(struct crew *c, pid_t tid, pid_t tgid, uint16_t kin,
	      enum worker_why why, uint64_t now_ns);

/* crew_leave() - It lives, but is none any more for this reason: gets back what
 * it had when there is no other. */
void crew_leave(struct crew *c, uint16_t slot, enum worker_why why,
		uint64_t now_ns);

/* crew_drop() - Its thread is gone. */
void crew_drop(struct crew *c, uint16_t slot, uint64_t now_ns);

/* crew_check() - A look at one worker for the scan: is it there, has somebody
 * changed its mask, may one that was left alone be tried again? Return: false:
 * it was gone, and is dropped. */
bool crew_check(struct crew *c, uint16_t slot, uint64_t now_ns);

#endif
