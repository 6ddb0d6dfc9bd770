// SPDX-License-Identifier: Apache-2.0
/*
 * hostctl_view.c - a view under construction
 */
#include "hostctl_view.h"

#include <stdlib.h>

#include "hl/bounds.h"
#include "hostctl_table.h"

int view_begin(struct ctl *c, struct view *p, const char *head)
{
	p->text = NULL;
	p->f = open_memstream(&p->text, &p->size);
	if (!p->f)
		return complain(c, "out of memory");
	fputs(head, p->f);
	return 0;
}

void view_end(struct ctl *c, struct view *p, const char *align)
{
	fclose(p->f);
	if (align)
		table_print(c->out, p->text, align);
	free(p->text);
}

int view_each(struct ctl *c, FILE *f, const char *list, const char *one,
	      void (*fn)(FILE *f, const struct answer *vm))
{
	struct answer *names, *vm;
	unsigned seen = 0;
	bool failed = false;
	size_t n = 1;
	char skip[16];

	while (n && seen < VM_MAX) {
		snprintf(skip, sizeof(skip), "%u", seen);
		names = answer_ask(c, ANSWER_LIST, list, skip, ASK_S);
		if (!names)
			return -1;
		n = answer_count(names, NULL);
		for (size_t i = 0; i < n && seen < VM_MAX; i++, seen++) {
			vm = answer_ask(c, ANSWER_ANY, one,
					answer_raw_at(names, NULL, i), ASK_S);
			failed = !vm;
			if (failed)
				break;
			/* null: it left since the list was made */
			if (answer_is_record(vm))
				fn(f, vm);
			answer_free(vm);
		}
		answer_free(names);
		if (failed)
			return -1;
	}
	return (int)seen;
}
