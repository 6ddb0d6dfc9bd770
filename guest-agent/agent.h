/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent.h - the agent as a whole, and its loop
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "crew.h"
#include "door.h"
#include "events.h"
#include "guard.h"
#include "hint.h"
#include "link.h"
#include "procfs.h"
#include "scan.h"

struct agent_counters {
	uint64_t turns, ticks;
	uint64_t takes;	    /* times the grants were taken over */
	uint64_t guards;    /* guardians lost and forked anew */
	uint64_t irq_moves; /* files written */
};

struct agent {
	const struct agent_conf *conf;
	struct guard_share *share;
	struct guard guard;
	struct link *link;
	struct door *door;
	struct events events;
	int events_err; /* 0, or why there are none */
	struct crew crew;
	struct scan scan;
	struct hints hints;
	struct procfs_files files;
	struct grants grants; /* as the host says */
	struct grants done;   /* as carried out: the acks */
	struct agent_counters n;
	int epoll_fd, signal_fd, timer_fd;
	bool stop;
	uint8_t slow;	     /* the tick is so many times twice as long */
	uint8_t quiet;	     /* ticks in a row without news */
	bool acks_due;	     /* grants taken and not yet carried out */
	bool irqs_due;	     /* interrupts do not follow them yet */
	uint64_t started_ns; /* CLOCK_MONOTONIC, all of these */
	uint64_t now_ns;     /* the turn's beginning */
	uint64_t scan_ns;    /* next scan */
	uint64_t irq_ns;     /* interrupts not before */
};

/*
 * agent_open() - Everything but the loop
 * @a: zero, static: about 300 KB
 * @lock_fd: guard_lock()'s
 * @why: gets a sentence on failure
 * Return: 0 or -errno; nothing was changed then.
 */
int agent_open(struct agent *a, const struct agent_conf *conf, int lock_fd,
	       char *why, size_t size);

/* agent_run() - Until SIGTERM or SIGINT. */
void agent_run(struct agent *a);

/* agent_close() - Say goodbye, have everything put back. */
void agent_close(struct agent *a);

#endif
