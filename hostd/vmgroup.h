/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmgroup.h - one VM's control groups: its class, and room for its vcpus
 *
 * Files are read and written here; what they held is noted first. Control
 * thread, but vmgroup_widen(): the worker of act_cgroup.c.
 */
#ifndef HOSTD_VMGROUP_H
#define HOSTD_VMGROUP_H

#include "act.h"
#include "cgroup.h"
#include "journal.h"

struct vmgroup_vcpu {
	pid_t tid;    /* 0: not plugged, or gone */
	char *cpuset; /* its own group, below vmgroup.cpuset; NULL: none */
};

struct vmgroup {
	char cpu[CGROUP_PATH_MAX];    /* "": no group of its own */
	char cpuset[CGROUP_PATH_MAX]; /* the same */
	bool cpu_v2, cpuset_v2;
	bool has_idle;	 /* cpu.idle, since Linux 5.15 */
	char weight[32]; /* shares or weight it had; "": was idle, or none */
	unsigned vcpu_cnt;
	struct vmgroup_vcpu vcpu[];
};

/*
 * vmgroup_find() - Look up a VM's groups and those of its vcpus
 * @old: what an earlier call found, whose original weight stays; or NULL
 * A VM without groups of its own is no error: vmgroup.cpu is "" then.
 * Return: 0, -ENOMEM or -ESRCH.
 */
int vmgroup_find(struct vmgroup **out, const struct cgroup_mounts *m,
		 const struct act_vm *vm, const struct vmgroup *old);
void vmgroup_free(struct vmgroup *g);

/* vmgroup_note() - Note in the journal all that may be changed; vcpus whose
 * thread is gone are dropped. No commit. Return: 0 or -errno. */
int vmgroup_note(struct vmgroup *g, struct journal *j, const char *uuid);

/*
 * vmgroup_set_class() - Make the VM a harvester, or an equal of the others
 * @class: enum vm_class
 *
 * Best-effort: cpu.idle 1, or the smallest weight where there is no cpu.idle.
 * While cpu.idle is 1 the kernel fixes the weight (to 3 of 1024) and refuses
 * another, so weights among best-effort VMs are not kept by this backend.
 * Setting cpu.idle back to 0 resets the weight: it is written again after.
 * Return: 0 or -errno.
 */
int vmgroup_set_class(const struct vmgroup *g, uint8_t class);

/*
 * vmgroup_widen() - Let a vcpu's cpuset hold @want as well
 * From the VM's group down to the vcpu's own, within what the group around the
 * VM has, and never taking a cpu away.
 * Return: how many files were written, or -errno.
 */
int vmgroup_widen(const struct vmgroup *g, unsigned index,
		  const struct cpumask *want);

#endif
