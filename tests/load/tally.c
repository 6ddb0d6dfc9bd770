// SPDX-License-Identifier: Apache-2.0
/*
 * tally.c - a finished run as a handful of numbers
 *
 * All samples are kept and sorted: no bucket rounds a tail.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/load/tally.h"

/* Parts per 10,000. */
static const struct {
	const char *name;
	uint64_t part;
} quantile[TALLY_Q_NUM] = {
	[TALLY_P50] = { "p50", 5000 },	    [TALLY_P90] = { "p90", 9000 },
	[TALLY_P99] = { "p99", 9900 },	    [TALLY_P999] = { "p99.9", 9990 },
	[TALLY_P9999] = { "p99.99", 9999 },
};

static int cmp_u64(const void *pa, const void *pb)
{
	uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;

	return (a > b) - (a < b);
}

void tally_make(struct tally *t, const struct request *req, size_t n,
		uint64_t from_ns, uint64_t *scratch)
{
	size_t cnt = 0;

	memset(t, 0, sizeof(*t));
	for (size_t i = 0; i < n; i++) {
		if (req[i].due_ns < from_ns)
			continue;
		t->scheduled++;
		if (req[i].latency_ns == LATENCY_NEVER_SENT) {
			t->never_sent++;
			continue;
		}
		if (req[i].latency_ns == LATENCY_NONE) {
			t->lost++;
			scratch[cnt++] = TALLY_INF;
			continue;
		}
		t->answered++;
		hist_add(&t->hist, req[i].latency_ns);
		scratch[cnt++] = req[i].latency_ns;
	}
	if (!cnt)
		return;
	qsort(scratch, cnt, sizeof(*scratch), cmp_u64);
	t->min_ns = scratch[0];
	t->max_ns = scratch[cnt - 1];
	for (int q = 0; q < TALLY_Q_NUM; q++) {
		size_t rank = (cnt * quantile[q].part + 9999) / 10000;

		t->q_ns[q] = scratch[rank - 1];
	}
}

const char *tally_q_name(enum tally_q q)
{
	return q < TALLY_Q_NUM ? quantile[q].name : "?";
}
