/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topo.h - the host's cpus and what they share
 */
#ifndef HOSTD_TOPO_H
#define HOSTD_TOPO_H

#include <stdint.h>

#include "hl/bounds.h"
#include "hl/cpumask.h"

struct topo_cpu {
	uint16_t sibling; /* the next SMT thread of its core; CPU_NONE: none */
	uint16_t llc;	  /* lowest cpu that shares its last-level cache */
	uint16_t node;	  /* NUMA node */
};

struct topo {
	uint16_t cpu_cnt; /* highest online cpu + 1 */
	uint16_t node_cnt;
	uint8_t distance[NODE_MAX][NODE_MAX]; /* node_distance() */
	struct cpumask online;
	struct topo_cpu cpu[CPU_MAX]; /* offline: CPU_NONE, itself, node 0 */
};

/*
 * topo_read() - Ask sysfs and libnuma; start-up
 * @root: "/"; in tests a directory with the part of /sys that is read
 *
 * What the kernel does not tell (virtual machines often show no caches) is
 * filled in: no sibling; the package as last-level cache, else one for the
 * whole host; node 0. Only online cpus count as sharing anything.
 *
 * Return: 0; -ERANGE for a host with a cpu number >= CPU_MAX; or -errno when
 * not even the list of online cpus can be read.
 */
int topo_read(struct topo *t, const char *root);

#endif
