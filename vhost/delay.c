/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delay.c - how long frames given to a guest wait until the guest takes them
 *
 * Indices are free-running 16-bit numbers as on the virtqueue, so "how far"
 * is always a subtraction, and a slot is the index modulo the ring's size.
 * The window [taken, given] never exceeds `size`: hostd can give only into
 * entries that the guest has taken and posted again, so an entry more than
 * `size` behind was taken even when nobody watched. Its stamp is overwritten
 * and its delay stays out of the histogram.
 */
#include "vhost/delay.h"

#include <errno.h>
#include <stdlib.h>

/* Virtio 1.1, 2.6: a split virtqueue has at most 32768 entries. */
#define SIZE_MAX_ENTRIES 32768

static uint64_t *stamp_at(const struct delay *d, uint16_t idx)
{
	return &d->stamp_ns[idx & (d->size - 1)];
}

static uint64_t age_ns(uint64_t stamp_ns, uint64_t now_ns)
{
	return now_ns > stamp_ns ? now_ns - stamp_ns : 0;
}

int delay_init(struct delay *d, uint16_t size)
{
	if (!size || size > SIZE_MAX_ENTRIES || (size & (size - 1)))
		return -EINVAL;
	*d = (struct delay){ 0 };
	d->stamp_ns = calloc(size, sizeof(*d->stamp_ns));
	if (!d->stamp_ns)
		return -ENOMEM;
	d->size = size;
	return 0;
}

void delay_exit(struct delay *d)
{
	free(d->stamp_ns);
	*d = (struct delay){ 0 };
}

void delay_reset(struct delay *d, uint16_t used_idx)
{
	d->given = used_idx;
	d->taken = used_idx;
}

void delay_given(struct delay *d, uint16_t used_idx, uint64_t now_ns)
{
	unsigned fresh = (uint16_t)(used_idx - d->given);
	bool lapped = delay_untaken(d) + fresh > d->size;

	if (fresh > d->size)
		fresh = d->size;
	for (unsigned i = 1; i <= fresh; i++)
		*stamp_at(d, (uint16_t)(used_idx - i)) = now_ns;
	if (lapped)
		d->taken = (uint16_t)(used_idx - d->size);
	d->given = used_idx;
}

uint16_t delay_progress(const struct delay *d, bool event_idx,
			uint16_t used_event, uint16_t avail_idx)
{
	uint16_t untaken = delay_untaken(d), best = 0, step;

	step = (uint16_t)(avail_idx - d->size - d->taken);
	if (step <= untaken)
		best = step;
	/* Zero is what a driver leaves there with callbacks off. */
	if (event_idx && used_event) {
		step = (uint16_t)(used_event - d->taken);
		if (step <= untaken && step > best)
			best = step;
	}
	return (uint16_t)(d->taken + best);
}

unsigned delay_taken(struct delay *d, uint16_t idx, uint64_t now_ns,
		     struct score *score)
{
	uint16_t step = (uint16_t)(idx - d->taken);

	if (step > delay_untaken(d))
		return 0;
	for (uint16_t i = 0; score && i < step; i++) {
		uint16_t entry = (uint16_t)(d->taken + i);

		score_add(score, age_ns(*stamp_at(d, entry), now_ns));
	}
	d->taken = idx;
	return step;
}

uint64_t delay_oldest_ns(const struct delay *d, uint64_t now_ns)
{
	return delay_untaken(d) ? age_ns(*stamp_at(d, d->taken), now_ns) : 0;
}
