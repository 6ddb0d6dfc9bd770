/* SPDX-License-Identifier: Apache-2.0 */
/*
 * response.h - from a request that enters a VM to the first answer that leaves
 *
 * One for each port of a VM; the poll thread owns it. Pure.
 */
#ifndef VHOST_RESPONSE_H
#define VHOST_RESPONSE_H

#include "vhost/flow.h"
#include "vhost/score.h"

/* A request that nobody answered for so long is none. Not less than the
 * largest target an SLO can have (slo-p99 in hostd.conf). */
#define RESPONSE_LOST_NS 10000000000ull

struct response {
	struct score *score; /* NULL: nobody wants to know */
	struct flow_table waiting;
};

/*
 * response_init() - Nothing is measured yet
 * @set: FLOW_SETS zeroed sets, the caller's memory
 * @seed: random
 */
void response_init(struct response *r, struct flow_set *set,
		   const uint64_t seed[2]);

/* response_set() - Results go to @score from now on; NULL: measure nothing. */
void response_set(struct response *r, struct score *score);

/*
 * response_asked() - A frame entered the VM at @now_ns, which is not 0
 * Return: false when too many flows wait and another one was given up for it.
 */
bool response_asked(struct response *r, const struct flow *f, uint64_t now_ns);

/* response_answered() - A frame came from the VM at @now_ns. */
void response_answered(struct response *r, const struct flow *f,
		       uint64_t now_ns);

#endif
