// SPDX-License-Identifier: Apache-2.0
/*
 * model_smartharvest.c - predict how many cpus a VM will need, lend the rest
 *
 * SmartHarvest (Wang et al., EuroSys 2021) takes from VMs what they will not
 * need in the next moments, and from nothing but how many of their cpus are
 * busy. The constants are the paper's, as we remember them (it has no public
 * code):
 *  - it looks every 50 us, and predicts every 25 ms;
 *  - from least, most, mean, deviation and median of busy cpus in one window,
 *    a cost-sensitive one-against-all classifier, learning as it goes, says
 *    how many there will be at most in the next. A linear regression for each
 *    answer predicts what that answer would cost, the cheapest one is taken.
 *    A cpu too many costs 1; too few costs what the VM may have, and 1 for
 *    each that was missing;
 *  - short-term safeguard: all cpus of a VM busy, so the prediction was
 *    too low: the window ends now, and for the next one the VM has what it
 *    needed at most in the last second, and one more;
 *  - long-term safeguard: more than one look in 100 finds a vcpu that has
 *    waited for a cpu since the look before: nothing is lent for 10 s.
 *
 * Better than the paper's: a vcpu that waits counts as one that wants a cpu,
 * so that demand above what is owned is seen; each VM is predicted by itself,
 * so that no VM takes another one's cpus (theirs share one pool, which can do
 * with fewer). The paper moves cpus within tens to hundreds of microseconds,
 * this at ksched's speed.
 *
 * Left out: VMs whose cpus are not lent at all. Where VMs may have more cpus
 * together than there are, which does not happen there, what is there is
 * divided evenly among those that need it (model_fit).
 */
#include <math.h>
#include <string.h>

#include "hl/sensor.h"
#include "model.h"

#define LOOK_NS	  SMARTHARVEST_POLL_NS
#define WINDOW_NS SMARTHARVEST_WINDOW_NS
#define PEAKS	  40 /* windows in a second */
#define STOP_NS	  10000000000ull
#define WAITS_MAX (PEAKS * WINDOW_NS / LOOK_NS / 100)
#define RATE	  0.1f

#define CLASSES 65 /* 0 to 64 cpus; a VM of more keeps those */

enum feature {
	LEAST,
	MOST,
	MEAN,
	DEVIATION,
	MEDIAN,
	ONE, /* of a linear function, what does not depend on the others */
	FEATURES,
};

struct harvest_vm {
	bool live, told;      /* told: the last window ended with features */
	uint16_t most;	      /* cpus it may have: the largest answer */
	uint16_t target;      /* cpus it shall have now */
	uint16_t busy;	      /* at the last look */
	uint64_t began_ns;    /* this window */
	uint64_t seen_ns;     /* the last look */
	uint32_t looks;	      /* in this window */
	uint32_t at[CLASSES]; /* of these, so many found n busy */
	uint16_t peak[PEAKS]; /* most of the last windows */
	uint16_t turn;
	uint64_t second_ns; /* when counting of waits began */
	uint32_t waits;	    /* looks since then that found one */
	uint64_t stop_ns;   /* nothing is lent until then */
	float x[FEATURES];  /* of the last window */
	float w[CLASSES][FEATURES];
};

struct harvest_state {
	struct harvest_vm vm[VM_MAX];
};

/* busy() - How many vcpus run or want to. */
static uint16_t busy(const struct snapshot *s, uint16_t vm)
{
	const struct vm_view *v = &s->vm[vm];
	unsigned end = v->first_vcpu + (unsigned)v->vcpu_cnt;
	uint16_t cnt = 0;

	for (unsigned i = v->first_vcpu; i < end && i < s->vcpu_cnt; i++)
		cnt += s->vcpu[i].vm == vm && s->vcpu[i].run != VCPU_RUN_HALTED;
	return cnt;
}

static float dot(const float w[FEATURES], const float x[FEATURES])
{
	float sum = 0;

	for (int i = 0; i < FEATURES; i++)
		sum += w[i] * x[i];
	return sum;
}

/* learn() - @peak was the most; last window's features should have said so. */
static void learn(struct harvest_vm *m, unsigned peak)
{
	float n = m->most, cost, step, norm = dot(m->x, m->x);

	for (unsigned c = 0; c <= m->most; c++) {
		cost = c >= peak ? (float)(c - peak) : n + (float)(peak - c);
		step = RATE * (cost / n - dot(m->w[c], m->x)) / norm;
		for (int i = 0; i < FEATURES; i++)
			m->w[c][i] += step * m->x[i];
	}
}

/* predict() - The cheapest answer; of two, the one with more cpus. */
static uint16_t predict(const struct harvest_vm *m)
{
	uint16_t best = m->most;

	for (uint16_t c = m->most; c-- > 0;)
		if (dot(m->w[c], m->x) < dot(m->w[best], m->x))
			best = c;
	return best;
}

/* describe() - Features @x of the window that ends. Return: its most. */
static unsigned describe(const struct harvest_vm *m, float x[FEATURES])
{
	unsigned least = m->most, most = 0, median = 0, below = 0;
	float sum = 0, squares = 0, n = m->most, looks = (float)m->looks;

	for (unsigned c = 0; c <= m->most; c++) {
		if (!m->at[c])
			continue;
		least = c < least ? c : least;
		most = c;
		if (below * 2 < m->looks)
			median = c;
		below += m->at[c];
		sum += (float)m->at[c] * (float)c;
		squares += (float)m->at[c] * (float)(c * c);
	}
	squares = squares / looks - sum / looks * sum / looks;
	x[LEAST] = (float)least / n;
	x[MOST] = (float)most / n;
	x[MEAN] = sum / looks / n;
	x[DEVIATION] = squares > 0 ? sqrtf(squares) / n : 0;
	x[MEDIAN] = (float)median / n;
	x[ONE] = 1;
	return most;
}

/* window_end() - Learn from it and start anew. Return: cpus for the next. */
static uint16_t window_end(struct harvest_vm *m, uint64_t now_ns)
{
	float x[FEATURES];
	unsigned most = describe(m, x);

	if (m->told)
		learn(m, most);
	memcpy(m->x, x, sizeof(x));
	m->told = true;
	m->peak[m->turn++ % PEAKS] = (uint16_t)most;
	m->began_ns = now_ns;
	m->looks = 0;
	memset(m->at, 0, sizeof(m->at));
	return predict(m);
}

static uint16_t peak_of_second(const struct harvest_vm *m)
{
	uint16_t peak = 0;

	for (unsigned i = 0; i < PEAKS; i++)
		peak = m->peak[i] > peak ? m->peak[i] : peak;
	return peak;
}

/* safe_long() - Count looks that find a wait; stop lending when too many. */
static void safe_long(struct harvest_vm *m, const struct vm_view *v,
		      uint64_t now_ns, uint32_t looks)
{
	if (v->ready_ns >= LOOK_NS)
		m->waits += looks;
	if (now_ns - m->second_ns < PEAKS * WINDOW_NS)
		return;
	if (m->waits > WAITS_MAX)
		m->stop_ns = now_ns + STOP_NS;
	m->second_ns = now_ns;
	m->waits = 0;
}

/* look() - One look at one VM; sets its target. A look at a host where nothing
 * changes is left out by who calls us. */
static void look(struct harvest_vm *m, const struct snapshot *s, uint16_t vm)
{
	const struct vm_view *v = &s->vm[vm];
	uint16_t most = model_clamp(v, CLASSES - 1), cnt;
	uint32_t looks;

	if (!m->live || m->most != most) {
		*m = (struct harvest_vm){ .live = true,
					  .most = most,
					  .target = most,
					  .began_ns = s->now_ns,
					  .seen_ns = s->now_ns,
					  .second_ns = s->now_ns };
		return;
	}
	looks = (uint32_t)((s->now_ns - m->seen_ns + LOOK_NS / 2) / LOOK_NS);
	if (!looks || !most)
		return;
	m->seen_ns = s->now_ns;
	cnt = busy(s, vm);
	/* looks that were left out, for nothing had changed before this one */
	m->at[m->busy < most ? m->busy : most] += looks - 1;
	m->at[cnt < most ? cnt : most]++;
	m->looks += looks;
	m->busy = cnt;
	safe_long(m, v, s->now_ns, looks);
	if (cnt >= v->owned && v->owned < most) {
		window_end(m, s->now_ns);
		m->target = peak_of_second(m) + 1;
	} else if (s->now_ns - m->began_ns >= WINDOW_NS) {
		m->target = window_end(m, s->now_ns);
	}
	if (s->now_ns < m->stop_ns)
		m->target = most;
	m->target = model_clamp(v, m->target);
}

static void smartharvest_decide(void *state, const struct snapshot *s,
				struct plan *p)
{
	struct harvest_state *st = state;
	uint16_t target[VM_MAX] = { 0 };
	struct pick k;

	pick_begin(&k, s, p);
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		if (!pick_is_lc(s, vm)) {
			st->vm[vm].live = false;
			continue;
		}
		look(&st->vm[vm], s, vm);
		target[vm] = st->vm[vm].target;
	}
	model_fit(&k, target);
	pick_end(&k);
}

const struct policy_ops model_smartharvest = {
	.name = "smartharvest",
	.about =
	    "cpus a VM will need in the next 25 ms, learned; the rest lent",
	.state_bytes = sizeof(struct harvest_state),
	.decide = smartharvest_decide,
};
