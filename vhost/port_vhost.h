/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_vhost.h - a VM's NIC: one vhost-user device with one queue pair
 */
#ifndef VHOST_PORT_VHOST_H
#define VHOST_PORT_VHOST_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost/port.h"

struct port_vhost_conf {
	const char *name; /* for messages: the VM's name */
	const char *path; /* the socket */
	bool client;	  /* QEMU listens, hostd connects (again and again) */
	uint16_t vm;
	const uint8_t *mac;	 /* NULL: learn freely, check nothing */
	const char *group;	 /* the socket's group; NULL: leave it */
	uint16_t mode;		 /* the socket's mode, 0660 */
	void (*wake)(void *arg); /* wakes the poll thread; any thread */
	void *wake_arg;
};

/*
 * port_vhost_open() - Make the socket and serve it
 *
 * Control thread. Either side may come first, leave and come back.
 * Return: 0; -EADDRINUSE for a socket somebody serves, -EEXIST for a file that
 * is no socket, -ENOENT for no such directory or group, else -errno.
 */
int port_vhost_open(struct port **out, const struct port_vhost_conf *conf);

#endif
