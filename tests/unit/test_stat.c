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

/* Who is barred from where. */
static void test_bars(void **state)
{
	struct bar all = { .vm = VM_NONE, .cpus = { { 0x2 } } };
	struct bar one = { .vm = 3, .reason = 5, .cpus = { { 0x4 } } };

	(void)state;
	memset(&stat_hostd, 0, sizeof(stat_hostd));
	stat_bar_note(&all);
	stat_bar_note(&one);
	assert_int_equal(stat_hostd.bars, 2);
	assert_int_equal(stat_hostd.vm[3].bar.reason, 5);
	assert_true(stat_barred(3, 1));
	assert_true(stat_barred(3, 2));
	assert_true(stat_barred(4, 1));
	assert_false(stat_barred(4, 2));
	assert_false(stat_barred(3, 0));
	stat_bars_clear();
	assert_false(stat_barred(3, 1));
	assert_false(stat_barred(3, 2));
	assert_int_equal(stat_hostd.bars, 2);
}

static void test_window(void **state)
{
	static struct stat_vm vm;
	static struct hist both;

	(void)state;
	hist_add(&vm.window[0], 10);
	hist_add(&vm.window[0], 20);
	hist_add(&vm.window[1], 31);
	hist_add(&vm.delay, 5000); /* older: not in the window */
	stat_window(&vm, &both);
	assert_int_equal(both.count, 3);
	assert_int_equal(both.max_ns, 31);
	assert_int_equal(hist_quantile(&both, 5000), 20);
	assert_int_equal(vm.window[0].count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_bars),
		cmocka_unit_test(test_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
