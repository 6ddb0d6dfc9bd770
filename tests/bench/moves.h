/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moves.h - what bench_moves.c and its sides share: the VMs whose vcpus are
 * moved, and the four ways to move them
 */
#ifndef BENCH_MOVES_H
#define BENCH_MOVES_H

#include <stdint.h>
#include <sys/types.h>

#include <libvirt/libvirt.h>

#include "cgroup.h"
#include "hl/cpumask.h"

#define MOVES_VCPUS 8 /* of each VM, and moves in a batch */

struct moves_vcpu {
	pid_t tid;
	uint16_t watch;		      /* slot of the sensor */
	uint32_t slot;		      /* slot of ksched */
	char cpuset[CGROUP_PATH_MAX]; /* cpuset.cpus of its own group */
};

struct moves_vm {
	const char *name;
	virDomainPtr dom;
	pid_t pid;
	struct moves_vcpu vcpu[MOVES_VCPUS];
};

/* Let vcpu @vcpu run on @cpu and nowhere else. */
struct moves_to {
	unsigned vcpu;
	unsigned cpu;
};

struct moves_side {
	const char *name;

	/* move() - The caller's part of @cnt moves. Return: 0 or -errno. */
	int (*move)(const struct moves_vm *vm, const struct moves_to *to,
		    unsigned cnt);

	/* settle() - Wait until all moves are carried out; NULL: they are when
	 * move() returns. @at_ns: when the last one was, CLOCK_MONOTONIC.
	 * Return: 0, -ETIMEDOUT, or what became of a move. */
	int (*settle)(uint64_t *at_ns);
};

#define MOVES_SIDES 4
extern const struct moves_side moves_side[MOVES_SIDES];

/*
 * moves_open() - Begin a session of ksched; the cpus a vcpu may ever use
 * Return: 0 or -errno.
 */
int moves_open(const struct cpumask *all);
void moves_close(void);

/* moves_add() - Fill in what the sides need to know of @vm, whose dom, pid and
 * tids are there, and hand its vcpus to ksched. Return: 0 or -errno. */
int moves_add(struct moves_vm *vm);

/*
 * moves_place() - Put all vcpus where they start
 * @home: [MOVES_VCPUS]
 *
 * First everything that confines them is undone, whichever side did it, so
 * that the next one finds nothing in its way. Waits until it is done.
 * Return: 0 or -errno.
 */
int moves_place(const struct moves_vm *vm, const struct moves_to *home);

#endif
