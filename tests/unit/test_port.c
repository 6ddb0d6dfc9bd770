// SPDX-License-Identifier: Apache-2.0
/*
 * test_port.c - every reason has a name of its own
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vhost/port.h"

static void test_drop_names(void **state)
{
	(void)state;
	for (unsigned r = 0; r < DROP_NUM; r++)
		for (unsigned k = 0; k < r; k++)
			assert_string_not_equal(drop_name(r), drop_name(k));
	assert_string_equal(drop_name(DROP_HOLD_FULL), "hold-full");
	assert_string_equal(drop_name(DROP_NO_MBUF), "no-mbuf");
	assert_string_equal(drop_name(DROP_NUM), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
