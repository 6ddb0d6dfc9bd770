// SPDX-License-Identifier: Apache-2.0
/*
 * vmgroup.c - one VM's control groups
 *
 * libvirt's layout, by controller (v1) or in the one tree (v2):
 *	/machine/qemu-N-NAME.libvirt-qemu/{emulator,vcpu0,vcpu1,...}
 *	/machine.slice/machine-qemu\x2dN\x2dNAME.scope/libvirt/{emulator,...}
 * The class is set on the outer group, for there VMs meet: CFS and EEVDF
 * compare groups first, so an idle policy on threads or on vcpuN alone changes
 * nothing between VMs.
 *
 * A vcpu's own group is read from /proc rather than guessed from its number.
 */
#include "vmgroup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpulist.h"
#include "policy/policy.h"

#define IDLE_FILE "cpu.idle"
#define CPUS_FILE "cpuset.cpus"

static const char *weight_file(const struct vmgroup *g)
{
	return g->cpu_v2 ? "cpu.weight" : "cpu.shares";
}

static int dir_read(const char *dir, const char *name, char *buf, size_t size)
{
	char path[CGROUP_PATH_MAX];
	int err = cgroup_join(path, dir, name);

	return err ? err : cgroup_read(path, buf, size);
}

/* --- looking up ---------------------------------------------------------- */

/* The VM's own group, or "" if it has none: nothing to write to then. */
static int group_find(const struct cgroup_mounts *m, pid_t pid,
		      enum cgroup_kind kind, char *path, bool *v2)
{
	int err = cgroup_of(m, pid, pid, kind, path, v2);

	if (err || !cgroup_vm_group(path))
		path[0] = '\0';
	return err == -ENOENT ? 0 : err;
}

static void cpu_find(struct vmgroup *g, const struct vmgroup *old)
{
	char idle[8] = "0";

	if (!cgroup_has(g->cpu, weight_file(g))) {
		g->cpu[0] = '\0'; /* v2, controller not enabled there */
		return;
	}
	g->has_idle = !dir_read(g->cpu, IDLE_FILE, idle, sizeof(idle));
	if (old)
		memcpy(g->weight, old->weight, sizeof(g->weight));
	else if (strcmp(idle, "0") ||
		 dir_read(g->cpu, weight_file(g), g->weight, sizeof(g->weight)))
		g->weight[0] = '\0';
}

static int vcpu_find(struct vmgroup *g, const struct cgroup_mounts *m,
		     pid_t pid, struct vmgroup_vcpu *vcpu)
{
	char path[CGROUP_PATH_MAX];
	size_t len = strlen(g->cpuset);
	bool v2;

	if (!vcpu->tid || !len ||
	    cgroup_of(m, pid, vcpu->tid, CGROUP_KIND_CPUSET, path, &v2) ||
	    v2 != g->cpuset_v2 || strncmp(path, g->cpuset, len) ||
	    path[len] != '/')
		return 0;
	vcpu->cpuset = strdup(path);
	return vcpu->cpuset ? 0 : -ENOMEM;
}

int vmgroup_find(struct vmgroup **out, const struct cgroup_mounts *m,
		 const struct act_vm *vm, const struct vmgroup *old)
{
	struct vmgroup *g;
	int err;

	g = calloc(1, sizeof(*g) + vm->vcpu_cnt * sizeof(g->vcpu[0]));
	if (!g)
		return -ENOMEM;
	err = group_find(m, vm->pid, CGROUP_KIND_CPU, g->cpu, &g->cpu_v2);
	if (!err)
		err = group_find(m, vm->pid, CGROUP_KIND_CPUSET, g->cpuset,
				 &g->cpuset_v2);
	if (g->cpu[0])
		cpu_find(g, old);
	for (unsigned n = 0; n < vm->vcpu_cnt && !err; n++) {
		g->vcpu[n].tid = vm->tid[n];
		g->vcpu_cnt++;
		err = vcpu_find(g, m, vm->pid, &g->vcpu[n]);
	}
	if (err) {
		vmgroup_free(g);
		return err;
	}
	*out = g;
	return 0;
}

void vmgroup_free(struct vmgroup *g)
{
	if (!g)
		return;
	for (unsigned n = 0; n < g->vcpu_cnt; n++)
		free(g->vcpu[n].cpuset);
	free(g);
}

/* --- noting -------------------------------------------------------------- */

/* A file that is not there cannot be changed either. */
static int file_note(struct journal *j, const char *uuid, const char *dir,
		     const char *name)
{
	char path[CGROUP_PATH_MAX];
	int err = cgroup_join(path, dir, name);

	if (!err)
		err = journal_file(j, uuid, path);
	return err == -ENOENT ? 0 : err;
}

/* The next directory from the VM's group towards a vcpu's own: how much of
 * @own it is. 0 at the start; returns 0 at the end. */
static size_t step_down(const struct vmgroup *g, const char *own, size_t len)
{
	if (!len)
		return strlen(g->cpuset);
	if (!own[len])
		return 0;
	return len + 1 + strcspn(own + len + 1, "/");
}

static int vcpu_note(const struct vmgroup *g, struct vmgroup_vcpu *vcpu,
		     struct journal *j, const char *uuid)
{
	char dir[CGROUP_PATH_MAX];
	size_t len = 0;
	int err;

	if (!vcpu->tid)
		return 0;
	err = journal_thread(j, uuid, vcpu->tid);
	if (err == -ESRCH) {
		vcpu->tid = 0;
		return 0;
	}
	while (!err && vcpu->cpuset &&
	       (len = step_down(g, vcpu->cpuset, len))) {
		memcpy(dir, vcpu->cpuset, len);
		dir[len] = '\0';
		err = file_note(j, uuid, dir, CPUS_FILE);
	}
	return err;
}

int vmgroup_note(struct vmgroup *g, struct journal *j, const char *uuid)
{
	int err = 0;

	if (g->cpu[0])
		err = file_note(j, uuid, g->cpu, IDLE_FILE);
	if (!err && g->cpu[0])
		err = file_note(j, uuid, g->cpu, weight_file(g));
	for (unsigned n = 0; n < g->vcpu_cnt && !err; n++)
		err = vcpu_note(g, &g->vcpu[n], j, uuid);
	return err;
}

/* --- changing ------------------------------------------------------------ */

static int value_set(const struct vmgroup *g, const char *name,
		     const char *value)
{
	char path[CGROUP_PATH_MAX], now[32];
	int err = cgroup_join(path, g->cpu, name);

	if (err)
		return err;
	if (!cgroup_read(path, now, sizeof(now)) && !strcmp(now, value))
		return 0;
	return cgroup_write(path, value);
}

int vmgroup_set_class(const struct vmgroup *g, uint8_t class)
{
	bool harvests = class == VM_CLASS_BEST_EFFORT;
	int err;

	if (!g->cpu[0])
		return 0;
	if (g->has_idle) {
		err = value_set(g, IDLE_FILE, harvests ? "1" : "0");
		if (err || harvests)
			return err;
	} else if (harvests) {
		return value_set(g, weight_file(g), g->cpu_v2 ? "1" : "2");
	}
	return g->weight[0] ? value_set(g, weight_file(g), g->weight) : 0;
}

/* Cpus of the group around the VM; all, if it does not say: the kernel holds
 * to its own bounds in any case. */
static void around_read(const struct vmgroup *g, struct cpumask *m)
{
	char dir[CGROUP_PATH_MAX], list[CGROUP_VALUE_MAX];

	memcpy(dir, g->cpuset, sizeof(dir));
	*strrchr(dir, '/') = '\0';
	if (dir_read(dir, g->cpuset_v2 ? "cpuset.cpus.effective" : CPUS_FILE,
		     list, sizeof(list)) ||
	    cpulist_parse(list, m) || cpumask_empty(m))
		memset(m, 0xff, sizeof(*m));
}

/* Return: 1 if written, 0 if there was nothing to do, or -errno. */
static int dir_widen(const struct vmgroup *g, const char *dir,
		     const struct cpumask *want)
{
	char path[CGROUP_PATH_MAX], list[CGROUP_VALUE_MAX];
	struct cpumask now, wide;
	int err = cgroup_join(path, dir, CPUS_FILE);

	if (!err)
		err = cgroup_read(path, list, sizeof(list));
	/* An empty v2 list means "as the parent". */
	if (err == -ENOENT || (!err && !list[0] && g->cpuset_v2))
		return 0;
	if (!err)
		err = cpulist_parse(list, &now);
	if (err)
		return err;
	wide = cpumask_or(now, want);
	if (cpumask_equal(&wide, &now))
		return 0;
	err = cgroup_write(path, cpulist_format(&wide, list, sizeof(list)));
	return err ? err : 1;
}

int vmgroup_widen(const struct vmgroup *g, unsigned index,
		  const struct cpumask *want)
{
	const char *own = g->vcpu[index].cpuset;
	char dir[CGROUP_PATH_MAX];
	struct cpumask mask;
	int written = 0, n;
	size_t len = 0;

	if (!own)
		return 0;
	around_read(g, &mask);
	mask = cpumask_and(mask, want);
	while ((len = step_down(g, own, len))) {
		memcpy(dir, own, len);
		dir[len] = '\0';
		n = dir_widen(g, dir, &mask);
		if (n < 0)
			return n;
		written += n;
	}
	return written;
}
