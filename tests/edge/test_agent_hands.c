// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_hands.c - masks of real threads, changed by us and by others
 *
 * The worker is a process of the test's own; "somebody else" is the test. What
 * the kernel would refuse, and a machine of more cpus, is played by wrapped
 * calls.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "guest-agent/hands.h"
#include "guest-agent/procfs.h"

int __real_sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set);
int __wrap_sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set);

static int refuse_with; /* errno of the next calls; 0: let them through */
static unsigned calls;

int __wrap_sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set)
{
	calls++;
	if (refuse_with) {
		errno = refuse_with;
		return -1;
	}
	return __real_sched_setaffinity(pid, size, set);
}

static struct table table;
static struct hands hands;
static struct cpumask both;
static pid_t child;
static uint16_t slot;

static struct cpumask mask(uint64_t bits)
{
	return (struct cpumask){ { bits } };
}

/* Set from outside, not through the wrapper's counter. */
static void set(pid_t pid, uint64_t bits)
{
	struct cpumask m = mask(bits);

	assert_int_equal(
	    __real_sched_setaffinity(pid, sizeof(m), (const cpu_set_t *)&m), 0);
}

static uint64_t get(pid_t pid)
{
	struct cpumask m = mask(0);

	assert_int_equal(sched_getaffinity(pid, sizeof(m), (cpu_set_t *)&m), 0);
	return m.word[0];
}

static pid_t fork_one(void)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static uint16_t add(pid_t pid, const struct worker *parent)
{
	struct procfs_stat s;
	uint16_t i;

	assert_int_equal(procfs_stat(pid, pid, &s), 0);
	i = table_add(&table, pid, pid, s.started);
	assert_int_equal(hands_note(&hands, i, parent), 0);
	return i;
}

static int apply(enum place_kind kind, uint16_t vcpu, uint64_t granted)
{
	const struct place_change c = { slot, vcpu, CPU_NONE, (uint8_t)kind };
	struct cpumask g = mask(granted);

	return hands_apply(&hands, &c, &g, 1);
}

static int setup(void **unused)
{
	(void)unused;
	refuse_with = 0;
	table_init(&table);
	if (hands_init(&hands, &table))
		return -1;
	both = hands.online;
	if ((both.word[0] & 3) != 3 || (get(0) & 3) != 3)
		return 0; /* each test skips */
	child = fork_one();
	set(child, 3);
	slot = add(child, NULL);
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	if (child)
		end(child);
	child = 0;
	return 0;
}

#define needs_two_cpus()                                                       \
	do {                                                                   \
		if (!child)                                                    \
			skip();                                                \
	} while (0)

static void test_pin_ride_back(void **unused)
{
	(void)unused;
	needs_two_cpus();
	assert_false(table.worker[slot].touched);
	assert_int_equal(apply(PLACE_PIN, 1, 3), HANDS_DONE);
	assert_int_equal(get(child), 2);
	assert_true(table.worker[slot].touched);
	assert_int_equal(apply(PLACE_RIDE, CPU_NONE, 1), HANDS_DONE);
	assert_int_equal(get(child), 1);
	/* nothing to change: no call */
	calls = 0;
	assert_int_equal(apply(PLACE_RIDE, CPU_NONE, 1), HANDS_DONE);
	assert_int_equal(apply(PLACE_PIN, 0, 1), HANDS_DONE);
	assert_int_equal(calls, 0);
	assert_int_equal(hands.n.same, 2);
	assert_int_equal(apply(PLACE_BACK, CPU_NONE, 0), HANDS_DONE);
	assert_int_equal(get(child), 3);
	assert_false(table.worker[slot].touched);
}

/* Riding on all it may use is having what it had. */
static void test_whole(void **unused)
{
	(void)unused;
	needs_two_cpus();
	calls = 0;
	assert_int_equal(apply(PLACE_RIDE, CPU_NONE, both.word[0]), HANDS_DONE);
	assert_int_equal(calls, 0);
	assert_false(table.worker[slot].touched);
}

static void test_somebody_else(void **unused)
{
	(void)unused;
	needs_two_cpus();
	assert_int_equal(apply(PLACE_PIN, 1, 3), HANDS_DONE);
	set(child, 1);
	/* seen before we would set it */
	calls = 0;
	assert_int_equal(apply(PLACE_RIDE, CPU_NONE, 3), HANDS_HAD);
	assert_int_equal(calls, 0);
	assert_true(table.worker[slot].had.word[0] == 1);
	assert_false(table.worker[slot].touched);
	/* and from then on it is placed within that */
	assert_int_equal(apply(PLACE_RIDE, CPU_NONE, 3), HANDS_DONE);
	assert_int_equal(get(child), 1);
	assert_int_equal(apply(PLACE_RIDE, CPU_NONE, 2), HANDS_DONE);
	assert_int_equal(get(child), 1);
	assert_int_equal(hands.n.others, 1);
	/* seen by a look, of one that we had not touched, too */
	set(child, 3);
	assert_int_equal(hands_check(&hands, slot), HANDS_HAD);
	assert_int_equal(hands_check(&hands, slot), HANDS_DONE);
	assert_int_equal(apply(PLACE_PIN, 0, 3), HANDS_DONE);
	assert_int_equal(get(child), 1);
}

/* What we put back is not put over what somebody else has set. */
static void test_back_respects(void **unused)
{
	(void)unused;
	needs_two_cpus();
	assert_int_equal(apply(PLACE_PIN, 1, 3), HANDS_DONE);
	set(child, 1);
	assert_int_equal(hands_back(&hands, slot), HANDS_HAD);
	assert_int_equal(get(child), 1);
}

/* The agent was killed between its note and the call, either side of it. */
static void test_killed_between(void **unused)
{
	struct worker *w = &table.worker[slot];

	(void)unused;
	needs_two_cpus();
	assert_int_equal(apply(PLACE_PIN, 1, 3), HANDS_DONE);
	w->past[0] = w->set;
	w->set = mask(1);
	w->changing = true;
	assert_int_equal(hands_back(&hands, slot), HANDS_DONE);
	assert_int_equal(get(child), 3);
	/* before the first one: nothing was set */
	w->past[0] = w->set;
	w->set = mask(1);
	w->changing = true;
	w->touched = true;
	assert_int_equal(hands_back(&hands, slot), HANDS_DONE);
	assert_int_equal(get(child), 3);
}

static void test_inherited(void **unused)
{
	uint16_t i, j, k;
	pid_t a, b, c;

	(void)unused;
	needs_two_cpus();
	assert_int_equal(apply(PLACE_PIN, 1, 3), HANDS_DONE);
	/* "cloned" while its parent was pinned there; seen later */
	a = fork_one();
	b = fork_one();
	c = fork_one();
	set(a, 2);
	set(b, 2);
	set(c, 1);
	assert_int_equal(apply(PLACE_PIN, 0, 3), HANDS_DONE);
	i = add(a, &table.worker[slot]);
	assert_true(table.worker[i].touched);
	assert_true(
	    cpumask_equal(&table.worker[i].had, &table.worker[slot].had));
	assert_int_equal(hands_back(&hands, i), HANDS_DONE);
	assert_int_equal(get(a), 3);
	/* after three more changes it is told no more: its own */
	assert_int_equal(apply(PLACE_RIDE, CPU_NONE, 3), HANDS_DONE);
	assert_int_equal(apply(PLACE_PIN, 0, 3), HANDS_DONE);
	assert_int_equal(apply(PLACE_RIDE, CPU_NONE, 3), HANDS_DONE);
	assert_int_equal(apply(PLACE_PIN, 0, 3), HANDS_DONE);
	assert_int_equal(apply(PLACE_RIDE, CPU_NONE, 3), HANDS_DONE);
	j = add(b, &table.worker[slot]);
	assert_false(table.worker[j].touched);
	assert_true(table.worker[j].had.word[0] == 2);
	/* with what its parent has at the moment */
	assert_int_equal(apply(PLACE_PIN, 0, 3), HANDS_DONE);
	k = add(c, &table.worker[slot]);
	assert_true(table.worker[k].touched);
	assert_int_equal(hands.n.inherited, 2);
	end(a);
	end(b);
	end(c);
}

/* No worker, but a child of one: free again. A stranger is left alone. */
static void test_stray(void **unused)
{
	pid_t a = fork_one(), w;

	(void)unused;
	needs_two_cpus();
	set(a, 2);
	/* the test is its parent, and no worker */
	assert_false(hands_stray(&hands, a, a));
	w = getpid();
	set(w, 3);
	slot = add(w, NULL);
	assert_int_equal(apply(PLACE_PIN, 1, 3), HANDS_DONE);
	assert_true(hands_stray(&hands, a, a));
	assert_int_equal(get(a), 3);
	/* with a mask that is none of ours */
	set(a, 1);
	assert_false(hands_stray(&hands, a, a));
	/* a worker is none */
	assert_false(hands_stray(&hands, w, w));
	assert_int_equal(get(w), 2);
	assert_int_equal(hands_back(&hands, slot), HANDS_DONE);
	assert_int_equal(hands.n.strays, 1);
	end(a);
}

static const struct {
	const char *what;
	int error, end;
	size_t counter;
} refuse_row[] = {
	{ "outside its cpuset", EINVAL, HANDS_REFUSED,
	  offsetof(struct hands_counters, cpuset) },
	{ "no permission", EPERM, HANDS_REFUSED,
	  offsetof(struct hands_counters, denied) },
	{ "gone", ESRCH, HANDS_GONE, offsetof(struct hands_counters, gone) },
};

static void test_refused(void **unused)
{
	(void)unused;
	needs_two_cpus();
	for (size_t i = 0; i < sizeof(refuse_row) / sizeof(refuse_row[0]);
	     i++) {
		memset(&hands.n, 0, sizeof(hands.n));
		refuse_with = refuse_row[i].error;
		if (apply(PLACE_PIN, 1, 3) != refuse_row[i].end ||
		    *(uint64_t *)((char *)&hands.n + refuse_row[i].counter) !=
			1)
			fail_msg("%s", refuse_row[i].what);
		refuse_with = 0;
		/* as if it had not been tried */
		assert_false(table.worker[slot].touched ||
			     table.worker[slot].changing);
		assert_int_equal(hands_check(&hands, slot), HANDS_DONE);
		assert_int_equal(get(child), 3);
	}
	assert_int_equal(apply(PLACE_PIN, 1, 3), HANDS_DONE);
	refuse_with = EPERM;
	assert_int_equal(apply(PLACE_PIN, 0, 3), HANDS_REFUSED);
	refuse_with = 0;
	assert_int_equal(hands_back(&hands, slot), HANDS_DONE);
	assert_int_equal(get(child), 3);
}

/* Its number is another's by now: not touched. */
static void test_recycled(void **unused)
{
	(void)unused;
	needs_two_cpus();
	table.worker[slot].started++;
	calls = 0;
	assert_int_equal(apply(PLACE_PIN, 1, 3), HANDS_GONE);
	table.worker[slot].touched = true;
	assert_int_equal(hands_back(&hands, slot), HANDS_GONE);
	assert_int_equal(calls, 0);
	end(child);
	child = 0;
	assert_int_equal(hands_check(&hands, slot), HANDS_GONE);
	assert_int_equal(apply(PLACE_PIN, 1, 3), HANDS_GONE);
}

/* A cpu went offline: what the kernel shows then is still ours. */
static void test_offline(void **unused)
{
	struct worker *w = &table.worker[slot];

	(void)unused;
	needs_two_cpus();
	assert_int_equal(apply(PLACE_PIN, 1, 3), HANDS_DONE);
	/* we had set {1, 100}; 100 is not online */
	cpumask_set(&w->set, 100);
	assert_int_equal(hands_check(&hands, slot), HANDS_DONE);
	/* we had set {100}: its last cpu went, and the kernel let it run
	 * anywhere */
	w->set = mask(0);
	cpumask_set(&w->set, 100);
	set(child, 3);
	assert_int_equal(hands_check(&hands, slot), HANDS_DONE);
	assert_int_equal(hands.n.others, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(test_pin_ride_back),  TEST(test_whole),
		TEST(test_somebody_else),  TEST(test_back_respects),
		TEST(test_killed_between), TEST(test_inherited),
		TEST(test_stray),	   TEST(test_refused),
		TEST(test_recycled),	   TEST(test_offline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
