/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_stage.h - one place with its table, for the tests of
 * guest-agent/place.c
 *
 * Each test program includes it once, behind cmocka.h.
 */
#ifndef TESTS_AGENT_STAGE_H
#define TESTS_AGENT_STAGE_H

#include <stdint.h>
#include <string.h>

#include "guest-agent/place.h"
#include "hl/clock.h"

#define AGE  (50 * NSEC_PER_MSEC)
#define REST (20 * NSEC_PER_MSEC)
#define FULL UINT64_MAX

static struct table table;
static struct place place;
static struct place_change said[WORKER_MAX]; /* as last emitted; slot: is it */

static inline struct cpumask mask(uint64_t bits)
{
	struct cpumask m = { { bits } };

	if (bits == FULL)
		memset(&m, 0xff, sizeof(m));
	return m;
}

static inline void start(uint16_t vcpus)
{
	table_init(&table);
	assert_int_equal(place_init(&place, &table, vcpus, AGE, REST), 0);
	memset(said, 0, sizeof(said));
}

static inline void stop(void)
{
	place_exit(&place);
}

static inline uint16_t join(pid_t tid, uint64_t had, uint64_t now)
{
	uint16_t slot = table_add(&table, tid, 1, 1);

	assert_int_not_equal(slot, WORKER_NONE);
	table.worker[slot].had = mask(had);
	place_join(&place, slot, now);
	return slot;
}

static inline void leave(uint16_t slot, uint64_t now)
{
	place_leave(&place, slot, now);
	table_del(&table, slot);
}

static inline void grant(uint64_t bits, uint64_t now)
{
	struct cpumask m = mask(bits);

	place_grants(&place, &m, now);
}

/* Take all changes out. Return: how many pins were among them. */
static inline unsigned drain(void)
{
	struct place_change c;
	unsigned pins = 0;
	int more;

	while ((more = place_next(&place, &c)) >= 0) {
		if (!more)
			continue;
		assert_true(table.worker[c.slot].tid > 0);
		said[c.slot] = c;
		pins += c.kind == PLACE_PIN;
	}
	assert_int_equal(more, -EAGAIN);
	assert_false(place_pending(&place));
	return pins;
}

static inline void look(uint16_t slot, bool ran, uint64_t since, uint64_t now)
{
	table.worker[slot].ran = ran;
	table.worker[slot].since_ns = since;
	place_look(&place, slot, now);
}

#endif
