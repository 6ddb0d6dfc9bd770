// SPDX-License-Identifier: Apache-2.0
/*
 * budget.c - lateness allowed, lateness used, and the gear that follows
 */
#include "budget.h"

#define MS 1000000ull

/* A period is as long as it takes to see a few late ones if just as many come
 * as are allowed: with fewer, one more or less would decide. But not so short
 * that a cpu given in it has had no time to show, nor without end. */
#define ALLOWED_MIN   4
#define PERIOD_NS     (100 * MS)
#define AGE_MIN_NS    (10 * MS) /* nor in less, however many were late */
#define PERIOD_MAX_NS (2000 * MS)

/* Below this burn a gear up is worth trying, after so many periods. */
#define THRIFT	   300
#define GOOD_TIMES 3

#define RETRY_NS  (2000 * MS)
#define FALLS_MAX 5 /* 64 s */

/*
 * Giving a cpu back costs a move, and having it again another one: who keeps it
 * for as long as these two take, and no longer, never pays more than twice what
 * he would knowing the future (the ski-rental bound, Karlin et al. 1988). That
 * is the thrifty gear. The others keep it through pauses between requests, then
 * between bursts.
 */
static const struct gear gears[BUDGET_GEARS] = {
	{ .linger_moves = 1024 },
	{ .linger_moves = 32 },
	{ .linger_moves = 2 },
};

const struct gear *budget_gear(const struct budget *b)
{
	return &gears[b->gear < BUDGET_GEARS ? b->gear : BUDGET_START];
}

const struct gear *budget_thriftiest(void)
{
	return &gears[BUDGET_GEARS - 1];
}

void budget_pause(struct budget *b, const struct vm_view *v, uint64_t now_ns)
{
	b->begin_ns = now_ns;
	b->done = v->done;
	b->late = v->late;
}

void budget_start(struct budget *b, const struct vm_view *v, uint64_t now_ns)
{
	*b = (struct budget){ .gear = BUDGET_START,
			      .permyriad = v->slo_permyriad,
			      .slo_ns = v->slo_ns };
	budget_pause(b, v, now_ns);
}

/* allowed() - How many of @done may be late, in thousandths. */
static uint64_t allowed(const struct vm_view *v, uint64_t done)
{
	uint64_t part = v->slo_permyriad < 10000 ? 10000 - v->slo_permyriad : 1;

	return done * part / 10;
}

static uint16_t burn_of(const struct vm_view *v, uint64_t done, uint64_t late)
{
	uint64_t may = allowed(v, done), burn;

	if (!late)
		return 0;
	if (!may)
		return BUDGET_BURN_MAX;
	burn = late * 1000 * BUDGET_BURN_ONE / may;
	return burn < BUDGET_BURN_MAX ? (uint16_t)burn : BUDGET_BURN_MAX;
}

static void shift_down(struct budget *b, uint64_t now_ns)
{
	b->good = 0;
	if (!b->gear)
		return;
	b->retry_ns = now_ns + (RETRY_NS << b->falls);
	b->falls += b->falls < FALLS_MAX;
	b->gear--;
}

/* A gear that has held for another whole pause was no failure after all. */
static void shift_up(struct budget *b, uint64_t now_ns)
{
	if (++b->good < GOOD_TIMES || now_ns < b->retry_ns)
		return;
	b->good = 0;
	if (b->falls && now_ns - b->retry_ns >= RETRY_NS << b->falls) {
		b->falls--;
		b->retry_ns = now_ns;
	}
	if (b->gear + 1 < BUDGET_GEARS)
		b->gear++;
}

bool budget_turn(struct budget *b, const struct vm_view *v, uint64_t now_ns)
{
	uint64_t done = v->done - b->done, late = v->late - b->late;
	uint64_t age_ns = now_ns - b->begin_ns;
	bool full = allowed(v, done) >= ALLOWED_MIN * 1000;

	if (v->slo_ns != b->slo_ns || v->slo_permyriad != b->permyriad) {
		budget_start(b, v, now_ns);
		return false;
	}
	if (!v->slo_ns || v->done < b->done || v->late < b->late) {
		budget_pause(b, v,
			     now_ns); /* counted anew, or nothing to count */
		return false;
	}
	/* over a whole period's allowance already, whatever is still to come */
	if (late > ALLOWED_MIN && !full && age_ns >= AGE_MIN_NS) {
		b->burn = burn_of(v, done, late);
		budget_pause(b, v, now_ns);
		shift_down(b, now_ns);
		return true;
	}
	if (age_ns < PERIOD_NS || (!full && age_ns < PERIOD_MAX_NS))
		return false;
	b->burn = burn_of(v, done, late);
	budget_pause(b, v, now_ns);
	if (allowed(v, done) < 1000)
		return false; /* not one may be late: chance would decide */
	if (b->burn > BUDGET_BURN_ONE) {
		shift_down(b, now_ns);
		return true;
	}
	if (b->burn < THRIFT)
		shift_up(b, now_ns);
	else
		b->good = 0;
	return false;
}
