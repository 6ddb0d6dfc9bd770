/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostctl_why.h - hostctl's views of the trace of decisions
 */
#ifndef HOSTD_HOSTCTL_WHY_H
#define HOSTD_HOSTCTL_WHY_H

#include "hostctl_answer.h"

/* As in hostctl_show.h. */
int show_log(struct ctl *c, const char *arg); /* the last @arg, a table */
int show_why(struct ctl *c, const char *arg); /* of VM or cpu @arg, told */

#endif
