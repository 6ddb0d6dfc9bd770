/* SPDX-License-Identifier: Apache-2.0 */
/*
 * share.h - how much of a server's run time was spent on granted vcpus
 *
 * Pure. Time is cut into stretches, at whose ends somebody looked at the words
 * that say which vcpus are granted (hl/agent.h). Only stretches count in which
 * at least one vcpu was granted and not all were: otherwise there is nothing to
 * get right or wrong. A run within a stretch in which its vcpu's word changed
 * is neither on nor off but unsure: share_low() counts it against the guest,
 * share_high() for it.
 */
#ifndef LOAD_SHARE_H
#define LOAD_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/agent.h"

/* What is known of the grants at one moment. */
struct share_look {
	uint64_t at_ns;
	uint16_t vcpu_cnt;
	uint64_t word[AGENT_VCPUS];
};

#define SHARE_AGES 4 /* up to 10 ms, 100 ms, 1 s, more */

struct share {
	uint64_t on_ns, off_ns, unsure_ns; /* run time, where it counts */
	uint64_t counted_ns, all_ns;	   /* of the clock */
	uint64_t changes;		   /* words that differed */
	uint64_t changed_ns;		   /* when the last one did */
	uint64_t off_age_ns[SHARE_AGES];   /* off_ns, by the time since then */
	uint64_t gap_max_ns;		   /* longest stretch */
	uint64_t granted_ns[AGENT_VCPUS + 1]; /* of the clock, by how many */
};

/* share_granted() - Return: how many vcpus were granted. */
unsigned share_granted(const struct share_look *look);

/* share_stretch() - Account for the clock between two looks. */
void share_stretch(struct share *s, const struct share_look *from,
		   const struct share_look *to);

/* share_run() - The server ran @run_ns on @vcpu between two looks. */
void share_run(struct share *s, const struct share_look *from,
	       const struct share_look *to, unsigned vcpu, uint64_t run_ns);

/* share_low(), share_high() - Return: 0 to 1; -1 when nothing ran that counts.
 */
double share_low(const struct share *s);
double share_high(const struct share *s);

#endif
