// SPDX-License-Identifier: Apache-2.0
/*
 * test_switch_response.c - what the switch measures of requests and answers
 *
 * Port 0 is the uplink; 1 and 2 are VMs A and B with a checked MAC. Real frames
 * between ports in memory, at times a test makes up.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>
#include <string.h>

#include "vhost/eal.h"
#include "vhost/port_mem.h"
#include "vhost/switch.h"

#define A    "\x52\x54\x00\x00\x00\x0a"
#define B    "\x52\x54\x00\x00\x00\x0b"
#define U    "\x00\x1b\x21\x00\x00\x01"
#define ALL  "\xff\xff\xff\xff\xff\xff"
#define TYPE "\x08\x00"

#define PORTS	3
#define RING	64
#define HOLD	100 /* frames */
#define HOLD_NS 5000

enum { UP, VM_A, VM_B };

static struct sw *sw;
static struct port *port[PORTS];

static const struct sw_conf conf = {
	.mac_entries = 1024,
	.mac_age_ns = 1000000000,
	.hold_frames = HOLD,
	.hold_ns = HOLD_NS,
};

static void watch_all(uint64_t now_ns)
{
	for (unsigned i = 0; i < PORTS; i++)
		if (port[i])
			sw_watch(sw, port[i], now_ns, NULL);
}

static int setup(void **state)
{
	static const char *const mac[PORTS] = { NULL, A, B };

	(void)state;
	if (sw_open(&sw, &conf))
		return -1;
	for (unsigned i = 0; i < PORTS; i++) {
		if (port_mem_open(&port[i], "port",
				  i ? (uint16_t)i : (uint16_t)VM_NONE, RING))
			return -1;
		port[i]->mac_check = mac[i];
		if (mac[i])
			memcpy(port[i]->mac, mac[i], 6);
		if (sw_add(sw, port[i]))
			return -1;
	}
	watch_all(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sw_close(sw);
	for (unsigned i = 0; i < PORTS; i++)
		if (port[i])
			port[i]->ops->close(port[i]);
	return 0;
}

static void feed(unsigned from, const char *head)
{
	uint8_t frame[60] = { 0 };

	memcpy(frame, head, 14);
	assert_true(port_mem_feed(port[from], frame, sizeof(frame)));
}

static void take_all(unsigned at)
{
	uint8_t frame[60];

	while (port_mem_take(port[at], frame, sizeof(frame)))
		;
}

/* Fill a VM's ring from the uplink with frames that came at @now_ns. */
static void fill(const char *head, uint64_t now_ns)
{
	for (unsigned i = 0; i < RING; i++)
		feed(UP, head);
	sw_pass(sw, now_ns);
	sw_pass(sw, now_ns);
}

/* A datagram between A's port 80 and the client 40000 outside, as the switch
 * takes it; @in: to A. It
 * has one byte of payload. */
static void feed_udp(bool in)
{
	static const uint8_t ip[] = { 0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17 };
	static const uint8_t port_of[2][2] = { { 0, 80 }, { 0x9c, 0x40 } };
	uint8_t frame[60] = { 0 };

	memcpy(frame, in ? A U TYPE : U A TYPE, 14);
	memcpy(frame + 14, ip, sizeof(ip));
	frame[29] = in ? 2 : 1; /* addresses 0.0.0.1 and 0.0.0.2 */
	frame[33] = in ? 1 : 2;
	memcpy(frame + 34, port_of[in], 2);
	memcpy(frame + 36, port_of[!in], 2);
	assert_true(port_mem_feed(port[in ? UP : VM_A], frame, sizeof(frame)));
}

/* What becomes of requests and answers on their way through the switch. */
static void test_response(void **state)
{
	enum act { ASK, ANSWER, OFF, ON, FLOOD_ASK, DOWN, UP_AGAIN, FILL };
	static const struct {
		const char *what;
		enum act act;
		uint64_t at_ns;
		uint64_t count, max_ns; /* of all samples so far */
	} row[] = {
		{ "nobody wants to know", ASK, 100, 0, 0 },
		{ "now somebody does", ON, 150, 0, 0 },
		{ "an answer to what was before", ANSWER, 200, 0, 0 },
		{ "a request", ASK, 300, 0, 0 },
		{ "its answer", ANSWER, 1300, 1, 1000 },
		{ "within one pass", ASK, 1400, 1, 1000 },
		{ "it took no time", ANSWER, 1400, 2, 1000 },
		{ "dropped: the driver is gone", DOWN, 1500, 2, 1000 },
		{ "not asked", ASK, 1600, 2, 1000 },
		{ "it is back", UP_AGAIN, 1700, 2, 1000 },
		{ "and has nothing to answer", ANSWER, 1800, 2, 1000 },
		{ "a full ring", FILL, 2000, 2, 1000 },
		{ "held, and asked all the same", ASK, 2100, 2, 1000 },
		{ "the wait for room is part of it", ANSWER, 5100, 3, 3000 },
		{ "broadcast is no request", FLOOD_ASK, 6000, 3, 3000 },
		{ "nor answered", ANSWER, 10100, 3, 3000 },
		{ "open when it is switched off", ASK, 10200, 3, 3000 },
		{ "off", OFF, 10300, 3, 3000 },
		{ "so", ANSWER, 10400, 3, 3000 },
	};
	static struct score score;

	(void)state;
	memset(&score, 0, sizeof(score));
	score.limit_ns = 1000;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint64_t at_ns = row[i].at_ns;

		if (row[i].act == ASK || row[i].act == ANSWER)
			feed_udp(row[i].act == ASK);
		else if (row[i].act == ON || row[i].act == OFF)
			sw_response(sw, port[VM_A],
				    row[i].act == ON ? &score : NULL);
		else if (row[i].act == FLOOD_ASK)
			feed(UP, ALL U TYPE);
		else if (row[i].act == FILL)
			fill(A U TYPE, at_ns);
		else
			port_mem_set_up(port[VM_A], row[i].act == UP_AGAIN);
		watch_all(at_ns);
		sw_pass(sw, at_ns);
		if (row[i].act == ANSWER)
			take_all(VM_A);
		if (score.hist.count != row[i].count ||
		    score.hist.max_ns != row[i].max_ns)
			fail_msg("%s: %u samples, up to %u ns", row[i].what,
				 (unsigned)score.hist.count,
				 (unsigned)score.hist.max_ns);
		take_all(UP);
	}
	assert_int_equal(score.done, 3);
	assert_int_equal(score.late, 1);
	assert_int_equal(port[VM_A]->count.requests_lost, 0);
}

/* One frame between two VMs is an answer of one and a request to the other. */
static void test_response_between(void **state)
{
	static struct score of_a, of_b;
	uint8_t frame[60] = { 0 };

	(void)state;
	memset(&of_a, 0, sizeof(of_a));
	memset(&of_b, 0, sizeof(of_b));
	sw_response(sw, port[VM_A], &of_a);
	sw_response(sw, port[VM_B], &of_b);
	memcpy(frame + 14, "\x45\0\0\x1d\0\0\0\0\x40\x11", 10);
	frame[35] = frame[37] = 53; /* like to like */
	for (unsigned i = 0; i < 3; i++) {
		memcpy(frame, i % 2 ? A B TYPE : B A TYPE, 14);
		assert_true(port_mem_feed(port[i % 2 ? VM_B : VM_A], frame,
					  sizeof(frame)));
		sw_pass(sw, 100 + 10 * i);
	}
	assert_int_equal(of_a.done, 1); /* asked at 110, answered at 120 */
	assert_int_equal(of_b.done, 1); /* at 100 and 110 */
	assert_int_equal(of_a.hist.max_ns + of_b.hist.max_ns, 20);
	take_all(VM_A);
	take_all(VM_B);
}

/* More clients than there is room for: said so, and no more than that. */
static void test_response_crowd(void **state)
{
	static struct score score;
	uint8_t frame[60] = { 0 };
	uint64_t lost;

	(void)state;
	memset(&score, 0, sizeof(score));
	sw_response(sw, port[VM_A], &score);
	memcpy(frame, A U TYPE "\x45\0\0\x1d\0\0\0\0\x40\x11", 24);
	frame[37] = 80;
	for (unsigned i = 0; i < 5000; i++) {
		frame[34] = 0x80 | (uint8_t)(i >> 8);
		frame[35] = (uint8_t)i;
		assert_true(port_mem_feed(port[UP], frame, sizeof(frame)));
		sw_pass(sw, 100 + i);
		take_all(VM_A);
	}
	lost = port[VM_A]->count.requests_lost;
	assert_in_range(lost, 5000 - 2048, 4000);
	/* it leaves while requests are open; who takes its place is not
	 * measured before somebody wants that */
	sw_del(sw, port[VM_A]);
	assert_int_equal(sw_add(sw, port[VM_A]), 0);
	for (unsigned i = 0; i < 2; i++) {
		feed_udp(!i);
		sw_pass(sw, 9000 + i);
	}
	take_all(VM_A);
	assert_int_equal(score.done, 0);
}

/* What is dropped for want of room is late, once. */
static void test_drops_are_late(void **state)
{
	static struct score delays;

	(void)state;
	memset(&delays, 0, sizeof(delays));
	delays.limit_ns = HOLD_NS * 10;
	fill(B U TYPE, 100);
	for (unsigned i = 0; i < HOLD + 7; i++) {
		feed(UP, B U TYPE);
		sw_pass(sw, 200);
	}
	sw_watch(sw, port[VM_B], 300, &delays);
	assert_int_equal(delays.late, 7);
	sw_pass(sw, 201 + HOLD_NS); /* all that is held is too old */
	sw_watch(sw, port[VM_B], 202 + HOLD_NS, &delays);
	assert_int_equal(delays.late, 7 + HOLD);
	assert_int_equal(delays.done, 7 + HOLD);
	assert_int_equal(delays.hist.count, 0);
	sw_watch(sw, port[VM_B], 203 + HOLD_NS, NULL);
	take_all(VM_B);
	sw_watch(sw, port[VM_B], 204 + HOLD_NS, &delays);
	assert_int_equal(delays.done, 7 + HOLD + RING);
	assert_int_equal(delays.late, 7 + HOLD);
}

static int start(void **state)
{
	const struct eal_conf eal = {
		.prefix = "hl-test-response",
		.main_cpu = (uint16_t)sched_getcpu(),
		.mbufs = 8191,
	};

	(void)state;
	return eal_start(&eal);
}

static int stop(void **state)
{
	(void)state;
	eal_stop();
	return 0;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_response),
		T(test_response_between),
		T(test_response_crowd),
		T(test_drops_are_late),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
