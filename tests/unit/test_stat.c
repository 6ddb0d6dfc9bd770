// SPDX-License-Identifier: Apache-2.0
/* test_stat.c - the delay window */
#include "stat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

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
	static struct stat_signal signal;
	static struct hist both;

	(void)state;
	hist_add(&signal.score.hist, 10);
	hist_add(&signal.score.hist, 20);
	hist_add(&signal.before, 31);
	stat_window(&signal, &both);
	assert_int_equal(both.count, 3);
	assert_int_equal(both.max_ns, 31);
	assert_int_equal(hist_quantile(&both, 5000), 20);
	assert_int_equal(signal.score.hist.count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bars),
		cmocka_unit_test(test_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
