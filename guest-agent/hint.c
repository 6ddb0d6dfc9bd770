// SPDX-License-Identifier: Apache-2.0
/*
 * hint.c - what the workers are up to, for the host and for place
 *
 * Theory of operation: the kernel's two counters of a thread say how long it
 * ran and how long it was runnable and waited. The second grows only when the
 * wait is over, so a thread that waits now is one that is runnable (state R)
 * and whose counters stand still; it has waited at least since it was first
 * seen so. A thread that runs moves its counter with each tick of its vcpu's
 * timer, 10 ms at the slowest.
 *
 * From one look to the next a worker used or wanted so much of a vcpu:
 * (ran + waited) / time, 1 at most; 1 when it waited throughout; 1 at the first
 * look when it is runnable. The mean of those looked at, times all workers, is
 * what they could use. Waits are those seen in this tick: an older one may be
 * over. Runnable are those that were at their last look.
 *
 * Counters that run backwards are another thread's: as if never seen.
 */
#include "hint.h"

#include <errno.h>

#define USEC_NS	     1000ull
#define WAIT_LONG_US 1000   /* the host should know */
#define SHARE_ONE    65536u /* of a vcpu */

/* What one tick adds up. */
struct tick {
	uint64_t share; /* of those looked at, SHARE_ONE a vcpu */
	uint32_t looked;
	uint32_t wait_us;
};

static bool known(const struct worker *w, const struct look *l, uint64_t now_ns)
{
	return w->seen_ns && now_ns > w->seen_ns && l->run_ns >= w->run_ns &&
	       l->wait_ns >= w->wait_ns;
}

/* Part of a vcpu that @w used or wanted since its last look. */
static uint32_t share_of(const struct worker *w, const struct look *l,
			 uint64_t now_ns)
{
	uint64_t span_ns = now_ns - w->seen_ns;
	uint64_t run_ns = l->run_ns - w->run_ns;
	uint64_t wait_ns = l->wait_ns - w->wait_ns;

	if (run_ns >= span_ns || wait_ns >= span_ns - run_ns)
		return SHARE_ONE;
	if (!run_ns && !wait_ns && l->runnable && w->since_ns)
		return SHARE_ONE;
	/* span_ns < 2^47: shift instead of a wide product */
	while (span_ns >> 47) {
		span_ns >>= 1;
		run_ns >>= 1;
		wait_ns >>= 1;
	}
	return (uint32_t)((run_ns + wait_ns) * SHARE_ONE / span_ns);
}

/* Take a look into the table. Return: its share of a vcpu. */
static uint32_t take(struct worker *w, const struct look *l, uint64_t now_ns)
{
	bool moved = true;
	uint32_t share;

	if (known(w, l, now_ns)) {
		moved = l->run_ns != w->run_ns || l->wait_ns != w->wait_ns;
		share = share_of(w, l, now_ns);
		w->ran = l->run_ns != w->run_ns;
	} else {
		share = l->runnable ? SHARE_ONE : 0;
		w->ran = false;
	}
	if (!l->runnable)
		w->since_ns = 0;
	else if (moved || !w->since_ns)
		w->since_ns = now_ns;
	w->run_ns = l->run_ns;
	w->wait_ns = l->wait_ns;
	w->seen_ns = now_ns;
	w->last_vcpu = l->vcpu;
	return share;
}

static uint32_t waited_us(const struct worker *w, uint64_t now_ns)
{
	uint64_t us;

	if (!w->since_ns || now_ns <= w->since_ns)
		return 0;
	us = (now_ns - w->since_ns) / USEC_NS;
	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static void look_at(struct hints *h, struct table *t, uint16_t slot,
		    const struct hint_reader *r, uint64_t now_ns,
		    struct tick *sum)
{
	struct worker *w = &t->worker[slot];
	struct look l = { 0 };
	uint32_t wait_us;
	int err = r->look(r->arg, w, &l);

	if (err == -ESRCH)
		h->gone[h->gone_cnt++] = slot;
	if (err)
		return;
	sum->share += take(w, &l, now_ns);
	sum->looked++;
	wait_us = waited_us(w, now_ns);
	if (wait_us > sum->wait_us)
		sum->wait_us = wait_us;
	if (l.vcpu < AGENT_VCPUS && wait_us > h->vcpu[l.vcpu].wait_us)
		h->vcpu[l.vcpu].wait_us = wait_us;
}

/* Up to HINT_LOOKS_MAX workers from the turn on, each slot once. */
static void look_around(struct hints *h, struct table *t,
			const struct hint_reader *r, uint64_t now_ns,
			struct tick *sum)
{
	uint16_t slot = h->turn < t->high ? h->turn : 0;
	unsigned looks = 0;

	for (unsigned n = 0; n < t->high && looks < HINT_LOOKS_MAX; n++) {
		if (t->worker[slot].tid) {
			look_at(h, t, slot, r, now_ns, sum);
			looks++;
		}
		if (++slot >= t->high)
			slot = 0;
	}
	h->turn = slot;
}

/* What all workers were at their last look. */
static void count(struct hints *h, const struct table *t)
{
	for (unsigned i = 0; i < t->high; i++) {
		const struct worker *w = &t->worker[i];

		if (!w->tid)
			continue;
		h->any_ran |= w->ran || w->since_ns;
		if (!w->since_ns)
			continue;
		h->all.runnable++;
		if (w->last_vcpu < AGENT_VCPUS)
			h->vcpu[w->last_vcpu].runnable++;
	}
	h->all.workers = t->count;
}

static uint16_t wanted(const struct tick *sum, uint16_t workers,
		       uint16_t runnable, uint16_t vcpu_cnt)
{
	uint64_t n = 0;

	/* at most WORKER_MAX * 64 * SHARE_ONE: fits */
	if (sum->looked)
		n = (sum->share * workers / sum->looked + SHARE_ONE - 1) /
		    SHARE_ONE;
	if (!n && runnable)
		n = 1;
	if (vcpu_cnt && n > vcpu_cnt)
		n = vcpu_cnt;
	return (uint16_t)n;
}

void hint_tick(struct hints *h, struct table *t, const struct grants *grants,
	       const struct hint_reader *r, uint64_t now_ns)
{
	const struct agent_hint was = h->all;
	struct tick sum = { 0 };

	h->all = (struct agent_hint){ .flags = was.flags };
	for (unsigned v = 0; v < AGENT_VCPUS; v++)
		h->vcpu[v] = (struct agent_hint_vcpu){ .ack = grants->word[v] };
	h->gone_cnt = 0;
	h->any_ran = false;
	look_around(h, t, r, now_ns, &sum);
	count(h, t);
	h->all.wait_us = sum.wait_us;
	h->all.wanted =
	    wanted(&sum, t->count, h->all.runnable, grants->vcpu_cnt);
	h->urgent =
	    h->all.wanted > was.wanted ||
	    (h->all.wait_us > WAIT_LONG_US && was.wait_us <= WAIT_LONG_US);
}
