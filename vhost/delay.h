/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delay.h - how long frames given to a guest wait until the guest takes them
 *
 * A ring of stamps, one for each used-ring entry, runs beside a to-guest
 * virtqueue. Two free-running 16-bit indices as in virtio: `given` (hostd's
 * used->idx) and `taken` (how far the guest is known to be). The delay is the
 * age of the entry at `taken`. Pure; the poll thread owns it.
 *
 * What the guest writes is a hint that can lie: an index outside
 * [taken, given] is no news. A lie changes that VM's own delay only.
 */
#ifndef VHOST_DELAY_H
#define VHOST_DELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost/score.h"

struct delay {
	uint64_t *stamp_ns; /* [size] */
	uint16_t size;	    /* entries of the virtqueue, a power of two */
	uint16_t given, taken;
};

/* delay_init() - Allocate for a ring of @size (control thread or driver start).
 * Return: 0, -EINVAL for no power of two, -ENOMEM. */
int delay_init(struct delay *d, uint16_t size);
void delay_exit(struct delay *d);

/* delay_reset() - The ring starts (again) at @used_idx; nothing is untaken. */
void delay_reset(struct delay *d, uint16_t used_idx);

/* delay_given() - hostd's used index is now @used_idx; the new entries were
 * given at @now_ns. */
void delay_given(struct delay *d, uint16_t used_idx, uint64_t now_ns);

/*
 * delay_progress() - How far the guest is, from what it shows
 * @event_idx: VIRTIO_RING_F_EVENT_IDX was negotiated, @used_event is valid
 * @used_event: the driver writes its last seen used index there when it asks
 *	for interrupts again (0 while it has them off: then it is no news)
 * @avail_idx: buffers ever posted; at most @size are outstanding, so at least
 *	avail_idx - size entries were taken
 *
 * Return: the better of both lower bounds, inside [taken, given].
 */
uint16_t delay_progress(const struct delay *d, bool event_idx,
			uint16_t used_event, uint16_t avail_idx);

/* delay_taken() - The guest has taken up to @idx, seen at @now_ns; each newly
 * taken entry's age goes into @score (may be NULL). Return: how many. */
unsigned delay_taken(struct delay *d, uint16_t idx, uint64_t now_ns,
		     struct score *score);

/* delay_oldest_ns() - Age of the oldest untaken entry; 0 when there is none. */
uint64_t delay_oldest_ns(const struct delay *d, uint64_t now_ns);

static inline uint16_t delay_untaken(const struct delay *d)
{
	return (uint16_t)(d->given - d->taken);
}

#endif
