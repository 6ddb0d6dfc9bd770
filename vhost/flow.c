// SPDX-License-Identifier: Apache-2.0
/*
 * flow.c - which conversation a frame belongs to, and since when one waits
 *
 * Headers: lengths are taken from the packet, never from the frame, which may
 * be padded to 60 bytes, and are checked against both. Nothing is read beyond
 * the first segment; all headers stand there, or the frame is not understood.
 *
 * Table: set-associative. An id picks its set, one cache line, and the four
 * ways in it are all that is ever looked at. When all four wait, the one that
 * does so longest makes room: most likely nobody will answer it. A slot keeps
 * 32 bits of the id; with those the set stands for, a stranger is taken for a
 * waiting flow once in 2^41 looks, through another port than the uplink once in
 * 2^37.
 */
#include "vhost/flow.h"

#include <stddef.h>
#include <string.h>

/* IEEE 802: EtherTypes. 802.1Q and 802.1ad: four bytes a tag. */
#define TYPE_IPV4   0x0800
#define TYPE_IPV6   0x86dd
#define TYPE_VLAN   0x8100
#define TYPE_QINQ   0x88a8
#define TAG_BYTES   4
#define TAGS_MAX    2
#define MACS_BYTES  12
#define IPV4_BYTES  20 /* RFC 791, without options */
#define IPV6_BYTES  40 /* RFC 8200 */
#define UDP_BYTES   8  /* RFC 768 */
#define TCP_BYTES   20 /* RFC 9293, without options */
#define TCP_SYN	    0x02
#define OFFSET_BITS 0x1fff /* IPv4: where in its packet a fragment stands */

/* 2^64 divided by the golden ratio: odd, its bits without a pattern. */
#define GOLDEN 0x9e3779b97f4a7c15ull

/* What is left to read: @bytes of it belong to the packet, @here are in the
 * first segment. */
struct rest {
	const uint8_t *at;
	uint32_t here, bytes;
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

/* Addresses are compared, never counted with: any byte order will do. */
static uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void skip(struct rest *r, uint32_t n)
{
	r->at += n;
	r->here -= n;
	r->bytes -= n;
}

/* Past the Ethernet header and its tags. Return: the type, 0: too short. */
static uint16_t parse_ether(struct flow *f, struct rest *r)
{
	uint16_t type;

	if (r->here < MACS_BYTES + 2 || r->bytes < r->here)
		return 0;
	skip(r, MACS_BYTES);
	type = be16(r->at);
	for (unsigned i = 0; i < TAGS_MAX; i++) {
		if (type != TYPE_VLAN && type != TYPE_QINQ)
			break;
		if (r->here < 2 + TAG_BYTES)
			return 0;
		f->vlan = f->vlan << 12 | (be16(r->at + 2) & 0xfff);
		skip(r, TAG_BYTES);
		type = be16(r->at);
	}
	skip(r, 2);
	return type;
}

static bool parse_ipv4(struct flow *f, struct rest *r)
{
	const uint8_t *ip = r->at;
	uint32_t head, total;

	if (r->here < IPV4_BYTES || ip[0] >> 4 != 4)
		return false;
	head = (ip[0] & 15u) * 4;
	total = be16(ip + 2);
	if (head < IPV4_BYTES || head > r->here || total < head ||
	    total > r->bytes || (be16(ip + 6) & OFFSET_BITS))
		return false;
	f->proto = ip[9];
	f->src.ip[0] = be32(ip + 12);
	f->dst.ip[0] = be32(ip + 16);
	r->bytes = total;
	skip(r, head);
	return true;
}

static bool parse_ipv6(struct flow *f, struct rest *r)
{
	const uint8_t *ip = r->at;
	uint32_t total;

	if (r->here < IPV6_BYTES || ip[0] >> 4 != 6)
		return false;
	total = IPV6_BYTES + be16(ip + 4);
	if (total > r->bytes)
		return false;
	f->is_v6 = true;
	f->proto = ip[6];
	for (unsigned i = 0; i < 2; i++) {
		f->src.ip[i] = load64(ip + 8 + 8 * i);
		f->dst.ip[i] = load64(ip + 24 + 8 * i);
	}
	r->bytes = total;
	skip(r, IPV6_BYTES);
	return true;
}

/* r->bytes may be less than r->here now: the rest is padding. */
static bool parse_ports(struct flow *f, const struct rest *r)
{
	const uint8_t *p = r->at;
	uint32_t head = f->proto == FLOW_TCP ? TCP_BYTES : UDP_BYTES;

	if ((f->proto != FLOW_TCP && f->proto != FLOW_UDP) || r->here < head ||
	    r->bytes < head)
		return false;
	f->src.port = be16(p);
	f->dst.port = be16(p + 2);
	if (f->proto == FLOW_TCP) {
		head = (p[12] >> 4) * 4u;
		if (head < TCP_BYTES || head > r->bytes)
			return false;
		f->ack = be32(p + 8);
		/* a SYN counts as one byte */
		f->seq_end =
		    be32(p + 4) + (r->bytes - head) + (p[13] & TCP_SYN ? 1 : 0);
	}
	f->payload_bytes = r->bytes - head;
	return true;
}

bool flow_parse(struct flow *f, const uint8_t *head, uint32_t head_bytes,
		uint32_t frame_bytes)
{
	struct rest r = { .at = head,
			  .here = head_bytes,
			  .bytes = frame_bytes };

	memset(f, 0, sizeof(*f));
	switch (parse_ether(f, &r)) {
	case TYPE_IPV4:
		return parse_ipv4(f, &r) && parse_ports(f, &r);
	case TYPE_IPV6:
		return parse_ipv6(f, &r) && parse_ports(f, &r);
	}
	return false;
}

/* --- the table ----------------------------------------------------------- */

/* Both halves of the product: each bit of the result hangs on all of both. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* set_no() - Of all sets, one among those for flows like @f. */
static uint64_t set_no(const struct flow *f, uint64_t id)
{
	unsigned parts = (FLOW_SETS - FLOW_FAR_SETS) / FLOW_PEER_SETS;

	if (f->uplink)
		return id % FLOW_FAR_SETS;
	return FLOW_FAR_SETS + f->peer % parts * FLOW_PEER_SETS +
	       id % FLOW_PEER_SETS;
}

uint64_t flow_id(const struct flow_table *t, const struct flow *f,
		 bool from_dst)
{
	const struct flow_end *a = from_dst ? &f->dst : &f->src;
	const struct flow_end *b = from_dst ? &f->src : &f->dst;
	uint64_t rest = (uint64_t)a->port << 48 | (uint64_t)b->port << 32 |
			f->vlan << 8 | f->proto;
	uint64_t id = fold(a->ip[0] ^ t->seed[0], b->ip[0] ^ t->seed[1]);

	if (f->is_v6)
		id = fold(a->ip[1] ^ id, b->ip[1] ^ t->seed[1]);
	/* no addresses one may choose make up for another port */
	id = fold(rest ^ id, GOLDEN ^ (uint64_t)f->peer << 1);
	return id - id % FLOW_SETS + set_no(f, id);
}

static struct flow_set *set_of(const struct flow_table *t, uint64_t id)
{
	return &t->set[id % FLOW_SETS];
}

static uint32_t print_of(uint64_t id)
{
	return (uint32_t)(id >> 32);
}

struct flow_slot *flow_find(const struct flow_table *t, uint64_t id)
{
	struct flow_set *set = set_of(t, id);

	for (unsigned i = 0; i < FLOW_WAYS; i++)
		if (set->way[i].since_ns && set->way[i].print == print_of(id))
			return &set->way[i];
	return NULL;
}

struct flow_slot *flow_add(const struct flow_table *t, uint64_t id, bool *lost)
{
	struct flow_set *set = set_of(t, id);
	struct flow_slot *oldest = &set->way[0];

	for (unsigned i = 1; i < FLOW_WAYS; i++)
		if (set->way[i].since_ns < oldest->since_ns)
			oldest = &set->way[i];
	*lost = oldest->since_ns != 0;
	oldest->print = print_of(id);
	return oldest;
}

void flow_forget(struct flow_table *t)
{
	t->seed[0] += GOLDEN;
}
