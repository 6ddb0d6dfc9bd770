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

bool hint_full(const struct pick *k, uint16_t vm, const struct hint_trust *t,
	       uint64_t for_ns)
{
	const struct snapshot *s = k->s;
	unsigned end = s->vm[vm].first_vcpu + (unsigned)s->vm[vm].vcpu_cnt;
	unsigned full = 0;

	if (!may_try(k, vm, t))
		return false;
	for (unsigned i = s->vm[vm].first_vcpu; i < end && i < VCPU_MAX; i++) {
		const struct vcpu_view *v = &s->vcpu[i];

		if (v->vm != vm || v->cpu == CPU_NONE)
			continue;
		if (v->run != VCPU_RUN_RUNNING || v->since_ns > s->now_ns ||
		    s->now_ns - v->since_ns < for_ns << t->doubt)
			return false;
		full++;
	}
	return full && full >= pick_owned(k, vm);
}

bool hint_asks(const struct pick *k, uint16_t vm, const struct hint_trust *t,
	       uint64_t limit_ns)
{
	const struct vm_view *v = &k->s->vm[vm];

	if (!may_try(k, vm, t) || pick_owned(k, vm) >= v->cpus_max ||
	    pick_owned(k, vm) >= v->vcpu_cnt)
		return false;
	if (k->s->now_ns >= t->deaf_ns && v->hint_wanted > pick_owned(k, vm) &&
	    v->hint_wait_ns >= limit_ns)
		return true;
	return hint_full(k, vm, t, BUSY_NS);
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
