// SPDX-License-Identifier: Apache-2.0
/*
 * test_wheel.c - timers of VMs: never early, never forgotten, found at once
 *
 * Random timers near and far, set, moved and stopped, against an array that is
 * searched; time goes by in steps between nothing and several turns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/wheel.h"

#define US 1000ull
#define MS 1000000ull

static struct wheel wheel;
static uint64_t at_ns[VM_MAX]; /* 0: none */

static unsigned below(unsigned n)
{
	return (unsigned)rand() % n;
}

static int setup(void **state)
{
	(void)state;
	srand(1);
	memset(&wheel, 0, sizeof(wheel));
	memset(at_ns, 0, sizeof(at_ns));
	return 0;
}

static void set(uint16_t vm, uint64_t at)
{
	wheel_set(&wheel, vm, at);
	at_ns[vm] = at;
}

/* All that is due is popped, and nothing else. */
static void pop_all(uint64_t now_ns)
{
	uint16_t vm;

	while ((vm = wheel_pop(&wheel, now_ns)) != VM_NONE) {
		assert_in_range(at_ns[vm], 1, now_ns);
		at_ns[vm] = 0;
	}
	for (unsigned i = 0; i < VM_MAX; i++)
		if (at_ns[i] && at_ns[i] <= now_ns)
			fail_msg("VM %u forgotten", i);
}

static void test_random(void **state)
{
	static const uint64_t away_ns[] = { 1, 40 * US, 12 * MS, 300 * MS };
	static const uint64_t pause_ns[] = { 5 * US, 5 * US, MS, 80 * MS };
	uint64_t now_ns = 7000 * MS;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		for (unsigned n = below(6); n; n--) {
			uint16_t vm = (uint16_t)below(VM_MAX);

			if (below(4)) {
				set(vm, now_ns + 1 +
					    below((unsigned)away_ns[below(4)]));
			} else {
				wheel_stop(&wheel, vm);
				at_ns[vm] = 0;
			}
		}
		now_ns += below((unsigned)pause_ns[below(4)]);
		pop_all(now_ns);
	}
}

/* The times of a walk in the open. */
static void test_edges(void **state)
{
	static const struct {
		const char *what;
		uint64_t set_ns, now_ns;
		uint16_t vm;
	} rows[] = {
		{ "none", 0, 5 * MS, VM_NONE },
		{ "a nanosecond early", 6 * MS, 6 * MS - 1, VM_NONE },
		{ "due", 0, 6 * MS, 3 },
		{ "once only", 0, 6 * MS, VM_NONE },
		{ "set for a time that has passed", MS, 6 * MS, 3 },
		{ "some turns away", 90 * MS, 20 * MS, VM_NONE },
		{ "the turn before", 0, 80 * MS, VM_NONE },
		{ "long after", 0, 5000 * MS, 3 },
		{ "moved", 5001 * MS, 5000 * MS, VM_NONE },
		{ "further", 5002 * MS, 5001 * MS, VM_NONE },
		{ "and due", 0, 5002 * MS, 3 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint16_t vm;

		if (rows[i].set_ns)
			wheel_set(&wheel, 3, rows[i].set_ns);
		vm = wheel_pop(&wheel, rows[i].now_ns);
		if (vm != rows[i].vm)
			fail_msg("%s: VM %u", rows[i].what, vm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_random, setup),
		cmocka_unit_test_setup(test_edges, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
