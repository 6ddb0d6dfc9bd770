/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h - what a host lacks for Heighliner, in words
 */
#ifndef HOSTD_CHECK_H
#define HOSTD_CHECK_H

#include <stdio.h>

/*
 * check_host() - Look at a host and write one line a finding
 * @root: put before every path, "" for this host; a copied tree otherwise
 *
 * Changes nothing. Blocks on files.
 * Return: how many lines are [bad]: hostd cannot do its work.
 */
unsigned check_host(const char *root, FILE *out);

#endif
