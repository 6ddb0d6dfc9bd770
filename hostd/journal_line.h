/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_line.h - one line of the restore journal, to and from text
 *
 * Pure. The text is not trusted: every field is checked for form here; whether
 * a path may be written to is the business of who writes (journal.c).
 */
#ifndef HOSTD_JOURNAL_LINE_H
#define HOSTD_JOURNAL_LINE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cgroup.h"
#include "hl/bounds.h"
#include "hl/cpumask.h"

#define JOURNAL_LINE_MAX (4 * CGROUP_PATH_MAX + CGROUP_VALUE_MAX + 64)

enum journal_kind {
	JOURNAL_KIND_VM,     /* uuid, id = pid, start, text = name */
	JOURNAL_KIND_FILE,   /* path, text = value */
	JOURNAL_KIND_THREAD, /* id = tid, start, mask */
	JOURNAL_KIND_PIN,    /* id = index of the vcpu, mask */
};

struct journal_line {
	enum journal_kind kind;
	uint32_t id;
	uint64_t start; /* clock ticks since boot, of the task `id` */
	char uuid[37];
	struct cpumask mask;
	char path[CGROUP_PATH_MAX];
	char text[CGROUP_VALUE_MAX];
};

/*
 * journal_line_parse() - Read one line
 * @at: @len bytes without the newline; any bytes at all
 * Return: 0; -EINVAL, or -ERANGE for a number or cpu out of bounds.
 */
int journal_line_parse(struct journal_line *l, const char *at, size_t len);

/*
 * journal_line_format() - The line as text, newline and NUL at its end
 * In PATH blanks, control bytes, backslashes are written \ooo (octal); in NAME
 * the blanks stay.
 * Return: its length, or -E2BIG when @size is too small (JOURNAL_LINE_MAX is
 * always enough).
 */
int journal_line_format(const struct journal_line *l, char *buf, size_t size);

#endif
