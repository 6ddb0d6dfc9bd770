/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_mem.h - a port made of two queues, for tests and benches
 *
 * feed and take stand for the guest and may be on another thread than the
 * switch (one thread, as a guest's NIC is).
 */
#ifndef VHOST_PORT_MEM_H
#define VHOST_PORT_MEM_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost/port.h"

/*
 * port_mem_open() - A port whose guest is up; needs eal_pool()
 * @vm: VM_NONE makes it an uplink
 * @ring_size: how many fed, and how many pushed frames fit; a power of two
 * Return: 0 or -errno.
 */
int port_mem_open(struct port **out, const char *name, uint16_t vm,
		  uint16_t ring_size);

/* port_mem_feed() - The next pull() returns a copy. Return: false when full. */
bool port_mem_feed(struct port *p, const void *frame, uint16_t bytes);

/*
 * port_mem_take() - Take the oldest pushed frame, as a guest would
 * Return: its length; 0 when there is none.
 */
uint16_t port_mem_take(struct port *p, void *buf, uint16_t size);

/* port_mem_set_up() - The guest's driver starts or stops; seen by pull() and
 * watch(). */
void port_mem_set_up(struct port *p, bool up);

#endif
