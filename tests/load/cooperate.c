// SPDX-License-Identifier: Apache-2.0
/*
 * cooperate.c - workers that give way when their vcpu is being taken
 *
 * The example of docs/workers.md: two threads share a counter of jobs behind a
 * lock. A job is cut into pieces, and between two pieces a worker looks whether
 * its vcpu is being taken; if so it hands the rest of the job back and waits
 * for a place, so that the lock is never held by a thread that cannot run.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "hl/worker.h"

#define THREADS 2
#define PIECES	64  /* of one job */
#define WAIT_MS 100 /* at most; then look for work all the same */

static struct hl_door door;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long todo, given_back; /* pieces */

static unsigned take(void)
{
	unsigned pieces;

	pthread_mutex_lock(&lock);
	pieces = todo < PIECES ? (unsigned)todo : PIECES;
	todo -= pieces;
	pthread_mutex_unlock(&lock);
	return pieces;
}

static void give_back(unsigned pieces)
{
	pthread_mutex_lock(&lock);
	todo += pieces;
	given_back += pieces;
	pthread_mutex_unlock(&lock);
}

static void work_a_piece(void)
{
	for (volatile unsigned i = 0; i < 1000; i++)
		;
}

/* Does the agent ask for this one's vcpu, and was not answered yet? */
static bool asked_to_leave(const struct hl_worker *me, uint32_t answered)
{
	return hl_worker_taken(me) && hl_worker_seq(me) != answered;
}

static void *worker(void *arg)
{
	struct hl_worker me;
	uint32_t answered = 0; /* no change has this number */
	unsigned left;

	/* without an agent it rides for ever, and is never asked */
	hl_worker_open(&me, &door);
	while ((left = take())) {
		while (left && !asked_to_leave(&me, answered)) {
			work_a_piece();
			left--;
		}
		if (!left)
			continue;
		answered = hl_worker_seq(&me);
		give_back(left);
		/* until there is a place; but not for ever, for the agent may
		 * be gone: then it goes on, and rides */
		hl_worker_wait(&me, answered, WAIT_MS);
	}
	hl_worker_close(&me, &door);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS];
	int err;

	if (argc < 2) {
		fputs("usage: cooperate PIECES [SOCKET]\n", stderr);
		return 2;
	}
	todo = strtoul(argv[1], NULL, 10);
	err = hl_door_open(&door, argc > 2 ? argv[2] : NULL);
	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, worker, NULL))
			return 1;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	hl_door_close(&door);
	printf("%s, %lu pieces given back\n", err ? "no agent" : "agent",
	       given_back);
	return 0;
}
