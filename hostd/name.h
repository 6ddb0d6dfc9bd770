/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name.h - VM names on their way to the operator
 *
 * libvirt lets a name hold nearly any byte. DPDK 22.11's telemetry garbles
 * bytes that are not ASCII, so hostd writes them as %XX ("wire" form: printable
 * ASCII, "%" itself as %25) and hostctl turns them back. Pure.
 */
#ifndef HOSTD_NAME_H
#define HOSTD_NAME_H

#include <stdbool.h>
#include <stddef.h>

/*
 * name_to_wire() - Encode
 * Return: true, or false when @size is too small (@out is cut, but whole %XX).
 */
bool name_to_wire(const char *name, char *out, size_t size);

/* name_json_bytes() - At most so many bytes of JSON, quotes and comma
 * included: DPDK escapes " and \ by one byte each. */
size_t name_json_bytes(const char *wire);

/* name_from_wire() - Decode in place; a stray % stands for itself, and %00
 * stays as it is. */
void name_from_wire(char *text);

/*
 * name_printable() - Make text safe for a terminal
 * Control characters, and bytes that are no UTF-8, become \xXX. Return: @out,
 * NUL-terminated, cut when @size is too small.
 */
char *name_printable(const char *text, char *out, size_t size);

/* name_width() - Columns of printable UTF-8: its characters. */
size_t name_width(const char *text);

#endif
