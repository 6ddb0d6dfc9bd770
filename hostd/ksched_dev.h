/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ksched_dev.h - hostd's only door to /dev/ksched: one session, call by call
 *
 * What the calls mean stands in hl/ksched.h. Nothing here blocks but open,
 * add, drop and close, which are for the control thread; put, commit, beat and
 * next belong to the poll thread; learn is short enough for either.
 */
#ifndef HOSTD_KSCHED_DEV_H
#define HOSTD_KSCHED_DEV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hl/cpumask.h"

#define KSCHED_DEV_BATCH 256 /* moves between two commits */

enum ksched_dev_role {
	KSCHED_DEV_OWNER, /* carried out first */
	KSCHED_DEV_RIDER,
	KSCHED_DEV_HARVESTER,
};

struct ksched_dev;

/*
 * ksched_dev_open() - Begin a session
 * @silence_ms: it ends when neither commit nor beat came so long
 * Return: 0, -ENOENT: the module is not loaded, -EBUSY: somebody else's
 * session, -EPROTO: another version, or -errno.
 */
int ksched_dev_open(struct ksched_dev **out, unsigned silence_ms);

/* ksched_dev_close() - End it: every thread gets back what it had. */
void ksched_dev_close(struct ksched_dev *d);

/* ksched_dev_over() - Any thread. Return: why the session has ended, in
 * words; NULL: it has not. */
const char *ksched_dev_over(const struct ksched_dev *d);

/* ksched_dev_add() - Hand over a thread of @pid. @slot: its name from now on.
 * Return: 0, -ESRCH: it is gone, or -errno. */
int ksched_dev_add(struct ksched_dev *d, pid_t pid, pid_t tid, uint32_t *slot);

/* ksched_dev_drop() - It gets back what it had; no move comes after. Return:
 * 0, -ENOENT, or -errno. */
int ksched_dev_drop(struct ksched_dev *d, uint32_t slot);

/* ksched_dev_learn() - The affinity a thread has now is allowed; @only: and no
 * other. Return: 0, -ENOENT, or -errno. */
int ksched_dev_learn(struct ksched_dev *d, uint32_t slot, bool only);

/* ksched_dev_put() - Put a move into the batch, which holds KSCHED_DEV_BATCH.
 * @tag: comes back in the answer. */
void ksched_dev_put(struct ksched_dev *d, uint32_t slot, uint32_t tag,
		    enum ksched_dev_role role, const struct cpumask *mask);

/* ksched_dev_commit() - Send the batch and begin another; one system call.
 * Return: 0, or -errno: none of it was sent. */
int ksched_dev_commit(struct ksched_dev *d);

/* ksched_dev_beat() - Say that we live. Return: 0 or -errno. */
int ksched_dev_beat(struct ksched_dev *d);

struct ksched_dev_done {
	uint32_t tag;
	int err;	/* as in struct ksched_done */
	uint64_t at_ns; /* by hl/clock.h */
};

/* ksched_dev_next() - The next answer. Return: false when none waits. */
bool ksched_dev_next(struct ksched_dev *d, struct ksched_dev_done *out);

#endif
