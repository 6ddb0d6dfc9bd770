// SPDX-License-Identifier: Apache-2.0
/*
 * test_sim_report.c - who wins a scenario, and what is printed of a matrix
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/sim/judge.h"
#include "tests/sim/report.h"

static const struct {
	const char *what;
	double tail, cpu_s, best_tail, best_cpu_s;
	enum verdict out;
} judge_row[] = {
	{ "same tail, a fifth less", 1, 8, 1, 10, VERDICT_FRUGAL },
	{ "same tail, not quite", 1, 8.1, 1, 10, VERDICT_LOST },
	{ "not told apart", 1.03, 8, 1, 10, VERDICT_FRUGAL },
	{ "told apart", 1.04, 8, 1, 10, VERDICT_LOST },
	{ "half the tail, same cpus", 0.5, 10, 1, 10, VERDICT_SHORT },
	{ "half the tail, more cpus", 0.5, 10.1, 1, 10, VERDICT_LOST },
	{ "more than half", 0.51, 10, 1, 10, VERDICT_LOST },
	{ "better in both, in neither by enough", 0.9, 9, 1, 10, VERDICT_LOST },
	{ "they lose requests", 3, 10, INFINITY, 10, VERDICT_SHORT },
	{ "so do we", INFINITY, 1, INFINITY, 10, VERDICT_LOST },
};

static void test_judge(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(judge_row) / sizeof(judge_row[0]); i++) {
		struct score ours = { true, judge_row[i].tail,
				      judge_row[i].cpu_s, 1, 1 };
		struct score best = { true, judge_row[i].best_tail,
				      judge_row[i].best_cpu_s, 1, 1 };

		if (judge(&ours, &best) != judge_row[i].out)
			fail_msg("%s", judge_row[i].what);
	}
}

/* Lowest tail, then fewest cpus; what is not there is not best. */
static void test_best(void **unused)
{
	const struct score other[] = {
		{ false, 0.1, 1, 1, 1 },     { true, 1.02, 5, 1, 1 },
		{ true, 1, 6, 1, 1 },	     { true, 1.1, 1, 1, 1 },
		{ true, INFINITY, 1, 1, 1 },
	};

	(void)unused;
	assert_int_equal(judge_best(other, 5), 1);
	assert_int_equal(judge_best(other + 4, 1), 0);
	assert_int_equal(judge_best(other, 1), -1);
}

/* The worst of the VMs that have a say; lost ones were never answered. */
static void test_score(void **unused)
{
	static struct sim_result r = { .vm_cnt = 4, .lc_cpu_s = 7 };
	struct score s;

	(void)unused;
	for (unsigned i = 0; i < 4; i++)
		r.vm[i] = (struct sim_vm_result){
			.class = VM_CLASS_LATENCY_CRITICAL,
			.slo_ns = 1000,
			.slo_permyriad = 9900,
			.done = 1000,
			.slo_at_ns = 500,
			.met = true,
		};
	r.vm[1].slo_at_ns = 2000;
	r.vm[1].met = false;
	r.vm[2].slo_ns = 0;
	r.vm[2].slo_at_ns = 1000000;
	r.vm[3].class = VM_CLASS_BEST_EFFORT;
	r.vm[3].slo_at_ns = 1000000;
	s = judge_score(&r);
	assert_true(s.there && s.tail == 2 && s.cpu_s == 7);
	assert_int_equal(s.slos, 2);
	assert_int_equal(s.met, 1);
	r.vm[0].lost = 10; /* 1 % of 1010 */
	assert_true(judge_score(&r).tail == 2);
	r.vm[0].lost = 11;
	assert_true(isinf(judge_score(&r).tail));
}

/* --- a small matrix ----------------------------------------------------------
 */

static const struct {
	const char *scenario;
	unsigned cpus;
	const char *policy;
	uint64_t seed;
	double tail, cpu_s;
} run[] = {
	{ "shift", 2, "slo", 1, 0.9, 8 },
	{ "shift", 2, "slo", 2, 5, 8 }, /* the median is the upper one */
	{ "shift", 2, "slo", 3, 0.5, 8 },
	{ "shift", 2, "caladan", 1, 0.9, 10 },
	{ "shift", 2, "simple", 1, 0.1, 1 }, /* not one of the others */
	{ "shift", 2, "oracle", 1, 0.1, 1 },
	{ "shift", 2, "oracle", 2, 0.1, 1 },
	{ "shift", 2, "oracle", 3, 2, 1 }, /* could not be met */
	{ "shift", 16, "slo", 1, 0.9, 8 },
	{ "shift", 16, "dedicated", 1, 0.5, 20 },
	{ "shift", 16, "equal", 1, 9, 7 },
	{ "shift", 16, "ias", 1, 0.5, 12 }, /* ours, and not counted */
};

#define RUNS (sizeof(run) / sizeof(run[0]))

static struct sim_row *matrix(void)
{
	struct sim_row *rows = calloc(RUNS, sizeof(*rows));

	assert_non_null(rows);
	for (size_t i = 0; i < RUNS; i++) {
		struct sim_row *row = &rows[i];

		strcpy(row->scenario, run[i].scenario);
		row->cpus = run[i].cpus;
		row->policy = sim_policy_find(run[i].policy);
		row->seed = run[i].seed;
		row->result.seconds = 4;
		row->result.lc_cpu_s = run[i].cpu_s;
		row->result.vm_cnt = 1;
		row->result.vm[0] = (struct sim_vm_result){
			.name = "web",
			.class = VM_CLASS_LATENCY_CRITICAL,
			.slo_ns = 1000000,
			.slo_permyriad = 9900,
			.done = 100,
			.slo_at_ns = (uint64_t)(run[i].tail * 1e6),
			.met = run[i].tail <= 1,
		};
	}
	return rows;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in\n%s", part, text);
}

static void test_print(void **unused)
{
	struct sim_row *rows = matrix();
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)unused;
	report_print(f, rows, RUNS);
	fclose(f);
	has(text, "shift on 2 cpus\n");
	has(text, "  shift             2  caladan          0.90    10.00  "
		  "slo        0.90     8.00  won: fewer cpu-s\n");
	has(text, "  shift            16  dedicated        0.50    20.00  "
		  "slo        0.90     8.00  lost\n");
	has(text, "  shift            16  dedicated        0.50    20.00  "
		  "ias        0.50    12.00  won: fewer cpu-s\n");
	has(text, "figure sim-scenarios-won 1 scenarios goal >=2 missed\n");
	has(text, "missed: shift, 2 cpus, seed 2: web, 0 of 100 late");
	has(text, "  1 of 2 met\n");
	has(text, "figure sim-slo-met 50 % goal >=100 missed\n");
	free(text);
	free(rows);
}

static unsigned lines(const char *text)
{
	unsigned cnt = 0;

	for (; *text; text++)
		cnt += *text == '\n';
	return cnt;
}

static void test_csv(void **unused)
{
	struct sim_row *rows = matrix();
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)unused;
	assert_int_equal(report_csv(f, rows, RUNS), 0);
	fclose(f);
	assert_int_equal(lines(text), 1 + 2 * RUNS);
	has(text, "\nshift,16,equal,1,latency-critical,");
	free(text);
	free(rows);
}

/* A field for each case, a mark for each policy that ran, all inside. */
static void test_svg(void **unused)
{
	struct sim_row *rows = matrix();
	unsigned marks = 0;
	double x, y;
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)unused;
	rows[10].result.vm[0].lost = 1000; /* an infinite tail */
	assert_int_equal(report_svg(f, rows, RUNS), 0);
	fclose(f);
	has(text, "shift, 2 cpus");
	has(text, "shift, 16 cpus");
	for (char *at = strstr(text, "<title>"); at;
	     at = strstr(at + 1, "<title>")) {
		char *circle = at;

		while (strncmp(circle, "<circle", 7))
			circle--;
		assert_int_equal(
		    sscanf(circle, "<circle cx=\"%lf\" cy=\"%lf", &x, &y), 2);
		assert_true(x >= 60 && x <= 700 && y >= 70 && y <= 230);
		marks++;
	}
	assert_int_equal(marks, 4 + 4);
	free(text);
	free(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge), cmocka_unit_test(test_best),
		cmocka_unit_test(test_score), cmocka_unit_test(test_print),
		cmocka_unit_test(test_csv),   cmocka_unit_test(test_svg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
