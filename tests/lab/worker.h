/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h - threads that stand in for vcpus
 *
 * A worker lives in memory that other processes may map (the herd's file), so
 * every process can see that it goes on: `turns` grows. The process that has
 * the threads starts and joins them; anybody may ask one to end.
 */
#ifndef TESTS_LAB_WORKER_H
#define TESTS_LAB_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* As QEMU calls the threads of vcpus. */
#define WORKER_NAME "CPU 0/HERD"

enum work {
	WORK_SLEEP = 0, /* until worker_wake(): one turn each */
	WORK_SPIN,
	WORK_NAP,  /* a turn, a millisecond of sleep */
	WORK_DOZE, /* a turn, a tenth of a second of sleep */
	WORKS,
};

struct worker {
	uint32_t work; /* enum work */
	int32_t tid;   /* 0: no thread; by the thread itself */
	uint64_t turns;
	uint32_t stop;	/* set: end soon */
	uint32_t again; /* herd: start another one then */
	sem_t wake;
	pthread_t thread; /* for the process that started it */
};

_Static_assert(sizeof(struct worker) == 64, "a line; hl_ksched.py reads it");

/* Start a thread and wait until it has a tid. Return: 0 or -errno. */
int worker_start(struct worker *w, enum work work);

/* Ask it to end; wake it if it sleeps. */
void worker_ask_stop(struct worker *w);

/* Ask it to end, and join it; again is harmless. */
void worker_stop(struct worker *w);

void worker_wake(struct worker *w);

/* Wait for another turn of a worker; wake it if it sleeps. Return: false if
 * there was none for two seconds. */
bool worker_turns(struct worker *w);

/* A process of @n workers, in memory shared with this one. */
struct herd {
	pid_t pid; /* 0: none */
	unsigned n;
	struct worker *worker;
};

/* @work tells each its work. Return: 0 or -errno. */
int herd_start(struct herd *h, unsigned n, const enum work *work);

/* Kill it, if it lives, and forget it. */
void herd_end(struct herd *h);

/* The life of a herd's process: start all, replace the ones that ended and
 * are wanted again, until *@leave. */
void herd_run(struct worker *w, unsigned n, const volatile uint32_t *leave);

#endif
