/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virt.h - libvirt: which VMs there are, which threads, which sockets
 *
 * Control thread only: any call may block, but none for ever (see virt.c).
 * virt_wake() alone is for any thread. The only user of libvirt.
 */
#ifndef HOSTD_VIRT_H
#define HOSTD_VIRT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hl/bounds.h"
#include "hl/cpumask.h"

#define VIRT_NICS_MAX  8
#define VIRT_VCPUS_MAX 512
#define VIRT_PATH_MAX  108 /* a Unix socket's sun_path */
#define VIRT_SHMEM_MAX 64  /* bytes of a shared memory's name, NUL included */

/* One <interface type='vhostuser'>. */
struct virt_nic {
	char path[VIRT_PATH_MAX];
	bool qemu_listens; /* mode='server' in the XML: hostd connects */
	uint8_t mac[6];
};

enum virt_state {
	VIRT_DEFINED, /* known, no vcpu runs (a VM whose QEMU still waits for
		       * its sockets is one): its sockets must be ready */
	VIRT_RUNNING,
	VIRT_GONE, /* undefined, or transient and stopped; name, uuid only */
};

struct virt_vm {
	char name[VM_NAME_MAX];
	char uuid[37];
	enum virt_state state;
	uint16_t nic_cnt;
	struct virt_nic nic[VIRT_NICS_MAX];
	/* For its agent (hl/agent.h); "": none. QEMU listens on the channel's
	 * socket, whose path libvirt chooses at each start. */
	char channel[VIRT_PATH_MAX];
	char shmem[VIRT_SHMEM_MAX];
	uint16_t vcpu_max;	   /* how many may ever be plugged */
	pid_t pid;		   /* VIRT_RUNNING only, as the rest */
	uint16_t vcpu_cnt;	   /* highest plugged + 1 */
	pid_t tid[VIRT_VCPUS_MAX]; /* 0: not plugged */
};

struct virt_events {
	/*
	 * The VM is in this state now. Called at start-up for every VM, at
	 * every change, and for all again after a reconnection; the same state
	 * may be told twice. A VM that was started anew unseen is told DEFINED
	 * in between, one that was renamed GONE under its old name. @vm is
	 * valid during the call; virt_pin() and virt_pinned() may be called.
	 */
	void (*vm)(void *arg, const struct virt_vm *vm);
	/* libvirtd came (true) or went away; VMs keep running meanwhile. */
	void (*link)(void *arg, bool up);
	void *arg;
};

struct virt;

/*
 * virt_open() - Prepare; connects now if it can within 3 s, else keeps trying
 * @uri: "qemu:///system"; "test:///default" in tests
 *
 * @out is set before the first event is told. One at a time in a process, for
 * libvirt's event loop is the process's.
 * Return: 0 or -errno; a libvirtd that is away is no error.
 */
int virt_open(struct virt **out, const char *uri, const struct virt_events *ev);
void virt_close(struct virt *v);

/*
 * virt_open_at() - The same for a host whose files are elsewhere (tests)
 * @proc: "/proc"
 * @run: where libvirt's qemu driver keeps NAME.pid, "/run/libvirt/qemu"
 * Both are borrowed until virt_close().
 */
int virt_open_at(struct virt **out, const char *uri,
		 const struct virt_events *ev, const char *proc,
		 const char *run);

/*
 * virt_turn() - Wait for one event and handle it
 * @timeout_ms: return after so long when nothing happens
 *
 * What no event tells (vcpus plugged into a running VM) is seen within 2 s.
 */
void virt_turn(struct virt *v, int timeout_ms);

/* virt_wake() - Make virt_turn() return soon. Any thread, signal handlers. */
void virt_wake(struct virt *v);

/* virt_refused() - Domains known to libvirt and not told: over VM_MAX, or with
 * a name that does not fit. As of the last look. */
unsigned virt_refused(const struct virt *v);

/*
 * virt_pin() - virDomainPinVcpuFlags(LIVE); about a millisecond
 * @mask: cpus the host does not have are left out
 *
 * Sets libvirt's view, the vcpu's cpuset and its affinity. Waits for whatever
 * else libvirt does with that VM (a migration), up to libvirt's own 30 s.
 * Return: 0, -ENOTCONN, -ESRCH for a VM or vcpu that does not run, -EINVAL for
 * no cpu at all, or -EIO.
 */
int virt_pin(struct virt *v, const char *uuid, unsigned index,
	     const struct cpumask *mask);

/*
 * virt_pinned() - What libvirt says a vcpu is pinned to
 * Return: 0: pinned by its own <vcpupin>; 1: nobody pinned it, @mask is what
 * the VM's default lets it use; negative as virt_pin().
 */
int virt_pinned(struct virt *v, const char *uuid, unsigned index,
		struct cpumask *mask);

#endif
