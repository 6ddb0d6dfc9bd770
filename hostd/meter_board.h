/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter_board.h - memory traffic and nodes, from the meters thread to the poll
 * thread
 *
 * Plain words in hostd's own memory; neither thread waits for the other. The
 * writer sets a VM's dirty bit after its words, the reader takes the bits
 * first: what it misses it sees next time. Nodes are few and belong together: a
 * count that is odd while they are written tells a reader to come again.
 */
#ifndef HOSTD_METER_BOARD_H
#define HOSTD_METER_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/policy.h"

struct meter_board {
	/* meters thread, under its lock the control thread too; all atomic */
	uint64_t vm_bytes_s[VM_MAX];
	uint16_t vm_node[VM_MAX];
	uint32_t nodes_gen;
	struct {
		bool metered;
		uint64_t since_ns, bytes_s, max_bytes_s;
	} node[NODE_MAX];
	/* both */
	bool any; /* a bit is set in dirty[]; atomic */
	uint64_t dirty[(VM_MAX + 63) / 64];
	/* poll thread */
	uint32_t nodes_seen;
};

#define meter_board_store(at, v) __atomic_store_n((at), (v), __ATOMIC_RELAXED)
#define meter_board_load(at)	 __atomic_load_n((at), __ATOMIC_RELAXED)

/* meter_board_init() - Nothing is known of anybody. */
static inline void meter_board_init(struct meter_board *b)
{
	*b = (struct meter_board){ 0 };
	for (unsigned i = 0; i < VM_MAX; i++)
		b->vm_node[i] = NODE_NONE;
}

/* meter_board_vm_put() - Writer: @vm's memory is on @node, its traffic is so.
 */
static inline void meter_board_vm_put(struct meter_board *b, uint16_t vm,
				      uint16_t node, uint64_t bytes_s)
{
	meter_board_store(&b->vm_node[vm], node);
	meter_board_store(&b->vm_bytes_s[vm], bytes_s);
	__atomic_fetch_or(&b->dirty[vm / 64], 1ull << (vm % 64),
			  __ATOMIC_RELEASE);
	__atomic_store_n(&b->any, true, __ATOMIC_RELEASE);
}

/* meter_board_nodes_begin() - Writer: nodes are about to be written. */
static inline void meter_board_nodes_begin(struct meter_board *b)
{
	__atomic_store_n(&b->nodes_gen, b->nodes_gen + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

/* meter_board_node_put() - Writer: one of them, between begin and end. */
static inline void meter_board_node_put(struct meter_board *b, unsigned node,
					const struct node_view *v)
{
	meter_board_store(&b->node[node].metered, v->metered);
	meter_board_store(&b->node[node].since_ns, v->since_ns);
	meter_board_store(&b->node[node].bytes_s, v->mem_bytes_s);
	meter_board_store(&b->node[node].max_bytes_s, v->mem_max_bytes_s);
}

/* meter_board_nodes_end() - Writer: they are written. */
static inline void meter_board_nodes_end(struct meter_board *b)
{
	__atomic_store_n(&b->nodes_gen, b->nodes_gen + 1, __ATOMIC_RELEASE);
}

/* meter_board_show_vm() - Poll thread: what is known of @vm, into @s. */
static inline void meter_board_show_vm(const struct meter_board *b,
				       struct snapshot *s, uint16_t vm)
{
	s->vm[vm].node = meter_board_load(&b->vm_node[vm]);
	s->vm[vm].mem_bytes_s = meter_board_load(&b->vm_bytes_s[vm]);
}

/*
 * meter_board_show() - Poll thread: what is new, into @s
 *
 * Two loads when nothing is; else a look at each VM that changed and at all
 * nodes.
 */
void meter_board_show(struct meter_board *b, struct snapshot *s);

#endif
