// SPDX-License-Identifier: Apache-2.0
/*
 * slo_window.c - what a VM used of what it owned
 *
 * The essay in policy_slo.c says what for.
 */
#include "slo_window.h"

#include "hl/sensor.h"

#define MS 1000000ull

#define REST_PERCENT  5
#define BLIND_WINDOWS 10

/* A vcpu that lost its cpu still has a worker; its agent needs a moment to
 * hear of it and to take the worker along. Until then it waits, and that says
 * nothing. */
#define GRACE_NS (2 * MS)

void window_open(struct slo_vm *m, uint64_t now_ns, const struct pick_use *use)
{
	m->judged = true;
	m->window_ns = now_ns;
	m->ran_ns = use->ran_ns;
	m->sensed = use->sensed;
	m->loud = false;
}

/*
 * needed() - Cpus @m needs, going by the window that ends now
 * @dense: an agent sees to it that work does not wait behind other work
 * @use: what the vcpus say at its end
 *
 * Return: never more than @owned.
 */
static uint16_t needed(struct slo_vm *m, uint16_t owned, bool dense,
		       const struct pick_use *use, uint64_t window_ns)
{
	uint64_t used_ns = use->ran_ns - m->ran_ns, cpus;
	unsigned percent = dense ? WINDOW_DENSE : WINDOW_USE;

	if (!m->sensed) {
		m->calm = m->loud ? 0 : m->calm + 1;
		if (m->calm < BLIND_WINDOWS)
			return owned;
		m->calm = 0;
		return owned ? owned - 1 : 0;
	}
	if (!used_ns && !use->runnable)
		return 0;
	if (m->loud)
		return owned;
	if (used_ns < window_ns / 100 * REST_PERCENT)
		return 0;
	cpus = 1 + used_ns / (window_ns / 100 * percent);
	return cpus < owned ? (uint16_t)cpus : owned;
}

/* because_idle() - The figures behind a give-back: how long @vm left idle what
 * it owns, of a window, and what was too long. */
static void because_idle(struct pick *k, uint16_t vm, uint64_t used_ns,
			 uint64_t window_ns)
{
	unsigned percent = k->s->vm[vm].hinted ? WINDOW_DENSE : WINDOW_USE;
	uint64_t owned = pick_owned(k, vm), enough_ns = window_ns / 100;

	enough_ns *= owned > 1 ? (owned - 1) * percent : REST_PERCENT;
	if (used_ns <= enough_ns)
		pick_because(k, owned * window_ns - used_ns,
			     owned * window_ns - enough_ns);
}

/* window_close() - Judge a window, give a cpu back, begin the next. */
static void window_close(struct pick *k, struct slo_vm *m, uint16_t vm)
{
	const struct vm_view *v = &k->s->vm[vm];
	uint64_t now_ns = k->s->now_ns;
	struct pick_use use = pick_use(k->s, vm);
	uint64_t used_ns, window_ns = now_ns - m->window_ns;
	uint16_t keep, cpu;
	bool wrong;

	/* cpu time went backwards: vcpus were unplugged or replaced */
	if (use.ran_ns < m->ran_ns || use.sensed != m->sensed) {
		m->spare = 0;
		window_open(m, now_ns, &use);
		return;
	}
	wrong = hint_judge(&m->trust, now_ns, use.ran_ns, pick_owned(k, vm),
			   WINDOW_DENSE);
	keep = needed(m, pick_owned(k, vm), v->hinted, &use, window_ns);
	if (wrong && keep == pick_owned(k, vm) && keep)
		keep--;
	if (keep < v->cpus_min)
		keep = v->cpus_min;
	m->spare = pick_owned(k, vm) > keep ? pick_owned(k, vm) - keep : 0;
	used_ns = use.ran_ns - m->ran_ns;
	window_open(m, now_ns, &use);
	if (!m->spare || m->trust.trying ||
	    (!wrong && now_ns - m->granted_ns < m->hold_ns))
		return;
	cpu = pick_loser(k, vm);
	if (cpu == CPU_NONE)
		return;
	if (m->sensed && !wrong)
		because_idle(k, vm, used_ns, window_ns);
	pick_drop(k, cpu, REASON_GIVE_BACK);
	m->spare--;
	m->gave_ns = wrong ? 0 : now_ns; /* doubt is its own remedy */
	m->grace_ns = v->hinted ? now_ns + GRACE_NS : 0;
}

bool window_matters(const struct pick *k, const struct slo_vm *m, uint16_t vm)
{
	return m->trust.trying || pick_owned(k, vm) > k->s->vm[vm].cpus_min;
}

void window_look(struct pick *k, struct slo_vm *m, uint16_t vm)
{
	struct pick_use use;

	if (!m->judged) {
		use = pick_use(k->s, vm);
		window_open(m, k->s->now_ns + vm % 64 * (WINDOW_NS / 64), &use);
		return;
	}
	/* signed: a first window begins in the future */
	if ((int64_t)(k->s->now_ns - m->window_ns) >= (int64_t)WINDOW_NS)
		window_close(k, m, vm);
}
