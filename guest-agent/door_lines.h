/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door_lines.h - memory that tells registered workers what they are
 *
 * One memfd a client, HL_DOOR_LINES lines (hl/worker.h) of which it sees no
 * others'. Sealed: a client can neither shrink it under us nor write to it.
 */
#ifndef AGENT_DOOR_LINES_H
#define AGENT_DOOR_LINES_H

#include <stdint.h>

#include "hl/worker.h"

struct lines {
	int fd; /* -1: none */
	struct hl_worker_line *at;
};

/* lines_open() - Return: 0 or -errno (-EINVAL: a kernel before 5.1). */
int lines_open(struct lines *l);

/* lines_close() - All who look at it ride. */
void lines_close(struct lines *l);

/* lines_set() - Change a line, and wake whoever waits for that. */
void lines_set(struct lines *l, unsigned line, enum hl_worker_state state,
	       uint16_t vcpu);

#endif
