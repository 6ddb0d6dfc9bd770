// SPDX-License-Identifier: Apache-2.0
/*
 * test_agents_board.c - grants and hints between two threads: words that
 * change when something does, and a bell that rings once
 */
#include "agent_board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

static struct agent_board b;

static int setup(void **state)
{
	(void)state;
	memset(&b, 0, sizeof(b));
	b.kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return b.kick_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	return close(b.kick_fd);
}

/* Kicks since the last call. */
static unsigned rung(void)
{
	uint64_t cnt = 0;

	return read(b.kick_fd, &cnt, sizeof(cnt)) < 0 ? 0 : (unsigned)cnt;
}

static void test_grants(void **state)
{
	static const struct {
		const char *what;
		uint16_t cpu, llc;
		bool changed;
		uint32_t gen;
	} row[] = {
		{ "owned nothing ever", CPU_NONE, CPU_NONE, false, 0 },
		{ "owns 3", 3, 2, true, 1 },
		{ "the same", 3, 2, false, 1 },
		{ "another cache", 3, 0, true, 2 },
		{ "another cpu", 4, 0, true, 3 },
		{ "nothing", CPU_NONE, CPU_NONE, true, 4 },
		{ "nothing again", CPU_NONE, CPU_NONE, false, 4 },
		{ "cpu 0", 0, 0, true, 5 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint64_t word;

		b.changed = false;
		board_grant(&b, 7, row[i].cpu, row[i].llc);
		word = board_word(&b, 7);
		if (b.changed != row[i].changed ||
		    agent_word_gen(word) != row[i].gen ||
		    agent_word_owns(word) != (row[i].cpu != CPU_NONE) ||
		    (row[i].gen && agent_word_cpu(word) != row[i].cpu))
			fail_msg("%s: %llx, changed %d", row[i].what,
				 (unsigned long long)word, b.changed);
	}
	/* generations go round without the one that means "never" */
	b.grant[7] = agent_word(0xffffffff, 3, 2);
	board_grant(&b, 7, 5, 2);
	assert_int_equal(agent_word_gen(board_word(&b, 7)), 1);
}

static void test_kicks(void **state)
{
	static const struct {
		const char *what;
		bool grant, heard; /* something changes; the kick is heard */
		unsigned watched, kicks;
	} row[] = {
		{ "nothing changed", false, true, 1, 0 },
		{ "nobody watches", true, true, 0, 0 },
		{ "somebody does", true, true, 1, 1 },
		{ "nothing since", false, true, 1, 0 },
		{ "not heard yet", true, false, 1, 1 },
		{ "so not again", true, false, 1, 0 },
		{ "nor again", true, true, 1, 0 },
		{ "heard", true, true, 1, 1 },
	};
	uint16_t cpu = 1;

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		unsigned kicks;

		b.watched = row[i].watched;
		if (row[i].grant)
			board_grant(&b, 0, cpu++, 0);
		board_kick(&b);
		kicks = rung();
		if (kicks != row[i].kicks || b.changed)
			fail_msg("%s: %u kicks", row[i].what, kicks);
		if (row[i].heard)
			b.rung = false;
	}
}

static void test_hints(void **state)
{
	static const struct board_hint row[] = {
		{ false, 0, 0 },
		{ true, 0, 0 },
		{ true, 4, 250 },
		{ true, AGENT_VCPUS, 1000000 },
		{ true, 0xffff, 0xffffffff },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct board_hint h;

		board_hint_put(&b, 5, &row[i]);
		h = board_hint(&b, 5);
		assert_int_equal(h.valid, row[i].valid);
		assert_int_equal(h.wanted, row[i].wanted);
		assert_int_equal(h.wait_us, row[i].wait_us);
		assert_false(board_hint(&b, 4).valid);
	}
	/* none is heard: nothing of the rest is left */
	board_hint_put(&b, 5, &(struct board_hint){ false, 3, 9 });
	assert_int_equal(board_hint(&b, 5).wanted, 0);
	assert_int_equal(board_hint(&b, 5).wait_us, 0);
	board_runnable_put(&b, 8, 12);
	assert_int_equal(board_runnable(&b, 8), 12);
	assert_int_equal(board_runnable(&b, 7), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_grants),
		T(test_kicks),
		T(test_hints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
