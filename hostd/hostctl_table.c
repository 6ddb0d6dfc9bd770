// SPDX-License-Identifier: Apache-2.0
/*
 * hostctl_table.c - figures and columns for people
 */
#include "hostctl_table.h"

#include <inttypes.h>
#include <string.h>

#include "hl/clock.h"
#include "name.h"

#define COLUMNS_MAX 16
#define CELL_MAX    1024

/* @n / @unit with three digits, never rounded up to four. */
static char *three_digits(uint64_t n, uint64_t unit, const char *name,
			  char *buf, size_t size)
{
	uint64_t whole = n / unit, rest = n % unit;

	if (whole >= 100 || unit == 1)
		snprintf(buf, size, "%" PRIu64 "%s", whole, name);
	else if (whole >= 10)
		snprintf(buf, size, "%" PRIu64 ".%" PRIu64 "%s", whole,
			 rest / (unit / 10), name);
	else
		snprintf(buf, size, "%" PRIu64 ".%02" PRIu64 "%s", whole,
			 rest / (unit / 100), name);
	return buf;
}

char *human_time(uint64_t ns, char *buf, size_t size)
{
	uint64_t s = ns / NSEC_PER_SEC, m = s / 60, h = m / 60;

	if (ns < NSEC_PER_USEC)
		return three_digits(ns, 1, "ns", buf, size);
	if (ns < NSEC_PER_MSEC)
		return three_digits(ns, NSEC_PER_USEC, "us", buf, size);
	if (ns < NSEC_PER_SEC)
		return three_digits(ns, NSEC_PER_MSEC, "ms", buf, size);
	if (s < 60)
		return three_digits(ns, NSEC_PER_SEC, "s", buf, size);
	if (h < 1)
		snprintf(buf, size, "%" PRIu64 "m%02" PRIu64 "s", m, s % 60);
	else if (h < 48)
		snprintf(buf, size, "%" PRIu64 "h%02" PRIu64 "m", h, m % 60);
	else
		snprintf(buf, size, "%" PRIu64 "d%" PRIu64 "h", h / 24, h % 24);
	return buf;
}

char *human_count(uint64_t n, char *buf, size_t size)
{
	static const struct {
		uint64_t unit;
		const char *name;
	} units[] = { { 1000, "k" },
		      { 1000000, "M" },
		      { 1000000000, "G" },
		      { 1000000000000, "T" } };
	unsigned u = 0;

	if (n < 100000)
		return three_digits(n, 1, "", buf, size);
	while (u < 3 && n / units[u].unit >= 1000)
		u++;
	return three_digits(n, units[u].unit, units[u].name, buf, size);
}

/* Copy the cell at @text to @cell. Return: what follows it. */
static const char *next_cell(const char *text, char *cell, char *end)
{
	size_t n = strcspn(text, "\t\n");

	snprintf(cell, CELL_MAX, "%.*s", n < CELL_MAX ? (int)n : CELL_MAX - 1,
		 text);
	*end = text[n];
	return text[n] ? text + n + 1 : text + n;
}

static void pad(FILE *out, size_t n)
{
	while (n--)
		fputc(' ', out);
}

void table_print(FILE *out, const char *text, const char *align)
{
	size_t width[COLUMNS_MAX] = { 0 }, cols = strlen(align), room;
	char cell[CELL_MAX], end;
	unsigned col = 0;

	for (const char *p = text; *p; col = end == '\t' ? col + 1 : 0) {
		p = next_cell(p, cell, &end);
		if (col < COLUMNS_MAX && name_width(cell) > width[col])
			width[col] = name_width(cell);
	}
	col = 0;
	for (const char *p = text; *p;) {
		p = next_cell(p, cell, &end);
		room = col < COLUMNS_MAX ? width[col] - name_width(cell) : 0;
		if (col < cols && align[col] == 'r')
			pad(out, room);
		fputs(cell, out);
		if (end == '\t') {
			if (col < cols && align[col] == 'l')
				pad(out, room);
			fputs("  ", out);
			col++;
		} else {
			fputc('\n', out);
			col = 0;
		}
	}
}
