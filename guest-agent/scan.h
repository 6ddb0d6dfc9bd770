/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.h - all of /proc, a little at a time: what the events missed
 */
#ifndef AGENT_SCAN_H
#define AGENT_SCAN_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#include "crew.h"

struct scan_counters {
	uint64_t passes;
	uint64_t missed;     /* workers found that no event had told of */
	uint64_t ghosts;     /* workers gone that no event had told of */
	uint64_t longest_us; /* turn */
};

struct scan {
	bool running;
	uint16_t slot; /* workers looked at up to here, then processes */
	DIR *proc, *task;
	pid_t tgid; /* of `task` */
	bool chosen;
	struct scan_counters n;
};

/* scan_begin() - From the start, whether or not one is under way. */
void scan_begin(struct scan *s);

/*
 * scan_turn() - Go on with it
 * @budget_ns: stop after so long (one thread's work longer at most)
 * Return: is there more to do?
 */
bool scan_turn(struct scan *s, struct crew *c, uint64_t now_ns,
	       uint64_t budget_ns);

void scan_end(struct scan *s);

#endif
