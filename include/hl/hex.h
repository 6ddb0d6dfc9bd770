/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hex.h - hexadecimal digits, in either case
 */
#ifndef HL_HEX_H
#define HL_HEX_H

/* hex_digit() - Return: what @c stands for, or -1. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

#endif
