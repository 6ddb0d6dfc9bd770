// SPDX-License-Identifier: Apache-2.0
/*
 * node.c - NUMA nodes of this host: how far apart, and whose memory is where
 *
 * The one door to libnuma. Guest memory is what a QEMU process has in large
 * mappings: on hugepages, in a memfd or plain. Its size varies by VM, the
 * number of pages asked for does not.
 */
#include "node.h"

#include <errno.h>
#include <numa.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AREAS_MAX 64	     /* mappings; of more, the largest */
#define AREA_MIN  (16 << 20) /* smaller ones are not guest memory */
#define PAGES	  256	     /* sampled */
#define PAGES_MIN 8	     /* touched ones, to say anything */
#define PAGE	  4096ull

struct area {
	uint64_t begin, bytes;
};

/* In another process. */
union page {
	uintptr_t at;
	void *ptr;
};

unsigned node_cnt(void)
{
	int max = numa_available() < 0 ? 0 : numa_max_node();

	if (max < 0)
		return 1;
	return max < NODE_MAX ? (unsigned)max + 1 : NODE_MAX;
}

uint16_t node_of_cpu(unsigned cpu)
{
	int node = numa_available() < 0 ? 0 : numa_node_of_cpu((int)cpu);

	return node < 0 || node >= NODE_MAX ? 0 : (uint16_t)node;
}

uint8_t node_distance(unsigned from, unsigned to)
{
	int d = numa_available() < 0 ? 0 : numa_distance((int)from, (int)to);

	if (d <= 0)
		return from == to ? 10 : 20;
	return d > UINT8_MAX ? UINT8_MAX : (uint8_t)d;
}

/* Room for an area of @bytes: a free place, or that of the smallest one. */
static struct area *place(struct area *area, unsigned *cnt, uint64_t bytes)
{
	struct area *least = area;

	if (*cnt < AREAS_MAX)
		return &area[(*cnt)++];
	for (unsigned i = 1; i < AREAS_MAX; i++)
		if (area[i].bytes < least->bytes)
			least = &area[i];
	return least->bytes < bytes ? least : NULL;
}

/* "BEGIN-END MODE ...", a line of /proc/PID/maps. Return: false when it is no
 * large writable mapping. */
static bool parse_area(const char *line, struct area *a)
{
	char *at;
	uint64_t end;

	a->begin = strtoull(line, &at, 16);
	if (*at != '-')
		return false;
	end = strtoull(at + 1, &at, 16);
	a->bytes = end - a->begin;
	return at[0] == ' ' && at[1] == 'r' && at[2] == 'w' && end > a->begin &&
	       a->bytes >= AREA_MIN;
}

/* Return: how many areas, or -errno. */
static int read_areas(const char *root, pid_t pid, struct area *area)
{
	char path[256], line[512];
	struct area found, *a;
	unsigned cnt = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/%d/maps", root, pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (!parse_area(line, &found))
			continue;
		a = place(area, &cnt, found.bytes);
		if (a)
			*a = found;
	}
	fclose(f);
	return (int)cnt;
}

/* PAGES addresses, evenly over all areas. */
static void choose(const struct area *area, unsigned cnt, union page *page)
{
	uint64_t total = 0, step, at, before = 0;
	unsigned a = 0;

	for (unsigned i = 0; i < cnt; i++)
		total += area[i].bytes;
	step = total / PAGES;
	for (unsigned i = 0; i < PAGES; i++) {
		at = step * i + step / 2;
		while (a + 1 < cnt && at - before >= area[a].bytes)
			before += area[a++].bytes;
		page[i].at = (area[a].begin + (at - before)) & ~(PAGE - 1);
	}
}

/* The node most pages are on, if it is most enough. */
static uint16_t vote(const int *status)
{
	unsigned on[NODE_MAX] = { 0 }, there = 0, best = 0;

	for (unsigned i = 0; i < PAGES; i++) {
		if (status[i] < 0 || status[i] >= NODE_MAX)
			continue; /* not touched yet, or no such node */
		on[status[i]]++;
		there++;
	}
	for (unsigned n = 1; n < NODE_MAX; n++)
		if (on[n] > on[best])
			best = n;
	if (there < PAGES_MIN || on[best] * 4 < there * 3)
		return NODE_NONE;
	return (uint16_t)best;
}

int node_of_process(const char *root, pid_t pid, uint16_t *node)
{
	struct area area[AREAS_MAX] = { 0 };
	union page page[PAGES];
	int status[PAGES], cnt;

	*node = NODE_NONE;
	cnt = read_areas(root, pid, area);
	if (cnt <= 0)
		return cnt;
	choose(area, (unsigned)cnt, page);
	memset(status, 0xff, sizeof(status));
	if (numa_move_pages(pid, PAGES, &page[0].ptr, NULL, status, 0) < 0)
		return -errno;
	*node = vote(status);
	return 0;
}
