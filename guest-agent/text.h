/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - a small file of /proc or /sys, whole
 */
#ifndef AGENT_TEXT_H
#define AGENT_TEXT_H

#include <stddef.h>
#include <sys/types.h>

/*
 * text_read() - One read of a file
 * @buf: [@size], at least 1; ends with a NUL, "" when the file cannot be read
 * Return: bytes, at most @size - 1, or -errno.
 */
ssize_t text_read(const char *path, char *buf, size_t size);

#endif
