// SPDX-License-Identifier: Apache-2.0
/*
 * topo.c - the host's cpus and what they share, from sysfs and node.h
 *
 * Read once, at start-up. ROOT is sys/devices/system/cpu in the root given:
 *	ROOT/online					who is there
 *	ROOT/cpuN/topology/thread_siblings_list		N's core
 *	ROOT/cpuN/cache/indexI/{level,shared_cpu_list}	N's caches
 *	ROOT/cpuN/topology/core_siblings_list		N's package
 * Numbers may have holes and cpus may be offline; nothing is derived from the
 * numbers themselves.
 */
#include "topo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cpulist.h"
#include "node.h"

#define INDEX_MAX 16 /* cache/indexI; machines have 3 to 5 */

/* One line of a file below @root. Return: 0 or -errno. */
static int read_line(const char *root, const char *name, char *text,
		     size_t size)
{
	char path[512];
	ssize_t got;
	int fd, err;

	snprintf(path, sizeof(path), "%s/sys/devices/system/cpu/%s", root,
		 name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = read(fd, text, size - 1);
	err = got < 0 ? -errno : 0;
	close(fd);
	text[got < 0 ? 0 : got] = '\0';
	return err;
}

static int read_cpus(const char *root, const char *name, struct cpumask *m)
{
	char text[4096];
	int err = read_line(root, name, text, sizeof(text));

	return err ? err : cpulist_parse(text, m);
}

/* cpus_with() - Online cpus a file of @cpu lists. Return: false when it says
 * nothing of use: no file, bad text, or @cpu itself is not among them. */
static bool cpus_with(const struct topo *t, const char *root, unsigned cpu,
		      const char *file, struct cpumask *m)
{
	char name[96];

	snprintf(name, sizeof(name), "cpu%u/%s", cpu, file);
	if (read_cpus(root, name, m))
		return false;
	*m = cpumask_and(*m, &t->online);
	return cpumask_has(m, cpu);
}

/* The next thread of the core, the first after the last: pairs name each
 * other, wider cores form a ring. */
static uint16_t find_sibling(const struct topo *t, const char *root,
			     unsigned cpu)
{
	struct cpumask m;
	unsigned next;

	if (!cpus_with(t, root, cpu, "topology/thread_siblings_list", &m))
		return CPU_NONE;
	next = cpumask_next(&m, cpu + 1);
	if (next == CPU_NONE)
		next = cpumask_next(&m, 0);
	return next == cpu ? CPU_NONE : (uint16_t)next;
}

/* The lowest cpu that shares the cache of the highest level. */
static uint16_t find_llc(const struct topo *t, const char *root, unsigned cpu)
{
	long level, top = 0;
	struct cpumask m;
	unsigned first = cpumask_next(&t->online, 0);

	if (cpus_with(t, root, cpu, "topology/core_siblings_list", &m))
		first = cpumask_next(&m, 0);
	for (unsigned i = 0; i < INDEX_MAX; i++) {
		char name[96], text[32];

		snprintf(name, sizeof(name), "cpu%u/cache/index%u/level", cpu,
			 i);
		if (read_line(root, name, text, sizeof(text)))
			break;
		level = strtol(text, NULL, 10);
		snprintf(name, sizeof(name), "cache/index%u/shared_cpu_list",
			 i);
		if (level <= top || !cpus_with(t, root, cpu, name, &m))
			continue;
		top = level;
		first = cpumask_next(&m, 0);
	}
	return (uint16_t)first;
}

static void read_nodes(struct topo *t)
{
	t->node_cnt = (uint16_t)node_cnt();
	for (unsigned i = 0; i < t->node_cnt; i++)
		for (unsigned j = 0; j < t->node_cnt; j++)
			t->distance[i][j] = node_distance(i, j);
}

int topo_read(struct topo *t, const char *root)
{
	int err = read_cpus(root, "online", &t->online);

	if (err)
		return err;
	if (cpumask_empty(&t->online))
		return -EINVAL;
	read_nodes(t);
	t->cpu_cnt = 0;
	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++)
		t->cpu[cpu] = (struct topo_cpu){ .sibling = CPU_NONE,
						 .llc = (uint16_t)cpu };
	cpumask_for_each (cpu, &t->online) {
		t->cpu_cnt = (uint16_t)(cpu + 1);
		t->cpu[cpu].sibling = find_sibling(t, root, cpu);
		t->cpu[cpu].llc = find_llc(t, root, cpu);
		t->cpu[cpu].node = node_of_cpu(cpu);
	}
	return 0;
}
