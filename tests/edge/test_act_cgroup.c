// SPDX-License-Identifier: Apache-2.0
/*
 * test_act_cgroup.c - the cgroup backend on a fake tree and a real process
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
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "act.h"
#include "cpulist.h"
#include "hl/clock.h"
#include "journal.h"
#include "policy/policy.h"
#include "task.h"
#include "tests/edge/act_stage.h"
#include "tests/fake/fake_cgroup.h"

#define UUID	"0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
#define WAIT_NS (5 * NSEC_PER_SEC)

static struct fake_vm machine;
static struct act_vm vm;
static struct act *act;
static unsigned cpu[2], woken;
static char journal[128]; /* its path */

static void wake(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&woken, 1, __ATOMIC_RELAXED);
}

static int start_backend(void)
{
	struct act_conf conf = { .journal = journal, .wake = wake };

	snprintf(journal, sizeof(journal), "%s/restore", fake_root());
	cpumask_set(&conf.floor, cpu[0]);
	cpumask_set(&conf.managed, cpu[1]);
	return act_cgroup.open(&act, &conf);
}

static void start(enum fake_layout layout, uint8_t class)
{
	if (!fake_cpus(cpu))
		skip();
	fake_open(layout, &machine);
	assert_int_equal(start_backend(), 0);
	vm = (struct act_vm){ .vm = 3,
			      .name = "my vm",
			      .uuid = UUID,
			      .pid = machine.pid,
			      .class = class,
			      .weight = 100,
			      .vcpu_cnt = 2,
			      .tid = { machine.tid[0], machine.tid[1] } };
}

static void stop(void)
{
	act_cgroup.close(act);
	fake_close(&machine);
}

static bool journal_there(void)
{
	return !access(journal, F_OK);
}

static struct move move_to(unsigned index, unsigned to, uint32_t gen)
{
	return (struct move){ .vcpu = (uint16_t)(100 + index),
			      .vm = vm.vm,
			      .index = (uint16_t)index,
			      .gen = gen,
			      .pid = vm.pid,
			      .tid = vm.tid[index],
			      .mask = fake_mask(to),
			      .asked_ns = clock_now_ns() };
}

static struct move_done reap(void)
{
	const struct timespec nap = { .tv_nsec = 100000 };
	uint64_t until_ns = clock_now_ns() + WAIT_NS;
	struct move_done d;

	while (!act_cgroup.reap(act, &d)) {
		assert_true(clock_now_ns() < until_ns);
		nanosleep(&nap, NULL);
	}
	return d;
}

static int move_now(const struct move *m)
{
	struct move_done d;

	assert_true(act_cgroup.submit(act, m));
	d = reap();
	assert_int_equal(d.vcpu, m->vcpu);
	assert_int_equal(d.gen, m->gen);
	return d.err;
}

static void assert_cpus(unsigned index, struct cpumask want)
{
	struct cpumask now;

	assert_int_equal(task_get_mask(machine.tid[index], &now), 0);
	assert_true(cpumask_equal(&now, &want));
}

/* --- the whole life of a VM, in each layout ------------------------------ */

static const struct {
	enum fake_layout layout;
	const char *idle, *weight; /* of a best-effort VM */
} life_row[] = {
	{ FAKE_V1, "1", "3" },
	{ FAKE_V1_OLD, "none", "2" },
	{ FAKE_V1_CONTAINER, "1", "3" },
	{ FAKE_V2, "1", "0" },
};

static void test_life(void **unused)
{
	char before[4096], after[4096], own[8];
	struct act_count count;
	struct move m;

	(void)unused;
	for (size_t i = 0; i < sizeof(life_row) / sizeof(life_row[0]); i++) {
		print_message("%s\n", fake_layout_name[life_row[i].layout]);
		start(life_row[i].layout, VM_CLASS_BEST_EFFORT);
		snprintf(own, sizeof(own), "%u", cpu[0]);
		fake_put("vcpu0", own);
		fake_state(&machine, before, sizeof(before));

		assert_int_equal(act_cgroup.adopt(act, &vm), 0);
		assert_true(journal_there());
		assert_string_equal(fake_get("cpu.idle"), life_row[i].idle);
		assert_string_equal(fake_get("weight"), life_row[i].weight);

		/* vcpu0's cpuset lacks that cpu: it must be widened */
		m = move_to(0, cpu[1], 7);
		assert_int_equal(move_now(&m), 0);
		assert_cpus(0, fake_mask(cpu[1]));
		m = move_to(1, cpu[0], 8);
		assert_int_equal(move_now(&m), 0);
		assert_cpus(1, fake_mask(cpu[0]));
		act_cgroup.count(act, &count);
		assert_int_equal(count.moved, 2);
		assert_int_equal(count.widened, 1);
		assert_int_equal(count.failed, 0);
		assert_true(__atomic_load_n(&woken, __ATOMIC_RELAXED));

		act_cgroup.release(act, vm.vm);
		fake_state(&machine, after, sizeof(after));
		assert_string_equal(after, before);
		assert_false(journal_there());
		m = move_to(1, cpu[0], 9);
		assert_int_equal(move_now(&m), -ESRCH);
		stop();
	}
}

static void test_class_change(void **unused)
{
	char before[4096], after[4096];

	(void)unused;
	for (size_t i = 0; i < sizeof(life_row) / sizeof(life_row[0]); i++) {
		print_message("%s\n", fake_layout_name[life_row[i].layout]);
		start(life_row[i].layout, VM_CLASS_LATENCY_CRITICAL);
		fake_state(&machine, before, sizeof(before));
		assert_int_equal(act_cgroup.adopt(act, &vm), 0);
		fake_state(&machine, after, sizeof(after));
		assert_string_equal(after, before);
		assert_int_equal(fake_writes(), 0);

		vm.class = VM_CLASS_BEST_EFFORT;
		assert_int_equal(act_cgroup.adopt(act, &vm), 0);
		assert_string_equal(fake_get("cpu.idle"), life_row[i].idle);
		assert_string_equal(fake_get("weight"), life_row[i].weight);

		vm.class = VM_CLASS_LATENCY_CRITICAL;
		assert_int_equal(act_cgroup.adopt(act, &vm), 0);
		fake_state(&machine, after, sizeof(after));
		assert_string_equal(after, before);
		stop();
	}
}

/* A VM whose administrator made it idle gets that back, too. */
static void test_was_idle(void **unused)
{
	(void)unused;
	start(FAKE_V1, VM_CLASS_LATENCY_CRITICAL);
	fake_put("cpu.idle", "1");
	fake_put("weight", "3");
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	assert_string_equal(fake_get("cpu.idle"), "0");
	assert_string_equal(fake_get("weight"), "1024");
	act_cgroup.release(act, vm.vm);
	assert_string_equal(fake_get("cpu.idle"), "1");
	assert_string_equal(fake_get("weight"), "3");
	stop();
}

/* --- cpusets ------------------------------------------------------------- */

static void test_widen(void **unused)
{
	char before[4096], after[4096], own[8], both[16];
	struct move m;

	(void)unused;
	start(FAKE_V1, VM_CLASS_LATENCY_CRITICAL);
	snprintf(own, sizeof(own), "%u", cpu[0]);
	snprintf(both, sizeof(both), "%u,%u", cpu[0], cpu[1]);
	fake_put("vcpu0", own);
	fake_put("vcpu1", own);
	fake_put("vm", own);
	fake_state(&machine, before, sizeof(before));
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);

	/* nothing is widened without need */
	m = move_to(0, cpu[0], 1);
	assert_int_equal(move_now(&m), 0);
	assert_int_equal(fake_writes(), 0);

	/* half of what is wanted is in the cpuset: the kernel keeps quiet */
	m.mask = cpumask_or(fake_mask(cpu[0]), &m.mask);
	cpumask_set(&m.mask, cpu[1]);
	assert_int_equal(move_now(&m), 0);
	assert_cpus(0, m.mask);
	assert_int_equal(fake_writes(), 2); /* group, then vcpu0 */

	m = move_to(1, cpu[1], 2);
	assert_int_equal(move_now(&m), 0);
	assert_int_equal(fake_writes(), 3); /* vcpu1 only */

	act_cgroup.release(act, vm.vm);
	fake_state(&machine, after, sizeof(after));
	assert_string_equal(after, before);
	stop();
}

/* On v2 a cpuset that was empty cannot be emptied again: it gets what its
 * parent has. */
static void test_empty_cpuset(void **unused)
{
	char path[512], own[8], all[64];
	FILE *f;

	(void)unused;
	start(FAKE_V2, VM_CLASS_LATENCY_CRITICAL);
	snprintf(own, sizeof(own), "%u", cpu[0]);
	snprintf(all, sizeof(all), "%s", fake_get("around"));
	snprintf(path, sizeof(path), "%s%s", fake_root(),
		 fake_host_path("vcpu0"));
	strcpy(strstr(path, "vcpu0"), "cpuset.cpus.effective");
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", all);
	fclose(f);
	fake_put("vcpu0", "");
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	fake_put("vcpu0", own); /* libvirt's pin */
	act_cgroup.release(act, vm.vm);
	assert_string_equal(fake_get("vcpu0"), all);
	assert_false(journal_there());
	stop();
}

/* A reload says which cpus count; cpusets are never widened beyond them. */
static void test_widen_follows_room(void **unused)
{
	struct cpumask room = fake_mask(cpu[0]);
	char own[8];
	struct move m;

	(void)unused;
	start(FAKE_V1, VM_CLASS_LATENCY_CRITICAL);
	snprintf(own, sizeof(own), "%u", cpu[0]);
	fake_put("vcpu0", own);
	fake_put("vm", own);
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	act_cgroup.room(act, &room);
	m = move_to(0, cpu[1], 1);
	assert_int_equal(move_now(&m), -EINVAL);
	cpumask_set(&room, cpu[1]);
	act_cgroup.room(act, &room);
	m = move_to(0, cpu[1], 2);
	assert_int_equal(move_now(&m), 0);
	act_cgroup.release(act, vm.vm);
	stop();
}

static void test_widen_bounds(void **unused)
{
	char before[4096], after[4096], own[8];
	struct act_count count;
	struct move m;

	(void)unused;
	start(FAKE_V1, VM_CLASS_LATENCY_CRITICAL);
	snprintf(own, sizeof(own), "%u", cpu[0]);
	fake_put("vcpu0", own);
	fake_put("vcpu1", own);
	fake_put("vm", own);
	fake_put("around", own);
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	fake_state(&machine, before, sizeof(before));
	m = move_to(0, cpu[1], 1);
	assert_int_equal(move_now(&m), -EINVAL);
	m.mask = (struct cpumask){ 0 };
	assert_int_equal(move_now(&m), -EINVAL);
	assert_int_equal(fake_writes(), 0);
	fake_state(&machine, after, sizeof(after));
	assert_string_equal(after, before);
	act_cgroup.count(act, &count);
	assert_int_equal(count.failed, 2);
	assert_int_equal(count.moved, 0);
	stop();
}

static void test_widen_refused(void **unused)
{
	char before[4096], after[4096], own[8];
	struct move m;

	(void)unused;
	start(FAKE_V1, VM_CLASS_LATENCY_CRITICAL);
	snprintf(own, sizeof(own), "%u", cpu[0]);
	fake_put("vcpu0", own);
	fake_put("vcpu1", own);
	fake_put("vm", own);
	fake_state(&machine, before, sizeof(before));
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	fake_fail("vcpu0", EBUSY, 1); /* its group is widened by then */
	m = move_to(0, cpu[1], 1);
	assert_int_equal(move_now(&m), -EINVAL);
	assert_string_not_equal(fake_get("vm"), own);
	m.gen++;
	assert_int_equal(move_now(&m), 0); /* the next move gets through */
	fake_fail("vm", EBUSY, 2);	   /* and going back is repeated */
	act_cgroup.release(act, vm.vm);
	fake_state(&machine, after, sizeof(after));
	assert_string_equal(after, before);
	stop();
}

/* --- adopt() fails at each of its steps ---------------------------------- */

static void break_idle(void)
{
	fake_fail("cpu.idle", EROFS, -1);
}

static void break_idle_busy(void)
{
	fake_fail("cpu.idle", EBUSY, 1);
}

static void break_shares(void)
{
	fake_fail("weight", EACCES, -1);
}

static void break_cpuset_read(void)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s", fake_root(),
		 fake_host_path("vcpu1"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void break_journal(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s.new", journal);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void break_uuid(void)
{
	strcpy(vm.uuid, "not one");
}

static void break_pid(void)
{
	vm.pid = 0x3fffffff; /* over the kernel's limit */
}

static void break_count(void)
{
	vm.vcpu_cnt = ACT_VCPUS_MAX + 1;
}

static void break_slot(void)
{
	vm.vm = VM_NONE;
}

static const struct {
	const char *what;
	enum fake_layout layout;
	void (*spoil)(void);
	int err;
} fail_row[] = {
	{ "cpu.idle on a read-only mount", FAKE_V1, break_idle, -EROFS },
	{ "cpu.idle busy once", FAKE_V2, break_idle_busy, -EBUSY },
	{ "shares refused", FAKE_V1_OLD, break_shares, -EACCES },
	{ "a cpuset cannot be read", FAKE_V1, break_cpuset_read, -EISDIR },
	{ "no journal can be written", FAKE_V1, break_journal, -EISDIR },
	{ "what could not be read back", FAKE_V1, break_uuid, -EINVAL },
	{ "no such process", FAKE_V1, break_pid, -ESRCH },
	{ "too many vcpus", FAKE_V1, break_count, -EINVAL },
	{ "no such slot", FAKE_V1, break_slot, -EINVAL },
};

static void test_adopt_fails(void **unused)
{
	char before[4096], after[4096];
	struct move m;

	(void)unused;
	for (size_t i = 0; i < sizeof(fail_row) / sizeof(fail_row[0]); i++) {
		print_message("%s\n", fail_row[i].what);
		start(fail_row[i].layout, VM_CLASS_BEST_EFFORT);
		fail_row[i].spoil();
		fake_state(&machine, before, sizeof(before));
		assert_int_equal(act_cgroup.adopt(act, &vm), fail_row[i].err);
		fake_state(&machine, after, sizeof(after));
		assert_string_equal(after, before);
		assert_false(journal_there());
		m = move_to(0, cpu[0], 1);
		assert_int_not_equal(move_now(&m), 0);
		stop();
	}
}

/* Of a second adopt() that fails, the first one stays in force. */
static void test_readopt_fails(void **unused)
{
	char before[4096], after[4096];
	struct move m;

	(void)unused;
	start(FAKE_V1, VM_CLASS_LATENCY_CRITICAL);
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	vm.class = VM_CLASS_BEST_EFFORT;
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	fake_state(&machine, before, sizeof(before));
	vm.class = VM_CLASS_LATENCY_CRITICAL;
	fake_fail("weight", EACCES, 1); /* cpu.idle is 0 by then */
	assert_int_equal(act_cgroup.adopt(act, &vm), -EACCES);
	fake_state(&machine, after, sizeof(after));
	assert_string_equal(after, before);
	assert_true(journal_there());
	m = move_to(0, cpu[1], 1);
	assert_int_equal(move_now(&m), 0);
	stop();
}

static void pin_sum(void *arg, const char *uuid, unsigned index,
		    const struct cpumask *mask)
{
	assert_string_equal(uuid, UUID);
	*(unsigned *)arg += index * 100 + cpumask_count(mask);
}

/* libvirt's view is noted durably, the original only, and goes with the VM. */
static void test_note_pin(void **unused)
{
	const struct cpumask three = { { 7 } }, one = { { 1 } };
	unsigned sum = 0;

	(void)unused;
	start(FAKE_V1, VM_CLASS_LATENCY_CRITICAL);
	assert_int_equal(act_cgroup.note_pin(act, UUID, 1, &three), -ENOENT);
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	assert_int_equal(act_cgroup.note_pin(act, UUID, 1, &three), 0);
	assert_int_equal(act_cgroup.note_pin(act, UUID, 1, &one), 0);
	assert_int_equal(journal_each_pin(journal, pin_sum, &sum), 0);
	assert_int_equal(sum, 103);
	act_cgroup.release(act, vm.vm);
	assert_false(journal_there());
	stop();
}

/* --- whose thread it is -------------------------------------------------- */

static void other_pid(struct move *m)
{
	m->pid = getpid();
}

static void other_tid(struct move *m)
{
	m->tid = getpid();
}

static void emulator(struct move *m)
{
	m->tid = m->pid;
}

static void sister_tid(struct move *m)
{
	m->tid = vm.tid[1];
}

static void no_tid(struct move *m)
{
	m->tid = 0;
}

static void no_index(struct move *m)
{
	m->index = 2;
}

static void other_vm(struct move *m)
{
	m->vm = 4;
}

static void wild_vm(struct move *m)
{
	m->vm = VM_NONE;
}

static void wild_vcpu(struct move *m)
{
	m->vcpu = VCPU_NONE;
}

static const struct {
	const char *what;
	void (*spoil)(struct move *m);
	int err;
} stranger_row[] = {
	{ "another process", other_pid, -ESRCH },
	{ "another process's thread", other_tid, -ESRCH },
	{ "QEMU's main thread", emulator, -ESRCH },
	{ "another vcpu's thread", sister_tid, -ESRCH },
	{ "thread 0, which means the caller", no_tid, -ESRCH },
	{ "a vcpu the VM has not", no_index, -ESRCH },
	{ "a VM not adopted", other_vm, -ESRCH },
	{ "a VM slot out of bounds", wild_vm, -EINVAL },
	{ "a vcpu slot out of bounds", wild_vcpu, -EINVAL },
};

static void test_strangers(void **unused)
{
	char before[4096], after[4096];
	struct cpumask mine, now;
	struct move m;

	(void)unused;
	start(FAKE_V1, VM_CLASS_LATENCY_CRITICAL);
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	fake_state(&machine, before, sizeof(before));
	task_get_mask(getpid(), &mine);
	for (size_t i = 0; i < sizeof(stranger_row) / sizeof(stranger_row[0]);
	     i++) {
		print_message("%s\n", stranger_row[i].what);
		m = move_to(0, cpu[1], (uint32_t)i);
		stranger_row[i].spoil(&m);
		assert_int_equal(move_now(&m), stranger_row[i].err);
		fake_state(&machine, after, sizeof(after));
		assert_string_equal(after, before);
		task_get_mask(getpid(), &now);
		assert_true(cpumask_equal(&now, &mine));
	}
	stop();
}

static void test_vm_dies(void **unused)
{
	struct act_count count;
	struct move m;

	(void)unused;
	start(FAKE_V1, VM_CLASS_BEST_EFFORT);
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	kill(machine.pid, SIGKILL);
	waitpid(machine.pid, NULL, 0);
	machine.pid = 0;
	m = move_to(0, cpu[1], 1);
	assert_int_equal(move_now(&m), -ESRCH);
	act_cgroup.release(act, vm.vm);
	/* the group's name may be another VM's by now: left alone */
	assert_string_equal(fake_get("cpu.idle"), "1");
	assert_false(journal_there());
	act_cgroup.count(act, &count);
	assert_int_equal(count.failed, 1);
	stop();
}

/* A VM of the same name and uuid comes back as another process. */
static void test_vm_restarts(void **unused)
{
	struct fake_vm next;
	struct move m;

	(void)unused;
	start(FAKE_V1, VM_CLASS_BEST_EFFORT);
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	act_cgroup.close(act);
	fake_close(&machine);
	fake_open(FAKE_V1, &next);
	machine = next;
	assert_int_equal(start_backend(), 0);
	assert_int_equal(act_cgroup.adopt(act, &vm), -ESRCH);
	vm.pid = next.pid;
	memcpy(vm.tid, next.tid, sizeof(next.tid));
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	m = move_to(1, cpu[1], 1);
	assert_int_equal(move_now(&m), 0);
	stop();
}

static void test_unplugged(void **unused)
{
	struct move m;

	(void)unused;
	start(FAKE_V1, VM_CLASS_LATENCY_CRITICAL);
	vm.tid[0] = 0;
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	m = move_to(0, cpu[1], 1);
	assert_int_equal(move_now(&m), -ESRCH);
	vm.tid[0] = machine.tid[0]; /* plugged */
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	m = move_to(0, cpu[1], 2);
	assert_int_equal(move_now(&m), 0);
	act_cgroup.release(act, vm.vm);
	stop();
}

/* --- no groups, no backend ----------------------------------------------- */

static void test_no_group(void **unused)
{
	char path[128], text[256];
	struct move m;
	FILE *f;

	(void)unused;
	start(FAKE_V1, VM_CLASS_BEST_EFFORT);
	snprintf(path, sizeof(path), "%s/proc/%d/task/%d/cgroup", fake_root(),
		 machine.pid, machine.pid);
	snprintf(text, sizeof(text), "3:cpuset:/user/a\n1:cpu,cpuacct:/a/b\n");
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	assert_int_equal(fake_writes(), 0);
	m = move_to(0, cpu[1], 1);
	assert_int_equal(move_now(&m), 0);
	act_cgroup.release(act, vm.vm);
	stop();
}

static void mountinfo_put(const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", fake_root());
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static const struct {
	const char *what, *mountinfo;
	int err;
} open_row[] = {
	{ "no cgroups", "1 0 0:1 / / rw - ext4 x rw\n", -ENOENT },
	{ "cpuset only", "1 0 0:1 / /cg/cpuset rw - cgroup c rw,cpuset\n",
	  -ENOENT },
	{ "v2 without controllers", "1 0 0:1 / /cg/un rw - cgroup2 c rw\n",
	  -ENOENT },
	{ "a mount that is not there", "1 0 0:1 / /none rw - cgroup c rw,cpu\n",
	  -ENOENT },
};

static void test_open_fails(void **unused)
{
	FILE *f;

	(void)unused;
	start(FAKE_V1, VM_CLASS_BEST_EFFORT);
	act_cgroup.close(act);
	for (size_t i = 0; i < sizeof(open_row) / sizeof(open_row[0]); i++) {
		print_message("%s\n", open_row[i].what);
		mountinfo_put(open_row[i].mountinfo);
		assert_int_equal(start_backend(), open_row[i].err);
	}
	print_message("a journal that was not carried out\n");
	mountinfo_put("1 0 0:1 / /cg/cpu rw - cgroup c rw,cpu\n");
	f = fopen(journal, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(start_backend(), -EEXIST);
	assert_int_equal(unlink(journal), 0);
	assert_int_equal(start_backend(), 0);
	stop();
}

/* --- the boxes ----------------------------------------------------------- */

/* Every submit is answered once; of one vcpu the last wins. */
static void test_many(void **unused)
{
	enum { MOVES = 20000 };
	unsigned sent = 0, answered = 0, canceled = 0;
	uint32_t newest[2] = { 0 };
	struct act_count count;
	struct move_done d;
	struct move m;

	(void)unused;
	start(FAKE_V1, VM_CLASS_LATENCY_CRITICAL);
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	while (answered < MOVES) {
		if (sent < MOVES) {
			m = move_to(sent % 2, cpu[sent / 2 % 2], sent);
			if (act_cgroup.submit(act, &m) && ++sent % 512)
				continue;
		}
		while (act_cgroup.reap(act, &d)) {
			answered++;
			if (d.err == -ECANCELED) {
				canceled++;
				continue;
			}
			assert_int_equal(d.err, 0);
			assert_true(!d.gen || d.gen == 1 ||
				    d.gen > newest[d.gen % 2]);
			newest[d.gen % 2] = d.gen;
		}
	}
	assert_false(act_cgroup.reap(act, &d));
	assert_int_equal(newest[0], MOVES - 2);
	assert_int_equal(newest[1], MOVES - 1);
	assert_cpus(0, fake_mask(cpu[(MOVES - 2) / 2 % 2]));
	assert_cpus(1, fake_mask(cpu[(MOVES - 1) / 2 % 2]));
	act_cgroup.count(act, &count);
	assert_int_equal(count.overtaken, canceled);
	assert_int_equal(count.moved, MOVES - canceled);
	print_message("%u overtaken, %lu system calls for %d submits\n",
		      canceled, (unsigned long)count.wakes, MOVES);
	stop();
}

/* Nobody reaps: submit() refuses, and works again after. */
static void test_full(void **unused)
{
	unsigned sent = 0, answered = 0;
	struct move_done d;
	struct move m;

	(void)unused;
	start(FAKE_V1, VM_CLASS_LATENCY_CRITICAL);
	assert_int_equal(act_cgroup.adopt(act, &vm), 0);
	for (;;) {
		m = move_to(sent % 2, cpu[0], sent);
		if (!act_cgroup.submit(act, &m))
			break;
		sent++;
		assert_true(sent <= 4096);
	}
	assert_int_equal(sent, 4096);
	while (answered < sent) {
		d = reap();
		assert_true(!d.err || d.err == -ECANCELED);
		answered++;
	}
	assert_int_equal(move_now(&m), 0);
	stop();
}

/* --- what is asked of act_ksched too ------------------------------------- */

static void test_cases(void **unused)
{
	struct act_stage s = { .name = "cgroup",
			       .ops = &act_cgroup,
			       .begin = stage_begin,
			       .end = stage_end,
			       .kill = stage_kill,
			       .narrow = stage_narrow };

	(void)unused;
	act_cases_run(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_class_change),
		cmocka_unit_test(test_was_idle),
		cmocka_unit_test(test_widen),
		cmocka_unit_test(test_empty_cpuset),
		cmocka_unit_test(test_widen_follows_room),
		cmocka_unit_test(test_widen_bounds),
		cmocka_unit_test(test_widen_refused),
		cmocka_unit_test(test_adopt_fails),
		cmocka_unit_test(test_readopt_fails),
		cmocka_unit_test(test_note_pin),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_vm_dies),
		cmocka_unit_test(test_vm_restarts),
		cmocka_unit_test(test_unplugged),
		cmocka_unit_test(test_no_group),
		cmocka_unit_test(test_open_fails),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
