/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostctl_show.h - what hostctl asks hostd, and how it shows the answer
 */
#ifndef HOSTD_HOSTCTL_SHOW_H
#define HOSTD_HOSTCTL_SHOW_H

#include "hostctl_answer.h"

/*
 * Each command: @arg is the one argument, or NULL. Return: 0; 1 when hostd did
 * not answer or said no, and a sentence was written to @c->err.
 */
int show_vms(struct ctl *c, const char *arg); /* all, or VM @arg */
int show_cpus(struct ctl *c, const char *arg);
int show_drops(struct ctl *c, const char *arg);
int show_info(struct ctl *c, const char *arg);
int show_reload(struct ctl *c, const char *arg);

/* show_json() - The answer to /heighliner/@request as one line of JSON. */
int show_json(struct ctl *c, const char *request);

#endif
