/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virt_proc.h - a QEMU process and its vcpu threads, from /proc
 *
 * Control thread: reads files. libvirt's API has no thread ids.
 */
#ifndef HOSTD_VIRT_PROC_H
#define HOSTD_VIRT_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Where to look; tests have trees of their own. */
struct virt_proc {
	const char *proc; /* "/proc" */
	const char *run;  /* "/run/libvirt/qemu": libvirt's pid files */
};

/*
 * virt_proc_pid() - The QEMU process libvirt started for a VM
 * @name, @uuid: the VM's; the process must carry one of them as an argument,
 *	so that a stale pid file never names a stranger
 * Return: its pid; -ENOENT when there is no pid file, -ESRCH when the process
 * is gone or not this VM's.
 */
pid_t virt_proc_pid(const struct virt_proc *p, const char *name,
		    const char *uuid);

/* virt_proc_owner() - The process a thread belongs to, if it is this VM's
 * Return: its pid, or -ESRCH. */
pid_t virt_proc_owner(const struct virt_proc *p, pid_t tid, const char *name,
		      const char *uuid);

/*
 * virt_proc_vcpus() - Find vcpu threads by the names QEMU gives them
 * @tid: [@max], filled with the thread of each vcpu, 0 where there is none
 *
 * "CPU n/KVM", "CPU n/TCG" (QEMU's debug-threads=on, as libvirt starts it); a
 * guest cannot set them. A thread that sits in another vcpu's cgroup is left
 * out. Return: highest vcpu found + 1; 0 when there is none.
 */
unsigned virt_proc_vcpus(const struct virt_proc *p, pid_t pid, pid_t *tid,
			 unsigned max);

/*
 * virt_proc_monitor() - The same from what QEMU's monitor says
 * @text: answer of the human monitor command "info cpus"
 *
 * Pure. Of a thread that runs several vcpus the first is taken, for there is
 * but one thread to move. Return: as virt_proc_vcpus().
 */
unsigned virt_proc_monitor(const char *text, pid_t *tid, unsigned max);

/* virt_proc_mark() - A number that changes when threads come or go; one
 * directory read. Return: 0 when the process is gone. */
uint64_t virt_proc_mark(const struct virt_proc *p, pid_t pid);

#endif
