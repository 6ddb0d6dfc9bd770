// SPDX-License-Identifier: Apache-2.0
/*
 * agent_crew.c - a process of many threads for agent-native to look at
 *
 * agent-crew N: N threads, each of which computes a little and sleeps a little.
 * On standard input: "clone N": the threads clone N more; "stray": one of them
 * starts another program, and its number is printed; "storm": they clone
 * without end, each new one lives for a moment; end of file: all end.
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "tests/load/burn.h"

static int to_clone; /* threads somebody shall clone */
static int to_stray;
static bool storm;

static void *worker(void *arg);
static void *moth(void *arg);

static void start(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&t, &attr, fn, arg))
		perror("agent-crew: pthread_create");
	pthread_attr_destroy(&attr);
}

/* Lives for a moment. */
static void *moth(void *arg)
{
	const struct timespec ts = { .tv_nsec = 3000000 };

	nanosleep(&ts, NULL);
	return arg;
}

static void stray(void)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("sleep", "sleep", "60", NULL);
		_exit(1);
	}
	printf("stray %d\n", pid);
	fflush(stdout);
}

/* Take one of *@wishes, unless there is none. */
static bool take(int *wishes)
{
	int n = __atomic_load_n(wishes, __ATOMIC_RELAXED);

	while (n > 0)
		if (__atomic_compare_exchange_n(wishes, &n, n - 1, false,
						__ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

static void *worker(void *arg)
{
	const struct timespec ts = { .tv_nsec = 20000000 };

	for (;;) {
		burn(20000);
		nanosleep(&ts, NULL);
		if (take(&to_clone))
			start(worker, NULL);
		if (take(&to_stray))
			stray();
		if (__atomic_load_n(&storm, __ATOMIC_RELAXED))
			start(moth, NULL);
	}
	return arg;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1;
	char line[64];

	for (int i = 0; i < n; i++)
		start(worker, NULL);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "clone ", 6))
			__atomic_store_n(&to_clone, atoi(line + 6),
					 __ATOMIC_RELAXED);
		else if (!strcmp(line, "stray\n"))
			__atomic_store_n(&to_stray, 1, __ATOMIC_RELAXED);
		else if (!strcmp(line, "storm\n"))
			__atomic_store_n(&storm, true, __ATOMIC_RELAXED);
	}
	return 0;
}
