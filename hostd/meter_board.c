// SPDX-License-Identifier: Apache-2.0
/*
 * meter_board.c - memory traffic and nodes become part of a snapshot
 *
 * Poll thread; see meter_board.h.
 */
#include "meter_board.h"

#include "policy/snapshot.h"

/* Return: false when they were written meanwhile. */
static bool read_nodes(const struct meter_board *b, uint32_t gen,
		       struct node_view *out)
{
	for (unsigned i = 0; i < NODE_MAX; i++) {
		out[i].metered = meter_board_load(&b->node[i].metered);
		out[i].since_ns = meter_board_load(&b->node[i].since_ns);
		out[i].mem_bytes_s = meter_board_load(&b->node[i].bytes_s);
		out[i].mem_max_bytes_s =
		    meter_board_load(&b->node[i].max_bytes_s);
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&b->nodes_gen, __ATOMIC_RELAXED) == gen;
}

static void show_nodes(struct meter_board *b, uint32_t gen, struct snapshot *s)
{
	struct node_view now[NODE_MAX];

	if (gen % 2 || !read_nodes(b, gen, now))
		return; /* in the next pass */
	b->nodes_seen = gen;
	for (unsigned i = 0; i < NODE_MAX; i++) {
		struct node_view *n = &s->node[i];

		n->metered = now[i].metered;
		n->since_ns = now[i].since_ns;
		n->mem_bytes_s = now[i].mem_bytes_s;
		n->mem_max_bytes_s = now[i].mem_max_bytes_s;
	}
}

static void show_vms(struct meter_board *b, struct snapshot *s)
{
	for (unsigned i = 0; i < (s->vm_cnt + 63u) / 64; i++) {
		uint64_t bits =
		    __atomic_exchange_n(&b->dirty[i], 0, __ATOMIC_ACQUIRE);

		for (; bits; bits &= bits - 1) {
			unsigned vm = 64 * i + (unsigned)__builtin_ctzll(bits);

			if (vm >= s->vm_cnt || !s->vm[vm].present)
				continue;
			meter_board_show_vm(b, s, (uint16_t)vm);
			snapshot_mark(s, (uint16_t)vm);
		}
	}
}

void meter_board_show(struct meter_board *b, struct snapshot *s)
{
	uint32_t gen = __atomic_load_n(&b->nodes_gen, __ATOMIC_ACQUIRE);

	if (gen != b->nodes_seen)
		show_nodes(b, gen, s);
	if (meter_board_load(&b->any) &&
	    __atomic_exchange_n(&b->any, false, __ATOMIC_ACQUIRE))
		show_vms(b, s);
}
