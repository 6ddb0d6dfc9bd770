/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostctl_view.h - a view under construction
 *
 * A view is written as tab-separated lines into memory first, then printed in
 * columns; so nothing is shown of a view that could not be finished.
 */
#ifndef HOSTD_HOSTCTL_VIEW_H
#define HOSTD_HOSTCTL_VIEW_H

#include "hostctl_answer.h"

struct view {
	FILE *f; /* write lines here */
	char *text;
	size_t size;
};

/* view_begin() - Begin with the line(s) @head. Return: 0; 1 when it could not
 * be, and a sentence was written. */
int view_begin(struct ctl *c, struct view *p, const char *head);

/* view_end() - Print it; @align: as table_print(), NULL: throw it away. */
void view_end(struct ctl *c, struct view *p, const char *align);

/*
 * view_each() - Call @fn with each VM's answer to /heighliner/@one,NAME, for
 * the names /heighliner/@list has
 * Return: VMs seen, or -1.
 */
int view_each(struct ctl *c, FILE *f, const char *list, const char *one,
	      void (*fn)(FILE *f, const struct answer *vm));

#endif
