// SPDX-License-Identifier: Apache-2.0
/*
 * test_act_libvirt.c - moves by slow pin calls: the newest of each vcpu, an
 * answer for every one, and everything given back
 *
 * The test is both threads: on_control() is noted and run when the test says.
 */
#include "act.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal.h"

#define UUID  "00000000-0000-0000-0000-000000000001"
#define PINS  16384
#define VCPUS 4

static char dir[64], path[80];
static struct act *a;
static struct act_conf conf;

/* What libvirt was asked, and what it answers. */
static struct {
	unsigned index;
	uint64_t mask;
} pin[PINS];
static unsigned pin_cnt;
static int pin_err, pinned_err;
static struct move *submit_in_pin; /* a move that comes during a call */

static void (*control_fn)(void *arg);
static void *control_arg;
static unsigned asked, wakes;

static int fake_pin(const char *uuid, unsigned index, const struct cpumask *m)
{
	struct move *late = submit_in_pin;

	assert_string_equal(uuid, UUID);
	pin[pin_cnt].index = index;
	pin[pin_cnt++].mask = m->word[0];
	submit_in_pin = NULL;
	if (late)
		assert_true(act_libvirt.submit(a, late));
	return pin_err;
}

static int fake_pinned(const char *uuid, unsigned index, struct cpumask *m)
{
	assert_string_equal(uuid, UUID);
	memset(m, 0, sizeof(*m));
	m->word[0] = 0xf0 | index;
	return pinned_err;
}

static void on_control(void (*fn)(void *arg), void *arg)
{
	asked++;
	control_fn = fn;
	control_arg = arg;
}

static void wake(void *arg)
{
	(void)arg;
	wakes++;
}

/* The control thread gets to it. Return: false when nobody asked. */
static bool control(void)
{
	void (*fn)(void *arg) = control_fn;

	control_fn = NULL;
	if (fn)
		fn(control_arg);
	return fn;
}

static bool submit(unsigned vcpu, uint32_t gen, uint64_t mask)
{
	const struct move m = { .vcpu = (uint16_t)vcpu,
				.vm = 3,
				.index = (uint16_t)vcpu,
				.gen = gen,
				.pid = getpid(),
				.mask = { { mask } } };

	return act_libvirt.submit(a, &m);
}

static void expect_answer(unsigned vcpu, uint32_t gen, int err)
{
	struct move_done d;

	assert_true(act_libvirt.reap(a, &d));
	assert_int_equal(d.vcpu, vcpu);
	assert_int_equal(d.gen, gen);
	assert_int_equal(d.err, err);
}

static void expect_no_answer(void)
{
	struct move_done d;

	assert_false(act_libvirt.reap(a, &d));
}

static int adopt(unsigned vcpus)
{
	struct act_vm vm = { .vm = 3,
			     .name = "a vm",
			     .uuid = UUID,
			     .pid = getpid(),
			     .vcpu_cnt = (uint16_t)vcpus };

	for (unsigned i = 0; i < vcpus; i++)
		vm.tid[i] = i == 1 ? 0 : getpid(); /* vcpu 1 is not plugged */
	return act_libvirt.adopt(a, &vm);
}

static void count_pin(void *arg, const char *uuid, unsigned index,
		      const struct cpumask *mask)
{
	assert_string_equal(uuid, UUID);
	assert_int_equal(mask->word[0], 0xf0 | index);
	++*(unsigned *)arg;
}

/* How many pin lines the journal has. */
static unsigned noted(void)
{
	unsigned cnt = 0;

	journal_each_pin(path, count_pin, &cnt);
	return cnt;
}

static int setup(void **state)
{
	(void)state;
	pin_cnt = asked = wakes = 0;
	pin_err = 0;
	pinned_err = 1; /* nobody pinned it */
	submit_in_pin = NULL;
	control_fn = NULL;
	conf = (struct act_conf){ .journal = path,
				  .wake = wake,
				  .on_control = on_control,
				  .pin = fake_pin,
				  .pinned = fake_pinned };
	unlink(path);
	assert_int_equal(act_libvirt.open(&a, &conf), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	act_libvirt.close(a);
	return 0;
}

static void test_moves(void **state)
{
	struct act_count count;

	(void)state;
	assert_int_equal(adopt(VCPUS), 0);
	assert_true(submit(0, 1, 1));
	assert_true(submit(2, 1, 2));
	assert_int_equal(asked, 1); /* once for both */
	expect_no_answer();
	assert_true(control());
	assert_int_equal(wakes, 1);
	assert_int_equal(pin_cnt, 2);
	assert_int_equal(pin[0].index, 0);
	assert_int_equal(pin[1].mask, 2);
	expect_answer(0, 1, 0);
	expect_answer(2, 1, 0);
	expect_no_answer();
	assert_true(submit(0, 2, 4));
	pin_err = -EIO;
	assert_true(control());
	expect_answer(0, 2, -EIO);
	act_libvirt.count(a, &count);
	assert_int_equal(count.moved, 2);
	assert_int_equal(count.failed, 1);
	assert_int_equal(count.wakes, 2);
	pin_err = 0;
}

static void test_newest_wins(void **state)
{
	struct move late = { .vcpu = 2,
			     .vm = 3,
			     .index = 2,
			     .gen = 9,
			     .pid = getpid(),
			     .mask = { { 9 } } };

	(void)state;
	assert_int_equal(adopt(VCPUS), 0);
	assert_true(submit(0, 1, 1));
	assert_true(submit(0, 2, 2));
	assert_true(submit(2, 1, 1));
	assert_true(submit(0, 3, 4));
	submit_in_pin = &late; /* while vcpu 0 is being pinned */
	assert_true(control());
	assert_int_equal(pin_cnt, 2);
	assert_int_equal(pin[0].mask, 4);
	assert_int_equal(pin[1].mask, 9);
	expect_answer(0, 1, -ECANCELED);
	expect_answer(0, 2, -ECANCELED);
	expect_answer(0, 3, 0);
	expect_answer(2, 1, -ECANCELED);
	expect_answer(2, 9, 0);
	expect_no_answer();
	assert_true(control()); /* was asked for by the late one: nothing */
	expect_no_answer();
}

/* Many moves: the control thread is given back after a few. */
static void test_bounded(void **state)
{
	struct move_done d;
	unsigned answers = 0, turns = 0;

	(void)state;
	assert_int_equal(adopt(VCPUS), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_true(submit(i, 1, 1));
	while (control()) {
		assert_true(pin_cnt <= 16 * ++turns);
		while (act_libvirt.reap(a, &d))
			answers++;
	}
	assert_int_equal(answers, 100);
	assert_in_range(turns, 7, 8);
}

static void test_full(void **state)
{
	struct move_done d;
	unsigned taken = 0;

	(void)state;
	assert_int_equal(adopt(VCPUS), 0);
	while (submit(taken % VCPU_MAX, 1, 1))
		assert_true(++taken < 100000);
	while (taken) {
		control();
		while (act_libvirt.reap(a, &d))
			taken--; /* every one is answered */
	}
	assert_true(submit(0, 2, 1));
	assert_false(submit(VCPU_MAX, 1, 1));
	control();
	expect_answer(0, 2, 0);
}

static void test_strangers(void **state)
{
	struct move m = { .vcpu = 0, .vm = 3, .pid = getpid() + 1 };

	(void)state;
	assert_true(submit(0, 1, 1)); /* not adopted */
	control();
	expect_answer(0, 1, -ESRCH);
	assert_int_equal(adopt(VCPUS), 0);
	assert_true(act_libvirt.submit(a, &m)); /* of its former run */
	control();
	expect_answer(0, 0, -ESRCH);
	act_libvirt.release(a, 3);
	pin_cnt = 0;
	assert_true(submit(0, 2, 1));
	control();
	expect_answer(0, 2, -ESRCH);
	assert_int_equal(pin_cnt, 0);
}

static void test_given_back(void **state)
{
	(void)state;
	assert_int_equal(adopt(3), 0);
	assert_int_equal(noted(), 2); /* vcpus 0 and 2 */
	assert_true(submit(0, 1, 1));
	control();
	expect_answer(0, 1, 0);
	assert_int_equal(adopt(VCPUS), 0); /* vcpu 3 was plugged */
	assert_int_equal(noted(), 3);
	pin_cnt = 0;
	act_libvirt.release(a, 3);
	assert_int_equal(pin_cnt, 3);
	assert_int_equal(pin[0].mask, 0xf0);
	assert_int_equal(pin[1].mask, 0xf2);
	assert_int_equal(pin[2].mask, 0xf3);
	assert_int_equal(noted(), 0);
	assert_int_not_equal(access(path, F_OK), 0);
	act_libvirt.release(a, 3);
	assert_int_equal(pin_cnt, 3); /* once */
}

static void test_not_given_back(void **state)
{
	(void)state;
	assert_int_equal(adopt(3), 0);
	pin_err = -ESRCH; /* the VM is gone */
	act_libvirt.release(a, 3);
	assert_int_equal(noted(), 0);
	assert_int_equal(adopt(3), 0);
	pin_err = -ENOTCONN; /* libvirtd is away: the guardian's to do */
	act_libvirt.release(a, 3);
	assert_int_equal(noted(), 2);
	pin_err = 0;
}

static void test_adopt_fails(void **state)
{
	(void)state;
	pinned_err = -ENOTCONN;
	assert_int_equal(adopt(3), -ENOTCONN);
	assert_int_equal(noted(), 0);
	assert_true(submit(0, 1, 1));
	control();
	expect_answer(0, 1, -ESRCH);
	pinned_err = 0;
	assert_int_equal(adopt(3), 0);
	pinned_err = -EIO;
	assert_int_equal(adopt(VCPUS), -EIO);
	pinned_err = 0;
	assert_int_equal(noted(), 2); /* the first adoption holds */
}

static void test_open(void **state)
{
	struct act_conf bad = conf;
	struct act *other;

	(void)state;
	bad.pinned = NULL;
	assert_int_equal(act_libvirt.open(&other, &bad), -EINVAL);
	assert_int_equal(adopt(1), 0); /* now there is a journal file */
	assert_int_equal(act_libvirt.open(&other, &conf), -EEXIST);
	bad = conf;
	bad.journal = "/nowhere/journal";
	if (!act_libvirt.open(&other, &bad))
		act_libvirt.close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_moves),	   TEST(test_newest_wins),
		TEST(test_bounded),	   TEST(test_full),
		TEST(test_strangers),	   TEST(test_given_back),
		TEST(test_not_given_back), TEST(test_adopt_fails),
		TEST(test_open),
	};
	int failed;

	snprintf(dir, sizeof(dir), "/tmp/test_act_libvirt.XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/restore", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return failed;
}
