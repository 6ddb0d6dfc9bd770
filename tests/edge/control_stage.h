/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_stage.h - hostd's telemetry commands in a process of their own
 *
 * DPDK is started without huge pages and devices in a directory of its own;
 * stat_hostd is filled by hand.
 */
#ifndef TESTS_EDGE_CONTROL_STAGE_H
#define TESTS_EDGE_CONTROL_STAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "hostctl_sock.h"
#include "stat.h"

extern char stage_dir[];	     /* a directory, removed at the end */
extern char reply[SOCK_REPLY_MAX];   /* to the last ask() */
extern int stage_reload_rc;	     /* what a reload comes to */
extern char stage_reload_text[1024]; /* and says */

/* Set-up and tear-down of the group; stage_fill() of a test: two VMs, slot 0
 * "web, the 1st" owns cpus 1 and 2, slot 5 is "batch" with odd bytes. */
int stage_start(void **state);
int stage_stop(void **state);
int stage_fill(void **state);

/* stage_add_vm() - One more VM in stat_hostd. */
struct stat_vm *stage_add_vm(unsigned slot, const char *name);

/* ask() - Return: hostd's answer; it is there until the next one. */
const char *ask(const char *request);

/* count() - How often is @what in @text? */
unsigned count(const char *text, const char *what);

/*
 * hostctl() - Run it with words @a and @b (NULL: none); it must exit so
 * Return: what it printed, out and err together.
 */
char *hostctl(int want_rc, const char *a, const char *b);

#endif
