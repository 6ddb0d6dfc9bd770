/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter.h - how much memory traffic there is: one small table of meters
 *
 * A meter counts bytes that vcpu threads, and where it can everybody, move
 * between memory and the last-level cache. It says how many so far; meters.c
 * makes rates of that. All of it on the meters thread, or on the control thread
 * under its lock; a meter may block on files.
 *
 *	resctrl	what the hardware counts in each L3 domain, by the kernel's file
 *		system: all traffic, per node
 *	perf	last-level cache misses of each vcpu thread, a line each: reads
 *		mostly, and nothing of what other processes do
 *	script	what a file says: tests, trials
 */
#ifndef HOSTD_METER_H
#define HOSTD_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "act.h"
#include "hl/bounds.h"
#include "topo.h"

/* Bytes since a meter was opened, or since any moment before. */
struct meter_count {
	bool there; /* else nothing is known, and bytes is 0 */
	uint64_t bytes;
};

struct meter_sample {
	struct meter_count vm[VM_MAX];
	struct meter_count node[NODE_MAX]; /* all that loads its memory */
};

struct meter_conf {
	const char *root;   /* "/"; in tests a directory */
	const char *script; /* file of the script meter */
	const struct topo *topo;
};

struct meter;

struct meter_ops {
	const char *name;
	/* Return: 0; -errno: it does not work on this host. */
	int (*open)(struct meter **out, const struct meter_conf *c);
	/* Count @vm's threads from now on, and no others of its slot; without
	 * vcpus: none. Return: 0, or -errno: it is not, or not all, counted. */
	int (*watch)(struct meter *m, const struct act_vm *vm);
	/* Fill @s, zeroed before. */
	void (*read)(struct meter *m, uint64_t now_ns, struct meter_sample *s);
	void (*close)(struct meter *m);
};

extern const struct meter_ops meter_resctrl, meter_perf, meter_script;

/*
 * meter_open() - The meter that `meter =` of hostd.conf names
 * @name: resctrl, perf or script:FILE (@c->script is set from it); auto: the
 *	  first of resctrl and perf that works
 * @why: gets a sentence for the operator: which one, or why none
 * Return: 0, or -errno of the last one tried.
 */
int meter_open(const struct meter_ops **ops, struct meter **out,
	       const char *name, const struct meter_conf *c, char *why,
	       size_t size);

#endif
