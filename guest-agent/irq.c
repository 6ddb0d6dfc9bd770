// SPDX-License-Identifier: Apache-2.0
/*
 * irq.c - interrupts and receive steering of virtio NICs follow the grants
 *
 * Theory of operation: a note is one file with a set of cpus, and what was in
 * it (`had`) before the first change. A note is touched while the file holds
 * ours instead. For a set G of granted vcpus a file should hold had & G, or G
 * where that is nothing:
 *
 *	an interrupt	goes to one cpu of its set. It is fine as long as that
 *			one is granted, and `had` does not name a better one:
 *			then it stays, for moving it costs more than it brings.
 *	steering	spreads over all of its set, so it must be inside G.
 *
 * When all of `had` is granted the file gets it back, so that the queues of a
 * NIC spread again as they were. A file that holds neither is somebody else's
 * work (an operator, irqbalance): that is `had` from then on.
 *
 * The guardian reads the table after the agent's death at any instruction: a
 * note is complete before `touched` is set, which is before the file is
 * written; it is cleared after the file was put back.
 */
#include "irq.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "irq_file.h"

/* The guardian comes after this process's death: program order is enough. */
#define store_barrier() __asm__ volatile("" ::: "memory")

/* --- finding ------------------------------------------------------------- */

static void note_found(void *arg, const char *path, bool rps)
{
	struct irq_table *t = arg;
	struct irq_note *n, *hole = NULL;

	for (unsigned i = 0; i < t->count; i++) {
		n = &t->note[i];
		if (!strcmp(n->path, path)) {
			n->seen = true;
			return;
		}
		if (!n->path[0] && !hole)
			hole = n;
	}
	if (!hole && t->count < IRQ_MAX)
		hole = &t->note[t->count];
	if (!hole || strlen(path) >= sizeof(hole->path)) {
		t->full++;
		return;
	}
	memset(hole, 0, sizeof(*hole));
	hole->rps = rps;
	hole->seen = true;
	memcpy(hole->path, path, strlen(path) + 1);
	store_barrier();
	if (hole == &t->note[t->count])
		t->count++;
}

/* The device is gone; its number may be another's soon. */
static void note_drop(struct irq_note *n)
{
	n->touched = false;
	store_barrier();
	n->path[0] = '\0';
}

void irq_find(struct irq_table *t, const char *root)
{
	for (unsigned i = 0; i < t->count; i++)
		t->note[i].seen = false;
	if (!irq_scan(root, note_found, t))
		return;
	for (unsigned i = 0; i < t->count; i++)
		if (t->note[i].path[0] && !t->note[i].seen)
			note_drop(&t->note[i]);
}

/* --- putting back -------------------------------------------------------- */

/* Return: 0; 1: it is not ours to put back; -errno. */
static int put_back(struct irq_note *n)
{
	struct cpumask now;
	int err = mask_read(n->path, n->rps, &now);

	if (err == -ENOENT) {
		note_drop(n);
		return 1;
	}
	if (!err && !cpumask_equal(&now, &n->set) &&
	    !cpumask_equal(&now, &n->past)) {
		n->touched = false;
		return 1;
	}
	if (!err)
		err = mask_write(n->path, n->rps, &n->had);
	if (!err)
		n->touched = false;
	return err;
}

unsigned irq_restore(struct irq_table *t)
{
	unsigned refused = 0;

	for (unsigned i = 0; i < t->count && i < IRQ_MAX; i++)
		if (t->note[i].touched && put_back(&t->note[i]) < 0)
			refused++;
	return refused;
}

/* --- following ----------------------------------------------------------- */

static bool overlap(const struct cpumask *a, const struct cpumask *b)
{
	const struct cpumask both = cpumask_and(*a, b);

	return !cpumask_empty(&both);
}

/* Where an interrupt of the set @now goes; @now where the kernel does not say.
 */
static struct cpumask goes_to(const struct irq_note *n,
			      const struct cpumask *now)
{
	char path[IRQ_PATH + 16];
	struct cpumask m;
	size_t dir = strlen(n->path) - strlen("smp_affinity_list");

	snprintf(path, sizeof(path), "%.*s%s", (int)dir, n->path,
		 "effective_affinity_list");
	if (mask_read(path, false, &m) || cpumask_empty(&m))
		return *now;
	return m;
}

static bool is_fine(const struct irq_note *n, const struct cpumask *now,
		    const struct cpumask *granted)
{
	struct cpumask to;

	if (n->rps)
		return cpumask_subset(now, granted);
	/* it was sent away, and could come home */
	if (overlap(&n->had, granted) && !cpumask_subset(now, &n->had))
		return false;
	to = goes_to(n, now);
	return overlap(now, granted) && cpumask_subset(&to, granted);
}

/* Whatever instruction is the last one, the file holds `set` or `past`. */
static int set(struct irq_note *n, const struct cpumask *now,
	       const struct cpumask *want)
{
	struct cpumask back;
	int err;

	n->past = *now;
	store_barrier();
	n->set = *want;
	store_barrier();
	n->touched = true;
	store_barrier();
	err = mask_write(n->path, n->rps, want);
	/* what it reads as now is how it is known again */
	if (!mask_read(n->path, n->rps, &back))
		n->set = back;
	return err;
}

static void count_failure(struct irq_table *t, struct irq_note *n, int err,
			  bool was_touched)
{
	if (err == -ENOENT || err == -ENODEV) {
		note_drop(n);
		return;
	}
	/* the kernel keeps those to itself: it will not change its mind */
	n->refused =
	    err == -EIO || err == -EPERM || err == -EACCES || err == -EROFS;
	n->touched = was_touched;
	t->failed++;
}

/* Return: files written. */
static unsigned follow(struct irq_table *t, struct irq_note *n,
		       const struct cpumask *granted)
{
	bool was_touched = n->touched;
	struct cpumask now, want;
	int err = mask_read(n->path, n->rps, &now);

	if (err) {
		count_failure(t, n, err, was_touched);
		return 0;
	}
	if (cpumask_empty(&now)) {
		/* steering switched off: somebody's wish */
		n->touched = false;
		return 0;
	}
	if (!n->touched || !cpumask_equal(&now, &n->set)) {
		n->touched = was_touched = false;
		store_barrier();
		n->had = now;
	}
	if (cpumask_empty(granted) || cpumask_subset(&n->had, granted)) {
		if (!n->touched)
			return 0;
		err = put_back(n);
	} else {
		if (is_fine(n, &now, granted))
			return 0;
		want = cpumask_and(n->had, granted);
		if (cpumask_empty(&want))
			want = *granted;
		if (cpumask_equal(&want, &now))
			return 0;
		err = set(n, &now, &want);
	}
	if (err < 0)
		count_failure(t, n, err, was_touched);
	return err == 0;
}

unsigned irq_follow(struct irq_table *t, const struct cpumask *granted)
{
	unsigned written = 0;

	for (unsigned i = 0; i < t->count; i++)
		if (t->note[i].path[0] && !t->note[i].refused)
			written += follow(t, &t->note[i], granted);
	return written;
}
