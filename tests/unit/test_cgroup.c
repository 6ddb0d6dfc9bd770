// SPDX-License-Identifier: Apache-2.0
/*
 * test_cgroup.c - finding control groups from the kernel's texts
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cgroup.h"

/* Debian 12: v2 alone. */
static const char pure_v2[] =
    "23 30 0:21 / /sys rw shared:7 - sysfs sysfs rw\n"
    "31 23 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsd\n";

/* Old hosts: v1 with controllers mounted together, v2 without any. */
static const char hybrid[] =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:1 master:2 - cgroup "
    "cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

/* Inside a container: a part of each hierarchy, odd bytes escaped. */
static const char boxed[] =
    "32 31 0:29 /box\\040one /mnt/a\\040b rw - cgroup cgroup rw,cpu\n"
    "33 31 0:30 /other /mnt/other rw - cgroup cgroup rw,cpuset\n"
    "34 31 0:30 /box /mnt/cpuset rw - cgroup cgroup rw,cpuset\n";

static const struct {
	const char *what, *mountinfo, *groups;
	enum cgroup_kind kind;
	int err;
	const char *path;
	bool v2;
} locate_row[] = {
	{ "v2", pure_v2, "0::/machine.slice/machine-qemu\\x2d1\\x2dweb.scope\n",
	  CGROUP_KIND_CPU, 0,
	  "/sys/fs/cgroup/machine.slice/machine-qemu\\x2d1\\x2dweb.scope",
	  true },
	{ "v2's root", pure_v2, "0::/\n", CGROUP_KIND_CPU, 0, "/sys/fs/cgroup",
	  true },
	{ "v1, mounted together", hybrid,
	  "5:memory:/\n3:cpuset:/a\n2:cpu,cpuacct:/b\n0::/c\n", CGROUP_KIND_CPU,
	  0, "/sys/fs/cgroup/cpu,cpuacct/b", false },
	{ "v1, mounted alone", hybrid,
	  "5:memory:/\n3:cpuset:/a\n2:cpu,cpuacct:/b\n0::/c\n",
	  CGROUP_KIND_CPUSET, 0, "/sys/fs/cgroup/cpuset/a", false },
	{ "v2 has what v1 has not", hybrid, "3:cpuset:/a\n0::/c\n",
	  CGROUP_KIND_CPU, 0, "/sys/fs/cgroup/unified/c", true },
	{ "cpu is not cpuacct", hybrid, "3:cpuset:/a\n2:cpuacct:/b\n",
	  CGROUP_KIND_CPU, -ENOENT, NULL, false },
	{ "a name= hierarchy is no v2", hybrid, "1:name=systemd:/x\n",
	  CGROUP_KIND_CPU, -ENOENT, NULL, false },
	{ "blanks and colons in a group's name", hybrid,
	  "2:cpu,cpuacct:/my vm: old\n", CGROUP_KIND_CPU, 0,
	  "/sys/fs/cgroup/cpu,cpuacct/my vm: old", false },
	{ "no newline at the end", hybrid, "2:cpu,cpuacct:/b", CGROUP_KIND_CPU,
	  0, "/sys/fs/cgroup/cpu,cpuacct/b", false },
	{ "a part mounted", boxed, "2:cpu:/box one/vm\n", CGROUP_KIND_CPU, 0,
	  "/mnt/a b/vm", false },
	{ "the part's own root", boxed, "2:cpu:/box one\n", CGROUP_KIND_CPU, 0,
	  "/mnt/a b", false },
	{ "a name that only begins like it", boxed, "2:cpu:/box ones/vm\n",
	  CGROUP_KIND_CPU, -ENOENT, NULL, false },
	{ "the second mount shows it", boxed, "2:cpuset:/box/vm\n",
	  CGROUP_KIND_CPUSET, 0, "/mnt/cpuset/vm", false },
	{ "outside what is mounted", boxed, "2:cpuset:/elsewhere/vm\n",
	  CGROUP_KIND_CPUSET, -ENOENT, NULL, false },
	{ "outside the namespace", pure_v2, "0::/../vm\n", CGROUP_KIND_CPU,
	  -ENOENT, NULL, false },
	{ "nothing mounted", "", "0::/vm\n", CGROUP_KIND_CPU, -ENOENT, NULL,
	  false },
	{ "no text", hybrid, "", CGROUP_KIND_CPU, -ENOENT, NULL, false },
	{ "no colon", hybrid, "2\n", CGROUP_KIND_CPU, -ENOENT, NULL, false },
	{ "one colon", hybrid, "2:cpu\n", CGROUP_KIND_CPU, -ENOENT, NULL,
	  false },
};

static void test_locate(void **unused)
{
	struct cgroup_mounts m;
	char path[CGROUP_PATH_MAX];
	bool v2;

	(void)unused;
	for (size_t i = 0; i < sizeof(locate_row) / sizeof(locate_row[0]);
	     i++) {
		print_message("%s\n", locate_row[i].what);
		cgroup_mounts_parse(&m, locate_row[i].mountinfo);
		assert_int_equal(cgroup_locate(&m, locate_row[i].groups,
					       locate_row[i].kind, path, &v2),
				 locate_row[i].err);
		if (locate_row[i].err)
			continue;
		assert_string_equal(path, locate_row[i].path);
		assert_int_equal(v2, locate_row[i].v2);
	}
}

static const struct {
	const char *what, *mountinfo;
	unsigned cnt;
} mounts_row[] = {
	{ "no text", "", 0 },
	{ "v2", pure_v2, 1 },
	{ "hybrid: cpu, cpuset and v2", hybrid, 3 },
	{ "no dash", "31 23 0:26 / /cg rw cgroup2 cgroup2 rw\n", 0 },
	{ "cut short", "31 23 0:26 / /cg rw - cgroup", 0 },
	{ "cut shorter", "31 23 0:26", 0 },
	{ "a type that only begins like it", "1 2 0:3 / /cg rw - cgroup3 c rw",
	  0 },
	{ "an escape cut short is no escape",
	  "1 2 0:3 / /cg\\04 rw - cgroup2 c rw", 1 },
	{ "more than the table holds",
	  "1 2 0:3 / /1 rw - cgroup2 c rw\n1 2 0:3 / /2 rw - cgroup2 c rw\n"
	  "1 2 0:3 / /3 rw - cgroup2 c rw\n1 2 0:3 / /4 rw - cgroup2 c rw\n"
	  "1 2 0:3 / /5 rw - cgroup2 c rw\n1 2 0:3 / /6 rw - cgroup2 c rw\n"
	  "1 2 0:3 / /7 rw - cgroup2 c rw\n1 2 0:3 / /8 rw - cgroup2 c rw\n"
	  "1 2 0:3 / /9 rw - cgroup2 c rw\n",
	  CGROUP_MOUNTS_MAX },
};

static void test_mounts(void **unused)
{
	struct cgroup_mounts m;

	(void)unused;
	for (size_t i = 0; i < sizeof(mounts_row) / sizeof(mounts_row[0]);
	     i++) {
		print_message("%s\n", mounts_row[i].what);
		cgroup_mounts_parse(&m, mounts_row[i].mountinfo);
		assert_int_equal(m.cnt, mounts_row[i].cnt);
	}
}

static const struct {
	const char *what, *in;
	bool ok;
	const char *out;
} group_row[] = {
	{ "v1", "/cg/machine/qemu-1-web.libvirt-qemu/emulator", true,
	  "/cg/machine/qemu-1-web.libvirt-qemu" },
	{ "v2 under systemd", "/cg/machine.slice/m.scope/libvirt/emulator",
	  true, "/cg/machine.slice/m.scope" },
	{ "libvirt's inner group", "/cg/machine.slice/m.scope/libvirt", true,
	  "/cg/machine.slice/m.scope" },
	{ "v1, a controller without emulator group",
	  "/cg/machine/qemu-1-web.libvirt-qemu", true,
	  "/cg/machine/qemu-1-web.libvirt-qemu" },
	{ "a login session", "/cg/user.slice/session-1.scope", false, NULL },
	{ "libvirtd's own group", "/cg/system.slice/libvirtd.service", false,
	  NULL },
	{ "a mount's root", "/cg", false, NULL },
	{ "nothing left", "/emulator", false, NULL },
	{ "a vcpu's group is none", "/cg/machine/x/vcpu0", false, NULL },
};

static void test_group(void **unused)
{
	char path[CGROUP_PATH_MAX];

	(void)unused;
	for (size_t i = 0; i < sizeof(group_row) / sizeof(group_row[0]); i++) {
		print_message("%s\n", group_row[i].what);
		strcpy(path, group_row[i].in);
		assert_int_equal(cgroup_vm_group(path), group_row[i].ok);
		if (group_row[i].ok)
			assert_string_equal(path, group_row[i].out);
	}
}

static const struct {
	const char *what, *path;
	bool may;
} write_row[] = {
	{ "idle", "/sys/fs/cgroup/cpu,cpuacct/m/cpu.idle", true },
	{ "shares", "/sys/fs/cgroup/cpu,cpuacct/m/cpu.shares", true },
	{ "weight", "/sys/fs/cgroup/unified/m/cpu.weight", true },
	{ "cpus", "/sys/fs/cgroup/cpuset/m/x y/vcpu0/cpuset.cpus", true },
	{ "dots in a name are just a name",
	  "/sys/fs/cgroup/cpuset/..m/cpuset.cpus", true },
	{ "not a file hostd sets", "/sys/fs/cgroup/cpuset/m/cgroup.procs",
	  false },
	{ "notify", "/sys/fs/cgroup/cpuset/m/release_agent", false },
	{ "a file of the root", "/sys/fs/cgroup/cpuset/cpuset.cpus", false },
	{ "a mount that does not matter", "/sys/fs/cgroup/memory/m/cpuset.cpus",
	  false },
	{ "not below a mount", "/etc/cpuset.cpus", false },
	{ "begins like a mount", "/sys/fs/cgroup/cpusets/m/cpuset.cpus",
	  false },
	{ "out by dots", "/sys/fs/cgroup/cpuset/../../../../etc/cpuset.cpus",
	  false },
	{ "dots at the end", "/sys/fs/cgroup/cpuset/m/..", false },
	{ "not absolute", "sys/fs/cgroup/cpuset/m/cpuset.cpus", false },
	{ "nothing", "", false },
};

static void test_may_write(void **unused)
{
	struct cgroup_mounts m;

	(void)unused;
	cgroup_mounts_parse(&m, hybrid);
	for (size_t i = 0; i < sizeof(write_row) / sizeof(write_row[0]); i++) {
		print_message("%s\n", write_row[i].what);
		assert_int_equal(cgroup_may_write(&m, write_row[i].path),
				 write_row[i].may);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locate),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_may_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
