/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mover.h - random moves of everybody's threads, and an account of the answers
 */
#ifndef TESTS_LAB_MOVER_H
#define TESTS_LAB_MOVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "session.h"

#define MOVER_THREADS 512

struct mover_thread {
	pid_t pid, tid;
	uint32_t slot;
	uint32_t done_gen; /* newest move carried out */
	bool handed;	   /* is in `slot` */
	struct ksched_mask had;
};

/* What happened, over all sessions. */
struct mover_count {
	uint64_t asked, answered, moved, overtaken, gone, refused, stale;
	uint64_t sessions, ended; /* ended: not by us */
	uint64_t faults;
};

struct mover {
	struct session ses;
	struct mover_thread thread[MOVER_THREADS];
	unsigned n;
	unsigned seed;
	uint32_t gen;
	struct ksched_move sent[KSCHED_RING_SLOTS]; /* by gen; gen 0: none */
	struct mover_count count;
};

/* Open a session and hand over the vcpus of these processes (the threads
 * named as QEMU names them); again later: the ones that came since. Return: 0
 * or -errno. */
int mover_open(struct mover *m, unsigned silence_ms);
void mover_scan(struct mover *m, const pid_t *pids, unsigned n);

/* One batch of random moves, then the answers that are there. Return: 0 or
 * -errno of the commit. */
int mover_step(struct mover *m);

/* Drop a thread now and then, learn another: keeps slots changing. */
void mover_stir(struct mover *m);

/* Wait for every answer, compare the page's counters, close. */
void mover_close(struct mover *m);

#endif
