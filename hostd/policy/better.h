/* SPDX-License-Identifier: Apache-2.0 */
/*
 * better.h - a stage of policies: a late VM changes a poor cpu for a better one
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
 * better_pass() - Change the poorest cpu of @vm for the free one that suits it
 * best, if that is better
 *
 * Nearer to its memory; else farther from the floor; else with a core to
 * itself. The VM owns as many as before, nobody else loses one. O(vcpus of the
 * VM).
 */
void better_pass(struct pick *k, uint16_t vm);

#endif
