// SPDX-License-Identifier: Apache-2.0
/*
 * storm.c - workers that come and go: so many a second, threads and processes
 *
 * Every second one is a thread, every second one a process; each lives for a
 * moment, one in `keep` until the end. Then, when its standard input is closed
 * (whoever started it has by then stopped whatever changed masks), it compares
 * the masks of itself and of all it kept with its own at the start:
 *	storm: created 60000 kept 600 late 3 lost 0
 * late: milliseconds it fell behind, at most. lost: kept ones whose mask is
 * another now. Exit: 0; 1 masks were lost; 2 it could not be done.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hl/clock.h"
#include "tests/load/burn.h"

#define KEEP_MAX 4096
#define STACK	 (64 * 1024)

struct storm {
	unsigned rate, seconds, live_us, keep;
	cpu_set_t at_start;
	pid_t kept[KEEP_MAX]; /* thread or process numbers */
	unsigned kept_cnt;
	uint64_t created, late_ms;
};

static struct storm storm = {
	.rate = 1000, .seconds = 10, .live_us = 1000, .keep = 100
};

/* One worker's life. */
static void live(bool keep)
{
	const struct timespec ts = { .tv_nsec = storm.live_us * 1000L };

	while (keep)
		pause();
	burn(1000);
	nanosleep(&ts, NULL);
}

static void *thread_main(void *arg)
{
	bool keep = arg != NULL;

	if (keep)
		__atomic_store_n((pid_t *)arg, gettid(), __ATOMIC_RELEASE);
	live(keep);
	return NULL;
}

static int make_thread(pid_t *keep)
{
	pthread_attr_t attr;
	pthread_t t;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	err = pthread_create(&t, &attr, thread_main, keep);
	pthread_attr_destroy(&attr);
	return err;
}

static int make_process(pid_t *keep)
{
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		live(keep != NULL);
		_exit(0);
	}
	if (keep)
		*keep = pid;
	return 0;
}

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* Return: 0, or an errno. */
static int make_one(uint64_t n)
{
	uint64_t every = storm.keep ? storm.keep : 1;
	pid_t *keep = NULL;

	if (storm.keep && n % storm.keep == 0 && storm.kept_cnt < KEEP_MAX)
		keep = &storm.kept[storm.kept_cnt++];
	/* kept ones, too, are of both kinds */
	return (n / every + n) % 2 ? make_thread(keep) : make_process(keep);
}

static int blow(void)
{
	uint64_t begin_ns = clock_now_ns(), now_ns, due_ns;
	uint64_t all = (uint64_t)storm.rate * storm.seconds;
	int err;

	for (uint64_t n = 0; n < all; n++) {
		due_ns = begin_ns + n * NSEC_PER_SEC / storm.rate;
		now_ns = clock_now_ns();
		if (now_ns < due_ns) {
			const struct timespec ts = {
				.tv_sec =
				    (time_t)((due_ns - now_ns) / NSEC_PER_SEC),
				.tv_nsec =
				    (long)((due_ns - now_ns) % NSEC_PER_SEC),
			};

			nanosleep(&ts, NULL);
		} else if ((now_ns - due_ns) / NSEC_PER_MSEC > storm.late_ms) {
			storm.late_ms = (now_ns - due_ns) / NSEC_PER_MSEC;
		}
		err = make_one(n);
		if (err) {
			fprintf(stderr, "storm: cannot create: %s\n",
				strerror(err));
			return -1;
		}
		storm.created++;
		reap();
	}
	return 0;
}

static unsigned count_lost(void)
{
	cpu_set_t now;
	unsigned lost = 0;

	for (unsigned i = 0; i <= storm.kept_cnt; i++) {
		pid_t tid =
		    i < storm.kept_cnt
			? __atomic_load_n(&storm.kept[i], __ATOMIC_ACQUIRE)
			: getpid();

		if (sched_getaffinity(tid, sizeof(now), &now)) {
			fprintf(stderr, "storm: %d: %s\n", tid,
				strerror(errno));
			lost++;
		} else if (!CPU_EQUAL(&now, &storm.at_start)) {
			fprintf(stderr, "storm: %d has %d cpus\n", tid,
				CPU_COUNT(&now));
			lost++;
		}
	}
	return lost;
}

static bool option(int argc, char **argv, const char *name, unsigned *out)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], name)) {
			*out = (unsigned)strtoul(argv[i + 1], NULL, 10);
			return true;
		}
	return false;
}

int main(int argc, char **argv)
{
	unsigned lost;
	char c;

	if (argc > 1 && !strcmp(argv[1], "--help")) {
		puts("storm [--rate N] [--seconds N] [--live-us N] "
		     "[--keep N]\n"
		     "  workers a second, for how long, how long each "
		     "lives; one in N kept, 0 none");
		return 0;
	}
	option(argc, argv, "--rate", &storm.rate);
	option(argc, argv, "--seconds", &storm.seconds);
	option(argc, argv, "--live-us", &storm.live_us);
	option(argc, argv, "--keep", &storm.keep);
	if (!storm.rate ||
	    sched_getaffinity(0, sizeof(storm.at_start), &storm.at_start))
		return 2;
	if (blow())
		return 2;
	printf("storm: blown\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	lost = count_lost();
	printf("storm: created %llu kept %u late %llu lost %u\n",
	       (unsigned long long)storm.created, storm.kept_cnt,
	       (unsigned long long)storm.late_ms, lost);
	return lost ? 1 : 0;
}
