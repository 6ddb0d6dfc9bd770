// SPDX-License-Identifier: Apache-2.0
/*
 * test_hold.c - a queue of frames bounded by count and by age
 *
 * Frames are numbers dressed as pointers: hold.c never looks at them.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "vhost/hold.h"

#define HOLD_NS 100

static struct rte_mbuf *frame(uintptr_t n)
{
	return (struct rte_mbuf *)n;
}

/*
 * A step: push @n frames (PUSH), pop @n (POP), expire until NULL (EXPIRE).
 * @done is how many of them went through. Frames are numbered from 1 in order
 * of pushing; whatever leaves must be the next in order.
 */
enum step_kind { END, PUSH, POP, EXPIRE };

static const struct {
	const char *what;
	uint16_t max;
	struct {
		enum step_kind kind;
		uint64_t now_ns;
		unsigned n, done;
		unsigned front; /* afterwards: same age as the oldest, <= 32 */
		uint64_t oldest_ns; /* afterwards */
	} step[8];
} runs[] = {
	{ "empty: nothing to expire", 4, { { EXPIRE, 50, 0, 0, 0, 0 } } },
	{ "full by count",
	  2,
	  { { PUSH, 10, 3, 2, 2, 0 }, { PUSH, 20, 1, 0, 2, 10 } } },
	{ "none may be held", 0, { { PUSH, 10, 1, 0, 0, 0 } } },
	{ "room again after a pop",
	  2,
	  { { PUSH, 10, 2, 2, 2, 0 },
	    { POP, 15, 1, 1, 1, 5 },
	    { PUSH, 20, 2, 1, 1, 10 },
	    { POP, 21, 2, 2, 0, 0 } } },
	{ "front stops where the time changes",
	  8,
	  { { PUSH, 10, 2, 2, 2, 0 },
	    { PUSH, 11, 3, 3, 2, 1 },
	    { POP, 12, 2, 2, 3, 1 } } },
	{ "as old as allowed is kept",
	  8,
	  { { PUSH, 10, 2, 2, 2, 0 },
	    { EXPIRE, 110, 0, 0, 2, 100 },
	    { EXPIRE, 111, 0, 2, 0, 0 } } },
	{ "only the old ones expire",
	  8,
	  { { PUSH, 10, 2, 2, 2, 0 },
	    { PUSH, 50, 1, 1, 2, 40 },
	    { EXPIRE, 120, 0, 2, 1, 70 },
	    { EXPIRE, 151, 0, 1, 0, 0 } } },
	{ "front gives at most a burst", 64, { { PUSH, 5, 40, 40, 32, 0 } } },
	{ "never more than the ring has",
	  PORT_HOLD_MAX,
	  { { PUSH, 5, 2000, PORT_HOLD_MAX, 32, 0 },
	    { POP, 6, 1000, 1000, 24, 1 } } },
};

static void test_runs(void **state)
{
	struct hold_entry *ring = calloc(PORT_HOLD_MAX, sizeof(*ring));

	(void)state;
	assert_non_null(ring);
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		uintptr_t in = 0, out = 0;
		struct hold h;

		hold_init(&h, ring);
		for (unsigned k = 0; runs[i].step[k].kind; k++) {
			struct rte_mbuf *f[PORT_BURST];
			uint64_t now = runs[i].step[k].now_ns, since = 0;
			unsigned n = runs[i].step[k].n, done = 0, front;

			switch (runs[i].step[k].kind) {
			case PUSH:
				while (n-- && hold_push(&h, runs[i].max,
							frame(in + 1), now)) {
					in++;
					done++;
				}
				break;
			case POP:
				while (done < n &&
				       hold_front(&h, f, 1, &since)) {
					assert_ptr_equal(f[0], frame(++out));
					hold_pop(&h, 1);
					done++;
				}
				break;
			default:
				while ((f[0] = hold_expire(&h, HOLD_NS, now))) {
					assert_ptr_equal(f[0], frame(++out));
					done++;
				}
			}
			front = hold_front(&h, f, PORT_BURST, &since);
			if (front && f[front - 1] != frame(out + front))
				fail_msg("%s: wrong order", runs[i].what);
			if (done != runs[i].step[k].done ||
			    front != runs[i].step[k].front ||
			    hold_oldest_ns(&h, now) !=
				runs[i].step[k].oldest_ns)
				fail_msg("%s, step %u: %u went, front %u, %ju",
					 runs[i].what, k, done, front,
					 (uintmax_t)hold_oldest_ns(&h, now));
		}
	}
	free(ring);
}

/* In and out at random for long: counts agree, order is kept. */
static void test_random(void **state)
{
	struct hold_entry *ring = calloc(PORT_HOLD_MAX, sizeof(*ring));
	uintptr_t in = 0, out = 0;
	struct hold h;

	(void)state;
	assert_non_null(ring);
	hold_init(&h, ring);
	srandom(1);
	for (uint64_t now = 1; now < 50000; now++) {
		struct rte_mbuf *f[PORT_BURST];
		uint64_t since;
		unsigned n;

		for (long k = random() % 32; k > 0; k--)
			in += hold_push(&h, PORT_HOLD_MAX, frame(in + 1), now);
		n = hold_front(&h, f, 1 + (unsigned)random() % 32, &since);
		for (unsigned k = 0; k < n; k++)
			assert_ptr_equal(f[k], frame(++out));
		hold_pop(&h, n);
		while ((f[0] = hold_expire(&h, 40, now)))
			assert_ptr_equal(f[0], frame(++out));
		assert_int_equal(h.cnt, in - out);
	}
	assert_true(in > 100000);
	free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
