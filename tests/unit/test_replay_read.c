// SPDX-License-Identifier: Apache-2.0
/*
 * test_replay_read.c - recordings that were cut, damaged or made up
 *
 * Files in memory, record by record. What a good one says: test_record.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/replay_read.h"

#define INTERVAL_NS 20000

static struct replay_file file;

/* A head; VM 0 with vcpus 0 and 1, the second of which is plugged; a time; and
 * three times more: that vcpu has run on, a time. */
static struct record good[] = {
	{ .kind = RECORD_HEAD,
	  .head = { .magic = RECORD_MAGIC,
		    .version = RECORD_VERSION,
		    .bytes = RECORD_BYTES,
		    .began_ns = 1000000 } },
	{ .kind = RECORD_VM,
	  .vm = { .present = 1, .vcpu_cnt = 2, .slo_permyriad = 9900 } },
	{ .kind = RECORD_VCPU, .slot = 1, .vcpu = { .ran_ns = 1 } },
	{ .kind = RECORD_TIME,
	  .time = { .now_ns = 1000001, .interval_ns = INTERVAL_NS } },
	{ .kind = RECORD_VCPU, .slot = 1, .vcpu = { .ran_ns = 2 } },
	{ .kind = RECORD_TIME,
	  .time = { .now_ns = 1000002, .interval_ns = INTERVAL_NS } },
	{ .kind = RECORD_VCPU, .slot = 1, .vcpu = { .ran_ns = 3 } },
	{ .kind = RECORD_TIME,
	  .time = { .now_ns = 1000003, .interval_ns = INTERVAL_NS } },
	{ .kind = RECORD_VCPU, .slot = 1, .vcpu = { .ran_ns = 4 } },
	{ .kind = RECORD_TIME,
	  .time = { .now_ns = 1000004, .interval_ns = INTERVAL_NS } },
};

#define GOOD (sizeof(good) / sizeof(good[0]))

static FILE *begin(struct record *r, size_t bytes)
{
	FILE *f = fmemopen(r, bytes, "r");

	assert_non_null(f);
	assert_int_equal(replay_open(&file, f), 0);
	return f;
}

/* Cut anywhere: the looks before the cut, and no more. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= 6 * RECORD_BYTES; cut += 7) {
		/* each of the last three looks is two records */
		unsigned want = 4 - (unsigned)((cut + 2 * RECORD_BYTES - 1) /
					       (2 * RECORD_BYTES));
		FILE *f = begin(good, sizeof(good) - cut);

		for (unsigned i = 1; i <= want; i++) {
			assert_int_equal(replay_next(&file), 1);
			assert_int_equal(file.s.vcpu[1].ran_ns, i);
		}
		assert_int_equal(replay_next(&file), 0);
		assert_true(file.cut);
		assert_int_equal(file.end_ns, 1000000 + want);
		assert_string_equal(file.error, "");
		fclose(f);
	}
}

/* A record that does not fit -> what is said of it. */
static const struct {
	const char *what;
	struct record r;
	const char *want;
} bad[] = {
	{ "kind 0", { .kind = 0 }, "no record of kind 0" },
	{ "kind 99", { .kind = 99 }, "no record of kind 99" },
	{ "a second head", { .kind = RECORD_HEAD }, "no record of kind 1" },
	{ "a grant before any time",
	  { .kind = RECORD_GRANT },
	  "no record of kind" },
	{ "cpu 512", { .kind = RECORD_CPU, .slot = CPU_MAX }, "a cpu" },
	{ "sibling",
	  { .kind = RECORD_CPU, .cpu = { .sibling = 600 } },
	  "a cpu" },
	{ "cache", { .kind = RECORD_CPU, .cpu = { .llc = CPU_MAX } }, "a cpu" },
	{ "node of a cpu",
	  { .kind = RECORD_CPU, .cpu = { .node = 16 } },
	  "a cpu" },
	{ "node", { .kind = RECORD_NODE, .slot = NODE_MAX }, "a node" },
	{ "VM", { .kind = RECORD_VM, .slot = VM_MAX }, "a VM" },
	{ "class",
	  { .kind = RECORD_VM, .vm = { .present = 1, .class = 2 } },
	  "a VM" },
	{ "vcpus",
	  { .kind = RECORD_VM,
	    .vm = { .present = 1, .first_vcpu = 8000, .vcpu_cnt = 193 } },
	  "a VM" },
	{ "vcpus that wrap",
	  { .kind = RECORD_VM,
	    .vm = { .present = 1, .first_vcpu = 65535, .vcpu_cnt = 2 } },
	  "a VM" },
	{ "somebody's vcpus",
	  { .kind = RECORD_VM,
	    .slot = 1,
	    .vm = { .present = 1, .first_vcpu = 1, .vcpu_cnt = 2 } },
	  "two VMs" },
	{ "vcpus of nobody",
	  { .kind = RECORD_VM, .slot = 1, .vm = { .vcpu_cnt = 2 } },
	  "a VM" },
	{ "an agent that wants too much",
	  { .kind = RECORD_VM,
	    .slot = 1,
	    .vm = { .present = 1,
		    .first_vcpu = 9,
		    .vcpu_cnt = 2,
		    .hint_wanted = 3 } },
	  "a VM" },
	{ "name", { .kind = RECORD_NAME, .slot = VM_MAX }, "a name" },
	{ "vcpu of no VM", { .kind = RECORD_VCPU, .slot = 2 }, "of no VM" },
	{ "vcpu 8192", { .kind = RECORD_VCPU, .slot = VCPU_MAX }, "of no VM" },
	{ "another VM's vcpu",
	  { .kind = RECORD_VCPU, .slot = 1, .vcpu = { .vm = 3 } },
	  "a vcpu out" },
	{ "run",
	  { .kind = RECORD_VCPU, .slot = 1, .vcpu = { .run = 4 } },
	  "a vcpu out" },
	{ "last cpu",
	  { .kind = RECORD_VCPU, .slot = 1, .vcpu = { .last_cpu = 512 } },
	  "a vcpu out" },
	{ "time that goes back",
	  { .kind = RECORD_TIME,
	    .time = { .now_ns = 5, .interval_ns = INTERVAL_NS } },
	  "a time" },
	{ "time that leaps",
	  { .kind = RECORD_TIME,
	    .time = { .now_ns = UINT64_MAX, .interval_ns = INTERVAL_NS } },
	  "a time" },
	{ "interval",
	  { .kind = RECORD_TIME, .time = { .now_ns = 2000000 } },
	  "settings" },
};

/* In the place of the second look's vcpu. */
static void test_bad(void **state)
{
	struct record copy[GOOD];

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		FILE *f;

		memcpy(copy, good, sizeof(copy));
		/* a look between, so that a grant stands before its time */
		copy[4] = (struct record){ .kind = RECORD_NODE };
		copy[5] = bad[i].r;
		f = begin(copy, sizeof(copy));
		assert_int_equal(replay_next(&file), 1);
		if (replay_next(&file) != -1 ||
		    !strstr(file.error, bad[i].want))
			fail_msg("%s: %s", bad[i].what, file.error);
		fclose(f);
	}
}

/* Behind a time: what was decided then. */
static void test_bad_plan(void **state)
{
	static const struct {
		const char *what;
		struct record r;
		const char *want;
	} rows[] = {
		{ "cpu",
		  { .kind = RECORD_GRANT, .grant = { .cpu = CPU_MAX } },
		  "a grant" },
		{ "vcpu",
		  { .kind = RECORD_GRANT, .grant = { .vcpu = VCPU_MAX } },
		  "a grant" },
		{ "reason",
		  { .kind = RECORD_GRANT, .grant = { .reason = REASON_NUM } },
		  "a grant" },
		{ "VM",
		  { .kind = RECORD_BAR, .bar = { .vm = VM_MAX } },
		  "a bar" },
		{ "reason of a bar",
		  { .kind = RECORD_BAR, .bar = { .reason = REASON_NUM } },
		  "a bar" },
	};
	struct record copy[GOOD + CPU_MAX];
	FILE *f;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memcpy(copy, good, sizeof(good));
		copy[4] = rows[i].r;
		f = begin(copy, sizeof(good));
		if (replay_next(&file) != -1 ||
		    !strstr(file.error, rows[i].want))
			fail_msg("%s: %s", rows[i].what, file.error);
		fclose(f);
	}
	/* more of them than cpus */
	for (unsigned i = 4; i < GOOD + CPU_MAX; i++)
		copy[i] = (struct record){ .kind = RECORD_GRANT };
	f = begin(copy, sizeof(copy));
	assert_int_equal(replay_next(&file), -1);
	assert_int_equal(file.plan.count, CPU_MAX);
	fclose(f);
}

/* A recording that was ended says when, and that must be later. */
static void test_end(void **state)
{
	struct record copy[GOOD];
	FILE *f;

	(void)state;
	memcpy(copy, good, sizeof(copy));
	copy[4] =
	    (struct record){ .kind = RECORD_END, .end = { .now_ns = 5000000 } };
	f = begin(copy, sizeof(copy));
	assert_int_equal(replay_next(&file), 1);
	assert_int_equal(replay_next(&file), 0);
	assert_int_equal(file.end_ns, 5000000);
	assert_false(file.cut);
	fclose(f);
	copy[4].end.now_ns = 1000000;
	f = begin(copy, sizeof(copy));
	assert_int_equal(replay_next(&file), 1);
	assert_int_equal(replay_next(&file), -1);
	fclose(f);
}

static void test_head(void **state)
{
	static const struct {
		const char *what;
		struct record_head head;
		const char *want;
	} rows[] = {
		{ "magic", { .magic = 7 }, "not a recording" },
		{ "version",
		  { .magic = RECORD_MAGIC, .version = 2, .bytes = 96 },
		  "version 2 of recordings, known is 1" },
		{ "bytes",
		  { .magic = RECORD_MAGIC, .version = 1, .bytes = 128 },
		  "version 1" },
	};
	struct record r = { .kind = RECORD_HEAD };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		FILE *f;

		r.head = rows[i].head;
		f = fmemopen(&r, sizeof(r), "r");
		if (replay_open(&file, f) != -1 ||
		    !strstr(file.error, rows[i].want))
			fail_msg("%s: %s", rows[i].what, file.error);
		fclose(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),	 cmocka_unit_test(test_bad),
		cmocka_unit_test(test_bad_plan), cmocka_unit_test(test_end),
		cmocka_unit_test(test_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
