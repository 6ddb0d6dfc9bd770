/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why_row.h - an event of the trace as named columns
 *
 * What goes over the control socket: each column is a list, one cell an event.
 */
#ifndef HOSTD_WHY_ROW_H
#define HOSTD_WHY_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "why.h"

struct why_column {
	const char *name;
	bool is_text;
	uint8_t kind; /* in why_row.c */
	uint16_t at;  /* offset in struct why_event */
};

#define WHY_COLUMNS 22

extern const struct why_column why_columns[WHY_COLUMNS];

/* why_number() - A cell of a column of numbers; ages are counted to @now_ns. */
uint64_t why_number(const struct why_event *e, const struct why_column *c,
		    uint64_t now_ns);

/*
 * why_text() - A cell of a column of text, in wire form
 * A VM whose name does not fit into @size that way goes by its UUID. Return:
 * @buf.
 */
const char *why_text(const struct why_event *e, const struct why_column *c,
		     char *buf, size_t size);

/*
 * why_page() - The newest events before number @end, as many as fit
 * @wanted: not more than so many
 * @who: as in why_about(); NULL: anything
 * @bytes: of JSON, in all columns together
 * @out: newest first
 * @first: out: the oldest that was looked at
 *
 * Return: how many.
 */
unsigned why_page(uint64_t end, unsigned wanted, const char *who, size_t bytes,
		  struct why_event *out, uint64_t *first);

#endif
