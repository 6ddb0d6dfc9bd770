/* SPDX-License-Identifier: Apache-2.0 */
/*
 * switch.h - a learning L2 switch between VM ports and an uplink
 *
 * One poll thread owns a switch and its ports; sw_wake() alone may be called
 * from any thread.
 */
#ifndef VHOST_SWITCH_H
#define VHOST_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost/mac_table.h"
#include "vhost/port.h"

struct sw;

struct sw_conf {
	uint32_t mac_entries; /* capacity of the MAC table, a power of two */
	uint64_t mac_age_ns;
	uint16_t hold_frames; /* a port's hold queue, <= PORT_HOLD_MAX */
	uint64_t hold_ns;     /* how long a frame may be held */
	uint32_t flood_pps; /* flooded frames a second, from one port; 0: no */
			    /* limit */
};

/* sw_open() - Start-up; allocates everything. Return: 0 or -errno. */
int sw_open(struct sw **out, const struct sw_conf *conf);

/* sw_close() - Drops held frames; the ports are the caller's to close. */
void sw_close(struct sw *sw);

/* sw_set() - Take new limits (mac_entries is fixed). Poll thread. */
void sw_set(struct sw *sw, const struct sw_conf *conf);

/*
 * sw_add() - Put a port in; its MAC, unless all zero, is its own from now on
 * Nothing is sent to it before sw_watch() found it up. Unknown addresses are
 * behind the first uplink added. Poll thread. Return: 0, -ENOSPC when a table
 * is full, -EEXIST when another port has its MAC.
 */
int sw_add(struct sw *sw, struct port *p);

/*
 * sw_del() - Take a port out: held frames dropped, its MACs forgotten.
 * Poll thread. Nothing refers to @p afterwards.
 */
void sw_del(struct sw *sw, struct port *p);

/*
 * sw_pass() - Move up to PORT_BURST frames from every port to where they go
 * @now_ns: read once by the caller for the whole pass
 *
 * Poll thread. Return: frames moved; 0 means there was nothing to do.
 */
unsigned sw_pass(struct sw *sw, uint64_t now_ns);

/*
 * sw_watch() - Refresh a port's signal, held frames included
 * @delays: gets the delay of every frame found taken, and how many were
 *	dropped because the guest had no room; may be NULL
 * Poll thread.
 */
void sw_watch(struct sw *sw, struct port *p, uint64_t now_ns,
	      struct score *delays);

/*
 * sw_looks() - How many ports sw_next_look() has to offer now
 * sw_next_look() - A port whose signal may be another one than when it was
 * watched last: frames were given or held, its guest's driver came or went, or
 * something was untaken then. First come, first served; poll thread.
 */
unsigned sw_looks(const struct sw *sw);
struct port *sw_next_look(struct sw *sw);

/*
 * sw_response() - Measure how long @p's guest takes to answer: response.h
 * @score: gets every response from now on; NULL: none, which costs nothing
 *
 * Ports of one VM may share a score. Poll thread, while @p is in @sw.
 */
void sw_response(struct sw *sw, struct port *p, struct score *score);

/*
 * sw_mac_count() - What the MAC table had to refuse; lives as long as @sw
 * Poll thread.
 */
const struct mac_count *sw_mac_count(const struct sw *sw);

/*
 * sw_sleep() - Wait until a frame arrives, sw_wake() is called or time is up
 * @timeout_ns: at most so long
 *
 * Poll thread. Arms every port, looks once more (no lost wake-up), waits in
 * one epoll call, disarms. While frames are held it comes back after 50 us, for
 * nobody says when a guest makes room.
 * Return: false when there was work and it did not sleep.
 */
bool sw_sleep(struct sw *sw, uint64_t timeout_ns);

/* sw_wake() - End a sleep, now or the next one. Any thread. */
void sw_wake(struct sw *sw);

#endif
