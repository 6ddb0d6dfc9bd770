// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_procfs.c - what is read out of /proc's texts
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "guest-agent/procfs.h"

/* Fields 4 to 38, then 39 (cpu) and the rest. */
#define HEAD(ppid, flags)                                                      \
#ppid " 7 7 0 -1 " #flags                                              \
	      " 1 2 3 4 5 6 7 8 20 0 1 0 4711 10 11 12 13 14 15 16 17 18 "     \
	      "19 20 21 22 23 24 25 "
#define TAIL " 0 0 0 0 0\n"

static const struct {
	const char *what, *text;
	int err;
	struct procfs_stat out;
} stat_row[] = {
	{ "a thread",
	  "42 (web) S " HEAD(1, 64) "3" TAIL,
	  0,
	  { 'S', 1, false, 3, 4711 } },
	{ "one that runs",
	  "42 (web) R " HEAD(1, 64) "511" TAIL,
	  0,
	  { 'R', 1, false, 511, 4711 } },
	{ "one of the kernel's",
	  "2 (kthreadd) S " HEAD(0, 2129984) "0" TAIL,
	  0,
	  { 'S', 0, true, 0, 4711 } },
	{ "a name with blanks",
	  "42 (a b c) S " HEAD(1, 64) "3" TAIL,
	  0,
	  { 'S', 1, false, 3, 4711 } },
	{ "a name that looks like the rest",
	  "42 (x) R 9 9 9) S " HEAD(1, 64) "3" TAIL,
	  0,
	  { 'S', 1, false, 3, 4711 } },
	{ "no name",
	  "42 () S " HEAD(1, 64) "3" TAIL,
	  0,
	  { 'S', 1, false, 3, 4711 } },
	{ "a cpu beyond all",
	  "42 (web) S " HEAD(1, 64) "512" TAIL,
	  0,
	  { 'S', 1, false, CPU_NONE, 4711 } },
	{ "nothing behind the cpu",
	  "42 (web) S " HEAD(1, 64) "3",
	  0,
	  { 'S', 1, false, 3, 4711 } },
	{ "cut before the cpu", "42 (web) S " HEAD(1, 64), -EINVAL, { 0 } },
	{ "cut in the name", "42 (web", -EINVAL, { 0 } },
	{ "cut behind the name", "42 (web)", -EINVAL, { 0 } },
	{ "cut behind the state", "42 (web) S", -EINVAL, { 0 } },
	{ "a long state", "42 (web) SS " HEAD(1, 64) "3", -EINVAL, { 0 } },
	{ "a word for a number",
	  "42 (web) S x " HEAD(1, 64) "3",
	  -EINVAL,
	  { 0 } },
	{ "a number too large for any",
	  "42 (web) S " HEAD(99999999999999999999, 64) "3",
	  -EINVAL,
	  { 0 } },
	{ "a parent too large",
	  "42 (web) S " HEAD(4294967296, 64) "3",
	  -EINVAL,
	  { 0 } },
	{ "nothing", "", -EINVAL, { 0 } },
};

static void test_stat(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(stat_row) / sizeof(stat_row[0]); i++) {
		const struct procfs_stat *want = &stat_row[i].out;
		struct procfs_stat s;
		int err = procfs_parse_stat(stat_row[i].text,
					    strlen(stat_row[i].text), &s);

		if (err != stat_row[i].err)
			fail_msg("%s: %d", stat_row[i].what, err);
		if (!err && (s.state != want->state || s.ppid != want->ppid ||
			     s.kthread != want->kthread || s.cpu != want->cpu ||
			     s.started != want->started))
			fail_msg("%s: %c %d %d %u %llu", stat_row[i].what,
				 s.state, s.ppid, s.kthread, s.cpu,
				 (unsigned long long)s.started);
	}
}

static const struct {
	const char *what, *text;
	int err;
	uint64_t run, wait;
} sched_row[] = {
	{ "as the kernel writes it", "123456789 987 42\n", 0, 123456789, 987 },
	{ "never ran", "0 0 0\n", 0, 0, 0 },
	{ "without the third", "1 2", 0, 1, 2 },
	{ "the largest", "18446744073709551615 0 0\n", 0, UINT64_MAX, 0 },
	{ "too large", "18446744073709551616 0 0\n", -EINVAL, 0, 0 },
	{ "one number", "1\n", -EINVAL, 0, 0 },
	{ "a word", "1 x 2\n", -EINVAL, 0, 0 },
	{ "nothing", "", -EINVAL, 0, 0 },
};

static void test_schedstat(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(sched_row) / sizeof(sched_row[0]); i++) {
		uint64_t run = 0, wait = 0;
		int err = procfs_parse_schedstat(
		    sched_row[i].text, strlen(sched_row[i].text), &run, &wait);

		if (err != sched_row[i].err)
			fail_msg("%s: %d", sched_row[i].what, err);
		if (!err &&
		    (run != sched_row[i].run || wait != sched_row[i].wait))
			fail_msg("%s: %llu %llu", sched_row[i].what,
				 (unsigned long long)run,
				 (unsigned long long)wait);
	}
}

static const struct {
	const char *name;
	pid_t pid; /* 0: none */
} pid_row[] = {
	{ "1", 1 },
	{ "4194304", 4194304 },
	{ "2147483647", 2147483647 },
	{ "self", 0 },
	{ "", 0 },
	{ "0", 0 },
	{ "-1", 0 },
	{ "12a", 0 },
	{ "1 2", 0 },
	{ ".", 0 },
	{ "2147483648", 0 },
	{ "007", 0 },
	{ "12 ", 0 },
};

static void test_pid(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(pid_row) / sizeof(pid_row[0]); i++) {
		pid_t pid = 0;
		bool is = procfs_pid(pid_row[i].name, &pid);

		if (is != (pid_row[i].pid != 0) ||
		    (is && pid != pid_row[i].pid))
			fail_msg("'%s': %d", pid_row[i].name, pid);
	}
}

/* The real thing: this very process. */
static void test_here(void **unused)
{
	char comm[PROCFS_COMM], cgroups[PROCFS_CGROUP];
	struct procfs_stat s;
	struct cpumask online;

	(void)unused;
	assert_int_equal(procfs_stat(getpid(), getpid(), &s), 0);
	assert_int_equal(s.ppid, getppid());
	assert_int_equal(s.state, 'R');
	assert_false(s.kthread);
	assert_int_equal(procfs_comm(getpid(), comm), 0);
	assert_memory_equal(comm, "test_agent_proc", PROCFS_COMM);
	assert_int_equal(procfs_cgroups(getpid(), cgroups), 0);
	assert_non_null(strchr(cgroups, ':'));
	assert_int_equal(procfs_online(&online), 0);
	assert_true(cpumask_has(&online, s.cpu));
	assert_true(procfs_possible() >= cpumask_count(&online));
	assert_int_equal(procfs_stat(getpid(), 1, &s), -ESRCH);
	assert_int_equal(procfs_comm(INT32_MAX, comm), -ESRCH);
}

static struct table table;
static struct procfs_files files;

/* Looks at a child: with files to be kept open, and without. */
static void look_at_child(unsigned left)
{
	struct procfs_stat s;
	pid_t pid = fork();
	uint16_t slot;
	struct look l;

	if (!pid)
		for (;;)
			pause();
	table_init(&table);
	files = (struct procfs_files){ .table = &table, .left = left };
	assert_int_equal(procfs_stat(pid, pid, &s), 0);
	slot = table_add(&table, pid, pid, s.started);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(procfs_look(&files, &table.worker[slot], &l),
				 0);
	assert_int_equal(files.left, 0);
	assert_int_equal(files.of[slot].stat > 0, left);
	/* not opened for another that has the number */
	procfs_forget(&files, slot);
	assert_int_equal(files.left, left);
	table.worker[slot].started++;
	assert_int_equal(procfs_look(&files, &table.worker[slot], &l), -ESRCH);
	assert_int_equal(files.left, left);
	table.worker[slot].started--;
	assert_int_equal(procfs_look(&files, &table.worker[slot], &l), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(procfs_look(&files, &table.worker[slot], &l), -ESRCH);
	procfs_forget(&files, slot);
	procfs_forget(&files, slot);
	assert_int_equal(files.left, left);
}

static void test_look(void **unused)
{
	(void)unused;
	look_at_child(1);
	look_at_child(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat), cmocka_unit_test(test_schedstat),
		cmocka_unit_test(test_pid),  cmocka_unit_test(test_here),
		cmocka_unit_test(test_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
