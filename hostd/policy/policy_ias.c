// SPDX-License-Identifier: Apache-2.0
/*
 * policy_ias.c - slo, and harvesters that do not get in the way
 *
 * The idea, Caladan's (its policy "interference-aware scheduling" gave the
 * name): cpus cannot be divided alone. What best-effort VMs do on cpus nobody
 * needs slows down those who need theirs, by the core they share and by the
 * memory they share; and it does so within microseconds, so that no fixed
 * partition is right for long. So best-effort VMs use everything, until they
 * are seen to hurt; then the one that does, or all of them at the place where
 * it hurts, step back, and come again when it is over.
 *
 * slo decides who owns what. Then two stages decide where best-effort VMs do
 * not ride: beside a cpu whose owner is in trouble (sibling.h), and on so many
 * cpus that memory bandwidth runs out (bandwidth.h). They change no owner. A
 * stage without its signal does nothing: no SMT, no bars for siblings; no meter
 * or no limit of a node's traffic, none for bandwidth.
 *
 * Not taken over from Caladan: whole cores as guarantees, and time slices among
 * best-effort tasks, which the kernel's scheduler does here.
 */
#include "bandwidth.h"
#include "policy_slo.h"
#include "sibling.h"

struct ias_state {
	struct slo_state slo;
	struct sibling_state sibling;
	struct bandwidth_state bandwidth;
	struct cpumask slo_off; /* what slo bars all best-effort VMs from */
};

/* slo_bars() - Did slo bar all best-effort VMs from other cpus than before? */
static bool slo_bars(struct ias_state *st, const struct plan *p)
{
	for (unsigned i = 0; i < p->bar_cnt && i < BAR_MAX; i++) {
		if (p->bar[i].vm != VM_NONE)
			continue;
		st->slo_off = p->bar[i].cpus;
		return true;
	}
	return false;
}

static void ias_decide(void *state, const struct snapshot *s, struct plan *p)
{
	struct ias_state *st = state;
	struct cpumask off;
	enum reason why;
	struct pick k;
	bool again;

	pick_begin(&k, s, p);
	slo_pass(&st->slo, &k);
	pick_end(&k);
	again = slo_bars(st, p);
	why = sibling_pass(&st->sibling, s);
	off = cpumask_or(st->sibling.off, &st->slo_off);
	if (why != REASON_NONE)
		plan_bar(p, VM_NONE, &off, why);
	else if (again)
		plan_bar(p, VM_NONE, &off, REASON_HARVESTER);
	bandwidth_pass(&st->bandwidth, s, &off, p);
}

const struct policy_ops policy_ias = {
	.name = "ias",
	.about = "slo, and best-effort VMs keep off where they hurt others",
	.tells_agents = true,
	.state_bytes = sizeof(struct ias_state),
	.decide = ias_decide,
};
