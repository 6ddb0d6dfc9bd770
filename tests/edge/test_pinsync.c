// SPDX-License-Identifier: Apache-2.0
/*
 * test_pinsync.c - what should be told to libvirt: a script of steps a test
 */
#include "pinsync.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS	1000000ull
#define STABLE	(500 * MS)
#define GAP	(PINSYNC_GAP_NS / MS)
#define NOTHING 0xffff

enum act { WANT, FORGET, DOUBT, NEXT, DONE };

/*
 * WANT: slot, mask, gen; the mask is that old at @ms. NEXT: slot and mask of
 * the job expected, slot NOTHING for none. DONE: err, and whether the move
 * must be submitted again.
 */
struct step {
	const char *what;
	enum act act;
	unsigned ms;
	unsigned slot, mask, gen;
	int err;
	bool again;
};

static struct pinsync p;
static const char *const uuid[] = { "vm-0", "vm-1", "vm-2" };

static void run(const struct step *step, unsigned cnt)
{
	struct pinsync_job job = { 0 };

	pinsync_init(&p, STABLE);
	for (unsigned i = 0; i < cnt; i++) {
		const struct step *s = &step[i];
		const struct cpumask mask = { { s->mask } };
		uint64_t now = s->ms * MS;
		bool yes;

		switch (s->act) {
		case WANT:
			pinsync_want(&p, (uint16_t)s->slot, uuid[s->slot % 3],
				     (uint16_t)s->slot, s->gen, &mask, now);
			break;
		case FORGET:
			pinsync_forget(&p, (uint16_t)s->slot);
			break;
		case DOUBT:
			pinsync_doubt(&p);
			break;
		case NEXT:
			yes = pinsync_next(&p, now, &job);
			if (yes != (s->slot != NOTHING))
				fail_msg("%s: %d", s->what, yes);
			if (yes && (job.vcpu != s->slot || job.gen != s->gen ||
				    job.index != s->slot ||
				    strcmp(job.uuid, uuid[s->slot % 3]) ||
				    !cpumask_equal(&job.mask, &mask)))
				fail_msg("%s: slot %u", s->what, job.vcpu);
			break;
		case DONE:
			yes = pinsync_done(&p, &job, s->err, now);
			if (yes != s->again)
				fail_msg("%s: again %d", s->what, yes);
			break;
		}
	}
}

#define RUN(steps) run(steps, sizeof(steps) / sizeof((steps)[0]))

static void test_rest(void **state)
{
	static const struct step s[] = {
		{ "nothing wanted", NEXT, 0, NOTHING, 0, 0, 0, 0 },
		{ "", WANT, 100, 0, 3, 1, 0, 0 },
		{ "moved just now", NEXT, 100, NOTHING, 0, 0, 0, 0 },
		{ "the stamp is ahead of us", NEXT, 99, NOTHING, 0, 0, 0, 0 },
		{ "almost at rest", NEXT, 599, NOTHING, 0, 0, 0, 0 },
		{ "", WANT, 400, 0, 5, 2, 0, 0 },
		{ "moved meanwhile", NEXT, 600, NOTHING, 0, 0, 0, 0 },
		{ "at rest", NEXT, 900, 0, 5, 2, 0, 0 },
		{ "told", DONE, 901, 0, 0, 0, 0, true },
		{ "libvirt knows", NEXT, 9000, NOTHING, 0, 0, 0, 0 },
		{ "", WANT, 9000, 0, 5, 7, 0, 0 },
		{ "another generation, the same mask", NEXT, 9900, NOTHING, 0,
		  0, 0, 0 },
		{ "", WANT, 9000, 0, 0, 8, 0, 0 },
		{ "no cpu at all", NEXT, 9900, NOTHING, 0, 0, 0, 0 },
	};

	(void)state;
	RUN(s);
	assert_int_equal(p.told_cnt, 1);
}

static void test_overtaken(void **state)
{
	static const struct step s[] = {
		{ "", WANT, 0, 0, 1, 1, 0, 0 },
		{ "call begins", NEXT, 1000, 0, 1, 1, 0, 0 },
		{ "", WANT, 1001, 0, 2, 2, 0, 0 },
		{ "call ends: the newer move must win", DONE, 1002, 0, 0, 0, 0,
		  true },
		{ "the newer is not at rest", NEXT, 1400, NOTHING, 0, 0, 0, 0 },
		{ "now it is", NEXT, 1501, 0, 2, 2, 0, 0 },
		{ "", DONE, 1502, 0, 0, 0, 0, true },
		{ "", WANT, 1600, 0, 1, 3, 0, 0 },
		{ "", WANT, 1601, 0, 2, 4, 0, 0 },
		{ "there and back", NEXT, 3000, NOTHING, 0, 0, 0, 0 },
	};

	(void)state;
	RUN(s);
	assert_int_equal(p.overtaken_cnt, 1);
}

static void test_pace(void **state)
{
	static const struct step s[] = {
		{ "", WANT, 0, 0, 1, 1, 0, 0 },
		{ "", WANT, 0, 1, 2, 1, 0, 0 },
		{ "", WANT, 0, 2, 4, 1, 0, 0 },
		{ "first", NEXT, 1000, 0, 1, 1, 0, 0 },
		{ "", DONE, 1050, 0, 0, 0, 0, true },
		{ "too soon", NEXT, 1050 + GAP - 1, NOTHING, 0, 0, 0, 0 },
		{ "second", NEXT, 1050 + GAP, 1, 2, 1, 0, 0 },
		{ "", DONE, 1300, 0, 0, 0, 0, true },
		{ "", WANT, 1000, 0, 8, 2, 0, 0 },
		{ "third has its turn before the first again", NEXT, 1600, 2, 4,
		  1, 0, 0 },
		{ "", DONE, 1600, 0, 0, 0, 0, true },
		{ "first again", NEXT, 2000, 0, 8, 2, 0, 0 },
	};

	(void)state;
	RUN(s);
}

static void test_failures(void **state)
{
	static const struct step s[] = {
		{ "", WANT, 0, 0, 1, 1, 0, 0 },
		{ "", NEXT, 1000, 0, 1, 1, 0, 0 },
		{ "half way is possible", DONE, 1000, 0, 0, 0, -EIO, true },
		{ "rests", NEXT, 1999, NOTHING, 0, 0, 0, 0 },
		{ "again after 1 s", NEXT, 2000, 0, 1, 1, 0, 0 },
		{ "nothing was sent", DONE, 2000, 0, 0, 0, -ENOTCONN, false },
		{ "rests longer", NEXT, 3999, NOTHING, 0, 0, 0, 0 },
		{ "again after 2 s", NEXT, 4000, 0, 1, 1, 0, 0 },
		{ "", DONE, 4000, 0, 0, 0, 0, true },
		{ "", WANT, 4000, 0, 2, 2, 0, 0 },
		{ "", NEXT, 5000, 0, 2, 2, 0, 0 },
		{ "it worked between: 1 s again", DONE, 5000, 0, 0, 0, -EIO,
		  true },
		{ "", WANT, 4000, 0, 1, 3, 0, 0 },
		{ "what libvirt believes is unknown: told though it was before",
		  NEXT, 6000, 0, 1, 3, 0, 0 },
	};

	(void)state;
	RUN(s);
	assert_int_equal(p.failed_cnt, 3);
}

static void test_longest_rest(void **state)
{
	const struct cpumask mask = { { 1 } };
	struct pinsync_job job;
	uint64_t now = STABLE, last = 0;

	(void)state;
	pinsync_init(&p, STABLE);
	pinsync_want(&p, 0, "vm", 0, 1, &mask, 0);
	for (unsigned i = 0; i < 300; i++) {
		while (!pinsync_next(&p, now, &job))
			now += 100 * MS;
		assert_true(now - last <= PINSYNC_RETRY_MAX_NS + 100 * MS);
		last = now;
		assert_false(pinsync_done(&p, &job, -ESRCH, now));
	}
}

static void test_slots(void **state)
{
	static const struct step s[] = {
		{ "", WANT, 0, 1, 1, 1, 0, 0 },
		{ "", NEXT, 1000, 1, 1, 1, 0, 0 },
		{ "", FORGET, 1000, 1, 0, 0, 0, 0 },
		{ "VM left meanwhile", DONE, 1001, 0, 0, 0, 0, false },
		{ "forgotten", NEXT, 5000, NOTHING, 0, 0, 0, 0 },
		{ "", WANT, 5000, 1, 1, 1, 0, 0 },
		{ "came back: libvirt has its own again", NEXT, 6000, 1, 1, 1,
		  0, 0 },
		{ "", DONE, 6000, 0, 0, 0, 0, true },
		{ "", DOUBT, 0, 0, 0, 0, 0, 0 },
		{ "libvirtd was restarted", NEXT, 7000, 1, 1, 1, 0, 0 },
		{ "", DONE, 7000, 0, 0, 0, 0, true },
		{ "", FORGET, 0, 9000, 0, 0, 0, 0 },
		{ "", WANT, 0, 9000, 1, 1, 0, 0 },
		{ "no such slot", NEXT, 9000, NOTHING, 0, 0, 0, 0 },
	};
	const struct cpumask mask = { { 1 } };
	struct pinsync_job job;

	(void)state;
	RUN(s);
	/* Another vcpu in the slot is another story. */
	pinsync_want(&p, 1, "vm-9", 1, 1, &mask, 0);
	assert_true(pinsync_next(&p, 20000 * MS, &job));
	assert_string_equal(job.uuid, "vm-9");
	pinsync_want(&p, 1, "vm-9", 0, 1, &mask, 0);
	assert_false(pinsync_done(&p, &job, 0, 20000 * MS));
	assert_true(pinsync_next(&p, 21000 * MS, &job));
	assert_int_equal(job.index, 0);
	pinsync_want(&p, VCPU_MAX - 1, "vm-9", 3, 1, &mask, 0);
	assert_int_equal(p.top, VCPU_MAX);
	pinsync_forget(&p, VCPU_MAX - 1);
	assert_int_equal(p.top, 2);
	pinsync_forget(&p, 1);
	assert_int_equal(p.top, 0);
	assert_false(pinsync_next(&p, 30000 * MS, &job));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_overtaken),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_longest_rest),
		cmocka_unit_test(test_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
