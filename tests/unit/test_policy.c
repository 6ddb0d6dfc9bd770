// SPDX-License-Identifier: Apache-2.0
/*
 * test_policy.c - the table of policies, and rules that hold for all of them
 *
 * A random walk: a small host on which VMs come and go, vcpus are plugged,
 * configurations change and every signal jumps about. Each policy decides for
 * 100,000 steps of it. After each step the rules (policy_rules.c) hold, the
 * ownership table accepts every line, and a second instance that is told only
 * of VMs that changed or wait answers the same as the first, which is told of
 * all; whatever a third one is shown in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "owners.h"
#include "policy/snapshot.h"
#include "policy_rules.h"

#define STEPS 100000
#define CPUS  12
#define VMS   6
#define VCPUS 5 /* slots a VM */
#define NODES 2

static struct snapshot snap;
static struct owners table;

static void test_table(void **unused)
{
	unsigned cnt = 0;

	(void)unused;
	for (; policy_table[cnt]; cnt++) {
		const struct policy_ops *ops = policy_table[cnt];

		assert_ptr_equal(policy_find(ops->name), ops);
		assert_non_null(ops->about);
		assert_non_null(ops->decide);
	}
	assert_int_equal(cnt, 6);
	assert_ptr_equal(policy_find("slo"), &policy_slo);
	assert_ptr_equal(policy_find("none"), &policy_none);
	assert_null(policy_find("sl"));
	assert_null(policy_find("slow"));
	assert_null(policy_find(""));
}

static void test_reasons(void **unused)
{
	(void)unused;
	assert_string_equal(policy_reason_name(REASON_NONE), "none");
	assert_string_equal(policy_reason_name(REASON_GONE), "gone");
	assert_string_equal(policy_reason_name(REASON_NUM), "unknown");
	assert_string_equal(policy_reason_name(~0u), "unknown");
	for (unsigned i = 0; i < REASON_NUM; i++)
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(policy_reason_name(i),
						policy_reason_name(j));
}

static void test_plan_full(void **unused)
{
	static struct plan p;

	(void)unused;
	for (unsigned i = 0; i < CPU_MAX; i++)
		assert_true(plan_add(&p, (uint16_t)i, 0, REASON_SPARE));
	assert_false(plan_add(&p, 0, 0, REASON_SPARE));
	assert_int_equal(p.count, CPU_MAX);
}

/* --- the walk ------------------------------------------------------------ */

static unsigned below(unsigned n)
{
	return (unsigned)rand() % n;
}

/* mirror() - The snapshot shows who owns what. */
static void mirror(void)
{
	for (uint16_t cpu = 0; cpu < CPUS; cpu++) {
		uint16_t now = owners_of_cpu(&table, cpu);

		if (snap.cpu[cpu].owner != now)
			snap.cpu[cpu].since_ns = snap.now_ns;
		snap.cpu[cpu].owner = now;
	}
	snapshot_index(&snap);
}

/* What each VM looked like in the step before, and its vcpus. */
static struct vm_view vm_was[VMS];
static struct vcpu_view vcpu_was[VMS * VCPUS];

static void list_all(void)
{
	snapshot_mark_all(&snap);
	snapshot_list(&snap);
}

/* list_changed() - What changed since the last call, and who waits. */
static void list_changed(void)
{
	for (uint16_t vm = 0; vm < VMS; vm++) {
		const struct vm_view *v = &snap.vm[vm];
		const struct vcpu_view *first = &snap.vcpu[vm * VCPUS];

		if (memcmp(v, &vm_was[vm], sizeof(*v)) ||
		    memcmp(first, &vcpu_was[vm * VCPUS],
			   VCPUS * sizeof(*first)) ||
		    v->delay_ns || v->ready_ns || v->held)
			snapshot_mark(&snap, vm);
	}
	memcpy(vm_was, snap.vm, sizeof(vm_was));
	memcpy(vcpu_was, snap.vcpu, sizeof(vcpu_was));
	snapshot_list(&snap);
}

static void vm_changes(uint16_t vm)
{
	struct vm_view *v = &snap.vm[vm];
	uint16_t first = (uint16_t)(vm * VCPUS);

	if (v->present && !below(3)) {
		owners_vm_del(&table, vm);
		for (unsigned i = 0; i < VCPUS; i++)
			snap.vcpu[first + i].vm = VM_NONE;
		memset(v, 0, sizeof(*v));
		return;
	}
	*v = (struct vm_view){ .present = true,
			       .has_port = below(4),
			       .class = (uint8_t)(below(4) > 0),
			       .cpus_min = (uint16_t)below(4),
			       .cpus_max = (uint16_t)below(7),
			       .first_vcpu = first,
			       .vcpu_cnt = (uint16_t)(1 + below(VCPUS)),
			       .slo_ns = below(3) * 200000ull,
			       .slo_permyriad = 9900,
			       .node = below(3) ? (uint16_t)below(NODES)
						: NODE_NONE };
	owners_vm_set(&table, vm, v->class, first, v->vcpu_cnt);
	for (unsigned i = 0; i < VCPUS; i++)
		snap.vcpu[first + i].vm = i < v->vcpu_cnt ? vm : VM_NONE;
}

static void vcpu_changes(uint16_t vcpu, uint64_t passed_ns)
{
	struct vcpu_view *v = &snap.vcpu[vcpu];
	uint16_t vm = vcpu / VCPUS;

	if (!below(200) && vcpu % VCPUS < snap.vm[vm].vcpu_cnt)
		v->vm = v->vm == VM_NONE ? vm : VM_NONE;
	if (v->run == VCPU_RUN_READY)
		v->ran_ns += passed_ns / (1 + below(4));
	if (!below(500))
		v->ran_ns = 0;
	if (!below(4)) {
		v->run = (uint8_t)below(4);
		v->since_ns = snap.now_ns - below(300000);
		v->last_cpu = (uint16_t)(below(5) ? below(CPUS) : CPU_NONE);
	}
}

static void cpus_change(void)
{
	struct cpumask managed = { 0 }, floor = { { 1 } };
	unsigned few = 1 + below(3);

	for (unsigned cpu = 1; cpu < CPUS; cpu++) {
		snap.cpu[cpu].managed = below(4) < few;
		if (snap.cpu[cpu].managed)
			cpumask_set(&managed, cpu);
	}
	owners_set(&table, &managed, &floor);
}

static void step(void)
{
	static const uint64_t pause_ns[] = { 5000, 5000, 100000, 3000000,
					     15000000 };
	uint64_t passed_ns = pause_ns[below(5)];

	snap.now_ns += passed_ns;
	if (!below(50))
		vm_changes((uint16_t)below(VMS));
	if (!below(300))
		cpus_change();
	for (uint16_t i = 0; i < VMS; i++) {
		struct vm_view *v = &snap.vm[i];

		if (below(3)) {
			v->delay_ns += v->delay_ns ? passed_ns : 0;
			v->ready_ns += v->ready_ns ? passed_ns : 0;
			continue;
		}
		for (unsigned k = 0; k < VCPUS; k++)
			vcpu_changes((uint16_t)(i * VCPUS + k), passed_ns);
		v->delay_ns = below(3) ? 0 : below(300000);
		v->ready_ns = below(3) ? 0 : below(300000);
		v->held = below(10) ? 0 : (uint16_t)below(99);
		if (!below(1000))
			v->delay_ns = 2000000000;
		v->mem_bytes_s = below(100);
		v->done += below(9);
		v->late += !below(20);
	}
	for (unsigned i = 0; i < NODES; i++) {
		snap.node[i].since_ns = snap.now_ns - below(5000000);
		snap.node[i].mem_bytes_s = below(100);
		snap.node[i].mem_max_bytes_s = below(500) ? 50 : 0;
	}
	mirror();
}

static void start(unsigned seed)
{
	struct cpumask none = { 0 };

	srand(seed);
	memset(&snap, 0, sizeof(snap));
	snap.now_ns = 1000000000;
	snap.vm_cnt = VMS;
	snap.vcpu_cnt = VMS * VCPUS;
	snap.cpu_cnt = CPUS;
	for (unsigned i = 0; i < VMS * VCPUS; i++)
		snap.vcpu[i].vm = VM_NONE;
	for (uint16_t i = 0; i < CPUS; i++)
		snap.cpu[i] = (struct cpu_view){
			.owner = VCPU_NONE,
			.sibling = (uint16_t)(seed % 2 ? i ^ 1 : CPU_NONE),
			.llc = i / 4,
			.node = i / 6
		};
	snap.node_cnt = NODES;
	for (unsigned i = 0; i < NODES; i++)
		snap.node[i] = (struct node_view){ .metered = true,
						   .distance = { 20, 20 } };
	for (unsigned i = 0; i < NODES; i++)
		snap.node[i].distance[i] = 10;
	for (uint16_t i = 0; i < VMS; i++)
		snap.changed[snap.changed_cnt++] = i;
	owners_init(&table, &none, &none);
	cpus_change();
}

/* A cpu stands in a plan once, so the order does not matter. */
static bool same_plan(const struct plan *a, const struct plan *b)
{
	unsigned same = 0;

	for (unsigned i = 0; i < a->count; i++)
		for (unsigned j = 0; j < b->count; j++)
			same += a->grant[i].cpu == b->grant[j].cpu &&
				a->grant[i].vcpu == b->grant[j].vcpu &&
				a->grant[i].reason == b->grant[j].reason &&
				a->grant[i].saw_ns == b->grant[j].saw_ns;
	if (a->count != b->count || same != a->count ||
	    a->bar_cnt != b->bar_cnt)
		return false;
	for (unsigned i = 0; i < a->bar_cnt; i++)
		if (a->bar[i].vm != b->bar[i].vm ||
		    a->bar[i].reason != b->bar[i].reason ||
		    !cpumask_equal(&a->bar[i].cpus, &b->bar[i].cpus))
			return false;
	return true;
}

static void walk(const struct policy_ops *ops, unsigned seed)
{
	static struct plan p, again, other;
	static struct owners_changed changed;
	void *state[3];
	const char *rule;
	unsigned moves = 0, bars = 0, listed = 0;

	for (unsigned i = 0; i < 3; i++)
		state[i] = calloc(1, ops->state_bytes + 1);
	start(seed);
	for (unsigned i = 0; i < STEPS; i++) {
		step();
		p.count = again.count = other.count = 0;
		p.bar_cnt = again.bar_cnt = other.bar_cnt = 0;
		list_all();
		ops->decide(state[0], &snap, &p);
		if (below(2))
			ops->decide(state[2], &snap, &other);
		list_changed();
		listed += snap.changed_cnt;
		ops->decide(state[1], &snap, &again);
		rule = rules_broken(ops, &snap, &p);
		if (rule)
			fail_msg("%s, step %u: %s", ops->name, i, rule);
		/* ias ends its windows when it looks */
		if (ops != &policy_ias && !same_plan(&p, &again))
			fail_msg("%s, step %u: not the same when shown "
				 "what changed (%u %u, %u %u)",
				 ops->name, i, p.count, again.count, p.bar_cnt,
				 again.bar_cnt);
		if (owners_apply(&table, &snap, &p, &changed))
			fail_msg("%s, step %u: line refused", ops->name, i);
		moves += p.count;
		bars += p.bar_cnt;
	}
	if (ops == &policy_ias)
		assert_true(bars > STEPS / 100);
	assert_true(ops == &policy_none || moves > STEPS / 100);
	assert_in_range(listed, STEPS, STEPS * VMS * 9 / 10);
	for (unsigned i = 0; i < 3; i++)
		free(state[i]);
}

static void test_walk(void **unused)
{
	(void)unused;
	for (unsigned i = 0; policy_table[i]; i++)
		walk(policy_table[i], i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_plan_full),
		cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
