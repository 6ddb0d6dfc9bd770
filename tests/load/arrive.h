/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arrive.h - when requests are due and how much work each one asks for
 *
 * Pure. The whole schedule is made before the first request is sent: an
 * open-loop client must not let a slow server slow down its arrivals.
 */
#ifndef LOAD_ARRIVE_H
#define LOAD_ARRIVE_H

#include <stddef.h>
#include <stdint.h>

enum dist {
	DIST_CONSTANT,
	DIST_EXP,
	DIST_BIMODAL, /* nine of ten half the mean, the tenth 5.5 times it */
	DIST_NUM,
};

/* What a latency can be but a number; both sort behind every number. */
#define LATENCY_NEVER_SENT UINT64_MAX
#define LATENCY_NONE	   (UINT64_MAX - 1) /* sent or about to be: no answer yet */

struct request {
	uint64_t due_ns;     /* since the start of the run */
	uint64_t work;	     /* ns or loops */
	uint64_t latency_ns; /* from due to answer, or LATENCY_* */
};

struct arrive {
	double rate; /* requests a second, Poisson */
	uint64_t length_ns;
	enum dist dist;
	uint64_t work; /* mean */
	uint64_t seed;
};

/* arrive_room() - Requests to make room for: the mean plus ten deviations. */
size_t arrive_room(const struct arrive *a);

/*
 * arrive_fill() - Make the schedule; the same seed gives the same one
 * Return: how many requests, never more than @room.
 */
size_t arrive_fill(const struct arrive *a, struct request *req, size_t room);

/* arrive_dist_name() - Return: "constant", "exp", "bimodal". */
const char *arrive_dist_name(enum dist dist);

#endif
