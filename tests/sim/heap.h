/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.h - the next of a fixed set of events, each due once or not at all
 *
 * A heap of four children a node over ids 0..cap-1, with the place of each id
 * noted, so that an event that is due can be made due at another time. Equal
 * times come in the order of ids: a run does not depend on the order in which
 * events were set. No allocation after heap_open().
 */
#ifndef TESTS_SIM_HEAP_H
#define TESTS_SIM_HEAP_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define HEAP_NONE UINT32_MAX

struct heap_node {
	uint64_t at_ns;
	uint32_t id;
};

struct heap {
	uint32_t cnt;
	uint32_t current; /* see heap_begin() */
	struct heap_node *node;
	uint32_t *place; /* of an id in node[], or HEAP_NONE */
};

static inline void heap_close(struct heap *h)
{
	free(h->node);
	free(h->place);
	*h = (struct heap){ 0 };
}

static inline int heap_open(struct heap *h, uint32_t cap)
{
	h->cnt = 0;
	h->current = HEAP_NONE;
	h->node = calloc(cap, sizeof(*h->node));
	h->place = malloc(cap * sizeof(*h->place));
	if (!h->node || !h->place) {
		heap_close(h);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < cap; i++)
		h->place[i] = HEAP_NONE;
	return 0;
}

static inline bool heap_less(struct heap_node a, struct heap_node b)
{
	return a.at_ns < b.at_ns || (a.at_ns == b.at_ns && a.id < b.id);
}

static inline void heap_put(struct heap *h, uint32_t i, struct heap_node n)
{
	h->node[i] = n;
	h->place[n.id] = i;
}

static inline void heap_up(struct heap *h, uint32_t i, struct heap_node n)
{
	while (i) {
		uint32_t parent = (i - 1) / 4;

		if (!heap_less(n, h->node[parent]))
			break;
		heap_put(h, i, h->node[parent]);
		i = parent;
	}
	heap_put(h, i, n);
}

static inline void heap_down(struct heap *h, uint32_t i, struct heap_node n)
{
	for (;;) {
		uint32_t best = 4 * i + 1, end = best + 4;

		if (best >= h->cnt)
			break;
		if (end > h->cnt)
			end = h->cnt;
		for (uint32_t c = best + 1; c < end; c++)
			if (heap_less(h->node[c], h->node[best]))
				best = c;
		if (!heap_less(h->node[best], n))
			break;
		heap_put(h, i, h->node[best]);
		i = best;
	}
	heap_put(h, i, n);
}

/* heap_set() - @id is due at @at_ns, whatever was said before. */
static inline void heap_set(struct heap *h, uint32_t id, uint64_t at_ns)
{
	const struct heap_node n = { at_ns, id };
	uint32_t i = h->place[id];

	if (id == h->current)
		h->current = HEAP_NONE;
	if (i == HEAP_NONE) {
		heap_up(h, h->cnt++, n);
		return;
	}
	if (heap_less(n, h->node[i]))
		heap_up(h, i, n);
	else
		heap_down(h, i, n);
}

/* heap_drop() - @id is not due. */
static inline void heap_drop(struct heap *h, uint32_t id)
{
	uint32_t i = h->place[id];
	struct heap_node last;

	if (i == HEAP_NONE)
		return;
	if (id == h->current)
		h->current = HEAP_NONE;
	h->place[id] = HEAP_NONE;
	last = h->node[--h->cnt];
	if (i == h->cnt)
		return;
	if (i && heap_less(last, h->node[(i - 1) / 4]))
		heap_up(h, i, last);
	else
		heap_down(h, i, last);
}

/*
 * heap_begin() - The first event happens now; heap_end() - it has
 *
 * It stays where it is meanwhile: most events are soon due again, and one
 * change of place is cheaper than out and in. One that was neither set nor
 * dropped in between is then not due any more.
 */
static inline struct heap_node heap_begin(struct heap *h)
{
	h->current = h->node[0].id;
	return h->node[0];
}

static inline void heap_end(struct heap *h)
{
	if (h->current != HEAP_NONE)
		heap_drop(h, h->current);
}

#endif
