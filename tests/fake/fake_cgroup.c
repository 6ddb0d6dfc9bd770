// SPDX-License-Identifier: Apache-2.0
/*
 * fake_cgroup.c - a control group tree in a temporary directory
 *
 * write(2) is wrapped to play the kernel for files below the root:
 *	cpu.idle	sets the weight: 3 (v1), 0 (v2) if 1; default if 0
 *	cpu.shares etc.	EINVAL while cpu.idle is 1
 *	cpuset.cpus	v1: EACCES when not within the parent's, EBUSY when a
 *			child's is not within it; v2: ENOSPC when it had cpus
 *			and would have none; then the threads follow
 * sched_setaffinity(2) is wrapped to leave out what the thread's cpuset lacks.
 */
#include "fake_cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cgroup.h"
#include "cpulist.h"
#include "task.h"

ssize_t __real_write(int fd, const void *buf, size_t n);
ssize_t __wrap_write(int fd, const void *buf, size_t n);
int __real_sched_setaffinity(pid_t tid, size_t n, const cpu_set_t *set);
int __wrap_sched_setaffinity(pid_t tid, size_t n, const cpu_set_t *set);

const char *const fake_layout_name[] = { "v1", "v1 without cpu.idle",
					 "v1 in a container", "v2" };

#define V1_VM "machine/qemu-1-my vm.libvirt-qemu"
#define V2_VM "machine.slice/machine-qemu\\x2d1\\x2dmy.scope"

static const struct {
	const char *cpu, *cpuset, *vcpus, *emulator, *weight, *weight_was;
	const char *mountinfo, *groups;
} shape[] = {
	[FAKE_V1] = {
		"/cg/cpu/" V1_VM, "/cg/cpuset/" V1_VM, "", "/emulator",
		"cpu.shares", "500",
		"31 23 0:28 / /cg rw - tmpfs tmpfs rw\n"
		"32 31 0:29 / /cg/cpu rw shared:9 - cgroup c rw,cpu,cpuacct\n"
		"34 31 0:31 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n"
		"41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw\n",
		"7:blkio:/\n3:cpuset:/" V1_VM "%s\n1:cpu,cpuacct:/" V1_VM
		"%s\n0::/" V1_VM "%s\n",
	},
	[FAKE_V1_CONTAINER] = {
		"/cg/cpu/" V1_VM, "/cg/cpuset/" V1_VM, "", "/emulator",
		"cpu.shares", "500",
		"32 31 0:29 /box/a\\040b /cg/cpu rw - cgroup c rw,cpu\n"
		"34 31 0:31 /box/a\\040b /cg/cpuset rw - cgroup c rw,cpuset\n",
		"3:cpuset:/box/a b/" V1_VM "%s\n1:cpu:/box/a b/" V1_VM
		"%s\n%.0s",
	},
	[FAKE_V2] = {
		"/cg/" V2_VM, "/cg/" V2_VM, "/libvirt", "/libvirt/emulator",
		"cpu.weight", "70",
		"32 31 0:29 / /cg rw - cgroup2 cgroup2 rw\n",
		"%.0s%.0s0::/" V2_VM "%s\n",
	},
};

static const char *const vcpus[] = { "vcpu0", "vcpu1", NULL };

static char root[64];
static enum fake_layout form; /* FAKE_V1_OLD has FAKE_V1's shape */
static bool with_idle;
static struct fake_vm machine;
static char failing[CGROUP_PATH_MAX];
static int fail_errno, fail_times;
static unsigned writes;

/* --- files --------------------------------------------------------------- */

const char *fake_root(void)
{
	return root;
}

static bool is_v2(void)
{
	return form == FAKE_V2;
}

static void text_put(const char *path, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void text_put(const char *path, const char *fmt, ...)
{
	char dir[1024];
	FILE *f;
	va_list ap;

	snprintf(dir, sizeof(dir), "%s%s", root, path);
	for (char *at = dir + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		assert_true(!mkdir(dir, 0755) || errno == EEXIST);
		*at = '/';
	}
	f = fopen(dir, "w");
	assert_non_null(f);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	assert_int_equal(fclose(f), 0);
}

const char *fake_host_path(const char *name)
{
	static char path[CGROUP_PATH_MAX];
	const char *cpuset = shape[form].cpuset;

	if (!strcmp(name, "cpu.idle"))
		snprintf(path, sizeof(path), "%s/cpu.idle", shape[form].cpu);
	else if (!strcmp(name, "weight"))
		snprintf(path, sizeof(path), "%s/%s", shape[form].cpu,
			 shape[form].weight);
	else if (!strcmp(name, "vm"))
		snprintf(path, sizeof(path), "%s/cpuset.cpus", cpuset);
	else if (!strcmp(name, "around"))
		snprintf(path, sizeof(path), "%.*s/%s",
			 (int)(strrchr(cpuset, '/') - cpuset), cpuset,
			 is_v2() ? "cpuset.cpus.effective" : "cpuset.cpus");
	else
		snprintf(path, sizeof(path), "%s%s/%s/cpuset.cpus", cpuset,
			 shape[form].vcpus, name);
	return path;
}

const char *fake_get(const char *name)
{
	static char value[8][CGROUP_VALUE_MAX];
	static unsigned next;
	char *out = value[next++ % 8];

	if (cgroup_read(fake_host_path(name), out, CGROUP_VALUE_MAX))
		strcpy(out, "none");
	return out;
}

/* A vcpu's thread runs where its cpuset says, once that is written. */
static void thread_follow(const char *name, const char *list)
{
	unsigned index = !strcmp(name, vcpus[1]);
	struct cpumask m;
	cpu_set_t set;

	if (strcmp(name, vcpus[index]) || cpulist_parse(list, &m))
		return;
	CPU_ZERO(&set);
	memcpy(&set, &m, sizeof(m));
	__real_sched_setaffinity(machine.tid[index], sizeof(set), &set);
}

void fake_put(const char *name, const char *value)
{
	text_put(fake_host_path(name), "%s\n", value);
	thread_follow(name, value);
}

void fake_fail(const char *name, int err, int times)
{
	snprintf(failing, sizeof(failing), "%s",
		 name ? fake_host_path(name) : "");
	fail_errno = err;
	fail_times = times;
}

unsigned fake_writes(void)
{
	return writes;
}

/* --- the kernel's rules -------------------------------------------------- */

static struct cpumask mask_of(const char *name)
{
	struct cpumask m;

	if (cpulist_parse(fake_get(name), &m))
		memset(&m, 0xff, sizeof(m)); /* no such file */
	return m;
}

static const char *held(const char *path)
{
	static char value[CGROUP_VALUE_MAX];

	return cgroup_read(path, value, sizeof(value)) ? "" : value;
}

/* The rules for a cpuset that would hold @list. */
static int cpuset_rule(const char *path, const char *list)
{
	struct cpumask m, other;

	if (is_v2())
		return *list || !*held(path) ? 0 : ENOSPC;
	if (cpulist_parse(list, &m))
		return EINVAL;
	if (!strcmp(path, fake_host_path("vm"))) {
		other = mask_of("around");
		if (!cpumask_subset(&m, &other))
			return EACCES;
		for (const char *const *v = vcpus; *v; v++) {
			other = mask_of(*v);
			if (!cpumask_subset(&other, &m))
				return EBUSY;
		}
		return 0;
	}
	other = mask_of("vm");
	return cpumask_subset(&m, &other) ? 0 : EACCES;
}

static int rule(const char *path, const char *text)
{
	if (!strcmp(path, fake_host_path("weight")))
		return with_idle && !strcmp(fake_get("cpu.idle"), "1") ? EINVAL
								       : 0;
	if (!strcmp(path, fake_host_path("cpu.idle"))) {
		if (strcmp(fake_get("cpu.idle"), text))
			fake_put("weight", *text == '1' ? is_v2() ? "0" : "3"
					   : is_v2()	? "100"
							: "1024");
		return 0;
	}
	return cpuset_rule(path, text);
}

ssize_t __wrap_write(int fd, const void *buf, size_t n)
{
	char link[64], real[1024], text[CGROUP_VALUE_MAX];
	ssize_t len;
	int err;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, real, sizeof(real) - 1);
	real[len > 0 ? len : 0] = '\0';
	if (!root[0] || strncmp(real, root, strlen(root)) ||
	    strncmp(real + strlen(root), "/cg/", 4))
		return __real_write(fd, buf, n);
	writes++;
	snprintf(text, sizeof(text), "%.*s", (int)n, (const char *)buf);
	text[strcspn(text, "\n")] = '\0';
	err = rule(real + strlen(root), text);
	if (fail_times && !strcmp(real + strlen(root), failing)) {
		fail_times -= fail_times > 0;
		err = fail_errno;
	}
	if (err) {
		errno = err;
		return -1;
	}
	if (ftruncate(fd, 0) || __real_write(fd, buf, n) < 0)
		return -1;
	for (const char *const *v = vcpus; *v; v++)
		if (!strcmp(real + strlen(root), fake_host_path(*v)))
			thread_follow(*v, text);
	return (ssize_t)n;
}

int __wrap_sched_setaffinity(pid_t tid, size_t n, const cpu_set_t *set)
{
	struct cpumask m, group;
	cpu_set_t left;

	if (!root[0] || (tid != machine.tid[0] && tid != machine.tid[1]))
		return __real_sched_setaffinity(tid, n, set);
	memcpy(&m, set, sizeof(m));
	group = mask_of(tid == machine.tid[0] ? "vcpu0" : "vcpu1");
	m = cpumask_and(m, &group);
	CPU_ZERO(&left);
	memcpy(&left, &m, sizeof(m));
	return __real_sched_setaffinity(tid, sizeof(left), &left);
}

/* --- the VM -------------------------------------------------------------- */

static void *vcpu_thread(void *arg)
{
	pid_t tid = gettid();

	__real_write(*(int *)arg, &tid, sizeof(tid));
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

static void machine_start(void)
{
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	machine.pid = fork();
	assert_true(machine.pid >= 0);
	if (!machine.pid)
		vm_main(fd[1]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(read(fd[0], &machine.tid[i], sizeof(pid_t)),
				 sizeof(pid_t));
	close(fd[0]);
	close(fd[1]);
}

/* /proc/PID/task/TID/cgroup of a thread in group @own of the VM. */
static void groups_put(pid_t tid, const char *own)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/cgroup", machine.pid,
		 tid);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), shape[form].groups, own, own, own);
#pragma GCC diagnostic pop
	text_put(path, "%s", text);
}

void fake_open(enum fake_layout layout, struct fake_vm *vm)
{
	struct cpumask mine;
	char list[CGROUP_VALUE_MAX], own[64];

	strcpy(root, "/tmp/hl-fake-XXXXXX");
	assert_non_null(mkdtemp(root));
	with_idle = layout != FAKE_V1_OLD;
	form = with_idle ? layout : FAKE_V1;
	cgroup_set_root(root);
	machine_start();
	text_put("/proc/self/mountinfo", "%s", shape[form].mountinfo);
	groups_put(machine.pid, shape[form].emulator);
	for (int i = 0; i < 2; i++) {
		snprintf(own, sizeof(own), "%s/vcpu%d", shape[form].vcpus, i);
		groups_put(machine.tid[i], own);
	}
	assert_int_equal(task_get_mask(0, &mine), 0);
	cpulist_format(&mine, list, sizeof(list));
	for (const char *const *n =
		 (const char *const[]){ "around", "vm", "vcpu0", "vcpu1",
					NULL };
	     *n; n++)
		fake_put(*n, list);
	fake_put("weight", shape[form].weight_was);
	if (with_idle)
		fake_put("cpu.idle", "0");
	if (is_v2()) {
		text_put("/cg/cgroup.controllers", "cpuset cpu io\n");
		fake_put("vm", ""); /* systemd leaves it: as the parent */
	}
	fake_fail(NULL, 0, 0);
	writes = 0;
	*vm = machine;
}

static int entry_remove(const char *path, const struct stat *st, int kind,
			struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

void fake_close(struct fake_vm *vm)
{
	if (vm->pid) {
		kill(vm->pid, SIGKILL);
		waitpid(vm->pid, NULL, 0);
	}
	nftw(root, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
	cgroup_set_root(NULL);
	memset(&machine, 0, sizeof(machine));
	memset(vm, 0, sizeof(*vm));
	root[0] = '\0';
}

/* --- for tables ---------------------------------------------------------- */

const char *fake_state(const struct fake_vm *vm, char *buf, size_t size)
{
	char list[2][CGROUP_VALUE_MAX];
	struct cpumask m;

	for (int i = 0; i < 2; i++) {
		memset(&m, 0, sizeof(m));
		task_get_mask(vm->tid[i], &m);
		cpulist_format(&m, list[i], sizeof(list[i]));
	}
	snprintf(buf, size,
		 "idle %s weight %s around %s vm %s vcpu0 %s vcpu1 %s "
		 "threads %s / %s",
		 fake_get("cpu.idle"), fake_get("weight"), fake_get("around"),
		 fake_get("vm"), fake_get("vcpu0"), fake_get("vcpu1"), list[0],
		 list[1]);
	return buf;
}

bool fake_cpus(unsigned cpu[2])
{
	struct cpumask m;

	if (task_get_mask(0, &m))
		return false;
	cpu[0] = cpumask_next(&m, 0);
	cpu[1] = cpumask_next(&m, cpu[0] + 1);
	return cpu[1] != CPU_NONE;
}

struct cpumask fake_mask(unsigned cpu)
{
	struct cpumask m = { 0 };

	cpumask_set(&m, cpu);
	return m;
}
