// SPDX-License-Identifier: Apache-2.0
/*
 * test_act_ksched.c - the ksched backend on a module played by rules, a fake
 * tree of control groups and real threads
 *
 * First the table of cases, in three states of the module; then what only this
 * backend has: sessions that begin and end, the fast way and back to it.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hl/clock.h"
#include "log.h"
#include "task.h"
#include "tests/edge/act_stage.h"
#include "tests/fake/fake_cgroup.h"
#include "tests/fake/fake_ksched.h"

/* --- stages -------------------------------------------------------------- */

static void begin_alive(struct act_stage *s)
{
	fake_ksched_load();
	stage_begin(s);
	assert_false(fake_ksched_busy()); /* open() only tried */
	act_pass(s);
	assert_true(fake_ksched_busy());
}

/* It is taken away before anything happens. */
static void begin_away(struct act_stage *s)
{
	fake_ksched_load();
	stage_begin(s);
	assert_true(fake_ksched_unload());
}

/* It refuses every thread. */
static void begin_full(struct act_stage *s)
{
	begin_alive(s);
	fake_ksched_fail(FAKE_ADD, ENOSPC, -1);
}

/* After each case, the backend still open (or not, see the case). */
static void check(struct act_stage *s)
{
	assert_int_equal(fake_ksched_forced(), 0);
	if (!s->act)
		assert_false(fake_ksched_busy());
}

static struct act_stage stage = { .name = "ksched",
				  .ops = &act_ksched,
				  .begin = begin_alive,
				  .end = stage_end,
				  .kill = stage_kill,
				  .narrow = stage_narrow,
				  .check = check };

static void test_cases_alive(void **unused)
{
	(void)unused;
	act_cases_run(&stage);
}

static void test_cases_away(void **unused)
{
	struct act_stage s = stage;

	(void)unused;
	s.name = "ksched, away";
	s.begin = begin_away;
	act_cases_run(&s);
}

static void test_cases_full(void **unused)
{
	struct act_stage s = stage;

	(void)unused;
	s.name = "ksched, its table full";
	s.begin = begin_full;
	act_cases_run(&s);
}

static void start(void)
{
	begin_alive(&stage);
	assert_int_equal(act_ksched.adopt(stage.act, &stage.vm), 0);
}

static void stop(void)
{
	assert_int_equal(fake_ksched_forced(), 0);
	stage_end(&stage);
	assert_false(fake_ksched_busy());
	assert_int_equal(fake_ksched_threads(), 0);
}

static struct act_count count(void)
{
	struct act_count c;

	act_ksched.count(stage.act, &c);
	return c;
}

static int move_to(unsigned index, unsigned to, uint32_t gen)
{
	const struct move m = act_move(&stage, index, stage.cpu[to], gen);

	return act_move_now(&stage, &m);
}

static void submit(unsigned index, unsigned to, uint32_t gen)
{
	const struct move m = act_move(&stage, index, stage.cpu[to], gen);

	assert_true(act_ksched.submit(stage.act, &m));
}

static void assert_answer(uint32_t gen, int err)
{
	struct move_done d = act_answer(&stage);

	assert_int_equal(d.gen, gen);
	assert_int_equal(d.err, err);
}

static void assert_no_answer(void)
{
	struct move_done d;

	assert_false(act_ksched.reap(stage.act, &d));
}

/* --- open() -------------------------------------------------------------- */

static const struct {
	const char *what;
	enum fake_call fails;
	int err;
	uint32_t version, bytes, slots; /* of the page; 0: right */
	int want;
} open_row[] = {
	{ "not loaded", FAKE_OPEN, ENOENT, 0, 0, 0, -ENOENT },
	{ "another session", FAKE_OPEN, EBUSY, 0, 0, 0, -EBUSY },
	{ "another version", FAKE_START, EPROTO, 0, 0, 0, -EPROTO },
	{ "cannot be mapped", FAKE_MMAP, ENOMEM, 0, 0, 0, -ENOMEM },
	{ "a page of another version", FAKE_BEAT, 0, 2, 0, 0, -EPROTO },
	{ "a shorter mapping", FAKE_BEAT, 0, 0, 4096, 0, -EPROTO },
	{ "a smaller ring", FAKE_BEAT, 0, 0, 0, 256, -EPROTO },
};

static void test_open_fails(void **unused)
{
	struct act_conf conf;
	char journal[128];
	FILE *f;

	(void)unused;
	stage_vm_begin(&stage);
	for (size_t i = 0; i < sizeof(open_row) / sizeof(open_row[0]); i++) {
		print_message("%s\n", open_row[i].what);
		fake_ksched_load();
		fake_ksched_fail(open_row[i].fails, open_row[i].err,
				 open_row[i].err != 0);
		fake_ksched_spoil(open_row[i].version, open_row[i].bytes,
				  open_row[i].slots);
		conf = (struct act_conf){ 0 };
		assert_int_equal(stage_open_backend(&stage, &conf),
				 open_row[i].want);
		assert_false(fake_ksched_busy());
	}
	print_message("the cgroup backend below cannot work\n");
	fake_ksched_load();
	conf = (struct act_conf){ 0 };
	snprintf(journal, sizeof(journal), "%s/restore", fake_root());
	f = fopen(journal, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(stage_open_backend(&stage, &conf), -EEXIST);
	assert_false(fake_ksched_busy());
	stage.act = NULL;
	stage_end(&stage);
}

/* --- the fast way -------------------------------------------------------- */

static void test_fast(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(fake_ksched_threads(), 2);
	assert_int_equal(fake_ksched_silence_ms(), 3000);
	assert_int_equal(move_to(0, 1, 1), 0);
	submit(0, 0, 2);
	submit(1, 1, 3);
	assert_answer(2, 0);
	assert_answer(3, 0);
	assert_int_equal(count().fast, 3);
	assert_int_equal(count().moved, 3);
	assert_int_equal(count().wakes, 0);
	assert_int_equal(count().refused, 0);
	assert_false(count().away);
	/* one for the first move, one for the two that came together */
	assert_int_equal(fake_ksched_calls(FAKE_COMMIT), 2);
	assert_int_equal(fake_ksched_largest(), 2);
	stop();
}

/* A newer move waits until the older one is answered, the newest only. */
static void test_one_at_a_time(void **unused)
{
	(void)unused;
	start();
	fake_ksched_hold(true);
	submit(0, 1, 1);
	act_pass(&stage);
	submit(0, 0, 2);
	submit(0, 1, 3);
	act_pass(&stage);
	submit(0, 0, 4);
	act_pass(&stage);
	assert_answer(2, -ECANCELED);
	assert_answer(3, -ECANCELED);
	assert_no_answer();
	assert_int_equal(fake_ksched_calls(FAKE_COMMIT), 1);
	fake_ksched_hold(false);
	assert_answer(1, 0);
	assert_answer(4, 0);
	act_assert_cpu(&stage, 0, stage.cpu[0]);
	assert_int_equal(count().overtaken, 2);
	stop();
}

/* Refused once, made by the other backend, learned: the next is fast. */
static void test_learns(void **unused)
{
	(void)unused;
	begin_alive(&stage);
	stage_narrow(&stage, 0, stage.cpu[0]);
	assert_int_equal(act_ksched.adopt(stage.act, &stage.vm), 0);
	assert_int_equal(move_to(0, 1, 1), 0);
	assert_int_equal(count().refused, 1);
	assert_int_equal(count().widened, 1);
	assert_int_equal(count().fast, 0);
	assert_int_equal(fake_ksched_calls(FAKE_LEARN), 1);
	for (uint32_t gen = 2; gen < 10; gen++)
		assert_int_equal(move_to(0, gen % 2, gen), 0);
	assert_int_equal(count().refused, 1);
	assert_int_equal(count().fast, 8);
	assert_int_equal(count().moved, 9);
	stop();
}

/* A refused move is not made once more when a newer one waits. */
static void test_refused_overtaken(void **unused)
{
	(void)unused;
	begin_alive(&stage);
	stage_narrow(&stage, 0, stage.cpu[0]);
	assert_int_equal(act_ksched.adopt(stage.act, &stage.vm), 0);
	fake_ksched_hold(true);
	submit(0, 1, 1); /* beyond the bound */
	act_pass(&stage);
	submit(0, 0, 2);
	fake_ksched_hold(false);
	assert_answer(1, -ECANCELED);
	assert_answer(2, 0);
	act_assert_cpu(&stage, 0, stage.cpu[0]);
	assert_int_equal(count().widened, 0);
	assert_int_equal(count().refused, 1);
	stop();
}

/* Between the two hooks around a pin no move is fast, afterwards one is as
 * soon as the cpuset is known to allow it. */
static void test_pin(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(move_to(0, 0, 1), 0);
	act_ksched.pinning(stage.act, stage.vm.uuid, 0, false);
	stage_narrow(&stage, 0, stage.cpu[0]);
	assert_int_equal(move_to(0, 0, 2), 0);
	assert_int_equal(move_to(1, 0, 3), 0); /* the other vcpu is */
	assert_int_equal(count().fast, 2);
	act_ksched.pinning(stage.act, stage.vm.uuid, 0, true);
	assert_int_equal(move_to(0, 0, 4), 0);
	assert_int_equal(count().fast, 3);
	assert_int_equal(move_to(0, 1, 5), 0);
	assert_int_equal(count().refused, 1);
	assert_int_equal(move_to(0, 0, 6), 0);
	assert_int_equal(count().fast, 4);

	/* the module cannot say: in doubt for good */
	act_ksched.pinning(stage.act, stage.vm.uuid, 0, false);
	fake_ksched_fail(FAKE_LEARN, ESRCH, 1);
	act_ksched.pinning(stage.act, stage.vm.uuid, 0, true);
	assert_int_equal(move_to(0, 1, 7), 0);
	assert_int_equal(count().fast, 4);

	/* unknown ones are none of its business */
	act_ksched.pinning(stage.act, "no such", 0, false);
	act_ksched.pinning(stage.act, stage.vm.uuid, 7, false);
	stop();
}

/* A slot that is given back is another thread's at once: nothing that was
 * submitted for the one may reach the other. */
static void test_slot_reused(void **unused)
{
	pid_t tid;

	(void)unused;
	start();
	tid = stage.vm.tid[0];
	assert_int_equal(move_to(1, 0, 1), 0);
	submit(0, 1, 2); /* queued for vcpu 0's thread */
	stage.vm.tid[0] = 0;
	assert_int_equal(act_ksched.adopt(stage.act, &stage.vm), 0);
	assert_false(fake_ksched_has(tid));
	stage.vm.tid[0] = stage.vm.tid[1];
	stage.vm.vcpu_cnt = 1; /* vcpu 1's thread is vcpu 0's now */
	assert_int_equal(act_ksched.adopt(stage.act, &stage.vm), 0);
	assert_int_equal(fake_ksched_threads(), 1);
	assert_answer(2, -ESRCH);
	stage.vm.tid[1] = tid;
	stop();
}

/* --- the heartbeat ------------------------------------------------------- */

static void test_beats(void **unused)
{
	uint64_t now_ns = clock_now_ns();
	struct move_done d;
	unsigned before;

	(void)unused;
	start();
	act_ksched.flush(stage.act, now_ns += NSEC_PER_SEC);
	before = fake_ksched_calls(FAKE_BEAT);
	for (unsigned ms = 0; ms < 10000; ms++) /* a poll thread for 10 s */
		act_ksched.flush(stage.act, now_ns += NSEC_PER_MSEC);
	assert_in_range(fake_ksched_calls(FAKE_BEAT) - before, 39, 40);
	/* asleep for 100 ms at a time, as it may be */
	before = fake_ksched_calls(FAKE_BEAT);
	for (unsigned n = 0; n < 100; n++)
		act_ksched.flush(stage.act, now_ns += 100 * NSEC_PER_MSEC);
	assert_in_range(fake_ksched_calls(FAKE_BEAT) - before, 30, 40);
	/* a commit does as well */
	before = fake_ksched_calls(FAKE_BEAT);
	for (unsigned n = 0; n < 20; n++) {
		submit(0, n % 2, n);
		act_ksched.flush(stage.act, now_ns += 100 * NSEC_PER_MSEC);
		assert_true(act_ksched.reap(stage.act, &d));
		assert_int_equal(d.err, 0);
	}
	assert_int_equal(fake_ksched_calls(FAKE_BEAT), before);
	stop();
}

/* --- the end of a session ------------------------------------------------ */

static void drained(void)
{
	fake_ksched_end(KSCHED_OVER_DRAINED);
}

static void silent(void)
{
	fake_ksched_end(KSCHED_OVER_SILENT);
}

static void commit_fails(void)
{
	fake_ksched_fail(FAKE_COMMIT, EIO, 1);
}

static const struct {
	const char *what;
	void (*happens)(void);
} end_row[] = {
	{ "drained", drained },
	{ "silent", silent },
	{ "a commit fails", commit_fails },
};

/* Moves done, sent, waiting and queued at that moment: all are carried out,
 * each is answered once, and the device is closed. */
static void test_session_ends(void **unused)
{
	uint64_t now_ns;

	(void)unused;
	for (size_t i = 0; i < sizeof(end_row) / sizeof(end_row[0]); i++) {
		print_message("%s\n", end_row[i].what);
		start();
		now_ns = clock_now_ns();
		assert_int_equal(move_to(1, 0, 1), 0); /* done */
		fake_ksched_hold(true);
		submit(0, 0, 2);
		act_ksched.flush(stage.act, now_ns); /* sent */
		submit(0, 1, 3);		     /* waits */
		end_row[i].happens();
		submit(1, 1, 4); /* queued */
		act_ksched.flush(stage.act, now_ns);
		fake_ksched_load(); /* nothing is held or fails any more */
		assert_true(fake_ksched_busy());
		act_ksched.turn(stage.act, now_ns);
		assert_false(fake_ksched_busy());
		assert_true(count().away);
		assert_true(fake_ksched_unload());
		for (unsigned n = 0; n < 3; n++) {
			struct move_done d = act_answer(&stage);

			assert_in_range(d.gen, 2, 4);
			assert_int_equal(d.err, d.gen == 2 ? -ECANCELED : 0);
		}
		assert_no_answer();
		act_assert_cpu(&stage, 0, stage.cpu[1]);
		act_assert_cpu(&stage, 1, stage.cpu[1]);
		assert_int_equal(move_to(0, 0, 5), 0);
		stop();
	}
}

static void await_cpu(unsigned index, unsigned cpu)
{
	const struct cpumask want = fake_mask(cpu);
	uint64_t until_ns = clock_now_ns() + 5 * NSEC_PER_SEC;
	struct cpumask now;

	do {
		act_pass(&stage);
		assert_no_answer();
		assert_int_equal(task_get_mask(stage.vm.tid[index], &now), 0);
		assert_true(clock_now_ns() < until_ns);
	} while (!cpumask_equal(&now, &want));
}

/* What was done is done again, and nobody hears of it twice; with the module
 * back the VMs are handed over again. */
static void test_comes_back(void **unused)
{
	uint64_t now_ns = clock_now_ns();

	(void)unused;
	start();
	assert_int_equal(move_to(0, 1, 1), 0);
	assert_int_equal(move_to(1, 0, 2), 0);
	fake_ksched_end(KSCHED_OVER_DRAINED);
	act_ksched.flush(stage.act, now_ns);
	act_ksched.turn(stage.act, now_ns);
	assert_true(fake_ksched_unload());
	await_cpu(0, stage.cpu[1]);
	await_cpu(1, stage.cpu[0]);

	/* tried every 5 seconds, not more often, in vain */
	assert_int_equal(fake_ksched_calls(FAKE_OPEN), 2);
	act_ksched.turn(stage.act, now_ns + 4 * NSEC_PER_SEC);
	assert_int_equal(fake_ksched_calls(FAKE_OPEN), 2);
	act_ksched.turn(stage.act, now_ns + 6 * NSEC_PER_SEC);
	assert_int_equal(fake_ksched_calls(FAKE_OPEN), 3);
	assert_true(count().away);

	fake_ksched_load();
	act_ksched.turn(stage.act, now_ns + 20 * NSEC_PER_SEC);
	assert_int_equal(fake_ksched_threads(), 2);
	assert_false(count().away);
	assert_int_equal(move_to(0, 0, 3), 0);
	assert_int_equal(move_to(0, 1, 4), 0);
	assert_int_equal(move_to(0, 0, 5), 0);
	assert_int_equal(count().fast, 2 + 2); /* the first had to be learned */
	stop();
}

static void (*asked_fn)(void *arg);
static void *asked_arg;

static void note_call(void (*fn)(void *arg), void *arg)
{
	asked_fn = fn;
	asked_arg = arg;
}

/* The poll thread asks the control thread at once, and once. */
static void test_asks_to_close(void **unused)
{
	struct act_conf conf = { .on_control = note_call };
	uint64_t now_ns = clock_now_ns();

	(void)unused;
	fake_ksched_load();
	stage_vm_begin(&stage);
	assert_int_equal(stage_open_backend(&stage, &conf), 0);
	act_pass(&stage);
	asked_fn = NULL;
	act_ksched.flush(stage.act, now_ns);
	assert_null(asked_fn);
	fake_ksched_end(KSCHED_OVER_SILENT);
	act_ksched.flush(stage.act, now_ns);
	assert_non_null(asked_fn);
	asked_fn(asked_arg);
	assert_false(fake_ksched_busy());
	asked_fn = NULL;
	act_ksched.flush(stage.act, now_ns);
	assert_null(asked_fn);
	stop();
}

/* Each call to the module fails once while moves go on: none is lost. */
static void test_calls_fail(void **unused)
{
	static const enum fake_call each[] = { FAKE_ADD,   FAKE_DROP,
					       FAKE_LEARN, FAKE_COMMIT,
					       FAKE_BEAT,  FAKE_OPEN,
					       FAKE_START, FAKE_MMAP };
	static const int errors[] = { ESHUTDOWN, ENODEV, EINVAL, ENOENT };

	(void)unused;
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		for (size_t k = 0; k < sizeof(errors) / sizeof(errors[0]);
		     k++) {
			begin_alive(&stage);
			stage_narrow(&stage, 0, stage.cpu[0]);
			fake_ksched_fail(each[i], errors[k], 1);
			assert_int_equal(act_ksched.adopt(stage.act, &stage.vm),
					 0);
			act_ksched.flush(stage.act,
					 clock_now_ns() + NSEC_PER_SEC);
			for (uint32_t gen = 1; gen < 6; gen++) {
				assert_int_equal(move_to(0, gen % 2, gen), 0);
				act_assert_cpu(&stage, 0, stage.cpu[gen % 2]);
			}
			act_ksched.release(stage.act, stage.vm.vm);
			act_assert_cpu(&stage, 0, stage.cpu[0]);
			stop();
		}
}

/* --- both threads at once ------------------------------------------------ */

static bool polling;
static unsigned polled;

/* Moves both vcpus without end, as fast as answers come; every submit must be
 * answered, with an error a VM that comes and goes may give. */
static void *poll_thread(void *arg)
{
	uint32_t sent = 0, answered = 0;
	struct move_done d;
	struct move m;

	while (__atomic_load_n(&polling, __ATOMIC_ACQUIRE) || answered < sent) {
		m = act_move(&stage, sent % 2, stage.cpu[sent / 2 % 2], sent);
		if (__atomic_load_n(&polling, __ATOMIC_RELAXED) &&
		    sent - answered < 8 && act_ksched.submit(stage.act, &m))
			sent++;
		act_ksched.flush(stage.act, clock_now_ns());
		while (act_ksched.reap(stage.act, &d)) {
			answered++;
			if (d.err && d.err != -ECANCELED && d.err != -ESRCH)
				abort();
		}
		__atomic_store_n(&polled, answered, __ATOMIC_RELAXED);
	}
	return arg;
}

static void test_two_threads(void **unused)
{
	struct act_vm vm;
	uint64_t now_ns = clock_now_ns();
	pthread_t t;

	(void)unused;
	start();
	vm = stage.vm;
	polled = 0;
	polling = true;
	assert_int_equal(pthread_create(&t, NULL, poll_thread, NULL), 0);
	for (unsigned round = 0; round < 300; round++) {
		unsigned seen = __atomic_load_n(&polled, __ATOMIC_RELAXED);

		vm.tid[1] = round % 5 ? stage.vm.tid[1] : 0;
		assert_int_equal(act_ksched.adopt(stage.act, &vm), 0);
		if (round % 3 == 0)
			fake_ksched_end(KSCHED_OVER_DRAINED);
		act_ksched.pinning(stage.act, vm.uuid, 0, false);
		act_ksched.turn(stage.act, now_ns);
		act_ksched.pinning(stage.act, vm.uuid, 0, true);
		now_ns += 6 * NSEC_PER_SEC;
		act_ksched.turn(stage.act, now_ns);
		if (round % 7 == 0)
			act_ksched.release(stage.act, vm.vm);
		while (__atomic_load_n(&polled, __ATOMIC_RELAXED) == seen)
			sched_yield();
	}
	__atomic_store_n(&polling, false, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	print_message("%u moves, %lu by the module, %lu refused by it\n",
		      polled, (unsigned long)count().fast,
		      (unsigned long)count().refused);
	assert_true(count().fast);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases_alive),
		cmocka_unit_test(test_cases_away),
		cmocka_unit_test(test_cases_full),
		cmocka_unit_test(test_open_fails),
		cmocka_unit_test(test_fast),
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_learns),
		cmocka_unit_test(test_refused_overtaken),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_slot_reused),
		cmocka_unit_test(test_beats),
		cmocka_unit_test(test_session_ends),
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_asks_to_close),
		cmocka_unit_test(test_calls_fail),
		cmocka_unit_test(test_two_threads),
	};

	log_set_level(LOG_LEVEL_ERROR); /* sessions end by the hundred */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
