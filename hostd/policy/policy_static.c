// SPDX-License-Identifier: Apache-2.0
/*
 * policy_static.c - dedicated cpus: what operators do today
 *
 * Every latency-critical VM gets its cpus_min, then, one cpu a VM in turn, as
 * many of its cpus_max as there are cpus, and keeps them whether it uses them
 * or not. No signal is looked at. Cpus move only when a VM comes or goes, a
 * vcpu is plugged, or the configuration changes. The yardstick for the others:
 * the best latency a VM can have, at the price of the most cpus.
 *
 * It does badly where VMs are many or their load varies: late arrivals find
 * nothing but their minimum, and idle cpus serve only harvesters.
 */
#include "pick.h"

/* share_out() - One more cpu for every VM that may have it.
 * Return: whether any cpu changed hands. */
static bool share_out(struct pick *k)
{
	const struct snapshot *s = k->s;
	uint16_t cpu, vcpu;
	bool any = false;

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		if (!pick_is_lc(s, vm) ||
		    pick_owned(k, vm) >= s->vm[vm].cpus_max)
			continue;
		if (pick_vcpu(k, vm, CPU_NONE, PICK_ANY) == VCPU_NONE)
			continue;
		cpu = pick_cpu(k, vm, PICK_ANY);
		if (cpu == CPU_NONE)
			return false;
		vcpu = pick_vcpu(k, vm, cpu, PICK_ANY);
		pick_give(k, cpu, vcpu, REASON_SPARE);
		any = true;
	}
	return any;
}

static void static_decide(void *state, const struct snapshot *s, struct plan *p)
{
	struct pick k;

	(void)state;
	pick_begin(&k, s, p);
	pick_guarantee(&k);
	pick_trim(&k);
	while (!cpumask_empty(&k.free) && share_out(&k))
		;
	pick_end(&k);
}

const struct policy_ops policy_static = {
	.name = "static",
	.about = "dedicated cpus: cpus-max each, as many as fit, for good",
	.tells_agents = true,
	.state_bytes = 0,
	.decide = static_decide,
};
