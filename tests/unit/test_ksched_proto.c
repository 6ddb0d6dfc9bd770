// SPDX-License-Identifier: Apache-2.0
/* test_ksched_proto.c - the kernel module's rules, in user space */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hl/bounds.h"
#include "hl/cpumask.h"
#include "ksched/module/proto.h"

_Static_assert(KSCHED_CPUS_MAX == CPU_MAX, "one width of masks");
_Static_assert(KSCHED_THREADS_MAX == VCPU_MAX, "every vcpu can have a slot");
_Static_assert(sizeof(struct ksched_mask) == sizeof(struct cpumask),
	       "a mask can be copied");

#define ROWS(t) (sizeof(t) / sizeof((t)[0]))

/* --- states -------------------------------------------------------------- */

static const struct {
	const char *what;
	enum thread_state from;
	enum ask_what answer;
	enum thread_state to;
} ask_rows[] = {
	{ "free: refused", THREAD_FREE, ASK_REFUSE, THREAD_FREE },
	{ "idle: sent", THREAD_IDLE, ASK_SEND, THREAD_QUEUED },
	{ "queued: overtakes", THREAD_QUEUED, ASK_REPLACE, THREAD_QUEUED },
	{ "moving: kept", THREAD_MOVING, ASK_KEEP, THREAD_MOVING_MORE },
	{ "moving and more: overtakes", THREAD_MOVING_MORE, ASK_REPLACE,
	  THREAD_MOVING_MORE },
};

static void test_ask(void **unused)
{
	(void)unused;
	assert_int_equal(ROWS(ask_rows), THREAD_STATES);
	for (size_t i = 0; i < ROWS(ask_rows); i++) {
		enum thread_state s = ask_rows[i].from;

		print_message("%s\n", ask_rows[i].what);
		assert_int_equal(thread_ask(&s), ask_rows[i].answer);
		assert_int_equal(s, ask_rows[i].to);
	}
}

static const struct {
	enum thread_state from;
	bool begins;
	enum thread_state begun;
} begin_rows[] = {
	{ THREAD_FREE, false, THREAD_FREE },
	{ THREAD_IDLE, false, THREAD_IDLE },
	{ THREAD_QUEUED, true, THREAD_MOVING },
	{ THREAD_MOVING, false, THREAD_MOVING },
	{ THREAD_MOVING_MORE, false, THREAD_MOVING_MORE },
};

static void test_begin(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ROWS(begin_rows); i++) {
		enum thread_state s = begin_rows[i].from;

		assert_int_equal(thread_begin(&s), begin_rows[i].begins);
		assert_int_equal(s, begin_rows[i].begun);
	}
}

static void test_finish(void **unused)
{
	enum thread_state s = THREAD_MOVING;

	(void)unused;
	assert_false(thread_finish(&s));
	assert_int_equal(s, THREAD_IDLE);
	s = THREAD_MOVING_MORE;
	assert_true(thread_finish(&s));
	assert_int_equal(s, THREAD_QUEUED);
}

static void test_hand_on(void **unused)
{
	enum thread_state s = THREAD_MOVING;

	(void)unused;
	assert_false(thread_hand_on(&s));
	assert_int_equal(s, THREAD_QUEUED);
	s = THREAD_MOVING_MORE;
	assert_true(thread_hand_on(&s));
	assert_int_equal(s, THREAD_QUEUED);
}

/*
 * Random asks, beginnings, hand-ons and ends, against what the table of states
 * promises: each move asked is answered once, the last one is carried out, and
 * a thread is in a list at most once.
 */
static void test_each_move_answered_once(void **unused)
{
	enum thread_state s = THREAD_IDLE;
	unsigned asked = 0, answered = 0, in_list = 0, newest = 0, done = 0;
	unsigned waiting = 0, moving = 0;

	(void)unused;
	srand(7);
	for (unsigned step = 0; step < 200000; step++) {
		if (rand() % 2) {
			enum ask_what what = thread_ask(&s);

			newest = ++asked;
			in_list += what == ASK_SEND;
			answered += what == ASK_REPLACE;
			waiting = newest;
			assert_int_not_equal(what, ASK_REFUSE);
		} else if (thread_begin(&s)) {
			in_list--;
			moving = waiting;
		} else if (s != THREAD_IDLE && rand() % 4 == 0) {
			if (thread_hand_on(&s))
				answered++; /* overtaken */
			else
				waiting = moving;
			in_list++;
		} else if (s != THREAD_IDLE) {
			done = moving;
			answered++;
			in_list += thread_finish(&s);
		}
		assert_true(in_list == (s == THREAD_QUEUED));
		if (s == THREAD_IDLE) {
			assert_int_equal(answered, asked);
			assert_int_equal(done, newest);
		}
	}
	assert_true(asked > 10000);
}

/* --- checks -------------------------------------------------------------- */

static void test_start(void **unused)
{
	static const struct {
		const char *what;
		struct ksched_start in;
		int err;
	} rows[] = {
		{ "good", { KSCHED_VERSION, 1000, 0, 0 }, 0 },
		{ "shortest", { KSCHED_VERSION, 100, 0, 0 }, 0 },
		{ "longest", { KSCHED_VERSION, 60000, 0, 0 }, 0 },
		{ "older", { KSCHED_VERSION - 1, 1000, 0, 0 }, -EPROTO },
		{ "newer", { KSCHED_VERSION + 1, 1000, 0, 0 }, -EPROTO },
		{ "too short", { KSCHED_VERSION, 99, 0, 0 }, -ERANGE },
		{ "too long", { KSCHED_VERSION, 60001, 0, 0 }, -ERANGE },
		{ "out field", { KSCHED_VERSION, 1000, 1, 0 }, -EINVAL },
		{ "reserved", { KSCHED_VERSION, 1000, 0, 1 }, -EINVAL },
	};

	(void)unused;
	for (size_t i = 0; i < ROWS(rows); i++) {
		print_message("%s\n", rows[i].what);
		assert_int_equal(start_check(&rows[i].in), rows[i].err);
	}
}

static void test_add(void **unused)
{
	static const struct {
		const char *what;
		struct ksched_add in;
		int err;
	} rows[] = {
		{ "good", { .tgid = 10, .tid = 11 }, 0 },
		{ "no process", { .tid = 11 }, -EINVAL },
		{ "no thread", { .tgid = 10 }, -EINVAL },
		{ "negative", { .tgid = 10, .tid = -1 }, -EINVAL },
		{ "slot", { .tgid = 10, .tid = 11, .slot = 1 }, -EINVAL },
		{ "reserved",
		  { .tgid = 10, .tid = 11, .reserved = 1 },
		  -EINVAL },
		{ "had", { .tgid = 10, .tid = 11, .had = { { 1 } } }, -EINVAL },
	};

	(void)unused;
	for (size_t i = 0; i < ROWS(rows); i++) {
		print_message("%s\n", rows[i].what);
		assert_int_equal(add_check(&rows[i].in), rows[i].err);
	}
}

static void test_move(void **unused)
{
	static const struct {
		const char *what;
		struct ksched_move in;
		int err;
	} rows[] = {
		{ "good", { .slot = 8191, .role = 2, .mask = { { 1 } } }, 0 },
		{ "last cpu",
		  { .mask = { { 0, 0, 0, 0, 0, 0, 0, 1ull << 63 } } },
		  0 },
		{ "slot", { .slot = 8192, .mask = { { 1 } } }, -ESRCH },
		{ "role", { .role = 3, .mask = { { 1 } } }, -EINVAL },
		{ "reserved", { .reserved = 1, .mask = { { 1 } } }, -EINVAL },
		{ "empty mask", { .slot = 1 }, -EINVAL },
	};

	(void)unused;
	for (size_t i = 0; i < ROWS(rows); i++) {
		print_message("%s\n", rows[i].what);
		assert_int_equal(move_check(&rows[i].in), rows[i].err);
	}
}

/* Masks of up to 64 cpus in hexadecimal. */
static void test_look(void **unused)
{
	static const struct {
		const char *what;
		uint64_t had, bound, set, now, away;
		bool displaced, others;
		uint64_t had_after, bound_after;
	} rows[] = {
		{ "as we left it", 0xff, 0xff, 0x04, 0x04, 0, false, false,
		  0xff, 0xff },
		{ "narrowed by others", 0xff, 0xff, 0xff, 0x03, 0, false, true,
		  0x03, 0x03 },
		{ "narrow when handed over, widened by others", 0x03, 0x03,
		  0x01, 0xff, 0, false, true, 0xff, 0xff },
		{ "moved by others", 0x03, 0x03, 0x01, 0x30, 0, false, true,
		  0x30, 0x30 },
		{ "its cpu went: the kernel widened it", 0x0c, 0x0f, 0x08, 0xf7,
		  0x08, true, false, 0x0c, 0x0f },
		{ "its cpu went and is back", 0x0c, 0x0f, 0x08, 0xff, 0, true,
		  false, 0x0c, 0x0f },
		{ "cpuset without a cpu that is away", 0xff, 0xff, 0x01, 0x7f,
		  0x80, false, true, 0xff, 0xff },
		{ "narrowed, a cpu away meanwhile", 0x8f, 0x8f, 0x01, 0x03,
		  0x80, false, true, 0x83, 0x83 },
		{ "away and never allowed", 0x0f, 0x0f, 0x01, 0x03, 0x80, false,
		  true, 0x03, 0x03 },
	};

	(void)unused;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct affinity a = { .had = { { rows[i].had } },
				      .bound = { { rows[i].bound } },
				      .set = { { rows[i].set } } };
		const struct ksched_mask now = { { rows[i].now } };
		const struct ksched_mask away = { { rows[i].away } };

		print_message("%s\n", rows[i].what);
		assert_int_equal(
		    affinity_look(&a, &now, &away, rows[i].displaced),
		    rows[i].others);
		assert_int_equal(a.had.word[0], rows[i].had_after);
		assert_int_equal(a.bound.word[0], rows[i].bound_after);
		assert_int_equal(a.set.word[0], rows[i].now);
	}
}

static void test_back(void **unused)
{
	static const struct {
		const char *what;
		uint64_t had, bound, set;
		bool does;
		uint64_t back;
	} rows[] = {
		{ "nobody else touched it", 0xff, 0xff, 0x04, true, 0xff },
		{ "never moved", 0xff, 0xff, 0xff, false, 0 },
		{ "bound is narrower now", 0x0e, 0x06, 0x04, true, 0x06 },
		{ "nothing in common", 0x0f, 0x30, 0x30, false, 0 },
		{ "the kernel widened it", 0x80, 0xff, 0x7f, true, 0x80 },
	};

	(void)unused;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct affinity a = { .had = { { rows[i].had } },
					    .bound = { { rows[i].bound } },
					    .set = { { rows[i].set } } };
		struct ksched_mask back;

		print_message("%s\n", rows[i].what);
		assert_int_equal(affinity_back(&a, &back), rows[i].does);
		if (rows[i].does)
			assert_int_equal(back.word[0], rows[i].back);
	}
}

static void test_masks_every_word(void **unused)
{
	(void)unused;
	for (unsigned cpu = 0; cpu < KSCHED_CPUS_MAX; cpu++) {
		struct ksched_mask one = { { 0 } }, all = { { 0 } };

		one.word[cpu / 64] = 1ull << (cpu % 64);
		assert_false(mask_empty(&one));
		assert_true(mask_empty(&all));
		assert_false(mask_subset(&one, &all));
		assert_true(mask_subset(&all, &one));
		assert_false(mask_equal(&one, &all));
		mask_add(&all, &one);
		assert_true(mask_equal(&one, &all));
		mask_keep(&all, &one);
		assert_true(mask_equal(&one, &all));
	}
}

static void test_silence(void **unused)
{
	static const struct {
		const char *what;
		uint64_t heard, now, silence;
		bool silent;
	} rows[] = {
		{ "just heard", 100, 100, 50, false },
		{ "almost", 100, 149, 50, false },
		{ "silent", 100, 150, 50, true },
		{ "heard after we looked", 200, 150, 50, false },
	};

	(void)unused;
	for (size_t i = 0; i < ROWS(rows); i++) {
		print_message("%s\n", rows[i].what);
		assert_int_equal(
		    silent(rows[i].heard, rows[i].now, rows[i].silence),
		    rows[i].silent);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_hand_on),
		cmocka_unit_test(test_each_move_answered_once),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_back),
		cmocka_unit_test(test_masks_every_word),
		cmocka_unit_test(test_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
