// SPDX-License-Identifier: Apache-2.0
/*
 * test_sim_scenario.c - scenario files: what is read, what is refused
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/sim/costs.h"
#include "tests/sim/scenario.h"
#include "tests/sim/value.h"

static struct sim_scenario sc;

/* load() - Return: what was said on the error stream; empty: it was taken. */
static const char *load(const char *text, unsigned cpus)
{
	static char said[256];
	FILE *err = fmemopen(said, sizeof(said), "w");
	int rc;

	assert_non_null(err);
	memset(said, 0, sizeof(said));
	rc = scenario_parse(&sc, "dir/some.sim", text, strlen(text), cpus, err);
	fclose(err);
	if ((rc == 0) != (said[0] == '\0'))
		fail_msg("rc %d, but said: %s", rc, said);
	said[strcspn(said, "\n")] = '\0';
	return said;
}

#define VM "[vm a]\n"

static const struct {
	const char *what, *text, *said; /* "": taken */
} refuse_row[] = {
	{ "the least there is", VM, "" },
	{ "comments and blanks", "# hello\n\n \t\n  [vm a]  \n", "" },
	{ "no end of line", "[vm a]", "" },
	{ "an empty file", "", "dir/some.sim:0: no VM" },
	{ "no such section", VM "[disk]\n", "dir/some.sim:2: no such section" },
	{ "a section without end", "[vm a\n",
	  "dir/some.sim:1: a section ends in ]" },
	{ "something behind a section", "[host] x\n",
	  "dir/some.sim:1: a section ends in ]" },
	{ "a line that is none", VM "hello\n",
	  "dir/some.sim:2: neither a section nor key = value" },
	{ "a key of another section", VM "smt = 2\n",
	  "dir/some.sim:2: no such key here" },
	{ "a key nobody knows", VM "\n\nslow = 2\n",
	  "dir/some.sim:4: no such key here" },
	{ "no value", VM "vcpus =\n", "dir/some.sim:2: not such a value" },
	{ "too few", VM "vcpus = 0\n", "dir/some.sim:2: not such a value" },
	{ "too many", VM "vcpus = 65\n", "dir/some.sim:2: not such a value" },
	{ "negative", VM "vcpus = -1\n", "dir/some.sim:2: not such a value" },
	{ "wraps round", VM "queue = 18446744073709551617\n",
	  "dir/some.sim:2: not such a value" },
	{ "something behind it", VM "vcpus = 2 3\n",
	  "dir/some.sim:2: not such a value" },
	{ "a time without unit", VM "slo = p99 100\n",
	  "dir/some.sim:2: not such a value" },
	{ "a time too short to mean anything", VM "slo = p99 1ns\n",
	  "dir/some.sim:2: not such a value" },
	{ "a percentile nobody knows", VM "slo = p98 1ms\n",
	  "dir/some.sim:2: not such a value" },
	{ "half a service", VM "service = bimodal 1us\n",
	  "dir/some.sim:2: not such a value" },
	{ "requests that take no time", VM "service = exp 0us\n",
	  "dir/some.sim:2: a request takes 1us at least" },
	{ "bursts without end", VM "load = bursts 50% 1ms 0ms\n",
	  "dir/some.sim:2: not such a value" },
	{ "no load by that name", VM "load = poisson 0%\n",
	  "dir/some.sim:2: not such a value" },
	{ "collections that overlap", VM "collect = 9ms 5ms\n",
	  "dir/some.sim:2: collections overlap" },
	{ "the same name twice", VM VM,
	  "dir/some.sim:2: a VM of that name is there" },
	{ "a name in capitals", "[vm A]\n",
	  "dir/some.sim:1: a VM's name is a-z 0-9 -" },
	{ "a name that is too long", "[vm abcdefghijklmnopqrstuvwxyz]\n",
	  "dir/some.sim:1: a VM's name is a-z 0-9 -" },
	{ "a phase of nobody", VM "[phase]\nat = 1s\n",
	  "dir/some.sim:3: a phase without vm =" },
	{ "a phase of a stranger", VM "[phase]\nvm = b\n",
	  "dir/some.sim:3: not such a value" },
	{ "more VMs than there can be", VM "count = 512\n[vm b]\n",
	  "dir/some.sim:3: too many VMs or vcpus" },
	{ "more vcpus than there can be",
	  "[host]\ncpus = 64\n" VM "count = 33\nvcpus = 64\n",
	  "dir/some.sim:5: too many VMs or vcpus" },
	{ "a floor wider than the host", "[host]\ncpus=2\nfloor=3\n" VM,
	  "dir/some.sim:4: the floor is wider than the host" },
	{ "a cost nobody knows", VM "[costs]\nwarp = 1us\n",
	  "dir/some.sim:3: no such cost" },
	{ "a slice that takes no time", VM "[costs]\nslice = 0us\n",
	  "dir/some.sim:3: not such a value" },
	{ "a speed above one", VM "[costs]\nsmt = 101%\n",
	  "dir/some.sim:3: not such a value" },
};

static void test_refuse(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(refuse_row) / sizeof(*refuse_row); i++) {
		const char *said = load(refuse_row[i].text, 0);

		if (strcmp(said, refuse_row[i].said))
			fail_msg("%s: said \"%s\"", refuse_row[i].what, said);
	}
}

static void test_all_keys(void **unused)
{
	static const char text[] =
	    "about = all there is\nseconds = 2.5\nwarmup = 20ms\n"
	    "[host]\ncpus = 32\nsmt = 1\nllc = 4\nnode = 16\nfloor = 2\n"
	    "riders = behind\nbandwidth = 3000\n"
	    "[costs]\nwake = 42us\nsmt = 50%\n"
	    "[vm web]\ncount = 3\nclass = latency\nvcpus = 6\nmin = 2\n"
	    "max = 5\nweight = 7\nagent = liar\nport = no\n"
	    "slo = p999 1.5ms\nsignal = delay\n"
	    "service = bimodal 10us 1ms 0.25%\nload = bursts 12.5% 1ms 9ms\n"
	    "memory = 800\ncollect = 2ms 100ms\nqueue = 99\n"
	    "[phase]\nvm = web\nat = 1s\nevery = 2s\nspread = 300ms\n"
	    "load = spin 3\nmemory = 5\n";
	const struct sim_kind *k = &sc.kind[0];
	const struct sim_phase *p = &sc.phase[0];

	(void)unused;
	assert_string_equal(load(text, 0), "");
	assert_string_equal(sc.name, "some");
	assert_string_equal(sc.about, "all there is");
	assert_int_equal(sc.run_ns, 2500000000);
	assert_int_equal(sc.warmup_ns, 20000000);
	assert_int_equal(sc.cpus, 32);
	assert_int_equal(sc.smt, 1);
	assert_int_equal(sc.llc, 4);
	assert_int_equal(sc.node, 16);
	assert_int_equal(sc.floor, 2);
	assert_true(sc.riders_behind);
	assert_int_equal(sc.bandwidth_mb_s, 3000);
	assert_int_equal(sc.costs.wake_ns, 42000);
	assert_int_equal(sc.costs.smt_speed, 500);
	assert_int_equal(sc.costs.slice_ns, sim_costs_default.slice_ns);
	assert_string_equal(k->name, "web");
	assert_int_equal(k->count, 3);
	assert_int_equal(k->class, VM_CLASS_LATENCY_CRITICAL);
	assert_int_equal(k->vcpus, 6);
	assert_int_equal(k->min, 2);
	assert_int_equal(k->max, 5);
	assert_int_equal(k->weight, 7);
	assert_int_equal(k->agent, AGENT_LIAR);
	assert_false(k->port);
	assert_int_equal(k->slo_ns, 1500000);
	assert_int_equal(k->slo_permyriad, 9990);
	assert_int_equal(k->slo_signal, SLO_DELAY);
	assert_int_equal(k->service.kind, SERVICE_BIMODAL);
	assert_int_equal(k->service.mean_ns, 10000);
	assert_int_equal(k->service.rare_ns, 1000000);
	assert_true(k->service.rare_share == 0.0025);
	assert_int_equal(k->load.kind, LOAD_BURSTS);
	assert_int_equal(k->load.permille, 125);
	assert_int_equal(k->load.off_ns, 9000000);
	assert_int_equal(k->memory_mb_s, 800);
	assert_int_equal(k->collect_ns, 2000000);
	assert_int_equal(k->queue, 99);
	assert_int_equal(p->kind, 0);
	assert_int_equal(p->at_ns, 1000000000);
	assert_int_equal(p->every_ns, 2000000000);
	assert_int_equal(p->spread_ns, 300000000);
	assert_true(p->has_load && p->has_memory);
	assert_int_equal(p->load.kind, LOAD_SPIN);
	assert_int_equal(p->load.threads, 3);
}

/* What depends on the host's size. */
static const struct {
	const char *what, *text;
	unsigned cpus, count, vcpus, min, max;
} size_row[] = {
	{ "as many as it says", VM "count = 5\n", 64, 5, 4, 1, 4 },
	{ "one for eight", VM "count = 1 per 8 cpus\n", 64, 8, 4, 1, 4 },
	{ "rounded up", VM "count = 1 per 8 cpus\n", 2, 1, 2, 1, 2 },
	{ "three for two", VM "count = 3 per 2 cpus\n", 3, 5, 3, 1, 3 },
	{ "not more vcpus than cpus", VM "vcpus = 8\n", 2, 1, 2, 1, 2 },
	{ "no minimum above the maximum", VM "min = 4\nmax = 2\n", 8, 1, 4, 2,
	  2 },
	{ "best-effort has no minimum", VM "class = best-effort\nmin = 2\n", 8,
	  1, 4, 0, 4 },
};

static void test_sizes(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(size_row) / sizeof(*size_row); i++) {
		const struct sim_kind *k = &sc.kind[0];

		assert_string_equal(load(size_row[i].text, size_row[i].cpus),
				    "");
		if (k->count != size_row[i].count ||
		    k->vcpus != size_row[i].vcpus ||
		    k->min != size_row[i].min || k->max != size_row[i].max)
			fail_msg("%s: %u VMs, %u vcpus, %u to %u",
				 size_row[i].what, k->count, k->vcpus, k->min,
				 k->max);
	}
}

static const struct {
	const char *what, *in;
	char kind;   /* Time, Percent (parts of 1000), Decimal */
	int64_t out; /* -1: refused */
} value_row[] = {
	{ "ns", "7ns", 'T', 7 },
	{ "us", "10us", 'T', 10000 },
	{ "ms", "3ms", 'T', 3000000 },
	{ "s", "2s", 'T', 2000000000 },
	{ "a fraction", "1.5ms", 'T', 1500000 },
	{ "as fine as a nanosecond", "0.001us", 'T', 1 },
	{ "finer", "0.0001us", 'T', -1 },
	{ "half a nanosecond", "0.5ns", 'T', -1 },
	{ "no digits", "ms", 'T', -1 },
	{ "no digits behind the point", "1.ms", 'T', -1 },
	{ "a blank before the unit", "1 ms", 'T', -1 },
	{ "the largest", "10s", 'T', 10000000000 },
	{ "larger", "10.000000001s", 'T', -1 },
	{ "much larger", "99999999999999999999s", 'T', -1 },
	{ "percent", "40%", 'P', 400 },
	{ "a tenth of a percent", "0.1%", 'P', 1 },
	{ "a thousandth is too fine", "0.001%", 'P', -1 },
	{ "above all", "1000.1%", 'P', -1 },
	{ "no sign", "40", 'P', -1 },
	{ "decimal", "1.25", 'D', 1250 },
	{ "whole", "3", 'D', 3000 },
	{ "too fine", "1.0001", 'D', -1 },
};

static void test_values(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(value_row) / sizeof(*value_row); i++) {
		const char *s = value_row[i].in;
		uint64_t n = 0;
		bool ok;

		if (value_row[i].kind == 'T')
			ok = value_time(&s, 10000000000ull, &n);
		else if (value_row[i].kind == 'P')
			ok = value_percent(&s, 1000, 10000, &n);
		else
			ok = value_decimal(&s, 4000, &n);
		if ((ok ? (int64_t)n : -1) != value_row[i].out)
			fail_msg("%s: %s is %lld", value_row[i].what,
				 value_row[i].in, ok ? (long long)n : -1);
		if (ok != value_end(s))
			fail_msg("%s: not all was read, or too much",
				 value_row[i].what);
	}
}

/* What is printed is read back as it was. */
static void test_costs(void **unused)
{
	struct sim_costs c = sim_costs_default, back = c;
	char path[] = "/tmp/test_sim_costs_XXXXXX", text[64];
	int fd = mkstemp(path);
	FILE *f;

	(void)unused;
	assert_true(fd >= 0);
	c.wake_ns = 12345;
	c.smt_speed = 777;
	f = fdopen(fd, "w");
	assert_non_null(f);
	fputs("# a comment\n", f);
	costs_print(&c, f);
	fclose(f);
	assert_int_equal(sim_costs_load(&back, path, stderr), 0);
	assert_memory_equal(&c, &back, sizeof(c));
	f = fopen(path, "a");
	assert_non_null(f);
	fputs("[host]\n", f);
	fclose(f);
	f = fmemopen(text, sizeof(text), "w");
	assert_int_equal(sim_costs_load(&back, path, f), -EINVAL);
	fclose(f);
	unlink(path);
	f = fmemopen(text, sizeof(text), "w");
	assert_int_equal(sim_costs_load(&back, path, f), -ENOENT);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuse), cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_sizes),  cmocka_unit_test(test_values),
		cmocka_unit_test(test_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
