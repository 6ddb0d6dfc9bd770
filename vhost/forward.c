/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward.c - where one frame goes
 */
#include <errno.h>

#include "vhost/forward.h"

#define NS_PER_S 1000000000ull

static struct verdict drop(enum drop reason)
{
	return (struct verdict){
		.kind = VERDICT_DROP,
		.reason = reason,
		.port = PORT_NONE,
	};
}

/* IEEE 802.1Q, 8.6.3: 01:80:c2:00:00:00 to 0f (STP, pause, LACP, LLDP) are for
 * the other end of the wire; a bridge never passes them on. */
static bool is_link_local(const uint8_t *mac)
{
	static const uint8_t prefix[5] = { 0x01, 0x80, 0xc2, 0x00, 0x00 };

	return !memcmp(mac, prefix, sizeof(prefix)) && mac[5] < 0x10;
}

/*
 * flood_is_allowed() - A token bucket kept as one time stamp
 *
 * The generic cell rate algorithm (ITU-T I.371, virtual scheduling): each frame
 * moves the time at which the next one is due by 1/rate; one may come early by
 * the burst.
 */
static bool flood_is_allowed(uint64_t *next_ns, uint32_t pps, uint64_t now_ns)
{
	if (!pps)
		return true;
	if (*next_ns < now_ns)
		*next_ns = now_ns;
	if (*next_ns - now_ns > FLOOD_BURST_NS)
		return false;
	*next_ns += NS_PER_S / pps;
	return true;
}

struct verdict forward_decide(struct forward *f, const struct port *from,
			      const uint8_t *head, uint32_t head_bytes,
			      uint32_t frame_bytes, uint64_t now_ns)
{
	const uint8_t *dst = head, *src = head + 6;
	uint16_t to;

	/* 1. Is it a frame at all? */
	if (head_bytes < FRAME_HEAD_BYTES || frame_bytes < head_bytes ||
	    frame_bytes > FRAME_MAX_BYTES)
		return drop(DROP_BAD_FRAME);
	if (mac_is_group(src) || !mac_key(src))
		return drop(DROP_BAD_FRAME);

	/* 2. Is it the sender's own address? No slot to learn it is no harm */
	if (from->mac_check) {
		if (mac_key(src) != mac_key(from->mac))
			return drop(DROP_SOURCE_MAC);
	} else if (mac_table_learn(f->macs, mac_key(src), from->id, now_ns) ==
		   -EEXIST) {
		return drop(DROP_SOURCE_MAC);
	}

	/* 3. Where does it want to go? */
	if (is_link_local(dst))
		return drop(DROP_NO_ROUTE);
	if (mac_is_group(dst)) {
		if (!flood_is_allowed(&f->flood_next_ns[from->id], f->flood_pps,
				      now_ns))
			return drop(DROP_FLOOD_LIMIT);
		return (struct verdict){ .kind = VERDICT_FLOOD,
					 .port = PORT_NONE };
	}
	to = mac_table_lookup(f->macs, mac_key(dst), now_ns);
	if (to == PORT_NONE)
		to = f->uplink;
	if (to == PORT_NONE)
		return drop(DROP_NO_ROUTE);
	if (to == from->id)
		return drop(DROP_SELF);
	return (struct verdict){ .kind = VERDICT_PORT, .port = to };
}
