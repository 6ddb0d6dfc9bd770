/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.h - how much lateness a VM's SLO allows, how much of it is used, and
 * how thrifty one may therefore be with its cpus
 *
 * A p99 forgives one frame or answer in a hundred. A policy that lets none be
 * late buys cpus nobody asked for; one that does not count breaks the promise.
 * So count (vm_view.done, .late), and shift between gears: how long a VM keeps
 * a cpu it does not use at the moment.
 *
 *	burn = share of late ones / share its SLO allows; 1 = just kept
 *
 * Above 1 a period shifts down one gear, at once, without waiting for the
 * period's end when what is late already is over a whole period's allowance.
 * Below 0.3 three times running shifts up. A gear that had to be left
 * downwards is tried again after a time that doubles with each failure: a load
 * at the edge of two gears costs a few late answers every minute, not every
 * period.
 *
 * Pure; poll thread. Kept by policy_slo.c, one a VM.
 */
#ifndef HOSTD_POLICY_BUDGET_H
#define HOSTD_POLICY_BUDGET_H

#include "policy.h"

#define BUDGET_GEARS	3
#define BUDGET_START	2    /* where a VM with nothing counted stays */
#define BUDGET_BURN_ONE 1000 /* burn is in thousandths */
#define BUDGET_BURN_MAX 65535

/* What a cpu whose owner has halted is kept for: so many times what a move
 * takes. */
struct gear {
	uint16_t linger_moves;
};

struct budget {
	uint8_t gear;  /* 0 generous .. BUDGET_GEARS - 1 thrifty */
	uint8_t good;  /* periods in a row with little burn */
	uint8_t falls; /* times the next gear up had to be left */
	uint16_t burn; /* of the last whole period, thousandths */
	uint64_t begin_ns, done, late; /* when this period began */
	uint64_t retry_ns;	       /* no shift up before this */
	uint16_t permyriad;	       /* of which SLO all this is */
	uint64_t slo_ns;
};

/* budget_start() - A VM is new, or its SLO is another one. */
void budget_start(struct budget *b, const struct vm_view *v, uint64_t now_ns);

/* budget_pause() - What is late now does not count: begin a period. */
void budget_pause(struct budget *b, const struct vm_view *v, uint64_t now_ns);

/*
 * budget_turn() - Look at the counts; call whenever the VM is looked at
 * Return: true when a period has just ended in which more was late than may be.
 */
bool budget_turn(struct budget *b, const struct vm_view *v, uint64_t now_ns);

/* budget_thriftiest() - What holds in the gear that keeps least. */
const struct gear *budget_thriftiest(void);

/* budget_gear() - What holds in the gear @b is in. */
const struct gear *budget_gear(const struct budget *b);

#endif
