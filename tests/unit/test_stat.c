// SPDX-License-Identifier: Apache-2.0
/* test_stat.c - the delay window */
#include "stat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

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
		cmocka_unit_test(test_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
