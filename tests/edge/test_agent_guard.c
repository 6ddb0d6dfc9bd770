// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_guard.c - the agent dies, every mask comes back
 *
 * The "agent" is a child of the test: the real table, place, hands and guard,
 * placing the 200 threads of another child, which clone others all the while.
 * It is ended in the middle of that, in several ways. Then no thread of that
 * process, cloned whenever, may have another mask than at the start.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "guest-agent/crew.h"
#include "guest-agent/guard.h"
#include "guest-agent/procfs.h"
#include "guest-agent/scan.h"
#include "hl/clock.h"

#define THREADS	 200
#define BACK_NS	 (10 * NSEC_PER_SEC) /* 10 ms, where there is a cpu free */
#define ROUNDS	 8
#define STUCK_NS (2 * NSEC_PER_SEC)

static void nap_us(long us)
{
	const struct timespec ts = { .tv_sec = us / 1000000,
				     .tv_nsec = us % 1000000 * 1000 };

	nanosleep(&ts, NULL);
}

static struct match match;

/* --- the process with workers ------------------------------------------- */

static void *moth(void *arg)
{
	nap_us(5000);
	return arg;
}

static void start(void *(*fn)(void *))
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&t, &attr, fn, NULL))
		_exit(1);
	pthread_attr_destroy(&attr);
}

static void *cloner(void *arg)
{
	for (;;) {
		nap_us(100000);
		start(moth);
	}
	return arg;
}

static pid_t start_workers(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, match.rule[0].text);
	for (unsigned i = 0; i < THREADS; i++)
		start(cloner);
	for (;;)
		pause();
}

/* Threads of @pid, and of them those whose mask is not @mask. */
static void look(pid_t pid, const struct cpumask *mask, unsigned *all,
		 unsigned *wrong)
{
	char path[64];
	const struct dirent *e;
	struct cpumask now;
	pid_t tid;
	DIR *d;

	*all = *wrong = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d))) {
		memset(&now, 0, sizeof(now));
		if (!procfs_pid(e->d_name, &tid) ||
		    sched_getaffinity(tid, sizeof(now), (cpu_set_t *)&now))
			continue;
		++*all;
		*wrong += !cpumask_equal(&now, mask);
	}
	closedir(d);
}

/* The kernel's list ends early when a thread it stands at ends: none of those
 * that live on may be missing. */
static void count(pid_t pid, const struct cpumask *mask, unsigned *all,
		  unsigned *wrong)
{
	for (unsigned tries = 0; tries < 1000; tries++) {
		look(pid, mask, all, wrong);
		if (*all > THREADS)
			return;
	}
	fail_msg("%u workers, not %d", *all, THREADS);
}

/* --- the agent ---------------------------------------------------------- */

static struct crew crew;
static struct scan scan;

static volatile sig_atomic_t asked;

static void on_term(int sig)
{
	(void)sig;
	asked = 1;
}

/* Everything joined, then grants that change until SIGTERM. */
static void place_all(struct guard_share *s, int ready)
{
	struct cpumask g = { 0 };
	char c = 0;

	crew.table = &s->table;
	crew.match = &match;
	table_init(&s->table);
	if (hands_init(&crew.hands, &s->table) ||
	    place_init(&crew.place, &s->table, procfs_possible(),
		       50 * NSEC_PER_MSEC, 20 * NSEC_PER_MSEC))
		_exit(1);
	for (unsigned turn = 0; !asked; turn++) {
		uint64_t now_ns = clock_now_ns();

		if (turn % 50 == 0)
			scan_begin(&scan);
		scan_turn(&scan, &crew, now_ns, NSEC_PER_MSEC);
		g.word[0] = 1 + turn / 2 % 2;
		crew_grants(&crew, &g, now_ns);
		crew_apply(&crew, now_ns, now_ns + NSEC_PER_MSEC);
		__atomic_store_n(&s->beat_ns, now_ns, __ATOMIC_RELAXED);
		if (turn == 200 && write(ready, &c, 1) != 1)
			_exit(1);
	}
}

/* Return: its number. It is in the middle of placing. */
static pid_t start_agent(void)
{
	struct guard_share *s;
	struct guard g;
	int fd[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, on_term);
		signal(SIGSEGV, SIG_DFL); /* cmocka has its own */
		signal(SIGABRT, SIG_DFL);
		s = guard_share();
		if (!s)
			_exit(1);
		s->stuck_ns = STUCK_NS;
		if (guard_start(&g, s, -1))
			_exit(1);
		place_all(s, fd[1]);
		guard_finish(&g);
		_exit(0);
	}
	close(fd[1]);
	assert_int_equal(read(fd[0], &c, 1), 1);
	close(fd[0]);
	return pid;
}

/* --- the tests ---------------------------------------------------------- */

static struct cpumask whole;

static bool two_cpus(void)
{
	memset(&whole, 0, sizeof(whole));
	if (sched_getaffinity(0, sizeof(whole), (cpu_set_t *)&whole))
		return false;
	return (whole.word[0] & 3) == 3;
}

static void one_round(int sig, uint64_t limit_ns, uint64_t *worst_ns)
{
	pid_t workers = start_workers();
	unsigned all = 0, wrong = 0;
	uint64_t begun_ns, took_ns;
	pid_t agent;

	for (unsigned i = 0; i < 1000 && all <= THREADS; i++, nap_us(1000))
		look(workers, &whole, &all, &wrong);
	agent = start_agent();
	count(workers, &whole, &all, &wrong);
	assert_true(wrong > THREADS / 2); /* it has hold of them */
	nap_us(rand() % 5000);
	begun_ns = clock_now_ns();
	kill(agent, sig);
	do {
		count(workers, &whole, &all, &wrong);
		took_ns = clock_now_ns() - begun_ns;
	} while (wrong && took_ns < limit_ns);
	if (wrong)
		fail_msg("signal %d: %u of %u threads not back after %llu ms",
			 sig, wrong, all,
			 (unsigned long long)(took_ns / NSEC_PER_MSEC));
	/* and it stays so: nobody is cloned with a mask of before */
	nap_us(300000);
	count(workers, &whole, &all, &wrong);
	if (wrong)
		fail_msg("signal %d: all back after %llu us, and then %u of %u "
			 "not",
			 sig, (unsigned long long)(took_ns / NSEC_PER_USEC),
			 wrong, all);
	if (took_ns > *worst_ns)
		*worst_ns = took_ns;
	waitpid(agent, NULL, 0);
	kill(workers, SIGKILL);
	waitpid(workers, NULL, 0);
}

static void test_killed(void **unused)
{
	uint64_t worst_ns = 0;

	(void)unused;
	if (!two_cpus())
		skip();
	srand(1);
	for (unsigned i = 0; i < ROUNDS; i++)
		one_round(SIGKILL, BACK_NS, &worst_ns);
	printf("%d threads that clone: back %llu us after SIGKILL at the "
	       "latest\n",
	       THREADS, (unsigned long long)(worst_ns / NSEC_PER_USEC));
}

static void test_crashed(void **unused)
{
	uint64_t worst_ns = 0;

	(void)unused;
	if (!two_cpus())
		skip();
	one_round(SIGSEGV, BACK_NS, &worst_ns);
	one_round(SIGABRT, BACK_NS, &worst_ns);
}

static void test_asked(void **unused)
{
	uint64_t worst_ns = 0;

	(void)unused;
	if (!two_cpus())
		skip();
	one_round(SIGTERM, BACK_NS, &worst_ns);
}

/* It lives and does nothing: after a while it is killed. */
static void test_stuck(void **unused)
{
	uint64_t worst_ns = 0;

	(void)unused;
	if (!two_cpus())
		skip();
	one_round(SIGSTOP, STUCK_NS + 3 * NSEC_PER_SEC, &worst_ns);
	assert_true(worst_ns > STUCK_NS / 2);
}

/* A second agent waits until the guardian of the first is done. */
static void test_lock(void **unused)
{
	char path[] = "/tmp/test_agent_guard-XXXXXX";
	int tmp = mkstemp(path), fd;
	uint64_t begun_ns;
	pid_t pid;

	(void)unused;
	assert_true(tmp >= 0);
	fd = guard_lock(path, 0);
	assert_true(fd >= 0);
	assert_int_equal(guard_lock(path, 0), -EBUSY);
	pid = fork();
	if (!pid) {
		struct guard g;

		_exit(guard_start(&g, guard_share(), fd) != 0);
	}
	close(fd);
	waitpid(pid, NULL, 0);
	begun_ns = clock_now_ns();
	fd = guard_lock(path, 5000);
	assert_true(fd >= 0);
	/* the guardian's passes take half a second */
	assert_true(clock_now_ns() - begun_ns > 100 * NSEC_PER_MSEC);
	close(fd);
	close(tmp);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed), cmocka_unit_test(test_crashed),
		cmocka_unit_test(test_asked),  cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_lock),
	};

	/* not those of another run of this test */
	snprintf(match.rule[0].text, MATCH_TEXT, "guard-%d", getpid());
	match.rule[0].kind = MATCH_COMMAND;
	match.count = 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
