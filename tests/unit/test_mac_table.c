// SPDX-License-Identifier: Apache-2.0
/*
 * test_mac_table.c - who owns an address: by hand, and beside a plain list
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "vhost/mac_table.h"

#define AGE_NS 100
#define NONE   PORT_NONE

static const struct {
	const char *what;
	uint32_t entries;
	int err;
} sizes[] = {
	{ "smallest", MAC_WINDOW, 0 },
	{ "usual", 8192, 0 },
	{ "none", 0, -EINVAL },
	{ "smaller than a window", MAC_WINDOW / 2, -EINVAL },
	{ "no power of two", 1000, -EINVAL },
};

static void test_init(void **state)
{
	static struct mac_table t;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int err = mac_table_init(&t, sizes[i].entries, AGE_NS);

		if (err != sizes[i].err)
			fail_msg("%s: %d", sizes[i].what, err);
		if (!err)
			mac_table_exit(&t);
	}
}

enum step_kind { END, LEARN, PIN, LOOKUP, FORGET };

struct step {
	enum step_kind kind;
	uint64_t mac;
	uint16_t port; /* for LOOKUP: the answer */
	uint64_t now_ns;
	int err;
};

/* A table of one window, so that addresses 1..8 fill it. */
static const struct {
	const char *what;
	struct step step[16];
	uint64_t evicted, refused;
} runs[] = {
	{ "unknown", { { LOOKUP, 1, NONE, 0, 0 } }, 0, 0 },
	{ "learned, then silent for too long",
	  { { LEARN, 1, 5, 10, 0 },
	    { LOOKUP, 1, 5, 10, 0 },
	    { LOOKUP, 1, 5, 110, 0 },
	    { LOOKUP, 1, NONE, 111, 0 } },
	  0,
	  0 },
	{ "seen again: young again",
	  { { LEARN, 1, 5, 10, 0 },
	    { LEARN, 1, 5, 100, 0 },
	    { LOOKUP, 1, 5, 200, 0 } },
	  0,
	  0 },
	{ "another port may not take it",
	  { { LEARN, 1, 5, 10, 0 },
	    { LEARN, 1, 6, 20, -EEXIST },
	    { LOOKUP, 1, 5, 20, 0 } },
	  0,
	  1 },
	{ "before it aged",
	  { { LEARN, 1, 5, 10, 0 },
	    { LEARN, 1, 6, 111, 0 },
	    { LOOKUP, 1, 6, 111, 0 } },
	  0,
	  0 },
	{ "or its port went",
	  { { LEARN, 1, 5, 10, 0 },
	    { FORGET, 0, 5, 0, 0 },
	    { LOOKUP, 1, NONE, 11, 0 },
	    { LEARN, 1, 6, 12, 0 },
	    { LOOKUP, 1, 6, 12, 0 } },
	  0,
	  0 },
	{ "a port that comes back knows nothing",
	  { { LEARN, 1, 5, 10, 0 },
	    { FORGET, 0, 5, 0, 0 },
	    { LEARN, 2, 5, 11, 0 },
	    { LOOKUP, 1, NONE, 11, 0 },
	    { LOOKUP, 2, 5, 11, 0 } },
	  0,
	  0 },
	{ "a pinned one never ages and is never taken",
	  { { PIN, 1, 5, 0, 0 },
	    { LEARN, 1, 6, 10, -EEXIST },
	    { LEARN, 1, 5, 10, 0 },
	    { LOOKUP, 1, 5, 1000000, 0 } },
	  0,
	  1 },
	{ "a pin takes what was learned elsewhere",
	  { { LEARN, 1, 5, 10, 0 },
	    { PIN, 1, 6, 0, 0 },
	    { LOOKUP, 1, 6, 11, 0 },
	    { LEARN, 1, 5, 12, -EEXIST } },
	  0,
	  1 },
	{ "two cannot pin the same",
	  { { PIN, 1, 5, 0, 0 },
	    { PIN, 1, 5, 0, 0 },
	    { PIN, 1, 6, 0, -EEXIST },
	    { LOOKUP, 1, 5, 0, 0 } },
	  0,
	  0 },
	{ "a pin ends with its port",
	  { { PIN, 1, 5, 0, 0 },
	    { FORGET, 0, 5, 0, 0 },
	    { LOOKUP, 1, NONE, 0, 0 },
	    { PIN, 1, 6, 0, 0 },
	    { LOOKUP, 1, 6, 0, 0 } },
	  0,
	  0 },
	{ "full: the one silent for longest goes",
	  { { LEARN, 1, 5, 11, 0 },
	    { LEARN, 2, 5, 10, 0 },
	    { LEARN, 3, 5, 13, 0 },
	    { LEARN, 4, 5, 14, 0 },
	    { LEARN, 5, 5, 15, 0 },
	    { LEARN, 6, 5, 16, 0 },
	    { LEARN, 7, 5, 17, 0 },
	    { LEARN, 8, 5, 18, 0 },
	    { LEARN, 9, 6, 19, 0 },
	    { LOOKUP, 2, NONE, 19, 0 },
	    { LOOKUP, 1, 5, 19, 0 },
	    { LOOKUP, 9, 6, 19, 0 } },
	  1,
	  0 },
	{ "full of pins: no room, no harm",
	  { { PIN, 1, 1, 0, 0 },
	    { PIN, 2, 2, 0, 0 },
	    { PIN, 3, 3, 0, 0 },
	    { PIN, 4, 4, 0, 0 },
	    { PIN, 5, 5, 0, 0 },
	    { PIN, 6, 6, 0, 0 },
	    { PIN, 7, 7, 0, 0 },
	    { PIN, 8, 8, 0, 0 },
	    { LEARN, 9, 9, 10, -ENOSPC },
	    { PIN, 9, 9, 0, -ENOSPC },
	    { FORGET, 0, 3, 0, 0 },
	    { LEARN, 9, 9, 10, 0 },
	    { LOOKUP, 9, 9, 10, 0 },
	    { LOOKUP, 8, 8, 10, 0 } },
	  0,
	  1 },
};

static void test_runs(void **state)
{
	static struct mac_table t;

	(void)state;
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		assert_int_equal(mac_table_init(&t, MAC_WINDOW, AGE_NS), 0);
		for (const struct step *s = runs[i].step; s->kind; s++) {
			uint16_t port = s->port;
			int err = 0;

			if (s->kind == LEARN)
				err = mac_table_learn(&t, s->mac, s->port,
						      s->now_ns);
			else if (s->kind == PIN)
				err = mac_table_pin(&t, s->mac, s->port);
			else if (s->kind == LOOKUP)
				port = mac_table_lookup(&t, s->mac, s->now_ns);
			else
				mac_table_forget_port(&t, s->port);
			if (err != s->err || port != s->port)
				fail_msg("%s, step %td: %d, port %u",
					 runs[i].what, s - runs[i].step, err,
					 port);
		}
		if (t.count.evicted != runs[i].evicted ||
		    t.count.refused != runs[i].refused)
			fail_msg("%s: %ju evicted, %ju refused", runs[i].what,
				 (uintmax_t)t.count.evicted,
				 (uintmax_t)t.count.refused);
		mac_table_exit(&t);
	}
}

/* --- the slow, obvious model: an array over all addresses ---------------- */

#define MACS  64 /* in 4096 slots: nothing is ever evicted */
#define PORTS 6

static struct {
	uint16_t port; /* NONE: nobody's */
	bool pinned;
	uint64_t seen_ns;
} model[MACS];

static bool model_is_live(unsigned m, uint64_t now_ns)
{
	return model[m].port != NONE &&
	       (model[m].pinned || now_ns - model[m].seen_ns <= AGE_NS);
}

static int model_claim(unsigned m, uint16_t port, bool pin, uint64_t now_ns)
{
	if (model_is_live(m, now_ns) && model[m].port != port &&
	    (!pin || model[m].pinned))
		return -EEXIST;
	model[m].pinned = pin || (model[m].pinned && model[m].port == port);
	model[m].port = port;
	model[m].seen_ns = now_ns;
	return 0;
}

static void test_random(void **state)
{
	static struct mac_table t;
	uint64_t now = 0;

	(void)state;
	srandom(1);
	assert_int_equal(mac_table_init(&t, 4096, AGE_NS), 0);
	for (unsigned m = 0; m < MACS; m++)
		model[m].port = NONE;
	for (unsigned step = 0; step < 100000; step++) {
		unsigned m = (unsigned)random() % MACS,
			 dice = (unsigned)random();
		/* as they come: one vendor's prefix, then a count */
		uint64_t mac = 0x563412005452ull + ((uint64_t)m << 40);
		uint16_t port = (uint16_t)(random() % PORTS), want;

		now += (uint64_t)random() % 8;
		if (dice % 100 < 60) {
			assert_int_equal(mac_table_learn(&t, mac, port, now),
					 model_claim(m, port, false, now));
		} else if (dice % 100 < 62) {
			assert_int_equal(mac_table_pin(&t, mac, port),
					 model_claim(m, port, true, now));
		} else if (dice % 100 < 63) {
			mac_table_forget_port(&t, port);
			for (unsigned k = 0; k < MACS; k++)
				if (model[k].port == port)
					model[k].port = NONE,
					model[k].pinned = false;
		}
		want = model_is_live(m, now) ? model[m].port : NONE;
		if (mac_table_lookup(&t, mac, now) != want)
			fail_msg("step %u: address %u", step, m);
	}
	assert_int_equal(t.count.evicted, 0);
	mac_table_exit(&t);
}

/* Far more addresses than slots, all hostile: pins hold, nobody else's port is
 * ever the answer for a pinned address. */
static void test_overload(void **state)
{
	static struct mac_table t;

	(void)state;
	srandom(1);
	assert_int_equal(mac_table_init(&t, 64, AGE_NS), 0);
	for (uint64_t m = 1; m <= 8; m++)
		assert_int_equal(mac_table_pin(&t, m, (uint16_t)m), 0);
	for (uint64_t now = 1; now < 100000; now++) {
		uint64_t mac = 1 + (uint64_t)random() % 5000;

		mac_table_learn(&t, mac, 100, now);
		mac = 1 + now % 8;
		assert_int_equal(mac_table_lookup(&t, mac, now), mac);
	}
	assert_true(t.count.evicted > 0);
	assert_true(t.count.refused > 0);
	mac_table_exit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_overload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
