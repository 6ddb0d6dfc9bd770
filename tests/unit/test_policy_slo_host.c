// SPDX-License-Identifier: Apache-2.0
/*
 * test_policy_slo_host.c - the slo policy on a toy host, in virtual time
 *
 * Cpu 0 is the floor, the others are managed. Time goes in steps of 20 us, a
 * decision each. Work arrives at random vcpus in pieces of a given length; a
 * cpu runs its owner if that has work, else a vcpu that may ride there, 3 ms
 * at a time. Everything else is the product: policy and ownership table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/types.h>
#include "hl/sensor.h"
#include "owners.h"
#include "policy/snapshot.h"

#define STEP_NS	     20000ull
#define MS_STEPS     50
#define SLICE_STEPS  150
#define VCPUS	     4	       /* a VM */
#define THRESHOLD_NS 100000ull /* no SLO given */

static struct snapshot snap, blind; /* blind: no vcpu's state is seen */
static struct owners table;
static void *state;
static bool sensor;		       /* vcpu states are seen */
static bool agent;		       /* VM 0 has one */
static unsigned load[2];	       /* of each VM, percent of one cpu */
static unsigned piece;		       /* steps of work that arrive at once */
static unsigned work[2 * VCPUS];       /* steps each vcpu has to do */
static uint16_t on[8];		       /* vcpu each cpu runs */
static unsigned slice[8];	       /* for how many steps already */
static unsigned ran[2 * VCPUS];	       /* steps of each vcpu */
static struct cpumask mask[2 * VCPUS]; /* where each vcpu may run */
static unsigned moves, late; /* plan lines; steps over the threshold */

static void host(unsigned managed, unsigned vms, bool with_sensor)
{
	struct cpumask all = { 0 }, floor = { { 1 } };

	memset(&snap, 0, sizeof(snap));
	memset(work, 0, sizeof(work));
	memset(ran, 0, sizeof(ran));
	memset(on, 0xff, sizeof(on));
	srand(1);
	snap.now_ns = 1000000000;
	snap.vm_cnt = (uint16_t)vms;
	snap.vcpu_cnt = (uint16_t)(vms * VCPUS);
	snap.cpu_cnt = (uint16_t)(managed + 1);
	for (unsigned cpu = 0; cpu <= managed; cpu++) {
		snap.cpu[cpu] = (struct cpu_view){ .managed = cpu > 0,
						   .owner = VCPU_NONE,
						   .sibling = CPU_NONE };
		if (cpu)
			cpumask_set(&all, cpu);
	}
	owners_init(&table, &all, &floor);
	for (uint16_t vm = 0; vm < vms; vm++) {
		snap.vm[vm] =
		    (struct vm_view){ .present = true,
				      .has_port = true,
				      .class = VM_CLASS_LATENCY_CRITICAL,
				      .cpus_min = 1,
				      .cpus_max = VCPUS,
				      .first_vcpu = (uint16_t)(vm * VCPUS),
				      .vcpu_cnt = VCPUS };
		owners_vm_set(&table, vm, VM_CLASS_LATENCY_CRITICAL,
			      (uint16_t)(vm * VCPUS), VCPUS);
		load[vm] = 0;
	}
	for (unsigned i = 0; i < vms * VCPUS; i++)
		snap.vcpu[i] = (struct vcpu_view){ .vm = (uint16_t)(i / VCPUS),
						   .cpu = CPU_NONE,
						   .last_cpu = CPU_NONE };
	for (uint16_t v = 0; v < snap.vcpu_cnt; v++)
		mask[v] = owners_mask(&table, v);
	snapshot_index(&snap);
	blind = snap;
	free(state);
	state = calloc(1, policy_slo.state_bytes);
	sensor = with_sensor;
	agent = false;
	piece = 10;
	moves = late = 0;
}

/* arrive() - Work for both VMs; a vcpu never has more than ten pieces. */
static void arrive(void)
{
	for (unsigned vm = 0; vm < snap.vm_cnt; vm++) {
		unsigned vcpu = vm * VCPUS + (unsigned)rand() % VCPUS;

		while (agent && !vm && owners_of_vm(&table, 0) &&
		       snap.vcpu[vcpu].cpu == CPU_NONE)
			vcpu = (vcpu + 1) % VCPUS;

		if ((unsigned)rand() % (100 * piece) < load[vm] &&
		    work[vcpu] < 10 * piece)
			work[vcpu] += piece;
	}
}

/*
 * place() - What an agent does: work goes to the vcpus of VM 0 that own a cpu,
 * evenly. Each millisecond; its hints, for what they are worth, each 20.
 */
static void place(void)
{
	unsigned sum = 0, owned = owners_of_vm(&table, 0);
	uint64_t step = snap.now_ns / STEP_NS;

	for (unsigned v = 0; v < VCPUS; v++)
		sum += work[v];
	if (step % (20 * MS_STEPS) == 0) {
		snap.vm[0].hinted = true;
		snap.vm[0].hint_wanted =
		    (uint16_t)(sum / piece < VCPUS ? sum / piece : VCPUS);
		snap.vm[0].hint_wait_ns =
		    sum > owned * piece ? 20 * 1000000 : 0;
	}
	if (step % MS_STEPS || !owned)
		return;
	for (unsigned v = 0; v < VCPUS; v++) {
		work[v] = 0;
		if (snap.vcpu[v].cpu == CPU_NONE)
			continue;
		work[v] = sum / owned;
		sum -= work[v];
		owned--;
	}
}

/* choose() - The vcpu that runs on @cpu in this step, or VCPU_NONE. */
static uint16_t choose(uint16_t cpu, const bool *placed)
{
	uint16_t owner = owners_of_cpu(&table, cpu), best = VCPU_NONE;

	if (owner != VCPU_NONE && work[owner])
		return owner;
	for (uint16_t v = 0; v < snap.vcpu_cnt; v++) {
		if (!work[v] || placed[v] || !cpumask_has(&mask[v], cpu))
			continue;
		if (v == on[cpu] && slice[cpu] < SLICE_STEPS)
			return v;
		if (best == VCPU_NONE || best == on[cpu] ||
		    (v != on[cpu] && ran[v] < ran[best]))
			best = v;
	}
	return best;
}

static void set_run(uint16_t v, uint8_t run)
{
	if (snap.vcpu[v].run == run)
		return;
	snap.vcpu[v].ran_ns = vcpu_ran_ns(&snap, v);
	snap.vcpu[v].since_ns = snap.now_ns;
	snap.vcpu[v].run = run;
}

static void run_cpus(void)
{
	bool placed[2 * VCPUS] = { false };

	for (uint16_t cpu = 0; cpu < snap.cpu_cnt; cpu++) {
		uint16_t v = choose(cpu, placed);

		slice[cpu] = v == on[cpu] ? slice[cpu] + 1 : 0;
		on[cpu] = v;
		if (v == VCPU_NONE)
			continue;
		placed[v] = true;
		snap.vcpu[v].last_cpu = cpu;
		ran[v]++;
		set_run(v, VCPU_RUN_RUNNING);
		work[v]--;
	}
	for (uint16_t v = 0; v < snap.vcpu_cnt; v++)
		if (!placed[v])
			set_run(v, work[v] ? VCPU_RUN_READY : VCPU_RUN_HALTED);
}

/* signals() - What the policy is shown of all this. */
static void signals(struct snapshot *s)
{
	uint64_t wait_ns;

	for (unsigned vm = 0; vm < s->vm_cnt; vm++)
		s->vm[vm].ready_ns = s->vm[vm].delay_ns = 0;
	for (unsigned v = 0; v < s->vcpu_cnt; v++) {
		struct vm_view *vm = &s->vm[s->vcpu[v].vm];

		if (s->vcpu[v].run != VCPU_RUN_READY)
			continue;
		wait_ns = s->now_ns - s->vcpu[v].since_ns;
		if (wait_ns > vm->delay_ns)
			vm->delay_ns = wait_ns;
		late += wait_ns >= THRESHOLD_NS;
		vm->ready_ns = sensor ? vm->delay_ns : 0;
	}
}

/* see() - The times go by; a blind one is shown waits of frames only. */
static void see(struct snapshot *s)
{
	s->now_ns = snap.now_ns;
	for (unsigned vm = 0; vm < s->vm_cnt; vm++) {
		struct vm_view *to = &s->vm[vm], *from = &snap.vm[vm];

		to->delay_ns = from->delay_ns;
		to->ready_ns = from->ready_ns;
		to->hinted = from->hinted;
		to->hint_wanted = from->hint_wanted;
		to->hint_wait_ns = from->hint_wait_ns;
	}
	snapshot_mark_all(s);
	snapshot_list(s);
}

static void decide(void)
{
	static struct owners_changed changed;
	static struct plan p;

	p.count = p.bar_cnt = 0;
	see(&snap);
	see(&blind);
	policy_slo.decide(state, sensor ? &snap : &blind, &p);
	assert_int_equal(owners_apply(&table, &snap, &p, &changed), 0);
	moves += p.count;
	for (unsigned i = 0; i < changed.count; i++)
		mask[changed.vcpu[i]] = owners_mask(&table, changed.vcpu[i]);
	for (uint16_t cpu = 0; p.count && cpu < snap.cpu_cnt; cpu++) {
		uint16_t owner = owners_of_cpu(&table, cpu);

		if (snap.cpu[cpu].owner != owner)
			snapshot_own(&snap, cpu, owner);
		if (blind.cpu[cpu].owner != owner)
			snapshot_own(&blind, cpu, owner);
	}
}

static void turn(unsigned steps)
{
	for (unsigned i = 0; i < steps; i++) {
		snap.now_ns += STEP_NS;
		arrive();
		if (agent)
			place();
		run_cpus();
		signals(&snap);
		decide();
	}
}

static const struct {
	const char *what;
	unsigned load, piece;
	bool sensor;
	unsigned moves; /* at most, in ten seconds after the first */
	unsigned late;	/* vcpu-steps over the threshold, at most, per mille */
} constant_row[] = {
	{ "no load", 0, 10, true, 0, 0 },
	{ "half a cpu, short pieces", 50, 2, true, 40, 5 },
	{ "half a cpu, long pieces", 50, 50, true, 40, 5 },
	{ "at the edge of giving one back", 68, 10, true, 40, 5 },
	{ "one and a half cpus", 150, 10, true, 40, 5 },
	{ "two and a half cpus", 250, 10, true, 40, 5 },
	{ "all four cpus", 380, 10, true, 40, 5 },
	{ "no sensor, no load", 0, 10, false, 0, 0 },
	{ "no sensor, half a cpu", 50, 10, false, 40, 5 },
	{ "no sensor, one and a half cpus", 150, 10, false, 40, 5 },
	{ "no sensor, all four cpus", 380, 10, false, 40, 5 },
};

static void test_constant_load(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(constant_row) / sizeof(constant_row[0]);
	     i++) {
		host(4, 1, constant_row[i].sensor);
		load[0] = constant_row[i].load;
		piece = constant_row[i].piece;
		turn(1000 * MS_STEPS);
		moves = late = 0;
		turn(10000 * MS_STEPS);
		if (moves > constant_row[i].moves)
			fail_msg("%s: %u moves in 10 s", constant_row[i].what,
				 moves);
		if (late > constant_row[i].late * 1000u * MS_STEPS / 100)
			fail_msg("%s: %u late", constant_row[i].what, late);
	}
}

static const struct {
	unsigned load, piece;
	unsigned cpus_10; /* owned on average, in tenths, at most */
	unsigned moves;	  /* in ten seconds */
} agent_row[] = {
	{ 0, 10, 10, 0 },     { 50, 10, 12, 60 },   { 80, 10, 20, 100 },
	{ 150, 10, 24, 100 }, { 250, 50, 34, 250 }, { 380, 10, 40, 60 },
};

/* Nothing waits outside of the guest, and still it gets what it needs, soon:
 * no more work piles up than it can do in 20 ms. */
static void test_agent(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(agent_row) / sizeof(agent_row[0]); i++) {
		unsigned owned = 0, sum = 0;

		host(4, 1, true);
		agent = true;
		piece = agent_row[i].piece;
		load[0] = agent_row[i].load;
		turn(1000 * MS_STEPS);
		moves = 0;
		for (unsigned ms = 0; ms < 10000; ms++) {
			turn(MS_STEPS);
			owned += owners_of_vm(&table, 0);
			for (unsigned v = 0; v < VCPUS; v++)
				sum += work[v];
		}
		print_message("load %u: %u.%02u cpus, %u.%02u ms of work, %u "
			      "moves\n",
			      load[0], owned / 10000, owned / 100 % 100,
			      sum / 10000 / MS_STEPS,
			      sum / 100 / MS_STEPS % 100, moves);
		assert_in_range(owned, load[0] * 100,
				agent_row[i].cpus_10 * 1000);
		assert_in_range(moves, 0, agent_row[i].moves);
		assert_in_range(sum / 10000, 0, 20 * MS_STEPS);
	}
}

/* From rest to full load: a cpu in the very decision that sees the wait. */
static void test_load_step(void **unused)
{
	unsigned owned = 0, steps = 0;

	(void)unused;
	host(4, 1, true);
	turn(100 * MS_STEPS);
	assert_int_equal(owners_of_vm(&table, 0), 1);
	for (unsigned v = 0; v < VCPUS; v++)
		work[v] = 100000;
	while (snap.vm[0].ready_ns < THRESHOLD_NS) {
		owned = owners_of_vm(&table, 0);
		assert_true(steps++ < MS_STEPS);
		turn(1);
	}
	assert_int_equal(owners_of_vm(&table, 0), owned + 1);
	turn(MS_STEPS);
	assert_int_equal(owners_of_vm(&table, 0), 4);
}

static void test_load_ends(void **unused)
{
	(void)unused;
	host(4, 1, true);
	load[0] = 380;
	turn(200 * MS_STEPS);
	assert_int_equal(owners_of_vm(&table, 0), 4);
	load[0] = 0;
	memset(work, 0, sizeof(work));
	turn(50 * MS_STEPS);
	assert_true(owners_of_vm(&table, 0) < 4);
	turn(50 * MS_STEPS);
	assert_int_equal(owners_of_vm(&table, 0), 1);
}

/* One managed cpu for two minimums: it stays with the first slot. */
static void test_one_cpu_for_two(void **unused)
{
	(void)unused;
	host(1, 2, true);
	load[0] = load[1] = 100;
	turn(1);
	for (unsigned i = 0; i < 1000; i++) {
		turn(MS_STEPS);
		assert_int_equal(owners_of_vm(&table, 0), 1);
		assert_int_equal(owners_of_vm(&table, 1), 0);
	}
	assert_int_equal(moves, 1);
}

/* Both want all there is: each keeps its minimum at every step, and they
 * share the rest without passing it to and fro. */
static void test_two_greedy(void **unused)
{
	(void)unused;
	host(4, 2, true);
	load[0] = 400;
	turn(200 * MS_STEPS);
	assert_int_equal(owners_of_vm(&table, 0), 3);
	load[1] = 400;
	for (unsigned i = 0; i < 2000 * MS_STEPS; i++) {
		turn(1);
		assert_true(owners_of_vm(&table, 0) >= 1);
		assert_true(owners_of_vm(&table, 1) >= 1);
	}
	assert_int_equal(owners_of_vm(&table, 0), 2);
	assert_int_equal(owners_of_vm(&table, 1), 2);
	moves = 0;
	turn(2000 * MS_STEPS);
	assert_in_range(moves, 0, 8);
}

/* Load that goes to and fro between two VMs takes the cpus along. */
static void test_load_wanders(void **unused)
{
	(void)unused;
	host(5, 2, true);
	for (unsigned i = 0; i < 10; i++) {
		load[i % 2] = 380;
		load[1 - i % 2] = 5;
		turn(300 * MS_STEPS);
		assert_int_equal(owners_of_vm(&table, (uint16_t)(i % 2)), 4);
		assert_int_equal(owners_of_vm(&table, (uint16_t)(1 - i % 2)),
				 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_constant_load),
		cmocka_unit_test(test_agent),
		cmocka_unit_test(test_load_step),
		cmocka_unit_test(test_load_ends),
		cmocka_unit_test(test_one_cpu_for_two),
		cmocka_unit_test(test_two_greedy),
		cmocka_unit_test(test_load_wanders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
