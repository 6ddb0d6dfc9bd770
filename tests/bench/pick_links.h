/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pick_links.h - a ring of pointers, for the references that keep the idle in
 * one: the list scan and the memo
 */
#ifndef PICK_LINKS_H
#define PICK_LINKS_H

struct link {
	struct link *next, *prev;
};

static inline void link_after(struct link *at, struct link *l)
{
	l->next = at->next;
	l->prev = at;
	at->next->prev = l;
	at->next = l;
}

static inline void link_cut(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
}

#endif
