// SPDX-License-Identifier: Apache-2.0
/* test_hostctl_table.c - figures and columns for people */
#include "hostctl_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_time(void **state)
{
	static const struct {
		uint64_t ns;
		const char *want;
	} rows[] = {
		{ 0, "0ns" },
		{ 999, "999ns" },
		{ 1000, "1.00us" },
		{ 12345, "12.3us" },
		{ 999999, "999us" },
		{ 1000000, "1.00ms" },
		{ 59999999999, "59.9s" },
		{ 60000000000, "1m00s" },
		{ 3599000000000, "59m59s" },
		{ 3600000000000, "1h00m" },
		{ 2 * 86400000000000ull - 1, "47h59m" },
		{ 2 * 86400000000000ull, "2d0h" },
		{ UINT64_MAX, "213503d23h" },
	};
	char buf[32];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(human_time(rows[i].ns, buf, sizeof(buf)),
				    rows[i].want);
}

static void test_count(void **state)
{
	static const struct {
		uint64_t n;
		const char *want;
	} rows[] = {
		{ 0, "0" },
		{ 99999, "99999" },
		{ 100000, "100k" },
		{ 999999, "999k" },
		{ 1234567, "1.23M" },
		{ 12345678901, "12.3G" },
		{ UINT64_MAX, "18446744T" },
	};
	char buf[32];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(human_count(rows[i].n, buf, sizeof(buf)),
				    rows[i].want);
}

static void test_columns(void **state)
{
	static const struct {
		const char *what, *text, *align, *want;
	} rows[] = {
		{ "left and right", "A\tB\tC\naa\tb\tccc\n", "lrl",
		  "A   B  C\naa  b  ccc\n" },
		{ "right is padded in front", "N\tx\n100\ty\n", "rl",
		  "  N  x\n100  y\n" },
		{ "letters, not bytes", "\xc3\xbc\t1\nab\t2\n", "lr",
		  "\xc3\xbc   1\nab  2\n" },
		{ "empty cells", "\t\t\n", "lll", "    \n" },
		{ "nothing", "", "l", "" },
		{ "more columns than letters", "a\tb\tc\n", "l", "a  b  c\n" },
		{ "no final newline", "a", "l", "a\n" },
		{ "17 columns", "1\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t17\n", "l",
		  "1                                17\n" },
	};
	char *out;
	size_t size;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		FILE *f = open_memstream(&out, &size);

		table_print(f, rows[i].text, rows[i].align);
		fclose(f);
		if (strcmp(out, rows[i].want))
			fail_msg("%s:\n%s", rows[i].what, out);
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
