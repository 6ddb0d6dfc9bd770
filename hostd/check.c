// SPDX-License-Identifier: Apache-2.0
/*
 * check.c - what a host lacks for Heighliner, in words
 *
 * One function a fact, in the order of the table at the end. Each says one
 * line: [ok], [warn] (it works, at a cost the line names) or [bad] (hostd
 * cannot do its work), and the cure. Everything is read below a root
 * directory, so that tests, and a look at another host's copied /proc and
 * /sys, are possible.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpulist.h"

#define CAP_BPF_BIT	  39 /* linux/capability.h; CAP_SYS_ADMIN includes it */
#define CAP_PERFMON_BIT	  38
#define CAP_SYS_ADMIN_BIT 21
#define CAP_SYS_NICE_BIT  23

struct host {
	const char *root;
	FILE *out;
	unsigned bad;
};

enum verdict { OK, WARN, BAD };

static void say(struct host *h, enum verdict v, const char *what,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void say(struct host *h, enum verdict v, const char *what,
		const char *fmt, ...)
{
	static const char *const words[] = { "[ok]  ", "[warn]", "[bad] " };
	va_list ap;

	h->bad += v == BAD;
	fprintf(h->out, "%s %s: ", words[v], what);
	va_start(ap, fmt);
	vfprintf(h->out, fmt, ap);
	va_end(ap);
	fputc('\n', h->out);
}

static const char *full(const struct host *h, const char *path, char *buf,
			size_t size)
{
	snprintf(buf, size, "%s%s", h->root, path);
	return buf;
}

static bool exists(const struct host *h, const char *path)
{
	char name[512];

	return !access(full(h, path, name, sizeof(name)), F_OK);
}

/* A file's text up to @size, its final newline cut, nothing but printable
 * characters and white space. False: not there. */
static bool slurp(const struct host *h, const char *path, char *buf,
		  size_t size)
{
	char name[512];
	FILE *f = fopen(full(h, path, name, sizeof(name)), "re");
	size_t n;

	buf[0] = '\0';
	if (!f)
		return false;
	n = fread(buf, 1, size - 1, f);
	fclose(f);
	while (n && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		n--;
	buf[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((buf[i] < ' ' || buf[i] == 0x7f) && buf[i] != '\n' &&
		    buf[i] != '\t')
			buf[i] = '?';
	return true;
}

static bool slurp_num(const struct host *h, const char *path, long long *out)
{
	char text[64], *end;

	if (!slurp(h, path, text, sizeof(text)))
		return false;
	*out = strtoll(text, &end, 10);
	return end != text;
}

/* Is @word one of the words of @list? */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += n)
		if ((p == list || strchr(" ,\t\n", p[-1])) &&
		    (!p[n] || strchr(" ,\t\n", p[n])))
			return true;
	return false;
}

static void check_kernel(struct host *h)
{
	unsigned long major, minor = 0;
	char release[128], *end;

	slurp(h, "/proc/sys/kernel/osrelease", release, sizeof(release));
	major = strtoul(release, &end, 10);
	if (*end == '.')
		minor = strtoul(end + 1, &end, 10);
	if (!major)
		say(h, WARN, "kernel", "its version cannot be read");
	else if (major < 5 || (major == 5 && minor < 15))
		say(h, WARN, "kernel",
		    "%s has no cpu.idle: best-effort VMs slow down others on "
		    "their cpus; use Linux 5.15 or later",
		    release);
	else
		say(h, OK, "kernel", "%s has cpu.idle", release);
}

static void check_cgroup(struct host *h)
{
	char mounts[32768], *line, *rest = mounts, *save;
	char where[256], type[32], options[256], list[256], path[300];
	bool cpu = false, cpuset = false, v2 = false;

	slurp(h, "/proc/mounts", mounts, sizeof(mounts));
	while ((line = strtok_r(rest, "\n", &save))) {
		rest = NULL;
		if (sscanf(line, "%*s %255s %31s %255s", where, type,
			   options) != 3)
			continue;
		if (!strcmp(type, "cgroup")) {
			cpu |= has_word(options, "cpu");
			cpuset |= has_word(options, "cpuset");
		} else if (!strcmp(type, "cgroup2")) {
			snprintf(path, sizeof(path), "%s/cgroup.controllers",
				 where);
			slurp(h, path, list, sizeof(list));
			v2 |= has_word(list, "cpu") && has_word(list, "cpuset");
		}
	}
	if (v2)
		say(h, OK, "cgroup", "v2 with cpu and cpuset");
	else if (cpu && cpuset)
		say(h, OK, "cgroup", "v1 with cpu and cpuset");
	else
		say(h, WARN, "cgroup",
		    "no cpu and cpuset controllers: only the libvirt backend "
		    "can move vcpus, a millisecond a move; mount cgroup v2");
}

static void check_libvirt(struct host *h)
{
	if (exists(h, "/run/libvirt/libvirt-sock") ||
	    exists(h, "/run/libvirt/virtqemud-sock"))
		say(h, OK, "libvirt", "its socket is there");
	else
		say(h, BAD, "libvirt",
		    "no socket in /run/libvirt: no VM can be found; systemctl "
		    "start libvirtd");
}

static void check_kvm(struct host *h)
{
	char cpuinfo[16384], name[512];
	bool flag;
	int fd;

	slurp(h, "/proc/cpuinfo", cpuinfo, sizeof(cpuinfo));
	flag = has_word(cpuinfo, "vmx") || has_word(cpuinfo, "svm");
	fd = open(full(h, "/dev/kvm", name, sizeof(name)), O_RDWR | O_CLOEXEC);
	if (flag && fd >= 0)
		say(h, OK, "kvm", "usable");
	else if (fd >= 0)
		say(h, WARN, "kvm",
		    "/dev/kvm opens, but the cpu shows neither vmx nor svm: "
		    "ordinary guests will not boot under it; use <domain "
		    "type='qemu'>, many times slower");
	else if (flag)
		say(h, WARN, "kvm",
		    "/dev/kvm does not open (%s): guests are emulated, many "
		    "times slower; modprobe kvm_intel or kvm_amd",
		    strerror(errno));
	else
		say(h, WARN, "kvm",
		    "the cpu shows neither vmx nor svm: guests are emulated, "
		    "many times slower; switch virtualization on in the "
		    "firmware");
	if (fd >= 0)
		close(fd);
}

static void check_hugepages(struct host *h)
{
	char pattern[512];
	long long sum = 0, n;
	glob_t g;

	full(h, "/sys/kernel/mm/hugepages/*/nr_hugepages", pattern,
	     sizeof(pattern));
	if (!glob(pattern, 0, NULL, &g)) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			if (slurp_num(h, g.gl_pathv[i] + strlen(h->root), &n))
				sum += n;
		globfree(&g);
	}
	if (sum > 0)
		say(h, OK, "hugepages", "%lld reserved", sum);
	else
		say(h, WARN, "hugepages",
		    "none reserved: packet memory and guests use small pages, "
		    "each copy costs more; sysctl vm.nr_hugepages=1024");
}

static void check_bpf(struct host *h)
{
	char status[4096], *at;
	unsigned long long caps = 0;
	bool may;

	slurp(h, "/proc/self/status", status, sizeof(status));
	at = strstr(status, "CapEff:");
	if (at)
		caps = strtoull(at + 7, NULL, 16);
	may = caps >> CAP_SYS_ADMIN_BIT & 1 ||
	      (caps >> CAP_BPF_BIT & 1 && caps >> CAP_PERFMON_BIT & 1);
	if (!exists(h, "/sys/kernel/btf/vmlinux"))
		say(h, WARN, "ready wait",
		    "the kernel has no BTF: hostd cannot see vcpus wait for a "
		    "cpu, and goes by packets alone; use a kernel with "
		    "CONFIG_DEBUG_INFO_BTF");
	else if (!may)
		say(h, WARN, "ready wait",
		    "no CAP_BPF and CAP_PERFMON here: hostd needs them to see "
		    "vcpus wait for a cpu; run it as root");
	else
		say(h, OK, "ready wait", "BTF and the right to load BPF");
	if (!(caps >> CAP_SYS_NICE_BIT & 1))
		say(h, WARN, "rights",
		    "no CAP_SYS_NICE here: hostd needs it to move vcpus; run "
		    "it as root");
}

static void check_clock(struct host *h)
{
	static const char *const fast[] = { "tsc", "kvm-clock",
					    "hyperv_clocksource_tsc_page",
					    "arch_sys_counter" };
	char name[64];

	slurp(h,
	      "/sys/devices/system/clocksource/clocksource0/"
	      "current_clocksource",
	      name, sizeof(name));
	for (unsigned i = 0; i < sizeof(fast) / sizeof(fast[0]); i++)
		if (!strcmp(name, fast[i])) {
			say(h, OK, "clock", "%s, read without a system call",
			    name);
			return;
		}
	say(h, WARN, "clock",
	    "'%s' needs a system call to read: every pass of hostd takes "
	    "longer; boot with clocksource=tsc where the TSC is stable",
	    name);
}

static void check_cpus(struct host *h)
{
	struct cpumask online = { 0 };
	char text[1024], managed[1024];
	unsigned n, lowest;

	slurp(h, "/sys/devices/system/cpu/online", text, sizeof(text));
	if (cpulist_parse(text, &online))
		cpulist_parse("", &online);
	n = cpumask_count(&online);
	if (n < 2) {
		say(h, BAD, "cpus",
		    "%u online: one is hostd's and the floor, so there is none "
		    "to give to VMs; use a host with two or more",
		    n);
		return;
	}
	lowest = cpumask_next(&online, 0);
	cpumask_clear(&online, lowest);
	say(h, OK, "cpus",
	    "%u online; unless hostd.conf says otherwise %s for VMs, %u for "
	    "the floor and hostd",
	    n, cpulist_format(&online, managed, sizeof(managed)), lowest);
}

static void check_smt(struct host *h)
{
	char text[16];

	slurp(h, "/sys/devices/system/cpu/smt/active", text, sizeof(text));
	if (!strcmp(text, "1"))
		say(h, WARN, "SMT",
		    "on: a VM's cpu is slowed by its sibling's VM, and one can "
		    "watch the other; where tenants do not trust each other "
		    "boot with nosmt");
	else
		say(h, OK, "SMT", "off or not there");
}

static void check_isolated(struct host *h)
{
	char text[256];

	slurp(h, "/sys/devices/system/cpu/isolated", text, sizeof(text));
	if (*text)
		say(h, WARN, "isolated cpus",
		    "%s: the kernel does not spread riders over these; drop "
		    "isolcpus= for cpus that hostd manages",
		    text);
	else
		say(h, OK, "isolated cpus", "none");
}

static void check_governor(struct host *h)
{
	char text[64];

	if (!slurp(h, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
		   text, sizeof(text)))
		say(h, OK, "frequency", "not scaled by this kernel");
	else if (!strcmp(text, "performance"))
		say(h, OK, "frequency", "governor performance");
	else
		say(h, WARN, "frequency",
		    "governor %s: a cpu just granted may run slowly for "
		    "milliseconds; cpupower frequency-set -g performance",
		    text);
}

static void check_vfio(struct host *h)
{
	char pattern[512];
	bool iommu;
	glob_t g;

	iommu = !glob(
	    full(h, "/sys/kernel/iommu_groups/*", pattern, sizeof(pattern)), 0,
	    NULL, &g);
	if (iommu)
		globfree(&g);
	if (iommu && exists(h, "/sys/module/vfio_pci"))
		say(h, OK, "vfio", "ready for uplink = pci:...");
	else
		say(h, WARN, "vfio",
		    "%s: uplink = pci:... cannot be used, tap can; %s",
		    iommu ? "vfio-pci is not loaded" : "there is no IOMMU",
		    iommu ? "modprobe vfio-pci"
			  : "boot with intel_iommu=on or amd_iommu=on");
}

static void check_tun(struct host *h)
{
	if (exists(h, "/dev/net/tun"))
		say(h, OK, "tun", "ready for uplink = tap:...");
	else
		say(h, WARN, "tun",
		    "no /dev/net/tun: uplink = tap:... (the default) cannot be "
		    "used; modprobe tun, or set uplink =");
}

static void check_rt(struct host *h)
{
	long long us;

	if (slurp_num(h, "/proc/sys/kernel/sched_rt_runtime_us", &us) && us < 0)
		say(h, WARN, "real time",
		    "throttling is off: a runaway real-time thread can keep a "
		    "vcpu from its cpu for ever; sysctl "
		    "kernel.sched_rt_runtime_us=950000");
	else
		say(h, OK, "real time", "throttled");
}

static void check_halt_poll(struct host *h)
{
	long long ns;

	if (!slurp_num(h, "/sys/module/kvm/parameters/halt_poll_ns", &ns))
		say(h, OK, "halt polling", "KVM is not loaded");
	else if (ns > 200000)
		say(h, WARN, "halt polling",
		    "a vcpu that halts burns its cpu for up to %lld us first, "
		    "which nobody else can use; echo 200000 > "
		    "/sys/module/kvm/parameters/halt_poll_ns",
		    ns / 1000);
	else
		say(h, OK, "halt polling", "at most %lld us", ns / 1000);
}

static void check_ksched(struct host *h)
{
	if (exists(h, "/dev/ksched"))
		say(h, OK, "ksched", "loaded: backend auto uses it");
	else
		say(h, OK, "ksched",
		    "not loaded: cpus move in tens of microseconds rather than "
		    "a few");
}

static bool has_group(const struct host *h, const char *name)
{
	char text[16384], want[64];

	snprintf(want, sizeof(want), "\n%s:", name);
	text[0] = '\n';
	slurp(h, "/etc/group", text + 1, sizeof(text) - 1);
	return strstr(text, want);
}

static void check_sockets(struct host *h)
{
	char name[512];
	struct stat st;

	if (stat(full(h, "/run/heighliner", name, sizeof(name)), &st))
		say(h, WARN, "sockets",
		    "no /run/heighliner: VMs' sockets have no place yet; "
		    "hostd.service makes it, or mkdir -m 755 /run/heighliner");
	else if ((st.st_mode & 0011) != 0011)
		say(h, WARN, "sockets",
		    "/run/heighliner has mode %03o: QEMU may not reach sockets "
		    "in it; chmod 755 /run/heighliner",
		    st.st_mode & 0777);
	else
		say(h, OK, "sockets", "/run/heighliner can be entered");
	if (has_group(h, "kvm"))
		say(h, OK, "socket group", "kvm, as hostd.conf's default");
	else
		say(h, WARN, "socket group",
		    "there is no group kvm: set socket-group = to QEMU's "
		    "group");
}

static void check_thp(struct host *h)
{
	char text[128];

	slurp(h, "/sys/kernel/mm/transparent_hugepage/enabled", text,
	      sizeof(text));
	if (strstr(text, "[always]"))
		say(h, WARN, "huge pages by themselves",
		    "always: the kernel may stop a guest for a moment to make "
		    "one; echo madvise > "
		    "/sys/kernel/mm/transparent_hugepage/enabled");
	else
		say(h, OK, "huge pages by themselves", "%s",
		    strstr(text, "[madvise]") ? "madvise" : "never");
}

unsigned check_host(const char *root, FILE *out)
{
	static void (*const checks[])(struct host * h) = {
		check_cpus,	 check_libvirt, check_kvm,	check_kernel,
		check_cgroup,	 check_bpf,	check_ksched,	check_clock,
		check_sockets,	 check_tun,	check_vfio,	check_hugepages,
		check_thp,	 check_smt,	check_isolated, check_governor,
		check_halt_poll, check_rt,
	};
	struct host h = { .root = root, .out = out };

	for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](&h);
	return h.bad;
}
