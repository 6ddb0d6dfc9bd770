// SPDX-License-Identifier: Apache-2.0
/*
 * policy.c - the table of policies, the names of reasons, and plan_add()
 */
#include "policy.h"

const struct policy_ops *const policy_table[] = {
	&policy_slo,	&policy_ias,  &policy_numa, &policy_simple,
	&policy_static, &policy_none, NULL,
};

static const char *const reason_name[] = {
	[REASON_NONE] = "none",		  [REASON_GUARANTEE] = "guarantee",
	[REASON_DELAY] = "delay",	  [REASON_READY_WAIT] = "ready-wait",
	[REASON_HELD] = "held",		  [REASON_PREEMPTED] = "preempted",
	[REASON_GIVE_BACK] = "give-back", [REASON_SPARE] = "spare",
	[REASON_HINT] = "hint",		  [REASON_BUDGET] = "budget",
	[REASON_HOME] = "home",		  [REASON_HARVESTER] = "harvester",
	[REASON_SIBLING] = "sibling",	  [REASON_BANDWIDTH] = "bandwidth",
	[REASON_RELIEF] = "relief",	  [REASON_GONE] = "gone",
};

_Static_assert(sizeof(reason_name) / sizeof(reason_name[0]) == REASON_NUM,
	       "every reason has a name");

static bool same_text(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

const struct policy_ops *policy_find(const char *name)
{
	for (const struct policy_ops *const *p = policy_table; *p; p++)
		if (same_text((*p)->name, name))
			return *p;
	return NULL;
}

const char *policy_reason_name(unsigned reason)
{
	return reason < REASON_NUM ? reason_name[reason] : "unknown";
}

bool plan_add(struct plan *p, uint16_t cpu, uint16_t vcpu, enum reason why)
{
	if (p->count >= CPU_MAX)
		return false;
	p->grant[p->count++] =
	    (struct grant){ .cpu = cpu, .vcpu = vcpu, .reason = (uint16_t)why };
	return true;
}

bool plan_bar(struct plan *p, uint16_t vm, const struct cpumask *cpus,
	      enum reason why)
{
	unsigned i = 0;

	while (i < p->bar_cnt && p->bar[i].vm != vm)
		i++;
	if (i >= BAR_MAX)
		return false;
	if (i == p->bar_cnt)
		p->bar_cnt++;
	p->bar[i] =
	    (struct bar){ .vm = vm, .reason = (uint16_t)why, .cpus = *cpus };
	return true;
}
