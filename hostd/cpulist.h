/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpulist.h - cpu sets as text, written as taskset and the kernel write them
 */
#ifndef HOSTD_CPULIST_H
#define HOSTD_CPULIST_H

#include <stddef.h>

#include "hl/cpumask.h"

/*
 * cpulist_parse() - "0-3,8,10-14:2" to a mask; white space and a final newline
 * are allowed around it, the empty list is the empty mask
 *
 * Pure. Return: 0, -EINVAL for bad text, -ERANGE for a cpu >= CPU_MAX.
 */
int cpulist_parse(const char *text, struct cpumask *out);

/*
 * cpulist_format() - A mask as "0-3,8"; the empty mask as ""
 * Pure. Return: @buf, always NUL-terminated (cut when @size is too small).
 */
char *cpulist_format(const struct cpumask *m, char *buf, size_t size);

#endif
