// SPDX-License-Identifier: Apache-2.0
/*
 * pick_homed.c - ours, hl/picker.h, with every check it makes
 */
#include "tests/bench/pick_algo.h"

#include "hl/picker.h"

struct algo {
	struct picker picker;
};

static size_t algo_bytes(const struct pick_host *host)
{
	return picker_bytes(host->member_cnt);
}

static void algo_init(struct algo *a, const struct pick_host *host)
{
	picker_init(&a->picker, host->cpu_cnt, host->member_cnt, host->sibling,
		    host->llc);
}

static inline void algo_join(struct algo *a, uint16_t member)
{
	picker_join(&a->picker, member);
}

static inline void algo_leave(struct algo *a, uint16_t member)
{
	picker_leave(&a->picker, member);
}

static inline void algo_idle(struct algo *a, uint16_t member, uint16_t cpu)
{
	picker_idle(&a->picker, member, cpu);
}

static inline uint16_t algo_pick(struct algo *a, uint16_t cpu)
{
	return picker_pick(&a->picker, cpu);
}

#include "tests/bench/pick_replay.h"

const struct pick_algo pick_homed = PICK_ALGO("homed");
