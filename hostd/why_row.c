// SPDX-License-Identifier: Apache-2.0
/*
 * why_row.c - an event of the trace as named columns
 */
#include "why_row.h"

#include <string.h>

#include "cpulist.h"
#include "name.h"

enum kind { U16, U32, U64, AGE, NAME, REASON, CPUS };

#define NUMBER(column, field, type)                                            \
	{                                                                      \
		column, false, type, offsetof(struct why_event, field)         \
	}
#define TEXT(column, field, type)                                              \
	{                                                                      \
		column, true, type, offsetof(struct why_event, field)          \
	}

const struct why_column why_columns[WHY_COLUMNS] = {
	NUMBER("age_ns", at_ns, AGE),
	NUMBER("at_ns", at_ns, U64),
	NUMBER("cpu", cpu, U16),
	TEXT("vm", to, NAME),
	NUMBER("vcpu", to_vcpu, U16),
	TEXT("from", from, NAME),
	NUMBER("from_vcpu", from_vcpu, U16),
	NUMBER("from_owned", from_owned, U16),
	TEXT("reason", reason, REASON),
	NUMBER("saw_ns", saw_ns, U64),
	NUMBER("limit_ns", limit_ns, U64),
	NUMBER("delay_ns", delay_ns, U64),
	NUMBER("ready_ns", ready_ns, U64),
	NUMBER("owned", owned, U16),
	NUMBER("min", min, U16),
	NUMBER("may", may, U16),
	NUMBER("sensed", sensed, U16),
	NUMBER("runnable", runnable, U16),
	NUMBER("hinted", hinted, U16),
	NUMBER("wanted", wanted, U16),
	NUMBER("used_permille", used_permille, U32),
	TEXT("barred", barred, CPUS),
};

static const void *cell(const struct why_event *e, const struct why_column *c)
{
	return (const char *)e + c->at;
}

uint64_t why_number(const struct why_event *e, const struct why_column *c,
		    uint64_t now_ns)
{
	switch (c->kind) {
	case U16:
		return *(const uint16_t *)cell(e, c);
	case U32:
		return *(const uint32_t *)cell(e, c);
	case U64:
		return *(const uint64_t *)cell(e, c);
	case AGE:
		return e->at_ns < now_ns ? now_ns - e->at_ns : 0;
	default:
		return 0;
	}
}

const char *why_text(const struct why_event *e, const struct why_column *c,
		     char *buf, size_t size)
{
	const struct why_name *n = cell(e, c);

	if (c->kind == REASON)
		name_to_wire(policy_reason_name(e->reason), buf, size);
	else if (c->kind == CPUS)
		cpulist_format(&e->barred, buf, size);
	else if (!name_to_wire(n->name, buf, size))
		name_to_wire(n->uuid, buf, size);
	return buf;
}

/* json_bytes() - What one event takes at most. */
static size_t json_bytes(const struct why_event *e)
{
	char text[3 * VM_NAME_MAX];
	size_t bytes = 0;
	uint64_t n;

	for (const struct why_column *c = why_columns;
	     c < why_columns + WHY_COLUMNS; c++) {
		if (c->is_text) {
			why_text(e, c, text, sizeof(text));
			bytes += name_json_bytes(text);
			continue;
		}
		bytes += sizeof("1,") - 1;
		for (n = why_number(e, c, UINT64_MAX); n > 9; n /= 10)
			bytes++;
	}
	return bytes;
}

unsigned why_page(uint64_t end, unsigned wanted, const char *who, size_t bytes,
		  struct why_event *out, uint64_t *first)
{
	unsigned n = 0;
	size_t took;

	*first = end;
	while (n < wanted && *first && why_get(*first - 1, &out[n])) {
		if (!who || why_about(&out[n], who)) {
			took = json_bytes(&out[n]);
			if (took > bytes)
				break;
			bytes -= took;
			n++;
		}
		--*first;
	}
	return n;
}
