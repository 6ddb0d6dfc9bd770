// SPDX-License-Identifier: Apache-2.0
/*
 * bench_switch.c - what one pass of the switch costs, 2 to 256 ports in memory
 *
 * Each VM sends a burst to its neighbour; feeding and taking are outside the
 * timed part. Idle passes and passes with one busy port show what ports cost
 * that have nothing to say. The median of many passes is given: the machine's
 * own interrupts are not the switch's.
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

#define PORTS_MAX   256
#define RING	    64
#define FRAME_BYTES 64
#define PASSES	    301

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

/* Give port @n a burst for the next one of @cnt. */
static bool feed(unsigned n, unsigned cnt)
{
	uint8_t frame[FRAME_BYTES] = { 0 };

	mac_of((n + 1) % cnt, frame);
	mac_of(n, frame + 6);
	for (unsigned k = 0; k < PORT_BURST; k++)
		if (!port_mem_feed(port[n], frame, sizeof(frame)))
			return false;
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
			if (!feed(n, cnt))
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

int main(void)
{
	static const unsigned cnts[] = { 2, 8, 32, 128, 256 };
	const struct eal_conf conf = {
		.prefix = "hl-bench-switch",
		.main_cpu = (uint16_t)sched_getcpu(),
		.mbufs = 16383,
	};
	int err = eal_start(&conf);

	if (!err)
		printf("ports  idle pass ns  one busy, ns a frame  "
		       "all busy, ns a frame\n");
	for (size_t i = 0; !err && i < sizeof(cnts) / sizeof(cnts[0]); i++) {
		uint64_t idle, one, all;
		unsigned cnt = cnts[i];

		err = open_ports(cnt);
		if (err)
			break;
		idle = median_pass_ns(cnt, 0);
		one = median_pass_ns(cnt, 1);
		all = median_pass_ns(cnt, cnt);
		if (!idle || !one || !all)
			err = -EIO;
		printf("%5u  %12ju  %20.1f  %20.1f\n", cnt, (uintmax_t)idle,
		       (double)one / PORT_BURST,
		       (double)all / (cnt * PORT_BURST));
		close_ports(cnt);
	}
	if (err) {
		fprintf(stderr, "bench_switch: cannot measure: %s\n",
			strerror(-err));
		return 1;
	}
	eal_stop();
	return 0;
}
