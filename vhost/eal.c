/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eal.c - DPDK started and stopped; packet memory
 *
 * hostd uses DPDK as a library: one lcore, no other process attaches, nothing
 * is probed at start (an uplink is plugged later by name). So nothing is
 * shared or left in files, and there is an allow list with one address that no
 * device has: DPDK's PCI bus then takes nothing by itself, while a later
 * "pci:" uplink still works.
 *
 * Telemetry: DPDK puts its socket under $RUNTIME_DIRECTORY/dpdk/PREFIX, else
 * for root /var/run/dpdk/PREFIX, shared files or not. A service manager may
 * set RUNTIME_DIRECTORY, and then hostctl, started from a shell, would look
 * elsewhere: for root the variable is fixed to /run while DPDK starts.
 */
#include "vhost/eal.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#define ARGS_MAX  20
#define ARG_BYTES 96
/* A mempool's per-thread stock of free frames. */
#define POOL_CACHE 256
/* A frame's memory: data, struct rte_mbuf, mempool header and alignment. */
#define FRAME_BYTES (RTE_MBUF_DEFAULT_BUF_SIZE + 256)
/* Ordinary memory for all else: rings and tables of VM_MAX vhost devices. It
 * is reserved address space until it is touched. */
#define OTHER_MBYTES 512

struct args {
	int num;
	char *argv[ARGS_MAX + 1];
	char text[ARGS_MAX][ARG_BYTES];
};

static struct rte_mempool *pool;
static char telemetry_path[108]; /* as long as a sockaddr_un takes */

static void __attribute__((format(printf, 2, 3)))
args_add(struct args *a, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(a->text[a->num], ARG_BYTES, format, list);
	va_end(list);
	a->argv[a->num] = a->text[a->num];
	a->num++;
}

static void args_make(struct args *a, const struct eal_conf *conf)
{
	args_add(a, "hostd");
	args_add(a, "--lcores=0@%u", conf->main_cpu);
	args_add(a, "--file-prefix=%s", conf->prefix);
	args_add(a, "--allow=0000:00:00.0");
	args_add(a, "--log-level=%s",
		 conf->log_level ? conf->log_level : "warning");
	/* It warns that nothing uses its older protocol. */
	args_add(a, "--log-level=lib.telemetry:error");
	/* It warns when it finds no free signal, which is what we want: see
	 * signals_hide() in port_uplink.c. */
	args_add(a, "--log-level=pmd.net.tap:critical");
	if (!conf->telemetry)
		args_add(a, "--no-telemetry");
	if (conf->hugepages) {
		args_add(a, "--in-memory");
		return;
	}
	/* Excludes --in-memory, of which this is the part that remains. */
	args_add(a, "--no-huge");
	args_add(a, "--no-shconf");
	args_add(a, "-m");
	args_add(a, "%u",
		 (unsigned)((uint64_t)conf->mbufs * FRAME_BYTES >> 20) +
		     OTHER_MBYTES);
}

/* Start DPDK with its runtime directory where hostctl looks for it. */
static int init_in_run(struct args *a)
{
	const char *env = getenv("RUNTIME_DIRECTORY");
	char *before = env ? strdup(env) : NULL;
	int ret;

	if (env && !before)
		return -ENOMEM;
	if (geteuid() == 0)
		setenv("RUNTIME_DIRECTORY", "/run", 1);
	ret = rte_eal_init(a->num, a->argv);
	if (before)
		setenv("RUNTIME_DIRECTORY", before, 1);
	else
		unsetenv("RUNTIME_DIRECTORY");
	free(before);
	if (ret >= 0)
		return 0;
	return rte_errno > 0 ? -rte_errno : -EIO;
}

int eal_start(const struct eal_conf *conf)
{
	struct args args = { 0 };
	cpu_set_t before;
	int err;

	if (sched_getaffinity(0, sizeof(before), &before))
		return -errno;
	args_make(&args, conf);
	err = init_in_run(&args);
	/* rte_eal_init() pinned this thread to the lcore's cpu. */
	if (sched_setaffinity(0, sizeof(before), &before) && !err)
		err = -errno;
	if (err)
		return err;
	pool =
	    rte_pktmbuf_pool_create("frames", conf->mbufs, POOL_CACHE, 0,
				    RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!pool) {
		err = rte_errno > 0 ? -rte_errno : -ENOMEM;
		rte_eal_cleanup();
		return err;
	}
	if (conf->telemetry)
		snprintf(telemetry_path, sizeof(telemetry_path),
			 "%s/dpdk_telemetry.v2", rte_eal_get_runtime_dir());
	return 0;
}

void eal_stop(void)
{
	rte_mempool_free(pool);
	pool = NULL;
	telemetry_path[0] = '\0';
	rte_eal_cleanup();
	/* DPDK leaves it behind; with telemetry its socket is there to the
	 * very end, and so is the directory. */
	rmdir(rte_eal_get_runtime_dir());
}

struct rte_mempool *eal_pool(void)
{
	return pool;
}

const char *eal_telemetry_path(void)
{
	return telemetry_path[0] ? telemetry_path : NULL;
}

int eal_thread_enter(void)
{
	if (rte_thread_register() == 0)
		return 0;
	return rte_errno > 0 ? -rte_errno : -ENOMEM;
}

void eal_thread_leave(void)
{
	rte_thread_unregister();
}
