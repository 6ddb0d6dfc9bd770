// SPDX-License-Identifier: Apache-2.0
/*
 * costs.c - what things cost on the simulated host
 *
 * The defaults are a bare-metal host of today with the kernel module moving
 * cpus, from published figures; `hostsim calibrate` measures the machine it
 * runs on instead. Sources:
 *	wake	IPI, leaving C1 and a VM entry, 3-5 us on bare metal; 42 us
 *		were measured on a virtual machine, where all three nest
 *	switch	context switch between two vcpu threads with their exits:
 *		about 2 us (VM exit 1,000-1,500 cycles, state, VM entry)
 *	preempt	the IPI and the exit it forces
 *	move	ksched's batch ioctl: from the plan to the cpus' own part
 *	refill	48 KB of L1 and some hundred KB of L2 from L3: a few hundred
 *		lines a microsecond; far: the same from memory or another L3
 *	cold	Caladan counts a cache as lost after 100 us of somebody else
 *	agent	the guest's bell and its agent's turn: an interrupt, a wake-up,
 *		sched_setaffinity() (an IPI in the guest)
 *	slice	Linux 6.6 and later: 0.7 ms times 1 + log2(cpus), 8 cpus at most
 *	wakeup	of its turn a vcpu keeps the cpu for so long although somebody
 *		with a better claim has woken up: nothing on 6.1, which favours
 *		who has slept, and nothing measurable on 6.18 (`calibrate`, and
 *		a spinner with 2 shares beside a server: p99 of a ping 0.3 ms)
 *	balance	a busy cpu looks around every so many ms
 *	smt	two busy siblings do 1.2 to 1.3 times the work of one
 *	remote	the next socket's memory, 1.5 to 1.7 times the latency
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "costs.h"
#include "value.h"

#define US 1000ull
#define MS 1000000ull

#define COST_MAX_NS 1000000000ull

const struct sim_costs sim_costs_default = {
	.wake_ns = 5 * US,
	.switch_ns = 2 * US,
	.preempt_ns = 3 * US,
	.move_ns = 2 * US,
	.move_next_ns = 200,
	.refill_ns = 5 * US,
	.refill_far_ns = 20 * US,
	.cold_ns = 100 * US,
	.agent_ns = 50 * US,
	.slice_ns = 2800 * US,
	.wakeup_ns = 0,
	.balance_ns = 4 * MS,
	.smt_speed = 620,
	.remote_speed = 800,
};

static const struct {
	const char *name;
	size_t offset;
	bool is_speed; /* permille, else a time */
} field[] = {
	{ "wake", offsetof(struct sim_costs, wake_ns), false },
	{ "switch", offsetof(struct sim_costs, switch_ns), false },
	{ "preempt", offsetof(struct sim_costs, preempt_ns), false },
	{ "move", offsetof(struct sim_costs, move_ns), false },
	{ "move-next", offsetof(struct sim_costs, move_next_ns), false },
	{ "refill", offsetof(struct sim_costs, refill_ns), false },
	{ "refill-far", offsetof(struct sim_costs, refill_far_ns), false },
	{ "cold", offsetof(struct sim_costs, cold_ns), false },
	{ "agent", offsetof(struct sim_costs, agent_ns), false },
	{ "slice", offsetof(struct sim_costs, slice_ns), false },
	{ "wakeup", offsetof(struct sim_costs, wakeup_ns), false },
	{ "balance", offsetof(struct sim_costs, balance_ns), false },
	{ "smt", offsetof(struct sim_costs, smt_speed), true },
	{ "remote", offsetof(struct sim_costs, remote_speed), true },
};

#define FIELDS (sizeof(field) / sizeof(field[0]))

/* A scheduler whose turns take no time would never get on. */
static bool is_sane(const struct sim_costs *c)
{
	return c->slice_ns >= 10 * US && c->balance_ns >= 10 * US &&
	       c->cold_ns >= US && c->smt_speed && c->remote_speed;
}

int costs_set(struct sim_costs *c, const char *key, const char *value)
{
	struct sim_costs new = *c;
	uint64_t n;

	for (size_t i = 0; i < FIELDS; i++) {
		char *at = (char *)&new + field[i].offset;

		if (strcmp(field[i].name, key))
			continue;
		if (field[i].is_speed) {
			if (!value_percent(&value, 1000, 1000, &n))
				return -EINVAL;
			*(uint32_t *)at = (uint32_t)n;
		} else {
			if (!value_time(&value, COST_MAX_NS, &n))
				return -EINVAL;
			*(uint64_t *)at = n;
		}
		if (!value_end(value) || !is_sane(&new))
			return -EINVAL;
		*c = new;
		return 0;
	}
	return -ENOENT;
}

void costs_print(const struct sim_costs *c, FILE *to)
{
	for (size_t i = 0; i < FIELDS; i++) {
		const char *at = (const char *)c + field[i].offset;

		if (field[i].is_speed)
			fprintf(to, "%s = %" PRIu32 ".%" PRIu32 "%%\n",
				field[i].name, *(const uint32_t *)at / 10,
				*(const uint32_t *)at % 10);
		else
			fprintf(to, "%s = %" PRIu64 "ns\n", field[i].name,
				*(const uint64_t *)at);
	}
}
