// SPDX-License-Identifier: Apache-2.0
/*
 * test_node.c - what libnuma may say, and where a VM's memory is
 *
 * libnuma is replaced: its answers are a row's. Which pages were asked for is
 * checked against the mappings of a made-up /proc/PID/maps.
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

#define PAGES 256
#define PID   77

/* --- libnuma's stand-in -------------------------------------------------- */
static int available, max_node, cpu_node, distance;

int __wrap_numa_available(void);
int __wrap_numa_max_node(void);
int __wrap_numa_node_of_cpu(int cpu);
int __wrap_numa_distance(int from, int to);
int __wrap_numa_move_pages(int pid, unsigned long cnt, void **page,
			   const int *node, int *status, int flags);

int __wrap_numa_available(void)
{
	return available;
}

int __wrap_numa_max_node(void)
{
	return max_node;
}

int __wrap_numa_node_of_cpu(int cpu)
{
	(void)cpu;
	return cpu_node;
}

int __wrap_numa_distance(int from, int to)
{
	(void)from;
	(void)to;
	return distance;
}

static const struct {
	const char *what;
	int available, max_node, cpu_node, distance;
	unsigned cnt;
	uint16_t of_cpu;
	uint8_t self, other;
} host[] = {
	{ "no NUMA here", -1, 7, 5, 99, 1, 0, 10, 20 },
	{ "two nodes", 0, 1, 1, 32, 2, 1, 32, 32 },
	{ "it does not know", 0, -1, -1, 0, 1, 0, 10, 20 },
	{ "more than there may be", 0, 63, 63, 300, NODE_MAX, 0, 255, 255 },
};

static void test_host(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(host) / sizeof(host[0]); i++) {
		available = host[i].available;
		max_node = host[i].max_node;
		cpu_node = host[i].cpu_node;
		distance = host[i].distance;
		if (node_cnt() != host[i].cnt ||
		    node_of_cpu(3) != host[i].of_cpu ||
		    node_distance(1, 1) != host[i].self ||
		    node_distance(0, 1) != host[i].other)
			fail_msg("%s", host[i].what);
	}
}

/* --- memory -------------------------------------------------------------- */
static char root[] = "/tmp/test_node.XXXXXX";
static uint64_t asked_min, asked_max;
static unsigned low_cnt; /* pages asked for below 4 GB */
static int answer[4];	 /* for page 0, 4, 8, ...; 1, 5, 9, ... */
static int failure;

int __wrap_numa_move_pages(int pid, unsigned long cnt, void **page,
			   const int *node, int *status, int flags)
{
	assert_int_equal(pid, PID);
	assert_int_equal(cnt, PAGES);
	assert_null(node);
	assert_int_equal(flags, 0);
	asked_min = UINT64_MAX;
	asked_max = low_cnt = 0;
	for (unsigned i = 0; i < cnt; i++) {
		uint64_t at = (uintptr_t)page[i];

		assert_int_equal(at % 4096, 0);
		asked_min = at < asked_min ? at : asked_min;
		asked_max = at > asked_max ? at : asked_max;
		low_cnt += at < 1ull << 32;
		status[i] = answer[i % 4];
	}
	errno = failure;
	return failure ? -1 : 0;
}

static void put_maps(const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/%d/maps", root, PID);
	if (!text) {
		unlink(path);
		return;
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

#define SMALL "5000000-5001000 rw-p 00000000 00:00 0 [heap]\n"
#define CODE  "40000000-60000000 r-xp 00000000 fe:00 1 /usr/bin/qemu\n"
#define LOW   "80000000-a0000000 rw-p 00000000 00:00 0 \n"
#define HIGH  "7f0000000000-7f0060000000 rw-s 00000000 00:01 5 /memfd:ram\n"

static const struct {
	const char *what, *maps;
	int answer[4];
	int failure, err;
	uint16_t node;
	uint64_t min, max; /* pages asked for lie here; 0: none are */
	unsigned low_cnt;
} memory[] = {
	{ "all on one node",
	  SMALL CODE LOW,
	  { 1, 1, 1, 1 },
	  0,
	  0,
	  1,
	  0x80000000,
	  0xa0000000,
	  PAGES },
	{ "two mappings, by their size",
	  SMALL LOW CODE HIGH,
	  { 0, 0, 0, 0 },
	  0,
	  0,
	  0,
	  0x80000000,
	  0x7f0060000000,
	  PAGES / 4 },
	{ "three quarters are enough",
	  LOW,
	  { 2, 2, 0, 2 },
	  0,
	  0,
	  2,
	  0x80000000,
	  0xa0000000,
	  PAGES },
	{ "half are not",
	  LOW,
	  { 2, 2, 0, 0 },
	  0,
	  0,
	  NODE_NONE,
	  0x80000000,
	  0xa0000000,
	  PAGES },
	{ "what is not touched does not count",
	  LOW,
	  { -ENOENT, -EFAULT, 3, -ENOENT },
	  0,
	  0,
	  3,
	  0x80000000,
	  0xa0000000,
	  PAGES },
	{ "nothing is touched",
	  LOW,
	  { -ENOENT, -ENOENT, -ENOENT, -ENOENT },
	  0,
	  0,
	  NODE_NONE,
	  0x80000000,
	  0xa0000000,
	  PAGES },
	{ "a node past the last",
	  LOW,
	  { 16, 16, 16, 16 },
	  0,
	  0,
	  NODE_NONE,
	  0x80000000,
	  0xa0000000,
	  PAGES },
	{ "no large mapping",
	  SMALL CODE,
	  { 1, 1, 1, 1 },
	  0,
	  0,
	  NODE_NONE,
	  0,
	  0,
	  0 },
	{ "text that is none",
	  "a-b\n80000000 rw-p\n\n",
	  { 1, 1, 1, 1 },
	  0,
	  0,
	  NODE_NONE,
	  0,
	  0,
	  0 },
	{ "the kernel refuses",
	  LOW,
	  { 1, 1, 1, 1 },
	  EPERM,
	  -EPERM,
	  NODE_NONE,
	  0x80000000,
	  0xa0000000,
	  PAGES },
	{ "the process is gone",
	  NULL,
	  { 1, 1, 1, 1 },
	  0,
	  -ENOENT,
	  NODE_NONE,
	  0,
	  0,
	  0 },
};

static void test_memory(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
		uint16_t node = 99;
		int err;

		put_maps(memory[i].maps);
		memcpy(answer, memory[i].answer, sizeof(answer));
		failure = memory[i].failure;
		asked_min = UINT64_MAX;
		asked_max = low_cnt = 0;
		err = node_of_process(root, PID, &node);
		if (err != memory[i].err || node != memory[i].node)
			fail_msg("%s: %d, node %u", memory[i].what, err, node);
		if (asked_max >= memory[i].max + !memory[i].max ||
		    asked_min < memory[i].min)
			fail_msg("%s: other pages", memory[i].what);
		if (low_cnt != memory[i].low_cnt)
			fail_msg("%s: %u low pages", memory[i].what, low_cnt);
	}
}

/* Of more mappings than are kept, the largest are. */
static void test_many_mappings(void **unused)
{
	static char text[16384];
	uint16_t node;
	size_t n = 0;

	(void)unused;
	for (unsigned i = 0; i < 100; i++)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "%x-%x rw-p 0 00:00 0\n",
		    0x10000000 + i * 0x2000000, 0x11000000 + i * 0x2000000);
	snprintf(text + n, sizeof(text) - n, HIGH);
	put_maps(text);
	memset(answer, 0, sizeof(answer));
	failure = 0;
	assert_int_equal(node_of_process(root, PID, &node), 0);
	assert_int_equal(node, 0);
	assert_in_range(asked_max, 0x7f0000000000, 0x7f0060000000);
	/* 63 of 16 MB below, 1.5 GB above */
	assert_in_range(low_cnt, PAGES * 63 * 16 / (63 * 16 + 1536) - 1,
			PAGES * 63 * 16 / (63 * 16 + 1536) + 1);
	put_maps(NULL);
}

static int make_root(void **state)
{
	char path[64];

	(void)state;
	if (!mkdtemp(root))
		return -1;
	snprintf(path, sizeof(path), "%s/proc", root);
	if (mkdir(path, 0700))
		return -1;
	snprintf(path, sizeof(path), "%s/proc/%d", root, PID);
	return mkdir(path, 0700);
}

static int remove_root(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_many_mappings),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
