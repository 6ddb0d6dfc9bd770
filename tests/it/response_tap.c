// SPDX-License-Identifier: Apache-2.0
/*
 * response_tap.c - the switch between two taps, the second one measured
 *
 * For tests/it/response-tap, which puts a server behind the second tap and asks
 * it through the first. Every line on standard input is a limit in ns: it is
 * answered by one line of JSON, what was measured since the line before, and
 * measuring begins anew with that limit. Ends with standard input.
 */
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hl/clock.h"
#include "vhost/eal.h"
#include "vhost/port_uplink.h"
#include "vhost/switch.h"

#define LOOK_NS NSEC_PER_MSEC /* standard input is looked at so often */

static struct sw *sw;
static struct port *port[2];
static struct score score;

static void wake(void *arg)
{
	(void)arg;
	if (sw)
		sw_wake(sw);
}

static int start(char **tap)
{
	const struct eal_conf eal = {
		.prefix = "hl-it-response",
		.main_cpu = (uint16_t)sched_getcpu(),
		.mbufs = 8191,
	};
	const struct sw_conf conf = {
		.mac_entries = 64,
		.mac_age_ns = 300 * NSEC_PER_SEC,
		.flood_pps = 1000,
	};
	int err = eal_start(&eal);
	char spec[64];

	if (!err)
		err = sw_open(&sw, &conf);
	for (unsigned i = 0; i < 2 && !err; i++) {
		snprintf(spec, sizeof(spec), "tap:%s", tap[i]);
		err = port_uplink_open(&port[i], spec, wake, NULL);
		if (!err)
			err = sw_add(sw, port[i]);
	}
	if (!err)
		sw_response(sw, port[1], &score);
	return err;
}

static void stop(void)
{
	sw_close(sw);
	for (unsigned i = 0; i < 2; i++)
		port[i]->ops->close(port[i]);
	eal_stop();
}

static void answer(uint64_t limit_ns)
{
	const struct hist *h = &score.hist;

	printf("{\"count\": %ju, \"p50\": %ju, \"p99\": %ju, \"max\": %ju, "
	       "\"done\": %ju, \"late\": %ju, \"lost\": %ju}\n",
	       (uintmax_t)h->count, (uintmax_t)hist_quantile(h, 5000),
	       (uintmax_t)hist_quantile(h, 9900), (uintmax_t)h->max_ns,
	       (uintmax_t)score.done, (uintmax_t)score.late,
	       (uintmax_t)port[1]->count.requests_lost);
	fflush(stdout);
	memset(&score, 0, sizeof(score));
	score.limit_ns = limit_ns;
}

/* Return: false at the end of standard input. */
static bool serve_stdin(void)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };
	char line[32];

	if (poll(&in, 1, 0) != 1)
		return true;
	if (!fgets(line, sizeof(line), stdin))
		return false;
	answer(strtoull(line, NULL, 10));
	return true;
}

int main(int argc, char **argv)
{
	int err = argc == 3 ? start(argv + 1) : -1;

	if (err) {
		fprintf(stderr, "response_tap: cannot start: %d\n", err);
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	while (serve_stdin())
		if (!sw_pass(sw, clock_now_ns()))
			sw_sleep(sw, LOOK_NS);
	stop();
	return 0;
}
