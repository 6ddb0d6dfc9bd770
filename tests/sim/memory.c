// SPDX-License-Identifier: Apache-2.0
/*
 * memory.c - bandwidth, and its meters
 *
 * Every TICK_NS each node adds up what the vcpus that run want to move through
 * its memory. More than it can bear, and all of them are slowed down in
 * proportion until the next look. Meters show averages over METER_NS, as
 * resctrl's counters read now and then would.
 */
#include "engine.h"

#define TICK_NS	  50000ull
#define METER_NS  2000000ull
#define SPEED_ONE 1024u
#define MB	  1000000ull

/* show() - The meters' window is over. */
static void show(struct sim *s)
{
	uint64_t took_ns = s->now_ns - s->meter_ns;

	for (unsigned i = 0; i < s->node_cnt; i++) {
		struct node_view *n = &s->snap->node[i];

		n->mem_bytes_s = s->node_bytes[i] * 1000000000 / took_ns;
		s->node_bytes[i] = 0;
	}
	for (unsigned i = 0; i < s->vm_cnt; i++) {
		struct sim_vm *vm = &s->vm[i];

		s->snap->vm[i].mem_bytes_s =
		    vm->moved_bytes * 1000000000 / took_ns;
		if (vm->moved_bytes)
			host_changed(s, vm);
		vm->moved_bytes = 0;
	}
	s->meter_ns = s->now_ns;
}

void memory_tick(struct sim *s)
{
	uint64_t wanted[NODE_MAX] = { 0 }, moved;
	uint64_t max = s->s->bandwidth_mb_s;
	bool other[NODE_MAX];

	for (unsigned i = 0; i < s->cpu_cnt; i++) {
		const struct cpu *c = &s->cpu[i];
		struct sim_vm *vm;

		if (c->cur == VCPU_NONE || c->starting)
			continue;
		vm = &s->vm[s->vcpu[c->cur].vm];
		wanted[vm->node] += vm->memory_mb_s;
		moved = vm->memory_mb_s * (TICK_NS / 1000) *
			s->node_speed[vm->node] / SPEED_ONE;
		vm->moved_bytes += moved;
		s->node_bytes[vm->node] += moved;
	}
	for (unsigned i = 0; i < s->node_cnt; i++) {
		uint32_t speed = SPEED_ONE;

		if (wanted[i] > max)
			speed = (uint32_t)(max * SPEED_ONE / wanted[i]) + 1;
		other[i] = speed != s->node_speed[i];
		s->node_speed[i] = speed;
	}
	for (unsigned i = 0; i < s->cpu_cnt; i++) {
		struct cpu *c = &s->cpu[i];

		if (c->cur != VCPU_NONE &&
		    other[s->vm[s->vcpu[c->cur].vm].node])
			cpu_speed(s, c);
	}
	if (s->now_ns - s->meter_ns >= METER_NS)
		show(s);
	heap_set(&s->heap, s->id.memory, s->now_ns + TICK_NS);
}

void memory_open(struct sim *s)
{
	for (unsigned i = 0; i < s->node_cnt; i++)
		s->node_speed[i] = SPEED_ONE;
	if (!s->s->bandwidth_mb_s || s->oracle)
		return;
	for (unsigned i = 0; i < s->node_cnt; i++) {
		s->snap->node[i].metered = true;
		s->snap->node[i].mem_max_bytes_s = s->s->bandwidth_mb_s * MB;
	}
	heap_set(&s->heap, s->id.memory, TICK_NS);
}
