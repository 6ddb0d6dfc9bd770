// SPDX-License-Identifier: Apache-2.0
/*
 * test_actuate.c - wishes become moves, the newest wins, a full box waits
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actuate.h"
#include "stat.h"

/* A backend that remembers what it was given and answers when told to. */
#define BOX 8
static struct move sent[BOX];
static unsigned sent_cnt, room;
static struct move_done answer[BOX];
static unsigned answer_cnt;

static bool take(struct act *a, const struct move *m)
{
	(void)a;
	if (!room)
		return false;
	room--;
	sent[sent_cnt++ % BOX] = *m;
	return true;
}

static bool give(struct act *a, struct move_done *d)
{
	(void)a;
	if (!answer_cnt)
		return false;
	*d = answer[--answer_cnt];
	return true;
}

static const struct act_ops ops = { .name = "test",
				    .submit = take,
				    .reap = give };

static struct actuate *act;

static int setup(void **state)
{
	(void)state;
	memset(&stat_hostd, 0, sizeof(stat_hostd));
	sent_cnt = answer_cnt = 0;
	room = BOX;
	return actuate_open(&act, &ops, NULL);
}

static int teardown(void **state)
{
	(void)state;
	actuate_close(act);
	return 0;
}

static struct cpumask one(unsigned cpu)
{
	struct cpumask m = { 0 };

	cpumask_set(&m, cpu);
	return m;
}

static void want(uint16_t vcpu, unsigned cpu, uint64_t now_ns)
{
	struct cpumask m = one(cpu);

	actuate_want(act, vcpu, &m, now_ns);
}

static void test_only_changes_are_sent(void **state)
{
	static const struct {
		const char *what;
		unsigned cpu, moves; /* moves sent so far, after this wish */
	} rows[] = {
		{ "first wish", 3, 1 },
		{ "the same again", 3, 1 },
		{ "another cpu", 4, 2 },
		{ "back to the first", 3, 3 },
	};

	(void)state;
	actuate_vcpu(act, 7, 1, 0, 100, 101);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		want(7, rows[i].cpu, i);
		if (sent_cnt != rows[i].moves)
			fail_msg("%s: %u moves", rows[i].what, sent_cnt);
	}
	assert_int_equal(sent[2].tid, 101);
	assert_true(sent[0].gen < sent[1].gen && sent[1].gen < sent[2].gen);
	assert_true(cpumask_has(&sent[1].mask, 4));
}

static void test_no_thread_no_move(void **state)
{
	(void)state;
	want(7, 3, 1);
	assert_int_equal(sent_cnt, 0);
	actuate_vcpu(act, 7, 1, 0, 100, 101);
	want(7, 3, 1);
	actuate_vcpu(act, 7, VM_NONE, 0, 0, 0); /* unplugged */
	want(7, 4, 2);
	assert_int_equal(sent_cnt, 1);
}

static void test_full_box_waits_and_sends_the_newest(void **state)
{
	(void)state;
	actuate_vcpu(act, 7, 1, 0, 100, 101);
	actuate_vcpu(act, 900, 1, 1, 100, 102);
	room = 0;
	want(7, 3, 1);
	want(900, 3, 1);
	want(7, 5, 2); /* overtakes the first before it was sent */
	assert_int_equal(sent_cnt, 0);
	assert_true(actuate_busy(act));
	actuate_turn(act); /* still full */
	assert_int_equal(sent_cnt, 0);
	room = BOX;
	actuate_turn(act);
	assert_int_equal(sent_cnt, 2);
	assert_true(cpumask_has(&sent[0].mask, 5));
	assert_int_equal(sent[1].vcpu, 900);
	assert_int_equal(stat_hostd.moves_asked, 2);
}

static void test_answers_are_counted_by_kind(void **state)
{
	static const struct {
		int err;
		unsigned done, failed, vm_failed; /* each after this row */
	} rows[] = {
		{ 0, 1, 0, 0 },	      { -ECANCELED, 1, 0, 0 },
		{ -EINVAL, 1, 1, 1 }, { -ESRCH, 1, 2, 1 },
		{ 0, 2, 2, 1 },
	};

	(void)state;
	actuate_vcpu(act, 7, 1, 0, 100, 101);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		want(7, i, i);
		answer[answer_cnt++] =
		    (struct move_done){ .vcpu = 7,
					.gen = sent[(sent_cnt - 1) % BOX].gen,
					.err = rows[i].err,
					.took_ns = 1000 };
		actuate_turn(act);
		assert_int_equal(stat_hostd.moves_done, rows[i].done);
		assert_int_equal(stat_hostd.moves_failed, rows[i].failed);
		assert_int_equal(stat_hostd.vm[1].moves_failed,
				 rows[i].vm_failed);
		assert_false(actuate_busy(act));
	}
}

static void test_hostile_answer_is_dropped(void **state)
{
	(void)state;
	answer[answer_cnt++] = (struct move_done){ .vcpu = VCPU_MAX, .gen = 1 };
	actuate_turn(act);
	assert_int_equal(stat_hostd.moves_done, 0);
}

static void test_reassert_repeats_with_a_new_generation(void **state)
{
	struct wish w;

	(void)state;
	actuate_reassert(act, 7, 99); /* nothing wanted: nothing sent */
	assert_int_equal(sent_cnt, 0);
	actuate_vcpu(act, 7, 1, 0, 100, 101);
	want(7, 3, 55);
	actuate_reassert(act, 7, 99);
	assert_int_equal(sent_cnt, 2);
	assert_true(sent[1].gen > sent[0].gen);
	assert_true(cpumask_equal(&sent[0].mask, &sent[1].mask));
	assert_int_equal(sent[1].asked_ns, 99);
	assert_true(actuate_wish(act, 7, &w));
	assert_int_equal(w.since_ns, 55); /* stable since the wish itself */
	actuate_forget(act, 7);
	actuate_reassert(act, 7, 99);
	assert_int_equal(sent_cnt, 2);
	want(7, 3, 60);
	assert_true(sent[2].gen > sent[1].gen); /* never repeats */
}

static void test_what_a_move_takes(void **state)
{
	static const struct {
		unsigned moves;
		uint64_t took_ns, want_ns;
	} row[] = {
		{ 0, 0, 0 },	   { 7, 5000, 0 }, /* too few to tell */
		{ 8, 4095, 4095 },		   /* a bucket's upper end */
		{ 8, 10, 1000 },   { 8, 1ull << 40, 10000000 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		hist_reset(&stat_hostd.move_ns);
		for (unsigned n = 0; n < row[i].moves; n++)
			hist_add(&stat_hostd.move_ns, row[i].took_ns);
		if (actuate_move_ns() != row[i].want_ns)
			fail_msg("row %u: %lu", i,
				 (unsigned long)actuate_move_ns());
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_only_changes_are_sent),
		T(test_no_thread_no_move),
		T(test_full_box_waits_and_sends_the_newest),
		T(test_answers_are_counted_by_kind),
		T(test_hostile_answer_is_dropped),
		T(test_reassert_repeats_with_a_new_generation),
		T(test_what_a_move_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
