// SPDX-License-Identifier: Apache-2.0
/*
 * test_sim_heap.c - events of the simulator come in order, whatever was said
 * of them in between: against a plain array
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/sim/heap.h"

#define IDS 37

/* The model: when each id is due; UINT64_MAX: not. */
static uint64_t due_ns[IDS];

static uint32_t model_first(void)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < IDS; i++)
		if (due_ns[i] < due_ns[best])
			best = i;
	return best;
}

static unsigned model_count(void)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < IDS; i++)
		n += due_ns[i] != UINT64_MAX;
	return n;
}

/* change() - One random thing is said of one event. */
static void change(struct heap *h, uint32_t current)
{
	uint32_t id = (uint32_t)rand() % IDS;

	if (rand() % 3) {
		/* few different times: ties are common */
		due_ns[id] = (uint64_t)(rand() % 20);
		heap_set(h, id, due_ns[id]);
	} else if (id != current) {
		due_ns[id] = UINT64_MAX;
		heap_drop(h, id);
	}
}

static void test_order(void **unused)
{
	struct heap h;

	(void)unused;
	srand(1);
	for (unsigned i = 0; i < IDS; i++)
		due_ns[i] = UINT64_MAX;
	assert_int_equal(heap_open(&h, IDS), 0);
	for (unsigned step = 0; step < 200000; step++) {
		change(&h, HEAP_NONE);
		assert_int_equal(h.cnt, model_count());
		if (!h.cnt)
			continue;
		assert_int_equal(h.node[0].id, model_first());
		assert_int_equal(h.node[0].at_ns, due_ns[model_first()]);
	}
	heap_close(&h);
}

/* An event that happens is gone afterwards, unless it was set meanwhile. */
static void test_happens(void **unused)
{
	struct heap h;

	(void)unused;
	srand(2);
	assert_int_equal(heap_open(&h, IDS), 0);
	for (unsigned i = 0; i < IDS; i++) {
		due_ns[i] = (uint64_t)(rand() % 20);
		heap_set(&h, i, due_ns[i]);
	}
	for (unsigned step = 0; step < 200000; step++) {
		struct heap_node n;

		if (!h.cnt) {
			change(&h, HEAP_NONE);
			continue;
		}
		n = heap_begin(&h);
		assert_int_equal(n.id, model_first());
		due_ns[n.id] = UINT64_MAX;
		for (int i = rand() % 4; i--;)
			change(&h, n.id);
		heap_end(&h);
		assert_int_equal(h.cnt, model_count());
	}
	heap_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
