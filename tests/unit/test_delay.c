/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_delay.c - the stamps beside a virtqueue
 *
 * Tables for what a guest may show, then a random walk against a model that
 * keeps one list element for each untaken entry.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vhost/delay.h"

#define ROWS(t) (sizeof(t) / sizeof((t)[0]))

static void init_takes_powers_of_two(void **state)
{
	static const struct {
		const char *what;
		uint16_t size;
		int err;
	} row[] = {
		{ "none", 0, -EINVAL },
		{ "one entry", 1, 0 },
		{ "no power of two", 3, -EINVAL },
		{ "QEMU's default", 256, 0 },
		{ "no power of two, large", 1023, -EINVAL },
		{ "the largest", 32768, 0 },
		{ "too large", 65535, -EINVAL },
	};
	struct delay d;

	(void)state;
	for (unsigned i = 0; i < ROWS(row); i++) {
		print_message("%s\n", row[i].what);
		assert_int_equal(delay_init(&d, row[i].size), row[i].err);
		if (!row[i].err)
			delay_exit(&d);
	}
}

/* A ring of 8, entries given up to `given`, known taken up to `taken`. */
static void progress(void **state)
{
	static const struct {
		const char *what;
		uint16_t taken, given;
		bool event_idx;
		uint16_t used_event, avail_idx, want;
	} row[] = {
		{ "nothing given, nothing known", 5, 5, true, 5, 13, 5 },
		{ "armed at the start: none taken", 0, 3, true, 0, 8, 0 },
		{ "driver says two taken", 1, 4, true, 3, 9, 3 },
		{ "driver says all taken", 1, 4, true, 4, 9, 4 },
		{ "no EVENT_IDX: its word is not read", 1, 4, false, 3, 9, 1 },
		{ "two posted again: two taken", 1, 4, false, 0, 11, 3 },
		{ "avail is ahead of used_event", 1, 4, true, 2, 11, 3 },
		{ "used_event is ahead of avail", 1, 4, true, 4, 11, 4 },
		{ "posted nothing new", 1, 4, false, 0, 9, 1 },
		{ "callbacks off: zero is no news", 65534, 3, true, 0, 6,
		  65534 },
		{ "zero with avail's news", 65534, 3, true, 0, 8, 0 },
		{ "wrapped: driver's word", 65534, 3, true, 1, 6, 1 },
		{ "wrapped: avail's word", 65534, 3, false, 0, 7, 65535 },
		{ "full ring, one taken", 10, 18, true, 11, 18, 11 },
		{ "full ring, all posted again", 10, 18, false, 0, 26, 18 },
		{ "lie: more than was given", 1, 4, true, 5, 9, 1 },
		{ "lie: less than is known", 3, 4, true, 2, 9, 3 },
		{ "lie: half the world away", 1, 4, true, 32770, 9, 1 },
		{ "lie: avail too far", 1, 4, false, 0, 13, 1 },
		{ "lie: avail behind", 1, 4, false, 0, 2, 1 },
		{ "one lies, the other does not", 1, 4, true, 9, 10, 2 },
	};
	struct delay d;

	(void)state;
	assert_int_equal(delay_init(&d, 8), 0);
	for (unsigned i = 0; i < ROWS(row); i++) {
		print_message("%s\n", row[i].what);
		delay_reset(&d, row[i].taken);
		delay_given(&d, row[i].given, 0);
		assert_int_equal(delay_progress(&d, row[i].event_idx,
						row[i].used_event,
						row[i].avail_idx),
				 row[i].want);
	}
	delay_exit(&d);
}

/* One ring of 4 through a day: each row is one call, then what is seen. */
static void ages(void **state)
{
	enum act { GIVE, TAKE, RESET };
	static const struct {
		const char *what;
		enum act act;
		uint16_t idx;
		uint64_t now_ns;
		unsigned newly;
		uint16_t untaken;
		uint64_t oldest_ns; /* at now_ns */
	} row[] = {
		{ "start just before the wrap", RESET, 65534, 0, 0, 0, 0 },
		{ "two given", GIVE, 0, 100, 0, 2, 0 },
		{ "one more, later", GIVE, 1, 150, 0, 3, 50 },
		{ "nothing new given", GIVE, 1, 160, 0, 3, 60 },
		{ "the oldest taken", TAKE, 65535, 170, 1, 2, 70 },
		{ "taken again: no news", TAKE, 65535, 180, 0, 2, 80 },
		{ "lie: beyond what was given", TAKE, 2, 190, 0, 2, 90 },
		{ "lie: back", TAKE, 65534, 190, 0, 2, 90 },
		{ "the second", TAKE, 0, 200, 1, 1, 50 },
		{ "ring full", GIVE, 4, 210, 0, 4, 60 },
		{ "given unseen: the oldest must be gone", GIVE, 5, 220, 0, 4,
		  10 },
		{ "a clock that went back", TAKE, 2, 205, 1, 3, 0 },
		{ "all taken", TAKE, 5, 300, 3, 0, 0 },
		{ "garbage: more than a ring at once", GIVE, 1005, 400, 0, 4,
		  0 },
		{ "the ring starts again", RESET, 7, 500, 0, 0, 0 },
		{ "and works", GIVE, 9, 510, 0, 2, 0 },
		{ "to the end", TAKE, 9, 517, 2, 0, 0 },
	};
	struct score *s = calloc(1, sizeof(*s));
	uint64_t count = 0;
	struct delay d;

	(void)state;
	assert_non_null(s);
	s->limit_ns = 80;
	assert_int_equal(delay_init(&d, 4), 0);
	for (unsigned i = 0; i < ROWS(row); i++) {
		unsigned newly = 0;

		print_message("%s\n", row[i].what);
		if (row[i].act == GIVE)
			delay_given(&d, row[i].idx, row[i].now_ns);
		else if (row[i].act == TAKE)
			newly = delay_taken(&d, row[i].idx, row[i].now_ns, s);
		else
			delay_reset(&d, row[i].idx);
		count += newly;
		assert_int_equal(newly, row[i].newly);
		assert_int_equal(delay_untaken(&d), row[i].untaken);
		assert_int_equal(delay_oldest_ns(&d, row[i].now_ns),
				 row[i].oldest_ns);
		assert_int_equal(s->hist.count, count);
	}
	/* 70, 100, 0 (the clock), 90, 90, 80, 7, 7: the largest is known */
	assert_int_equal(s->hist.max_ns, 100);
	assert_int_equal(s->hist.bucket[hist_index(7)], 2);
	assert_int_equal(s->done, count);
	assert_int_equal(s->late, 3); /* 80 is not */
	delay_exit(&d);
	free(s);
}

static void score_may_be_absent(void **state)
{
	struct delay d;

	(void)state;
	assert_int_equal(delay_init(&d, 2), 0);
	delay_reset(&d, 0);
	delay_given(&d, 2, 5);
	assert_int_equal(delay_taken(&d, 1, 9, NULL), 1);
	assert_int_equal(delay_oldest_ns(&d, 9), 4);
	delay_exit(&d);
}

/* The model: the stamps of the untaken entries, oldest first. */
struct model {
	uint64_t stamp_ns[64];
	unsigned num;
};

static void model_shift(struct model *m, unsigned n)
{
	memmove(m->stamp_ns, m->stamp_ns + n,
		(m->num - n) * sizeof(m->stamp_ns[0]));
	m->num -= n;
}

static void random_walk(void **state)
{
	enum { SIZE = 16, STEPS = 300000 };
	struct model m = { .num = 0 };
	uint16_t given = 65000, taken = 65000;
	uint64_t now_ns = 1;
	struct delay d;

	(void)state;
	srand(1);
	assert_int_equal(delay_init(&d, SIZE), 0);
	delay_reset(&d, given);
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned n = (unsigned)rand() % (SIZE + 1);
		uint16_t lie = (uint16_t)rand();

		now_ns += (unsigned)rand() % 3;
		if (rand() % 2 && n <= SIZE - m.num) { /* hostd gives n */
			given = (uint16_t)(given + n);
			delay_given(&d, given, now_ns);
			for (unsigned k = 0; k < n; k++)
				m.stamp_ns[m.num++] = now_ns;
		} else if (n <= m.num) { /* the guest takes n and says so */
			uint16_t avail = (uint16_t)(taken + n + SIZE);
			uint16_t at = delay_progress(&d, false, 0, avail);

			taken = (uint16_t)(taken + n);
			assert_int_equal(at, taken);
			assert_int_equal(delay_taken(&d, at, now_ns, NULL), n);
			model_shift(&m, n);
		}
		if ((uint16_t)(lie - taken) > m.num)
			assert_int_equal(delay_taken(&d, lie, now_ns, NULL), 0);
		assert_int_equal(delay_untaken(&d), m.num);
		assert_int_equal(delay_oldest_ns(&d, now_ns),
				 m.num ? now_ns - m.stamp_ns[0] : 0);
	}
	delay_exit(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_takes_powers_of_two),
		cmocka_unit_test(progress),
		cmocka_unit_test(ages),
		cmocka_unit_test(score_may_be_absent),
		cmocka_unit_test(random_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
