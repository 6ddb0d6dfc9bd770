// SPDX-License-Identifier: Apache-2.0
/*
 * test_forward.c - where a frame goes: one row, one frame
 *
 * Ports: 0 is the uplink, 1 and 2 are VMs with a checked MAC (A, B), 3 and 4
 * VMs that may use any. C was learned on 3, U on the uplink.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vhost/forward.h"

#define A	   "\x52\x54\x00\x00\x00\x0a"
#define B	   "\x52\x54\x00\x00\x00\x0b"
#define C	   "\x52\x54\x00\x00\x00\x0c"
#define U	   "\x00\x1b\x21\x00\x00\x01"
#define X	   "\x02\x00\x00\x00\x00\x99" /* nobody knows it */
#define ALL	   "\xff\xff\xff\xff\xff\xff"
#define GROUP	   "\x01\x00\x5e\x00\x00\xfb"
#define STP	   "\x01\x80\xc2\x00\x00\x00"
#define LLDP	   "\x01\x80\xc2\x00\x00\x0e"
#define ABOVE_LLDP "\x01\x80\xc2\x00\x00\x10"
#define ZERO	   "\x00\x00\x00\x00\x00\x00"
#define TYPE	   "\x08\x00"

#define PORTS 5
#define DROP(reason)                                                           \
	{                                                                      \
		VERDICT_DROP, (reason), PORT_NONE                              \
	}
#define TO(port)                                                               \
	{                                                                      \
		VERDICT_PORT, 0, port                                          \
	}
#define FLOOD                                                                  \
	{                                                                      \
		VERDICT_FLOOD, 0, PORT_NONE                                    \
	}

static struct mac_table macs;
static struct forward forward;
static struct port port[PORTS];

static void add_port(uint16_t id, bool is_uplink, const char *mac)
{
	port[id] = (struct port){ .id = id, .is_uplink = is_uplink };
	if (!mac)
		return;
	memcpy(port[id].mac, mac, 6);
	port[id].mac_check = true;
	mac_table_pin(&macs, mac_key(port[id].mac), id);
}

static int setup(void **state)
{
	(void)state;
	if (mac_table_init(&macs, 64, 1000))
		return -1;
	forward = (struct forward){ .macs = &macs, .uplink = 0 };
	add_port(0, true, NULL);
	add_port(1, false, A);
	add_port(2, false, B);
	add_port(3, false, NULL);
	add_port(4, false, NULL);
	mac_table_learn(&macs, mac_key((const uint8_t *)C), 3, 0);
	mac_table_learn(&macs, mac_key((const uint8_t *)U), 0, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mac_table_exit(&macs);
	return 0;
}

static const struct {
	const char *what;
	uint16_t from;
	const char *head;
	uint32_t head_bytes, frame_bytes;
	struct verdict out;
} rows[] = {
	{ "VM to VM", 1, B A TYPE, 14, 60, TO(2) },
	{ "VM to a learned VM", 1, C A TYPE, 14, 60, TO(3) },
	{ "VM to a station outside", 1, U A TYPE, 14, 60, TO(0) },
	{ "VM to unknown: the uplink alone", 1, X A TYPE, 14, 60, TO(0) },
	{ "outside to VM", 0, A U TYPE, 14, 60, TO(1) },
	{ "outside to unknown goes nowhere", 0, X U TYPE, 14, 60,
	  DROP(DROP_SELF) },
	{ "outside to outside goes nowhere", 0, U X TYPE, 14, 60,
	  DROP(DROP_SELF) },
	{ "to itself", 1, A A TYPE, 14, 60, DROP(DROP_SELF) },
	{ "broadcast", 1, ALL A TYPE, 14, 60, FLOOD },
	{ "multicast", 0, GROUP U TYPE, 14, 60, FLOOD },
	{ "spanning tree stays on its wire", 1, STP A TYPE, 14, 60,
	  DROP(DROP_NO_ROUTE) },
	{ "LLDP too, from outside as well", 0, LLDP U TYPE, 14, 60,
	  DROP(DROP_NO_ROUTE) },
	{ "the first address above those", 1, ABOVE_LLDP A TYPE, 14, 60,
	  FLOOD },
	{ "a VM as another VM", 1, U B TYPE, 14, 60, DROP(DROP_SOURCE_MAC) },
	{ "a VM as the gateway", 1, B U TYPE, 14, 60, DROP(DROP_SOURCE_MAC) },
	{ "a VM as nobody known", 1, B X TYPE, 14, 60, DROP(DROP_SOURCE_MAC) },
	{ "spoofed and broadcast", 1, ALL B TYPE, 14, 60,
	  DROP(DROP_SOURCE_MAC) },
	{ "an unchecked VM as a checked one", 3, U A TYPE, 14, 60,
	  DROP(DROP_SOURCE_MAC) },
	{ "an unchecked VM as the gateway", 3, B U TYPE, 14, 60,
	  DROP(DROP_SOURCE_MAC) },
	{ "an unchecked VM as another such", 4, U C TYPE, 14, 60,
	  DROP(DROP_SOURCE_MAC) },
	{ "an unchecked VM with a new address", 4, B X TYPE, 14, 60, TO(2) },
	{ "a VM's own frame come back from outside", 0, ALL A TYPE, 14, 60,
	  DROP(DROP_SOURCE_MAC) },
	{ "multicast source", 3, B GROUP TYPE, 14, 60, DROP(DROP_BAD_FRAME) },
	{ "broadcast source", 3, B ALL TYPE, 14, 60, DROP(DROP_BAD_FRAME) },
	{ "zero source", 3, B ZERO TYPE, 14, 60, DROP(DROP_BAD_FRAME) },
	{ "zero destination is unknown", 1, ZERO A TYPE, 14, 60, TO(0) },
	{ "empty", 1, "", 0, 0, DROP(DROP_BAD_FRAME) },
	{ "one byte short", 1, B A "\x08", 13, 13, DROP(DROP_BAD_FRAME) },
	{ "header in two segments", 1, B A "\x08", 13, 60,
	  DROP(DROP_BAD_FRAME) },
	{ "just a header", 1, B A TYPE, 14, 14, TO(2) },
	{ "lengths that disagree", 1, B A TYPE, 14, 13, DROP(DROP_BAD_FRAME) },
	{ "longest", 1, B A TYPE, 14, 9018, TO(2) },
	{ "too long", 1, B A TYPE, 14, 9019, DROP(DROP_BAD_FRAME) },
	{ "absurd", 1, B A TYPE, 14, UINT32_MAX, DROP(DROP_BAD_FRAME) },
};

static struct verdict decide(uint16_t from, const char *head, uint64_t now_ns)
{
	return forward_decide(&forward, &port[from], (const uint8_t *)head, 14,
			      60, now_ns);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict v, want = rows[i].out;

		teardown(NULL);
		assert_int_equal(setup(NULL), 0);
		v = forward_decide(&forward, &port[rows[i].from],
				   (const uint8_t *)rows[i].head,
				   rows[i].head_bytes, rows[i].frame_bytes, 1);
		if (v.kind != want.kind || v.port != want.port ||
		    v.reason != want.reason)
			fail_msg("%s: kind %u, port %u, %u", rows[i].what,
				 v.kind, v.port, v.reason);
	}
}

static void test_no_uplink(void **state)
{
	struct verdict v;

	(void)state;
	forward.uplink = PORT_NONE;
	v = decide(1, X A TYPE, 1);
	assert_int_equal(v.kind, VERDICT_DROP);
	assert_int_equal(v.reason, DROP_NO_ROUTE);
	v = decide(1, B A TYPE, 1);
	assert_int_equal(v.kind, VERDICT_PORT);
}

/* What is learned from a frame, and from whom nothing is. */
static void test_learning(void **state)
{
	(void)state;
	decide(4, U X TYPE, 1);
	assert_int_equal(decide(1, X A TYPE, 2).port, 4);
	decide(1, U X TYPE, 3); /* a checked port cannot take it */
	assert_int_equal(decide(2, X B TYPE, 4).port, 4);
	assert_int_equal(decide(2, X B TYPE, 1002).port, 0); /* aged */
	assert_int_equal(macs.count.evicted, 0);
}

/* 1000 a second: 101 at once (0.1 s ahead), then one each millisecond. */
static void test_flood_limit(void **state)
{
	static const struct {
		const char *what;
		uint16_t from;
		uint64_t now_ns;
		unsigned tried, passed;
	} bursts[] = {
		{ "first burst", 1, 5000000000, 500, 101 },
		{ "no time passed", 1, 5000000000, 10, 0 },
		{ "another port has its own", 2, 5000000000, 500, 101 },
		{ "one millisecond, one frame", 1, 5001000000, 10, 1 },
		{ "ten, ten", 1, 5011000000, 50, 10 },
		{ "long silence: one burst, no more", 1, 99000000000, 500,
		  101 },
	};

	(void)state;
	forward.flood_pps = 1000;
	for (size_t i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++) {
		const char *frame =
		    bursts[i].from == 1 ? ALL A TYPE : ALL B TYPE;
		unsigned passed = 0;

		for (unsigned k = 0; k < bursts[i].tried; k++) {
			struct verdict v =
			    decide(bursts[i].from, frame, bursts[i].now_ns);

			passed += v.kind == VERDICT_FLOOD;
			if (v.kind != VERDICT_FLOOD)
				assert_int_equal(v.reason, DROP_FLOOD_LIMIT);
		}
		if (passed != bursts[i].passed)
			fail_msg("%s: %u", bursts[i].what, passed);
	}
	forward.flood_pps = 0;
	for (unsigned k = 0; k < 10000; k++)
		assert_int_equal(decide(1, ALL A TYPE, 99000000000).kind,
				 VERDICT_FLOOD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_uplink, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_learning, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood_limit, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
