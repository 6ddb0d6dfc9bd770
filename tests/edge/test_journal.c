// SPDX-License-Identifier: Apache-2.0
/*
 * test_journal.c - the restore journal on disk, and carrying it out
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "journal.h"
#include "task.h"
#include "tests/fake/fake_cgroup.h"

#define UUID  "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
#define OTHER "11111111-4e5f-6071-8293-a4b5c6d7e8f9"

static struct fake_vm machine;
static struct journal *j;
static unsigned cpu[2];
static char path[128];

static void start(enum fake_layout layout)
{
	if (!fake_cpus(cpu))
		skip();
	fake_open(layout, &machine);
	snprintf(path, sizeof(path), "%s/restore", fake_root());
	assert_int_equal(journal_open(&j, path), 0);
}

static void stop(void)
{
	if (j)
		journal_close(j);
	j = NULL;
	fake_close(&machine);
}

static const char *text_of(const char *file)
{
	static char text[8192];
	FILE *f = fopen(file, "r");
	size_t n;

	if (!f)
		return NULL;
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void text_put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void note_all(void)
{
	static const char *const file[] = { "cpu.idle", "weight", "vm", "vcpu0",
					    "vcpu1" };

	assert_int_equal(journal_vm(j, UUID, machine.pid, "my vm"), 0);
	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++)
		assert_int_equal(journal_file(j, UUID, fake_host_path(file[i])),
				 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(journal_thread(j, UUID, machine.tid[i]), 0);
}

/* The file says what the header promises. */
static void test_text(void **unused)
{
	struct cpumask pin = { { 5 } };
	uint64_t ticks, thread_ticks;
	char want[1024];
	struct stat st;

	(void)unused;
	start(FAKE_V1);
	fake_put("vcpu0", "0");
	assert_int_equal(task_start(machine.pid, machine.pid, &ticks), 0);
	assert_int_equal(task_start(machine.pid, machine.tid[0], &thread_ticks),
			 0);
	assert_int_equal(journal_vm(j, UUID, machine.pid, "a\nb c"), 0);
	assert_int_equal(journal_file(j, UUID, fake_host_path("vcpu0")), 0);
	assert_int_equal(journal_thread(j, UUID, machine.tid[0]), 0);
	assert_int_equal(journal_pin(j, UUID, 1, &pin), 0);
	assert_null(text_of(path));
	assert_int_equal(journal_commit(j), 0);
	snprintf(want, sizeof(want),
		 "vm " UUID " %d %lu a\\012b c\n"
		 "file /cg/cpuset/machine/qemu-1-my\\040vm.libvirt-qemu/vcpu0/"
		 "cpuset.cpus 0\n"
		 "thread %d %lu 0\n"
		 "pin 1 0,2\n",
		 machine.pid, (unsigned long)ticks, machine.tid[0],
		 (unsigned long)thread_ticks);
	assert_string_equal(text_of(path), want);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	/* the first value is the original */
	fake_put("vcpu0", "0-1");
	assert_int_equal(journal_file(j, UUID, fake_host_path("vcpu0")), 0);
	assert_int_equal(journal_thread(j, UUID, machine.tid[0]), 0);
	pin.word[0] = 2;
	assert_int_equal(journal_pin(j, UUID, 1, &pin), 0);
	assert_int_equal(journal_vm(j, UUID, machine.pid, "a\nb c"), 0);
	assert_int_equal(journal_commit(j), 0);
	assert_string_equal(text_of(path), want);
	stop();
}

static void test_refused(void **unused)
{
	const struct cpumask none = { 0 }, one = { { 1 } };

	(void)unused;
	start(FAKE_V1);
	assert_int_equal(journal_file(j, UUID, fake_host_path("vm")), -ENOENT);
	assert_int_equal(journal_thread(j, UUID, machine.tid[0]), -ENOENT);
	assert_int_equal(journal_pin(j, UUID, 0, &one), -ENOENT);
	assert_int_equal(journal_restore_vm(j, UUID), -ENOENT);
	assert_int_equal(journal_vm(j, UUID, 0x3fffffff, "x"), -ESRCH);
	assert_int_equal(journal_vm(j, UUID, machine.pid, "x"), 0);
	assert_int_equal(journal_file(j, UUID, "/cg/none/cpu.idle"), -ENOENT);
	assert_int_equal(journal_thread(j, UUID, getpid()), -ESRCH);
	assert_int_equal(journal_pin(j, UUID, 0, &none), -EINVAL);
	assert_int_equal(journal_pin(j, UUID, VCPU_MAX, &one), -EINVAL);
	stop();
}

/* Everything changed comes back, in whatever order the kernel wants it. */
static const struct {
	const char *what;
	enum fake_layout layout;
	const char *vm, *vcpu0, *vcpu1; /* at first; changed to both cpus */
	bool narrow;			/* changed to one cpu, rather */
} restore_row[] = {
	{ "narrowed again, children first", FAKE_V1, "0", "0", "0", false },
	{ "widened again, parent first", FAKE_V1, "0-1", "0-1", "0-1", true },
	{ "each another way", FAKE_V1, "0-1", "0", "1", false },
	{ "v2", FAKE_V2, "0-1", "0-1", "0", false },
	{ "in a container", FAKE_V1_CONTAINER, "0", "0", "0", false },
};

static void test_restore(void **unused)
{
	char before[4096], after[4096];
	struct journal_result r;

	(void)unused;
	for (size_t i = 0; i < sizeof(restore_row) / sizeof(restore_row[0]);
	     i++) {
		const char *now = restore_row[i].narrow ? "0" : "0-1";

		print_message("%s\n", restore_row[i].what);
		start(restore_row[i].layout);
		if (cpu[0] != 0 || cpu[1] != 1)
			skip();
		fake_put("vm", restore_row[i].vm);
		fake_put("vcpu0", restore_row[i].vcpu0);
		fake_put("vcpu1", restore_row[i].vcpu1);
		fake_state(&machine, before, sizeof(before));
		note_all();
		assert_int_equal(journal_commit(j), 0);
		fake_put("cpu.idle", "1");
		fake_put("weight", "3");
		fake_put("vm", now);
		fake_put("vcpu0", now);
		fake_put("vcpu1", now);
		assert_int_equal(journal_restore(path, &r), 0);
		fake_state(&machine, after, sizeof(after));
		assert_string_equal(after, before);
		assert_int_equal(r.vms, 1);
		assert_int_equal(r.restored, 7);
		assert_int_equal(r.gone + r.failed, 0);
		assert_null(text_of(path));
		assert_int_equal(journal_restore(path, &r), -ENOENT);
		stop();
	}
}

/* One item fails for good: the others are carried out all the same. */
static void test_restore_fails(void **unused)
{
	struct journal_result r;

	(void)unused;
	start(FAKE_V1);
	note_all();
	assert_int_equal(journal_commit(j), 0);
	fake_put("cpu.idle", "1");
	fake_put("weight", "3");
	fake_put("vcpu1", "0");
	fake_fail("cpu.idle", EROFS, -1);
	assert_int_equal(journal_put_back(path, &r), -EROFS);
	assert_int_equal(r.restored, 5);
	assert_int_equal(r.failed, 2); /* weight: not while idle */
	assert_non_null(text_of(path));
	fake_fail(NULL, 0, 0);
	assert_int_equal(journal_restore(path, &r), 0);
	assert_int_equal(r.restored, 7);
	assert_string_equal(fake_get("weight"), "500");
	stop();
}

/* Group and thread vanish under a VM that lives. */
static void test_restore_gone(void **unused)
{
	char file[256], line[512];
	struct journal_result r;
	uint64_t ticks;

	(void)unused;
	start(FAKE_V1);
	assert_int_equal(task_start(machine.pid, machine.pid, &ticks), 0);
	snprintf(file, sizeof(file), "%s%s", fake_root(),
		 fake_host_path("cpu.idle"));
	assert_int_equal(unlink(file), 0);
	snprintf(line, sizeof(line),
		 "vm " UUID " %d %lu my vm\n"
		 "file /cg/cpu/machine/qemu-1-my\\040vm.libvirt-qemu/cpu.idle "
		 "1\n"
		 "thread %d %lu 0\n",
		 machine.pid, (unsigned long)ticks, machine.tid[0],
		 (unsigned long)ticks + 12345);
	text_put(line);
	assert_int_equal(journal_restore(path, &r), 0);
	assert_int_equal(r.gone, 2);
	assert_int_equal(r.restored + r.failed, 0);
	stop();
}

/* The VM's pid is another process by now: nothing of it is touched. */
static void test_restore_recycled(void **unused)
{
	char before[4096], after[4096], line[512];
	struct journal_result r;
	uint64_t ticks;

	(void)unused;
	start(FAKE_V1);
	assert_int_equal(task_start(machine.pid, machine.pid, &ticks), 0);
	fake_state(&machine, before, sizeof(before));
	snprintf(line, sizeof(line),
		 "vm " UUID " %d %lu my vm\n"
		 "file /cg/cpu/machine/qemu-1-my\\040vm.libvirt-qemu/cpu.idle "
		 "1\n"
		 "thread %d %lu 0\n"
		 "pin 0 0\n",
		 machine.pid, (unsigned long)ticks - 1, machine.tid[0],
		 (unsigned long)ticks);
	text_put(line);
	assert_int_equal(journal_restore(path, &r), 0);
	assert_int_equal(r.gone, 2);
	fake_state(&machine, after, sizeof(after));
	assert_string_equal(after, before);
	stop();
}

/* A journal that somebody else wrote to. */
static const struct {
	const char *what, *line;
} tampered_row[] = {
	{ "a file outside", "file /etc/cpu.idle 1\n" },
	{ "out by dots", "file /cg/cpu/machine/../../../etc/cpu.idle 1\n" },
	{ "not a file hostd sets", "file /cg/cpu/machine/cgroup.procs 1\n" },
	{ "the root group", "file /cg/cpu/cpu.shares 2\n" },
	{ "a value that is none", "file /cg/cpu/machine/cpu.idle yes\n" },
	{ "noise", "\xff\xfe\x01\n" },
	{ "a line cut short", "file /cg/cpu/machine/cpu.idle 1" },
	{ "items of nobody", "vm nobody 1 2 x\nfile /cg/cpu/m/cpu.idle 1\n" },
};

static void test_tampered(void **unused)
{
	char before[4096], after[4096], text[1024];
	struct journal_result r;
	uint64_t ticks;

	(void)unused;
	for (size_t i = 0; i < sizeof(tampered_row) / sizeof(tampered_row[0]);
	     i++) {
		print_message("%s\n", tampered_row[i].what);
		start(FAKE_V1);
		assert_int_equal(task_start(machine.pid, machine.pid, &ticks),
				 0);
		fake_put("cpu.idle", "0");
		fake_state(&machine, before, sizeof(before));
		snprintf(text, sizeof(text), "vm " UUID " %d %lu x\n%s",
			 machine.pid, (unsigned long)ticks,
			 tampered_row[i].line);
		text_put(text);
		assert_int_not_equal(journal_restore(path, &r), 0);
		assert_true(r.failed);
		assert_int_equal(fake_writes(), 0);
		fake_state(&machine, after, sizeof(after));
		assert_string_equal(after, before);
		assert_null(text_of(path));
		stop();
	}
}

static void test_not_a_file(void **unused)
{
	(void)unused;
	start(FAKE_V1);
	journal_close(j);
	j = NULL;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(journal_restore(path, NULL), -EINVAL);
	assert_int_equal(journal_open(&j, path), -EEXIST);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(journal_restore(path, NULL), -ELOOP);
	j = NULL;
	stop();
}

/* Two VMs: one leaves, the other's items stay; the last takes the file. */
static void test_forget(void **unused)
{
	(void)unused;
	start(FAKE_V1);
	note_all();
	assert_int_equal(journal_vm(j, OTHER, getpid(), "other"), 0);
	assert_int_equal(journal_commit(j), 0);
	assert_int_equal(journal_restore_vm(j, UUID), 0);
	assert_non_null(text_of(path));
	assert_null(strstr(text_of(path), UUID));
	assert_non_null(strstr(text_of(path), OTHER));
	assert_int_equal(journal_restore_vm(j, OTHER), 0);
	assert_null(text_of(path));
	stop();
}

static void pin_count(void *arg, const char *uuid, unsigned index,
		      const struct cpumask *mask)
{
	unsigned *sum = arg;

	assert_string_equal(uuid, UUID);
	*sum += index * 100 + cpumask_count(mask);
}

static void test_each_pin(void **unused)
{
	const struct cpumask two = { { 3 } }, one = { { 1 } };
	unsigned sum = 0;

	(void)unused;
	start(FAKE_V1);
	note_all();
	assert_int_equal(journal_pin(j, UUID, 0, &two), 0);
	assert_int_equal(journal_pin(j, UUID, 7, &one), 0);
	assert_int_equal(journal_each_pin(path, pin_count, &sum), -ENOENT);
	assert_int_equal(journal_commit(j), 0);
	assert_int_equal(journal_each_pin(path, pin_count, &sum), 0);
	assert_int_equal(sum, 703);
	kill(machine.pid, SIGKILL);
	waitpid(machine.pid, NULL, 0);
	machine.pid = 0;
	sum = 0;
	assert_int_equal(journal_each_pin(path, pin_count, &sum), 0);
	assert_int_equal(sum, 0); /* pins of a VM that is gone */
	stop();
}

/* A commit that fails leaves the former file whole. */
static void test_commit_fails(void **unused)
{
	char fresh[160], before[4096];

	(void)unused;
	start(FAKE_V1);
	note_all();
	assert_int_equal(journal_commit(j), 0);
	strcpy(before, text_of(path));
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	assert_int_equal(mkdir(fresh, 0700), 0);
	assert_int_equal(journal_vm(j, OTHER, getpid(), "other"), 0);
	assert_int_equal(journal_commit(j), -EISDIR);
	assert_string_equal(text_of(path), before);
	assert_int_equal(rmdir(fresh), 0);
	assert_int_equal(journal_commit(j), 0);
	assert_non_null(strstr(text_of(path), OTHER));
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_restore_fails),
		cmocka_unit_test(test_restore_gone),
		cmocka_unit_test(test_restore_recycled),
		cmocka_unit_test(test_tampered),
		cmocka_unit_test(test_not_a_file),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_each_pin),
		cmocka_unit_test(test_commit_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
