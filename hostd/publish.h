/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish.h - the poll thread's tables copied to where operators look
 */
#ifndef HOSTD_PUBLISH_H
#define HOSTD_PUBLISH_H

#include "policy/policy.h"
#include "sense.h"

#define PUBLISH_NS (100 * 1000000ull) /* how often the loop calls it */

/*
 * publish() - Copy VM views, port counters and cpu owners into stat_hostd and
 * turn the delay windows when STAT_WINDOW_NS is over. Poll thread.
 */
void publish(const struct snapshot *s, const struct port_list *ports);

/* publish_vm_reset() - A slot changes hands: its numbers start at 0. */
void publish_vm_reset(uint16_t vm);

#endif
