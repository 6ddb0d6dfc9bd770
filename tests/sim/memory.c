// SPDX-License-Identifier: Apache-2.0
/*
 * memory.c - bandwidth, and its meters
 *
 * Every TICK_NS each node adds up what the vcpus that run want to move through
 * its memory. More than it can bear, and all of them are slowed down in
 * proportion until the next look. A vcpu that runs at half speed moves half.
 * Meters show averages over METER_NS, as resctrl's counters read now and then
 * would, or what the policy's own meters are said to do.
 */
#include "engine.h"

#define TICK_NS	  50000ull
#define METER_NS  2000000ull
#define SPEED_ONE 1024u
#define HARDLY	  16 /* a change of speed not worth the reckoning: 1.6 % */
#define MB	  1000000ull

/* show() - The meters' window is over. */
static void show(struct sim *s)
{
	uint64_t took_ns = s->now_ns - s->meter_ns;

	for (unsigned i = 0; i < s->node_cnt; i++) {
		struct node_view *n = &s->snap->node[i];

		n->since_ns = s->meter_ns;
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

/* add_up() - What is moved at this moment, and what would be if memory were
 * no limit, on each node. */
static void add_up(struct sim *s, uint64_t wanted_mb_s[NODE_MAX])
{
	for (unsigned i = 0; i < s->cpu_cnt; i++) {
		const struct cpu *c = &s->cpu[i];
		uint64_t mb_s, moved;
		struct sim_vm *vm;

		if (c->cur == VCPU_NONE || c->starting)
			continue;
		vm = &s->vm[s->vcpu[c->cur].vm];
		if (!vm->memory_mb_s)
			continue;
		mb_s = (uint64_t)vm->memory_mb_s * c->speed;
		wanted_mb_s[vm->node] += mb_s / s->node_speed[vm->node];
		moved = mb_s / SPEED_ONE * (TICK_NS / 1000);
		vm->moved_bytes += moved;
		s->node_bytes[vm->node] += moved;
	}
}

void memory_tick(struct sim *s)
{
	uint64_t wanted_mb_s[NODE_MAX] = { 0 };
	bool other[NODE_MAX] = { false };

	add_up(s, wanted_mb_s);
	for (unsigned i = 0; i < s->node_cnt; i++) {
		uint64_t max_mb_s = s->node_max_mb_s[i];
		uint64_t speed = SPEED_ONE, was = s->node_speed[i];

		if (wanted_mb_s[i] > max_mb_s)
			speed = max_mb_s * SPEED_ONE / wanted_mb_s[i] + 1;
		if (speed == was ||
		    (speed != SPEED_ONE && speed < was + HARDLY &&
		     was < speed + HARDLY))
			continue;
		s->node_speed[i] = (uint32_t)speed;
		other[i] = true;
	}
	for (unsigned i = 0; i < s->cpu_cnt; i++) {
		struct cpu *c = &s->cpu[i];

		if (c->cur != VCPU_NONE &&
		    other[s->vm[s->vcpu[c->cur].vm].node])
			cpu_speed(s, c);
	}
	if (s->now_ns - s->meter_ns >=
	    (s->p->meter_ns ? s->p->meter_ns : METER_NS))
		show(s);
	heap_set(&s->heap, s->id.memory, s->now_ns + TICK_NS);
}

void memory_open(struct sim *s)
{
	for (unsigned i = 0; i < s->node_cnt; i++)
		s->node_speed[i] = SPEED_ONE;
	if (!s->s->bandwidth_mb_s || s->oracle)
		return;
	for (unsigned i = 0; i < s->cpu_cnt; i++)
		s->node_max_mb_s[s->cpu[i].node] += s->s->bandwidth_mb_s;
	for (unsigned i = 0; i < s->node_cnt; i++) {
		s->snap->node[i].metered = true;
		s->snap->node[i].mem_max_bytes_s = s->node_max_mb_s[i] * MB;
	}
	heap_set(&s->heap, s->id.memory, TICK_NS);
}
