/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard.h - a small process that puts everything back when the agent is gone
 *
 * There is one way back only, whether the agent was asked to stop, crashed or
 * was killed: the guardian, from memory it shares with the agent.
 */
#ifndef AGENT_GUARD_H
#define AGENT_GUARD_H

#include <stdint.h>
#include <sys/types.h>

#include "irq.h"
#include "table.h"

/* An agent that does not beat for so long is stuck, and is killed. */
#define GUARD_STUCK_NS 10000000000ull

/* What guardian and agent share. The agent writes, the guardian reads; after
 * the agent's death it is the guardian's. */
struct guard_share {
	struct table table;
	struct irq_table irq;
	uint64_t beat_ns;  /* CLOCK_MONOTONIC, by the agent, each turn */
	uint64_t stuck_ns; /* GUARD_STUCK_NS; tests have less patience */
};

struct guard {
	struct guard_share *share;
	int fd; /* epoll: readable or hung up when the guardian is gone */
	int lock_fd;
	pid_t pid;
};

/* guard_share() - Memory to share, zero but for stuck_ns. Return: NULL: there
 * is none. */
struct guard_share *guard_share(void);

/*
 * guard_lock() - One agent at a time, and none while a guardian still works
 * @wait_ms: how long to wait for one
 * Return: a descriptor, -EBUSY, or -errno.
 */
int guard_lock(const char *path, unsigned wait_ms);

/*
 * guard_start() - Fork a guardian; again after one was lost
 * @lock_fd: guard_lock()'s, which it holds as well; -1: none
 *
 * Call with one thread running. It ignores what a terminal or a service manager
 * sends, and is ready when this returns. Return: 0 or -errno.
 */
int guard_start(struct guard *g, struct guard_share *share, int lock_fd);

/* guard_lost() - The guardian is gone: take notice. Then guard_start(). */
void guard_lost(struct guard *g);

/* guard_finish() - The agent stops: have all put back, wait until it is. */
void guard_finish(struct guard *g);

#endif
