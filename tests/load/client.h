/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - sends requests at times fixed in advance and times the answers
 */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include "tests/load/options.h"

/* What a run counts beside the requests themselves. */
struct client_count {
	uint64_t stray;	      /* answers to nothing we asked, or asked twice */
	uint64_t stuck;	      /* requests the socket would not take: lost */
	uint64_t misses;      /* memcached: GETs that found nothing */
	uint64_t late_max_ns; /* the latest that a request was sent */
	uint64_t start_ns;    /* of the schedule, CLOCK_MONOTONIC */
};

/*
 * client_run() - Carry out a schedule
 * @req: @n requests; their latency_ns is filled in
 *
 * Blocks for the length of the schedule and the grace time. Return: 0, or
 * -errno when the server could not be reached; a sentence was printed.
 */
int client_run(const struct client_conf *conf, struct request *req, size_t n,
	       struct client_count *count);

#endif
