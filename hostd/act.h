/* SPDX-License-Identifier: Apache-2.0 */
/*
 * act.h - backends: the hands that move vcpus between cpus
 *
 * The poll thread decides and submits moves; a backend carries them out on a
 * thread that may block (or in the kernel), and answers later. adopt() and
 * release() run on the control thread. A backend never decides anything.
 */
#ifndef HOSTD_ACT_H
#define HOSTD_ACT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hl/bounds.h"
#include "hl/cpumask.h"

#define ACT_VCPUS_MAX 512 /* vcpus of one VM */

/* What a backend is told about a VM, by value. */
struct act_vm {
	uint16_t vm; /* slot */
	char name[VM_NAME_MAX];
	char uuid[37];
	pid_t pid;	 /* QEMU */
	uint8_t class;	 /* enum vm_class */
	uint16_t weight; /* 1..10000, 100 is usual */
	uint16_t vcpu_cnt;
	pid_t tid[ACT_VCPUS_MAX]; /* 0: that vcpu is not plugged */
};

/* Let a vcpu's thread run on these cpus and no others. */
struct move {
	uint16_t vcpu; /* slot in snapshot.vcpu[], for the answer */
	uint16_t vm;
	uint16_t index; /* n of "CPU n" inside its VM */
	uint32_t gen;	/* the poll thread's count for this vcpu */
	pid_t pid, tid;
	struct cpumask mask;
	uint64_t asked_ns;
};

struct move_done {
	uint16_t vcpu;
	uint32_t gen;
	int err; /* 0 or -errno; -ESRCH: the thread is gone; -ECANCELED: a
		  * newer move of this vcpu came before it was begun */
	uint64_t took_ns; /* from asked_ns to done */
};

struct act_conf {
	struct cpumask managed, floor;
	const char *journal;	 /* path of the restore journal, journal.h */
	void (*wake)(void *arg); /* wakes the poll thread: answers wait */
	void *wake_arg;
	/* poll thread asks: run @fn(@arg) soon on the control thread */
	void (*on_control)(void (*fn)(void *arg), void *arg);
	/* libvirt backend: the slow pin call, control thread; 0 or -errno */
	int (*pin)(const char *uuid, unsigned index, const struct cpumask *m);
	/* libvirt backend: as virt_pinned(), control thread; 0, 1 or -errno */
	int (*pinned)(const char *uuid, unsigned index, struct cpumask *m);
};

/* What a backend did so far. */
struct act_count {
	uint64_t moved, failed; /* moves carried out; refused by the kernel */
	uint64_t overtaken;	/* answered -ECANCELED: a newer one was there */
	uint64_t widened;	/* cpuset files widened to let a vcpu move */
	uint64_t wakes;		/* submits that cost a system call */
	/* backend ksched */
	uint64_t fast;	  /* of moved: carried out by the module */
	uint64_t refused; /* the module refused: made by the cgroup backend */
	bool away;	  /* no session with the module now */
};

struct act;

struct act_ops {
	const char *name;

	/* Control thread, start-up. Return: 0, or -errno when it cannot work
	 * on this host (auto then tries the next). */
	int (*open)(struct act **out, const struct act_conf *conf);

	/* A VM is now managed: note in the journal what it had, then put its
	 * group in place for its class. Again for a VM already adopted (class
	 * or vcpus changed). Return: 0 or -errno; on error nothing changed. */
	int (*adopt)(struct act *a, const struct act_vm *vm);

	/* Other cpus may be moved to from now on (reload): managed and floor.
	 * Control thread. NULL: this backend does not care. */
	void (*room)(struct act *a, const struct cpumask *room);

	/* Libvirt's own view of a vcpu is about to be changed (pins.c): note
	 * @mask, what it was, in the journal, durably. Control thread. NULL:
	 * this backend keeps no journal of its own or is libvirt itself.
	 * Return: 0 or -errno. */
	int (*note_pin)(struct act *a, const char *uuid, unsigned index,
			const struct cpumask *mask);

	/* Libvirt is about to pin a vcpu, or (@done) tried to: its cpuset may
	 * be narrower than its affinity tells. Control thread, twice a pin.
	 * NULL: this backend does not care. */
	void (*pinning)(struct act *a, const char *uuid, unsigned index,
			bool done);

	/* Slow chores. Control thread, several times a second. NULL: none. */
	void (*turn)(struct act *a, uint64_t now_ns);

	/* A VM leaves: give it back what it had (if it still lives) and
	 * forget it. */
	void (*release)(struct act *a, uint16_t vm);

	/* Poll thread; never blocks. At most one short system call, when the
	 * backend's thread sleeps. Return: false when full (try later). */
	bool (*submit)(struct act *a, const struct move *m);

	/* Begin what was submitted, and show that the poll thread lives. Poll
	 * thread, once a pass, after the last submit; some short system calls.
	 * NULL: submit() begins by itself. */
	void (*flush)(struct act *a, uint64_t now_ns);

	/* Poll thread. Return: false when no answer waits. */
	bool (*reap)(struct act *a, struct move_done *d);

	/* Control thread: release all, stop, free. */
	void (*close)(struct act *a);

	/* Any thread; NULL where a backend counts nothing. */
	void (*count)(const struct act *a, struct act_count *out);
};

extern const struct act_ops act_cgroup, act_ksched, act_libvirt, act_null;

#endif
