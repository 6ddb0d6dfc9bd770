/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow.h - which conversation a frame belongs to, and since when one waits
 *
 * Pure. Every byte of a frame is hostile. The table is the caller's memory,
 * bounded, and costs one cache line a look, however full it is.
 */
#ifndef VHOST_FLOW_H
#define VHOST_FLOW_H

#include <stdbool.h>
#include <stdint.h>

/* One end of a conversation; IPv4 addresses stand alone in ip[0]. */
struct flow_end {
	uint64_t ip[2];
	uint16_t port;
};

/* What the headers of one frame say. */
struct flow {
	struct flow_end src, dst;
	uint32_t vlan; /* both tags' ids; 0: no tag */
	uint16_t
	    peer;      /* the other end's port in the switch: nobody but who is
			  behind it opens a flow, or blocks one; 0 when parsed */
	bool uplink;   /* that port is one: many are behind it */
	uint8_t proto; /* FLOW_TCP or FLOW_UDP */
	bool is_v6;
	uint32_t payload_bytes;
	uint32_t seq_end; /* TCP: what acknowledges this frame */
	uint32_t ack;	  /* TCP: what this frame acknowledges */
};

/* IANA, protocol numbers. */
#define FLOW_TCP 6
#define FLOW_UDP 17

/*
 * flow_parse() - Read a frame's headers
 * @head: its first @head_bytes bytes, as far as they are contiguous
 * @frame_bytes: its whole length, padding included
 *
 * Understood: up to two VLAN tags, then IPv4 (options skipped) or IPv6 (no
 * extension headers), then TCP or UDP in an unfragmented packet or its first
 * fragment. Return: false for anything else, and for lengths that disagree.
 */
bool flow_parse(struct flow *f, const uint8_t *head, uint32_t head_bytes,
		uint32_t frame_bytes);

/* --- the table ----------------------------------------------------------- */

#define FLOW_WAYS      4
#define FLOW_SETS      1024 /* 64 KiB */
#define FLOW_FAR_SETS  512  /* of them, for flows through an uplink: 2048 */
#define FLOW_PEER_SETS 32   /* for those of one other port: 128 */

/* A flow that waits. The print is what of its id the set does not tell. */
struct flow_slot {
	uint32_t print;
	uint32_t seq_end;
	uint64_t since_ns; /* 0: free */
};

struct flow_set {
	struct flow_slot way[FLOW_WAYS];
} __attribute__((aligned(64)));

struct flow_table {
	struct flow_set *set; /* [FLOW_SETS], zeroed at first */
	uint64_t seed[2];     /* random; nobody outside may know them */
};

/*
 * flow_id() - A conversation's number in this table
 * @from_dst: its two ends are told by a frame that goes the other way
 *
 * A frame and its answer (@from_dst true for one, false for the other) have
 * the same. Two conversations that share one are a matter of luck only, for
 * who does not know the seeds. Its low bits are its set: one port's flows have
 * theirs to themselves, or share them with every sixteenth port's, so that a
 * neighbour who opens too many crowds out his own.
 */
uint64_t flow_id(const struct flow_table *t, const struct flow *f,
		 bool from_dst);

/* flow_find() - Return: where @id waits, or NULL. */
struct flow_slot *flow_find(const struct flow_table *t, uint64_t id);

/*
 * flow_add() - @id waits from now on; it must not do so already
 * @lost: set when the set was full: the oldest made room
 * Return: its slot, since_ns for the caller to fill.
 */
struct flow_slot *flow_add(const struct flow_table *t, uint64_t id, bool *lost);

/* flow_forget() - All of them. One word is written: nothing has its id any
 * more, and the slots go to whoever comes, as the oldest. */
void flow_forget(struct flow_table *t);

#endif
