/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virt_conn.h - the door to libvirt: one connection, its events, its calls
 *
 * Control thread, but virt_conn_wake(). VMs are named by their raw uuid.
 * Every call that asks libvirt returns 0 or -errno: -ENOTCONN when there is no
 * connection or it was lost in the call, -ESRCH for a VM libvirt does not
 * know, -EIO for anything else libvirt refuses.
 */
#ifndef HOSTD_VIRT_CONN_H
#define HOSTD_VIRT_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/cpumask.h"

#define VIRT_UUID_BYTES 16
#define VIRT_ID_NONE	(~0u) /* of a domain that does not run */

struct virt_conn;

/* A domain as a list shows it. */
struct virt_listed {
	uint8_t uuid[VIRT_UUID_BYTES];
	const char *name; /* any length */
	unsigned id;	  /* new at each start; VIRT_ID_NONE: does not run */
};

/* A domain as one look shows it. */
struct virt_looked {
	char *name, *xml; /* free() both */
	char uuid[37];
	unsigned id;
	bool active, persistent;
};

enum virt_link { VIRT_LINK_SAME, VIRT_LINK_UP, VIRT_LINK_DOWN };

/*
 * virt_conn_open() - Start libvirt's event loop; connects in virt_conn_step()
 * @touch: something happened to a VM, look at it; NULL: to any of them.
 *	Called in virt_conn_wait()
 *
 * One at a time in a process, for libvirt's event loop is the process's.
 * Return: 0 or -errno.
 */
int virt_conn_open(struct virt_conn **out, const char *uri,
		   void (*touch)(void *arg, const uint8_t *uuid), void *arg);
void virt_conn_close(struct virt_conn *c);

/* virt_conn_wait() - Wait for an event or a wake-up, for @ms at most. */
void virt_conn_wait(struct virt_conn *c, int ms);

/* virt_conn_wake() - End a wait, now or the next. Any thread, signals. */
void virt_conn_wake(struct virt_conn *c);

/* virt_conn_step() - Take notice of a lost connection, one step towards a new
 * one; never waits. Return: what changed. */
enum virt_link virt_conn_step(struct virt_conn *c, uint64_t now_ns);

bool virt_conn_is_up(const struct virt_conn *c);

/* virt_conn_is_opening() - Is the answer to an attempt awaited? It will end a
 * wait. */
bool virt_conn_is_opening(const struct virt_conn *c);

/* virt_conn_retry_ns() - When the next attempt is due. */
uint64_t virt_conn_retry_ns(const struct virt_conn *c);

/* virt_conn_list() - Call @fn for every domain, running or not. */
int virt_conn_list(struct virt_conn *c,
		   void (*fn)(void *arg, const struct virt_listed *d),
		   void *arg);

/* virt_conn_look() - Read one domain; on success free name and xml. */
int virt_conn_look(struct virt_conn *c, const uint8_t *uuid,
		   struct virt_looked *out);

/*
 * virt_conn_cpus() - "info cpus" of QEMU's human monitor; taints the domain
 * Return: 0 with @text to be freed; -EAGAIN when it does not run now (the call
 * would wait until it does).
 */
int virt_conn_cpus(struct virt_conn *c, const uint8_t *uuid, char **text);

/* virt_conn_pin(), virt_conn_pinned() - A vcpu's pin in the running domain;
 * see virt_pin(). -ESRCH also for a vcpu that is not there. */
int virt_conn_pin(struct virt_conn *c, const uint8_t *uuid, unsigned index,
		  const struct cpumask *mask);
int virt_conn_pinned(struct virt_conn *c, const uint8_t *uuid, unsigned index,
		     struct cpumask *mask);

#endif
