// SPDX-License-Identifier: Apache-2.0
/*
 * test_check.c - `hostctl check` on trees made for it
 *
 * The good tree has all a host can have; each row below changes one file of it
 * and names the one line that must change, and how.
 */
#include "check.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/test_check.XXXXXX";
static char text[1 << 16];

#define CLOCK	 "/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define GOVERNOR "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
#define THP	 "/sys/kernel/mm/transparent_hugepage/enabled"
#define HALT	 "/sys/module/kvm/parameters/halt_poll_ns"
#define HUGE	 "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

static const struct {
	const char *path, *text;
} good[] = {
	{ "/proc/sys/kernel/osrelease", "6.1.0-56-amd64\n" },
	{ "/proc/mounts", "proc /proc proc rw 0 0\n"
			  "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n" },
	{ "/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory\n" },
	{ "/run/libvirt/libvirt-sock", "" },
	{ "/proc/cpuinfo", "flags\t: fpu vmx sse\n" },
	{ "/dev/kvm", "" },
	{ HUGE, "512\n" },
	{ "/sys/kernel/btf/vmlinux", "x" },
	{ "/proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\n" },
	{ CLOCK, "tsc\n" },
	{ "/sys/devices/system/cpu/online", "0-7\n" },
	{ "/sys/devices/system/cpu/smt/active", "0\n" },
	{ "/sys/devices/system/cpu/isolated", "\n" },
	{ GOVERNOR, "performance\n" },
	{ "/sys/kernel/iommu_groups/0", "" },
	{ "/sys/module/vfio_pci", "" },
	{ "/dev/net/tun", "" },
	{ "/proc/sys/kernel/sched_rt_runtime_us", "950000\n" },
	{ HALT, "200000\n" },
	{ "/dev/ksched", "" },
	{ "/run/heighliner/x", "" },
	{ "/etc/group", "root:x:0:\nkvm:x:107:\n" },
	{ THP, "always [madvise] never\n" },
};

static void put(const char *path, const char *content)
{
	char name[512];
	FILE *f;

	snprintf(name, sizeof(name), "%s%s", root, path);
	for (char *p = name + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(name, 0755) && errno != EEXIST)
			fail_msg("mkdir %s", name);
		*p = '/';
	}
	if (!content) {
		unlink(name);
		return;
	}
	f = fopen(name, "w");
	assert_non_null(f);
	fputs(content, f);
	fclose(f);
}

static int make_good(void **state)
{
	(void)state;
	umask(022);
	if (!mkdtemp(root))
		return -1;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		put(good[i].path, good[i].text);
	return 0;
}

static int clear(void **state)
{
	char cmd[64];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
	return system(cmd);
}

static unsigned check(const char *where)
{
	FILE *f = fmemopen(text, sizeof(text), "w");
	unsigned bad = check_host(where, f);

	fclose(f);
	return bad;
}

static void test_all_good(void **state)
{
	(void)state;
	assert_int_equal(check(root), 0);
	if (strstr(text, "[warn]") || strstr(text, "[bad]"))
		fail_msg("%s", text);
}

static const struct {
	const char *path, *text; /* NULL: not there */
	const char *want;
	unsigned bad;
} rows[] = {
	{ "/proc/sys/kernel/osrelease", "5.14.9",
	  "[warn] kernel: 5.14.9 has "
	  "no cpu.idle",
	  0 },
	{ "/proc/sys/kernel/osrelease", "5.15.0", "[ok]   kernel: ", 0 },
	{ "/proc/sys/kernel/osrelease", NULL, "[warn] kernel: its version", 0 },
	{ "/proc/mounts",
	  "c /c cgroup rw,cpu,cpuacct 0 0\nd /d cgroup rw,cpuset 0 0\n",
	  "[ok]   cgroup: v1", 0 },
	{ "/proc/mounts", "c /c cgroup rw,cpuacct 0 0\n", "[warn] cgroup: no",
	  0 },
	{ "/proc/mounts", NULL, "[warn] cgroup: no cpu", 0 },
	{ "/proc/mounts", "rubbish\n\n \n", "[warn] cgroup: no cpu", 0 },
	{ "/sys/fs/cgroup/cgroup.controllers", "cpu io\n",
	  "[warn] cgroup: no cpu and cpuset", 0 },
	{ "/run/libvirt/libvirt-sock", NULL, "[bad]  libvirt: no socket", 1 },
	{ "/proc/cpuinfo", "flags\t: fpu vmxx\n",
	  "[warn] kvm: /dev/kvm opens, but", 0 },
	{ "/dev/kvm", NULL, "[warn] kvm: /dev/kvm does not open (No such", 0 },
	{ HUGE, "0\n", "[warn] hugepages: none", 0 },
	{ HUGE, NULL, "[warn] hugepages: none", 0 },
	{ "/sys/kernel/btf/vmlinux", NULL,
	  "[warn] ready wait: the kernel has "
	  "no BTF",
	  0 },
	{ "/proc/self/status", "CapEff:\t0000000000800000\n",
	  "[warn] ready wait: no CAP_BPF", 0 },
	{ "/proc/self/status", "CapEff:\t000000c000000000\n",
	  "[warn] rights: no CAP_SYS_NICE", 0 },
	{ "/proc/self/status", "CapEff:\t000000c000000000\n",
	  "[ok]   ready wait", 0 },
	{ CLOCK, "kvm-clock\n", "[ok]   clock: kvm-clock", 0 },
	{ CLOCK, "hpet\n", "[warn] clock: 'hpet' needs", 0 },
	{ CLOCK, "\x1b[2J\n", "[warn] clock: '?[2J' needs", 0 },
	{ "/sys/devices/system/cpu/online", "0\n", "[bad]  cpus: 1 online", 1 },
	{ "/sys/devices/system/cpu/online", "rubbish", "[bad]  cpus: 0", 1 },
	{ "/sys/devices/system/cpu/online", "2-3,8\n",
	  "[ok]   cpus: 3 online; unless hostd.conf says otherwise 3,8 for "
	  "VMs, 2 for",
	  0 },
	{ "/sys/devices/system/cpu/smt/active", "1\n", "[warn] SMT: on", 0 },
	{ "/sys/devices/system/cpu/isolated", "2-3\n",
	  "[warn] isolated cpus: 2-3", 0 },
	{ GOVERNOR, "powersave\n", "[warn] frequency: governor powersave", 0 },
	{ GOVERNOR, NULL, "[ok]   frequency: not scaled", 0 },
	{ "/sys/module/vfio_pci", NULL, "[warn] vfio: vfio-pci is not", 0 },
	{ "/sys/kernel/iommu_groups/0", NULL, "[warn] vfio: there is no IOMMU",
	  0 },
	{ "/dev/net/tun", NULL, "[warn] tun: no /dev/net/tun", 0 },
	{ "/proc/sys/kernel/sched_rt_runtime_us", "-1\n",
	  "[warn] real time: throttling is off", 0 },
	{ HALT, "400000\n",
	  "[warn] halt polling: a vcpu that halts burns its "
	  "cpu for up to 400 us",
	  0 },
	{ HALT, NULL, "[ok]   halt polling: KVM is not loaded", 0 },
	{ "/dev/ksched", NULL, "[ok]   ksched: not loaded", 0 },
	{ "/etc/group", "notkvm:x:1:\n", "[warn] socket group: there is no",
	  0 },
	{ "/etc/group", "kvm:x:1:\n", "[ok]   socket group: kvm", 0 },
	{ THP, "[always] madvise never\n",
	  "[warn] huge pages by themselves: "
	  "always",
	  0 },
};

static void test_each(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned bad;

		put(rows[i].path, rows[i].text);
		bad = check(root);
		if (bad != rows[i].bad || !strstr(text, rows[i].want))
			fail_msg("%s '%s': %u bad, no '%s' in\n%s",
				 rows[i].path, rows[i].text ? rows[i].text : "",
				 bad, rows[i].want, text);
		for (unsigned g = 0; g < sizeof(good) / sizeof(good[0]); g++)
			if (!strcmp(good[g].path, rows[i].path))
				put(good[g].path, good[g].text);
	}
	test_all_good(state);
}

static void test_socket_dir(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/run/heighliner", root);
	chmod(path, 0700);
	check(root);
	chmod(path, 0755);
	assert_non_null(strstr(text, "[warn] sockets: /run/heighliner has mode "
				     "700"));
}

/* Nothing there at all: every line is said, nothing crashes. */
static void test_empty(void **state)
{
	unsigned lines = 0;

	(void)state;
	assert_int_equal(check("/nonexistent"), 2);
	for (char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	assert_in_range(lines, 18, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_good),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_socket_dir),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, make_good, clear);
}
