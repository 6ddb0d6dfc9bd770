/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mac_table.h - which port a MAC address lives behind
 *
 * An address belongs to one port at a time and is not handed from one to
 * another: a learned one until it was silent for age_ns or its port is
 * forgotten, a pinned one (given by the domain XML) until its port is
 * forgotten. So no port can draw another's traffic to itself. Pure; the poll
 * thread owns it.
 */
#ifndef VHOST_MAC_TABLE_H
#define VHOST_MAC_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "vhost/port.h"

#define MAC_WINDOW 8 /* slots in which an address may stand */

struct mac_entry {
	uint64_t mac; /* mac_key(); 0: free */
	uint64_t seen_ns;
	uint32_t gen; /* the port's when this was written; older: dead */
	uint16_t port;
	bool pinned;
};

struct mac_count {
	uint64_t evicted; /* live entries thrown out for a newer address */
	uint64_t refused; /* addresses of another port, or no slot free */
};

struct mac_table {
	struct mac_entry *entry; /* [mask + 1] */
	uint32_t mask;
	uint64_t age_ns;
	struct mac_count count;
	uint32_t gen[PORT_MAX];
};

/* mac_key() - Six bytes, in the order they have in a frame, as a number that
 * means something to this table only. */
static inline uint64_t mac_key(const uint8_t *mac)
{
	uint64_t key = 0;

	memcpy(&key, mac, 6);
	return key;
}

/* mac_is_group() - Broadcast or multicast: the lowest bit of the first byte. */
static inline bool mac_is_group(const uint8_t *mac)
{
	return mac[0] & 1;
}

/*
 * mac_table_init() - An empty table; start-up
 * @entries: capacity, a power of two, at least MAC_WINDOW
 * Return: 0, -EINVAL for another capacity, -ENOMEM.
 */
int mac_table_init(struct mac_table *t, uint32_t entries, uint64_t age_ns);
void mac_table_exit(struct mac_table *t);

/*
 * mac_table_learn() - @mac was the source of a frame from @port
 * @mac: mac_key() of a station's address (not 0, no group)
 *
 * When the window is full of live entries, the one silent for longest goes.
 * Return: 0, -EEXIST when it is another port's, -ENOSPC when the whole window
 * is pinned.
 */
int mac_table_learn(struct mac_table *t, uint64_t mac, uint16_t port,
		    uint64_t now_ns);

/*
 * mac_table_pin() - @mac belongs to @port, whatever was learned before
 * Return: 0, -EEXIST when it is pinned to another port, -ENOSPC when the whole
 * window is pinned.
 */
int mac_table_pin(struct mac_table *t, uint64_t mac, uint16_t port);

/* mac_table_lookup() - Return: the port, or PORT_NONE. */
uint16_t mac_table_lookup(const struct mac_table *t, uint64_t mac,
			  uint64_t now_ns);

/* mac_table_forget_port() - Drop all of a port's entries, in O(1): its
 * generation moves on and they are dead. */
void mac_table_forget_port(struct mac_table *t, uint16_t port);

#endif
