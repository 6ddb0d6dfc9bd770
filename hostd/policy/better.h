/* SPDX-License-Identifier: Apache-2.0 */
/*
 * better.h - a part of policy slo: a late VM changes a poor cpu for a better
 * one
 *
 * A cpu is given when it is needed, and then the best one free may be the
 * second thread of a busy core, one far from the VM's memory, or the floor. A
 * VM that is slow there is late, keeps what it owns the longer for that, and so
 * stays where it is slow. Pure; poll thread.
 */
#ifndef HOSTD_POLICY_BETTER_H
#define HOSTD_POLICY_BETTER_H

#include "pick.h"

/*
 * better_pass() - Change the poorest cpu of @vm for a better one, if one is
 * free; of several, pick_cpu()'s
 *
 * Better: nearer to its memory; else farther from the floor; else with a core
 * to itself. The VM owns as many as before, nobody else loses one. O(vcpus of
 * the VM, free cpus).
 */
void better_pass(struct pick *k, uint16_t vm);

#endif
