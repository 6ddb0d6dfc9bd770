// SPDX-License-Identifier: Apache-2.0
/*
 * test_pick_model.c - masks choose what scores chose; owners kept as worked out
 *
 * Random hosts with pairs or rings of SMT siblings, caches and nodes. For each,
 * random moves are planned, and before each one the choices of pick.c are
 * compared with the plainest way to say the same: every cpu gets a score, each
 * term of which outweighs all after it. And owners that change hands one by one
 * must leave a snapshot as one that is indexed from scratch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/pick.h"

#define HOSTS 3000
#define MOVES 12
#define CPUS  24
#define VMS   6
#define VCPUS 5

static struct snapshot snap, fresh;
static struct plan plan;
static struct pick pick;

static unsigned below(unsigned n)
{
	return (unsigned)rand() % n;
}

/* --- random hosts -------------------------------------------------------- */

static uint16_t sibling_of(unsigned cpu, unsigned threads)
{
	if (threads == 1)
		return CPU_NONE;
	return (uint16_t)(cpu / threads * threads + (cpu + 1) % threads);
}

static void add_cpus(void)
{
	static const unsigned threads_of[] = { 1, 2, 4 };
	unsigned threads = threads_of[below(3)];

	snap.cpu_cnt = CPUS;
	snap.node_cnt = 3;
	for (unsigned i = 0; i < CPUS; i++)
		snap.cpu[i] =
		    (struct cpu_view){ .managed = below(8) > 0,
				       .owner = VCPU_NONE,
				       .sibling = sibling_of(i, threads),
				       .llc = (uint16_t)(i / 4 * 4),
				       .node = (uint16_t)(i / 8),
				       .since_ns = below(3) };
	for (unsigned a = 0; a < 3; a++)
		for (unsigned b = 0; b < 3; b++)
			snap.node[a].distance[b] =
			    a == b ? 10 : (uint8_t)(20 + below(2));
}

static void add_vms(void)
{
	snap.vm_cnt = VMS;
	snap.vcpu_cnt = VMS * VCPUS;
	for (uint16_t vm = 0; vm < VMS; vm++)
		snap.vm[vm] =
		    (struct vm_view){ .present = below(10) > 0,
				      .class = below(4) > 0,
				      .cpus_min = (uint16_t)below(4),
				      .cpus_max = (uint16_t)below(6),
				      .first_vcpu = (uint16_t)(vm * VCPUS),
				      .vcpu_cnt = VCPUS,
				      .node = (uint16_t)below(4) };
	for (uint16_t i = 0; i < snap.vcpu_cnt; i++)
		snap.vcpu[i] = (struct vcpu_view){
			.vm = (uint16_t)(below(12) ? i / VCPUS : VM_NONE),
			.last_cpu =
			    (uint16_t)(below(3) ? below(CPUS) : CPU_NONE),
			.run = (uint8_t)below(4),
			.since_ns = below(5),
		};
}

static void random_host(unsigned seed)
{
	unsigned full;

	srand(seed);
	full = below(5);
	memset(&snap, 0, sizeof(snap));
	snap.now_ns = 100;
	add_cpus();
	add_vms();
	for (unsigned i = 0; i < CPUS; i++)
		if (below(4) < full)
			snap.cpu[i].owner = (uint16_t)below(VMS * VCPUS + 3);
	snapshot_index(&snap);
	plan.count = 0;
	pick_begin(&pick, &snap, &plan);
}

/* --- the plain way ------------------------------------------------------- */

static uint16_t owner[CPUS];   /* as planned */
static bool busy[VMS * VCPUS]; /* owns, or did until this plan */
static bool planned[CPUS];

static bool is_there(uint16_t vcpu)
{
	return vcpu < snap.vcpu_cnt && snap.vcpu[vcpu].vm != VM_NONE &&
	       snap.vm[snap.vcpu[vcpu].vm].present;
}

static void model_owners(void)
{
	memset(busy, 0, sizeof(busy));
	memset(planned, 0, sizeof(planned));
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		uint16_t vcpu = snap.cpu[cpu].owner;

		owner[cpu] = VCPU_NONE;
		if (!snap.cpu[cpu].managed || !is_there(vcpu) || busy[vcpu])
			continue;
		owner[cpu] = vcpu;
		busy[vcpu] = true;
	}
	for (unsigned i = 0; i < plan.count; i++) {
		const struct grant *g = &plan.grant[i];

		planned[g->cpu] = true;
		owner[g->cpu] = g->vcpu;
		if (g->vcpu != VCPU_NONE)
			busy[g->vcpu] = true;
	}
}

static bool is_mine(unsigned cpu, uint16_t vm)
{
	return cpu < CPUS && owner[cpu] != VCPU_NONE &&
	       snap.vcpu[owner[cpu]].vm == vm;
}

static unsigned model_owned(uint16_t vm)
{
	unsigned cnt = 0;

	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		cnt += is_mine(cpu, vm);
	return cnt;
}

static bool is_candidate(unsigned vcpu, uint16_t vm, enum pick_who who)
{
	return snap.vcpu[vcpu].vm == vm && !busy[vcpu] &&
	       (who == PICK_ANY || snap.vcpu[vcpu].run != VCPU_RUN_HALTED);
}

/* warm() - Is there a cpu with the same @id where the VM is warm? */
static bool warm(uint16_t vm, enum pick_who who, const uint16_t *id,
		 size_t stride, unsigned cpu)
{
#define ID(i) (*(const uint16_t *)((const char *)id + (i)*stride))
	for (unsigned i = 0; i < CPUS; i++)
		if (is_mine(i, vm) && ID(i) == ID(cpu))
			return true;
	if (model_owned(vm))
		return false;
	for (unsigned v = vm * VCPUS, end = v + VCPUS; v < end; v++)
		if (is_candidate(v, vm, who) && snap.vcpu[v].last_cpu < CPUS &&
		    ID(snap.vcpu[v].last_cpu) == ID(cpu))
			return true;
	return false;
}

static bool is_home(uint16_t vm, enum pick_who who, unsigned cpu)
{
	for (unsigned v = vm * VCPUS, end = v + VCPUS; v < end; v++)
		if (is_candidate(v, vm, who) && snap.vcpu[v].last_cpu == cpu)
			return true;
	return false;
}

static unsigned model_score(uint16_t vm, enum pick_who who, unsigned cpu)
{
	const struct cpu_view *c = &snap.cpu[cpu];
	bool sibling = is_mine(c->sibling, vm);
	unsigned near = 255;

	if (pick.by_node && snap.vm[vm].node < snap.node_cnt)
		near -= snap.node[snap.vm[vm].node].distance[c->node];
	return near * 32 + is_home(vm, who, cpu) * 16 + sibling * 8 +
	       warm(vm, who, &snap.cpu[0].llc, sizeof(*c), cpu) * 4 +
	       warm(vm, who, &snap.cpu[0].node, sizeof(*c), cpu) * 2 +
	       (sibling || c->sibling >= CPUS ||
		owner[c->sibling] == VCPU_NONE);
}

static uint16_t model_cpu(uint16_t vm, enum pick_who who)
{
	uint16_t best = CPU_NONE;

	for (uint16_t cpu = 0; cpu < CPUS; cpu++)
		if (snap.cpu[cpu].managed && owner[cpu] == VCPU_NONE &&
		    !planned[cpu] &&
		    (best == CPU_NONE ||
		     model_score(vm, who, cpu) > model_score(vm, who, best)))
			best = cpu;
	return best;
}

static unsigned model_miss(uint16_t vm, unsigned cpu)
{
	unsigned same = 0;

	for (unsigned i = 0; i < CPUS; i++)
		same += is_mine(i, vm) && snap.cpu[i].llc == snap.cpu[cpu].llc;
	return (snap.vcpu[owner[cpu]].run == VCPU_RUN_HALTED) * 1000 +
	       !is_mine(snap.cpu[cpu].sibling, vm) * 100 + CPUS - same;
}

static uint16_t model_loser(uint16_t vm)
{
	uint16_t best = CPU_NONE;

	for (uint16_t cpu = 0; cpu < CPUS; cpu++) {
		if (!is_mine(cpu, vm) || planned[cpu])
			continue;
		if (best == CPU_NONE ||
		    model_miss(vm, cpu) > model_miss(vm, best) ||
		    (model_miss(vm, cpu) == model_miss(vm, best) &&
		     snap.cpu[cpu].since_ns >= snap.cpu[best].since_ns))
			best = cpu;
	}
	return best;
}

/* --- the tests ----------------------------------------------------------- */

static void compare(unsigned seed)
{
	model_owners();
	for (uint16_t vm = 0; vm < VMS; vm++) {
		if (!snap.vm[vm].present)
			continue;
		assert_int_equal(pick_owned(&pick, vm), model_owned(vm));
		for (int who = PICK_RUNNABLE; who <= PICK_ANY; who++)
			if (pick_cpu(&pick, vm, who) != model_cpu(vm, who))
				fail_msg("seed %u, %u lines, VM %u: cpu %u, "
					 "not %u",
					 seed, plan.count, vm,
					 pick_cpu(&pick, vm, who),
					 model_cpu(vm, who));
		if (pick_loser(&pick, vm) != model_loser(vm))
			fail_msg("seed %u, %u lines, VM %u: loses %u, not %u",
				 seed, plan.count, vm, pick_loser(&pick, vm),
				 model_loser(vm));
	}
	for (uint16_t cpu = 0; cpu < CPUS; cpu++)
		assert_int_equal(pick_owner(&pick, cpu), owner[cpu]);
}

static void random_move(void)
{
	uint16_t vm = (uint16_t)below(VMS), cpu, vcpu;

	if (!snap.vm[vm].present)
		return;
	if (!below(3)) {
		cpu = pick_loser(&pick, vm);
		if (cpu != CPU_NONE)
			pick_drop(&pick, cpu, REASON_GIVE_BACK);
		return;
	}
	cpu = below(4) ? pick_cpu(&pick, vm, PICK_ANY) : (uint16_t)below(CPUS);
	if (cpu == CPU_NONE || !snap.cpu[cpu].managed)
		return;
	vcpu = pick_vcpu(&pick, vm, cpu, PICK_ANY);
	if (vcpu != VCPU_NONE)
		pick_give(&pick, cpu, vcpu, REASON_DELAY);
}

static void test_choices(void **unused)
{
	unsigned lines = 0;

	(void)unused;
	for (unsigned seed = 0; seed < HOSTS; seed++) {
		random_host(seed);
		pick.by_node = seed % 2;
		for (unsigned i = 0; i < MOVES; i++) {
			compare(seed);
			random_move();
		}
		compare(seed);
		lines += plan.count;
	}
	assert_true(lines > 2 * HOSTS);
}

static void same_sets(unsigned seed)
{
	fresh = snap;
	snapshot_index(&fresh);
#define SAME(f) assert_memory_equal(&snap.f, &fresh.f, sizeof(snap.f))
	SAME(managed);
	SAME(free);
	SAME(gone);
	SAME(alone);
	SAME(below);
	SAME(rich);
	SAME(above);
	SAME(elastic);
	for (unsigned i = 0; i < VMS; i++)
		if (snap.vm[i].owned != fresh.vm[i].owned)
			fail_msg("seed %u: VM %u owns %u, not %u", seed, i,
				 snap.vm[i].owned, fresh.vm[i].owned);
	for (unsigned i = 0; i < VMS * VCPUS; i++)
		assert_int_equal(snap.vcpu[i].cpu, fresh.vcpu[i].cpu);
}

/* clear_up() - As hostd's table would have it: what is gone owns nothing. */
static void clear_up(void)
{
	struct cpumask gone = snap.gone;

	cpumask_for_each (cpu, &gone)
		snapshot_own(&snap, (uint16_t)cpu, VCPU_NONE);
}

static void test_owners_change(void **unused)
{
	(void)unused;
	for (unsigned seed = 0; seed < HOSTS / 4; seed++) {
		random_host(seed);
		clear_up();
		same_sets(seed);
		for (unsigned i = 0; i < MOVES; i++) {
			uint16_t cpu = (uint16_t)below(CPUS);
			uint16_t vcpu = (uint16_t)below(VMS * VCPUS);

			if (!below(3) || !is_there(vcpu) ||
			    !snap.cpu[cpu].managed)
				vcpu = VCPU_NONE;
			snapshot_own(&snap, cpu, vcpu);
			same_sets(seed);
		}
	}
}

static void test_marks(void **unused)
{
	static const uint16_t in[] = { 63, 5, VM_MAX - 1, 64, 5, 0 };
	static const uint16_t out[] = { 0, 5, 63, 64, VM_MAX - 1 };

	(void)unused;
	memset(&snap, 0, sizeof(snap));
	snap.vm_cnt = VM_MAX;
	for (unsigned i = 0; i < 6; i++)
		snapshot_mark(&snap, in[i]);
	snapshot_list(&snap);
	assert_int_equal(snap.changed_cnt, 5);
	assert_memory_equal(snap.changed, out, sizeof(out));
	snapshot_list(&snap);
	assert_int_equal(snap.changed_cnt, 0);
	snapshot_mark_all(&snap);
	snap.vm_cnt = 70;
	snapshot_list(&snap);
	assert_int_equal(snap.changed_cnt, 70);
	for (unsigned i = 0; i < 70; i++)
		assert_int_equal(snap.changed[i], i);
	assert_true(vmset_empty(&snap.marked));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_owners_change),
		cmocka_unit_test(test_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
