// SPDX-License-Identifier: Apache-2.0
/*
 * lab_mover.c - a caller of ksched that moves other processes' threads about
 *
 *	lab_mover [--seed N] [--seconds N] [--silence MS] [--pause US]
 *		  [--rough] PID...
 *
 * Ends with one line of JSON: what was asked and answered. Exit: 0, 1 when an
 * answer was wrong or missing. With --rough others may end its session, unload
 * the module or hold the device: it opens again as soon as it can.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hl/clock.h"
#include "mover.h"

#define SCAN_NS (200 * NSEC_PER_MSEC)
#define PIDS	16

static struct mover mover = { .seed = 1, .ses = { .fd = -1 } };
static struct {
	unsigned seconds, silence_ms, pause_us;
	bool rough;
	pid_t pid[PIDS];
	unsigned pids;
} options = { .seconds = 10,
	      .silence_ms = SESSION_SILENCE_MS,
	      .pause_us = 500 };
static volatile sig_atomic_t leave;

static void on_signal(int number)
{
	(void)number;
	leave = 1;
}

static int parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "silence", required_argument, NULL, 'q' },
		{ "pause", required_argument, NULL, 'p' },
		{ "rough", no_argument, NULL, 'r' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		unsigned value = optarg ? (unsigned)atoi(optarg) : 0;

		switch (o) {
		case 's':
			mover.seed = value;
			break;
		case 't':
			options.seconds = value;
			break;
		case 'q':
			options.silence_ms = value;
			break;
		case 'p':
			options.pause_us = value;
			break;
		case 'r':
			options.rough = true;
			break;
		default:
			return -1;
		}
	}
	for (; optind < argc && options.pids < PIDS; optind++)
		options.pid[options.pids++] = atoi(argv[optind]);
	return options.pids ? 0 : -1;
}

/* One session, until it or the time is over. Return: 0 or -errno. */
static int one_session(uint64_t until_ns)
{
	uint64_t scan_ns = 0, now_ns;
	int rc = mover_open(&mover, options.silence_ms);

	if (rc)
		return rc;
	while (!leave && (now_ns = clock_now_ns()) < until_ns) {
		struct timespec pause = { .tv_nsec =
					      (long)options.pause_us * 1000 };

		if (now_ns - scan_ns > SCAN_NS) {
			mover_scan(&mover, options.pid, options.pids);
			mover_stir(&mover);
			scan_ns = now_ns;
		}
		rc = mover_step(&mover);
		if (rc)
			break;
		nanosleep(&pause, NULL);
	}
	mover_close(&mover);
	return rc;
}

/* Errors that others may cause. */
static bool is_rough(int rc)
{
	static const int errs[] = { -ESHUTDOWN, -EBUSY, -ENOENT, -ENODEV,
				    -ENXIO };

	for (unsigned i = 0; i < sizeof(errs) / sizeof(errs[0]); i++)
		if (rc == errs[i])
			return true;
	return false;
}

static int report(void)
{
	const struct mover_count *c = &mover.count;

	printf("{\"asked\": %llu, \"answered\": %llu, \"moved\": %llu, "
	       "\"overtaken\": %llu, \"gone\": %llu, \"refused\": %llu, "
	       "\"stale\": %llu, \"sessions\": %llu, \"ended\": %llu, "
	       "\"faults\": %llu}\n",
	       (unsigned long long)c->asked, (unsigned long long)c->answered,
	       (unsigned long long)c->moved, (unsigned long long)c->overtaken,
	       (unsigned long long)c->gone, (unsigned long long)c->refused,
	       (unsigned long long)c->stale, (unsigned long long)c->sessions,
	       (unsigned long long)c->ended, (unsigned long long)c->faults);
	return c->faults || c->asked != c->answered;
}

int main(int argc, char **argv)
{
	struct sigaction end = { .sa_handler = on_signal };
	uint64_t until_ns;

	if (parse(argc, argv)) {
		fputs("usage: lab_mover [--seed N] [--seconds N] "
		      "[--silence MS] [--pause US] [--rough] PID...\n",
		      stderr);
		return 2;
	}
	sigaction(SIGTERM, &end, NULL);
	until_ns = clock_now_ns() + options.seconds * NSEC_PER_SEC;
	while (!leave && clock_now_ns() < until_ns) {
		int rc = one_session(until_ns);

		if (!rc)
			continue;
		if (!options.rough || !is_rough(rc)) {
			printf("FAULT %s\n", strerror(-rc));
			mover.count.faults++;
			break;
		}
		nap_ms(10);
	}
	return report();
}
