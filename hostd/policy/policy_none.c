// SPDX-License-Identifier: Apache-2.0
/*
 * policy_none.c - observe, plan nothing
 *
 * For a first day on a host: every signal is measured and shown, no cpu
 * changes hands, not even one whose owner is gone.
 */
#include "policy.h"

static void none_decide(void *state, const struct snapshot *s, struct plan *p)
{
	(void)state;
	(void)s;
	(void)p;
}

const struct policy_ops policy_none = {
	.name = "none",
	.about = "observe only: no cpu changes hands",
	.state_bytes = 0,
	.decide = none_decide,
};
