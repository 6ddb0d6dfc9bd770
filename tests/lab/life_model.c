// SPDX-License-Identifier: Apache-2.0
/*
 * life_model.c - random moves against a model that a human can check
 *
 * Threads that spin, nap, sleep, end and are replaced; batches of random
 * moves, some beyond the bound, empty or of a slot of nobody. The model of a
 * thread: its affinity is the mask of the newest move answered 0, or what it
 * had. Whether a good move is overtaken is the module's to say, but the newest
 * good one of a batch that was waited for is not.
 */
#include "life.h"

#include <stdlib.h>
#include <string.h>

#define THREADS 16
#define MOVES	100000
#define SEED	20261122

struct model {
	uint32_t slot;
	struct ksched_mask bound, is; /* is: what the last answer left */
	uint32_t done_gen;	      /* of that answer */
	uint32_t good_gen;	      /* newest good move asked */
};

static struct model model[THREADS];
static struct ksched_move sent[KSCHED_RING_SLOTS]; /* by gen */
static uint32_t gen;
static unsigned seed;

static unsigned pick(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static void replace(unsigned i)
{
	static const enum work works[] = { WORK_NAP, WORK_SLEEP, WORK_SLEEP,
					   WORK_NAP, WORK_SLEEP, WORK_SPIN };
	int first = 1 + (int)pick(3);
	struct ksched_mask mask =
	    mask_range(first, first + 2 + (int)pick(5u - (unsigned)first));

	if (worker[i].tid) {
		worker_stop(&worker[i]);
		assert_err(session_drop(&ses, model[i].slot), 0);
	}
	model[i] = (struct model){
		.slot = add_worker_on(i, works[i % 6], mask),
		.bound = mask,
		.is = mask,
		.done_gen = gen,
		.good_gen = gen,
	};
}

static struct model *model_of(uint32_t slot)
{
	for (unsigned i = 0; i < THREADS; i++)
		if (model[i].slot == slot)
			return &model[i];
	return NULL;
}

/* What becomes of a move if nothing overtakes it. */
static int expect(const struct ksched_move *m)
{
	const struct model *t = model_of(m->slot);

	if (m->slot >= KSCHED_THREADS_MAX)
		return -ESRCH;
	if (m->role >= KSCHED_ROLES || mask_empty(&m->mask))
		return -EINVAL;
	if (!t)
		return -ESRCH;
	return mask_within(&m->mask, &t->bound) ? 0 : -EXDEV;
}

static struct ksched_move random_move(void)
{
	struct ksched_move m = { .slot = model[pick(THREADS)].slot,
				 .role = pick(KSCHED_ROLES) };
	int cpu = (int)pick(LIFE_CPUS);

	m.gen = ++gen;
	m.mask = mask_range(cpu, cpu + (int)pick(LIFE_CPUS - (unsigned)cpu));
	switch (pick(100)) {
	case 0:
		m.slot = KSCHED_THREADS_MAX - 1 + pick(3);
		break;
	case 1:
		m.role = KSCHED_ROLES + pick(1000);
		break;
	case 2:
		m.mask = (struct ksched_mask){ 0 };
		break;
	}
	return m;
}

static void take_answer(unsigned *overtaken)
{
	struct ksched_done d;
	struct ksched_move *m;
	struct model *t;
	int want;

	assert_true(session_answer(&ses, &d, ANSWER_MS));
	m = &sent[d.gen % KSCHED_RING_SLOTS];
	assert_int_equal(m->gen, d.gen);
	assert_int_equal(m->slot, d.slot);
	want = expect(m);
	m->gen = 0; /* a second answer fails above */
	t = model_of(d.slot);
	if (d.err == -ECANCELED) {
		/* Only what some newer one of that thread came after. */
		assert_true(t && want != -EINVAL);
		assert_true(d.gen < t->good_gen);
		++*overtaken;
		return;
	}
	assert_err(d.err, want);
	if (d.err)
		return;
	assert_true(d.gen > t->done_gen);
	t->done_gen = d.gen;
	t->is = m->mask;
}

static void commit(unsigned count)
{
	struct ksched_move m[KSCHED_BATCH_MAX];

	for (unsigned i = 0; i < count; i++) {
		struct model *t;
		int want;

		m[i] = random_move();
		sent[m[i].gen % KSCHED_RING_SLOTS] = m[i];
		want = expect(&m[i]);
		t = model_of(m[i].slot);
		if (t && want != -EINVAL)
			t->good_gen = m[i].gen;
	}
	assert_err(session_commit(&ses, m, count), 0);
}

static void settle(unsigned *overtaken)
{
	while (ses.read < ses.asked)
		take_answer(overtaken);
	for (unsigned i = 0; i < THREADS; i++)
		assert_mask(worker[i].tid, model[i].is);
}

static void random_moves(void **state)
{
	unsigned overtaken = 0;

	(void)state;
	seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : SEED;
	print_message("             seed %u\n", seed);
	gen = 0;
	for (unsigned i = 0; i < THREADS; i++)
		replace(i);
	while (gen < MOVES) {
		commit(1 + pick(pick(20) ? 16 : KSCHED_BATCH_MAX));
		if (ses.asked - ses.read > KSCHED_RING_SLOTS / 2 || !pick(3))
			settle(&overtaken);
		if (ses.read == ses.asked && !pick(20))
			replace(pick(THREADS));
	}
	settle(&overtaken);
	print_message("             %u moves, %u of them overtaken\n", gen,
		      overtaken);
	assert_int_equal(ses.page->asked, gen);
	assert_int_equal(ses.page->head, gen);
	assert_int_equal(ses.page->overtaken, overtaken);
	session_close(&ses);
	for (unsigned i = 0; i < THREADS; i++)
		assert_mask(worker[i].tid, model[i].bound);
}

const struct CMUnitTest model_cases[] = {
	LIFE_CASE(random_moves),
};
const size_t model_count = sizeof(model_cases) / sizeof(model_cases[0]);
