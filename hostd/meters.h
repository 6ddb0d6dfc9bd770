/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meters.h - the meters thread: memory traffic of VMs and nodes, and where the
 * memory of each VM is
 *
 * The poll thread knows its board only (meter_board.h).
 */
#ifndef HOSTD_METERS_H
#define HOSTD_METERS_H

#include <stdbool.h>
#include <stdint.h>

#include "act.h"
#include "meter.h"
#include "meter_board.h"

/* Between two readings: while a policy acts on them, and while people only
 * look. Longer when reading takes more than a fiftieth of it. */
#define METERS_FAST_NS 2000000ull
#define METERS_SLOW_NS 1000000000ull

/* A VM's memory is looked for so often; the first time when it has had a
 * second to touch some. */
#define METERS_NODE_NS	     10000000000ull
#define METERS_NODE_FIRST_NS 1000000000ull

struct meters;

struct meters_set {
	bool acts;		   /* the policy acts on traffic */
	uint64_t node_max_bytes_s; /* what each node can bear; 0: not known */
};

/*
 * meters_open() - No VMs yet, no thread yet
 * @name: `meter =` of hostd.conf; "auto": a meter only while the policy acts on
 *	  it, for counting costs every vcpu something
 * Return: 0 or -ENOMEM. Start-up.
 */
int meters_open(struct meters **out, const char *name,
		const struct meter_conf *c);

/* meters_start() - Start the thread; it inherits the caller's cpus. Return: 0
 * or -errno. */
int meters_start(struct meters *m);

/* meters_close() - Stop the thread. After the poll thread, which uses the
 * board. */
void meters_close(struct meters *m);

/* meters_board() - Valid until meters_close(). */
struct meter_board *meters_board(struct meters *m);

/* meters_set() - At start and after a reload. Control thread. What works, or
 * why nothing does, is in stat_hostd.meter then. */
void meters_set(struct meters *m, const struct meters_set *set);

/* meters_vm() - This VM runs, with these threads. @m: may be NULL. Control
 * thread. */
void meters_vm(struct meters *m, const struct act_vm *vm);

/* meters_gone() - The VM of slot @vm does not run any more. Likewise. */
void meters_gone(struct meters *m, uint16_t vm);

/*
 * meters_turn() - What the thread does all the time, for tests without one
 * Return: when there is something to do again.
 */
uint64_t meters_turn(struct meters *m, uint64_t now_ns);

#endif
