// SPDX-License-Identifier: Apache-2.0
/*
 * test_meter.c - the meters: a script, and resctrl on a tree of files
 *
 * perf needs a processor's counters, which a virtual machine often has none of:
 * here it is given the kernel's count of page faults instead.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/perf_event.h>

#include <cmocka.h>

#include "meter.h"

#define MS 1000000ull
#define MB 1000000ull

static char root[] = "/tmp/test_meter.XXXXXX";
static struct topo topo;
static struct meter_sample sample;
static struct act_vm vm;

static void put(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *at = path + sizeof(root); (at = strchr(at, '/')); at++) {
		*at = '\0';
		assert_true(!mkdir(path, 0700) || errno == EEXIST);
		*at = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static const char *get(const char *name)
{
	static char text[256];
	char path[512];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "r");
	if (!f)
		return "";
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

static void set_vm(uint16_t slot, const char *name, uint16_t vcpus)
{
	memset(&vm, 0, sizeof(vm));
	vm.vm = slot;
	vm.vcpu_cnt = vcpus;
	snprintf(vm.name, sizeof(vm.name), "%s", name);
	for (unsigned i = 0; i < vcpus; i++)
		vm.tid[i] = 100 + (pid_t)i;
}

/* --- which one ----------------------------------------------------------- */

static const struct {
	const char *what, *name;
	bool good_script, resctrl;
	const char *ops; /* NULL: none */
	const char *why; /* begins so */
} choice[] = {
	{ "a script", "script:", true, false, "script", "script" },
	{ "a script that is none", "script:", false, false, NULL,
	  "script: Invalid argument" },
	{ "resctrl", "resctrl", true, true, "resctrl", "resctrl" },
	{ "resctrl that is not there", "resctrl", true, false, NULL,
	  "resctrl: No such file or directory" },
	{ "the first that works", "auto", true, true, "resctrl", "resctrl" },
	{ "none", "none", true, true, NULL, "" },
};

static void put_resctrl(void)
{
	put("sys/fs/resctrl/mon_data/mon_L3_00/mbm_total_bytes", "1000\n");
	put("sys/fs/resctrl/mon_data/mon_L3_01/mbm_total_bytes", "2000\n");
	put("sys/fs/resctrl/mon_groups/x", "");
	put("sys/devices/system/cpu/cpu0/cache/index0/level", "1\n");
	put("sys/devices/system/cpu/cpu0/cache/index1/level", "3\n");
	put("sys/devices/system/cpu/cpu0/cache/index1/id", "1\n");
	put("sys/devices/system/cpu/cpu2/cache/index0/level", "3\n");
	put("sys/devices/system/cpu/cpu2/cache/index0/id", "0\n");
	/* cpus 0 and 1 are on node 0, 2 and 3 on node 1: ids the other way */
	topo = (struct topo){ .cpu_cnt = 4, .node_cnt = 2 };
	for (unsigned i = 0; i < 4; i++)
		topo.cpu[i] = (struct topo_cpu){ .llc = (uint16_t)(i & 2),
						 .node = (uint16_t)(i / 2) };
}

static void clear_tree(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s/*", root);
	assert_int_equal(system(command), 0);
}

static void test_choice(void **unused)
{
	const struct meter_conf c = { .root = root, .topo = &topo };
	char name[256], why[200];

	(void)unused;
	for (size_t i = 0; i < sizeof(choice) / sizeof(choice[0]); i++) {
		const struct meter_ops *ops = NULL;
		struct meter *m = NULL;
		int err;

		clear_tree();
		if (choice[i].resctrl)
			put_resctrl();
		put("script", choice[i].good_script ? "vm a 1\n" : "vm\n");
		snprintf(name, sizeof(name), "%s%s", choice[i].name,
			 strchr(choice[i].name, ':') ? root : "");
		if (strchr(name, ':'))
			strcat(name, "/script");
		err = meter_open(&ops, &m, name, &c, why, sizeof(why));
		if (!err != !!choice[i].ops ||
		    (!err && strcmp(ops->name, choice[i].ops)) ||
		    strncmp(why, choice[i].why, strlen(choice[i].why)))
			fail_msg("%s: %d %s", choice[i].what, err, why);
		if (!err)
			ops->close(m);
	}
	clear_tree();
}

/* --- script -------------------------------------------------------------- */

static const struct {
	const char *what, *text;
	bool good;
} text[] = {
	{ "nothing", "", true },
	{ "comments and blanks", "# a\n\n  \n  # b\n", true },
	{ "all there is", "vm a 5\nat 20ms\nnode 15 0\n vm b 7 \n", true },
	{ "the same time again", "at 5ms\nat 5ms\n", true },
	{ "time that goes back", "at 5ms\nat 4ms\n", false },
	{ "time without a unit", "at 5\n", false },
	{ "no name", "vm 5\n", false },
	{ "no rate", "vm a\n", false },
	{ "something more", "vm a 5 6\n", false },
	{ "too much", "vm a 1000000001\n", false },
	{ "no such node", "node 16 5\n", false },
	{ "another word", "cpu 1 5\n", false },
};

static int open_script(const char *lines, struct meter **m)
{
	static char path[256];
	const struct meter_conf c = { .script = path };

	put("script", lines);
	snprintf(path, sizeof(path), "%s/script", root);
	return meter_script.open(m, &c);
}

static void test_script_text(void **unused)
{
	struct meter *m;

	(void)unused;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		int err = open_script(text[i].text, &m);

		if (err != (text[i].good ? 0 : -EINVAL))
			fail_msg("%s: %d", text[i].what, err);
		if (!err)
			meter_script.close(m);
	}
}

static void read_at(struct meter *m, const struct meter_ops *ops,
		    uint64_t now_ns)
{
	memset(&sample, 0, sizeof(sample));
	ops->read(m, now_ns, &sample);
}

/* Times count from the first reading, 7 s here. */
static void test_script(void **unused)
{
	static const struct {
		uint64_t at_ms;
		bool there[3]; /* a, late, node 1 */
		uint64_t mb[3];
	} row[] = {
		{ 0, { true, false, false }, { 0, 0, 0 } },
		{ 99, { true, false, false }, { 99, 0, 0 } },
		{ 100, { true, false, true }, { 100, 0, 0 } },
		{ 300, { true, false, true }, { 500, 0, 1000 } },
		{ 500, { true, false, true }, { 500, 0, 2000 } },
	};
	struct meter *m;

	(void)unused;
	assert_int_equal(open_script("vm a 1000\nat 100ms\nnode 1 5000\n"
				     "vm a 2000\nvm late 30\nat 300ms\n"
				     "vm a 0\n",
				     &m),
			 0);
	set_vm(2, "a", 1);
	assert_int_equal(meter_script.watch(m, &vm), 0);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct meter_count *c[] = { &sample.vm[2], &sample.vm[5],
						  &sample.node[1] };

		read_at(m, &meter_script, 7000 * MS + row[i].at_ms * MS);
		for (unsigned k = 0; k < 3; k++)
			if (c[k]->there != row[i].there[k] ||
			    c[k]->bytes / MB != row[i].mb[k])
				fail_msg("after %u ms: %u",
					 (unsigned)row[i].at_ms, k);
	}
	/* a VM that comes late, one that leaves, another in its slot */
	set_vm(5, "late", 1);
	assert_int_equal(meter_script.watch(m, &vm), 0);
	set_vm(2, "a", 0);
	assert_int_equal(meter_script.watch(m, &vm), 0);
	read_at(m, &meter_script, 8100 * MS);
	assert_int_equal(sample.vm[5].bytes, 30 * MB);
	assert_false(sample.vm[2].there);
	set_vm(2, "unheard of", 1);
	assert_int_equal(meter_script.watch(m, &vm), 0);
	read_at(m, &meter_script, 8100 * MS);
	assert_false(sample.vm[2].there);
	meter_script.close(m);
}

/* --- resctrl ------------------------------------------------------------- */

#define GROUP "sys/fs/resctrl/mon_groups/heighliner-3/"
#define FIFTH "sys/fs/resctrl/mon_groups/heighliner-5/"

static void test_resctrl(void **unused)
{
	const struct meter_conf c = { .root = root, .topo = &topo };
	char path[256];
	struct meter *m;

	(void)unused;
	put_resctrl();
	/* an empty group that a killed hostd left, and somebody else's */
	snprintf(path, sizeof(path),
		 "%s/sys/fs/resctrl/mon_groups/heighliner-9", root);
	assert_int_equal(mkdir(path, 0700), 0);
	put("sys/fs/resctrl/mon_groups/other/tasks", "");
	assert_int_equal(meter_resctrl.open(&m, &c), 0);
	assert_int_equal(access(path, F_OK), -1);

	/* what the kernel makes of mkdir */
	put(GROUP "tasks", "");
	put(GROUP "mon_data/mon_L3_00/mbm_total_bytes", "30\n");
	put(GROUP "mon_data/mon_L3_01/mbm_total_bytes", "4\n");
	set_vm(3, "a", 3);
	vm.tid[1] = 0;
	assert_int_equal(meter_resctrl.watch(m, &vm), 0);
	assert_string_equal(get(GROUP "tasks"), "100\n102\n");

	/* a control group of libvirt's adds to the nodes, not to the VM */
	put("sys/fs/resctrl/vm-b/mon_data/mon_L3_00/mbm_total_bytes", "500\n");
	put("sys/fs/resctrl/vm-b/mon_data/mon_L3_01/mbm_total_bytes", "0\n");
	put("sys/fs/resctrl/info/last_cmd_status", "ok\n");
	read_at(m, &meter_resctrl, 5);
	assert_true(sample.vm[3].there);
	assert_int_equal(sample.vm[3].bytes, 34);
	assert_false(sample.vm[4].there);
	assert_int_equal(sample.node[1].bytes, 1500);
	assert_int_equal(sample.node[0].bytes, 2000);
	assert_true(sample.node[0].there && sample.node[1].there);
	assert_false(sample.node[2].there);

	/* the hardware has nothing to say of one domain: half is not told */
	put(GROUP "mon_data/mon_L3_01/mbm_total_bytes", "Unavailable\n");
	read_at(m, &meter_resctrl, 6);
	assert_false(sample.vm[3].there);
	assert_true(sample.node[0].there);
	put("sys/fs/resctrl/vm-b/mon_data/mon_L3_01/mbm_total_bytes",
	    "Error\n");
	read_at(m, &meter_resctrl, 7);
	assert_false(sample.node[0].there || sample.node[1].there);

	/* no more */
	vm.vcpu_cnt = 0;
	assert_int_equal(meter_resctrl.watch(m, &vm), 0);
	read_at(m, &meter_resctrl, 8);
	assert_false(sample.vm[3].there);
	/* a thread nobody monitors, one we do */
	set_vm(5, "c", 3);
	put("proc/100/cpu_resctrl_groups", "res:/\nmon:\n");
	put("proc/101/cpu_resctrl_groups", "res:/\nmon:heighliner-2\n");
	put(FIFTH "tasks", "");
	put(FIFTH "mon_data/mon_L3_00/mbm_total_bytes", "7\n");
	put(FIFTH "mon_data/mon_L3_01/mbm_total_bytes", "0\n");
	assert_int_equal(meter_resctrl.watch(m, &vm), 0);
	assert_string_equal(get(FIFTH "tasks"), "100\n101\n102\n");
	read_at(m, &meter_resctrl, 8);
	assert_int_equal(sample.vm[5].bytes, 7);
	/* and one somebody else does: not metered at all */
	put("proc/102/cpu_resctrl_groups", "res:/\nmon:theirs\n");
	assert_int_equal(meter_resctrl.watch(m, &vm), -EBUSY);
	read_at(m, &meter_resctrl, 8);
	assert_false(sample.vm[5].there);
	/* no such group can be made */
	set_vm(4, "b", 1);
	assert_int_equal(meter_resctrl.watch(m, &vm), -ENOENT);
	meter_resctrl.close(m);
	clear_tree();
}

static void test_resctrl_without_counters(void **unused)
{
	const struct meter_conf c = { .root = root, .topo = &topo };
	struct meter *m;

	(void)unused;
	put("sys/fs/resctrl/mon_data/mon_L3_00/llc_occupancy", "0\n");
	assert_int_equal(meter_resctrl.open(&m, &c), -EOPNOTSUPP);
	clear_tree();
}

/* --- perf ---------------------------------------------------------------- */

long __wrap_syscall(long number, ...);
long __real_syscall(long number, ...);

/* Its event becomes another one, the rest is as it asks for. */
long __wrap_syscall(long number, ...)
{
	struct perf_event_attr attr;
	long arg[5];
	va_list ap;

	assert_int_equal(number, SYS_perf_event_open);
	va_start(ap, number);
	for (unsigned i = 0; i < 5; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	attr = *(struct perf_event_attr *)(uintptr_t)arg[0];
	assert_int_equal(attr.type, PERF_TYPE_HARDWARE);
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_PAGE_FAULTS;
	return __real_syscall(number, &attr, arg[1], arg[2], arg[3], arg[4]);
}

#define FAULTS 100

/* Touch so many pages that were not. */
static void fault(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, FAULTS * page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	for (unsigned i = 0; i < FAULTS; i++)
		at[i * page] = 1;
	munmap(at, FAULTS * page);
}

static void test_perf(void **unused)
{
	const struct meter_conf c = { 0 };
	struct meter *m;
	uint64_t before;

	(void)unused;
	if (meter_perf.open(&m, &c))
		skip(); /* not allowed here */
	set_vm(3, "a", 2);
	vm.tid[0] = gettid();
	vm.tid[1] = 0;
	assert_int_equal(meter_perf.watch(m, &vm), 0);
	read_at(m, &meter_perf, 1);
	assert_true(sample.vm[3].there);
	assert_false(sample.vm[4].there || sample.node[0].there);
	before = sample.vm[3].bytes;
	fault();
	read_at(m, &meter_perf, 2);
	assert_in_range(sample.vm[3].bytes - before, 64 * FAULTS,
			64 * (FAULTS + 50));
	/* other threads: what was counted stays, one that is gone is told */
	before = sample.vm[3].bytes;
	vm.tid[1] = INT32_MAX;
	assert_int_equal(meter_perf.watch(m, &vm), -ESRCH);
	fault();
	read_at(m, &meter_perf, 3);
	assert_in_range(sample.vm[3].bytes - before, 64 * FAULTS,
			64 * (FAULTS + 50));
	/* no more */
	vm.vcpu_cnt = 0;
	assert_int_equal(meter_perf.watch(m, &vm), 0);
	read_at(m, &meter_perf, 4);
	assert_false(sample.vm[3].there);
	meter_perf.close(m);
}

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_script_text),
		cmocka_unit_test(test_script),
		cmocka_unit_test(test_resctrl),
		cmocka_unit_test(test_resctrl_without_counters),
		cmocka_unit_test(test_perf),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
