/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_port_uplink.c - uplinks on a real DPDK without hugepages
 *
 * The relay is tried with a device of the test's own, which sends back what
 * it gets; the uplink with DPDK's net_null and, for root, with a TAP whose
 * other end is a packet socket. Nothing sleeps: every wait is for an event,
 * with a limit that only a lost wake-up reaches.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hl/clock.h"
#include "vhost/eal.h"
#include "vhost/frame.h"
#include "vhost/port_relay.h"
#include "vhost/port_uplink.h"

#define WAIT_MS	    5000
#define FRAME_BYTES 60
/* A local experimental Ethernet type (IEEE 802): nobody else sends it. */
#define TEST_TYPE 0x88b5

/* What wakes the "poll thread", which is the test itself. */
static int wake_fd;

static void wake(void *arg)
{
	(void)arg;
	assert_int_equal(eventfd_write(wake_fd, 1), 0);
}

/* Sleep as a switch does: arm, look again, wait for wake() or the port's fd. */
static void port_sleep(struct port *p)
{
	struct pollfd fds[2] = {
		{ .fd = wake_fd, .events = POLLIN },
		{ .fd = p->ops->fd(p), .events = POLLIN },
	};
	eventfd_t calls;

	if (!p->ops->arm(p, true))
		assert_int_not_equal(poll(fds, 2, WAIT_MS), 0);
	p->ops->arm(p, false);
	if (fds[0].revents)
		eventfd_read(wake_fd, &calls);
}

static struct rte_mbuf *test_frame(uint8_t mark)
{
	uint8_t data[FRAME_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2 };
	struct rte_mbuf *f;

	data[12] = TEST_TYPE >> 8;
	data[13] = TEST_TYPE & 0xff;
	data[14] = mark;
	f = frame_make(eal_pool(), data, sizeof(data));
	assert_non_null(f);
	return f;
}

static unsigned fds_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* --- relay --------------------------------------------------------------- */

#define ECHO_MAX 8

struct echo {
	struct rte_mbuf *frames[ECHO_MAX]; /* relay thread */
	unsigned num;
	int fd; /* readable while there are frames */
	bool closed;
};

static unsigned echo_receive(void *dev, struct rte_mbuf **frames, unsigned max)
{
	struct echo *e = dev;
	unsigned n = e->num < max ? e->num : max;
	eventfd_t any;

	memcpy(frames, e->frames, n * sizeof(frames[0]));
	memmove(e->frames, e->frames + n, (e->num - n) * sizeof(frames[0]));
	e->num -= n;
	if (n && !e->num)
		eventfd_read(e->fd, &any);
	return n;
}

static unsigned echo_send(void *dev, struct rte_mbuf **frames, unsigned n)
{
	struct echo *e = dev;
	unsigned room = ECHO_MAX - e->num, taken = n < room ? n : room;

	memcpy(e->frames + e->num, frames, taken * sizeof(frames[0]));
	e->num += taken;
	if (taken)
		eventfd_write(e->fd, 1);
	return taken;
}

static void echo_close(void *dev)
{
	struct echo *e = dev;

	rte_pktmbuf_free_bulk(e->frames, e->num);
	e->closed = true;
}

static struct port *echo_open(struct echo *e, bool has_fd)
{
	struct relay_dev dev = {
		.receive = echo_receive,
		.send = echo_send,
		.close = echo_close,
		.dev = e,
		.fd = -1,
	};
	struct port *p;

	memset(e, 0, sizeof(*e));
	e->fd = eventfd(0, EFD_NONBLOCK);
	assert_true(e->fd >= 0);
	if (has_fd)
		dev.fd = e->fd;
	assert_int_equal(port_relay_open(&p, "echo", &dev, wake, NULL), 0);
	assert_true(p->is_uplink);
	assert_string_equal(p->name, "echo");
	return p;
}

static void echo_done(struct echo *e, struct port *p)
{
	p->ops->close(p);
	assert_true(e->closed);
	close(e->fd);
}

/* Both sides fall asleep in every round: a lost wake-up would show. */
static void relay_round_trips(struct port *p, unsigned rounds)
{
	struct rte_mbuf *f, *back;

	for (unsigned i = 0; i < rounds; i++) {
		f = test_frame((uint8_t)i);
		assert_int_equal(p->ops->push(p, &f, 1, 0), 1);
		while (!p->ops->pull(p, &back, 1))
			port_sleep(p);
		assert_int_equal(frame_head(back)[14], (uint8_t)i);
		frame_free(back);
	}
}

static void relay_wakes_both_sides(void **state)
{
	static const struct {
		const char *what;
		bool has_fd;
		unsigned rounds;
	} row[] = {
		{ "a device with a file", true, 2000 },
		{ "a device that must be asked", false, 200 },
	};
	struct echo e;
	struct port *p;

	(void)state;
	for (unsigned i = 0; i < RTE_DIM(row); i++) {
		print_message("%s\n", row[i].what);
		p = echo_open(&e, row[i].has_fd);
		relay_round_trips(p, row[i].rounds);
		assert_int_equal(p->count.drop[DROP_UPLINK_FULL], 0);
		echo_done(&e, p);
	}
}

/* The device takes 8 of a burst at most; every frame comes back or counts. */
static void relay_counts_what_is_refused(void **state)
{
	struct rte_mbuf *out[PORT_BURST], *in[PORT_BURST];
	unsigned back = 0, sent = 0;
	struct echo e;
	struct port *p = echo_open(&e, true);
	uint64_t limit_ns = clock_now_ns() + WAIT_MS * NSEC_PER_MSEC;

	(void)state;
	for (unsigned i = 0; i < PORT_BURST; i++)
		out[i] = test_frame((uint8_t)i);
	sent = p->ops->push(p, out, PORT_BURST, 0);
	assert_int_equal(sent, PORT_BURST);
	while (back + p->count.drop[DROP_UPLINK_FULL] < sent) {
		unsigned n = p->ops->pull(p, in, PORT_BURST);

		rte_pktmbuf_free_bulk(in, n);
		back += n;
		assert_true(clock_now_ns() < limit_ns);
	}
	assert_true(back >= ECHO_MAX);
	echo_done(&e, p);
}

/* What nobody pulled, and what the relay did not get to, is freed. */
static void relay_close_frees_frames(void **state)
{
	unsigned before = rte_mempool_avail_count(eal_pool());
	struct rte_mbuf *f;
	struct echo e;
	struct port *p = echo_open(&e, true);

	(void)state;
	for (unsigned i = 0; i < 4 * PORT_BURST; i++) {
		f = test_frame(0);
		assert_int_equal(p->ops->push(p, &f, 1, 0), 1);
	}
	echo_done(&e, p);
	assert_int_equal(rte_mempool_avail_count(eal_pool()), before);
}

/* --- uplink -------------------------------------------------------------- */

static void uplink_refuses_bad_specs(void **state)
{
	static const struct {
		const char *what, *spec;
		int err;
	} row[] = {
		{ "nothing", "", -EINVAL },
		{ "no kind", "dpdktap", -EINVAL },
		{ "no name", "tap:", -EINVAL },
		{ "unknown kind", "eth:eth0", -EINVAL },
		{ "a kind's beginning", "ta:x", -EINVAL },
		{ "TAP name too long", "tap:abcdefghijklmnop", -EINVAL },
		{ "TAP name with options", "tap:x,remote=eth0", -EINVAL },
		{ "no such device", "pci:0000:ff:1f.7", 0 },
		{ "no such driver", "vdev:net_nothing0", 0 },
	};
	unsigned before = fds_open();
	struct port *p;
	int err;

	(void)state;
	for (unsigned i = 0; i < RTE_DIM(row); i++) {
		print_message("%s\n", row[i].what);
		err = port_uplink_open(&p, row[i].spec, wake, NULL);
		if (row[i].err)
			assert_int_equal(err, row[i].err);
		else /* DPDK's own word */
			assert_true(err < 0);
	}
	assert_int_equal(fds_open(), before);
}

static void uplink_direct(void **state)
{
	struct rte_mbuf *frames[PORT_BURST];
	struct port *p;

	(void)state;
	for (unsigned again = 0; again < 2; again++) {
		assert_int_equal(
		    port_uplink_open(&p, "vdev:net_null0,size=64", wake, NULL),
		    0);
		assert_string_equal(p->name, "net_null0");
		assert_int_equal(p->vm, VM_NONE);
		assert_true(p->is_uplink);
		assert_int_equal(port_uplink_open(&(struct port *){ NULL },
						  "vdev:net_null0", wake, NULL),
				 -EEXIST);
		assert_int_equal(p->ops->pull(p, frames, PORT_BURST),
				 PORT_BURST);
		assert_int_equal(p->ops->push(p, frames, PORT_BURST, 0),
				 PORT_BURST);
		/* Without interrupts nobody may sleep. */
		assert_int_equal(p->ops->fd(p), -1);
		assert_true(p->ops->arm(p, true));
		assert_false(p->ops->arm(p, false));
		p->ops->close(p);
	}
}

static int packet_socket(const char *name)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(TEST_TYPE),
		.sll_ifindex = (int)if_nametoindex(name),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_not_equal(at.sll_ifindex, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* The kernel talks on a new interface too: pull until it is ours. */
static struct rte_mbuf *pull_ours(struct port *p)
{
	struct rte_mbuf *f;

	for (;;) {
		while (!p->ops->pull(p, &f, 1))
			port_sleep(p);
		if (frame_head(f)[12] == TEST_TYPE >> 8 &&
		    frame_head(f)[13] == (TEST_TYPE & 0xff))
			return f;
		frame_free(f);
	}
}

static void tap_round_trips(struct port *p, int sock, unsigned rounds)
{
	struct pollfd readable = { .fd = sock, .events = POLLIN };
	uint8_t data[FRAME_BYTES];
	uint64_t start_ns = clock_now_ns();
	struct rte_mbuf *f;

	for (unsigned i = 0; i < rounds; i++) {
		f = test_frame((uint8_t)i);
		assert_int_equal(p->ops->push(p, &f, 1, 0), 1);
		assert_int_equal(poll(&readable, 1, WAIT_MS), 1);
		assert_int_equal(recv(sock, data, sizeof(data), 0),
				 FRAME_BYTES);
		assert_int_equal(data[14], (uint8_t)i);
		assert_int_equal(send(sock, data, sizeof(data), 0),
				 FRAME_BYTES);
		f = pull_ours(p);
		assert_int_equal(frame_bytes(f), FRAME_BYTES);
		assert_int_equal(frame_head(f)[14], (uint8_t)i);
		frame_free(f);
	}
	print_message("%llu us a round trip\n",
		      (unsigned long long)((clock_now_ns() - start_ns) /
					   rounds / NSEC_PER_USEC));
}

static void uplink_tap(void **state)
{
	char name[IFNAMSIZ], spec[32];
	unsigned before = 0;
	struct port *p;
	int sock;

	(void)state;
	if (access("/dev/net/tun", R_OK | W_OK) || geteuid() != 0) {
		print_message("skipped: no rights on /dev/net/tun\n");
		skip();
	}
	snprintf(name, sizeof(name), "dpdk%d", getpid() % 100000);
	snprintf(spec, sizeof(spec), "tap:%s", name);
	for (unsigned again = 0; again < 3; again++) {
		assert_int_equal(port_uplink_open(&p, spec, wake, NULL), 0);
		sock = packet_socket(name);
		tap_round_trips(p, sock, 500);
		close(sock);
		p->ops->close(p);
		assert_int_equal(if_nametoindex(name), 0);
		/* The first time DPDK opens files that it keeps. */
		if (!before)
			before = fds_open();
		assert_int_equal(fds_open(), before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relay_wakes_both_sides),
		cmocka_unit_test(relay_counts_what_is_refused),
		cmocka_unit_test(relay_close_frees_frames),
		cmocka_unit_test(uplink_refuses_bad_specs),
		cmocka_unit_test(uplink_direct),
		cmocka_unit_test(uplink_tap),
	};
	struct eal_conf conf = {
		.prefix = "test_port_uplink",
		.mbufs = 8191,
		.log_level = "critical", /* bad specs are meant to fail */
	};
	int failed;

	if (eal_start(&conf)) {
		fprintf(stderr, "DPDK does not start\n");
		return 1;
	}
	wake_fd = eventfd(0, EFD_NONBLOCK);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	eal_stop();
	return failed;
}
