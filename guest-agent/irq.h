/* SPDX-License-Identifier: Apache-2.0 */
/*
 * irq.h - interrupts and receive steering of virtio NICs follow the grants
 *
 * What an interrupt had is noted in memory the guardian shares before it is
 * changed. The agent's thread; irq_restore() also the guardian.
 */
#ifndef AGENT_IRQ_H
#define AGENT_IRQ_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/cpumask.h"

#define IRQ_MAX	 256
#define IRQ_PATH 96

struct irq_note {
	char path[IRQ_PATH]; /* smp_affinity_list or rps_cpus; "": unused */
	bool rps;	     /* rps_cpus: hex words, else a cpu list */
	bool touched;	     /* `had` must be put back */
	bool refused; /* the kernel keeps it to itself: not asked again */
	bool seen;    /* irq_find()'s: still there */
	struct cpumask had, set;
	struct cpumask past; /* what it held before `set` */
};

struct irq_table {
	uint16_t count;
	uint64_t full, failed;
	struct irq_note note[IRQ_MAX];
};

/* irq_find() - (Again) find the queues of virtio NICs below @root ("/"; tests
 * have trees of their own). Those known already keep their notes. */
void irq_find(struct irq_table *t, const char *root);

/* irq_follow() - Move what sits on a vcpu that is not granted.
 * @granted: empty: put everything back. Return: files written. */
unsigned irq_follow(struct irq_table *t, const struct cpumask *granted);

/* irq_restore() - Put everything back. Return: files that refused. */
unsigned irq_restore(struct irq_table *t);

#endif
