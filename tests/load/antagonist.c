// SPDX-License-Identifier: Apache-2.0
/*
 * antagonist.c - takes all the cpu it gets, and says how much that was
 *
 * Each worker thread repeats a small piece of work and counts. The main thread
 * sleeps and prints, once a report interval, the total:
 *	antagonist spin: time_ns 5000123456 loops 48211
 * time_ns is this machine's monotonic clock, so that a reader can tell a late
 * line from slow work. A starved guest prints late but true.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pthread.h>

#include "hl/clock.h"
#include "tests/load/burn.h"
#include "tests/load/options.h"

#define SPIN_LOOPS    100000 /* of burn(), in one counted loop */
#define STREAM_BYTES  65536  /* copied in one counted loop */
#define CACHE_TOUCHES 4096   /* lines touched in one counted loop */
#define LINE_BYTES    64

static const char usage[] =
    "antagonist spin|stream|cache [OPTION]...\n"
    "  spin     computes in registers\n"
    "  stream   copies through memory, in order\n"
    "  cache    touches cache lines in random order\n"
    "  --threads N  workers (1)\n"
    "  --report T   print the loops done this often (1s)\n"
    "  --bytes N    memory of a worker, for stream and cache (32 MiB)\n";

static const char *const kind_name[] = { "spin", "stream", "cache" };

struct worker {
	_Alignas(64) uint64_t loops; /* the worker writes, main reads */
	const struct antagonist_conf *conf;
	unsigned char *mem;
	uint64_t at; /* stream: offset; cache: random state */
	pthread_t thread;
};

static struct worker workers[THREADS_MAX];

static void stream_once(struct worker *w)
{
	uint64_t half = w->conf->bytes / 2;
	uint64_t n = half < STREAM_BYTES ? half : STREAM_BYTES;

	if (w->at + n > half)
		w->at = 0;
	memcpy(w->mem + half + w->at, w->mem + w->at, n);
	w->at += n;
}

static void cache_once(struct worker *w)
{
	uint64_t lines = w->conf->bytes / LINE_BYTES;

	for (int i = 0; i < CACHE_TOUCHES; i++) {
		w->at = w->at * 6364136223846793005ull + 1442695040888963407ull;
		w->mem[(w->at >> 33) % lines * LINE_BYTES]++;
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		if (w->conf->kind == ANTAGONIST_SPIN)
			burn(SPIN_LOOPS);
		else if (w->conf->kind == ANTAGONIST_STREAM)
			stream_once(w);
		else
			cache_once(w);
		__atomic_store_n(&w->loops, w->loops + 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static int start(const struct antagonist_conf *conf)
{
	for (unsigned i = 0; i < conf->threads; i++) {
		struct worker *w = &workers[i];

		w->conf = conf;
		if (conf->kind != ANTAGONIST_SPIN) {
			w->mem = malloc(conf->bytes);
			if (!w->mem)
				return -1;
			memset(w->mem, 1, conf->bytes);
		}
		if (pthread_create(&w->thread, NULL, worker_main, w))
			return -1;
	}
	return 0;
}

static void report_forever(const struct antagonist_conf *conf)
{
	uint64_t next_ns = clock_now_ns();

	for (;;) {
		struct timespec ts;
		uint64_t loops = 0;

		for (unsigned i = 0; i < conf->threads; i++)
			loops += __atomic_load_n(&workers[i].loops,
						 __ATOMIC_RELAXED);
		printf("antagonist %s: time_ns %llu loops %llu\n",
		       kind_name[conf->kind],
		       (unsigned long long)clock_now_ns(),
		       (unsigned long long)loops);
		fflush(stdout);
		next_ns += conf->report_ns;
		ts.tv_sec = (time_t)(next_ns / NSEC_PER_SEC);
		ts.tv_nsec = (long)(next_ns % NSEC_PER_SEC);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
}

int main(int argc, char **argv)
{
	static struct antagonist_conf conf; /* the workers point to it */
	char why[256];
	int rc = options_antagonist(argc, argv, &conf, why, sizeof(why));

	if (rc < 0) {
		fprintf(stderr, "antagonist: %s\n", why);
		return 2;
	}
	if (rc) {
		fputs(usage, stdout);
		return 0;
	}
	if (start(&conf)) {
		fprintf(stderr, "antagonist: no memory or no threads left\n");
		return 1;
	}
	report_forever(&conf);
	return 0;
}
