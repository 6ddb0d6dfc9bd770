// SPDX-License-Identifier: Apache-2.0
/*
 * test_guardian.c - hostd dies, everything comes back
 *
 * "hostd" is a child of the test: it runs the real backend on a fake tree and
 * a real process, under a real guardian, and is killed with SIGKILL.
 */
#include <errno.h>
#include <fcntl.h>
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

#include "act.h"
#include "guardian.h"
#include "hl/clock.h"
#include "journal.h"
#include "policy/policy.h"
#include "tests/fake/fake_cgroup.h"

#define UUID	"0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
#define ROUNDS	20
#define BACK_NS NSEC_PER_SEC

static struct fake_vm machine;
static unsigned cpu[2];
static char journal[128], lock[128], marker[128];

/* What hostd tells the test once it is as far as that. */
struct word {
	int err;
	pid_t guardian;
};

static void start(void)
{
	if (!fake_cpus(cpu))
		skip();
	fake_open(FAKE_V1, &machine);
	snprintf(journal, sizeof(journal), "%s/restore", fake_root());
	snprintf(lock, sizeof(lock), "%s/lock", fake_root());
	snprintf(marker, sizeof(marker), "%s/marker", fake_root());
}

static void stop(void)
{
	fake_close(&machine);
}

static void nap(void)
{
	const struct timespec ts = { .tv_nsec = 1000000 };

	nanosleep(&ts, NULL);
}

static void mark(const char *path)
{
	FILE *f = fopen(marker, "w");

	/* the journal must still be there for its pins to be read */
	if (f) {
		fprintf(f, "%d", access(path, F_OK));
		fclose(f);
	}
}

/* --- the child that plays hostd ------------------------------------------ */

static int move_both(struct act *act, const struct act_vm *vm)
{
	struct move_done d;
	int left = 0;

	for (uint16_t i = 0; i < 2; i++) {
		const struct move m = { .vcpu = i,
					.vm = vm->vm,
					.index = i,
					.gen = 1,
					.pid = vm->pid,
					.tid = vm->tid[i],
					.mask = fake_mask(cpu[1]) };

		left += act_cgroup.submit(act, &m);
	}
	while (left) {
		if (!act_cgroup.reap(act, &d))
			nap();
		else if (d.err)
			return d.err;
		else
			left--;
	}
	return 0;
}

static int hostd_start(struct act **act)
{
	struct act_conf conf = { .journal = journal };
	struct act_vm vm = { .vm = 1,
			     .name = "my vm",
			     .uuid = UUID,
			     .pid = machine.pid,
			     .class = VM_CLASS_BEST_EFFORT,
			     .vcpu_cnt = 2,
			     .tid = { machine.tid[0], machine.tid[1] } };
	int err, fd = guardian_lock(lock, 0);

	if (fd < 0)
		return fd;
	cpumask_set(&conf.floor, cpu[0]);
	cpumask_set(&conf.managed, cpu[1]);
	err = guardian_start(journal, fd, mark);
	if (!err)
		err = act_cgroup.open(act, &conf);
	if (!err)
		err = act_cgroup.adopt(*act, &vm);
	return err ? err : move_both(*act, &vm);
}

/* The guardian is hostd's only child. */
static pid_t child_of_self(void)
{
	char path[64];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "r");
	if (f) {
		if (fscanf(f, "%d", &pid) != 1)
			pid = 0;
		fclose(f);
	}
	return pid;
}

static void __attribute__((noreturn)) hostd_main(int fd, bool orderly)
{
	struct act *act = NULL;
	struct word w = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	w.err = hostd_start(&act);
	w.guardian = child_of_self();
	if (write(fd, &w, sizeof(w)) != sizeof(w))
		_exit(2);
	if (orderly && !w.err) {
		act_cgroup.close(act);
		guardian_dismiss();
		_exit(0);
	}
	for (;;)
		pause();
}

static pid_t hostd_run(bool orderly, struct word *w)
{
	int fd[2];
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(fd[0]);
		hostd_main(fd[1], orderly);
	}
	close(fd[1]);
	assert_int_equal(read(fd[0], w, sizeof(*w)), sizeof(*w));
	close(fd[0]);
	assert_int_equal(w->err, 0);
	return pid;
}

static void hostd_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* --- tests --------------------------------------------------------------- */

/* Wait until all is as @before; the time it took, in ns. */
static uint64_t wait_back(const char *before)
{
	uint64_t from_ns = clock_now_ns();
	char now[4096];

	do {
		assert_true(clock_now_ns() - from_ns < BACK_NS);
		nap();
		fake_state(&machine, now, sizeof(now));
	} while (strcmp(now, before) || !access(journal, F_OK));
	return clock_now_ns() - from_ns;
}

static void test_killed(void **unused)
{
	char before[4096], changed[4096], own[8];
	uint64_t worst_ns = 0, took_ns;
	struct word w;
	pid_t pid;
	int fd;

	(void)unused;
	start();
	snprintf(own, sizeof(own), "%u", cpu[0]);
	fake_put("vcpu0", own); /* so that it must be widened */
	fake_state(&machine, before, sizeof(before));
	for (int i = 0; i < ROUNDS; i++) {
		pid = hostd_run(false, &w);
		fake_state(&machine, changed, sizeof(changed));
		assert_string_not_equal(changed, before);
		assert_string_equal(fake_get("cpu.idle"), "1");
		assert_int_equal(guardian_lock(lock, 0), -EBUSY);
		hostd_kill(pid);
		took_ns = wait_back(before);
		if (took_ns > worst_ns)
			worst_ns = took_ns;
		/* the lock is free once the guardian is done */
		fd = guardian_lock(lock, 1000);
		assert_true(fd >= 0);
		close(fd);
	}
	print_message("%d rounds, slowest %lu us\n", ROUNDS,
		      (unsigned long)(worst_ns / NSEC_PER_USEC));
	fd = open(marker, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, own, sizeof(own)), 1);
	assert_int_equal(own[0], '0');
	close(fd);
	stop();
}

static void test_orderly(void **unused)
{
	char before[4096], after[4096];
	struct word w;
	int status, fd;
	pid_t pid;

	(void)unused;
	start();
	fake_state(&machine, before, sizeof(before));
	pid = hostd_run(true, &w);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fake_state(&machine, after, sizeof(after));
	assert_string_equal(after, before);
	/* reaped: nobody holds the lock, nothing was carried out */
	fd = guardian_lock(lock, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(access(marker, F_OK), -1);
	stop();
}

/* What a terminal or a service manager sends does not move the guardian. */
static void test_signals(void **unused)
{
	static const int sig[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
	char before[4096], comm[32] = "", path[64];
	struct word w;
	FILE *f;
	pid_t pid;

	(void)unused;
	start();
	fake_state(&machine, before, sizeof(before));
	pid = hostd_run(false, &w);
	assert_true(w.guardian > 0);
	assert_int_equal(getsid(w.guardian), w.guardian);
	snprintf(path, sizeof(path), "/proc/%d/comm", w.guardian);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(comm, sizeof(comm), f));
	fclose(f);
	assert_string_equal(comm, "hostd-guardian\n");
	for (size_t i = 0; i < sizeof(sig) / sizeof(sig[0]); i++)
		assert_int_equal(kill(w.guardian, sig[i]), 0);
	hostd_kill(pid);
	wait_back(before);
	stop();
}

/* The VM dies with hostd: nothing to put back, nothing goes wrong. */
static void test_vm_gone(void **unused)
{
	struct word w;
	pid_t pid;
	int fd;

	(void)unused;
	start();
	pid = hostd_run(false, &w);
	kill(machine.pid, SIGKILL);
	waitpid(machine.pid, NULL, 0);
	machine.pid = 0;
	hostd_kill(pid);
	fd = guardian_lock(lock, 1000);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(access(journal, F_OK), -1);
	assert_string_equal(fake_get("cpu.idle"), "1");
	stop();
}

/* Killed both: the next start finds the journal. */
static void test_both_killed(void **unused)
{
	char before[4096], after[4096];
	struct journal_result r;
	struct word w;
	pid_t pid;
	int fd;

	(void)unused;
	start();
	fake_state(&machine, before, sizeof(before));
	pid = hostd_run(false, &w);
	assert_int_equal(kill(w.guardian, SIGKILL), 0);
	hostd_kill(pid);
	fd = guardian_lock(lock, 1000);
	assert_true(fd >= 0);
	assert_int_equal(journal_restore(journal, &r), 0);
	assert_int_equal(r.failed, 0);
	fake_state(&machine, after, sizeof(after));
	assert_string_equal(after, before);
	close(fd);
	stop();
}

/* Dismissing a guardian that was killed, twice, or none at all. */
static void test_dismiss(void **unused)
{
	pid_t guardian;

	(void)unused;
	start();
	guardian_dismiss();
	assert_int_equal(guardian_start(journal, -1, NULL), 0);
	assert_int_equal(guardian_start(journal, -1, NULL), -EALREADY);
	guardian_dismiss();
	guardian_dismiss();
	kill(machine.pid, SIGKILL);
	waitpid(machine.pid, NULL, 0);
	machine.pid = 0;
	assert_int_equal(guardian_start(journal, -1, NULL), 0);
	guardian = child_of_self();
	assert_true(guardian > 0);
	kill(guardian, SIGKILL);
	guardian_dismiss();
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* reaped */
	stop();
}

static void test_lock_path(void **unused)
{
	(void)unused;
	assert_int_equal(guardian_lock("/none/such/lock", 0), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_orderly),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_vm_gone),
		cmocka_unit_test(test_both_killed),
		cmocka_unit_test(test_dismiss),
		cmocka_unit_test(test_lock_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
