// SPDX-License-Identifier: Apache-2.0
/*
 * test_pick.c - which cpu, which vcpu, who loses
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "policy/pick.h"
#include "scene.h"

static struct snapshot snap;
static struct plan plan;
static struct pick pick;

static const struct {
	const char *what, *in;
	enum pick_who who;
	uint16_t cpu;  /* for VM 0 */
	uint16_t vcpu; /* that should get it */
} row[] = {
	{ "no cpu", "cpus=1 lc run@0* ready", PICK_ANY, CPU_NONE, 1 },
	{ "any cpu", "cpus=4 lc ready:9", PICK_RUNNABLE, 0, 0 },
	{ "where it last ran", "cpus=4 lc ready:9@2", PICK_RUNNABLE, 2, 0 },
	{ "where a halted one ran does not count", "cpus=4 lc halt@2 ready:9",
	  PICK_RUNNABLE, 0, 1 },
	{ "unless a halted one may get it", "cpus=4 lc halt@2", PICK_ANY, 2,
	  0 },
	{ "home before the longest wait", "cpus=4 lc ready:99 ready:5@2",
	  PICK_RUNNABLE, 2, 1 },
	{ "a lasting wait before a short one",
	  "cpus=4 lc ready:5 ready:99 ready:50", PICK_RUNNABLE, 0, 1 },
	{ "who waits before who runs somewhere",
	  "cpus=4 lc run unk halt ready:1", PICK_ANY, 0, 3 },
	{ "who runs before who is unknown", "cpus=4 lc unk halt run", PICK_ANY,
	  0, 2 },
	{ "who is unknown before who is halted", "cpus=4 lc halt unk", PICK_ANY,
	  0, 1 },
	{ "halted ones never, when they may not", "cpus=4 lc halt halt",
	  PICK_RUNNABLE, 0, VCPU_NONE },
	{ "owners have one already", "cpus=4 lc run@0* run@1*", PICK_ANY, 2,
	  VCPU_NONE },
	{ "home before the sibling", "cpus=8 smt llc=4 lc run@0* ready@6",
	  PICK_RUNNABLE, 6, 1 },
	{ "the sibling of its own", "cpus=8 smt llc=4 lc run@6* ready",
	  PICK_RUNNABLE, 7, 1 },
	{ "then its cache, a whole core of it",
	  "cpus=8 smt llc=4 lc run@4* run@5* ready be run@6*", PICK_RUNNABLE, 7,
	  2 },
	{ "a whole core before half of another's",
	  "cpus=4 smt lc ready lc run@0*", PICK_RUNNABLE, 2, 0 },
	{ "its cache before a whole core elsewhere",
	  "cpus=8 smt llc=4 lc run@0* run@1* ready lc run@2*", PICK_RUNNABLE, 3,
	  2 },
	{ "its node before another",
	  "cpus=8 llc=2 node=4 lc run@4* run@5* ready", PICK_RUNNABLE, 6, 2 },
	{ "owning nothing, it is where it last ran",
	  "cpus=8 llc=4 lc ready@5 lc run@5*", PICK_RUNNABLE, 4, 0 },
	{ "not an unmanaged cpu", "cpus=3 unmanaged=0 unmanaged=2 lc ready@2",
	  PICK_RUNNABLE, 1, 0 },
	{ "a cpu whose owner is gone is free", "cpus=1 ghost=0:77 lc ready",
	  PICK_RUNNABLE, 0, 0 },
};

static void test_who_where(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint16_t cpu, vcpu;

		scene_build(&snap, row[i].in);
		plan.count = 0;
		pick_begin(&pick, &snap, &plan);
		cpu = pick_cpu(&pick, 0, row[i].who);
		if (cpu != row[i].cpu)
			fail_msg("%s: %s: cpu %u", row[i].what, row[i].in, cpu);
		vcpu = pick_vcpu(&pick, 0, cpu, row[i].who);
		if (vcpu != row[i].vcpu)
			fail_msg("%s: %s: vcpu %u", row[i].what, row[i].in,
				 vcpu);
	}
}

static const struct {
	const char *what, *in;
	uint16_t cpu;
} loser_row[] = {
	{ "owns nothing", "cpus=4 lc run", CPU_NONE },
	{ "the only one", "cpus=4 lc run@2*", 2 },
	{ "a halted owner's", "cpus=4 lc run@0* halt@1* run@2*", 1 },
	{ "one far from the rest", "cpus=8 llc=4 lc run@1* run@5* run@2*", 5 },
	{ "one without its sibling", "cpus=8 smt lc run@0* run@4* run@1*", 4 },
	{ "halted counts more than far",
	  "cpus=8 llc=4 lc halt@1* run@5* run@2*", 1 },
	{ "the one gained last", "cpus=4 fresh=1 lc run@0* run@1* run@2*", 1 },
	{ "else the highest", "cpus=4 lc run@0* run@1* run@2*", 2 },
};

static void test_loser(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(loser_row) / sizeof(loser_row[0]); i++) {
		uint16_t cpu;

		scene_build(&snap, loser_row[i].in);
		plan.count = 0;
		pick_begin(&pick, &snap, &plan);
		cpu = pick_loser(&pick, 0);
		if (cpu != loser_row[i].cpu)
			fail_msg("%s: cpu %u", loser_row[i].what, cpu);
	}
}

/* What is planned already is neither free nor for the taking. */
static void test_once(void **unused)
{
	(void)unused;
	scene_build(&snap, "cpus=3 lc run@0* ready ready");
	plan.count = 0;
	pick_begin(&pick, &snap, &plan);
	pick_give(&pick, 1, 1, REASON_DELAY);
	assert_int_equal(pick_owned(&pick, 0), 2);
	assert_int_equal(pick_cpu(&pick, 0, PICK_RUNNABLE), 2);
	assert_int_equal(pick_vcpu(&pick, 0, 2, PICK_RUNNABLE), 2);
	pick_drop(&pick, 0, REASON_GIVE_BACK);
	assert_int_equal(pick_owned(&pick, 0), 1);
	assert_int_equal(pick_loser(&pick, 0), CPU_NONE);
	pick_give(&pick, 1, 2, REASON_DELAY); /* again: ignored */
	pick_end(&pick);
	assert_string_equal(scene_plan(&plan), "1>1:delay 0>-:give-back");
}

static uint16_t take(uint16_t vm, unsigned vcpu)
{
	vcpu += vm * SCENE_VCPUS;
	return pick_take(&pick, vm, (uint16_t)vcpu, 1000);
}

/* More who may wait than a decision remembers, and this asker may have none of
 * them: they own less than he does. He takes from who owns more. */
static void test_take_beyond_the_list(void **unused)
{
	enum { LOOSE = PICK_VICTIMS + 8, HOG = LOOSE, ASKER };
	static char text[4000];
	size_t n = 0;

	(void)unused;
	n += (size_t)sprintf(text + n, "cpus=%d move=2", LOOSE + 12);
	for (unsigned i = 0; i < LOOSE; i++)
		n += (size_t)sprintf(text + n, " lc min=0 slo=900000 run@%u*",
				     i);
	n += (size_t)sprintf(text + n, " lc min=0 slo=4000");
	for (unsigned i = LOOSE; i < LOOSE + 10; i++)
		n += (size_t)sprintf(text + n, " run@%u*", i);
	sprintf(text + n, " lc min=0 slo=1000 run@%d* run@%d* ready:900",
		LOOSE + 10, LOOSE + 11);
	scene_build(&snap, text);
	plan.count = 0;
	pick_begin(&pick, &snap, &plan);
	assert_in_range(take(ASKER, 2), LOOSE, LOOSE + 9);
	/* so many times */
	for (unsigned i = 1; i < PICK_SEARCHES; i++)
		assert_int_not_equal(take(ASKER, 2), CPU_NONE);
	assert_int_equal(take(ASKER, 2), CPU_NONE);
}

/* Of those who may always wait, who owns most now loses next. */
static void test_take_in_turn(void **unused)
{
	uint16_t cpu;

	(void)unused;
	scene_build(&snap,
		    "cpus=5 move=2 lc min=0 run@0* run@1* run@2* "
		    "lc min=0 run@3* run@4* "
		    "lc min=0 slo=1000 ready:9 lc min=0 slo=1000 ready:9 "
		    "lc min=0 slo=1000 ready:9");
	plan.count = 0;
	pick_begin(&pick, &snap, &plan);
	for (uint16_t vm = 2; vm < 5; vm++) {
		cpu = take(vm, 0);
		assert_int_not_equal(cpu, CPU_NONE);
		pick_give(&pick, cpu, (uint16_t)(vm * SCENE_VCPUS),
			  REASON_PREEMPTED);
	}
	assert_int_equal(pick_owned(&pick, 0), 1);
	assert_int_equal(pick_owned(&pick, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_where),
		cmocka_unit_test(test_loser),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_take_beyond_the_list),
		cmocka_unit_test(test_take_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
