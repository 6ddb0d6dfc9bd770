// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_hint.c - looks at workers, and what the host is told of them
 *
 * A script is a list of ticks; each says what the looks will find and what the
 * hints must be, worked out by hand.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "guest-agent/hint.h"

#define MS     1000000ull
#define TICK   (20 * MS)
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct table table;
static struct hints hints;
static struct grants granted;
static struct look world[WORKER_MAX]; /* by tid - 1 */
static int gone[WORKER_MAX];
static unsigned looks;

static int look(void *arg, const struct worker *w, struct look *out)
{
	(void)arg;
	looks++;
	if (gone[w->tid - 1])
		return -gone[w->tid - 1];
	*out = world[w->tid - 1];
	return 0;
}

static const struct hint_reader reader = { look, NULL };

/* Workers 1 .. @count in slots 0 .. */
static void start(unsigned count, uint16_t vcpus)
{
	memset(&table, 0, sizeof(table));
	memset(&hints, 0, sizeof(hints));
	memset(&granted, 0, sizeof(granted));
	memset(world, 0, sizeof(world));
	memset(gone, 0, sizeof(gone));
	looks = 0;
	granted.vcpu_cnt = vcpus;
	table.count = table.high = (uint16_t)count;
	for (unsigned i = 0; i < count; i++) {
		table.worker[i].tid = (pid_t)i + 1;
		table.worker[i].vcpu = CPU_NONE;
	}
}

static void tick(uint64_t now_ns)
{
	hint_tick(&hints, &table, &granted, &reader, now_ns);
}

/* --- one worker ---------------------------------------------------------- */

struct step {
	const char *what;
	unsigned ms;		  /* since the last tick */
	uint64_t run_ms, wait_ms; /* counters as the look finds them */
	bool runnable;
	uint16_t wanted, runnable_cnt;
	uint32_t wait_us;
	bool ran, urgent;
};

static void run(const struct step *s, unsigned cnt)
{
	uint64_t now_ns = 1000 * MS;

	start(1, 4);
	for (unsigned i = 0; i < cnt; i++, s++) {
		now_ns += s->ms * MS;
		world[0] = (struct look){ .run_ns = s->run_ms * MS,
					  .wait_ns = s->wait_ms * MS,
					  .vcpu = 2,
					  .runnable = s->runnable };
		tick(now_ns);
		if (hints.all.wanted != s->wanted ||
		    hints.all.runnable != s->runnable_cnt ||
		    hints.all.wait_us != s->wait_us ||
		    hints.any_ran != s->ran || hints.urgent != s->urgent)
			fail_msg("%s: wanted %u runnable %u wait %u ran %d "
				 "urgent %d",
				 s->what, hints.all.wanted, hints.all.runnable,
				 hints.all.wait_us, hints.any_ran,
				 hints.urgent);
		assert_int_equal(hints.vcpu[2].wait_us, s->wait_us);
		assert_int_equal(hints.vcpu[2].runnable, s->runnable_cnt);
	}
}

static void test_runs(void **state)
{
	static const struct step s[] = {
		{ "first look, asleep", 0, 900, 50, 0, 0, 0, 0, 0, 0 },
		{ "still asleep", 20, 900, 50, 0, 0, 0, 0, 0, 0 },
		{ "ran 1 ms of 20", 20, 901, 50, 0, 1, 0, 0, 1, 1 },
		{ "runs all the time", 20, 921, 50, 1, 1, 1, 0, 1, 0 },
		{ "and on", 20, 941, 50, 1, 1, 1, 0, 1, 0 },
		{ "sleeps again", 20, 941, 50, 0, 0, 0, 0, 0, 0 },
		{ "more than the time there was", 20, 999, 99, 0, 1, 0, 0, 1,
		  1 },
	};

	(void)state;
	run(s, LEN(s));
}

static void test_waits(void **state)
{
	static const struct step s[] = {
		{ "runnable at first sight", 0, 10, 0, 1, 1, 1, 0, 1, 1 },
		{ "has not moved for a tick", 20, 10, 0, 1, 1, 1, 20000, 1, 1 },
		{ "nor for two", 20, 10, 0, 1, 1, 1, 40000, 1, 0 },
		{ "was served, waits anew", 20, 15, 40, 1, 1, 1, 0, 1, 0 },
		{ "has not moved for 1 ms", 1, 15, 40, 1, 1, 1, 1000, 1, 0 },
		{ "over 1 ms now", 1, 15, 40, 1, 1, 1, 2000, 1, 1 },
		{ "asleep: waits for nothing", 20, 15, 62, 0, 1, 0, 0, 0, 0 },
		{ "", 20, 15, 62, 0, 0, 0, 0, 0, 0 },
		{ "asleep to runnable between looks", 20, 15, 62, 1, 1, 1, 0, 1,
		  1 },
	};

	(void)state;
	run(s, LEN(s));
}

/* Another thread's counters, or the same look twice, say nothing of the time
 * in between. */
static void test_backwards(void **state)
{
	static const struct step s[] = {
		{ "", 0, 500, 500, 0, 0, 0, 0, 0, 0 },
		{ "ran less than before", 20, 3, 500, 0, 0, 0, 0, 0, 0 },
		{ "waited less than before", 20, 3, 1, 0, 0, 0, 0, 0, 0 },
		{ "counts from there", 20, 13, 1, 0, 1, 0, 0, 1, 1 },
		{ "backwards and runnable", 20, 2, 0, 1, 1, 1, 0, 1, 0 },
		{ "its wait begins anew", 20, 2, 0, 1, 1, 1, 20000, 1, 1 },
		{ "no time has passed", 0, 9, 9, 1, 1, 1, 0, 1, 0 },
	};

	(void)state;
	run(s, LEN(s));
}

static void test_clock_backwards(void **state)
{
	(void)state;
	start(1, 4);
	world[0] = (struct look){ .run_ns = 5, .runnable = true };
	tick(1000 * MS);
	tick(10 * MS);
	assert_int_equal(hints.all.wait_us, 0);
	assert_int_equal(hints.all.wanted, 1);
	tick(30 * MS);
	assert_int_equal(hints.all.runnable, 1);
}

/* The longest wait there can be still fits. */
static void test_saturates(void **state)
{
	(void)state;
	start(1, 4);
	world[0] = (struct look){ .runnable = true };
	tick(1);
	tick(UINT64_MAX - 1);
	assert_int_equal(hints.all.wait_us, UINT32_MAX);
	assert_int_equal(hints.all.wanted, 1);
	world[0] = (struct look){ .run_ns = UINT64_MAX, .wait_ns = UINT64_MAX };
	tick(UINT64_MAX);
	assert_int_equal(hints.all.wanted, 1);
}

/* --- many workers -------------------------------------------------------- */

static void test_wanted(void **state)
{
	/* each of @workers runs @permille of the time, @runnable of them are */
	static const struct {
		const char *what;
		unsigned workers, permille, vcpus;
		bool runnable;
		uint16_t wanted, runnable_cnt;
	} row[] = {
		{ "nobody", 0, 0, 4, 0, 0, 0 },
		{ "two idle", 2, 0, 4, 0, 0, 0 },
		{ "two that run half", 2, 500, 4, 0, 1, 0 },
		{ "three that run half", 3, 500, 4, 0, 2, 0 },
		{ "four that run all", 4, 1000, 8, 1, 4, 4 },
		{ "more than there are vcpus", 9, 1000, 4, 1, 4, 9 },
		{ "no host: no bound", 9, 1000, 0, 1, 9, 9 },
		{ "64 that run a tenth", 64, 100, 99, 0, 7, 0 },
		{ "1000 that run a tenth", 1000, 100, 500, 0, 100, 0 },
		{ "all that can be", WORKER_MAX, 1000, 512, 1, 512, 4096 },
	};

	(void)state;
	for (unsigned i = 0; i < LEN(row); i++) {
		uint64_t now_ns = 1000 * MS;

		start(row[i].workers, (uint16_t)row[i].vcpus);
		/* as many rounds as see each worker twice */
		for (unsigned n = 0; n < 130; n++, now_ns += TICK) {
			for (unsigned w = 0; w < row[i].workers; w++) {
				world[w].run_ns =
				    n * TICK * row[i].permille / 1000;
				world[w].runnable = row[i].runnable;
				world[w].vcpu = (uint16_t)(w % 3);
			}
			tick(now_ns);
		}
		if (hints.all.wanted != row[i].wanted ||
		    hints.all.runnable != row[i].runnable_cnt ||
		    hints.all.workers != row[i].workers)
			fail_msg("%s: wanted %u runnable %u workers %u",
				 row[i].what, hints.all.wanted,
				 hints.all.runnable, hints.all.workers);
	}
}

/* 64 looks a tick, each worker in turn, holes and all. */
static void test_turn(void **state)
{
	(void)state;
	start(150, 4);
	for (unsigned i = 0; i < 150; i += 3)
		table.worker[i].tid = 0;
	table.count = 100;
	for (unsigned n = 1; n <= 2; n++) {
		tick(n * TICK);
		assert_int_equal(looks, n * 64);
	}
	for (unsigned i = 0; i < 150; i++)
		assert_int_equal(table.worker[i].seen_ns != 0, i % 3 != 0);
	/* 128 looks at 100 workers: the first 28 twice */
	assert_int_equal(table.worker[1].seen_ns, 2 * TICK);
	assert_int_equal(table.worker[41].seen_ns, 2 * TICK);
	assert_int_equal(table.worker[43].seen_ns, TICK);
	/* a table that shrank below the turn */
	table.high = 5;
	table.count = 3;
	looks = 0;
	tick(3 * TICK);
	assert_int_equal(looks, 3);
}

static void test_gone(void **state)
{
	(void)state;
	start(4, 4);
	gone[1] = ESRCH;
	gone[2] = EACCES;
	world[3].runnable = true;
	tick(TICK);
	assert_int_equal(hints.gone_cnt, 1);
	assert_int_equal(hints.gone[0], 1);
	assert_int_equal(hints.all.runnable, 1);
	assert_int_equal(table.worker[2].seen_ns, 0);
	tick(2 * TICK);
	assert_int_equal(hints.gone_cnt, 1);
}

/* Each vcpu has its own, acks are the words, flags are the caller's. */
static void test_vcpus(void **state)
{
	(void)state;
	start(4, 4);
	granted.word[1] = agent_word(7, 3, 2);
	granted.word[511] = 99;
	for (unsigned i = 0; i < 4; i++)
		world[i].runnable = i != 3;
	world[0].vcpu = world[1].vcpu = 1;
	world[2].vcpu = CPU_NONE; /* nowhere that could be named */
	hints.all.flags = AGENT_HINT_PLACING;
	tick(TICK);
	tick(3 * TICK);
	world[1].run_ns = 5;
	tick(4 * TICK);
	assert_int_equal(hints.all.runnable, 3);
	assert_int_equal(hints.vcpu[1].runnable, 2);
	assert_int_equal(hints.vcpu[1].wait_us, 60000);
	assert_int_equal(hints.vcpu[0].runnable, 0);
	assert_int_equal(hints.vcpu[0].wait_us, 0);
	assert_true(hints.vcpu[1].ack == agent_word(7, 3, 2));
	assert_int_equal(hints.vcpu[511].ack, 99);
	assert_int_equal(hints.all.flags, AGENT_HINT_PLACING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_backwards),
		cmocka_unit_test(test_clock_backwards),
		cmocka_unit_test(test_saturates),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_turn),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_vcpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
