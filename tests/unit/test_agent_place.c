// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_place.c - who is placed where, step by step
 *
 * Scenes are scripts a human can follow. At random: test_agent_place_model.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/agent_stage.h"

/* --- scenes ------------------------------------------------------------- */

enum act { JOIN, LEAVE, GRANT, WAITS, SLEEPS, RUNS, HAD, REFUSED, TICK, END };

struct step {
	const char *what;
	enum act act;
	unsigned who;	/* worker 0..9, tid who + 1 */
	uint64_t arg;	/* mask of JOIN, GRANT, HAD */
	unsigned ms;	/* when */
	const char *is; /* then: one letter a worker: R rides, B back, digit:
			 * pinned there, . not there */
};

struct scene {
	const char *name;
	uint16_t vcpus;
	struct step step[16];
};

static const struct scene scenes[] = {
	{ "grants come and go",
	  4,
	  { { "nothing granted", JOIN, 0, FULL, 0, "B" },
	    { "another", JOIN, 1, FULL, 0, "BB" },
	    { "last joined is first", GRANT, 0, 0x2, 1, "R1" },
	    { "one vcpu more leaves it alone", GRANT, 0, 0x6, 2, "21" },
	    { "one less, too", GRANT, 0, 0x4, 3, "2R" },
	    { "its home is free again", GRANT, 0, 0x6, 4, "21" },
	    { "both change, longest ago first", GRANT, 0, 0x9, 5, "30" },
	    { "nothing", GRANT, 0, 0, 6, "BB" },
	    { "homes are remembered", GRANT, 0, 0x9, 7, "30" } } },
	{ "a restricted worker",
	  4,
	  { { "may use 1 only", JOIN, 0, 0x2, 0, "B" },
	    { "not granted: has its own", GRANT, 0, 0x1, 1, "B" },
	    { "its own is granted", GRANT, 0, 0x2, 2, "1" },
	    { "a free one comes", JOIN, 1, FULL, 3, "1R" },
	    { "it gets what the first cannot", GRANT, 0, 0x3, 4, "10" },
	    { "the first leaves", LEAVE, 0, 0, 5, ".0" },
	    { "a restricted one takes the empty vcpu", JOIN, 2, 0x2, 6, ".01" },
	    { "and is changed to another", HAD, 2, 0x8, 7, ".0B" },
	    { "which is granted", GRANT, 0, 0xb, 8, ".03" } } },
	{ "waiting riders go first",
	  2,
	  { { "one", JOIN, 0, FULL, 0, "B" },
	    { "two", JOIN, 1, FULL, 0, "BB" },
	    { "three", JOIN, 2, FULL, 0, "BBB" },
	    { "the last", GRANT, 0, 0x1, 1, "RR0" },
	    { "one waits", WAITS, 0, 0, 2, "RR0" },
	    { "and gets what comes", GRANT, 0, 0x3, 3, "1R0" },
	    { "two waits", WAITS, 1, 0, 4, "1R0" },
	    { "nobody sleeps yet", TICK, 0, 0, 5, "1R0" },
	    { "three sleeps, but was just placed", SLEEPS, 2, 0, 6, "1R0" },
	    { "so it stays", TICK, 0, 0, 7, "1R0" },
	    { "it sleeps for a whole tick", SLEEPS, 2, 0, 30, "1R0" },
	    { "and gives way", TICK, 0, 0, 31, "10R" } } },
	{ "a sleeper that woke up stays",
	  1,
	  { { "one", JOIN, 0, FULL, 0, "B" },
	    { "placed", GRANT, 0, 0x1, 0, "0" },
	    { "two", JOIN, 1, FULL, 0, "0R" },
	    { "two waits", WAITS, 1, 0, 10, "0R" },
	    { "one sleeps", SLEEPS, 0, 0, 30, "0R" },
	    { "one runs", RUNS, 0, 0, 31, "0R" },
	    { "nothing", TICK, 0, 0, 32, "0R" } } },
	{ "the age cap",
	  1,
	  { { "one", JOIN, 0, FULL, 0, "B" },
	    { "placed", GRANT, 0, 0x1, 0, "0" },
	    { "two", JOIN, 1, FULL, 0, "0R" },
	    { "one runs", RUNS, 0, 0, 1, "0R" },
	    { "two waits", WAITS, 1, 0, 1, "0R" },
	    { "not long enough", TICK, 0, 0, 50, "0R" },
	    { "too long", TICK, 0, 0, 52, "R0" },
	    { "now one waits", WAITS, 0, 0, 53, "R0" },
	    { "two has its turn", TICK, 0, 0, 80, "R0" },
	    { "its turn is over", TICK, 0, 0, 104, "0R" } } },
	{ "refused",
	  2,
	  { { "one", JOIN, 0, FULL, 0, "B" },
	    { "two", JOIN, 1, FULL, 0, "BB" },
	    { "placed", GRANT, 0, 0x1, 0, "R0" },
	    { "refused: the other one", REFUSED, 1, 0, 1, "0B" },
	    { "stays so", GRANT, 0, 0x3, 2, "0B" },
	    { "until its mask is another", HAD, 1, FULL, 3, "01" } } },
};

static void say_state(char out[11], const uint16_t slot[10])
{
	memset(out, 0, 11);
	for (unsigned i = 0; i < 10; i++) {
		const struct place_change *c =
		    slot[i] == WORKER_NONE ? NULL : &said[slot[i]];

		out[i] = !c			 ? '.'
			 : c->kind == PLACE_PIN	 ? (char)('0' + c->vcpu)
			 : c->kind == PLACE_RIDE ? 'R'
						 : 'B';
	}
	for (unsigned i = 10; i && out[i - 1] == '.'; i--)
		out[i - 1] = '\0';
}

static void act(const struct step *s, uint16_t slot[10])
{
	uint64_t now = NSEC_PER_SEC + s->ms * NSEC_PER_MSEC;
	uint16_t w = slot[s->who];

	switch (s->act) {
	case JOIN:
		slot[s->who] = join((pid_t)s->who + 1, s->arg, now);
		break;
	case LEAVE:
		leave(w, now);
		slot[s->who] = WORKER_NONE;
		break;
	case GRANT:
		grant(s->arg, now);
		break;
	case WAITS:
		look(w, false, now, now);
		break;
	case SLEEPS:
		look(w, false, 0, now);
		break;
	case RUNS:
		look(w, true, now, now);
		break;
	case HAD:
		table.worker[w].had = mask(s->arg);
		place_had(&place, w, now);
		break;
	case REFUSED:
		place_refused(&place, w, now);
		break;
	default:
		place_tick(&place, now);
	}
}

static void test_scenes(void **unused)
{
	uint16_t slot[10];
	char is[11];

	(void)unused;
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		start(scenes[i].vcpus);
		memset(slot, 0xff, sizeof(slot));
		for (const struct step *s = scenes[i].step; s->what; s++) {
			act(s, slot);
			drain();
			say_state(is, slot);
			if (strcmp(is, s->is))
				fail_msg("%s: %s: %s, not %s", scenes[i].name,
					 s->what, is, s->is);
		}
		stop();
	}
}

/* All want to run, nobody ever sleeps: the longest wait is bounded. */
static void test_nobody_starves(void **unused)
{
	enum { N = 30, K = 3, TICK_MS = 20 };
	const uint64_t limit = AGE + (N / K + 1) * (AGE + REST) + REST;
	uint64_t since[N], now = NSEC_PER_SEC, worst = 0;
	uint16_t slot[N];

	(void)unused;
	start(K);
	for (unsigned i = 0; i < N; i++) {
		slot[i] = join((pid_t)i + 1, FULL, now);
		since[i] = now;
	}
	grant(7, now);
	for (unsigned t = 0; t < 2000; t++) {
		now += TICK_MS * NSEC_PER_MSEC;
		for (unsigned i = 0; i < N; i++) {
			bool on = table.worker[slot[i]].vcpu != CPU_NONE;

			if (on)
				since[i] = now;
			if (now - since[i] > worst)
				worst = now - since[i];
			look(slot[i], on, since[i], now);
		}
		place_tick(&place, now);
		drain();
	}
	if (worst > limit)
		fail_msg("somebody waited %llu ms, %llu at most",
			 (unsigned long long)(worst / NSEC_PER_MSEC),
			 (unsigned long long)(limit / NSEC_PER_MSEC));
	stop();
}

/* A full table, grants that change in the middle of a sweep. */
static void test_full(void **unused)
{
	struct place_change c;
	int more;

	(void)unused;
	start(64);
	for (pid_t tid = 1; tid <= WORKER_MAX; tid++)
		join(tid, FULL, 1);
	assert_int_equal(table_add(&table, WORKER_MAX + 1, 1, 1), WORKER_NONE);
	drain();
	grant(0xff, 2);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(place_next(&place, &c) == 1);
		said[c.slot] = c;
	}
	grant(0xf0, 3);
	drain();
	for (unsigned i = 0; i < WORKER_MAX; i++)
		assert_true(said[i].kind == PLACE_RIDE ||
			    (said[i].kind == PLACE_PIN && said[i].vcpu >= 4 &&
			     said[i].vcpu < 8));
	assert_int_equal(place.n.revokes, 4);
	/* the same again: nothing to say */
	grant(0xf0, 4);
	assert_int_equal(place_next(&place, &c), -EAGAIN);
	/* nobody is told what he was told: single steps are bounded */
	grant(0xf1, 5);
	for (unsigned i = 0; (more = place_next(&place, &c)) >= 0; i++)
		assert_true(i <= WORKER_MAX + 1);
	for (uint16_t slot = 0; slot < WORKER_MAX; slot++)
		leave(slot, 6);
	assert_int_equal(table.count, 0);
	assert_int_equal(place_next(&place, &c), -EAGAIN);
	drain();
	stop();
}

static void test_bounds(void **unused)
{
	(void)unused;
	table_init(&table);
	assert_int_equal(place_init(&place, &table, 0, AGE, REST), -ERANGE);
	assert_int_equal(place_init(&place, &table, AGENT_VCPUS + 1, AGE, REST),
			 -ERANGE);
	start(2);
	/* a grant of a vcpu this machine cannot have */
	grant(0xc, 1);
	assert_true(cpumask_empty(&place.granted));
	/* wrong slots are no workers */
	place_leave(&place, 7, 1);
	place_had(&place, 7, 1);
	place_refused(&place, 7, 1);
	place_look(&place, 7, 1);
	drain();
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenes),
		cmocka_unit_test(test_nobody_starves),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
