/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port.h - one place where frames enter and leave the switch
 *
 * Three kinds: port_vhost (a VM's NIC), port_uplink (any DPDK ethdev) and
 * port_mem (tests, benches). Names are from the switch's point of view: it
 * pulls frames out of a port and pushes frames into it; rx and tx appear only
 * inside an implementation.
 *
 * Everything here belongs to the poll thread, but open and close (control
 * thread, while the port is not in a switch).
 */
#ifndef VHOST_PORT_H
#define VHOST_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/bounds.h"
#include "vhost/score.h"

struct rte_mbuf;
struct port;

#define PORT_MAX      (VM_MAX + 16)
#define PORT_NONE     0xffffu
#define PORT_BURST    32
#define PORT_HOLD_MAX 1024 /* frames, upper bound of hold-frames */

/* Why a frame was dropped; names in drop_name(), same order. */
enum drop {
	DROP_HOLD_FULL,	  /* guest's ring full and so is the hold queue */
	DROP_HOLD_AGE,	  /* held longer than hold-time */
	DROP_PORT_DOWN,	  /* destination has no guest driver running */
	DROP_SOURCE_MAC,  /* not the domain XML's, or another port's */
	DROP_BAD_FRAME,	  /* shorter than an Ethernet header, or too long */
	DROP_FLOOD_LIMIT, /* over flood-limit frames a second */
	DROP_NO_ROUTE,	  /* unknown and no uplink; or 01:80:c2:00:00:0x */
	DROP_UPLINK_FULL, /* the uplink took no more */
	DROP_SELF,	  /* would leave by the port it came from */
	DROP_NO_MBUF,	  /* packet memory exhausted */
	DROP_NUM,
};

/* All counted by the switch, but for kicks and for what an uplink loses after
 * it took it (DROP_UPLINK_FULL): by the port itself, on the poll thread. */
struct port_count {
	uint64_t from_frames, from_bytes; /* port -> switch */
	uint64_t to_frames, to_bytes;	  /* switch -> port */
	uint64_t drop[DROP_NUM];	  /* by the port that suffered it */
	uint64_t kicks;			  /* interrupts sent to the guest */
	uint64_t requests_lost;		  /* given up: too many flows waited */
};

/* What a policy may want to know of a port, refreshed by port_ops.watch(). */
struct port_signal {
	bool up;	   /* the guest's driver runs; pull() says so too */
	bool blind;	   /* could not be looked at: the rest is old */
	uint16_t held;	   /* frames in the hold queue */
	uint16_t untaken;  /* frames given, not taken yet */
	uint64_t delay_ns; /* age of the oldest of all those; 0: none */
};

struct port_ops {
	const char *kind;

	/* Take up to @max frames out; the caller owns them. */
	unsigned (*pull)(struct port *p, struct rte_mbuf **frames,
			 unsigned max);

	/*
	 * Give @n frames, which wait since @since_ns: the pass's time, or an
	 * earlier one for frames that were held. It never goes back from one
	 * push to the next. Return: how many were taken, the first ones (owned
	 * by the port now); the others stay the caller's, who may hold them and
	 * come again. A flooded frame has an owner in every VM port: a VM port
	 * only reads what it is given. An uplink's frames are its own.
	 */
	unsigned (*push)(struct port *p, struct rte_mbuf **frames, unsigned n,
			 uint64_t since_ns);

	/*
	 * Look at the guest's progress: refresh p->signal and add the delay of
	 * each frame found taken to @delays. NULL: nothing to watch.
	 */
	void (*watch)(struct port *p, uint64_t now_ns, struct score *delays);

	/*
	 * Ask for (@on) or stop a wake-up through fd(p) at the next frame.
	 * Return: true when there is work already, so do not sleep.
	 */
	bool (*arm)(struct port *p, bool on);

	/* File to wait on, -1: none now. May change: see port.fd_gen. */
	int (*fd)(struct port *p);

	/* Control thread, once the port is out of its switch. Frees @p. */
	void (*close)(struct port *p);
};

/* The part every kind has in front of its own. */
struct port {
	const struct port_ops *ops;
	char name[VM_NAME_MAX];
	uint16_t id; /* index in its switch */
	uint16_t vm; /* VM slot, VM_NONE for an uplink */
	bool is_uplink;
	bool mac_check; /* drop frames whose source is not `mac` */
	uint8_t mac[6];
	uint32_t fd_gen; /* grows when fd() changes its answer */
	struct port_signal signal;
	struct port_count count;
};

/* drop_name() - Return: a short lower-case word, never NULL. */
const char *drop_name(unsigned reason);

#endif
