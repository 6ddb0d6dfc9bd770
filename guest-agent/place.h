/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.h - which worker is on which granted vcpu, and where the others ride
 *
 * Pure: the agent tells what happened (a grant, a worker that joined, a look at
 * one), place answers with changes for hands.c to carry out. One thread.
 */
#ifndef AGENT_PLACE_H
#define AGENT_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/agent.h"
#include "hl/cpumask.h"
#include "hl/picker.h"
#include "place_ring.h"
#include "table.h"

#define PLACE_TRIES 8	/* members asked for one vcpu, of those restricted */
#define PLACE_SWAPS 64	/* vcpus that change hands in one tick */
#define PLACE_LOOKS 256 /* slots examined for one place_next() */

enum place_kind {
	PLACE_BACK, /* has what it had: nothing of ours */
	PLACE_RIDE, /* on all granted vcpus it may use */
	PLACE_PIN,  /* on one */
};

struct place_change {
	uint16_t slot;
	uint16_t vcpu; /* of PLACE_PIN */
	uint16_t was;  /* it was pinned to this one, as was emitted; CPU_NONE */
	uint8_t kind;  /* enum place_kind */
};

struct place_slot {
	bool joined;
	bool apart;	  /* refused: left alone until place_had() */
	bool outside;	  /* no granted vcpu in its `had` */
	uint8_t kind;	  /* enum place_kind, as last emitted */
	uint16_t vcpu;	  /* the same, of PLACE_PIN */
	uint32_t grant;	  /* the same, of PLACE_RIDE: for which grants */
	uint64_t wait_ns; /* since_ns of the wait it is queued for */
};

struct place_vcpu {
	uint16_t slot;	   /* who is pinned to it, or WORKER_NONE */
	uint64_t since_ns; /* since when */
};

struct place_counters {
	uint64_t picks;	     /* vcpus given to a worker, of all kinds */
	uint64_t home;	     /* to the one that was on it last */
	uint64_t parked;     /* to a rider that waited */
	uint64_t aged;	     /* taken from a busy one, for the age cap */
	uint64_t restricted; /* members asked whose mask lacks the vcpu */
	uint64_t outside;    /* now left alone: may use no granted vcpu */
	uint64_t refused;    /* left alone: the kernel refused */
	uint64_t grants, revokes;
};

struct place {
	struct table *table;
	struct picker *picker;
	uint16_t vcpu_cnt;
	uint32_t grant; /* grows with each change of `granted` */
	uint64_t age_ns, rest_ns;
	struct cpumask granted;
	struct place_counters n;
	uint16_t sweep;	     /* slot where the sweep goes on */
	uint16_t sweep_left; /* slots it has not come to */
	struct place_slot slot[WORKER_MAX];
	struct place_vcpu vcpu[AGENT_VCPUS];
	/* of slots; the last entry is the head */
	struct place_link wait[WORKER_MAX + 1];	 /* riders that wait, oldest
						  * first */
	struct place_link dirty[WORKER_MAX + 1]; /* with a change to emit */
	/* of vcpus */
	struct place_link placed[AGENT_VCPUS + 1]; /* occupied, longest first */
	struct place_link empty[AGENT_VCPUS + 1];  /* granted, nobody there */
	struct place_link asleep[AGENT_VCPUS + 1]; /* occupied by a sleeper */
};

/*
 * place_init() - Begin with no worker and no grant
 * @p: about 120 KB, not for a stack
 * @t: the workers' table; place reads `had`, `since_ns`, `ran` and writes
 *	`vcpu`
 * @age_ns: a rider that waits longer than this gets a busy worker's vcpu
 * @rest_ns: a placed worker asleep for this long gives way to one that waits
 * Return: 0, -ERANGE for no or over AGENT_VCPUS vcpus, -ENOMEM.
 */
int place_init(struct place *p, struct table *t, uint16_t vcpu_cnt,
	       uint64_t age_ns, uint64_t rest_ns);
void place_exit(struct place *p);

/*
 * place_grants() - Exactly these vcpus are granted now; empty: none, or the
 * host is silent
 *
 * O(1) for each vcpu granted or revoked. Return: did anything change?
 */
bool place_grants(struct place *p, const struct cpumask *granted,
		  uint64_t now_ns);

/* place_join(), place_leave() - A slot of the table has come, is going. O(1).
 * `had` is known when it comes; call place_leave() before table_del(). */
void place_join(struct place *p, uint16_t slot, uint64_t now_ns);
void place_leave(struct place *p, uint16_t slot, uint64_t now_ns);

/* place_had() - Somebody else changed what the worker may use: its `had` is
 * another one now. Also takes back place_refused(). O(1). */
void place_had(struct place *p, uint16_t slot, uint64_t now_ns);

/* place_refused() - The kernel did not let us: the worker is left alone. */
void place_refused(struct place *p, uint16_t slot, uint64_t now_ns);

/* place_look() - The table has news of a worker (since_ns, ran). O(1). */
void place_look(struct place *p, uint16_t slot, uint64_t now_ns);

/*
 * place_tick() - Give vcpus whose worker sleeps, or had its turn, to riders
 * that wait; at most PLACE_SWAPS of them
 */
void place_tick(struct place *p, uint64_t now_ns);

/*
 * place_next() - The next change to carry out
 *
 * What was decided for single workers comes first, then a sweep over all that
 * ride. Examines at most PLACE_LOOKS slots.
 * Return: 1 a change in @out; 0 nothing in these slots, but there are more;
 * -EAGAIN nothing left.
 */
int place_next(struct place *p, struct place_change *out);

/* place_pending() - Would place_next() have anything to look at? */
bool place_pending(const struct place *p);

#endif
