/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward.h - where one frame goes
 *
 * Pure: reads an Ethernet header, the MAC table and the time. Every byte of
 * the frame is hostile.
 */
#ifndef VHOST_FORWARD_H
#define VHOST_FORWARD_H

#include <stdint.h>

#include "vhost/mac_table.h"
#include "vhost/port.h"

#define FRAME_HEAD_BYTES 14   /* destination, source, type */
#define FRAME_MAX_BYTES	 9018 /* 9000 of payload, the header, one VLAN tag */

/* A port that was silent may flood so much at once, in time at flood_pps. */
#define FLOOD_BURST_NS 100000000ull

struct forward {
	struct mac_table *macs;
	uint16_t uplink;    /* port that unknown addresses are behind, or */
			    /* PORT_NONE */
	uint32_t flood_pps; /* frames a second, each port; 0: no limit */
	uint64_t flood_next_ns[PORT_MAX]; /* when the next one is due */
};

enum verdict_kind {
	VERDICT_DROP,  /* for `reason` */
	VERDICT_PORT,  /* to `port` */
	VERDICT_FLOOD, /* to every port but the one it came from */
};

struct verdict {
	uint8_t kind;	/* enum verdict_kind */
	uint8_t reason; /* enum drop */
	uint16_t port;
};

/*
 * forward_decide() - Learn a frame's source and say where it goes
 * @from: where it came from; its id, mac, mac_check and is_uplink are read
 * @head: the frame's first @head_bytes bytes, as far as they are contiguous
 * @frame_bytes: its whole length
 *
 * An unknown station is behind the uplink, never flooded: no tenant sees
 * another's frames. A frame for a group of stations is flooded, from each port
 * at most flood_pps a second, so that no port uses up another's share. A port
 * with mac_check is not learned from: its address is pinned.
 */
struct verdict forward_decide(struct forward *f, const struct port *from,
			      const uint8_t *head, uint32_t head_bytes,
			      uint32_t frame_bytes, uint64_t now_ns);

#endif
