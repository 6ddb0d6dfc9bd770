/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostctl_agents.h - hostctl's view of the agents in guests
 */
#ifndef HOSTD_HOSTCTL_AGENTS_H
#define HOSTD_HOSTCTL_AGENTS_H

#include "hostctl_answer.h"

/* show_agents() - As the commands of hostctl_show.h; @arg is not used. */
int show_agents(struct ctl *c, const char *arg);

#endif
