/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_gate.c - nobody is inside while the gate is shut
 *
 * One thread goes in and out as fast as it can and uses what is behind; the
 * other shuts the gate, spoils it, mends it and opens again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>

#include "vhost/gate.h"

#define ROUNDS 20000
#define LOOKS  100 /* in one visit, so that it lasts */

struct shared {
	struct gate gate;
	volatile int behind;	  /* 1 whenever the gate is open */
	unsigned visits, spoiled; /* visitor */
	bool stop;
};

static void shut_turns_away(void **state)
{
	struct gate g = { 0 };

	(void)state;
	assert_false(gate_enter(&g)); /* a new gate is shut */
	gate_open(&g);
	assert_true(gate_enter(&g));
	gate_leave(&g);
	gate_shut(&g);
	assert_false(gate_enter(&g));
	gate_shut(&g); /* twice is fine */
	gate_open(&g);
	assert_true(gate_enter(&g));
	gate_leave(&g);
}

static void *visitor(void *arg)
{
	struct shared *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		if (!gate_enter(&s->gate))
			continue;
		for (unsigned i = 0; i < LOOKS; i++)
			s->spoiled += s->behind != 1;
		gate_leave(&s->gate);
		__atomic_store_n(&s->visits, s->visits + 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void nobody_sees_it_spoiled(void **state)
{
	struct shared s = { .behind = 1 };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, visitor, &s), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned before = __atomic_load_n(&s.visits, __ATOMIC_RELAXED);

		gate_open(&s.gate);
		/* Now and then let it in for sure. */
		while (i % 100 == 0 &&
		       __atomic_load_n(&s.visits, __ATOMIC_RELAXED) == before)
			sched_yield();
		gate_shut(&s.gate);
		for (unsigned k = 0; k < LOOKS; k++)
			s.behind = 0;
		s.behind = 1;
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(s.spoiled, 0);
	assert_true(s.visits >= ROUNDS / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shut_turns_away),
		cmocka_unit_test(nobody_sees_it_spoiled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
