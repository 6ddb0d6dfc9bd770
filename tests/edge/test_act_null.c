// SPDX-License-Identifier: Apache-2.0
/*
 * test_act_null.c - the dry-run backend keeps to the contract
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "act_null.h"
#include "hl/clock.h"

static const struct {
	const char *what;
	uint16_t vcpu, vm;
	uint64_t mask;
	int err;
} move_row[] = {
	{ "an adopted VM", 9, 2, 4, 0 },
	{ "another mask for the same vcpu", 9, 2, 3, 0 },
	{ "a VM not adopted", 9, 3, 1, -ESRCH },
	{ "no cpu at all", 9, 2, 0, -EINVAL },
	{ "a VM out of bounds", 9, VM_NONE, 1, -EINVAL },
	{ "a vcpu out of bounds", VCPU_NONE, 2, 1, -EINVAL },
};

static void test_moves(void **unused)
{
	const struct act_conf conf = { 0 };
	struct act_vm vm = { .vm = 2, .vcpu_cnt = 1 };
	struct act_count count;
	struct move_done d;
	struct act *a;
	uint64_t last = 0;

	(void)unused;
	assert_int_equal(act_null.open(&a, &conf), 0);
	assert_int_equal(act_null.adopt(a, &vm), 0);
	for (size_t i = 0; i < sizeof(move_row) / sizeof(move_row[0]); i++) {
		struct move m = { .vcpu = move_row[i].vcpu,
				  .vm = move_row[i].vm,
				  .gen = (uint32_t)i,
				  .mask = { { move_row[i].mask } },
				  .asked_ns = clock_now_ns() };

		print_message("%s\n", move_row[i].what);
		assert_false(act_null.reap(a, &d));
		assert_true(act_null.submit(a, &m));
		assert_true(act_null.reap(a, &d));
		assert_int_equal(d.vcpu, m.vcpu);
		assert_int_equal(d.gen, i);
		assert_int_equal(d.err, move_row[i].err);
		if (!d.err)
			last = move_row[i].mask;
		assert_int_equal(act_null_mask(a, 9).word[0], last);
	}
	act_null.count(a, &count);
	assert_int_equal(count.moved, 2);
	assert_int_equal(count.failed, 4);
	act_null.close(a);
}

static void test_life(void **unused)
{
	const struct act_conf conf = { 0 };
	struct act_vm vm = { .vm = 2 };
	struct move m = { .vm = 2, .mask = { { 1 } } };
	struct move_done d;
	struct act *a;
	unsigned n = 0;

	(void)unused;
	assert_int_equal(act_null.open(&a, &conf), 0);
	assert_int_equal(act_null.adopt(a, &vm), 0);
	while (act_null.submit(a, &m)) /* nobody reaps: full in the end */
		assert_true(++n <= 1u << 16);
	while (act_null.reap(a, &d)) {
		assert_int_equal(d.err, 0);
		n--;
	}
	assert_int_equal(n, 0);
	act_null.release(a, 2);
	act_null.release(a, VM_NONE);
	assert_true(act_null.submit(a, &m));
	assert_true(act_null.reap(a, &d));
	assert_int_equal(d.err, -ESRCH);
	vm.vm = VM_MAX;
	assert_int_equal(act_null.adopt(a, &vm), -EINVAL);
	act_null.close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
