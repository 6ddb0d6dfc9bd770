// SPDX-License-Identifier: Apache-2.0
/*
 * test_meters.c - rates, nodes and homes, from a script to a snapshot
 *
 * The meter is a script, time an argument; node.c is replaced.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hl/clock.h"
#include "meters.h"
#include "node.h"
#include "policy/snapshot.h"
#include "stat.h"

#define MS 1000000ull
#define MB 1000000ull
#define S  1000000000ull

static char path[] = "/tmp/test_meters.XXXXXX";
static char name[64];
static struct topo topo;
static struct meters *m;
static struct snapshot snap;
static struct act_vm vm;
static const struct meters_set fast = { .acts = true,
					.node_max_bytes_s = 500 * MB };
static const struct meters_set slow = { .acts = false };

/* --- node.c's stand-in --------------------------------------------------- */
static uint16_t home;
static int home_err;
static unsigned asked;
static void (*meanwhile)(void); /* what others do while it looks */

int node_of_process(const char *root, pid_t pid, uint16_t *node)
{
	assert_string_equal(root, "/nowhere");
	assert_int_equal(pid, 4000 + vm.vm);
	asked++;
	if (meanwhile)
		meanwhile();
	*node = home;
	return home_err;
}

/* ------------------------------------------------------------------------- */

static void begin(const char *script, unsigned nodes)
{
	const struct meter_conf c = { .root = "/nowhere", .topo = &topo };
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(script, f);
	assert_int_equal(fclose(f), 0);
	topo.node_cnt = (uint16_t)nodes;
	memset(&snap, 0, sizeof(snap));
	memset(&stat_hostd, 0, sizeof(stat_hostd));
	snap.vm_cnt = 10;
	snap.node_cnt = (uint16_t)nodes;
	for (unsigned i = 0; i < 10; i++)
		snap.vm[i].present = true;
	snap.node[1].distance[0] = 21; /* not the meters' business */
	home = NODE_NONE;
	home_err = 0;
	asked = 0;
	meanwhile = NULL;
	snprintf(name, sizeof(name), "script:%s", path);
	assert_int_equal(meters_open(&m, name, &c), 0);
	meters_set(m, &fast);
	assert_string_equal(stat_hostd.meter, "script");
}

static void runs(uint16_t slot, const char *vm_name)
{
	memset(&vm, 0, sizeof(vm));
	vm.vm = slot;
	vm.vcpu_cnt = 1;
	vm.pid = 4000 + slot;
	snprintf(vm.name, sizeof(vm.name), "%s", vm_name);
	meters_vm(m, &vm);
}

/* Show the board. Return: which of the first VMs were marked, as bits. */
static unsigned shown(void)
{
	unsigned marked = 0;

	meter_board_show(meters_board(m), &snap);
	snapshot_list(&snap);
	for (unsigned i = 0; i < snap.changed_cnt; i++)
		marked |= 1u << snap.changed[i];
	return marked;
}

static void test_rates(void **unused)
{
	uint64_t now_ns = 50 * S;

	(void)unused;
	begin(
	    "vm a 400\nvm b 30\nnode 0 450\nat 1000ms\nvm a 420\nnode 0 600\n",
	    1);
	runs(2, "a");
	runs(3, "b");
	(void)meters_turn(m, now_ns);
	shown();
	assert_false(snap.node[0].metered);
	assert_int_equal(snap.vm[2].mem_bytes_s, 0);

	/* the average since the reading before, with the limit */
	(void)meters_turn(m, now_ns + 500 * MS);
	assert_int_equal(shown(), 1 << 2 | 1 << 3);
	assert_int_equal(snap.vm[2].mem_bytes_s, 400 * MB);
	assert_int_equal(snap.vm[3].mem_bytes_s, 30 * MB);
	assert_true(snap.node[0].metered);
	assert_int_equal(snap.node[0].since_ns, now_ns);
	assert_int_equal(snap.node[0].mem_bytes_s, 450 * MB);
	assert_int_equal(snap.node[0].mem_max_bytes_s, 500 * MB);
	assert_int_equal(snap.node[1].distance[0], 21);

	/* a twentieth more is no news of a VM; a node is always told */
	(void)meters_turn(m, now_ns + 1500 * MS);
	assert_int_equal(shown(), 0);
	assert_int_equal(snap.node[0].mem_bytes_s, 525 * MB);
	assert_int_equal(snap.node[0].since_ns, now_ns + 500 * MS);

	/* nobody is metered any more */
	meters_gone(m, 3);
	assert_int_equal(shown(), 1 << 3);
	assert_int_equal(snap.vm[3].mem_bytes_s, 0);
	meters_set(m, &(struct meters_set){ .acts = true });
	(void)meters_turn(m, now_ns + 2000 * MS);
	shown();
	assert_int_equal(snap.node[0].mem_max_bytes_s, 0);
	meters_close(m);
}

/* Readings are as far apart as the policy needs, and cost allows. */
static void test_pace(void **unused)
{
	uint64_t now_ns = clock_now_ns(), next_ns;

	(void)unused;
	begin("vm a 400\n", 1);
	runs(2, "a");
	next_ns = meters_turn(m, now_ns);
	assert_in_range(next_ns, now_ns + METERS_FAST_NS, now_ns + 900 * MS);
	meters_set(m, &slow);
	next_ns = meters_turn(m, now_ns);
	assert_in_range(next_ns, now_ns + METERS_NODE_FIRST_NS,
			now_ns + METERS_SLOW_NS + 900 * MS);
	meters_close(m);
}

/* A script that says nothing of nodes: a node bears what its VMs move. */
static void test_nodes_by_vms(void **unused)
{
	uint64_t now_ns = clock_now_ns();

	(void)unused;
	begin("vm a 400\nvm b 30\nvm c 5\n", 2);
	home = 1;
	runs(2, "a");
	(void)meters_turn(m, now_ns + 5 * S);
	home = 0;
	runs(3, "b");
	(void)meters_turn(m, now_ns + 6 * S);
	home = NODE_NONE;
	runs(4, "c");
	(void)meters_turn(m, now_ns + 7 * S);
	(void)meters_turn(m, now_ns + 8 * S);
	shown();
	assert_int_equal(snap.vm[2].node, 1);
	assert_int_equal(snap.vm[3].node, 0);
	assert_int_equal(snap.node[0].mem_bytes_s / MB, 30);
	assert_int_equal(snap.node[1].mem_bytes_s / MB, 400);
	assert_true(snap.node[0].metered && snap.node[1].metered);
	meters_close(m);
}

/* A VM's memory is looked for after a while, and then now and then. */
static void test_homes(void **unused)
{
	uint64_t now_ns = clock_now_ns() + METERS_NODE_FIRST_NS;

	(void)unused;
	begin("", 2);
	runs(2, "a");
	now_ns += S; /* the VM has come meanwhile */
	(void)meters_turn(m, now_ns - 2 * S);
	assert_int_equal(asked, 0);
	home = 1;
	(void)meters_turn(m, now_ns);
	assert_int_equal(asked, 1);
	shown();
	assert_int_equal(snap.vm[2].node, 1);
	home = 0;
	(void)meters_turn(m, now_ns + METERS_NODE_NS - 1);
	assert_int_equal(asked, 1);
	(void)meters_turn(m, now_ns + METERS_NODE_NS);
	assert_int_equal(asked, 2);
	assert_int_equal(shown(), 1 << 2);
	assert_int_equal(snap.vm[2].node, 0);
	/* it cannot be asked: what was known stands */
	home = NODE_NONE;
	home_err = -ESRCH;
	(void)meters_turn(m, now_ns + 2 * METERS_NODE_NS);
	assert_int_equal(asked, 3);
	assert_int_equal(shown(), 0);
	assert_int_equal(snap.vm[2].node, 0);
	meters_gone(m, 2);
	shown();
	assert_int_equal(snap.vm[2].node, NODE_NONE);
	meters_close(m);
}

static void goes(void)
{
	meters_gone(m, 2);
}

static void another_comes(void)
{
	vm.pid++; /* in the same slot */
	meters_vm(m, &vm);
	vm.pid--;
}

/* A look may take long: nobody waits for it, and who has gone meanwhile, or is
 * another one, is not told of. */
static void test_gone_meanwhile(void **unused)
{
	static void (*const what[])(void) = { goes, another_comes };
	uint64_t now_ns;

	(void)unused;
	for (unsigned i = 0; i < 2; i++) {
		now_ns = clock_now_ns() + METERS_NODE_FIRST_NS + S;
		begin("", 2);
		runs(2, "a");
		home = 1;
		meanwhile = what[i];
		(void)meters_turn(m, now_ns);
		assert_int_equal(asked, 1);
		shown();
		assert_int_not_equal(snap.vm[2].node, 1);
		meters_close(m);
	}
}

/* One node: no need to look. */
static void test_one_node(void **unused)
{
	uint64_t now_ns = clock_now_ns() + 2 * METERS_NODE_FIRST_NS;

	(void)unused;
	begin("", 1);
	runs(2, "a");
	(void)meters_turn(m, now_ns);
	shown();
	assert_int_equal(asked, 0);
	assert_int_equal(snap.vm[2].node, 0);
	meters_close(m);
}

/* One that is not there, and none wanted. */
static void test_no_meter(void **unused)
{
	const struct meter_conf c = { .root = "/nowhere", .topo = &topo };

	(void)unused;
	topo.node_cnt = 1;
	unlink(path);
	begin("vm a 400\n", 1);
	(void)meters_turn(m, S);
	(void)meters_turn(m, 2 * S);
	meters_close(m);
	assert_string_equal(stat_hostd.meter, "none");

	assert_int_equal(meters_open(&m, "script:/nowhere/x", &c), 0);
	meters_set(m, &fast);
	assert_string_equal(stat_hostd.meter,
			    "script: No such file or directory");
	runs(2, "a");
	(void)meters_turn(m, S);
	meters_close(m);

	/* auto: only while a policy acts on it */
	assert_int_equal(meters_open(&m, "auto", &c), 0);
	meters_set(m, &slow);
	assert_string_equal(stat_hostd.meter, "none");
	meters_close(m);
	meters_vm(NULL, &vm);
	meters_gone(NULL, 3);
}

/* The thread itself: what it reads arrives, and it ends when told. */
static void test_thread(void **unused)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	(void)unused;
	begin("vm a 400\nnode 0 450\n", 1);
	runs(2, "a");
	assert_int_equal(meters_start(m), 0);
	for (unsigned i = 0; i < 5000 && !snap.vm[2].mem_bytes_s; i++) {
		nanosleep(&pause, NULL);
		shown();
	}
	assert_in_range(snap.vm[2].mem_bytes_s, 399 * MB, 401 * MB);
	meters_gone(m, 2);
	shown();
	assert_int_equal(snap.vm[2].mem_bytes_s, 0);
	meters_close(m);
}

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_nodes_by_vms),
		cmocka_unit_test(test_homes),
		cmocka_unit_test(test_gone_meanwhile),
		cmocka_unit_test(test_one_node),
		cmocka_unit_test(test_no_meter),
		cmocka_unit_test(test_thread),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
