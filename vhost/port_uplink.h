/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_uplink.h - the way out: any DPDK ethdev
 */
#ifndef VHOST_PORT_UPLINK_H
#define VHOST_PORT_UPLINK_H

#include "vhost/port.h"

/*
 * port_uplink_open() - Start an ethdev and wrap it
 * @spec: "tap:NAME", "pci:0000:03:00.0" or "vdev:net_xxx,args"
 * @wake, @wake_arg: wakes the poll thread; any thread
 *
 * Control thread, after eal_start(). A device whose driver makes system calls
 * (tap, af_packet, pcap) is served by a thread of its own behind two rings, so
 * that the poll thread makes none. A device without receive interrupts keeps
 * the poll thread awake. Return: 0; -EEXIST for a device already open, -EINVAL
 * for a bad @spec, else -errno.
 */
int port_uplink_open(struct port **out, const char *spec,
		     void (*wake)(void *arg), void *wake_arg);

#endif
