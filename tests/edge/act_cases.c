// SPDX-License-Identifier: Apache-2.0
/*
 * act_cases.c - what every backend that moves threads must do, as one table
 */
#include "act_cases.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "hl/clock.h"
#include "policy/policy.h"
#include "task.h"

#define WAIT_NS	   (5 * NSEC_PER_SEC)
#define FIRST_VCPU 100

void act_pass(struct act_stage *s)
{
	uint64_t now_ns = clock_now_ns();

	if (s->ops->turn)
		s->ops->turn(s->act, now_ns);
	if (s->ops->flush)
		s->ops->flush(s->act, now_ns);
}

static struct cpumask only(unsigned cpu)
{
	struct cpumask m = { 0 };

	cpumask_set(&m, cpu);
	return m;
}

static struct cpumask both(const struct act_stage *s)
{
	struct cpumask m = only(s->cpu[0]);

	cpumask_set(&m, s->cpu[1]);
	return m;
}

struct move act_move(const struct act_stage *s, unsigned index, unsigned cpu,
		     uint32_t gen)
{
	return (struct move){ .vcpu = (uint16_t)(FIRST_VCPU + index),
			      .vm = s->vm.vm,
			      .index = (uint16_t)index,
			      .gen = gen,
			      .pid = s->vm.pid,
			      .tid = s->vm.tid[index],
			      .mask = only(cpu),
			      .asked_ns = clock_now_ns() };
}

struct move_done act_answer(struct act_stage *s)
{
	const struct timespec nap = { .tv_nsec = 50000 };
	uint64_t until_ns = clock_now_ns() + WAIT_NS;
	struct move_done d;

	for (act_pass(s); !s->ops->reap(s->act, &d); act_pass(s)) {
		assert_true(clock_now_ns() < until_ns);
		nanosleep(&nap, NULL);
	}
	assert_true(d.took_ns < 2 * WAIT_NS);
	return d;
}

int act_move_now(struct act_stage *s, const struct move *m)
{
	struct move_done d;

	assert_true(s->ops->submit(s->act, m));
	d = act_answer(s);
	assert_int_equal(d.vcpu, m->vcpu);
	assert_int_equal(d.gen, m->gen);
	assert_false(s->ops->reap(s->act, &d));
	return d.err;
}

static int move_to(struct act_stage *s, unsigned index, unsigned cpu,
		   uint32_t gen)
{
	const struct move m = act_move(s, index, cpu, gen);

	return act_move_now(s, &m);
}

static void assert_mask(const struct act_stage *s, unsigned index,
			struct cpumask want)
{
	struct cpumask now;

	assert_int_equal(task_get_mask(s->vm.tid[index], &now), 0);
	assert_true(cpumask_equal(&now, &want));
}

void act_assert_cpu(const struct act_stage *s, unsigned index, unsigned cpu)
{
	assert_mask(s, index, only(cpu));
}

static void adopt(struct act_stage *s)
{
	assert_int_equal(s->ops->adopt(s->act, &s->vm), 0);
}

/* Answers to @cnt submits of both vcpus: of each vcpu the last succeeds, none
 * after it, and what does not succeed was overtaken. */
static void await_all(struct act_stage *s, unsigned cnt, const uint32_t last[2])
{
	uint32_t newest[2] = { 0 };
	struct move_done d;

	while (cnt--) {
		d = act_answer(s);
		if (d.err == -ECANCELED)
			continue;
		assert_int_equal(d.err, 0);
		assert_in_range(d.vcpu, FIRST_VCPU, FIRST_VCPU + 1);
		assert_true(d.gen > newest[d.vcpu - FIRST_VCPU]);
		newest[d.vcpu - FIRST_VCPU] = d.gen;
	}
	assert_false(s->ops->reap(s->act, &d));
	assert_int_equal(newest[0], last[0]);
	assert_int_equal(newest[1], last[1]);
}

/* --- the cases; both threads may use both cpus when they begin ----------- */

static void case_moves(struct act_stage *s)
{
	struct act_count c;

	adopt(s);
	assert_int_equal(move_to(s, 0, s->cpu[1], 1), 0);
	act_assert_cpu(s, 0, s->cpu[1]);
	assert_int_equal(move_to(s, 1, s->cpu[0], 2), 0);
	act_assert_cpu(s, 1, s->cpu[0]);
	assert_int_equal(move_to(s, 0, s->cpu[0], 3), 0);
	act_assert_cpu(s, 0, s->cpu[0]);
	s->ops->count(s->act, &c);
	assert_int_equal(c.moved, 3);
	assert_int_equal(c.failed, 0);
}

static void case_wider(struct act_stage *s)
{
	struct move m = act_move(s, 0, s->cpu[0], 1);

	adopt(s);
	assert_int_equal(act_move_now(s, &m), 0);
	m.mask = both(s);
	assert_int_equal(act_move_now(s, &m), 0);
	assert_mask(s, 0, both(s));
}

static void case_not_adopted(struct act_stage *s)
{
	assert_int_equal(move_to(s, 0, s->cpu[1], 1), -ESRCH);
	assert_mask(s, 0, both(s));
}

static void case_released(struct act_stage *s)
{
	adopt(s);
	assert_int_equal(move_to(s, 0, s->cpu[1], 1), 0);
	s->ops->release(s->act, s->vm.vm);
	assert_mask(s, 0, both(s));
	assert_mask(s, 1, both(s));
	assert_int_equal(move_to(s, 0, s->cpu[1], 2), -ESRCH);
	assert_mask(s, 0, both(s));
}

static void case_adopted_again(struct act_stage *s)
{
	case_released(s);
	adopt(s);
	assert_int_equal(move_to(s, 0, s->cpu[1], 3), 0);
	act_assert_cpu(s, 0, s->cpu[1]);
}

static void case_closed(struct act_stage *s)
{
	adopt(s);
	assert_int_equal(move_to(s, 0, s->cpu[1], 1), 0);
	assert_int_equal(move_to(s, 1, s->cpu[0], 1), 0);
	s->ops->close(s->act);
	s->act = NULL;
	assert_mask(s, 0, both(s));
	assert_mask(s, 1, both(s));
}

static void case_overtaken(struct act_stage *s)
{
	const uint32_t last[2] = { 5, 4 };
	struct move m;

	adopt(s);
	for (uint32_t gen = 1; gen <= 5; gen++) {
		m = act_move(s, gen % 2 ? 0 : 1, s->cpu[gen / 2 % 2], gen);
		assert_true(s->ops->submit(s->act, &m));
	}
	await_all(s, 5, last);
	act_assert_cpu(s, 0, s->cpu[0]);
	act_assert_cpu(s, 1, s->cpu[0]);
}

/* As before, each begun before the next comes. */
static void case_follows(struct act_stage *s)
{
	const uint32_t last[2] = { 39, 40 };
	struct move m;

	adopt(s);
	for (uint32_t gen = 1; gen <= 40; gen++) {
		m = act_move(s, gen % 2 ? 0 : 1, s->cpu[gen / 2 % 2], gen);
		assert_true(s->ops->submit(s->act, &m));
		act_pass(s);
	}
	await_all(s, 40, last);
	act_assert_cpu(s, 0, s->cpu[1]);
	act_assert_cpu(s, 1, s->cpu[0]);
}

static void case_gone(struct act_stage *s)
{
	adopt(s);
	s->kill(s);
	assert_int_equal(move_to(s, 0, s->cpu[1], 1), -ESRCH);
	s->ops->release(s->act, s->vm.vm);
	assert_int_equal(move_to(s, 0, s->cpu[1], 2), -ESRCH);
}

static void case_refused_mask(struct act_stage *s)
{
	struct act_count c;
	struct move m;

	adopt(s);
	m = act_move(s, 0, s->cpu[1], 1);
	memset(&m.mask, 0, sizeof(m.mask));
	assert_int_equal(act_move_now(s, &m), -EINVAL);
	m = act_move(s, 0, CPU_MAX - 1, 2); /* no host here has that many */
	assert_int_not_equal(act_move_now(s, &m), 0);
	assert_mask(s, 0, both(s));
	s->ops->count(s->act, &c);
	assert_int_equal(c.failed, 2);
	assert_int_equal(c.moved, 0);
	assert_int_equal(move_to(s, 0, s->cpu[1], 3), 0);
}

static void case_strangers(struct act_stage *s)
{
	struct move m;

	adopt(s);
	m = act_move(s, 0, s->cpu[1], 1);
	m.tid = s->vm.tid[1];
	assert_int_equal(act_move_now(s, &m), -ESRCH);
	m.tid = s->vm.pid;
	assert_int_equal(act_move_now(s, &m), -ESRCH);
	m.tid = 0;
	assert_int_equal(act_move_now(s, &m), -ESRCH);
	m = act_move(s, 0, s->cpu[1], 1);
	m.index = s->vm.vcpu_cnt;
	assert_int_equal(act_move_now(s, &m), -ESRCH);
	m = act_move(s, 0, s->cpu[1], 1);
	m.vm = VM_NONE;
	assert_int_equal(act_move_now(s, &m), -EINVAL);
	m = act_move(s, 0, s->cpu[1], 1);
	m.vcpu = VCPU_NONE;
	assert_int_equal(act_move_now(s, &m), -EINVAL);
	assert_mask(s, 0, both(s));
	assert_mask(s, 1, both(s));
}

static void case_plugged(struct act_stage *s)
{
	pid_t tid = s->vm.tid[0];

	s->vm.tid[0] = 0;
	adopt(s);
	assert_int_equal(move_to(s, 0, s->cpu[1], 1), -ESRCH);
	assert_int_equal(move_to(s, 1, s->cpu[1], 1), 0);
	s->vm.tid[0] = tid;
	adopt(s);
	assert_int_equal(move_to(s, 0, s->cpu[1], 2), 0);
	assert_int_equal(move_to(s, 1, s->cpu[0], 2), 0);
	act_assert_cpu(s, 0, s->cpu[1]);
	act_assert_cpu(s, 1, s->cpu[0]);
}

static void case_unplugged(struct act_stage *s)
{
	pid_t tid = s->vm.tid[1];

	adopt(s);
	assert_int_equal(move_to(s, 1, s->cpu[1], 1), 0);
	s->vm.tid[1] = 0;
	s->vm.vcpu_cnt = 1;
	adopt(s);
	s->vm.tid[1] = tid;
	assert_int_equal(move_to(s, 1, s->cpu[0], 2), -ESRCH);
	assert_int_equal(move_to(s, 0, s->cpu[0], 2), 0);
}

static void case_class(struct act_stage *s)
{
	adopt(s);
	assert_int_equal(move_to(s, 0, s->cpu[1], 1), 0);
	s->vm.class = VM_CLASS_BEST_EFFORT;
	adopt(s);
	act_assert_cpu(s, 0, s->cpu[1]);
	assert_int_equal(move_to(s, 0, s->cpu[0], 2), 0);
	act_assert_cpu(s, 0, s->cpu[0]);
}

static void case_somebody_else(struct act_stage *s)
{
	const struct cpumask other = only(s->cpu[0]);

	adopt(s);
	assert_int_equal(move_to(s, 0, s->cpu[1], 1), 0);
	for (uint32_t gen = 2; gen < 5; gen++) {
		assert_int_equal(task_set_mask(s->vm.tid[0], &other), 0);
		assert_int_equal(move_to(s, 0, s->cpu[1], gen), 0);
		act_assert_cpu(s, 0, s->cpu[1]);
	}
}

static void case_narrow_before(struct act_stage *s)
{
	struct act_count c;

	s->narrow(s, 0, s->cpu[0]);
	adopt(s);
	assert_int_equal(move_to(s, 0, s->cpu[1], 1), 0);
	act_assert_cpu(s, 0, s->cpu[1]);
	s->ops->count(s->act, &c);
	assert_true(c.widened);
	assert_int_equal(move_to(s, 0, s->cpu[0], 2), 0);
	assert_int_equal(move_to(s, 0, s->cpu[1], 3), 0);
	s->ops->release(s->act, s->vm.vm);
	act_assert_cpu(s, 0, s->cpu[0]);
}

/* A pin to where the vcpu is: nothing but the cpuset changes. */
static void case_pinned(struct act_stage *s)
{
	adopt(s);
	for (uint32_t gen = 1; gen < 7; gen += 2) {
		assert_int_equal(move_to(s, 0, s->cpu[0], gen), 0);
		if (s->ops->pinning)
			s->ops->pinning(s->act, s->vm.uuid, 0, false);
		s->narrow(s, 0, s->cpu[0]);
		if (gen == 3) /* one that comes before libvirt has answered */
			assert_int_equal(move_to(s, 0, s->cpu[1], gen), 0);
		if (s->ops->pinning)
			s->ops->pinning(s->act, s->vm.uuid, 0, true);
		assert_int_equal(move_to(s, 0, s->cpu[1], gen + 1), 0);
		act_assert_cpu(s, 0, s->cpu[1]);
	}
}

static void case_room(struct act_stage *s)
{
	struct cpumask room = only(s->cpu[0]);

	s->narrow(s, 0, s->cpu[0]);
	adopt(s);
	s->ops->room(s->act, &room);
	assert_int_equal(move_to(s, 0, s->cpu[1], 1), -EINVAL);
	act_assert_cpu(s, 0, s->cpu[0]);
	room = both(s);
	s->ops->room(s->act, &room);
	assert_int_equal(move_to(s, 0, s->cpu[1], 2), 0);
}

/* Nobody reaps: submit() refuses some day, and works again after. */
static void case_full(struct act_stage *s)
{
	unsigned sent = 0;
	struct move_done d;
	struct move m;

	adopt(s);
	for (;;) {
		m = act_move(s, sent % 2, s->cpu[sent / 2 % 2], sent);
		if (!s->ops->submit(s->act, &m))
			break;
		if (!(++sent % 64))
			act_pass(s);
		assert_true(sent < 1000000);
	}
	assert_true(sent >= 1024);
	while (sent--) {
		d = act_answer(s);
		assert_true(!d.err || d.err == -ECANCELED);
	}
	assert_false(s->ops->reap(s->act, &d));
	assert_int_equal(act_move_now(s, &m), 0);
}

static void case_many(struct act_stage *s)
{
	enum { MOVES = 20000 };
	uint32_t newest[2] = { 0 }, sent = 0, answered = 0;
	struct move_done d;
	struct move m;

	adopt(s);
	while (answered < MOVES) {
		for (unsigned n = 0; n < 8 && sent < MOVES; n++) {
			m = act_move(s, sent % 2, s->cpu[sent / 3 % 2],
				     sent + 1);
			if (!s->ops->submit(s->act, &m))
				break;
			sent++;
		}
		act_pass(s);
		while (s->ops->reap(s->act, &d)) {
			answered++;
			if (d.err == -ECANCELED)
				continue;
			assert_int_equal(d.err, 0);
			assert_true(d.gen > newest[d.vcpu - FIRST_VCPU]);
			newest[d.vcpu - FIRST_VCPU] = d.gen;
		}
	}
	assert_int_equal(newest[0], MOVES - 1);
	assert_int_equal(newest[1], MOVES);
	act_assert_cpu(s, 0, s->cpu[(MOVES - 2) / 3 % 2]);
	act_assert_cpu(s, 1, s->cpu[(MOVES - 1) / 3 % 2]);
}

static const struct {
	const char *what;
	void (*run)(struct act_stage *s);
	bool cpusets; /* needs them */
} case_row[] = {
	{ "moved here and there", case_moves, false },
	{ "to one cpu, then to two", case_wider, false },
	{ "a VM not adopted", case_not_adopted, false },
	{ "released: as it was, and left alone", case_released, false },
	{ "adopted again", case_adopted_again, false },
	{ "closed without release: as it was", case_closed, false },
	{ "overtaken before they were begun", case_overtaken, false },
	{ "one close behind the other", case_follows, false },
	{ "the VM dies", case_gone, false },
	{ "masks no kernel takes", case_refused_mask, false },
	{ "threads and slots that are not the VM's", case_strangers, false },
	{ "a vcpu is plugged", case_plugged, false },
	{ "a vcpu is unplugged", case_unplugged, false },
	{ "another class", case_class, false },
	{ "somebody else moves the thread", case_somebody_else, false },
	{ "a cpuset narrower than what is wanted", case_narrow_before, true },
	{ "libvirt pins it where it is", case_pinned, true },
	{ "no cpuset widened beyond the room", case_room, true },
	{ "nobody collects the answers", case_full, false },
	{ "20000 moves", case_many, false },
};

void act_cases_run(struct act_stage *s)
{
	for (size_t i = 0; i < sizeof(case_row) / sizeof(case_row[0]); i++) {
		if (case_row[i].cpusets && !s->narrow)
			continue;
		print_message("%s: %s\n", s->name, case_row[i].what);
		s->begin(s);
		case_row[i].run(s);
		if (s->check)
			s->check(s);
		s->end(s);
	}
}
