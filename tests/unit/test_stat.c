// SPDX-License-Identifier: Apache-2.0
/* test_stat.c - the event ring and the delay window */
#include "stat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Events written so far, number asked for -> can it be had? */
static const struct {
	const char *what;
	uint64_t written, ask;
	bool there;
} rows[] = {
	{ "nothing yet", 0, 0, false },
	{ "the first", 1, 0, true },
	{ "the next", 1, 1, false },
	{ "the oldest kept", STAT_LOG_MAX, 1, true },
	{ "the one being written over", STAT_LOG_MAX, 0, false },
	{ "the newest", 3 * STAT_LOG_MAX + 5, 3 * STAT_LOG_MAX + 4, true },
	{ "the oldest kept, later", 3 * STAT_LOG_MAX + 5, 2 * STAT_LOG_MAX + 6,
	  true },
	{ "one too old", 3 * STAT_LOG_MAX + 5, 2 * STAT_LOG_MAX + 5, false },
	{ "far ahead", 5, UINT64_MAX - 5, false },
};

static void test_ring(void **state)
{
	struct stat_event e;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&stat_hostd, 0, sizeof(stat_hostd));
		for (uint64_t n = 0; n < rows[i].written; n++)
			stat_event_add(&(struct stat_event){ .at_ns = n });
		if (stat_event_get(rows[i].ask, &e) != rows[i].there)
			fail_msg("%s", rows[i].what);
		if (rows[i].there && e.at_ns != rows[i].ask)
			fail_msg("%s: another event", rows[i].what);
	}
}

static void test_window(void **state)
{
	static struct stat_signal signal;
	static struct hist both;

	(void)state;
	hist_add(&signal.score.hist, 10);
	hist_add(&signal.score.hist, 20);
	hist_add(&signal.before, 31);
	hist_add(&signal.sum, 5000); /* older: not in the window */
	stat_window(&signal, &both);
	assert_int_equal(both.count, 3);
	assert_int_equal(both.max_ns, 31);
	assert_int_equal(hist_quantile(&both, 5000), 20);
	assert_int_equal(signal.score.hist.count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
