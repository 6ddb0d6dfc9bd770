// SPDX-License-Identifier: Apache-2.0
/*
 * test_load_msg.c - which bytes are a request, which an answer
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "tests/load/msg.h"

#define GOOD MSG_MAGIC, MSG_REQUEST, MSG_UNIT_NS, 0, 7, 8

static const struct {
	const char *what;
	struct msg in;
	size_t len;
	enum msg_kind kind;
	bool out;
} cases[] = {
	{ "a request", { GOOD, 1000 }, 32, MSG_REQUEST, true },
	{ "one byte short", { GOOD, 1000 }, 31, MSG_REQUEST, false },
	{ "one byte long", { GOOD, 1000 }, 33, MSG_REQUEST, false },
	{ "nothing", { GOOD, 1000 }, 0, MSG_REQUEST, false },
	{ "a request where an answer is due",
	  { GOOD, 1000 },
	  32,
	  MSG_ANSWER,
	  false },
	{ "an answer",
	  { MSG_MAGIC, MSG_ANSWER, MSG_UNIT_NS, 0, 7, 8, 1000 },
	  32,
	  MSG_ANSWER,
	  true },
	{ "another magic",
	  { 1, MSG_REQUEST, MSG_UNIT_NS, 0, 7, 8, 1000 },
	  32,
	  MSG_REQUEST,
	  false },
	{ "the spare field is used",
	  { MSG_MAGIC, MSG_REQUEST, MSG_UNIT_NS, 1, 7, 8, 1000 },
	  32,
	  MSG_REQUEST,
	  false },
	{ "the longest time", { GOOD, MSG_NS_MAX }, 32, MSG_REQUEST, true },
	{ "too long a time", { GOOD, MSG_NS_MAX + 1 }, 32, MSG_REQUEST, false },
	{ "loops",
	  { MSG_MAGIC, MSG_REQUEST, MSG_UNIT_LOOPS, 0, 7, 8, MSG_LOOPS_MAX },
	  32,
	  MSG_REQUEST,
	  true },
	{ "too many loops",
	  { MSG_MAGIC, MSG_REQUEST, MSG_UNIT_LOOPS, 0, 7, 8,
	    MSG_LOOPS_MAX + 1 },
	  32,
	  MSG_REQUEST,
	  false },
	{ "an unknown unit",
	  { MSG_MAGIC, MSG_REQUEST, 3, 0, 7, 8, 1000 },
	  32,
	  MSG_REQUEST,
	  false },
};

static void test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char buf[33] = { 0 };
		struct msg m;
		bool out;

		memcpy(buf, &cases[i].in, sizeof(m));
		out = msg_read(&m, buf, cases[i].len, cases[i].kind);
		if (out != cases[i].out)
			print_error("%s\n", cases[i].what);
		assert_int_equal(out, cases[i].out);
		if (out)
			assert_memory_equal(&m, &cases[i].in, sizeof(m));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_read) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
