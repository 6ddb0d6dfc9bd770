// SPDX-License-Identifier: Apache-2.0
/*
 * bench_switch.c - what one pass of the switch costs, 2 to 256 ports in memory
 *
 * Each VM sends a burst of requests to its neighbour in one pass, which answers
 * them in the next; feeding and taking are outside the timed part. Idle passes
 * and passes with one busy port show what ports cost that have nothing to say.
 * The last two columns are the same passes in turns, with nobody's response
 * measured and with everybody's. The median of many passes is given: the
 * machine's own interrupts are not the switch's.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hl/clock.h"
#include "vhost/eal.h"
#include "vhost/port_mem.h"
#include "vhost/switch.h"

#define PORTS_MAX    256
#define RING	     64
#define FRAME_BYTES  64
#define PASSES	     301
#define ROUNDS	     9 /* off and on, in turns */
#define FIGURE_PORTS 32

static struct sw *sw;
static struct port *port[PORTS_MAX];

static void mac_of(unsigned n, uint8_t *mac)
{
	const uint8_t m[6] = {
		0x52, 0x54, 0, 0, (uint8_t)(n >> 8), (uint8_t)n
	};

	memcpy(mac, m, sizeof(m));
}

static int open_ports(unsigned cnt)
{
	const struct sw_conf conf = {
		.mac_entries = 8192,
		.mac_age_ns = 300 * NSEC_PER_SEC,
		.hold_frames = 256,
		.hold_ns = NSEC_PER_MSEC,
	};
	int err = sw_open(&sw, &conf);

	for (unsigned i = 0; !err && i < cnt; i++) {
		err = port_mem_open(&port[i], "bench", (uint16_t)i, RING);
		if (err)
			break;
		mac_of(i, port[i]->mac);
		port[i]->mac_check = true;
		err = sw_add(sw, port[i]);
		if (!err)
			sw_watch(sw, port[i], 0, NULL);
	}
	return err;
}

static void close_ports(unsigned cnt)
{
	sw_close(sw);
	for (unsigned i = 0; i < cnt; i++)
		port[i]->ops->close(port[i]);
}

/* A datagram between a client, VM @client, and the server that is its neighbour
 * of @cnt; one of PORT_BURST flows. */
static void make_frame(uint8_t *frame, unsigned client, unsigned cnt,
		       unsigned flow, bool request)
{
	static const uint8_t ip[] = {
		8, 0, 0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17
	};
	unsigned server = (client + 1) % cnt;
	unsigned to = request ? server : client,
		 from = request ? client : server;
	uint8_t *at_client = frame + (request ? 34 : 36);
	uint8_t *at_server = frame + (request ? 36 : 34);

	memset(frame, 0, FRAME_BYTES);
	mac_of(to, frame);
	mac_of(from, frame + 6);
	memcpy(frame + 12, ip, sizeof(ip));
	memcpy(frame + 26, frame + 8, 4); /* addresses as the MACs end */
	memcpy(frame + 30, frame + 2, 4);
	at_client[0] = 0x9c; /* 40000 on */
	at_client[1] = (uint8_t)(0x40 + flow);
	at_server[1] = 80;
}

/* Give VM @client's burst of requests to it, or the answers to its server. */
static bool feed(unsigned client, unsigned cnt, bool request)
{
	struct port *from = port[request ? client : (client + 1) % cnt];
	uint8_t frame[FRAME_BYTES];

	for (unsigned k = 0; k < PORT_BURST; k++) {
		make_frame(frame, client, cnt, k, request);
		if (!port_mem_feed(from, frame, sizeof(frame)))
			return false;
	}
	return true;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * median_pass_ns() - Passes over @cnt ports of which @busy send a burst each
 * Return: the median, or 0 when frames were lost: then it measured nothing.
 */
static uint64_t median_pass_ns(unsigned cnt, unsigned busy)
{
	static uint64_t took[PASSES];
	uint8_t frame[FRAME_BYTES];

	for (unsigned i = 0; i < PASSES; i++) {
		uint64_t begun;
		unsigned moved, taken = 0;

		for (unsigned n = 0; n < busy; n++)
			if (!feed(n, cnt, i % 2 == 0))
				return 0;
		begun = clock_now_ns();
		moved = sw_pass(sw, begun);
		took[i] = clock_now_ns() - begun;
		for (unsigned n = 0; n < cnt; n++)
			while (port_mem_take(port[n], frame, sizeof(frame)))
				taken++;
		if (moved != busy * PORT_BURST || taken != moved)
			return 0;
	}
	qsort(took, PASSES, sizeof(took[0]), by_value);
	return took[PASSES / 2] ? took[PASSES / 2] : 1;
}

/* Every VM's response is measured, or nobody's. */
static void respond(unsigned cnt, bool on)
{
	static struct score score[PORTS_MAX];

	for (unsigned n = 0; n < cnt; n++)
		sw_response(sw, port[n], on ? &score[n] : NULL);
}

/* The median of the rounds' medians. Return: false when it could not be. */
static bool off_and_on(unsigned cnt, uint64_t *off, uint64_t *on)
{
	uint64_t took[2][ROUNDS];

	for (unsigned i = 0; i < 2 * ROUNDS; i++) {
		respond(cnt, i % 2);
		took[i % 2][i / 2] = median_pass_ns(cnt, cnt);
		if (!took[i % 2][i / 2])
			return false;
	}
	respond(cnt, false);
	for (unsigned i = 0; i < 2; i++)
		qsort(took[i], ROUNDS, sizeof(took[i][0]), by_value);
	*off = took[0][ROUNDS / 2];
	*on = took[1][ROUNDS / 2];
	return true;
}

static void figures(uint64_t off, uint64_t on)
{
	double frames = FIGURE_PORTS * PORT_BURST;

	printf("figure switch-frame-ns %.1f ns\n", (double)off / frames);
	printf("figure switch-frame-response-ns %.1f ns\n",
	       (double)on / frames);
}

int main(void)
{
	static const unsigned cnts[] = { 2, 8, 32, 128, 256 };
	const struct eal_conf conf = {
		.prefix = "hl-bench-switch",
		.main_cpu = (uint16_t)sched_getcpu(),
		.mbufs = 16383,
	};
	int err = eal_start(&conf);
	uint64_t figure[2] = { 0 };

	if (!err)
		printf("                     ns a frame:         response\n"
		       "ports  idle pass ns  one busy  all busy  measured\n");
	for (size_t i = 0; !err && i < sizeof(cnts) / sizeof(cnts[0]); i++) {
		uint64_t idle, one, all = 0, on = 0;
		unsigned cnt = cnts[i];

		err = open_ports(cnt);
		if (err)
			break;
		idle = median_pass_ns(cnt, 0);
		one = median_pass_ns(cnt, 1);
		if (!idle || !one || !off_and_on(cnt, &all, &on))
			err = -EIO;
		printf("%5u  %12ju  %8.1f  %8.1f  %8.1f\n", cnt,
		       (uintmax_t)idle, (double)one / PORT_BURST,
		       (double)all / (cnt * PORT_BURST),
		       (double)on / (cnt * PORT_BURST));
		if (cnt == FIGURE_PORTS) {
			figure[0] = all;
			figure[1] = on;
		}
		close_ports(cnt);
	}
	if (err) {
		fprintf(stderr, "bench_switch: cannot measure: %s\n",
			strerror(-err));
		return 1;
	}
	figures(figure[0], figure[1]);
	eal_stop();
	return 0;
}
