/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally.h - a finished run as a handful of numbers
 *
 * Pure. A request that was sent and never answered took infinitely long and
 * stands in the percentiles as such (TALLY_INF). One that was never sent,
 * because the client itself was late, says nothing of the server: it is left
 * out and counted, and a run with many of those is worth little.
 */
#ifndef LOAD_TALLY_H
#define LOAD_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "hl/hist.h"
#include "tests/load/arrive.h"

#define TALLY_INF UINT64_MAX

enum tally_q {
	TALLY_P50,
	TALLY_P90,
	TALLY_P99,
	TALLY_P999,
	TALLY_P9999,
	TALLY_Q_NUM,
};

struct tally {
	uint64_t scheduled, never_sent, lost, answered;
	uint64_t min_ns, max_ns, q_ns[TALLY_Q_NUM];
	struct hist hist; /* of the answered, for a curve */
};

/*
 * tally_make() - Count the requests due at or after @from_ns
 * @scratch: room for @n numbers, overwritten
 *
 * A quantile is the value that at least that part of the samples does not
 * exceed (nearest rank), exact. With no samples everything is 0.
 */
void tally_make(struct tally *t, const struct request *req, size_t n,
		uint64_t from_ns, uint64_t *scratch);

/* tally_q_name() - Return: "p50" to "p99.99". */
const char *tally_q_name(enum tally_q q);

#endif
