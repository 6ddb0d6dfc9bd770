// SPDX-License-Identifier: Apache-2.0
/*
 * test_mbox.c - order, bounds, wrap-around, and two real threads
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "hl/mbox.h"

#define MESSAGES 200000u

struct msg {
	uint32_t n;
	uint32_t twice; /* a torn or repeated message does not fit */
};

static const struct {
	const char *what;
	uint32_t slots;
	int err;
} sizes[] = {
	{ "one slot", 1, 0 },	       { "a power of two", 64, 0 },
	{ "no slot", 0, -EINVAL },     { "no power of two", 3, -EINVAL },
	{ "beside one", 65, -EINVAL },
};

static void test_init(void **state)
{
	struct mbox b;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int err = mbox_init(&b, sizes[i].slots, sizeof(struct msg));

		if (err != sizes[i].err)
			fail_msg("%s: %d", sizes[i].what, err);
		if (!err)
			mbox_exit(&b);
	}
}

/*
 * One letter a step: p push the next number, P the same but it must be refused,
 * g get the next one in order, G nothing must be there.
 */
static const struct {
	const char *what;
	uint32_t slots, first; /* both indices start here */
	const char *steps;
} runs[] = {
	{ "empty at first", 4, 0, "G" },
	{ "in order", 4, 0, "pppgggG" },
	{ "full refuses, then goes on", 4, 0, "ppppPPgpPggggG" },
	{ "one slot", 1, 0, "pPgGpPgG" },
	{ "indices wrap", 4, UINT32_MAX - 1, "ppppPggpgpgggG" },
};

static void test_runs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		struct msg in = { 0, 0 }, out = { 0, 0 };
		uint32_t want = 0;
		struct mbox b;

		assert_int_equal(mbox_init(&b, runs[i].slots, sizeof(in)), 0);
		b.head = b.tail = runs[i].first;
		for (const char *s = runs[i].steps; *s; s++) {
			bool ok, push = *s == 'p' || *s == 'P';

			ok = push ? mbox_push(&b, &in) : mbox_pop(&b, &out);
			if (ok != (*s == 'p' || *s == 'g'))
				fail_msg("%s: step %td", runs[i].what,
					 s - runs[i].steps);
			if (ok && push) {
				in.n++;
				in.twice += 2;
			} else if (ok) {
				assert_int_equal(out.n, want);
				assert_int_equal(out.twice, 2 * want);
				want++;
			}
		}
		mbox_exit(&b);
	}
}

static void *produce(void *arg)
{
	for (struct msg m = { 0, 0 }; m.n < MESSAGES; m.n++, m.twice += 2)
		while (!mbox_push(arg, &m))
			sched_yield();
	return NULL;
}

/* Every message arrives once, whole and in order, through a small box. */
static void test_two_threads(void **state)
{
	pthread_t producer;
	struct mbox b;
	struct msg m;

	(void)state;
	assert_int_equal(mbox_init(&b, 8, sizeof(m)), 0);
	assert_int_equal(pthread_create(&producer, NULL, produce, &b), 0);
	for (uint32_t want = 0; want < MESSAGES; want++) {
		while (!mbox_pop(&b, &m))
			sched_yield();
		if (m.n != want || m.twice != 2 * want)
			fail_msg("message %u: %u, %u", want, m.n, m.twice);
	}
	assert_int_equal(pthread_join(producer, NULL), 0);
	assert_false(mbox_pop(&b, &m));
	mbox_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
