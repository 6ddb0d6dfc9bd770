// SPDX-License-Identifier: Apache-2.0
/*
 * test_switch.c - the switch with real frames between ports in memory
 *
 * Port 0 is the uplink; 1, 2 and 3 are VMs A, B and C with a checked MAC, 4 is
 * VM D that may use any. A test feeds frames, runs a pass at a time it makes
 * up, and takes what came out. Each frame is its header and one byte, a mark.
 * After every test each frame must be back in the pool.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <rte_mbuf.h>

#include "vhost/eal.h"
#include "vhost/port_mem.h"
#include "vhost/switch.h"

#define A    "\x52\x54\x00\x00\x00\x0a"
#define B    "\x52\x54\x00\x00\x00\x0b"
#define C    "\x52\x54\x00\x00\x00\x0c"
#define D    "\x52\x54\x00\x00\x00\x0d"
#define U    "\x00\x1b\x21\x00\x00\x01"
#define X    "\x02\x00\x00\x00\x00\x99" /* nobody knows it */
#define ALL  "\xff\xff\xff\xff\xff\xff"
#define TYPE "\x08\x00"

#define PORTS	  5
#define RING	  64
#define HOLD	  100 /* frames */
#define HOLD_NS	  1000
#define POOL	  8191
#define MINUTE_NS 60000000000ull

enum { UP, VM_A, VM_B, VM_C, VM_D };

static struct sw *sw;
static struct port *port[PORTS];

static const struct sw_conf conf = {
	.mac_entries = 1024,
	.mac_age_ns = 1000000000,
	.hold_frames = HOLD,
	.hold_ns = HOLD_NS,
	.flood_pps = 1000,
};

static void watch_all(uint64_t now_ns)
{
	for (unsigned i = 0; i < PORTS; i++)
		if (port[i])
			sw_watch(sw, port[i], now_ns, NULL);
}

static int setup(void **state)
{
	static const char *const mac[PORTS] = { NULL, A, B, C, NULL };
	static const char *const name[PORTS] = { "up", "a", "b", "c", "d" };

	(void)state;
	alarm(60); /* a lost wake-up is a hang */
	if (sw_open(&sw, &conf))
		return -1;
	for (unsigned i = 0; i < PORTS; i++) {
		if (port_mem_open(&port[i], name[i],
				  i ? (uint16_t)i : (uint16_t)VM_NONE, RING))
			return -1;
		if (mac[i]) {
			memcpy(port[i]->mac, mac[i], 6);
			port[i]->mac_check = true;
		}
		if (sw_add(sw, port[i]))
			return -1;
	}
	watch_all(0);
	return 0;
}

static void remove_port(unsigned i)
{
	sw_del(sw, port[i]);
	port[i]->ops->close(port[i]);
	port[i] = NULL;
}

static int teardown(void **state)
{
	(void)state;
	sw_close(sw);
	for (unsigned i = 0; i < PORTS; i++)
		if (port[i])
			port[i]->ops->close(port[i]);
	alarm(0);
	if (rte_mempool_avail_count(eal_pool()) == POOL)
		return 0;
	print_error("%u frames leaked\n", rte_mempool_in_use_count(eal_pool()));
	return -1;
}

static void feed(unsigned from, const char *head, char mark)
{
	char frame[60] = { 0 };

	memcpy(frame, head, 14);
	frame[14] = mark;
	assert_true(port_mem_feed(port[from], frame, sizeof(frame)));
}

/* The marks of all frames that wait in a port, in order. */
static const char *take_all(unsigned at)
{
	static char marks[RING + 1];
	char frame[60];
	unsigned n = 0;

	while (n < RING && port_mem_take(port[at], frame, sizeof(frame)))
		marks[n++] = frame[14];
	marks[n] = '\0';
	return marks;
}

/* Fill a VM's ring from the uplink with frames that came at @now_ns. */
static void fill(const char *head, uint64_t now_ns)
{
	for (unsigned i = 0; i < RING; i++)
		feed(UP, head, '.');
	sw_pass(sw, now_ns);
	sw_pass(sw, now_ns);
}

/*
 * One frame, where it must come out, and who must count which drop. The frames
 * go through the same switch, one after the other: it learns from them.
 */
static const struct {
	const char *what;
	unsigned from;
	const char *head;
	bool out[PORTS];
	int suffers; /* -1: nobody */
	enum drop reason;
} rows[] = {
	{ "VM to VM", VM_A, B A TYPE, { 0, 0, 1, 0, 0 }, -1, 0 },
	{ "unknown: uplink only", VM_A, X A TYPE, { 1, 0, 0, 0, 0 }, -1, 0 },
	{ "from outside", UP, C U TYPE, { 0, 0, 0, 1, 0 }, -1, 0 },
	{ "D not yet learned", VM_A, D A TYPE, { 1, 0, 0, 0, 0 }, -1, 0 },
	{ "D speaks", VM_D, A D TYPE, { 0, 1, 0, 0, 0 }, -1, 0 },
	{ "D learned", VM_A, D A TYPE, { 0, 0, 0, 0, 1 }, -1, 0 },
	{ "broadcast to all others",
	  VM_A,
	  ALL A TYPE,
	  { 1, 0, 1, 1, 1 },
	  -1,
	  0 },
	{ "also from outside", UP, ALL U TYPE, { 0, 1, 1, 1, 1 }, -1, 0 },
	{ "A as B", VM_A, C B TYPE, { 0 }, VM_A, DROP_SOURCE_MAC },
	{ "D as B", VM_D, C B TYPE, { 0 }, VM_D, DROP_SOURCE_MAC },
	{ "D as the station outside",
	  VM_D,
	  C U TYPE,
	  { 0 },
	  VM_D,
	  DROP_SOURCE_MAC },
	{ "bad source", VM_D, C ALL TYPE, { 0 }, VM_D, DROP_BAD_FRAME },
	{ "to itself", VM_A, A A TYPE, { 0 }, VM_A, DROP_SELF },
	{ "unknown from outside", UP, X U TYPE, { 0 }, UP, DROP_SELF },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int who = rows[i].suffers;
		uint64_t before =
		    who < 0 ? 0 : port[who]->count.drop[rows[i].reason];

		feed(rows[i].from, rows[i].head, 'x');
		assert_int_equal(sw_pass(sw, 1000 + i), 1);
		for (unsigned k = 0; k < PORTS; k++)
			if (strcmp(take_all(k), rows[i].out[k] ? "x" : ""))
				fail_msg("%s: port %u", rows[i].what, k);
		if (who >= 0 &&
		    port[who]->count.drop[rows[i].reason] != before + 1)
			fail_msg("%s: not counted", rows[i].what);
	}
	assert_int_equal(sw_pass(sw, 2000), 0);
	assert_int_equal(port[VM_A]->count.from_frames, 7);
	assert_int_equal(port[VM_A]->count.from_bytes, 7 * 60);
	assert_int_equal(port[VM_B]->count.to_frames, 3);
	assert_int_equal(port[VM_B]->count.to_bytes, 3 * 60);
}

static void test_flood_limit(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 5; round++) { /* 160 at one time */
		for (unsigned i = 0; i < 32; i++)
			feed(VM_A, ALL A TYPE, 'x');
		sw_pass(sw, 5000);
		for (unsigned k = 0; k < PORTS; k++)
			take_all(k);
	}
	assert_int_equal(port[VM_B]->count.to_frames, 101);
	assert_int_equal(port[UP]->count.to_frames, 101);
	assert_int_equal(port[VM_A]->count.drop[DROP_FLOOD_LIMIT], 59);
}

static void test_port_down(void **state)
{
	(void)state;
	port_mem_set_up(port[VM_B], false);
	watch_all(1);
	feed(VM_A, B A TYPE, '1');
	feed(VM_A, ALL A TYPE, '2');
	sw_pass(sw, 2);
	assert_string_equal(take_all(VM_B), "");
	assert_string_equal(take_all(VM_C), "2");
	assert_int_equal(port[VM_B]->count.drop[DROP_PORT_DOWN], 1);
	port_mem_set_up(port[VM_B], true);
	watch_all(3);
	feed(VM_A, B A TYPE, '3');
	sw_pass(sw, 4);
	assert_string_equal(take_all(VM_B), "3");
}

/* Frames are held in order; a new one does not overtake them. */
static void test_hold_order(void **state)
{
	char frame[60];

	(void)state;
	fill(B U TYPE, 100);
	feed(VM_A, B A TYPE, '1');
	feed(VM_C, B C TYPE, '2');
	sw_pass(sw, 200);
	watch_all(250);
	assert_int_equal(port[VM_B]->signal.held, 2);
	assert_int_equal(port[VM_B]->signal.untaken, RING);
	assert_int_equal(port[VM_B]->signal.delay_ns, 150);
	assert_true(sw_sleep(sw, MINUTE_NS)); /* comes back to try again */

	/* Room for one: the oldest gets it, though a newer one comes */
	assert_int_equal(port_mem_take(port[VM_B], frame, sizeof(frame)), 60);
	feed(VM_A, B A TYPE, '3');
	assert_int_equal(sw_pass(sw, 300), 2);
	for (unsigned i = 0; i < RING - 1; i++)
		port_mem_take(port[VM_B], frame, sizeof(frame));
	assert_string_equal(take_all(VM_B), "1");
	assert_int_equal(sw_pass(sw, 400), 2);
	assert_string_equal(take_all(VM_B), "23");
	assert_int_equal(port[VM_B]->count.to_frames, RING + 3);
	watch_all(500);
	assert_int_equal(port[VM_B]->signal.held, 0);
	assert_int_equal(port[VM_B]->signal.delay_ns, 0);
}

static unsigned pull_while_b_takes(struct port *p, struct rte_mbuf **frames,
				   unsigned max)
{
	char frame[60];

	port_mem_take(port[VM_B], frame, sizeof(frame));
	return port[UP]->ops->pull(p, frames, max);
}

/* Room comes up after the held frames were tried: still no overtaking. */
static void test_hold_no_overtaking(void **state)
{
	const struct port_ops *before = port[VM_A]->ops;
	struct port_ops ops = *before;

	(void)state;
	fill(B U TYPE, 100);
	feed(VM_A, B A TYPE, '1');
	sw_pass(sw, 200);
	feed(VM_A, B A TYPE, '2');
	ops.pull = pull_while_b_takes;
	port[VM_A]->ops = &ops;
	assert_int_equal(sw_pass(sw, 300), 1);
	port[VM_A]->ops = before;
	take_all(VM_B);
	assert_int_equal(sw_pass(sw, 400), 2);
	assert_string_equal(take_all(VM_B), "12");
}

/* The delay of a held frame counts from when it came, not from its push. */
static void test_hold_delay(void **state)
{
	static struct score delays;

	(void)state;
	memset(&delays, 0, sizeof(delays));
	fill(B U TYPE, 100);
	feed(VM_A, B A TYPE, '1');
	sw_pass(sw, 200);
	take_all(VM_B);
	sw_watch(sw, port[VM_B], 300, &delays);
	assert_int_equal(delays.hist.count, RING);
	assert_int_equal(delays.hist.max_ns, 200);	    /* the first ones */
	assert_int_equal(port[VM_B]->signal.delay_ns, 100); /* still held */
	sw_pass(sw, 900);
	sw_watch(sw, port[VM_B], 1000, &delays);
	assert_int_equal(port[VM_B]->signal.held, 0);
	assert_int_equal(port[VM_B]->signal.delay_ns, 800);
	assert_string_equal(take_all(VM_B), "1");
	sw_watch(sw, port[VM_B], 1100, &delays);
	assert_int_equal(delays.hist.count, RING + 1);
	assert_int_equal(delays.hist.max_ns, 900);
}

/* looks() - "ab": the ports the switch wants looked at, and they are. */
static const char *looks(uint64_t now_ns)
{
	static char names[PORTS + 1];
	unsigned cnt = sw_looks(sw);

	assert_in_range(cnt, 0, PORTS);
	for (unsigned i = 0; i < cnt; i++) {
		struct port *p = sw_next_look(sw);

		names[i] = p->name[0];
		sw_watch(sw, p, now_ns, NULL);
	}
	names[cnt] = '\0';
	return names;
}

/* A port is named when something of it may be new, and while frames wait. */
static void test_looks(void **state)
{
	(void)state;
	assert_string_equal(looks(0), "abcd");
	sw_pass(sw, 100);
	assert_string_equal(looks(100), "abcd"); /* they are up now */
	sw_pass(sw, 200);
	assert_string_equal(looks(200), "");
	feed(UP, B U TYPE, '1');
	sw_pass(sw, 300);
	assert_string_equal(looks(300), "b");
	assert_string_equal(looks(400), "b"); /* not taken yet */
	assert_string_equal(take_all(VM_B), "1");
	assert_string_equal(looks(500), "b");
	assert_string_equal(looks(600), "");
	feed(VM_A, U A TYPE, '2'); /* an answer perhaps */
	sw_pass(sw, 700);
	assert_string_equal(looks(700), "a");
	take_all(UP);
	fill(B U TYPE, 800);
	feed(UP, B U TYPE, '3');
	feed(UP, C U TYPE, '4');
	sw_pass(sw, 800);
	assert_string_equal(looks(800), "bc");
	remove_port(VM_B);
	assert_string_equal(looks(900), "c");
	port_mem_set_up(port[VM_D], false);
	take_all(VM_C);
	sw_pass(sw, 1000);
	assert_string_equal(looks(1000), "cd");
	sw_pass(sw, 1100);
	assert_string_equal(looks(1100), "");
}

static void test_hold_full(void **state)
{
	(void)state;
	fill(B U TYPE, 100);
	for (unsigned i = 0; i < HOLD + 7; i++) {
		feed(UP, B U TYPE, 'x');
		sw_pass(sw, 200);
	}
	watch_all(200);
	assert_int_equal(port[VM_B]->signal.held, HOLD);
	assert_int_equal(port[VM_B]->count.drop[DROP_HOLD_FULL], 7);
	assert_int_equal(port[UP]->count.drop[DROP_HOLD_FULL], 0);
}

static void test_hold_age(void **state)
{
	(void)state;
	fill(B U TYPE, 100);
	feed(VM_A, B A TYPE, '1');
	sw_pass(sw, 200);
	feed(VM_A, B A TYPE, '2');
	sw_pass(sw, 300);
	sw_pass(sw, 200 + HOLD_NS);
	assert_int_equal(port[VM_B]->count.drop[DROP_HOLD_AGE], 0);
	sw_pass(sw, 200 + HOLD_NS + 1);
	assert_int_equal(port[VM_B]->count.drop[DROP_HOLD_AGE], 1);
	take_all(VM_B);
	sw_pass(sw, 250 + HOLD_NS);
	assert_string_equal(take_all(VM_B), "2");
}

/* A guest's driver stops with frames held for it. */
static void test_hold_down(void **state)
{
	(void)state;
	fill(B U TYPE, 100);
	feed(VM_A, B A TYPE, '1');
	sw_pass(sw, 200);
	port_mem_set_up(port[VM_B], false);
	watch_all(210);
	sw_pass(sw, 220);
	watch_all(230);
	assert_int_equal(port[VM_B]->signal.held, 0);
	assert_int_equal(port[VM_B]->count.drop[DROP_PORT_DOWN], 1);
}

static void test_uplink_full(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RING; i++)
		feed(VM_A, X A TYPE, '.');
	sw_pass(sw, 1);
	sw_pass(sw, 1);
	feed(VM_A, X A TYPE, 'x');
	sw_pass(sw, 2);
	assert_int_equal(port[UP]->count.drop[DROP_UPLINK_FULL], 1);
	assert_int_equal(port[UP]->count.to_frames, RING);
}

/*
 * Ports leave with held, flooded, fed and untaken frames; teardown looks for
 * leaks. What pointed at them points at them no more.
 */
static void test_remove(void **state)
{
	(void)state;
	fill(B U TYPE, 100);
	feed(VM_A, B A TYPE, '1');
	feed(VM_A, ALL A TYPE, '2'); /* one frame in five places */
	sw_pass(sw, 200);
	feed(VM_B, A B TYPE, '3'); /* never pulled */
	remove_port(VM_B);
	assert_string_equal(take_all(VM_C), "2");
	assert_string_equal(take_all(VM_D), "2");
	feed(VM_A, B A TYPE, '4');
	sw_pass(sw, 300);
	assert_string_equal(take_all(UP), "24"); /* unknown again */
	remove_port(UP);
	feed(VM_A, B A TYPE, '5');
	feed(VM_A, C A TYPE, '6');
	sw_pass(sw, 400);
	assert_string_equal(take_all(VM_C), "6");
	assert_int_equal(port[VM_A]->count.drop[DROP_NO_ROUTE], 1);

	/* B comes back, in the uplink's old slot */
	assert_int_equal(port_mem_open(&port[VM_B], "b", 9, RING), 0);
	memcpy(port[VM_B]->mac, B, 6);
	assert_int_equal(sw_add(sw, port[VM_B]), 0);
	watch_all(500);
	feed(VM_A, B A TYPE, '7');
	sw_pass(sw, 600);
	assert_string_equal(take_all(VM_B), "7");
}

static void test_same_mac_twice(void **state)
{
	struct port *thief;

	(void)state;
	assert_int_equal(port_mem_open(&thief, "thief", 9, RING), 0);
	memcpy(thief->mac, B, 6);
	assert_int_equal(sw_add(sw, thief), -EEXIST);
	feed(VM_A, B A TYPE, '1');
	sw_pass(sw, 1);
	assert_string_equal(take_all(VM_B), "1");
	thief->ops->close(thief);
}

/* A long frame is a chain of segments; it arrives whole, also flooded. */
static void test_chain(void **state)
{
	static char in[9019], out[9019];
	const uint16_t longest = 9018;

	(void)state;
	memcpy(in, ALL A TYPE, 14);
	for (unsigned i = 14; i < sizeof(in); i++)
		in[i] = (char)(i * 7);
	assert_true(port_mem_feed(port[VM_A], in, longest));
	sw_pass(sw, 1);
	for (unsigned k = 0; k < PORTS; k++) {
		if (k == VM_A)
			continue;
		assert_int_equal(port_mem_take(port[k], out, sizeof(out)),
				 longest);
		assert_memory_equal(in, out, longest);
	}
	for (unsigned bytes = 0; bytes < 14; bytes++)
		assert_true(port_mem_feed(port[VM_A], in, (uint16_t)bytes));
	assert_true(port_mem_feed(port[VM_A], in, longest + 1));
	sw_pass(sw, 2);
	assert_int_equal(port[VM_A]->count.drop[DROP_BAD_FRAME], 15);
}

/* --- sleeping ------------------------------------------------------------ */

#define ROUNDS 5000u

static void *guest(void *arg)
{
	char frame[60] = B A TYPE, echo[60];

	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (!port_mem_feed(port[VM_A], frame, sizeof(frame)))
			return "feed";
		while (!port_mem_take(port[VM_B], echo, sizeof(echo)))
			sched_yield();
	}
	sw_wake(sw);
	return NULL;
}

/* A guest sends one frame at a time to a switch that sleeps after each pass:
 * if a kick were lost once, both would wait for ever. */
static void test_no_lost_kick(void **state)
{
	uint64_t moved = 0, slept = 0;
	pthread_t thread;
	void *failed;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, guest, NULL), 0);
	while (moved < ROUNDS) {
		moved += sw_pass(sw, 1 + moved);
		slept += sw_sleep(sw, MINUTE_NS);
	}
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_true(slept > 0);
	assert_int_equal(port[VM_B]->count.to_frames, ROUNDS);
}

static void test_sleep(void **state)
{
	(void)state;
	assert_true(sw_sleep(sw, 1000)); /* nothing to do: time is up */
	feed(VM_A, B A TYPE, '1');
	assert_false(sw_sleep(sw, MINUTE_NS)); /* work before it slept */
	sw_pass(sw, 1);
	sw_wake(sw);
	assert_true(sw_sleep(sw, MINUTE_NS)); /* called before it slept */
}

static int fd_closed(struct port *p)
{
	(void)p;
	return 1023; /* nobody's */
}

/* A guest goes, another comes: the file changes, or is closed under us. */
static void test_sleep_new_file(void **state)
{
	struct port_ops ops = *port[VM_A]->ops;
	const struct port_ops *before = port[VM_A]->ops;

	(void)state;
	assert_true(sw_sleep(sw, 0));
	ops.fd = fd_closed;
	port[VM_A]->ops = &ops;
	port[VM_A]->fd_gen++;
	assert_true(sw_sleep(sw, 0));
	port[VM_A]->ops = before; /* the same generation: it looks again */
	assert_true(sw_sleep(sw, 0));
	before->arm(port[VM_A], true);
	feed(VM_A, B A TYPE, '1'); /* kicks now */
	sw_pass(sw, 1);		   /* so that arm finds no work */
	assert_true(sw_sleep(sw, MINUTE_NS));
}

/* --- configuration ------------------------------------------------------- */

static void test_set(void **state)
{
	struct sw_conf c = conf;

	(void)state;
	fill(B U TYPE, 100);
	c.hold_frames = 0;
	sw_set(sw, &c);
	feed(VM_A, B A TYPE, '1');
	sw_pass(sw, 200);
	assert_int_equal(port[VM_B]->count.drop[DROP_HOLD_FULL], 1);
	assert_int_equal(sw_mac_count(sw)->refused, 0);
	feed(VM_D, B A TYPE, '1');
	sw_pass(sw, 300);
	assert_int_equal(sw_mac_count(sw)->refused, 1);
	c.mac_entries = 1000;
	assert_int_equal(sw_open(&sw, &c), -EINVAL);
}

static int start(void **state)
{
	const struct eal_conf eal = {
		.prefix = "hl-test-switch",
		.main_cpu = (uint16_t)sched_getcpu(),
		.mbufs = POOL,
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

#define case_of(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		case_of(test_rows),
		case_of(test_flood_limit),
		case_of(test_port_down),
		case_of(test_hold_order),
		case_of(test_hold_no_overtaking),
		case_of(test_hold_delay),
		case_of(test_looks),
		case_of(test_hold_full),
		case_of(test_hold_age),
		case_of(test_hold_down),
		case_of(test_uplink_full),
		case_of(test_remove),
		case_of(test_same_mac_twice),
		case_of(test_chain),
		case_of(test_no_lost_kick),
		case_of(test_sleep),
		case_of(test_sleep_new_file),
		case_of(test_set),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
