/* SPDX-License-Identifier: Apache-2.0 */
/*
 * act_null.h - what the null backend remembers, for tests and dry runs
 */
#ifndef HOSTD_ACT_NULL_H
#define HOSTD_ACT_NULL_H

#include "act.h"

/* act_null_mask() - The last mask accepted for a vcpu slot; empty: none yet.
 * Poll thread. */
struct cpumask act_null_mask(const struct act *a, uint16_t vcpu);

#endif
