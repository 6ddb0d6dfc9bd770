/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mac_table.c - which port a MAC address lives behind
 *
 * Open addressing with a bounded probe: an address stands in one of the
 * MAC_WINDOW slots from its hash on, or nowhere. Every search looks at the
 * whole window, so deleting needs no marks: an entry dies by age, or because
 * its port's generation moved on, and is overwritten when its slot is wanted.
 *
 * An address has at most one slot, dead or alive: place() reuses it. Hence a
 * longer age set at run time cannot bring a second, older answer to life.
 */
#include <errno.h>
#include <stdlib.h>

#include "vhost/mac_table.h"

/* Multiplicative hashing: 2^64 over the golden ratio, the upper half is used */
static uint32_t hash(uint64_t mac)
{
	return (uint32_t)(mac * 0x9e3779b97f4a7c15ull >> 32);
}

static bool is_of_live_port(const struct mac_table *t,
			    const struct mac_entry *e)
{
	return e->mac && e->gen == t->gen[e->port];
}

static bool is_live(const struct mac_table *t, const struct mac_entry *e,
		    uint64_t now_ns)
{
	return is_of_live_port(t, e) &&
	       (e->pinned || now_ns - e->seen_ns <= t->age_ns);
}

/*
 * place() - The slot of @mac, or the one to put it in
 *
 * 1. where it stands already, 2. a slot nobody uses, 3. the entry that was
 * silent for longest (an aged one, if there is any). Return: NULL when all are
 * pinned by others.
 */
static struct mac_entry *place(const struct mac_table *t, uint64_t mac)
{
	struct mac_entry *unused = NULL, *oldest = NULL;
	uint32_t at = hash(mac);

	for (unsigned i = 0; i < MAC_WINDOW; i++) {
		struct mac_entry *e = &t->entry[(at + i) & t->mask];

		if (e->mac == mac)
			return e;
		if (!is_of_live_port(t, e))
			unused = e;
		else if (!e->pinned &&
			 (!oldest || e->seen_ns < oldest->seen_ns))
			oldest = e;
	}
	return unused ? unused : oldest;
}

int mac_table_init(struct mac_table *t, uint32_t entries, uint64_t age_ns)
{
	if (entries < MAC_WINDOW || (entries & (entries - 1)))
		return -EINVAL;
	memset(t, 0, sizeof(*t));
	t->entry = calloc(entries, sizeof(*t->entry));
	if (!t->entry)
		return -ENOMEM;
	t->mask = entries - 1;
	t->age_ns = age_ns;
	return 0;
}

void mac_table_exit(struct mac_table *t)
{
	free(t->entry);
	t->entry = NULL;
}

int mac_table_learn(struct mac_table *t, uint64_t mac, uint16_t port,
		    uint64_t now_ns)
{
	struct mac_entry *e = place(t, mac);

	if (!e) {
		t->count.refused++;
		return -ENOSPC;
	}
	if (is_live(t, e, now_ns)) {
		if (e->mac == mac && e->port == port) {
			e->seen_ns = now_ns;
			return 0;
		}
		if (e->mac == mac) {
			t->count.refused++;
			return -EEXIST;
		}
		t->count.evicted++;
	}
	*e = (struct mac_entry){
		.mac = mac,
		.seen_ns = now_ns,
		.gen = t->gen[port],
		.port = port,
	};
	return 0;
}

int mac_table_pin(struct mac_table *t, uint64_t mac, uint16_t port)
{
	struct mac_entry *e = place(t, mac);

	if (!e)
		return -ENOSPC;
	if (is_of_live_port(t, e)) {
		if (e->mac == mac && e->pinned && e->port != port)
			return -EEXIST;
		if (e->mac != mac)
			t->count.evicted++;
	}
	*e = (struct mac_entry){
		.mac = mac,
		.gen = t->gen[port],
		.port = port,
		.pinned = true,
	};
	return 0;
}

uint16_t mac_table_lookup(const struct mac_table *t, uint64_t mac,
			  uint64_t now_ns)
{
	uint32_t at = hash(mac);

	for (unsigned i = 0; i < MAC_WINDOW; i++) {
		const struct mac_entry *e = &t->entry[(at + i) & t->mask];

		if (e->mac == mac)
			return is_live(t, e, now_ns) ? e->port : PORT_NONE;
	}
	return PORT_NONE;
}

void mac_table_forget_port(struct mac_table *t, uint16_t port)
{
	t->gen[port]++;
}
