/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_run.h - policies decide again on what was recorded
 *
 * Open loop: the waits are those of the recording, whatever a policy does.
 * Each policy has an ownership table of its own, which begins as it was
 * recorded. Policies look when hostd looked, and in between as often as it
 * would have: every interval while something waits, else every REPLAY_REST_NS.
 */
#ifndef TESTS_SIM_REPLAY_RUN_H
#define TESTS_SIM_REPLAY_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "owners.h"
#include "replay_read.h"

#define REPLAY_REST_NS	1000000ull
#define REPLAY_RUNS	8 /* policies at once */
#define REPLAY_SLOS	16
#define REPLAY_RECORDED 0 /* the tally of what hostd did */

/* Of one VM. */
struct replay_vm {
	uint64_t gained, lost;
	uint64_t owned_ns;  /* sum over the cpus it owned */
	uint64_t helped_ns; /* its wait was over its target, and it owned more
			       cpus than hostd gave it */
	uint16_t owned;	    /* now */
	uint64_t since_ns;  /* owned_ns counts up to here */
};

/* What one policy did; the first of all is hostd itself. */
struct replay_tally {
	const char *name;
	uint64_t decisions, moves, refused;
	uint64_t reason[REASON_NUM]; /* lines of plans */
	uint16_t cpu_vm[CPU_MAX];    /* who owns it, or VM_NONE */
	struct replay_vm vm[VM_MAX];
};

struct replay_run {
	const struct policy_ops *ops;
	void *state;
	struct snapshot s;
	struct owners owners;
	struct owners_changed changed;
	struct plan plan;
};

struct replay {
	struct replay_file file;
	unsigned cnt; /* of runs, and of tallies behind the first */
	struct replay_run *run[REPLAY_RUNS];
	struct replay_tally tally[1 + REPLAY_RUNS];
	unsigned slo_cnt;
	struct replay_slo {
		const char *vm;
		uint64_t ns;
	} slo[REPLAY_SLOS];
	bool live; /* decisions are made: all that was there is known */
	uint64_t began_ns, now_ns;
	bool seen[VM_MAX];	  /* was there at some time */
	uint64_t over_ns[VM_MAX]; /* its wait was over its target */
	bool waits[VM_MAX];
	uint64_t untaken_ns[VM_MAX]; /* of the last look, as the next two */
	uint16_t waiting_cnt;
	uint16_t waiting[VM_MAX];
};

/* replay_add() - One policy more. Return: 0, -ENOSPC or -ENOMEM. */
int replay_add(struct replay *p, const struct policy_ops *ops);

/*
 * replay_go() - Read @f to its end and let all policies decide
 * p->file says whether it was cut and what was wrong with it. Return: 0, or -1
 * with p->file.error; what was tallied before holds.
 */
int replay_go(struct replay *p, FILE *f);

/* replay_free() - What replay_add() allocated. */
void replay_free(struct replay *p);

#endif
