/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostctl_record.h - hostctl makes hostd record
 */
#ifndef HOSTD_HOSTCTL_RECORD_H
#define HOSTD_HOSTCTL_RECORD_H

#include "hostctl_answer.h"

/* do_record() - Into file @arg, for c->arg2 seconds; waits for the end. As in
 * hostctl_show.h. */
int do_record(struct ctl *c, const char *arg);

#endif
