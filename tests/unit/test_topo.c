// SPDX-License-Identifier: Apache-2.0
/*
 * test_topo.c - hosts of many shapes, as trees of files, against topo_read()
 *
 * A host is a table of files and what they say. node.c is replaced by a
 * formula, so that no row depends on the machine the test runs on.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hostd/node.h"
#include "hostd/topo.h"

/* --- node.c's stand-in ---------------------------------------------------- */
static int cpus_per_node; /* 0: no NUMA here */

unsigned node_cnt(void)
{
	return cpus_per_node ? 2 : 1;
}

uint16_t node_of_cpu(unsigned cpu)
{
	return cpus_per_node ? (uint16_t)(cpu / (unsigned)cpus_per_node) : 0;
}

uint8_t node_distance(unsigned from, unsigned to)
{
	return (uint8_t)(10 + 2 * from + 3 * to);
}

/* --- trees of files ------------------------------------------------------- */
static char root[] = "/tmp/test_topo.XXXXXX";

/* Make a file and the directories it is in. */
static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/sys/devices/system/cpu/%s", root,
		 name);
	for (char *at = path + sizeof(root); (at = strchr(at, '/')); at++) {
		*at = '\0';
		assert_true(!mkdir(path, 0700) || errno == EEXIST);
		*at = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", text);
	assert_int_equal(fclose(f), 0);
}

static void clear_tree(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s/sys", root);
	assert_int_equal(system(command), 0);
}

#define CPU	  "cpu%u/"
#define SMT	  "topology/thread_siblings_list"
#define PKG	  "topology/core_siblings_list"
#define LEVEL(i)  "cache/index" #i "/level"
#define SHARED(i) "cache/index" #i "/shared_cpu_list"
#define CPUS	  8

struct file {
	unsigned cpu;
	const char *name, *text;
};

struct host {
	const char *what;
	const char *online;
	int cpus_per_node;
	struct file file[40];
	int err;
	uint16_t cpu_cnt;
	struct topo_cpu cpu[CPUS];
};

#define NONE CPU_NONE

static const struct host hosts[] = {
	{
	    "two cpus, no threads, one cache",
	    "0-1",
	    2,
	    { { 0, SMT, "0" },
	      { 0, LEVEL(0), "1" },
	      { 0, SHARED(0), "0" },
	      { 0, LEVEL(1), "3" },
	      { 0, SHARED(1), "0-1" },
	      { 1, SMT, "1" },
	      { 1, LEVEL(0), "1" },
	      { 1, SHARED(0), "1" },
	      { 1, LEVEL(1), "3" },
	      { 1, SHARED(1), "0-1" } },
	    0,
	    2,
	    { { NONE, 0, 0 }, { NONE, 0, 0 } },
	},
	{
	    "2 sockets x 2 cores x 2 threads, threads numbered apart",
	    "0-7",
	    -1,
	    { { 0, SMT, "0,4" },
	      { 1, SMT, "1,5" },
	      { 2, SMT, "2,6" },
	      { 3, SMT, "3,7" },
	      { 4, SMT, "0,4" },
	      { 5, SMT, "1,5" },
	      { 6, SMT, "2,6" },
	      { 7, SMT, "3,7" },
	      { 0, PKG, "0-1,4-5" },
	      { 1, PKG, "0-1,4-5" },
	      { 2, PKG, "2-3,6-7" },
	      { 3, PKG, "2-3,6-7" },
	      { 4, PKG, "0-1,4-5" },
	      { 5, PKG, "0-1,4-5" },
	      { 6, PKG, "2-3,6-7" },
	      { 7, PKG, "2-3,6-7" } },
	    0,
	    8,
	    { { 4, 0, 0 },
	      { 5, 0, 0 },
	      { 6, 2, 0 },
	      { 7, 2, 0 },
	      { 0, 0, 0 },
	      { 1, 0, 0 },
	      { 2, 2, 0 },
	      { 3, 2, 0 } },
	},
	{
	    "two nodes of two cpus; caches smaller than the package",
	    "0-3",
	    2,
	    { { 0, PKG, "0-3" },
	      { 1, PKG, "0-3" },
	      { 2, PKG, "0-3" },
	      { 3, PKG, "0-3" },
	      { 0, LEVEL(0), "3" },
	      { 0, SHARED(0), "0-1" },
	      { 1, LEVEL(0), "3" },
	      { 1, SHARED(0), "0-1" },
	      { 2, LEVEL(0), "3" },
	      { 2, SHARED(0), "2-3" },
	      { 3, LEVEL(0), "3" },
	      { 3, SHARED(0), "2-3" } },
	    0,
	    4,
	    { { NONE, 0, 0 }, { NONE, 0, 0 }, { NONE, 2, 1 }, { NONE, 2, 1 } },
	},
	{
	    "nothing but a list of cpus: one cache, no threads, node 0",
	    "0-2",
	    0,
	    { { 0, NULL, NULL } },
	    0,
	    3,
	    { { NONE, 0, 0 }, { NONE, 0, 0 }, { NONE, 0, 0 } },
	},
	{
	    "holes and an offline sibling still in the lists",
	    "1,4-5",
	    0,
	    { { 1, SMT, "0-1" },
	      { 1, PKG, "0-7" },
	      { 4, SMT, "4-5" },
	      { 4, PKG, "0-7" },
	      { 5, SMT, "4-5" },
	      { 5, PKG, "0-7" } },
	    0,
	    6,
	    { { NONE, 0, 0 },
	      { NONE, 1, 0 },
	      { NONE, 2, 0 },
	      { NONE, 3, 0 },
	      { 5, 1, 0 },
	      { 4, 1, 0 } },
	},
	{
	    "four threads a core form a ring",
	    "0-3",
	    0,
	    { { 0, SMT, "0-3" },
	      { 1, SMT, "0-3" },
	      { 2, SMT, "0-3" },
	      { 3, SMT, "0-3" } },
	    0,
	    4,
	    { { 1, 0, 0 }, { 2, 0, 0 }, { 3, 0, 0 }, { 0, 0, 0 } },
	},
	{
	    "files that make no sense say nothing",
	    "0-1",
	    0,
	    { { 0, SMT, "zero" },
	      { 1, SMT, "0" },
	      { 0, LEVEL(0), "many" },
	      { 0, SHARED(0), "0" },
	      { 1, LEVEL(0), "2" },
	      { 1, SHARED(0), "1-" } },
	    0,
	    2,
	    { { NONE, 0, 0 }, { NONE, 0, 0 } },
	},
	{ "no sysfs", NULL, 0, { { 0, NULL, NULL } }, -ENOENT, 0, { { 0 } } },
	{ "no cpu", "", 0, { { 0, NULL, NULL } }, -EINVAL, 0, { { 0 } } },
	{ "too many cpus",
	  "0-512",
	  0,
	  { { 0, NULL, NULL } },
	  -ERANGE,
	  0,
	  { { 0 } } },
	{ "no list", "all", 0, { { 0, NULL, NULL } }, -EINVAL, 0, { { 0 } } },
};

static void check_nodes(const struct topo *t, const struct host *h)
{
	assert_int_equal(t->cpu_cnt, h->cpu_cnt);
	assert_int_equal(t->node_cnt, h->cpus_per_node ? 2 : 1);
	for (unsigned i = 0; i < t->node_cnt; i++)
		for (unsigned j = 0; j < t->node_cnt; j++)
			assert_int_equal(t->distance[i][j], 10 + 2 * i + 3 * j);
}

static void check_host(const struct host *h)
{
	static struct topo t;
	char name[128];

	print_message("%s\n", h->what);
	cpus_per_node = h->cpus_per_node;
	if (h->online)
		put("online", h->online);
	for (const struct file *f = h->file; f->name; f++) {
		snprintf(name, sizeof(name), CPU "%s", f->cpu, f->name);
		put(name, f->text);
	}
	memset(&t, 0xaa, sizeof(t)); /* nothing may be left unset */
	assert_int_equal(topo_read(&t, root), h->err);
	for (unsigned cpu = 0; !h->err && cpu < h->cpu_cnt; cpu++) {
		print_message("  cpu %u\n", cpu);
		assert_int_equal(t.cpu[cpu].sibling, h->cpu[cpu].sibling);
		assert_int_equal(t.cpu[cpu].llc, h->cpu[cpu].llc);
		assert_int_equal(t.cpu[cpu].node, h->cpu[cpu].node);
	}
	if (!h->err)
		check_nodes(&t, h);
	clear_tree();
}

static void test_hosts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		check_host(&hosts[i]);
}

/* The machine the test runs on, whatever it is, must be understood. */
static void test_this_host(void **state)
{
	static struct topo t;

	(void)state;
	cpus_per_node = 0;
	if (access("/sys/devices/system/cpu/online", R_OK))
		skip();
	assert_int_equal(topo_read(&t, "/"), 0);
	assert_int_equal(cpumask_count(&t.online),
			 sysconf(_SC_NPROCESSORS_ONLN));
	cpumask_for_each (cpu, &t.online) {
		assert_true(cpumask_has(&t.online, t.cpu[cpu].llc));
		assert_true(t.cpu[cpu].sibling == CPU_NONE ||
			    t.cpu[t.cpu[cpu].sibling].sibling != CPU_NONE);
	}
}

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	(void)state;
	clear_tree();
	return rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_this_host),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
