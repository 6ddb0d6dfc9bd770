/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h - NUMA nodes of this host: how far apart, and whose memory is where
 */
#ifndef HOSTD_NODE_H
#define HOSTD_NODE_H

#include <stdint.h>
#include <sys/types.h>

#include "hl/bounds.h"

/* node_cnt() - Highest node + 1, NODE_MAX at most; 1 on a host without NUMA. */
unsigned node_cnt(void);

/* node_of_cpu() - Return: its node; 0 when that is not known. */
uint16_t node_of_cpu(unsigned cpu);

/* node_distance() - As the firmware says: 10 is a node itself, 20 another one
 * that takes twice as long. 10 and 20 too where it says nothing. */
uint8_t node_distance(unsigned from, unsigned to);

/*
 * node_of_process() - On which node is a VM's memory?
 * @root: "/"; in tests a directory with proc/PID/maps
 * @node: out: a node, or NODE_NONE: hardly any memory is touched yet, or no
 *	  node has three quarters of it
 *
 * Pages are taken evenly from the large writable mappings, and the kernel is
 * asked where they are (move_pages(2), which moves none): some hundred
 * microseconds, however large the VM. /proc/PID/numa_maps would say it of every
 * page, and hold up the VM's page faults meanwhile. Blocks: not the poll
 * thread.
 * Return: 0 or -errno.
 */
int node_of_process(const char *root, pid_t pid, uint16_t *node);

#endif
