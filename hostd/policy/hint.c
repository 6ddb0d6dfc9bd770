// SPDX-License-Identifier: Apache-2.0
/*
 * hint.c - how far what a guest's agent says is believed
 */
#include "hint.h"

#include "hl/sensor.h"

#define MS 1000000ull

/* Longer than most requests take: a vcpu that runs on for so long seldom
 * serves one of them only. */
#define BUSY_NS (1 * MS)

#define DOUBT_NS  (1000 * MS)
#define DOUBT_MAX 6 /* 64 ms, a minute */

/* may_try() - Could a hint obtain anything now? */
static bool may_try(const struct pick *k, uint16_t vm,
		    const struct hint_trust *t)
{
	return k->s->vm[vm].hinted && !t->trying && pick_owned(k, vm);
}

/* full_ns() - When all @vm owns will have run for @for_ns; HINT_NEVER when one
 * of them does not run. */
static uint64_t full_ns(const struct pick *k, uint16_t vm, uint64_t for_ns)
{
	const struct snapshot *s = k->s;
	uint64_t since_ns = 0;
	unsigned full = 0;

	for (unsigned i = s->vm[vm].first_vcpu; i < snapshot_vcpus_end(s, vm);
	     i++) {
		const struct vcpu_view *v = &s->vcpu[i];

		if (v->vm != vm || v->cpu == CPU_NONE)
			continue;
		if (v->run != VCPU_RUN_RUNNING)
			return HINT_NEVER;
		if (v->since_ns > since_ns)
			since_ns = v->since_ns;
		full++;
	}
	return full && full >= pick_owned(k, vm) ? since_ns + for_ns
						 : HINT_NEVER;
}

bool hint_full(const struct pick *k, uint16_t vm, const struct hint_trust *t,
	       uint64_t for_ns)
{
	return may_try(k, vm, t) &&
	       full_ns(k, vm, for_ns << t->doubt) <= k->s->now_ns;
}

uint64_t hint_asks_ns(const struct pick *k, uint16_t vm,
		      const struct hint_trust *t, uint64_t limit_ns)
{
	const struct vm_view *v = &k->s->vm[vm];
	uint16_t owned;
	uint64_t at_ns;

	if (!may_try(k, vm, t))
		return HINT_NEVER;
	owned = pick_owned(k, vm);
	if (owned >= v->cpus_max || owned >= v->vcpu_cnt)
		return HINT_NEVER;
	at_ns = full_ns(k, vm, BUSY_NS << t->doubt);
	if (v->hint_wanted > owned && v->hint_wait_ns >= limit_ns &&
	    t->deaf_ns < at_ns)
		at_ns = t->deaf_ns;
	return at_ns;
}

void hint_tried(struct hint_trust *t, uint64_t now_ns, uint64_t ran_ns)
{
	t->trying = true;
	t->tried_ns = now_ns;
	t->ran_ns = ran_ns;
}

bool hint_judge(struct hint_trust *t, uint64_t now_ns, uint64_t ran_ns,
		unsigned owned, unsigned percent)
{
	uint64_t took_ns = now_ns - t->tried_ns;

	if (!t->trying || took_ns < HINT_TRY_NS)
		return false;
	t->trying = false;
	/* it went backwards: vcpus were replaced, nothing is known */
	if (ran_ns < t->ran_ns || !owned)
		return false;
	if (ran_ns - t->ran_ns >= took_ns / 100 * percent * (owned - 1)) {
		t->doubt -= t->doubt > 0;
		return false;
	}
	t->deaf_ns = now_ns + (DOUBT_NS << t->doubt);
	t->doubt += t->doubt < DOUBT_MAX;
	return true;
}
