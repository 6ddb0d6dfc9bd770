// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_snapshot.c - any snapshot at all, through every policy
 *
 * The input is read as a small host whose tables may contradict each other in
 * any way; only the counts are kept in bounds, as the snapshot's writer does.
 * Policies decide on it, on what the next bytes make of it, and so on, with
 * the state they built up. The rules of tests/unit/policy_rules.c must hold
 * after every plan, and the ownership table must survive it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "owners.h"
#include "policy/snapshot.h"
#include "tests/unit/policy_rules.h"

#define CPUS  10
#define VMS   5
#define VCPUS 24
#define NODES 3

static struct snapshot snap;
static struct owners table;

struct input {
	const uint8_t *at;
	size_t left;
};

static unsigned byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

/* index() - Mostly a number that means something, at times one that does not */
static uint16_t number(struct input *in, unsigned below)
{
	unsigned b = byte(in);

	if (b >= 250)
		return (uint16_t)(b << 8 | byte(in));
	return b == 249 ? 0xffff : (uint16_t)(b % below);
}

/* span_ns() - A time between 0 and 4 s, fine where it is short. */
static uint64_t span_ns(struct input *in)
{
	unsigned b = byte(in);

	return (uint64_t)(b & 15) << (b >> 4) << (b >> 4);
}

static void read_vm(struct input *in, struct vm_view *v)
{
	unsigned flags = byte(in);

	v->present = flags & 7;
	v->has_port = flags & 8;
	v->class = flags & 0x30 ? VM_CLASS_LATENCY_CRITICAL : flags >> 6;
	v->cpus_min = number(in, 6);
	v->cpus_max = number(in, 8);
	v->first_vcpu = number(in, VCPUS);
	v->vcpu_cnt = number(in, 8);
	v->owned = number(in, 8);
	v->held = number(in, 3);
	v->slo_ns = span_ns(in);
	v->delay_ns = span_ns(in);
	v->ready_ns = span_ns(in);
	v->hinted = flags & 0x80;
	v->hint_wanted = number(in, 8);
	v->hint_wait_ns = span_ns(in);
	v->slo_permyriad = (uint16_t)(byte(in) << 8);
	v->node = number(in, NODES);
	v->mem_bytes_s = span_ns(in);
	v->done += byte(in);
	v->late += byte(in);
}

static void read_node(struct input *in, struct node_view *n)
{
	n->metered = byte(in) & 3;
	n->since_ns = snap.now_ns - span_ns(in);
	n->mem_bytes_s = span_ns(in);
	n->mem_max_bytes_s = span_ns(in);
	for (unsigned i = 0; i < NODES; i++)
		n->distance[i] = (uint8_t)byte(in);
}

/* list_changed() - Any VMs, each once. */
static void list_changed(struct input *in)
{
	unsigned which = byte(in);

	snap.changed_cnt = 0;
	for (uint16_t vm = 0; vm < snap.vm_cnt; vm++)
		if (which >> vm & 1)
			snap.changed[snap.changed_cnt++] = vm;
}

static void read_vcpu(struct input *in, struct vcpu_view *v)
{
	v->vm = number(in, VMS);
	v->cpu = number(in, CPUS);
	v->last_cpu = number(in, CPUS);
	v->run = (uint8_t)number(in, 4);
	v->hint_runnable = number(in, 3);
	v->since_ns = snap.now_ns - span_ns(in);
	v->ran_ns += span_ns(in);
	if (!(v->ran_ns & 0xff))
		v->ran_ns = 0;
}

static void read_cpu(struct input *in, struct cpu_view *c)
{
	unsigned bits = byte(in);

	c->managed = bits & 3;
	c->floor = !(bits & 0x70);
	c->owner = number(in, VCPUS);
	c->sibling = number(in, CPUS);
	c->llc = number(in, 3);
	c->node = number(in, 2);
	c->since_ns = snap.now_ns - span_ns(in);
}

/* change() - Some slots become what the next bytes say. */
static void change(struct input *in)
{
	unsigned b, times = byte(in) % 32;

	snap.now_ns += span_ns(in);
	for (unsigned i = 0; i < times; i++) {
		b = byte(in);
		if (b < 64)
			read_vm(in, &snap.vm[b % VMS]);
		else if (b < 160)
			read_vcpu(in, &snap.vcpu[b % VCPUS]);
		else if (b < 240)
			read_cpu(in, &snap.cpu[b % CPUS]);
		else
			read_node(in, &snap.node[b % NODES]);
	}
}

static void start(struct input *in)
{
	struct cpumask managed = { { 0x3fe } }, floor = { { 1 } };

	memset(snap.vm, 0, VMS * sizeof(snap.vm[0]));
	memset(snap.vcpu, 0, VCPUS * sizeof(snap.vcpu[0]));
	memset(snap.cpu, 0, CPUS * sizeof(snap.cpu[0]));
	memset(snap.node, 0, NODES * sizeof(snap.node[0]));
	snap.now_ns = span_ns(in);
	snap.vm_cnt = (uint16_t)(byte(in) % (VMS + 1));
	snap.vcpu_cnt = (uint16_t)(byte(in) % (VCPUS + 1));
	snap.cpu_cnt = (uint16_t)(byte(in) % (CPUS + 1));
	snap.node_cnt = (uint16_t)(byte(in) % (NODES + 1));
	for (unsigned i = 0; i < CPUS; i++)
		snap.cpu[i].owner = VCPU_NONE;
	owners_init(&table, &managed, &floor);
	for (uint16_t vm = 0; vm < VMS; vm++)
		owners_vm_set(&table, vm, byte(in) & 1, (uint16_t)(vm * 5), 5);
}

/* check_table() - Its three views agree, whatever it was told. */
static void check_table(void)
{
	for (uint16_t cpu = 0; cpu < CPUS; cpu++) {
		uint16_t vcpu = owners_of_cpu(&table, cpu);

		if (vcpu != VCPU_NONE && table.vcpu_cpu[vcpu] != cpu)
			abort();
	}
	for (uint16_t vm = 0; vm < VMS; vm++)
		if (cpumask_count(&table.vm[vm].own) !=
		    owners_of_vm(&table, vm))
			abort();
	for (uint16_t vcpu = 0; vcpu < VMS * 5; vcpu++) {
		struct cpumask m = owners_mask(&table, vcpu);

		if (cpumask_empty(&m))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct plan p;
	static struct owners_changed changed;

	for (unsigned i = 0; policy_table[i]; i++) {
		const struct policy_ops *ops = policy_table[i];
		void *state = calloc(1, ops->state_bytes + 1);
		struct input in = { data, size };

		start(&in);
		for (unsigned step = 0; in.left && step < 64; step++) {
			change(&in);
			snapshot_index(&snap);
			snapshot_mark_all(&snap);
			snapshot_list(&snap);
			list_changed(&in);
			p.count = p.bar_cnt = 0;
			ops->decide(state, &snap, &p);
			if (rules_broken(ops, &snap, &p))
				abort();
			owners_apply(&table, &snap, &p, &changed);
			check_table();
		}
		free(state);
	}
	return 0;
}
