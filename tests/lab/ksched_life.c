// SPDX-License-Identifier: Apache-2.0
/*
 * ksched_life.c - the module ksched as its caller sees it, case by case
 *
 * Runs as root where the module loads (the lab); threads of this process and
 * of its children stand in for vcpus. Affinities are read back through
 * sched_getaffinity(2), so that the module is not asked about itself. After
 * each case the kernel's log must be free of complaints.
 *
 *	ksched_life [GROUP]	args, move, end or model; without: all
 */
#include "life.h"

#include <string.h>
#include <sys/stat.h>

struct session ses = { .fd = -1 };
struct worker worker[LIFE_WORKERS];
struct herd herd;

static uint32_t next_gen;
static const char *row_now;
static uint64_t begin_ns;

void row(const char *what)
{
	row_now = what;
}

int life_setup(void **state)
{
	(void)state;
	row_now = NULL;
	begin_ns = clock_now_ns();
	assert_err(session_open(&ses, SESSION_SILENCE_MS), 0);
	return 0;
}

int life_teardown(void **state)
{
	const char *complaint;

	(void)state;
	print_message("             %.1f s%s%s\n",
		      (double)(clock_now_ns() - begin_ns) / NSEC_PER_SEC,
		      row_now ? ", last row: " : "", row_now ? row_now : "");
	session_close(&ses);
	for (unsigned i = 0; i < LIFE_WORKERS; i++)
		worker_stop(&worker[i]);
	herd_end(&herd);
	if (!module_is_loaded())
		module_load();
	module_set("drain", "0");
	complaint = kernel_complaint();
	if (complaint)
		print_error("the kernel: %s\n", complaint);
	return complaint ? -1 : 0;
}

uint32_t add_worker_on(unsigned n, enum work work, struct ksched_mask mask)
{
	int slot;

	assert_err(worker_start(&worker[n], work), 0);
	assert_err(task_set_mask(worker[n].tid, &mask), 0);
	slot = session_add(&ses, getpid(), worker[n].tid, NULL);
	if (slot < 0)
		fail_msg("add: %s", strerror(-slot));
	return (uint32_t)slot;
}

uint32_t add_worker(unsigned n, enum work work)
{
	return add_worker_on(n, work, mask_range(0, LIFE_CPUS - 1));
}

struct ksched_done move_answer(const struct ksched_move *m)
{
	struct ksched_move sent = *m;
	struct ksched_done d = { 0 };

	sent.gen = ++next_gen;
	assert_err(session_commit(&ses, &sent, 1), 0);
	assert_true(session_answer(&ses, &d, ANSWER_MS));
	assert_int_equal(d.slot, sent.slot);
	assert_int_equal(d.gen, sent.gen);
	return d;
}

int move_to(uint32_t slot, struct ksched_mask mask)
{
	struct ksched_move m = { .slot = slot, .mask = mask };

	return move_answer(&m).err;
}

void assert_mask(pid_t tid, struct ksched_mask want)
{
	struct ksched_mask got;

	assert_err(task_mask(tid, &got), 0);
	if (!mask_same(&got, &want))
		fail_msg("thread %d may run on %s, wanted %s", tid,
			 mask_text(&got), mask_text(&want));
}

static const struct group {
	const char *name;
	const struct CMUnitTest *cases;
	const size_t *count;
} groups[] = {
	{ "args", args_cases, &args_count },
	{ "move", move_cases, &move_count },
	{ "end", end_cases, &end_count },
	{ "model", model_cases, &model_count },
};

#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static int skipped(const char *why)
{
	printf("skipped: %s\n", why);
	return 77;
}

/* One list of all cases, so that there is one count at the end. */
static int run(const char *only)
{
	struct CMUnitTest all[128];
	size_t n = 0;

	for (unsigned g = 0; g < GROUPS; g++) {
		if (only && strcmp(only, groups[g].name))
			continue;
		if (n + *groups[g].count > sizeof(all) / sizeof(all[0]))
			return 1;
		memcpy(&all[n], groups[g].cases,
		       *groups[g].count * sizeof(all[0]));
		n += *groups[g].count;
	}
	/* cmocka counts the list with sizeof: give it the length itself. */
	return _cmocka_run_group_tests("ksched_life", all, n, NULL, NULL);
}

int main(int argc, char **argv)
{
	int rc;

	if (geteuid())
		return skipped("needs root");
	if (sysconf(_SC_NPROCESSORS_ONLN) < LIFE_CPUS)
		return skipped("needs 8 cpus: run it in the lab");
	rc = module_load();
	if (rc && rc != -EEXIST) {
		printf("%s: %s\n", module_path(), strerror(-rc));
		return rc == -ENOENT ? 77 : 1;
	}
	kernel_complaint(); /* the log begins here */
	return run(argc > 1 ? argv[1] : NULL);
}
