/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_uplink.c - the way out: any DPDK ethdev
 *
 * The device is plugged into a running DPDK, started with one queue each way,
 * and driven in one of two ways:
 *
 *	direct	the poll thread calls the driver's burst functions, which only
 *		touch memory and registers. It sleeps with the device's receive
 *		interrupt; a device without one keeps it awake.
 *	relayed	drivers that make system calls in every burst get a thread of
 *		their own (port_relay.h).
 *
 * net_tap asks the kernel for a signal with every frame that comes, which any
 * thread of the process may have to take, the poll thread too; and should
 * signals queue up, for SIGIO, which kills. It goes without when it finds no
 * free signal, and then simply reads: so it finds none, see signals_hide().
 */
#include "vhost/port_uplink.h"

#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_ethdev.h>

#include "vhost/eal.h"
#include "vhost/port_relay.h"

#define RING_FRAMES	1024
#define DEVICE_NAME_MAX 64

struct uplink {
	struct port port; /* direct only */
	uint16_t eth;
	int fd; /* receive interrupt, -1: none */
	const char *bus;
	char device[DEVICE_NAME_MAX];
};

/* Drivers that make system calls; only net_tap has a file to wait on. */
static const struct {
	const char *driver;
	bool has_fd;
} relayed[] = {
	{ "net_tap", true },
	{ "net_af_packet", false },
	{ "net_af_xdp", false },
	{ "net_pcap", false },
};

/* --- direct: poll thread ------------------------------------------------- */

static struct uplink *to_uplink(struct port *p)
{
	return (struct uplink *)p;
}

static unsigned eth_pull(struct port *p, struct rte_mbuf **frames, unsigned max)
{
	return rte_eth_rx_burst(to_uplink(p)->eth, 0, frames, (uint16_t)max);
}

static unsigned eth_push(struct port *p, struct rte_mbuf **frames, unsigned n,
			 uint64_t since_ns)
{
	(void)since_ns;
	return rte_eth_tx_burst(to_uplink(p)->eth, 0, frames, (uint16_t)n);
}

static bool eth_arm(struct port *p, bool on)
{
	struct uplink *u = to_uplink(p);

	if (u->fd < 0)
		return on; /* nothing would wake us */
	if (!on) {
		rte_eth_dev_rx_intr_disable(u->eth, 0);
		return false;
	}
	rte_eth_dev_rx_intr_enable(u->eth, 0);
	return rte_eth_rx_queue_count(u->eth, 0) > 0;
}

static int eth_fd(struct port *p)
{
	return to_uplink(p)->fd;
}

/* --- relayed: relay thread ----------------------------------------------- */

static unsigned dev_receive(void *dev, struct rte_mbuf **frames, unsigned max)
{
	return eth_pull(dev, frames, max);
}

static unsigned dev_send(void *dev, struct rte_mbuf **frames, unsigned n)
{
	return eth_push(dev, frames, n, 0);
}

/* --- control thread ------------------------------------------------------ */

static void uplink_free(struct uplink *u)
{
	rte_eth_dev_stop(u->eth);
	rte_eth_dev_close(u->eth);
	rte_eal_hotplug_remove(u->bus, u->device);
	free(u);
}

static void dev_close(void *dev)
{
	uplink_free(dev);
}

static void eth_close(struct port *p)
{
	uplink_free(to_uplink(p));
}

static const struct port_ops eth_ops = {
	.kind = "ethdev",
	.pull = eth_pull,
	.push = eth_push,
	.arm = eth_arm,
	.fd = eth_fd,
	.close = eth_close,
};

/* Split "tap:NAME", "pci:ADDRESS" or "vdev:DRIVER,ARGS". */
static int spec_parse(struct uplink *u, const char *spec, char *args,
		      size_t size)
{
	const char *rest = strchr(spec, ':');
	size_t kind_len = rest ? (size_t)(rest - spec) : 0;
	int len, args_len = 0;

	if (!rest || !rest[1])
		return -EINVAL;
	rest++;
	u->bus = "vdev";
	args[0] = '\0';
	if (kind_len == 3 && !strncmp(spec, "tap", 3)) {
		if (strlen(rest) >= IFNAMSIZ || strpbrk(rest, "/,= "))
			return -EINVAL;
		len =
		    snprintf(u->device, sizeof(u->device), "net_tap_%s", rest);
		args_len = snprintf(args, size, "iface=%s", rest);
	} else if (kind_len == 3 && !strncmp(spec, "pci", 3)) {
		u->bus = "pci";
		len = snprintf(u->device, sizeof(u->device), "%s", rest);
	} else if (kind_len == 4 && !strncmp(spec, "vdev", 4)) {
		size_t name_len = strcspn(rest, ",");

		len = snprintf(u->device, sizeof(u->device), "%.*s",
			       (int)name_len, rest);
		if (rest[name_len])
			args_len =
			    snprintf(args, size, "%s", rest + name_len + 1);
	} else {
		return -EINVAL;
	}
	if (len >= (int)sizeof(u->device) || args_len >= (int)size)
		return -ENAMETOOLONG;
	return 0;
}

/* Take the signals nobody uses away for a while; @hidden says which. */
static void signals_hide(sigset_t *hidden)
{
	struct sigaction sa;

	sigemptyset(hidden);
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++) {
		if (sigaction(signo, NULL, &sa) || sa.sa_handler != SIG_DFL)
			continue;
		signal(signo, SIG_IGN);
		sigaddset(hidden, signo);
	}
}

static void signals_show(const sigset_t *hidden)
{
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		if (sigismember(hidden, signo) == 1)
			signal(signo, SIG_DFL);
}

/* One queue each way. @intr: with a receive interrupt. */
static int eth_start(uint16_t eth, const struct rte_eth_dev_info *info,
		     bool intr)
{
	struct rte_eth_conf conf = { .intr_conf.rxq = intr };
	uint16_t rx = RING_FRAMES, tx = RING_FRAMES;
	int socket = rte_eth_dev_socket_id(eth), err;

	/* A guest's frame can be a chain of buffers. */
	conf.txmode.offloads =
	    info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	err = rte_eth_dev_configure(eth, 1, 1, &conf);
	if (!err)
		err = rte_eth_dev_adjust_nb_rx_tx_desc(eth, &rx, &tx);
	if (!err)
		err = rte_eth_rx_queue_setup(eth, 0, rx, (unsigned)socket, NULL,
					     eal_pool());
	if (!err)
		err =
		    rte_eth_tx_queue_setup(eth, 0, tx, (unsigned)socket, NULL);
	if (!err)
		err = rte_eth_dev_start(eth);
	if (err)
		return err;
	/* Not every driver has a switch for it: then it sees all or nothing. */
	rte_eth_promiscuous_enable(eth);
	return 0;
}

/* Plug the device and start it; with interrupts when it has them. */
static int device_start(struct uplink *u, const char *args,
			struct rte_eth_dev_info *info)
{
	int err;

	/* Plugging it once more would succeed, and undoing that close it. */
	if (!rte_eth_dev_get_port_by_name(u->device, &u->eth))
		return -EEXIST;
	err = rte_eal_hotplug_add(u->bus, u->device, args);
	if (err)
		return err;
	err = rte_eth_dev_get_port_by_name(u->device, &u->eth);
	if (err)
		goto err_unplug;
	err = rte_eth_dev_info_get(u->eth, info);
	if (err)
		goto err_close;
	err = eth_start(u->eth, info, true);
	if (err)
		err = eth_start(u->eth, info, false);
	if (err)
		goto err_close;
	return 0;

err_close:
	rte_eth_dev_close(u->eth);
err_unplug:
	rte_eal_hotplug_remove(u->bus, u->device);
	return err;
}

static void direct_init(struct uplink *u)
{
	u->port.ops = &eth_ops;
	u->port.vm = VM_NONE;
	u->port.is_uplink = true;
	snprintf(u->port.name, sizeof(u->port.name), "%.*s",
		 (int)sizeof(u->port.name) - 1, u->device);
	if (rte_eth_dev_rx_intr_enable(u->eth, 0))
		return;
	u->fd = rte_eth_dev_rx_intr_ctl_q_get_fd(u->eth, 0);
	rte_eth_dev_rx_intr_disable(u->eth, 0);
}

int port_uplink_open(struct port **out, const char *spec,
		     void (*wake)(void *arg), void *wake_arg)
{
	struct uplink *u = calloc(1, sizeof(*u));
	struct relay_dev dev = {
		.receive = dev_receive,
		.send = dev_send,
		.close = dev_close,
		.dev = u,
		.fd = -1,
	};
	struct rte_eth_dev_info info;
	sigset_t hidden;
	char args[256];
	int err;

	if (!u)
		return -ENOMEM;
	u->fd = -1;
	err = spec_parse(u, spec, args, sizeof(args));
	if (err)
		goto err_free;
	signals_hide(&hidden);
	err = device_start(u, args, &info);
	signals_show(&hidden);
	if (err)
		goto err_free;
	for (unsigned i = 0; i < RTE_DIM(relayed); i++) {
		if (strcmp(info.driver_name, relayed[i].driver) != 0)
			continue;
		if (relayed[i].has_fd)
			dev.fd = rte_eth_dev_rx_intr_ctl_q_get_fd(u->eth, 0);
		err = port_relay_open(out, u->device, &dev, wake, wake_arg);
		if (err)
			uplink_free(u);
		return err;
	}
	direct_init(u);
	*out = &u->port;
	return 0;

err_free:
	free(u);
	return err;
}
