/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostctl_table.h - figures and columns for people
 */
#ifndef HOSTD_HOSTCTL_TABLE_H
#define HOSTD_HOSTCTL_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* human_time() - "850ns", "12.3us", "1.20ms", "4.5s", "3m20s", "5h07m", "2d4h"
 * Return: @buf. */
char *human_time(uint64_t ns, char *buf, size_t size);

/* human_count() - "12345", "123k", "1.23M"; exact below 100,000.
 * Return: @buf. */
char *human_count(uint64_t n, char *buf, size_t size);

/*
 * table_print() - Lines of tab-separated cells as aligned columns
 * @align: one letter a column: 'l' left, 'r' right; the last is not padded
 */
void table_print(FILE *out, const char *text, const char *align);

#endif
