// SPDX-License-Identifier: Apache-2.0
/*
 * test_picker.c - hl/picker.h against tables and against the plain model
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ref/picker_model.h"

#define NONE PICKER_NONE

/* Two sockets of two cores of two threads, Linux's usual numbers: cpu n and
 * n + 4 share a core; 0 1 4 5 share a cache, 2 3 6 7 the other. */
static const uint16_t sibling8[] = { 4, 5, 6, 7, 0, 1, 2, 3 };
static const uint16_t llc8[] = { 0, 0, 2, 2, 0, 0, 2, 2 };

static struct picker *new_picker(uint16_t cpus, uint16_t members,
				 const uint16_t *sibling, const uint16_t *llc)
{
	struct picker *p = malloc(picker_bytes(members));

	assert_non_null(p);
	memset(p, 0x5a, picker_bytes(members));
	assert_int_equal(picker_init(p, cpus, members, sibling, llc), 0);
	return p;
}

/* --- the rule ------------------------------------------------------------ */

#define JOIN(m)                                                                \
	{                                                                      \
		OP_JOIN, m, 0, 0                                               \
	}
#define LEAVE(m)                                                               \
	{                                                                      \
		OP_LEAVE, m, 0, 0                                              \
	}
#define ACTIVATE(m)                                                            \
	{                                                                      \
		OP_ACTIVATE, m, 0, 0                                           \
	}
#define IDLE(m, cpu)                                                           \
	{                                                                      \
		OP_IDLE, m, cpu, 0                                             \
	}
#define PICK(cpu, m)                                                           \
	{                                                                      \
		OP_PICK, 0, cpu, m                                             \
	}
#define RAN(m, cpu) JOIN(m), ACTIVATE(m), IDLE(m, cpu)
#define ERR(op, m, cpu, err)                                                   \
	{                                                                      \
		op, m, cpu, err                                                \
	}

struct step {
	enum picker_op op;
	uint16_t member, cpu;
	int answer;
};

static const struct scene {
	const char *what;
	struct step step[16];
} scenes[] = {
	{ "nobody joined", { PICK(0, NONE) } },
	{ "its own last one", { RAN(0, 3), RAN(1, 1), RAN(2, 1), PICK(3, 0) } },
	{ "of its own, the one that ran last",
	  { RAN(0, 1), RAN(1, 1), RAN(2, 3), PICK(1, 1), PICK(1, 0) } },
	{ "its own before its sibling's",
	  { RAN(0, 1), RAN(1, 5), PICK(1, 0), PICK(1, 1) } },
	{ "its sibling's before its cache's",
	  { RAN(0, 0), RAN(1, 5), PICK(1, 1), PICK(1, 0) } },
	{ "of its sibling's, the one that ran last",
	  { RAN(0, 5), RAN(1, 5), PICK(1, 1) } },
	{ "its cache's before one that rests longer",
	  { RAN(0, 2), RAN(1, 0), PICK(1, 1), PICK(1, 0) } },
	{ "one that never ran before its cache's",
	  { JOIN(0), RAN(1, 0), PICK(1, 0), PICK(1, 1) } },
	{ "its sibling's before one that never ran",
	  { JOIN(0), RAN(1, 5), PICK(1, 1), PICK(1, 0) } },
	{ "of its cache's, the one that ran longest ago",
	  { RAN(0, 0), RAN(1, 4), RAN(2, 0), PICK(1, 0), PICK(1, 1) } },
	{ "else the one that ran longest ago",
	  { RAN(0, 6), RAN(1, 3), RAN(2, 7), PICK(0, 0), PICK(0, 1) } },
	{ "one that never ran comes first, the last that joined",
	  { RAN(0, 6), JOIN(1), JOIN(2), PICK(0, 2), PICK(0, 1), PICK(0, 0) } },
	{ "nobody twice",
	  { JOIN(0), PICK(0, 0), PICK(1, NONE), PICK(0, NONE) } },
	{ "whoever woke by itself is not picked",
	  { RAN(0, 1), RAN(1, 1), ACTIVATE(1), PICK(1, 0), PICK(1, NONE) } },
	{ "a home is where it ran last",
	  { RAN(0, 1), PICK(1, 0), IDLE(0, 2), RAN(1, 0), PICK(1, 1),
	    PICK(2, 0) } },
	{ "whoever left idle is not picked",
	  { RAN(0, 1), RAN(1, 0), LEAVE(0), PICK(1, 1), PICK(1, NONE) } },
	{ "whoever left active has nothing left to give",
	  { RAN(0, 1), PICK(1, 0), LEAVE(0), PICK(1, NONE),
	    ERR(OP_IDLE, 0, 1, -ENOENT), PICK(1, NONE) } },
	{ "an index used again has no home",
	  { RAN(0, 1), RAN(1, 1), LEAVE(1), JOIN(1), PICK(1, 0), PICK(1, 1) } },
	{ "no room for it", { ERR(OP_JOIN, 4, 0, -ENOSPC) } },
	{ "the last index", { JOIN(3), PICK(0, 3) } },
	{ "joined already", { JOIN(0), ERR(OP_JOIN, 0, 0, -EEXIST) } },
	{ "joined already, and active",
	  { JOIN(0), ACTIVATE(0), ERR(OP_JOIN, 0, 0, -EEXIST) } },
	{ "leaves and never joined", { ERR(OP_LEAVE, 0, 0, -ENOENT) } },
	{ "leaves twice", { JOIN(0), LEAVE(0), ERR(OP_LEAVE, 0, 0, -ENOENT) } },
	{ "wrong index",
	  { ERR(OP_LEAVE, 4, 0, -ENOENT), ERR(OP_ACTIVATE, 4, 0, -ENOENT),
	    ERR(OP_IDLE, 4, 0, -ENOENT), ERR(OP_IDLE, NONE, 0, -ENOENT),
	    ERR(OP_JOIN, NONE, 0, -ENOSPC) } },
	{ "wrong cpu",
	  { JOIN(0), PICK(8, NONE), PICK(CPU_NONE, NONE), PICK(0, 0),
	    ERR(OP_IDLE, 0, 8, -EINVAL), ERR(OP_IDLE, 0, CPU_NONE, -EINVAL) } },
	{ "active twice",
	  { JOIN(0), ACTIVATE(0), ERR(OP_ACTIVATE, 0, 0, -EALREADY) } },
	{ "idle twice keeps the first home",
	  { RAN(0, 1), ERR(OP_IDLE, 0, 2, -EALREADY), RAN(1, 2), PICK(2, 1) } },
};

static void test_rule(void **state)
{
	(void)state;
	for (unsigned s = 0; s < sizeof(scenes) / sizeof(*scenes); s++) {
		struct picker *p = new_picker(8, 4, sibling8, llc8);
		const struct step *step = scenes[s].step;

		for (unsigned i = 0; step[i].op != OP_END; i++) {
			int got = picker_step(p, step[i].op, step[i].member,
					      step[i].cpu);

			if (got != step[i].answer)
				print_error("%s, step %u\n", scenes[s].what, i);
			assert_int_equal(got, step[i].answer);
		}
		free(p);
	}
}

/* --- set-up -------------------------------------------------------------- */

static const struct {
	const char *what;
	uint16_t cpus, members;
	bool has_sibling, has_llc;
	uint16_t sibling[12], llc[4];
	int answer;
} setups[] = {
	{ "one cpu, nobody", 1, 0, false, false, { 0 }, { 0 }, 0 },
	{ "no cpu", 0, 1, false, false, { 0 }, { 0 }, -ERANGE },
	{ "all cpus", CPU_MAX, 1, false, false, { 0 }, { 0 }, 0 },
	{ "a cpu more", CPU_MAX + 1, 1, false, false, { 0 }, { 0 }, -ERANGE },
	{ "all members", 1, PICKER_MEMBER_MAX, false, false, { 0 }, { 0 }, 0 },
	{ "a member more",
	  1,
	  PICKER_MEMBER_MAX + 1,
	  false,
	  false,
	  { 0 },
	  { 0 },
	  -ERANGE },
	{ "no SMT", 2, 1, true, false, { CPU_NONE, CPU_NONE }, { 0 }, 0 },
	{ "alone, said the other way", 2, 1, true, false, { 0, 1 }, { 0 }, 0 },
	{ "three threads", 3, 1, true, false, { 1, 2, 0 }, { 0 }, 0 },
	{ "a sibling there is not",
	  2,
	  1,
	  true,
	  false,
	  { 1, 2 },
	  { 0 },
	  -EINVAL },
	{ "a sibling that does not know it",
	  2,
	  1,
	  true,
	  false,
	  { 1, CPU_NONE },
	  { 0 },
	  -EINVAL },
	{ "a ring it is not in",
	  3,
	  1,
	  true,
	  false,
	  { 1, 2, 1 },
	  { 0 },
	  -EINVAL },
	{ "eight threads",
	  8,
	  1,
	  true,
	  false,
	  { 1, 2, 3, 4, 5, 6, 7, 0 },
	  { 0 },
	  0 },
	{ "nine",
	  9,
	  1,
	  true,
	  false,
	  { 1, 2, 3, 4, 5, 6, 7, 8, 0 },
	  { 0 },
	  -EINVAL },
	{ "two caches", 4, 1, false, true, { 0 }, { 0, 1, 1, 0 }, 0 },
	{ "a cache there is not", 2, 1, false, true, { 0 }, { 0, 2 }, -EINVAL },
};

static void test_init(void **state)
{
	struct picker *p = malloc(picker_bytes(PICKER_MEMBER_MAX));

	(void)state;
	assert_non_null(p);
	for (unsigned i = 0; i < sizeof(setups) / sizeof(*setups); i++) {
		int got = picker_init(p, setups[i].cpus, setups[i].members,
				      setups[i].has_sibling ? setups[i].sibling
							    : NULL,
				      setups[i].has_llc ? setups[i].llc : NULL);

		if (got != setups[i].answer)
			print_error("%s\n", setups[i].what);
		assert_int_equal(got, setups[i].answer);
	}
	free(p);
}

/* The largest table: its last index is told from the heads and from "none". */
static void test_full(void **state)
{
	struct picker *p = new_picker(CPU_MAX, PICKER_MEMBER_MAX, NULL, NULL);

	(void)state;
	for (unsigned i = 0; i < PICKER_MEMBER_MAX; i++)
		assert_int_equal(picker_join(p, (uint16_t)i), 0);
	assert_int_equal(picker_join(p, PICKER_MEMBER_MAX), -ENOSPC);
	for (unsigned i = PICKER_MEMBER_MAX; i; i--)
		assert_int_equal(picker_pick(p, (uint16_t)(i % CPU_MAX)),
				 i - 1);
	assert_int_equal(picker_pick(p, 0), NONE);
	assert_int_equal(picker_idle(p, PICKER_MEMBER_MAX - 1, CPU_MAX - 1), 0);
	assert_int_equal(picker_pick(p, CPU_MAX - 1), PICKER_MEMBER_MAX - 1);
	free(p);
}

/* --- against the model --------------------------------------------------- */

static uint64_t seed;

static unsigned below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % n;
}

/* Shapes of hosts: cpus a core and a cache, and who is numbered how. */
static const struct {
	const char *what;
	uint16_t cpus, members, smt, llc_cpus;
	bool odd; /* caches of changing size, cores with and without SMT */
	unsigned steps;
} hosts[] = {
	{ "one cpu", 1, 5, 1, 1, false, 100000 },
	{ "one cpu, one member", 1, 1, 1, 1, false, 10000 },
	{ "two cpus, no SMT, one cache", 2, 7, 1, 2, false, 100000 },
	{ "two siblings", 2, 4, 2, 2, false, 100000 },
	{ "a cache a cpu", 8, 12, 1, 1, false, 150000 },
	{ "two sockets, SMT", 16, 20, 2, 8, false, 300000 },
	{ "four threads a core", 32, 40, 4, 16, false, 200000 },
	{ "odd caches and cores", 21, 30, 2, 8, true, 300000 },
	{ "more members than cpus by far", 8, 300, 2, 4, false, 20000 },
	{ "more cpus than members by far", 256, 6, 2, 16, false, 100000 },
	{ "512 cpus", 512, 200, 2, 16, false, 20000 },
	{ "512 cpus, one cache, no SMT", 512, 200, 1, 512, false, 20000 },
};

/* shape() - Threads of a core are @cpus / smt apart, as Linux counts them */
static void shape(unsigned h, uint16_t *sibling, uint16_t *llc)
{
	unsigned cpus = hosts[h].cpus, smt = hosts[h].smt;
	unsigned cores = cpus / smt, llc_cores = hosts[h].llc_cpus / smt;

	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		unsigned core = cpu % cores;

		sibling[cpu] = (uint16_t)((cpu + cores) % (cores * smt));
		if (smt == 1 || cpu >= cores * smt)
			sibling[cpu] = CPU_NONE;
		llc[cpu] = (uint16_t)(core - core % llc_cores);
	}
	if (!hosts[h].odd)
		return;
	/* the first core has lost a thread, the last cache has one cpu */
	sibling[0] = sibling[cores] = CPU_NONE;
	llc[cpus - 1] = (uint16_t)(cpus - 1);
	llc[cpus / 2] = llc[1];
}

/* one_step() - A random step, rarely a wrong one, the same on both sides. */
static void one_step(struct picker *p, struct picker_model *m, uint16_t *holds)
{
	static const enum picker_op often[] = {
		OP_PICK, OP_PICK, OP_PICK,  OP_IDLE,	OP_IDLE,
		OP_IDLE, OP_JOIN, OP_LEAVE, OP_ACTIVATE
	};
	enum picker_op op = often[below(sizeof(often) / sizeof(*often))];
	uint16_t member = (uint16_t)below(m->member_cnt + 1u);
	uint16_t cpu = (uint16_t)below(m->cpu_cnt);
	int want, got;

	if (!below(100))
		cpu = (uint16_t)below(0x10000);
	want = picker_model_step(m, op, member, cpu);
	got = picker_step(p, op, member, cpu);
	assert_int_equal(got, want);
	/* who holds a member: a cpu's number + 1, and never two */
	if (op == OP_PICK && got != NONE) {
		assert_int_equal(holds[got], 0);
		holds[got] = (uint16_t)(cpu + 1);
	} else if (op == OP_ACTIVATE && !got) {
		assert_int_equal(holds[member], 0);
		holds[member] = NONE;
	} else if ((op == OP_IDLE || op == OP_LEAVE) && !got) {
		holds[member] = 0;
	}
}

static void test_model(void **state)
{
	static struct picker_model m;
	uint16_t sibling[CPU_MAX], llc[CPU_MAX];
	unsigned steps = 0;

	(void)state;
	seed = 20211;
	for (unsigned h = 0; h < sizeof(hosts) / sizeof(*hosts); h++) {
		uint16_t holds[MODEL_MEMBERS] = { 0 };
		struct picker *p;

		shape(h, sibling, llc);
		p = new_picker(hosts[h].cpus, hosts[h].members, sibling, llc);
		picker_model_init(&m, hosts[h].cpus, hosts[h].members, sibling,
				  llc);
		for (unsigned i = 0; i < hosts[h].steps; i++) {
			one_step(p, &m, holds);
			if (i % 1009 == 0 && !picker_whole(p, &m))
				fail_msg("%s: rings broken", hosts[h].what);
		}
		assert_true(picker_whole(p, &m));
		steps += hosts[h].steps;
		free(p);
	}
	assert_true(steps >= 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
