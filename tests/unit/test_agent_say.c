// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_say.c - what is said to the host: order, pace, only what changed
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "guest-agent/say.h"
#include "hl/agent_wire.h"

#define MS     1000000ull
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct say say;
static struct agent_hint hint;
static struct agent_hint_vcpu vcpu[AGENT_VCPUS];

static void start(uint16_t vcpus, bool by_page)
{
	memset(&say, 0, sizeof(say));
	memset(&hint, 0, sizeof(hint));
	memset(vcpu, 0, sizeof(vcpu));
	say_hello(&say, 7, AGENT_CAP_PAGE);
	if (vcpus)
		say_open(&say, vcpus, by_page, 0);
}

/* Everything it says at @ms, as text: "HINTS 0+3, BELL". */
static const char *words(unsigned ms)
{
	static const char *const name[AGENT_KINDS] = {
		[AGENT_HELLO] = "HELLO",
		[AGENT_HINTS] = "HINTS",
		[AGENT_BELL] = "BELL",
		[AGENT_BEAT] = "BEAT",
	};
	static char text[1024];
	struct agent_any m;
	size_t used = 0, bytes;

	text[0] = '\0';
	while ((bytes = say_next(&say, &m, ms * MS))) {
		assert_int_equal(m.head.magic, AGENT_MSG_MAGIC);
		assert_int_equal(m.head.bytes, bytes);
		assert_int_equal(m.head.epoch, say.epoch);
		assert_true(agent_body_ok(m.head.kind,
					  (uint8_t *)&m + sizeof(m.head),
					  bytes - sizeof(m.head)));
		used +=
		    (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
				     used ? ", " : "", name[m.head.kind]);
		if (m.head.kind == AGENT_HINTS)
			used += (size_t)snprintf(text + used,
						 sizeof(text) - used, " %u+%u",
						 m.hints.first, m.hints.count);
		assert_true(used < sizeof(text) - 32);
	}
	return text;
}

static void change(unsigned v)
{
	vcpu[v].ack++;
}

static void hand_over(void)
{
	say_hint(&say, &hint, vcpu, AGENT_VCPUS);
}

static void test_hello_alone(void **state)
{
	(void)state;
	start(0, false);
	say.bell = true;
	hand_over();
	assert_string_equal(words(0), "HELLO");
	assert_string_equal(words(5000), "");
	say_open(&say, 2, false, 5000 * MS);
	assert_string_equal(words(5000), "HINTS 0+0");
	say_hello(&say, 8, 0);
	say.bell = true;
	assert_string_equal(words(6000), "HELLO");
	say_shut(&say);
	assert_string_equal(words(9000), "");
	assert_true(say_when_ns(&say) == UINT64_MAX);
}

static void test_hints(void **state)
{
	static const struct {
		const char *what;
		unsigned ms;
		uint16_t first,
		    last;   /* vcpus that change; last < first: none */
		bool whole; /* the hint of the VM changes */
		const char *said;
	} row[] = {
		{ "the first, though all zero", 0, 1, 0, 0, "HINTS 0+0" },
		{ "nothing new", 10, 1, 0, 0, "" },
		{ "one vcpu", 20, 5, 5, 0, "HINTS 5+1" },
		{ "too soon after that", 29, 6, 6, 0, "" },
		{ "now, with what came since", 30, 4, 4, 0, "HINTS 4+3" },
		{ "of the whole", 40, 1, 0, 1, "HINTS 0+0" },
		{ "32 of them", 50, 10, 41, 0, "HINTS 10+32" },
		{ "33 of them", 60, 10, 42, 0, "HINTS 10+32, HINTS 42+1" },
		{ "whole and part", 70, 99, 99, 1, "HINTS 99+1" },
		{ "beyond the vcpus there are", 80, 100, 511, 0, "" },
		{ "at the edge", 90, 99, 120, 0, "HINTS 99+1" },
		{ "nothing for a while", 1089, 1, 0, 0, "" },
		{ "a beat", 1090, 1, 0, 0, "BEAT" },
		{ "no beat, for there is a hint", 2090, 0, 0, 0, "HINTS 0+1" },
		{ "", 2091, 1, 0, 0, "" },
	};

	(void)state;
	start(100, false);
	for (unsigned i = 0; i < LEN(row); i++) {
		for (unsigned v = row[i].first; v <= row[i].last; v++)
			change(v);
		hint.wait_us += row[i].whole;
		hand_over();
		if (strcmp(words(row[i].ms), row[i].said))
			fail_msg("%s: not \"%s\"", row[i].what, row[i].said);
	}
}

/* Changed there and back: the host is told nothing. */
static void test_net_change(void **state)
{
	(void)state;
	start(4, false);
	assert_string_equal(words(0), "HINTS 0+0");
	vcpu[1].wait_us = 9;
	hand_over();
	vcpu[1].wait_us = 0;
	hand_over();
	assert_string_equal(words(10), "");
	assert_true(say_when_ns(&say) == 1000 * MS); /* a beat */
}

/* What changes while a round is under way comes with the next. */
static void test_mid_round(void **state)
{
	struct agent_any m;

	(void)state;
	start(100, false);
	words(0);
	change(3);
	change(60);
	hand_over();
	assert_true(say_next(&say, &m, 10 * MS) > 0);
	assert_int_equal(m.hints.first, 3);
	change(2);
	change(61);
	hand_over();
	assert_true(say_next(&say, &m, 10 * MS) > 0);
	assert_int_equal(m.hints.first, 60);
	assert_int_equal(m.hints.count, 2); /* the newest of what is ahead */
	assert_int_equal(say_next(&say, &m, 10 * MS), 0);
	assert_true(say_when_ns(&say) == 20 * MS);
	assert_string_equal(words(20), "HINTS 2+1");
}

static void test_page(void **state)
{
	(void)state;
	start(4, true);
	change(1);
	hand_over();
	assert_string_equal(words(0), "");
	assert_true(say_when_ns(&say) == 1000 * MS);
	say.bell = true;
	assert_true(say_when_ns(&say) == 0);
	assert_string_equal(words(5), "BELL");
	assert_string_equal(words(1005), "BEAT");
	/* and without the page from now on: all of it */
	say_open(&say, 4, false, 1010 * MS);
	assert_string_equal(words(1010), "HINTS 1+1");
}

/* A host is told nothing of vcpus the caller did not name. */
static void test_fewer(void **state)
{
	(void)state;
	start(8, false);
	for (unsigned v = 0; v < 8; v++)
		change(v);
	say_hint(&say, &hint, vcpu, 3);
	assert_string_equal(words(0), "HINTS 0+3");
	hand_over();
	assert_string_equal(words(10), "HINTS 3+5");
	say_hint(&say, &hint, vcpu, 65535);
	assert_string_equal(words(20), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_alone),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_net_change),
		cmocka_unit_test(test_mid_round),
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_fewer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
