// SPDX-License-Identifier: Apache-2.0
/*
 * test_flow.c - headers read, conversations told apart, waits kept
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "vhost/flow.h"

#define ROWS(t)	 (sizeof(t) / sizeof((t)[0]))
#define ROUNDS	 100u
#define MACS	 "\x52\x54\x00\x00\x00\x0a\x00\x1b\x21\x00\x00\x01"
#define V4	 "\x08\x00"
#define V6	 "\x86\xdd"
#define TAG_7	 "\x81\x00\x00\x07"
#define TAG_9	 "\x88\xa8\xe0\x09" /* its priority is no part of it */
#define FROM_TO	 "\x0a\x00\x00\x01\x0a\x00\x00\x02" /* 10.0.0.1, 10.0.0.2 */
#define PORTS	 "\xc0\x00\x00\x50"		    /* 49152 to 80 */
#define UDP_REST "\x00\x00\x00\x00"
#define SEQ_ACK	 "\x00\x00\x01\x00\x00\x00\x02\x00" /* 256, 512 */
/* 16 bytes each */
#define IP6_A "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define IP6_B "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"

/* IPv4's first 12 bytes: version and length, total length, fragment, what */
#define IP4(vhl, total, frag, proto)                                           \
	vhl "\x00" total "\x00\x00" frag "\x40" proto "\x00\x00"
#define UDP4(total)	     IP4("\x45", total, "\x40\x00", "\x11") FROM_TO
#define TCP4(total)	     IP4("\x45", total, "\x40\x00", "\x06") FROM_TO
#define TCP_REST(off, flags) SEQ_ACK off flags "\x10\x00\x00\x00\x00\x00"
#define UDP6(bytes, next)    "\x60\x00\x00\x00" bytes next "\x40" IP6_A IP6_B

#define FRAME(s) s, sizeof(s) - 1
#define BAD	 false, 0, 0, 0

/* Frames go from 49152 to 80; all else as the row says. */
static const struct {
	const char *what, *head;
	uint32_t head_bytes, frame_bytes;
	bool good;
	uint32_t vlan, payload, seq_end;
} rows[] = {
	{ "nothing", FRAME(""), 0, BAD },
	{ "no whole type", FRAME(MACS "\x08"), 60, BAD },
	{ "ARP", FRAME(MACS "\x08\x06" UDP4("\x00\x20") PORTS UDP_REST), 60,
	  BAD },
	{ "UDP, 4 bytes", FRAME(MACS V4 UDP4("\x00\x20") PORTS UDP_REST), 46,
	  true, 0, 4, 0 },
	{ "padded to 60", FRAME(MACS V4 UDP4("\x00\x20") PORTS UDP_REST), 60,
	  true, 0, 4, 0 },
	{ "UDP, empty", FRAME(MACS V4 UDP4("\x00\x1c") PORTS UDP_REST), 60,
	  true, 0, 0, 0 },
	{ "says more than the frame has",
	  FRAME(MACS V4 UDP4("\x00\x20") PORTS UDP_REST), 45, BAD },
	{ "says less than headers need",
	  FRAME(MACS V4 UDP4("\x00\x1b") PORTS UDP_REST), 60, BAD },
	{ "says less than its own header",
	  FRAME(MACS V4 UDP4("\x00\x13") PORTS UDP_REST), 60, BAD },
	{ "frame shorter than its head",
	  FRAME(MACS V4 UDP4("\x00\x20") PORTS UDP_REST), 41, BAD },
	{ "IPv4 header cut", FRAME(MACS V4 "\x45\x00\x00\x20"), 60, BAD },
	{ "ports cut", FRAME(MACS V4 UDP4("\x00\x20") "\xc0\x00\x00"), 60,
	  BAD },
	{ "UDP header cut", FRAME(MACS V4 UDP4("\x00\x20") PORTS "\0\0\0"), 60,
	  BAD },
	{ "version 6 in IPv4's type",
	  FRAME(MACS V4 IP4("\x65", "\x00\x20", "\x40\x00", "\x11")
		    FROM_TO PORTS UDP_REST),
	  60, BAD },
	{ "header of 16 bytes",
	  FRAME(MACS V4 IP4("\x44", "\x00\x20", "\x40\x00", "\x11")
		    FROM_TO PORTS UDP_REST),
	  60, BAD },
	{ "options are skipped",
	  FRAME(MACS V4 IP4("\x46", "\x00\x24", "\x40\x00", "\x11") FROM_TO
		"\x01\x01\x01\x01" PORTS UDP_REST),
	  60, true, 0, 4, 0 },
	{ "options longer than the frame",
	  FRAME(MACS V4 IP4("\x4f", "\x00\x44", "\x40\x00", "\x11")
		    FROM_TO PORTS UDP_REST),
	  90, BAD },
	{ "first fragment",
	  FRAME(MACS V4 IP4("\x45", "\x00\x20", "\x20\x00", "\x11")
		    FROM_TO PORTS UDP_REST),
	  60, true, 0, 4, 0 },
	{ "later fragment",
	  FRAME(MACS V4 IP4("\x45", "\x00\x20", "\x00\x01", "\x11")
		    FROM_TO PORTS UDP_REST),
	  60, BAD },
	{ "ICMP",
	  FRAME(MACS V4 IP4("\x45", "\x00\x20", "\x40\x00", "\x01")
		    FROM_TO PORTS UDP_REST),
	  60, BAD },
	{ "one tag", FRAME(MACS TAG_7 V4 UDP4("\x00\x20") PORTS UDP_REST), 60,
	  true, 7, 4, 0 },
	{ "two tags",
	  FRAME(MACS TAG_9 TAG_7 V4 UDP4("\x00\x20") PORTS UDP_REST), 60, true,
	  9 << 12 | 7, 4, 0 },
	{ "three tags",
	  FRAME(MACS TAG_9 TAG_7 TAG_7 V4 UDP4("\x00\x20") PORTS UDP_REST), 60,
	  BAD },
	{ "tag cut", FRAME(MACS TAG_7 "\x08"), 60, BAD },
	{ "TCP, 100 bytes",
	  FRAME(MACS V4 TCP4("\x00\x8c") PORTS TCP_REST("\x50", "\x18")), 154,
	  true, 0, 100, 356 },
	{ "TCP, nothing but an ACK, padded",
	  FRAME(MACS V4 TCP4("\x00\x28") PORTS TCP_REST("\x50", "\x10")), 60,
	  true, 0, 0, 256 },
	{ "TCP, options are no payload",
	  FRAME(MACS V4 TCP4("\x00\x34") PORTS TCP_REST("\x80", "\x10")), 66,
	  true, 0, 0, 256 },
	{ "TCP, SYN is one byte",
	  FRAME(MACS V4 TCP4("\x00\x28") PORTS TCP_REST("\x50", "\x02")), 60,
	  true, 0, 0, 257 },
	{ "TCP, header of 16 bytes",
	  FRAME(MACS V4 TCP4("\x00\x28") PORTS TCP_REST("\x40", "\x10")), 60,
	  BAD },
	{ "TCP, options beyond the packet",
	  FRAME(MACS V4 TCP4("\x00\x28") PORTS TCP_REST("\x60", "\x10")), 60,
	  BAD },
	{ "TCP, header cut",
	  FRAME(MACS V4 TCP4("\x00\x28") PORTS SEQ_ACK "\x50\x10\x10"), 60,
	  BAD },
	{ "UDP over IPv6",
	  FRAME(MACS V6 UDP6("\x00\x0a", "\x11") PORTS UDP_REST), 64, true, 0,
	  2, 0 },
	{ "IPv6, more than the frame",
	  FRAME(MACS V6 UDP6("\x00\x0b", "\x11") PORTS UDP_REST), 64, BAD },
	{ "IPv6 header cut", FRAME(MACS V6 "\x60\x00\x00\x00\x00\x0a\x11"), 64,
	  BAD },
	{ "version 4 in IPv6's type",
	  FRAME(MACS V6
		"\x40\x00\x00\x00\x00\x0a\x11\x40" IP6_A IP6_B PORTS UDP_REST),
	  64, BAD },
	{ "extension headers are not followed",
	  FRAME(MACS V6 UDP6("\x00\x10", "\x00") PORTS UDP_REST), 70, BAD },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		/* memory of its own, so that one byte too far is seen */
		uint8_t *head = malloc(rows[i].head_bytes + 1);
		struct flow f;
		bool good;

		assert_non_null(head);
		memcpy(head, rows[i].head, rows[i].head_bytes);
		good = flow_parse(&f, head, rows[i].head_bytes,
				  rows[i].frame_bytes);
		free(head);
		if (good != rows[i].good)
			fail_msg("%s: %s", rows[i].what,
				 good ? "taken" : "refused");
		if (!good)
			continue;
		if (f.src.port != 49152 || f.dst.port != 80 ||
		    f.vlan != rows[i].vlan ||
		    f.payload_bytes != rows[i].payload ||
		    f.seq_end != rows[i].seq_end ||
		    f.ack != (f.proto == FLOW_TCP ? 512 : 0))
			fail_msg("%s: vlan %u, %u bytes, ends at %u, acks %u",
				 rows[i].what, f.vlan, f.payload_bytes,
				 f.seq_end, f.ack);
	}
}

static struct flow_set sets[FLOW_SETS];
static struct flow_table table;

static int setup(void **state)
{
	(void)state;
	memset(sets, 0, sizeof(sets));
	table = (struct flow_table){ .set = sets,
				     .seed = { 0x8a5cd789635d2dffull,
					       0x121fd2155c472f96ull } };
	return 0;
}

static const struct flow one = {
	.src = { { 0x0a000001, 0 }, 49152 },
	.dst = { { 0x0a000002, 0 }, 80 },
	.proto = FLOW_TCP,
};

/* What makes a conversation another one. */
static void test_ids(void **state)
{
	struct flow other[14];
	uint64_t id = flow_id(&table, &one, false);

	(void)state;
	for (unsigned i = 0; i < ROWS(other); i++)
		other[i] = one;
	other[0].src.ip[0]++;
	other[1].dst.ip[0]++;
	other[2].src.port++;
	other[3].dst.port++;
	other[4].proto = FLOW_UDP;
	other[5].vlan = 1;
	other[6].is_v6 = true;
	other[7].is_v6 = true;
	other[7].src.ip[1] = 1;
	other[8].is_v6 = true;
	other[8].dst.ip[1] = 1;
	other[9].src = one.dst; /* the answer, taken for a request */
	other[9].dst = one.src;
	other[10].src.ip[0] = one.dst.ip[0];
	other[10].dst.ip[0] = one.src.ip[0];
	other[11].src.port = one.dst.port;
	other[11].dst.port = one.src.port;
	other[12].peer = 1;
	other[13].uplink = true;
	assert_true(flow_id(&table, &other[9], true) == id);
	for (unsigned i = 0; i < ROWS(other); i++) {
		if (flow_id(&table, &other[i], false) == id)
			fail_msg("row %u has the same id", i);
		for (unsigned k = 0; k < i; k++)
			if (flow_id(&table, &other[i], false) ==
			    flow_id(&table, &other[k], false))
				fail_msg("rows %u and %u have one id", i, k);
	}
	/* not to be told from outside */
	table.seed[1]++;
	assert_false(flow_id(&table, &one, false) == id);
}

/* Client @port of address @ip asks. Return: was there room? */
static bool add(unsigned port, unsigned ip, bool is_v6)
{
	struct flow f = one;
	bool lost;

	f.src.port = (uint16_t)(40000 + port);
	f.src.ip[is_v6] += ip;
	f.is_v6 = is_v6;
	f.uplink = true;
	flow_add(&table, flow_id(&table, &f, false), &lost)->since_ns = 1;
	return !lost;
}

/* Clients as they are: one address or many, ports in a row. */
static void test_spread(void **state)
{
	static const struct {
		const char *what;
		unsigned ports, addresses;
		bool is_v6;
	} crowd[] = {
		{ "one client, 512 ports", 512, 1, false },
		{ "512 clients, one port", 1, 512, false },
		{ "16 by 32", 16, 32, false },
		{ "IPv6, 16 by 32", 16, 32, true },
	};
	unsigned lost_cnt;

	for (unsigned i = 0; i < ROWS(crowd); i++) {
		setup(state);
		lost_cnt = 0;
		for (unsigned round = 0; round < ROUNDS; round++) {
			memset(sets, 0, sizeof(sets));
			flow_forget(&table); /* another seed */
			for (unsigned k = 0; k < 512; k++)
				lost_cnt +=
				    !add(k % crowd[i].ports, k / crowd[i].ports,
					 crowd[i].is_v6);
		}
		/* 512 thrown into as many sets: 2.2 find four there */
		if (lost_cnt > 4 * ROUNDS)
			fail_msg("%s: %u lost in %u rounds", crowd[i].what,
				 lost_cnt, ROUNDS);
	}
}

static uint64_t id_in_set_3(unsigned n)
{
	return (uint64_t)(n + 1) << 32 | 3;
}

/* The set is full: who waits longest goes, and only one of that set. */
static void test_full(void **state)
{
	static const uint64_t since_ns[] = { 50, 20, 70, 40 };
	bool lost = true;

	(void)state;
	flow_add(&table, 4, &lost)->since_ns = 1;
	assert_false(lost);
	for (unsigned i = 0; i < 4; i++) {
		assert_null(flow_find(&table, id_in_set_3(i)));
		flow_add(&table, id_in_set_3(i), &lost)->since_ns = since_ns[i];
		assert_false(lost);
	}
	flow_add(&table, id_in_set_3(4), &lost)->since_ns = 80;
	assert_true(lost);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(flow_find(&table, id_in_set_3(i)) != NULL,
				 i != 1);
	flow_find(&table, id_in_set_3(2))->since_ns = 0; /* answered */
	flow_add(&table, id_in_set_3(5), &lost)->since_ns = 90;
	assert_false(lost);
	assert_int_equal(flow_find(&table, 4)->since_ns, 1);
}

/* Who opens too many crowds out his own, whatever else is open. */
static void test_parts(void **state)
{
	static const struct {
		const char *what;
		uint16_t peer;
		bool uplink, lost;
	} row[] = {
		{ "the flood's own", 3, false, true },
		{ "another port's", 4, false, false },
		{ "one's far from it", 18, false, false },
		{ "the uplink's", 3, true, false },
	};
	struct flow f = one;
	bool lost;

	(void)state;
	for (unsigned i = 0; i < ROWS(row); i++) {
		f.peer = row[i].peer;
		f.uplink = row[i].uplink;
		flow_add(&table, flow_id(&table, &f, false), &lost)->since_ns =
		    1;
	}
	f.peer = 3;
	f.uplink = false;
	for (unsigned i = 0; i < 4000; i++) {
		f.src.port = (uint16_t)(50000 + i);
		flow_add(&table, flow_id(&table, &f, false), &lost)->since_ns =
		    2 + i;
	}
	f.src.port = one.src.port;
	for (unsigned i = 0; i < ROWS(row); i++) {
		f.peer = row[i].peer;
		f.uplink = row[i].uplink;
		lost = !flow_find(&table, flow_id(&table, &f, false));
		if (lost != row[i].lost)
			fail_msg("%s: %s", row[i].what,
				 lost ? "lost" : "still there");
	}
}

static void test_forget(void **state)
{
	uint64_t id = flow_id(&table, &one, false);
	bool lost;

	(void)state;
	flow_add(&table, id, &lost)->since_ns = 5;
	assert_non_null(flow_find(&table, flow_id(&table, &one, false)));
	flow_forget(&table);
	assert_null(flow_find(&table, flow_id(&table, &one, false)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test_setup(test_ids, setup),
		cmocka_unit_test_setup(test_spread, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_parts, setup),
		cmocka_unit_test_setup(test_forget, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
