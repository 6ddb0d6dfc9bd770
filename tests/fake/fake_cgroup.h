/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_cgroup.h - a control group tree in a temporary directory, with one VM
 *
 * The VM is a real process with two real threads that sleep; its groups are
 * plain files that obey the kernel's rules. Link with FAKE_CGROUP_LDFLAGS
 * (tests/edge/cgr.mk).
 */
#ifndef FAKE_CGROUP_H
#define FAKE_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "hl/cpumask.h"

enum fake_layout {
	FAKE_V1, /* as on a hybrid host: v2 mounted too, without controllers */
	FAKE_V1_OLD,	   /* a kernel without cpu.idle */
	FAKE_V1_CONTAINER, /* the mounts show a part of each hierarchy */
	FAKE_V2,
	FAKE_LAYOUT_NUM,
};

struct fake_vm {
	pid_t pid;
	pid_t tid[2];
};

extern const char *const fake_layout_name[];

/* fake_open() - Make the tree and the VM, give both threads all cpus of the
 * caller, and turn cgroup.c to it. Asserts on failure. */
void fake_open(enum fake_layout layout, struct fake_vm *vm);

/* fake_close() - Kill the VM, remove the tree. */
void fake_close(struct fake_vm *vm);

/* fake_root() - The temporary directory, for the journal and the like. */
const char *fake_root(void);

/*
 * fake_get(), fake_put() - A file by its short name: "cpu.idle" and "weight"
 * are the VM's group's; "vm", "vcpu0", "vcpu1" are cpuset.cpus of the VM's
 * group and its vcpus; "around" is that of the group around the VM.
 * fake_put() is a stroke of the test's pen: no rule applies.
 */
const char *fake_get(const char *name);
void fake_put(const char *name, const char *value);

/* fake_host_path() - Where a file would be on a host. */
const char *fake_host_path(const char *name);

/* fake_fail() - From now on writes to the file fail with @err, @times times
 * (-1: for ever). Name NULL: no more. */
void fake_fail(const char *name, int err, int times);

/* fake_writes() - Writes that were tried so far. */
unsigned fake_writes(void);

/* fake_state() - All files and both affinities as one text, to compare. */
const char *fake_state(const struct fake_vm *vm, char *buf, size_t size);

/* fake_cpus() - Two cpus the test may use; false: there is one only. */
bool fake_cpus(unsigned cpu[2]);

struct cpumask fake_mask(unsigned cpu);

#endif
