// SPDX-License-Identifier: Apache-2.0
/*
 * life_end.c - however a session ends, everything is as before, and nothing
 * is left behind
 */
#include "life.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define ALL	 mask_range(0, LIFE_CPUS - 1)
#define THREADS	 6
#define CYCLES	 1000
#define WARM_UP	 100 /* sessions, before anything is counted */
#define LEAK_MIN 400 /* objects; fewer are noise */

/* Threads of every kind with masks of their own, all moved to cpu 3. */
static void move_all(struct ksched_mask *had)
{
	static const enum work works[THREADS] = { WORK_SPIN, WORK_NAP,
						  WORK_SLEEP };

	for (unsigned i = 0; i < THREADS; i++) {
		had[i] = mask_range((int)i % 3, LIFE_CPUS - 1 - (int)i % 4);
		assert_err(
		    move_to(add_worker_on(i, works[i], had[i]), mask_of(3)), 0);
		assert_mask(worker[i].tid, mask_of(3));
	}
}

static void assert_restored(const struct ksched_mask *had)
{
	for (unsigned i = 0; i < THREADS; i++) {
		assert_mask(worker[i].tid, had[i]);
		assert_true(worker_turns(&worker[i]));
	}
}

static void drop_restores(void **state)
{
	struct ksched_mask had = mask_range(2, 6);
	uint32_t slot = add_worker_on(0, WORK_SPIN, had);

	(void)state;
	assert_err(move_to(slot, mask_of(3)), 0);
	assert_err(session_drop(&ses, slot), 0);
	assert_mask(worker[0].tid, had);
	row("the slot is free");
	assert_err(move_to(slot, mask_of(3)), -ESRCH);
}

static void close_restores(void **state)
{
	struct ksched_mask had[THREADS];

	(void)state;
	move_all(had);
	session_close(&ses);
	assert_restored(had);
}

/* Closed with moves under way: none comes after. */
static void close_in_mid_batch(void **state)
{
	struct ksched_move m[KSCHED_BATCH_MAX];
	uint32_t slot[THREADS];

	(void)state;
	for (unsigned turn = 0; turn < 30; turn++) {
		for (unsigned i = 0; i < THREADS; i++)
			slot[i] = add_worker(i, i % 2 ? WORK_NAP : WORK_SPIN);
		for (unsigned i = 0; i < KSCHED_BATCH_MAX; i++)
			m[i] = (struct ksched_move){
				.slot = slot[i % THREADS],
				.mask = mask_of((int)i % LIFE_CPUS),
			};
		assert_err(session_commit(&ses, m, KSCHED_BATCH_MAX), 0);
		session_close(&ses);
		for (unsigned i = 0; i < THREADS; i++) {
			assert_mask(worker[i].tid, ALL);
			worker_stop(&worker[i]);
		}
		assert_err(session_open(&ses, SESSION_SILENCE_MS), 0);
	}
}

/* Who is killed closes as well, whatever it had mapped. */
static void killed_holder(void **state)
{
	struct ksched_mask had = mask_range(1, 5);
	int ready[2], status;
	char byte = 0;
	pid_t pid;

	(void)state;
	session_close(&ses);
	assert_int_equal(pipe(ready), 0);
	assert_err(worker_start(&worker[0], WORK_SPIN), 0);
	assert_err(task_set_mask(worker[0].tid, &had), 0);
	pid = fork();
	if (!pid) {
		struct ksched_move m = { .mask = mask_of(4) };
		struct ksched_done d;
		int slot;

		slot = session_open(&ses, SESSION_SILENCE_MS)
			   ? -1
			   : session_add(&ses, getppid(), worker[0].tid, NULL);
		m.slot = (uint32_t)slot;
		byte = slot >= 0 && !session_commit(&ses, &m, 1) &&
		       session_answer(&ses, &d, ANSWER_MS) && !d.err;
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	if (byte)
		assert_mask(worker[0].tid, mask_of(4));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_int_equal(byte, 1);
	assert_mask(worker[0].tid, had);
	assert_err(session_open(&ses, SESSION_SILENCE_MS), 0);
}

/* What every request answers once the session has ended. */
static void assert_over(uint32_t slot, uint32_t why)
{
	struct ksched_move m = { .slot = slot, .mask = mask_of(1) };
	uint64_t head = ses.page->head;

	assert_int_equal(ses.page->over, why);
	assert_err(session_ioctl(&ses, KSCHED_BEAT, NULL), -ESHUTDOWN);
	assert_err(session_add(&ses, getpid(), gettid(), NULL), -ESHUTDOWN);
	assert_err(session_drop(&ses, slot), -ESHUTDOWN);
	assert_err(session_learn(&ses, slot, KSCHED_LEARN_ADD), -ESHUTDOWN);
	assert_err(session_commit(&ses, &m, 1), -ESHUTDOWN);
	assert_int_equal(ses.page->head, head);
}

/* In two and a half times its silence; the module says so when all threads are
 * given back. */
static bool ends_by_itself(void)
{
	for (unsigned i = 0; i < 125; i++) {
		if (ses.page->over != KSCHED_ALIVE)
			return true;
		nap_ms(100);
	}
	return false;
}

static void silence_ends(void **state)
{
	struct ksched_mask had[THREADS];

	(void)state;
	session_close(&ses);
	assert_err(session_open(&ses, 5000), 0);
	move_all(had);
	row("beats keep it alive");
	for (unsigned i = 0; i < 20; i++) {
		nap_ms(100);
		assert_err(session_ioctl(&ses, KSCHED_BEAT, NULL), 0);
	}
	assert_int_equal(ses.page->over, KSCHED_ALIVE);
	assert_mask(worker[0].tid, mask_of(3));
	row("silence");
	assert_true(ends_by_itself());
	assert_restored(had);
	assert_over(0, KSCHED_OVER_SILENT);
	row("a new session");
	session_close(&ses);
	assert_err(session_open(&ses, SESSION_SILENCE_MS), 0);
	assert_int_equal(ses.page->over, KSCHED_ALIVE);
}

static void drain_ends(void **state)
{
	struct ksched_mask had[THREADS];
	struct session other;

	(void)state;
	move_all(had);
	row("rmmod while it is open");
	assert_err(module_unload(), -EAGAIN);
	assert_mask(worker[0].tid, mask_of(3));
	row("drained");
	assert_err(module_set("drain", "1"), 0);
	assert_restored(had);
	assert_over(0, KSCHED_OVER_DRAINED);
	row("no new session while draining");
	session_close(&ses);
	assert_true(session_open(&other, SESSION_SILENCE_MS) < 0);
	row("rmmod passes");
	assert_err(module_unload(), 0);
	assert_false(module_is_loaded());
	assert_err(module_load(), 0);
	assert_err(session_open(&ses, SESSION_SILENCE_MS), 0);
}

/* Drained, and the drain taken back. */
static void drain_is_taken_back(void **state)
{
	(void)state;
	assert_err(module_set("drain", "1"), 0);
	assert_err(module_set("drain", "0"), 0);
	assert_int_equal(ses.page->over, KSCHED_OVER_DRAINED);
	session_close(&ses);
	assert_err(session_open(&ses, SESSION_SILENCE_MS), 0);
}

static void load_and_unload(void **state)
{
	(void)state;
	session_close(&ses);
	for (unsigned i = 0; i < 20; i++) {
		assert_err(module_unload(), 0);
		assert_int_equal(access(KSCHED_PATH, F_OK), -1);
		assert_err(module_load(), 0);
		row("loaded twice");
		assert_err(module_load(), -EEXIST);
		assert_int_equal(access(KSCHED_PATH, F_OK), 0);
	}
}

/* A page that is mapped outlives the descriptor, and shows nothing of the
 * next session. */
static void mapping_outlives_the_descriptor(void **state)
{
	(void)state;
	close(ses.fd);
	ses.fd = -1;
	assert_int_equal(ses.page->version, KSCHED_VERSION);
	session_close(&ses);
	assert_err(session_open(&ses, SESSION_SILENCE_MS), 0);
}

static void open_and_close(unsigned cycles, bool with_threads)
{
	for (unsigned i = 0; i < cycles; i++) {
		session_close(&ses);
		assert_err(session_open(&ses, SESSION_SILENCE_MS), 0);
		for (unsigned k = 0; with_threads && k < THREADS; k++) {
			struct ksched_move m = { .mask = mask_of(1) };
			int slot =
			    session_add(&ses, getpid(), worker[k].tid, NULL);

			assert_true(slot >= 0);
			m.slot = (uint32_t)slot;
			assert_err(session_commit(&ses, &m, 1), 0);
			if (k % 2)
				assert_err(session_drop(&ses, m.slot), 0);
		}
	}
	session_close(&ses);
}

static void assert_no_growth(const struct slabs *before, unsigned cycles)
{
	static struct slabs after;
	const char *name;
	long grown = 0;

	for (unsigned i = 0; i < 30; i++) {
		nap_ms(i ? 1000 : 200); /* what RCU still holds */
		slabs_read(&after);
		grown = slabs_growth(before, &after, &name);
		if (grown < LEAK_MIN)
			break;
	}
	print_message("             %u times: %s grew most, by %ld\n", cycles,
		      name, grown);
	if (grown >= LEAK_MIN)
		fail_msg("%s grew by %ld in %u times", name, grown, cycles);
	assert_int_equal(module_vmallocs(), 0);
}

static void assert_no_leak(unsigned cycles, bool with_threads)
{
	static struct slabs before;

	for (unsigned k = 0; with_threads && k < THREADS; k++)
		assert_err(worker_start(&worker[k], WORK_NAP), 0);
	open_and_close(WARM_UP, with_threads);
	nap_ms(200);
	slabs_read(&before);
	assert_true(before.n > 20);
	open_and_close(cycles, with_threads);
	assert_no_growth(&before, cycles);
}

static void open_close_leaks_nothing(void **state)
{
	(void)state;
	assert_true(module_vmallocs() > 0);
	assert_no_leak(CYCLES, false);
}

static void sessions_leak_nothing(void **state)
{
	(void)state;
	assert_no_leak(CYCLES / 4, true); /* of THREADS threads each */
}

static void thread_ends(unsigned i)
{
	uint32_t slot = add_worker(0, WORK_SLEEP);

	if (i % 2)
		assert_err(move_to(slot, mask_of(2)), 0);
	worker_stop(&worker[0]);
	if (i % 4)
		assert_err(session_drop(&ses, slot), 0);
}

/* Threads that end while they are handed over leave nothing of them. */
static void ended_threads_leak_nothing(void **state)
{
	static struct slabs before;

	(void)state;
	for (unsigned i = 0; i < WARM_UP; i++)
		thread_ends(i);
	session_close(&ses);
	nap_ms(200);
	slabs_read(&before);
	assert_err(session_open(&ses, SESSION_SILENCE_MS), 0);
	for (unsigned i = 0; i < CYCLES; i++)
		thread_ends(i);
	session_close(&ses);
	assert_no_growth(&before, CYCLES);
}

const struct CMUnitTest end_cases[] = {
	LIFE_CASE(drop_restores),
	LIFE_CASE(close_restores),
	LIFE_CASE(close_in_mid_batch),
	LIFE_CASE(killed_holder),
	LIFE_CASE(silence_ends),
	LIFE_CASE(drain_ends),
	LIFE_CASE(drain_is_taken_back),
	LIFE_CASE(load_and_unload),
	LIFE_CASE(mapping_outlives_the_descriptor),
	LIFE_CASE(open_close_leaks_nothing),
	LIFE_CASE(sessions_leak_nothing),
	LIFE_CASE(ended_threads_leak_nothing),
};
const size_t end_count = sizeof(end_cases) / sizeof(end_cases[0]);
