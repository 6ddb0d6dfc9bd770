// SPDX-License-Identifier: Apache-2.0
/*
 * policy_numa.c - slo, and who spilled to another node goes home
 *
 * The idea. A cpu on another node than a VM's memory waits longer for each line
 * that is not in its caches, half as long again and more. slo looks for a cpu
 * on the VM's own node first and spills to the next one by distance when there
 * is none; but what it gave it leaves where it is until it goes back. Where VMs
 * keep cpus for long (a minimum, steady load, an agent) that may be for good:
 * so go home when a cpu is free there again (home.h). It costs moves. Where a
 * VM's memory is, hostd finds out (hostd/node.h); a VM whose memory is all over
 * the place has no home, and its cpus are near each other.
 *
 * Guarantees come first all the same, and cpus in trouble's name are taken from
 * whoever can spare one, wherever that is: a far cpu now is better than none.
 */
#include "home.h"
#include "policy_slo.h"

struct numa_state {
	struct slo_state slo;
	struct home_state home;
};

static void numa_decide(void *state, const struct snapshot *s, struct plan *p)
{
	struct numa_state *st = state;
	struct pick k;

	pick_begin(&k, s, p);
	slo_pass(&st->slo, &k);
	home_pass(&st->home, &k);
	pick_end(&k);
	cores_pass(&st->slo.cores, s, p);
}

const struct policy_ops policy_numa = {
	.name = "numa",
	.about = "slo, and who spilled to another node goes home",
	.tells_agents = true,
	.state_bytes = sizeof(struct numa_state),
	.decide = numa_decide,
};
