// SPDX-License-Identifier: Apache-2.0
/*
 * test_load_memc.c - what memcached is asked, and which bytes are an answer
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/load/memc.h"

#define VALUE_5 "VALUE k7 0 5\r\nabcde\r\nEND\r\n"

static const struct {
	const char *what, *in;
	ssize_t out;
	int miss;
} answers[] = {
	{ "nothing yet", "", 0, 0 },
	{ "stored", "STORED\r\n", 8, 0 },
	{ "stored, and more", "STORED\r\nEND\r\n", 8, 0 },
	{ "half a line", "STOR", 0, 0 },
	{ "not found", "END\r\n", 5, 1 },
	{ "a value", VALUE_5, 26, 0 },
	{ "a value, and more", VALUE_5 "STORED\r\n", 26, 0 },
	{ "a value of line ends", "VALUE k7 0 4\r\n\r\n\r\n\r\nEND\r\n", 25,
	  0 },
	{ "half a value", "VALUE k7 0 5\r\nabc", 0, 0 },
	{ "a value without its end", "VALUE k7 0 5\r\nabcde\r\nEN", 0, 0 },
	{ "a value with another end", "VALUE k7 0 5\r\nabcdefg\r\nEND\r\n",
	  -EPROTO, 0 },
	{ "a value too long", "VALUE k7 0 1025\r\n", -EPROTO, 0 },
	{ "a size that is none", "VALUE k7 0 x\r\n", -EPROTO, 0 },
	{ "another key", "VALUE x7 0 5\r\nabcde\r\nEND\r\n", -EPROTO, 0 },
	{ "an error", "ERROR\r\n", -EPROTO, 0 },
	{ "full", "SERVER_ERROR out of memory storing object\r\n", -EPROTO, 0 },
	{ "a line without end",
	  "0123456789012345678901234567890123456789012345678901234567890123"
	  "4567890123456789012345678901234567890123456789",
	  -EPROTO, 0 },
};

static void test_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		char buf[256]; /* what is beyond would end any line */
		size_t len = strlen(answers[i].in);
		int miss;
		ssize_t out;

		memcpy(buf, answers[i].in, len);
		memset(buf + len, '\n', sizeof(buf) - len);
		out = memc_answer(buf, len, &miss);
		if (out != answers[i].out || miss != answers[i].miss)
			print_error("%s: %zd\n", answers[i].what, out);
		assert_int_equal(out, answers[i].out);
		assert_int_equal(miss, answers[i].miss);
	}
}

static void test_ask(void **state)
{
	struct memc_conf c = { .keys = 10, .value = 3, .sets = 25 };
	char buf[MEMC_BYTES_MAX], again[MEMC_BYTES_MAX];
	unsigned sets = 0, key, asked[10] = { 0 };

	(void)state;
	for (uint64_t seq = 0; seq < 10000; seq++) {
		size_t n = memc_ask(&c, seq, buf);

		assert_true(n < sizeof(buf));
		buf[n] = '\0';
		assert_int_equal(memc_ask(&c, seq, again), n);
		assert_memory_equal(buf, again, n);
		if (sscanf(buf, "set k%u 0 0 3\r\nvvv\r\n", &key) == 1)
			sets++;
		else
			assert_int_equal(sscanf(buf, "get k%u\r\n", &key), 1);
		assert_true(key < 10);
		asked[key]++;
		assert_memory_equal(buf + n - 2, "\r\n", 2);
	}
	assert_in_range(sets, 2300, 2700);
	for (key = 0; key < 10; key++)
		assert_in_range(asked[key], 800, 1200);
}

static void test_ask_limits(void **state)
{
	struct memc_conf c = { .keys = 1, .value = MEMC_VALUE_MAX };
	char buf[MEMC_BYTES_MAX + 1];

	(void)state;
	c.sets = 0;
	for (uint64_t seq = 0; seq < 1000; seq++)
		assert_int_equal(memc_ask(&c, seq, buf), strlen("get k0\r\n"));
	c.sets = 100;
	for (uint64_t seq = 0; seq < 1000; seq++)
		assert_int_equal(memc_ask(&c, seq, buf),
				 strlen("set k0 0 0 1024\r\n\r\n") + 1024);
	buf[memc_fill(&c, 0, buf)] = '\0';
	assert_memory_equal(buf, "set k0 0 0 1024 noreply\r\nv", 26);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_ask_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
