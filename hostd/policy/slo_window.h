/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slo_window.h - a part of policy slo: what a VM used of what it owned
 *
 * Windows of WINDOW_NS, one after the other while a VM owns more than its
 * minimum. At the end of each one cpu goes back if fewer would have done.
 */
#ifndef HOSTD_POLICY_SLO_WINDOW_H
#define HOSTD_POLICY_SLO_WINDOW_H

#include "policy_slo.h"

#define WINDOW_NS 10000000ull /* hundreds of requests, some ticks */

/* How full the cpus are with which fewer are enough: in percent. */
#define WINDOW_USE   70
#define WINDOW_DENSE 90 /* with an agent */

/* window_open() - Begin a window; @use is what the vcpus say now. */
void window_open(struct slo_vm *m, uint64_t now_ns, const struct pick_use *use);

/* window_matters() - Could a window of @vm have any consequence? */
bool window_matters(const struct pick *k, const struct slo_vm *m, uint16_t vm);

/*
 * window_look() - Begin a window, or end one that is over
 *
 * The first windows of different VMs end at different times, so that no
 * decision has to add up all vcpus of the host.
 */
void window_look(struct pick *k, struct slo_vm *m, uint16_t vm);

#endif
