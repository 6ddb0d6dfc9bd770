/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_rules.h - what must hold after any plan of any policy
 */
#ifndef TESTS_UNIT_POLICY_RULES_H
#define TESTS_UNIT_POLICY_RULES_H

#include "policy/policy.h"

/*
 * rules_broken() - Carry out a plan in the most obvious way and look
 *
 * @s may be as inconsistent as it likes, but for its counts. Not reentrant.
 * Return: NULL, or the rule that does not hold.
 */
const char *rules_broken(const struct policy_ops *ops, const struct snapshot *s,
			 const struct plan *p);

#endif
