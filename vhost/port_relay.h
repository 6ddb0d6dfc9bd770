/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_relay.h - a slow device behind a thread of its own
 */
#ifndef VHOST_PORT_RELAY_H
#define VHOST_PORT_RELAY_H

#include "vhost/port.h"

/* The device. Its calls may take their time: relay thread only, but close. */
struct relay_dev {
	/* Return: how many frames came; the caller owns them. */
	unsigned (*receive)(void *dev, struct rte_mbuf **frames, unsigned max);
	/* Return: how many were taken; the others stay the caller's. */
	unsigned (*send)(void *dev, struct rte_mbuf **frames, unsigned n);
	/* Control thread, after the relay thread's end. Frees @dev. */
	void (*close)(void *dev);
	void *dev;
	int fd; /* readable when frames came; -1: must be asked again and again
		 */
};

/*
 * port_relay_open() - An uplink port whose poll thread makes no system call,
 * but one to wake the relay thread when that sleeps
 * @name: for messages
 * @dev: copied
 * @wake, @wake_arg: wakes the poll thread; any thread
 *
 * Control thread, after eal_start(). Return: 0 or -errno; then @dev is not
 * closed.
 */
int port_relay_open(struct port **out, const char *name,
		    const struct relay_dev *dev, void (*wake)(void *arg),
		    void *wake_arg);

#endif
