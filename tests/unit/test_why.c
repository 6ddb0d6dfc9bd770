// SPDX-License-Identifier: Apache-2.0
/* test_why.c - the trace of decisions: its ring, what an event says, of whom */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scene.h"
#include "stat.h"
#include "why_row.h"

static struct snapshot s;
static struct why_event e;

static void name(unsigned slot, const char *name)
{
	snprintf(stat_hostd.vm[slot].name, VM_NAME_MAX, "%s", name);
	snprintf(stat_hostd.vm[slot].uuid, sizeof(stat_hostd.vm[slot].uuid),
		 "00000000-0000-0000-0000-%012u", slot);
}

/* Events written so far, number asked for -> can it be had? In this order, for
 * the ring goes on. */
static const struct {
	const char *what;
	uint64_t written, ask;
	bool there;
} ring[] = {
	{ "nothing yet", 0, 0, false },
	{ "the first", 1, 0, true },
	{ "the next", 1, 1, false },
	{ "the oldest kept", WHY_MAX, 1, true },
	{ "the one being written over", WHY_MAX, 0, false },
	{ "the newest", 3 * WHY_MAX + 5, 3 * WHY_MAX + 4, true },
	{ "the oldest kept, later", 3 * WHY_MAX + 5, 2 * WHY_MAX + 6, true },
	{ "one too old", 3 * WHY_MAX + 5, 2 * WHY_MAX + 5, false },
	{ "far ahead", 3 * WHY_MAX + 5, UINT64_MAX - 5, false },
};

static void test_ring(void **state)
{
	const struct grant g = { .cpu = 1, .vcpu = VCPU_NONE };

	(void)state;
	scene_build(&s, "cpus=2 lc run");
	for (unsigned i = 0; i < sizeof(ring) / sizeof(ring[0]); i++) {
		while (why_count() < ring[i].written) {
			s.now_ns = why_count();
			why_moved(&s, &g, VCPU_NONE);
		}
		if (why_get(ring[i].ask, &e) != ring[i].there)
			fail_msg("%s", ring[i].what);
		if (ring[i].there && e.at_ns != ring[i].ask)
			fail_msg("%s: another event", ring[i].what);
	}
}

static void moved(uint16_t cpu, uint16_t from, uint16_t to, enum reason why)
{
	const struct grant g = { .cpu = cpu,
				 .vcpu = to,
				 .reason = (uint16_t)why,
				 .saw_ns = 80000,
				 .limit_ns = 75000 };

	why_moved(&s, &g, from);
	assert_true(why_get(why_count() - 1, &e));
}

/* web (slot 0) owns cpu 0, batch (slot 1) cpus 1 and 2. */
static int host(void **state)
{
	(void)state;
	memset(&stat_hostd, 0, sizeof(stat_hostd));
	scene_build(&s, "cpus=4 lc min=1 max=3 slo=300 delay=80 agent=2:9 "
			"run@0* ready:7 halt halt be run@1* run@2*");
	s.vm[0].owned = 1;
	name(0, "web");
	name(1, "batch");
	stat_hostd.vm[0].used_permille = 930;
	return 0;
}

static void test_event(void **state)
{
	(void)state;
	moved(1, 10, 1, REASON_PREEMPTED);
	assert_string_equal(e.to.name, "web");
	assert_string_equal(e.from.name, "batch");
	assert_int_equal(e.to_vcpu, 1);
	assert_int_equal(e.from_vcpu, 0);
	assert_int_equal(e.from_owned, 2);
	assert_int_equal(e.owned, 1);
	assert_int_equal(e.min, 1);
	assert_int_equal(e.may, 3);
	assert_int_equal(e.runnable, 2);
	assert_true(e.sensed && e.hinted);
	assert_int_equal(e.wanted, 2);
	assert_int_equal(e.used_permille, 930);
	assert_int_equal(e.saw_ns, 80000);
	assert_int_equal(e.limit_ns, 75000);
	assert_int_equal(e.delay_ns, 80000);
	assert_int_equal(e.ready_ns, 7000);
	assert_int_equal(stat_hostd.vm[0].gained, 1);
	assert_int_equal(stat_hostd.vm[1].lost, 1);
	assert_int_equal(stat_hostd.cpu[1].moves, 1);
	assert_int_equal(stat_hostd.cpu[1].reason, REASON_PREEMPTED);

	/* to nobody: it is about the loser */
	moved(0, 0, VCPU_NONE, REASON_GIVE_BACK);
	assert_string_equal(e.to.name, "");
	assert_string_equal(e.from.name, "web");
	assert_int_equal(e.owned, 1);
	assert_int_equal(stat_hostd.vm[0].lost, 1);

	/* the owner was unplugged meanwhile: nobody is named */
	s.vcpu[10].vm = VM_NONE;
	moved(1, 10, VCPU_NONE, REASON_GONE);
	assert_string_equal(e.from.name, "");
	assert_int_equal(e.owned, 0);
}

/* A bar is about its VM and each cpu it is of; that of all about the cpus. */
static void test_bar(void **state)
{
	struct bar b = { .vm = 1,
			 .reason = REASON_SIBLING,
			 .cpus = { { 0xc } } };

	(void)state;
	why_barred(&s, &b);
	assert_true(why_get(why_count() - 1, &e));
	assert_int_equal(e.cpu, CPU_NONE);
	assert_string_equal(e.from.name, "batch");
	assert_string_equal(e.to.name, "");
	assert_true(why_about(&e, "batch") && why_about(&e, "2") &&
		    why_about(&e, "3"));
	assert_false(why_about(&e, "1") || why_about(&e, "web"));
	assert_false(why_about(&e, "65535") || why_about(&e, "66"));
	b.vm = VM_NONE;
	why_barred(&s, &b);
	assert_true(why_get(why_count() - 1, &e));
	assert_true(why_about(&e, "2"));
	assert_false(why_about(&e, "batch"));
	/* told once, however often a policy says so */
	assert_true(stat_bar_note(&b));
	assert_false(stat_bar_note(&b));
}

/* The slot is another VM's now; the event is not. */
static void test_name_stays(void **state)
{
	const uint64_t n = why_count();

	(void)state;
	moved(1, 10, 1, REASON_DELAY);
	name(0, "new");
	name(1, "other");
	moved(1, 10, 1, REASON_DELAY);
	assert_true(why_get(n, &e));
	assert_string_equal(e.to.name, "web");
	assert_string_equal(e.from.name, "batch");
	assert_true(why_get(n + 1, &e));
	assert_string_equal(e.to.name, "new");
}

static void test_about(void **state)
{
	static const struct {
		const char *who;
		bool about;
	} rows[] = {
		{ "w\xc3\xbc"
		  "b",
		  true },
		{ "w%C3%BCb", true },
		{ "batch", true },
		{ "bat", false },
		{ "", false },
		{ "00000000-0000-0000-0000-000000000001", true },
		{ "00000000-0000-0000-0000-000000000002", false },
		{ "1", true },
		{ "0", false },
		{ "1x", false },
		{ "65537", false },
		{ "-1", false },
		{ "18446744073709551617", false },
	};

	(void)state;
	name(0, "w\xc3\xbc"
		"b");
	moved(1, 10, 1, REASON_DELAY);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (why_about(&e, rows[i].who) != rows[i].about)
			fail_msg("'%s'", rows[i].who);
	/* nobody is not a VM without a name */
	moved(1, VCPU_NONE, VCPU_NONE, REASON_GONE);
	assert_false(why_about(&e, ""));
}

/* Every column shows its field: each has a value of its own. */
static void test_columns(void **state)
{
	static const struct {
		const char *name;
		uint64_t number;
		const char *text;
	} want[WHY_COLUMNS] = {
		{ "age_ns", 900, NULL },
		{ "at_ns", 100, NULL },
		{ "cpu", 2, NULL },
		{ "vm", 0, "web" },
		{ "vcpu", 3, NULL },
		{ "from", 0, "b%1B" },
		{ "from_vcpu", 4, NULL },
		{ "from_owned", 5, NULL },
		{ "reason", 0, "delay" },
		{ "saw_ns", 6, NULL },
		{ "limit_ns", 7, NULL },
		{ "delay_ns", 8, NULL },
		{ "ready_ns", 9, NULL },
		{ "owned", 10, NULL },
		{ "min", 11, NULL },
		{ "may", 12, NULL },
		{ "sensed", 13, NULL },
		{ "runnable", 14, NULL },
		{ "hinted", 15, NULL },
		{ "wanted", 16, NULL },
		{ "used_permille", 17, NULL },
		{ "barred", 0, "1-2" },
	};
	const struct why_event f = {
		.at_ns = 100,
		.cpu = 2,
		.to = { .name = "web" },
		.to_vcpu = 3,
		.from_vcpu = 4,
		.from = { .name = "b\x1b" },
		.from_owned = 5,
		.saw_ns = 6,
		.limit_ns = 7,
		.delay_ns = 8,
		.ready_ns = 9,
		.owned = 10,
		.min = 11,
		.may = 12,
		.sensed = 13,
		.runnable = 14,
		.hinted = 15,
		.wanted = 16,
		.used_permille = 17,
		.reason = REASON_DELAY,
		.barred = { { 6 } },
	};
	char buf[128];

	(void)state;
	for (unsigned i = 0; i < WHY_COLUMNS; i++) {
		const struct why_column *c = &why_columns[i];

		assert_string_equal(c->name, want[i].name);
		assert_int_equal(c->is_text, want[i].text != NULL);
		if (!c->is_text)
			assert_int_equal(why_number(&f, c, 1000),
					 want[i].number);
		else
			assert_string_equal(why_text(&f, c, buf, sizeof(buf)),
					    want[i].text);
	}
	/* the writer may be ahead of the reader's clock */
	assert_int_equal(why_number(&f, &why_columns[0], 50), 0);
}

/* A name too long for the wire goes by its UUID. */
static void test_long_name(void **state)
{
	struct why_event f = { 0 };
	char buf[128];

	(void)state;
	memset(f.to.name, 0xfc, sizeof(f.to.name) - 1);
	strcpy(f.to.uuid, "00000000-0000-0000-0000-000000000009");
	assert_string_equal(why_text(&f, &why_columns[3], buf, sizeof(buf)),
			    f.to.uuid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		cmocka_unit_test_setup(test_event, host),
		cmocka_unit_test_setup(test_bar, host),
		cmocka_unit_test_setup(test_name_stays, host),
		cmocka_unit_test_setup(test_about, host),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_long_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
