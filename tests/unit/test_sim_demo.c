// SPDX-License-Identifier: Apache-2.0
/*
 * test_sim_demo.c - reading what the demo writes, and comparing with it
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/sim/demo.h"

#define PHASES 4

static const char *const name[PHASES] = { "alone", "equal", "shares",
					  "hostd slo" };

/* What of each phase goes into the file and comes out of the table. */
struct figures {
	double p50_us, p99_us, work;
};

/* result() - A file of the demo's; 900 requests a second of 0.5 ms. */
static void result(char *path, const struct figures f[PHASES],
		   const char *vcpus, int phases)
{
	int fd;
	FILE *to;

	strcpy(path, "/tmp/test_sim_demo.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	to = fdopen(fd, "w");
	fprintf(to,
		"{\"title\": \"demo\", \"machine\": \"Linux, %s vcpu each "
		"on cpu 1; \", \"phases\": {",
		vcpus);
	for (int i = 0; i < phases; i++) {
		fprintf(to, "%s\"%s\": {\"p50\": %f, ", i ? ", " : "", name[i],
			f[i].p50_us);
		if (isfinite(f[i].p99_us))
			fprintf(to, "\"p99\": %f, ", f[i].p99_us);
		else
			fprintf(to, "\"p99\": null, ");
		fprintf(to,
			"\"rounds\": [{\"achieved\": 900, \"web_share\": "
			"0.45, \"work\": %f, \"batch_alone\": 1}]}",
			f[i].work);
	}
	fprintf(to, "}}\n");
	fclose(to);
}

static int compare(const struct figures f[PHASES], const char *vcpus,
		   int phases, char **out)
{
	char path[64], *said;
	size_t len, said_len;
	FILE *to = open_memstream(out, &len);
	FILE *err = open_memstream(&said, &said_len);
	int ret;

	result(path, f, vcpus, phases);
	ret = demo_compare(path, &sim_costs_default, to, err);
	fclose(to);
	fclose(err);
	assert_true(!ret == !said_len); /* a reason, if and only if it failed */
	free(said);
	unlink(path);
	return ret;
}

static const struct figures some[PHASES] = {
	{ 1000, 4000, 0 },
	{ 2000, 9000, 0.5 },
	{ 900, 3000, 0.5 },
	{ 900, 3000, 0.5 },
};

/* predicted() - Out of the table. */
static void predicted(const char *text, struct figures f[PHASES])
{
	char line[32];
	double m50, m99, mw;

	for (int i = 0; i < PHASES; i++) {
		const char *at;

		snprintf(line, sizeof(line), "\n%-10s", name[i]);
		at = strstr(text, line);
		assert_non_null(at);
		f[i].work = 0;
		assert_true(sscanf(at + 11, "%lf %lf %*s %*[%] %lf %lf", &m50,
				   &f[i].p50_us, &m99, &f[i].p99_us) == 4 ||
			    sscanf(at + 11, "%lf %lf fitted %lf %lf", &m50,
				   &f[i].p50_us, &m99, &f[i].p99_us) == 4);
		at = strchr(strchr(at, '%') + 1, '%');
		if (i == 2) /* one percent sign fewer: a fitted figure */
			at = strchr(strstr(text, line), '%');
		if (i)
			assert_int_equal(
			    sscanf(at + 1, "%lf %lf", &mw, &f[i].work), 2);
	}
}

/* What the simulator says, given back to it as measured, is no error. */
static void test_agrees_with_itself(void **unused)
{
	struct figures f[PHASES];
	double median, worst;
	char *text;

	(void)unused;
	assert_int_equal(compare(some, "1", PHASES, &text), 0);
	predicted(text, f);
	free(text);
	for (int i = 1; i < PHASES; i++)
		assert_true(f[i].work > 0.1 && f[i].work < 0.9);
	assert_true(f[1].p99_us > 2 * f[3].p99_us); /* equal is worse */
	assert_int_equal(compare(f, "1", PHASES, &text), 0);
	assert_int_equal(sscanf(strstr(text, "figure"),
				"figure sim-demo-error-median %lf %% "
				"figure sim-demo-error-worst %lf",
				&median, &worst),
			 2);
	assert_true(median <= 1 && worst <= 2);
	free(text);
}

/* A tail of lost requests is compared with nothing. */
static void test_lost(void **unused)
{
	struct figures f[PHASES];
	char *text;

	(void)unused;
	memcpy(f, some, sizeof(f));
	f[1].p99_us = INFINITY;
	assert_int_equal(compare(f, "1", PHASES, &text), 0);
	assert_non_null(strstr(text, "       inf"));
	assert_null(strstr(text, "inf %"));
	free(text);
}

static void test_refused(void **unused)
{
	struct figures f[PHASES];
	char *text;

	(void)unused;
	assert_int_equal(compare(some, "2", PHASES, &text), -EINVAL);
	free(text);
	assert_int_equal(compare(some, "1", PHASES - 1, &text), -EINVAL);
	free(text);
	memcpy(f, some, sizeof(f));
	f[2].p50_us = 0;
	assert_int_equal(compare(f, "1", PHASES, &text), -EINVAL);
	free(text);
	assert_int_equal(
	    demo_compare("/nowhere", &sim_costs_default, stdout, stderr),
	    -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees_with_itself),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
