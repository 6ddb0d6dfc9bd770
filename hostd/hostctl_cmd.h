/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostctl_cmd.h - hostctl without main(), so that tests can call it
 */
#ifndef HOSTD_HOSTCTL_CMD_H
#define HOSTD_HOSTCTL_CMD_H

#include <stdio.h>

/*
 * hostctl_run() - All of hostctl(8)
 * Return: its exit code: 0; 1 when it could not be done; 2 for bad usage.
 */
int hostctl_run(int argc, char **argv, FILE *out, FILE *err);

#endif
