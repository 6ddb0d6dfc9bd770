// SPDX-License-Identifier: Apache-2.0
/*
 * act_cases.c - the table of cases of both backends, on a real kernel
 *
 * Usage: act_cases cgroup|ksched
 * The VM is a child with two threads, one that sleeps and one that burns, in
 * control groups laid out as libvirt 9 lays them out on cgroup v2; the device
 * is the real one, the module being loaded. Root, in the lab.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "policy/policy.h"
#include "task.h"
#include "tests/edge/act_cases.h"

#define TOP   "/sys/fs/cgroup"
#define SLICE TOP "/machine.slice"
#define SCOPE SLICE "/machine-qemu\\x2d77\\x2dcases.scope"
#define ROOM  SCOPE "/libvirt"
#define UUID  "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"

static char journal[] = "/tmp/act-cases-XXXXXX"; /* its directory */
static pid_t child;
static uint64_t fast; /* moves made by the module, all cases */

/* --- control groups ------------------------------------------------------ */

static void put(const char *dir, const char *file, const char *text)
{
	char path[256];
	ssize_t n = (ssize_t)strlen(text);
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		fail_msg("%s <- %s: %s", path, text, strerror(errno));
	close(fd);
}

static void put_id(const char *dir, const char *file, pid_t id)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)id);
	put(dir, file, text);
}

static void make(const char *dir)
{
	if (mkdir(dir, 0755) && errno != EEXIST)
		fail_msg("%s: %s", dir, strerror(errno));
}

static void groups_make(const struct act_vm *vm)
{
	static const char *const vcpu[] = { ROOM "/vcpu0", ROOM "/vcpu1" };

	make(SLICE);
	make(SCOPE);
	make(ROOM);
	put(TOP, "cgroup.subtree_control", "+cpu +cpuset");
	put(SLICE, "cgroup.subtree_control", "+cpu +cpuset");
	put(SCOPE, "cgroup.subtree_control", "+cpu +cpuset");
	put_id(ROOM, "cgroup.procs", vm->pid);
	make(ROOM "/emulator");
	put(ROOM "/emulator", "cgroup.type", "threaded");
	for (unsigned i = 0; i < 2; i++) {
		make(vcpu[i]);
		put(vcpu[i], "cgroup.type", "threaded");
	}
	put(ROOM, "cgroup.subtree_control", "+cpu +cpuset");
	put_id(ROOM "/emulator", "cgroup.threads", vm->pid);
	for (unsigned i = 0; i < 2; i++)
		put_id(vcpu[i], "cgroup.threads", vm->tid[i]);
}

/* The child is dead; a group is busy until the kernel has buried it. */
static void groups_remove(void)
{
	static const char *const dir[] = { ROOM "/vcpu0", ROOM "/vcpu1",
					   ROOM "/emulator", ROOM, SCOPE };
	int tries = 1000;

	for (size_t i = 0; i < sizeof(dir) / sizeof(dir[0]); i++)
		while (rmdir(dir[i]) && errno == EBUSY && tries--)
			usleep(1000);
}

/* --- the VM -------------------------------------------------------------- */

static void *vcpu_thread(void *arg)
{
	static bool burning;
	pid_t tid = gettid();
	bool burns = __atomic_exchange_n(&burning, true, __ATOMIC_RELAXED);

	if (write(*(int *)arg, &tid, sizeof(tid)) != sizeof(tid))
		_exit(1);
	while (burns)
		__asm__ volatile("");
	for (;;)
		pause();
	return NULL;
}

static void __attribute__((noreturn)) vm_main(int fd)
{
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 2; i++)
		pthread_create(&t, NULL, vcpu_thread, &fd);
	for (;;)
		pause();
}

static void vm_start(struct act_stage *s)
{
	int fd[2];

	s->vm = (struct act_vm){ .vm = 3,
				 .name = "cases",
				 .uuid = UUID,
				 .class = VM_CLASS_LATENCY_CRITICAL,
				 .weight = 100,
				 .vcpu_cnt = 2 };
	assert_int_equal(pipe(fd), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		vm_main(fd[1]);
	s->vm.pid = child;
	for (int i = 0; i < 2; i++)
		assert_int_equal(read(fd[0], &s->vm.tid[i], sizeof(pid_t)),
				 sizeof(pid_t));
	close(fd[0]);
	close(fd[1]);
}

static void vm_kill(struct act_stage *s)
{
	(void)s;
	if (!child)
		return;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	child = 0;
}

/* --- the stage ----------------------------------------------------------- */

static void begin(struct act_stage *s)
{
	static char path[64];
	struct act_conf conf = { .journal = path };
	struct cpumask two = { 0 };

	snprintf(path, sizeof(path), "%s/restore", journal);
	vm_start(s);
	groups_make(&s->vm);
	cpumask_set(&two, s->cpu[0]);
	cpumask_set(&two, s->cpu[1]);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(task_set_mask(s->vm.tid[i], &two), 0);
	cpumask_set(&conf.floor, s->cpu[0]);
	cpumask_set(&conf.managed, s->cpu[1]);
	assert_int_equal(s->ops->open(&s->act, &conf), 0);
	act_pass(s);
}

static void check(struct act_stage *s)
{
	struct act_count c = { 0 };

	if (s->act)
		s->ops->count(s->act, &c);
	fast += c.fast;
}

static void end(struct act_stage *s)
{
	if (s->act)
		s->ops->close(s->act);
	s->act = NULL;
	vm_kill(s);
	groups_remove();
}

static void narrow(struct act_stage *s, unsigned index, unsigned cpu)
{
	char dir[128];

	(void)s;
	snprintf(dir, sizeof(dir), ROOM "/vcpu%u", index);
	put_id(dir, "cpuset.cpus", (pid_t)cpu);
}

static struct act_stage stage = { .begin = begin,
				  .end = end,
				  .kill = vm_kill,
				  .narrow = narrow,
				  .check = check };

static void test_cases(void **unused)
{
	struct cpumask mine;

	(void)unused;
	assert_int_equal(task_get_mask(0, &mine), 0);
	/* not the first, where interrupts are */
	stage.cpu[0] = cpumask_next(&mine, 1);
	stage.cpu[1] = cpumask_next(&mine, stage.cpu[0] + 1);
	assert_int_not_equal(stage.cpu[1], CPU_NONE);
	act_cases_run(&stage);
	print_message("%s: %lu moves by the module\n", stage.name,
		      (unsigned long)fast);
	if (stage.ops == &act_ksched)
		assert_in_range(fast, 20, UINT64_MAX);
	else
		assert_int_equal(fast, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };
	int failed;

	stage.name = argc == 2 ? argv[1] : "";
	if (!strcmp(stage.name, "ksched")) {
		stage.ops = &act_ksched;
	} else if (!strcmp(stage.name, "cgroup")) {
		stage.ops = &act_cgroup;
	} else {
		fprintf(stderr, "usage: act_cases cgroup|ksched\n");
		return 2;
	}
	if (!mkdtemp(journal)) {
		perror(journal);
		return 2;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed)
		end(&stage);
	rmdir(journal);
	return failed;
}
