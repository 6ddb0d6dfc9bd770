/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eal.h - DPDK started and stopped; packet memory
 */
#ifndef VHOST_EAL_H
#define VHOST_EAL_H

#include <stdbool.h>
#include <stdint.h>

struct rte_mempool;

struct eal_conf {
	const char *prefix;    /* names DPDK's run directory, "heighliner" */
	uint16_t main_cpu;     /* EAL pins its caller there; undone on return */
	bool hugepages;	       /* false: ordinary memory */
	uint32_t mbufs;	       /* frames of packet memory */
	const char *log_level; /* NULL: DPDK's warnings and errors only */
	bool telemetry;	       /* serve DPDK's telemetry socket */
};

/*
 * eal_start() - Start DPDK once in this process; control thread
 * The caller's affinity is as before on return. Return: 0 or -errno.
 */
int eal_start(const struct eal_conf *conf);

void eal_stop(void);

/* eal_pool() - Packet memory, after eal_start(). */
struct rte_mempool *eal_pool(void);

/*
 * eal_telemetry_path() - Where DPDK serves its telemetry (SOCK_SEQPACKET)
 *
 * For root always /run/dpdk/PREFIX/dpdk_telemetry.v2; others as DPDK decides:
 * $RUNTIME_DIRECTORY, else $XDG_RUNTIME_DIR, else /tmp, each with
 * /dpdk/PREFIX/dpdk_telemetry.v2 behind it. Return: NULL without telemetry.
 */
const char *eal_telemetry_path(void);

/* eal_thread_enter() - Make the calling thread known to DPDK (mbuf caches). */
int eal_thread_enter(void);
void eal_thread_leave(void);

#endif
