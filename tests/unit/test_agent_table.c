// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_table.c - slots and the hash from thread to slot
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "guest-agent/table.h"

static struct table t;

static void test_add_find_del(void **unused)
{
	uint16_t a, b;

	(void)unused;
	table_init(&t);
	assert_int_equal(table_find(&t, 7), WORKER_NONE);
	a = table_add(&t, 7, 5, 99);
	/* the same bucket */
	b = table_add(&t, 7 + WORKER_MAX, 6, 98);
	assert_int_not_equal(a, b);
	assert_int_equal(table_find(&t, 7), a);
	assert_int_equal(table_find(&t, 7 + WORKER_MAX), b);
	assert_int_equal(t.worker[a].tgid, 5);
	assert_int_equal(t.worker[a].started, 99);
	assert_int_equal(t.worker[a].vcpu, CPU_NONE);
	assert_int_equal(t.worker[a].last_vcpu, CPU_NONE);
	assert_false(t.worker[a].touched);
	assert_int_equal(t.count, 2);
	assert_int_equal(t.high, 2);
	table_del(&t, a);
	assert_int_equal(table_find(&t, 7), WORKER_NONE);
	assert_int_equal(table_find(&t, 7 + WORKER_MAX), b);
	/* given back, given out again, with nothing carried over */
	t.worker[a].run_ns = 5;
	assert_int_equal(table_add(&t, 8, 8, 1), a);
	assert_int_equal(t.worker[a].run_ns, 0);
}

static void test_refused(void **unused)
{
	(void)unused;
	table_init(&t);
	assert_int_equal(table_add(&t, 7, 7, 1), 0);
	assert_int_equal(table_add(&t, 7, 7, 1), WORKER_NONE);
	assert_int_equal(table_add(&t, 0, 0, 1), WORKER_NONE);
	assert_int_equal(table_add(&t, -1, 0, 1), WORKER_NONE);
	assert_int_equal(t.count, 1);
	assert_int_equal(t.full, 0);
	table_del(&t, 1);
	table_del(&t, WORKER_MAX);
	table_del(&t, WORKER_NONE);
	assert_int_equal(t.count, 1);
	table_del(&t, 0);
	table_del(&t, 0);
	assert_int_equal(t.count, 0);
}

static void test_full(void **unused)
{
	(void)unused;
	table_init(&t);
	for (pid_t tid = 1; tid <= WORKER_MAX; tid++)
		assert_int_not_equal(table_add(&t, tid * 3, 1, 1), WORKER_NONE);
	assert_int_equal(table_add(&t, 1, 1, 1), WORKER_NONE);
	assert_int_equal(table_add(&t, 2, 1, 1), WORKER_NONE);
	assert_int_equal(t.full, 2);
	assert_int_equal(t.high, WORKER_MAX);
	for (uint16_t slot = 0; slot < WORKER_MAX; slot++)
		table_del(&t, slot);
	/* all gone: whoever walks the table has nothing to walk */
	assert_int_equal(t.high, 0);
	assert_int_equal(table_add(&t, 1, 1, 1), 0);
}

/* Against an array of who is in which slot; now and then the chains are
 * destroyed, and mended. */
static void test_random(void **unused)
{
	enum { TIDS = 9000 };
	static uint16_t slot_of[TIDS];
	unsigned count = 0;

	(void)unused;
	srand(5);
	table_init(&t);
	memset(slot_of, 0xff, sizeof(slot_of));
	for (unsigned i = 0; i < 500000; i++) {
		pid_t tid = 1 + rand() % (TIDS - 1);

		if (slot_of[tid] != WORKER_NONE) {
			table_del(&t, slot_of[tid]);
			slot_of[tid] = WORKER_NONE;
			count--;
		} else {
			slot_of[tid] = table_add(&t, tid, tid, 1);
			count += slot_of[tid] != WORKER_NONE;
		}
		assert_int_equal(t.count, count);
		tid = 1 + rand() % (TIDS - 1);
		assert_int_equal(table_find(&t, tid), slot_of[tid]);
		if (i % 50000)
			continue;
		for (unsigned s = 0; s < WORKER_MAX; s++) {
			t.bucket[s] = (uint16_t)rand();
			t.worker[s].next = (uint16_t)rand();
			t.worker[s].hash = (uint16_t)rand();
		}
		t.count = 0;
		table_mend(&t);
		for (pid_t all = 1; all < TIDS; all++)
			assert_int_equal(table_find(&t, all), slot_of[all]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_find_del),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
