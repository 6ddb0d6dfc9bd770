// SPDX-License-Identifier: Apache-2.0
/*
 * life_move.c - threads are moved while they sleep, run, wait and end
 */
#include "life.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ALL mask_range(0, LIFE_CPUS - 1)

static void assert_runs_on(struct worker *w, int cpu)
{
	assert_true(worker_turns(w));
	assert_int_equal(task_cpu(w->tid), cpu);
}

/* One worker, to and fro, in each state a thread can be in. */
static void every_state(void **state)
{
	static const struct {
		const char *what;
		enum work work;
		bool crowded; /* another one spins on each of both cpus */
	} rows[] = {
		{ "asleep", WORK_SLEEP, false },
		{ "wakes often", WORK_NAP, false },
		{ "runs", WORK_SPIN, false },
		{ "runs or waits for its cpu", WORK_SPIN, true },
	};

	(void)state;
	add_worker_on(1, WORK_SPIN, mask_of(2));
	add_worker_on(2, WORK_SPIN, mask_of(5));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int near = rows[i].crowded ? 2 : 3;
		int far = rows[i].crowded ? 5 : 6;
		uint32_t slot = add_worker(0, rows[i].work);

		row(rows[i].what);
		for (unsigned turn = 0; turn < 20; turn++) {
			int cpu = turn % 2 ? near : far;
			struct ksched_move m = { .slot = slot,
						 .mask = mask_of(cpu) };
			struct ksched_done d = move_answer(&m);

			assert_err(d.err, 0);
			assert_mask(worker[0].tid, mask_of(cpu));
			if (rows[i].work == WORK_SPIN)
				assert_int_equal(d.cpu, cpu);
			assert_runs_on(&worker[0], cpu);
			assert_true(d.took_ns < ANSWER_MS * NSEC_PER_MSEC);
			assert_true(d.at_ns <= clock_now_ns());
		}
		assert_err(session_drop(&ses, slot), 0);
		assert_mask(worker[0].tid, ALL);
		worker_stop(&worker[0]);
	}
}

static void wide_masks(void **state)
{
	uint32_t slot = add_worker(0, WORK_SPIN);

	(void)state;
	for (int first = 0; first < LIFE_CPUS; first++)
		for (int last = first; last < LIFE_CPUS; last++) {
			assert_err(move_to(slot, mask_range(first, last)), 0);
			assert_mask(worker[0].tid, mask_range(first, last));
		}
}

/* A cpu that is off is none; when it is back it is one again. */
static void cpu_off(void **state)
{
	static const char online[] = "/sys/devices/system/cpu/cpu7/online";
	uint32_t slot = add_worker(0, WORK_SPIN);
	int there, gone, half;

	(void)state;
	there = move_to(slot, mask_of(6));
	assert_err(write_text(online, "0"), 0);
	gone = move_to(slot, mask_of(7));
	half = move_to(slot, mask_range(6, 7));
	assert_err(write_text(online, "1"), 0);
	assert_err(there, 0);
	assert_err(gone, -ENODEV);
	assert_err(half, 0);
	assert_true(worker_turns(&worker[0]));
	assert_err(move_to(slot, mask_of(7)), 0);
	assert_runs_on(&worker[0], 7);
}

/* The cpu a thread was moved to goes away, under it. */
static void cpu_goes_under_a_thread(void **state)
{
	static const char online[] = "/sys/devices/system/cpu/cpu7/online";
	uint32_t slot = add_worker(0, WORK_SPIN);
	bool goes_on;
	int next;

	(void)state;
	assert_err(move_to(slot, mask_of(7)), 0);
	assert_err(write_text(online, "0"), 0);
	goes_on = worker_turns(&worker[0]);
	/* The kernel widened it, nobody else: no reason to refuse. */
	next = move_to(slot, mask_of(4));
	assert_err(write_text(online, "1"), 0);
	assert_true(goes_on);
	assert_err(next, 0);
	assert_runs_on(&worker[0], 4);
	assert_err(session_drop(&ses, slot), 0);
	assert_mask(worker[0].tid, ALL);
}

/* A herd of one in a cpuset of its own. */
#define CPUSET "/sys/fs/cgroup/hl-life"

static uint32_t enter_cpuset(const char *cpus)
{
	char pid[16];
	int slot;

	assert_err(herd_start(&herd, 1, (enum work[]){ WORK_SPIN }), 0);
	snprintf(pid, sizeof(pid), "%d", herd.pid);
	assert_true(!mkdir(CPUSET, 0755) || errno == EEXIST);
	assert_err(write_text(CPUSET "/cpuset.cpus", cpus), 0);
	assert_err(write_text(CPUSET "/cgroup.procs", pid), 0);
	slot = session_add(&ses, herd.pid, herd.worker[0].tid, NULL);
	assert_true(slot >= 0);
	return (uint32_t)slot;
}

static int leave_cpuset(void **state)
{
	herd_end(&herd);
	for (unsigned i = 0; rmdir(CPUSET) && errno == EBUSY && i < 100; i++)
		nap_ms(10);
	return life_teardown(state);
}

/* Moves end at the thread's cpuset, and so does what it gets back. */
static void cpuset_is_not_left(void **state)
{
	uint32_t slot = enter_cpuset("1-3");

	(void)state;
	assert_mask(herd.worker[0].tid, mask_range(1, 3));
	assert_err(move_to(slot, mask_of(4)), -EXDEV);
	assert_err(move_to(slot, mask_of(3)), 0);
	row("narrowed under it");
	assert_err(write_text(CPUSET "/cpuset.cpus", "1-2"), 0);
	assert_mask(herd.worker[0].tid, mask_range(1, 2));
	assert_err(move_to(slot, mask_of(3)), -ESTALE);
	assert_err(move_to(slot, mask_of(3)), -EXDEV);
	assert_err(move_to(slot, mask_of(2)), 0);
	assert_err(session_drop(&ses, slot), 0);
	row("given back within what it may use now");
	assert_mask(herd.worker[0].tid, mask_range(1, 2));
}

/* A limit. Narrowed to the very cpu it was moved to, its affinity does not
 * change, and nothing tells the module: who narrows must have it learnt. */
static void cpuset_narrowed_to_where_it_is(void **state)
{
	uint32_t slot = enter_cpuset("1-3");

	(void)state;
	assert_err(move_to(slot, mask_of(2)), 0);
	assert_err(write_text(CPUSET "/cpuset.cpus", "2"), 0);
	assert_err(session_learn(&ses, slot, KSCHED_LEARN_ONLY), 0);
	assert_err(move_to(slot, mask_of(3)), -EXDEV);
	assert_mask(herd.worker[0].tid, mask_of(2));
	assert_err(session_drop(&ses, slot), 0);
	assert_mask(herd.worker[0].tid, mask_of(2));
}

/* Widened, and learnt: all of it may be used, then it gets back what is
 * its own. */
static void cpuset_widened_and_learnt(void **state)
{
	uint32_t slot = enter_cpuset("1-3");

	(void)state;
	assert_err(move_to(slot, mask_of(2)), 0);
	assert_err(write_text(CPUSET "/cpuset.cpus", "1-5"), 0);
	assert_mask(herd.worker[0].tid, mask_range(1, 5));
	assert_err(session_learn(&ses, slot, KSCHED_LEARN_ADD), 0);
	assert_err(move_to(slot, mask_of(5)), 0);
	assert_err(session_drop(&ses, slot), 0);
	assert_mask(herd.worker[0].tid, mask_range(1, 3));
}

/* Who else sets an affinity wins; after that the bound is theirs. */
static void somebody_else_wins(void **state)
{
	struct ksched_mask theirs = mask_range(4, 6);
	uint32_t slot = add_worker(0, WORK_NAP);

	(void)state;
	assert_err(move_to(slot, mask_of(1)), 0);
	assert_err(task_set_mask(worker[0].tid, &theirs), 0);
	row("the first move is refused");
	assert_err(move_to(slot, mask_of(2)), -ESTALE);
	assert_mask(worker[0].tid, theirs);
	row("the next goes within theirs");
	assert_err(move_to(slot, mask_of(2)), -EXDEV);
	assert_err(move_to(slot, mask_of(5)), 0);
	assert_mask(worker[0].tid, mask_of(5));
}

static void learn_both_ways(void **state)
{
	struct ksched_mask wider = mask_range(2, 3), other = mask_of(5);
	uint32_t slot = add_worker_on(0, WORK_NAP, mask_range(1, 2));

	(void)state;
	row("not before it was learnt");
	assert_err(move_to(slot, mask_of(3)), -EXDEV);
	assert_err(task_set_mask(worker[0].tid, &wider), 0);
	row("more");
	assert_err(session_learn(&ses, slot, KSCHED_LEARN_ADD), 0);
	assert_err(move_to(slot, mask_of(3)), 0);
	assert_err(move_to(slot, mask_of(1)), 0);
	row("only");
	assert_err(task_set_mask(worker[0].tid, &other), 0);
	assert_err(session_learn(&ses, slot, KSCHED_LEARN_ONLY), 0);
	assert_err(move_to(slot, mask_of(1)), -EXDEV);
	assert_err(move_to(slot, mask_of(5)), 0);
}

/* Two moves of one thread in a batch: the newer one counts. */
static void overtaking(void **state)
{
	uint32_t slot = add_worker(0, WORK_SPIN);
	unsigned overtaken = 0;

	(void)state;
	for (unsigned turn = 0; turn < 100; turn++) {
		struct ksched_move m[2] = {
			{ .slot = slot, .gen = 1, .mask = mask_of(2) },
			{ .slot = slot, .gen = 2, .mask = mask_of(3) },
		};
		struct ksched_done d[2];

		assert_err(session_commit(&ses, m, 2), 0);
		assert_true(session_answer(&ses, &d[0], ANSWER_MS));
		assert_true(session_answer(&ses, &d[1], ANSWER_MS));
		assert_int_equal(d[0].gen, 1);
		assert_int_equal(d[1].gen, 2);
		assert_err(d[1].err, 0);
		if (d[0].err)
			assert_err(d[0].err, -ECANCELED);
		overtaken += !!d[0].err;
		assert_mask(worker[0].tid, mask_of(3));
	}
	assert_true(overtaken > 0);
	assert_int_equal(ses.page->overtaken, overtaken);
}

/* Sum of what became of moves must be the moves. */
static void assert_counted(void)
{
	const struct ksched_page *p = ses.page;

	assert_int_equal(p->asked, ses.asked);
	assert_int_equal(p->head, ses.asked);
	assert_int_equal(p->moved + p->overtaken + p->gone + p->refused,
			 ses.asked);
}

/* Full batches over many threads, several times around the ring: each move is
 * answered once, those of a thread are carried out in their order. */
static void full_batches(void **state)
{
	static struct ksched_move m[KSCHED_BATCH_MAX];
	uint32_t slot[LIFE_WORKERS], last[KSCHED_THREADS_MAX] = { 0 };
	unsigned turns = 3 * KSCHED_RING_SLOTS / KSCHED_BATCH_MAX;
	uint32_t gen = 0;

	(void)state;
	for (unsigned i = 0; i < LIFE_WORKERS; i++)
		slot[i] = add_worker(i, i % 8 ? WORK_SLEEP : WORK_NAP);
	for (unsigned turn = 0; turn < turns; turn++) {
		for (unsigned i = 0; i < KSCHED_BATCH_MAX; i++, gen++)
			m[i] = (struct ksched_move){
				.slot = slot[i % LIFE_WORKERS],
				.gen = gen + 1,
				.role = i % KSCHED_ROLES,
				.mask =
				    mask_of((int)((gen + 1) / 7) % LIFE_CPUS),
			};
		assert_err(session_commit(&ses, m, KSCHED_BATCH_MAX), 0);
		for (unsigned i = 0; i < KSCHED_BATCH_MAX; i++) {
			struct ksched_done d;

			assert_true(session_answer(&ses, &d, ANSWER_MS));
			if (d.err) {
				assert_err(d.err, -ECANCELED);
				continue;
			}
			assert_true(d.gen > last[d.slot]);
			last[d.slot] = d.gen;
		}
	}
	for (unsigned i = 0; i < LIFE_WORKERS; i++) {
		assert_int_equal(last[slot[i]], gen - LIFE_WORKERS + 1 + i);
		assert_mask(worker[i].tid,
			    mask_of((int)(last[slot[i]] / 7) % LIFE_CPUS));
	}
	assert_counted();
}

/* A batch is out while its threads end: one by one, or all at once. */
static void ends_in_mid_batch(void **state)
{
	static const enum work works[8] = { WORK_SPIN, WORK_NAP, WORK_NAP };
	struct ksched_move m[64];
	unsigned gone = 0;

	(void)state;
	for (unsigned turn = 0; turn < 20; turn++) {
		int slot[8];

		assert_err(herd_start(&herd, 8, works), 0);
		for (unsigned i = 0; i < 8; i++) {
			slot[i] = session_add(&ses, herd.pid,
					      herd.worker[i].tid, NULL);
			assert_true(slot[i] >= 0);
		}
		for (unsigned i = 0; i < 64; i++)
			m[i] = (struct ksched_move){
				.slot = (uint32_t)slot[i % 8],
				.mask = mask_of(1 + (int)i % 7),
			};
		assert_err(session_commit(&ses, m, 32), 0);
		if (turn % 2)
			kill(herd.pid, SIGKILL);
		else
			for (unsigned i = 0; i < 8; i++)
				worker_ask_stop(&herd.worker[i]);
		assert_err(session_commit(&ses, m + 32, 32), 0);
		for (unsigned i = 0; i < 64; i++) {
			struct ksched_done d;

			assert_true(session_answer(&ses, &d, ANSWER_MS));
			if (d.err && d.err != -ECANCELED)
				assert_err(d.err, -ESRCH);
		}
		herd_end(&herd);
		row("after its end");
		for (unsigned i = 0; i < 8; i++) {
			assert_err(move_to((uint32_t)slot[i], mask_of(1)),
				   -ESRCH);
			assert_err(session_drop(&ses, (uint32_t)slot[i]), 0);
			gone++;
		}
	}
	assert_true(ses.page->gone >= gone);
	assert_counted();
}

/* Dropped with a move under way: none comes after. */
static void drop_waits_for_moves(void **state)
{
	uint32_t slot;

	(void)state;
	for (unsigned turn = 0; turn < 100; turn++) {
		struct ksched_move m = { .mask = mask_of(1 + (int)turn % 7) };
		struct ksched_done d;

		slot = m.slot = add_worker(0, turn % 2 ? WORK_SPIN : WORK_NAP);
		assert_err(session_commit(&ses, &m, 1), 0);
		assert_err(session_drop(&ses, slot), 0);
		assert_mask(worker[0].tid, ALL);
		assert_true(session_answer(&ses, &d, 0));
		assert_true(d.err == 0 || d.err == -ECANCELED);
		worker_stop(&worker[0]);
	}
	assert_err(session_drop(&ses, slot), -ENOENT);
}

const struct CMUnitTest move_cases[] = {
	LIFE_CASE(every_state),
	LIFE_CASE(wide_masks),
	LIFE_CASE(cpu_off),
	LIFE_CASE(cpu_goes_under_a_thread),
	cmocka_unit_test_setup_teardown(cpuset_is_not_left, life_setup,
					leave_cpuset),
	cmocka_unit_test_setup_teardown(cpuset_narrowed_to_where_it_is,
					life_setup, leave_cpuset),
	cmocka_unit_test_setup_teardown(cpuset_widened_and_learnt, life_setup,
					leave_cpuset),
	LIFE_CASE(somebody_else_wins),
	LIFE_CASE(learn_both_ways),
	LIFE_CASE(overtaking),
	LIFE_CASE(full_batches),
	LIFE_CASE(ends_in_mid_batch),
	LIFE_CASE(drop_waits_for_moves),
};
const size_t move_count = sizeof(move_cases) / sizeof(move_cases[0]);
