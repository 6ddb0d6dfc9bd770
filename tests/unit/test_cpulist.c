// SPDX-License-Identifier: Apache-2.0
/*
 * test_cpulist.c - cpu sets to text and back
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cpulist.h"

static const struct {
	const char *what, *in;
	int err;
	const char *out; /* as cpulist_format() writes it */
} parse_row[] = {
	{ "nothing is the empty set", "", 0, "" },
	{ "white space is nothing", " \t\n", 0, "" },
	{ "one cpu", "7", 0, "7" },
	{ "the kernel's newline", "0-3\n", 0, "0-3" },
	{ "white space around", "  1,2 \n", 0, "1-2" },
	{ "a range of one", "5-5", 0, "5" },
	{ "neighbours join", "1,2,3", 0, "1-3" },
	{ "overlaps join", "0-4,2-6", 0, "0-6" },
	{ "order does not matter", "8,0-3", 0, "0-3,8" },
	{ "a stride", "10-14:2", 0, "10,12,14" },
	{ "a stride that misses the end", "0-7:3", 0, "0,3,6" },
	{ "a stride wider than the range", "3-5:100", 0, "3" },
	{ "the header's example", "0-3,8,10-14:2", 0, "0-3,8,10,12,14" },
	{ "leading zeros", "007", 0, "7" },
	{ "across words", "62-65", 0, "62-65" },
	{ "the last cpu", "511", 0, "511" },
	{ "all of them", "0-511", 0, "0-511" },
	{ "one too many", "512", -ERANGE, NULL },
	{ "a range that ends too far", "0-512", -ERANGE, NULL },
	{ "too large for any integer", "99999999999999999999", -ERANGE, NULL },
	{ "backwards", "3-1", -EINVAL, NULL },
	{ "stride 0", "0-4:0", -EINVAL, NULL },
	{ "a stride without a range", "4:2", -EINVAL, NULL },
	{ "no end", "3-", -EINVAL, NULL },
	{ "no start", "-3", -EINVAL, NULL },
	{ "no stride", "0-3:", -EINVAL, NULL },
	{ "a comma at the end", "1,", -EINVAL, NULL },
	{ "a comma at the start", ",1", -EINVAL, NULL },
	{ "nothing between commas", "1,,2", -EINVAL, NULL },
	{ "only a comma", ",", -EINVAL, NULL },
	{ "white space inside", "1, 2", -EINVAL, NULL },
	{ "two lists", "1 2", -EINVAL, NULL },
	{ "hexadecimal", "0x3", -EINVAL, NULL },
	{ "a sign", "+1", -EINVAL, NULL },
	{ "words", "all", -EINVAL, NULL },
	{ "a range of ranges", "1-2-3", -EINVAL, NULL },
};

static void test_parse(void **unused)
{
	char text[2048];

	(void)unused;
	for (size_t i = 0; i < sizeof(parse_row) / sizeof(parse_row[0]); i++) {
		struct cpumask m = { { 0xabc } }, was = m;
		int err = cpulist_parse(parse_row[i].in, &m);

		if (err != parse_row[i].err)
			fail_msg("%s: %d", parse_row[i].what, err);
		if (err) {
			if (!cpumask_equal(&m, &was))
				fail_msg("%s: wrote", parse_row[i].what);
			continue;
		}
		cpulist_format(&m, text, sizeof(text));
		if (strcmp(text, parse_row[i].out))
			fail_msg("%s: \"%s\"", parse_row[i].what, text);
	}
}

/* A list that does not fit ends after a whole item: half of "12" is 1. */
static void test_cut(void **unused)
{
	static const struct {
		size_t size;
		const char *out;
	} row[] = {
		{ 1, "" },
		{ 2, "" },
		{ 3, "" },
		{ 4, "1-3" },
		{ 6, "1-3" },
		{ 7, "1-3,12" },
		{ 10, "1-3,12" },
		{ 11, "1-3,12,500" },
		{ 99, "1-3,12,500" },
	};
	struct cpumask m;
	char text[100];

	(void)unused;
	assert_int_equal(cpulist_parse("1-3,12,500", &m), 0);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		memset(text, 'x', sizeof(text));
		assert_ptr_equal(cpulist_format(&m, text, row[i].size), text);
		assert_string_equal(text, row[i].out);
	}
	text[0] = 'x';
	cpulist_format(&m, text, 0);
	assert_int_equal(text[0], 'x');
}

/* Every mask comes back from its text. */
static void test_round_trip(void **unused)
{
	struct cpumask m, back;
	char text[4 * CPU_MAX];

	(void)unused;
	srand(1);
	for (unsigned run = 0; run < 2000; run++) {
		unsigned sparse = 1 + run % 40;

		memset(&m, 0, sizeof(m));
		for (unsigned cpu = 0; cpu < CPU_MAX; cpu++)
			if (rand() % (int)sparse == 0)
				cpumask_set(&m, cpu);
		cpulist_format(&m, text, sizeof(text));
		assert_int_equal(cpulist_parse(text, &back), 0);
		if (!cpumask_equal(&m, &back))
			fail_msg("\"%s\" came back as another set", text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
