// SPDX-License-Identifier: Apache-2.0
/*
 * models.c - what can be compared: hostd's policies, what users have, a bound
 *
 * The first lines are hostd's own, the objects hostd runs. Those after them
 * are what operators have today or could build from a paper; model_*.c say
 * how well each is modelled. The last is no policy but a bound.
 */
#include <string.h>

#include "model.h"
#include "sim.h"

#define US 1000ull
#define MS 1000000ull

/* hostd decides this often: the default of hostd.conf's interval. */
#define HOSTD_NS (20 * US)

const struct sim_policy sim_policies[] = {
	{ .name = "slo",
	  .about = "hostd's default: each VM's target with the fewest cpus",
	  .ops = &policy_slo,
	  .interval_ns = HOSTD_NS },
	{ .name = "simple",
	  .about = "hostd's other one: Shenango's rule for VMs",
	  .ops = &policy_simple,
	  .interval_ns = HOSTD_NS },
	{ .name = "ias",
	  .about = "slo, and harvesters kept from slowing owners down",
	  .ops = &policy_ias,
	  .interval_ns = HOSTD_NS },
	{ .name = "numa",
	  .about = "slo, and cpus near the VM's memory",
	  .ops = &policy_numa,
	  .interval_ns = HOSTD_NS },
	/* What users have. */
	{ .name = "dedicated",
	  .about = "so many cpus for each VM, for good (hostd's static)",
	  .ops = &policy_static,
	  .interval_ns = MS },
	{ .name = "equal",
	  .about = "a fair scheduler, all VMs alike",
	  .mode = SIM_SHARES,
	  .lc_weight = 1 },
	{ .name = "shares",
	  .about = "a fair scheduler, libvirt's shares as far apart as may be",
	  .mode = SIM_SHARES,
	  /* cgroup v2: 1 to 10,000; v1 goes from 2 to 262,144 */
	  .lc_weight = 10000 },
	{ .name = "smartharvest",
	  .about = "SmartHarvest: need of the next 25 ms, learned",
	  .ops = &model_smartharvest,
	  .interval_ns = SMARTHARVEST_POLL_NS,
	  .warmup_ns = 2000 * MS }, /* it has learned by then */
	{ .name = "parties",
	  .about = "PARTIES: every 500 ms a step by the clients' tail",
	  .ops = &model_parties,
	  .interval_ns = PARTIES_INTERVAL_NS,
	  .warmup_ns = 10000 * MS, /* twenty steps */
	  .answered = parties_answered },
	{ .name = "caladan",
	  .about = "Caladan: every 10 us, congested after 10 us",
	  .ops = &model_caladan,
	  .interval_ns = CALADAN_INTERVAL_NS,
	  .meter_ns = CALADAN_INTERVAL_NS },
	{ .name = "oracle",
	  .about = "clairvoyant: earliest deadline first, free of cost",
	  .mode = SIM_ORACLE },
	{ .name = NULL },
};

const struct sim_policy *sim_policy_find(const char *name)
{
	for (const struct sim_policy *p = sim_policies; p->name; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}
