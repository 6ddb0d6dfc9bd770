// SPDX-License-Identifier: Apache-2.0
/*
 * test_load_options.c - command lines taken and refused
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/load/options.h"

#define ARGS_MAX 16

static const struct {
	const char *in;
	uint64_t unit_ns;
	int rc;
	uint64_t out;
} times[] = {
	{ "8", 1000000000, 0, 8000000000 },
	{ "0", 1000, 0, 0 },
	{ "1.5s", 1, 0, 1500000000 },
	{ "20us", 1, 0, 20000 },
	{ "200", 1000, 0, 200000 },
	{ "3ms", 1, 0, 3000000 },
	{ "7ns", 1000, 0, 7 },
	{ "", 1, -EINVAL, 0 },
	{ "-1", 1, -EINVAL, 0 },
	{ "us", 1, -EINVAL, 0 },
	{ "3 ms", 1, -EINVAL, 0 },
	{ "3m", 1, -EINVAL, 0 },
	{ "3msx", 1, -EINVAL, 0 },
	{ "nan", 1, -EINVAL, 0 },
	{ "1e300", 1, -EINVAL, 0 },
};

static void test_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		uint64_t out = 0;
		int rc = options_time(times[i].in, times[i].unit_ns, &out);

		if (rc != times[i].rc || out != times[i].out)
			print_error("'%s'\n", times[i].in);
		assert_int_equal(rc, times[i].rc);
		assert_int_equal(out, times[i].out);
	}
}

static const struct {
	const char *in;
	int rc;
	uint32_t addr;
	uint16_t port;
} hostports[] = {
	{ "10.77.0.2:7000", 0, 0x0a4d0002, 7000 },
	{ "127.0.0.1:65535", 0, 0x7f000001, 65535 },
	{ "127.0.0.1", -EINVAL, 0, 0 },
	{ "127.0.0.1:", -EINVAL, 0, 0 },
	{ "127.0.0.1:0", -EINVAL, 0, 0 },
	{ "127.0.0.1:65536", -EINVAL, 0, 0 },
	{ "127.0.0.1:7x", -EINVAL, 0, 0 },
	{ ":7000", -EINVAL, 0, 0 },
	{ "localhost:7000", -EINVAL, 0, 0 },
	{ "127.0.0.1.127.0.0.1.1:7", -EINVAL, 0, 0 },
};

static void test_hostport(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(hostports) / sizeof(hostports[0]); i++) {
		uint32_t addr = 0;
		uint16_t port = 0;
		int rc = options_hostport(hostports[i].in, &addr, &port);

		if (rc != hostports[i].rc)
			print_error("'%s'\n", hostports[i].in);
		assert_int_equal(rc, hostports[i].rc);
		assert_int_equal(addr, hostports[i].addr);
		assert_int_equal(port, hostports[i].port);
	}
}

/* One string, cut at spaces, as argv; returns argc. */
static int cut(char *line, char **argv)
{
	int argc = 0;

	for (char *p = strtok(line, " "); p && argc < ARGS_MAX;
	     p = strtok(NULL, " "))
		argv[argc++] = p;
	argv[argc] = NULL;
	return argc;
}

static const struct {
	const char *line;
	const char *why; /* part of the sentence; NULL: taken */
} synthetics[] = {
	{ "synthetic", NULL },
	{ "synthetic --help", NULL },
	{ "synthetic client --help", NULL },
	{ "synthetic serve", "server or client" },
	{ "synthetic server", "--udp PORT or --tcp PORT is needed" },
	{ "synthetic server --udp 7000", NULL },
	{ "synthetic server --tcp 7000 --threads 256", NULL },
	{ "synthetic server --udp 70000", "--udp: '70000'" },
	{ "synthetic server --udp", "--udp: needs a value" },
	{ "synthetic server --udp 1 --threads 257", "--threads: '257'" },
	{ "synthetic server --udp 1 now", "'now' is not an option" },
	{ "synthetic server --rate 1", "--rate: no such option" },
	{ "synthetic client", "--to HOST:PORT is needed" },
	{ "synthetic client --to 1.2.3.4:5", NULL },
	{ "synthetic client --to 1.2.3.4:5 --rate 0", "--rate: '0'" },
	{ "synthetic client --to 1.2.3.4:5 --rate 1x", "--rate: '1x'" },
	{ "synthetic client --to 1.2.3.4:5 --time 0", "--time" },
	{ "synthetic client --to 1.2.3.4:5 --proto sctp", "--proto: 'sctp'" },
	{ "synthetic client --to 1.2.3.4:5 --dist pareto", "--dist" },
	{ "synthetic client --to 1.2.3.4:5 --service 200ms", "at most 100ms" },
	{ "synthetic client --to 1.2.3.4:5 --rate 1e6 --time 20",
	  "10 million" },
	{ "synthetic client --to 1.2.3.4:5 --conns 0", "--conns: '0'" },
	{ "synthetic client --to 1.2.3.4:5 --proto memcached --keys 9 "
	  "--value 1024 --sets 0",
	  NULL },
	{ "synthetic client --to 1.2.3.4:5 --keys 0", "--keys: '0'" },
	{ "synthetic client --to 1.2.3.4:5 --value 1025", "--value: '1025'" },
	{ "synthetic client --to 1.2.3.4:5 --sets 101", "--sets: '101'" },
	{ "synthetic client --to 1.2.3.4:5 --proto memcached --loops 1",
	  "no --loops" },
};

static void test_synthetic(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(synthetics) / sizeof(synthetics[0]);
	     i++) {
		const char *want = synthetics[i].why;
		char line[256], *argv[ARGS_MAX + 1], why[256] = "";
		struct synthetic_conf c;
		int argc, rc;

		snprintf(line, sizeof(line), "%s", synthetics[i].line);
		argc = cut(line, argv);
		rc = options_synthetic(argc, argv, &c, why, sizeof(why));
		if (rc != (want ? -EINVAL : 0) || (want && !strstr(why, want)))
			print_error("%s: %s\n", synthetics[i].line, why);
		assert_int_equal(rc, want ? -EINVAL : 0);
		if (want)
			assert_non_null(strstr(why, want));
	}
}

static void test_client_values(void **state)
{
	char line[] = "s client --to 10.0.0.2:7 --proto tcp --rate 2500 "
		      "--time 4 --warmup 500ms --dist bimodal --loops 99";
	char *argv[ARGS_MAX + 1], why[256];
	struct synthetic_conf c;
	int argc = cut(line, argv);

	(void)state;
	assert_int_equal(options_synthetic(argc, argv, &c, why, sizeof(why)),
			 0);
	assert_int_equal(c.command, COMMAND_CLIENT);
	assert_int_equal(c.client.proto, PROTO_TCP);
	assert_int_equal(c.client.arrive.length_ns, 4500000000);
	assert_int_equal(c.client.warmup_ns, 500000000);
	assert_int_equal(c.client.arrive.dist, DIST_BIMODAL);
	assert_int_equal(c.client.unit, MSG_UNIT_LOOPS);
	assert_int_equal(c.client.arrive.work, 99);
	assert_int_equal(c.client.late_ns, 200000);
	assert_false(c.client.spin);
}

static const struct {
	const char *line;
	int rc;
	enum antagonist kind;
	uint64_t report_ns;
} antagonists[] = {
	{ "antagonist", 1, 0, 0 },
	{ "antagonist spin --help", 1, 0, 0 },
	{ "antagonist spin", 0, ANTAGONIST_SPIN, 1000000000 },
	{ "antagonist stream --report 0.25", 0, ANTAGONIST_STREAM, 250000000 },
	{ "antagonist cache --bytes 65536", 0, ANTAGONIST_CACHE, 1000000000 },
	{ "antagonist cache --bytes 64", -EINVAL, 0, 0 },
	{ "antagonist spin --report 0", -EINVAL, 0, 0 },
	{ "antagonist sleep", -EINVAL, 0, 0 },
};

static void test_antagonist(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(antagonists) / sizeof(antagonists[0]);
	     i++) {
		char line[256], *argv[ARGS_MAX + 1], why[256] = "";
		struct antagonist_conf c;
		int argc, rc;

		snprintf(line, sizeof(line), "%s", antagonists[i].line);
		argc = cut(line, argv);
		rc = options_antagonist(argc, argv, &c, why, sizeof(why));
		if (rc != antagonists[i].rc)
			print_error("%s: %s\n", antagonists[i].line, why);
		assert_int_equal(rc, antagonists[i].rc);
		if (rc)
			continue;
		assert_int_equal(c.kind, antagonists[i].kind);
		assert_int_equal(c.report_ns, antagonists[i].report_ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_hostport),
		cmocka_unit_test(test_synthetic),
		cmocka_unit_test(test_client_values),
		cmocka_unit_test(test_antagonist),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
