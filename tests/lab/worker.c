// SPDX-License-Identifier: Apache-2.0
/*
 * worker.c - threads that stand in for vcpus
 */
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hl/clock.h"
#include "session.h"

#define TURN_WAIT_NS  (60 * NSEC_PER_SEC)
#define START_WAIT_NS (60 * NSEC_PER_SEC)

static bool is_stopped(const struct worker *w)
{
	return __atomic_load_n(&w->stop, __ATOMIC_ACQUIRE);
}

static uint64_t turns_of(const struct worker *w)
{
	return __atomic_load_n(&w->turns, __ATOMIC_RELAXED);
}

static void *worker_run(void *arg)
{
	struct worker *w = arg;

	pthread_setname_np(pthread_self(), WORKER_NAME);
	__atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
	while (!is_stopped(w)) {
		switch (w->work) {
		case WORK_SLEEP:
			sem_wait(&w->wake);
			break;
		case WORK_NAP:
			nap_ms(1);
			break;
		case WORK_DOZE:
			nap_ms(100);
			break;
		}
		__atomic_add_fetch(&w->turns, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

int worker_start(struct worker *w, enum work work)
{
	uint64_t until_ns = clock_now_ns() + START_WAIT_NS;

	*w = (struct worker){ .work = work };
	sem_init(&w->wake, 1, 0);
	if (pthread_create(&w->thread, NULL, worker_run, w))
		return -EAGAIN;
	while (!__atomic_load_n(&w->tid, __ATOMIC_ACQUIRE))
		if (clock_now_ns() > until_ns)
			return -ETIMEDOUT;
		else
			usleep(100);
	return 0;
}

void worker_wake(struct worker *w)
{
	sem_post(&w->wake);
}

void worker_ask_stop(struct worker *w)
{
	__atomic_store_n(&w->stop, 1, __ATOMIC_RELEASE);
	worker_wake(w);
}

void worker_stop(struct worker *w)
{
	if (!w->tid)
		return;
	worker_ask_stop(w);
	pthread_join(w->thread, NULL);
	w->tid = 0;
}

bool worker_turns(struct worker *w)
{
	uint64_t until_ns = clock_now_ns() + TURN_WAIT_NS;
	uint64_t before = turns_of(w);

	if (w->work == WORK_SLEEP)
		worker_wake(w);
	while (turns_of(w) == before)
		if (clock_now_ns() > until_ns)
			return false;
		else
			usleep(200);
	return true;
}

void herd_run(struct worker *w, unsigned n, const volatile uint32_t *leave)
{
	for (unsigned i = 0; i < n; i++)
		if (worker_start(&w[i], w[i].work))
			_exit(1);
	while (!*leave) {
		nap_ms(5);
		for (unsigned i = 0; i < n; i++) {
			if (!is_stopped(&w[i]))
				continue;
			worker_stop(&w[i]);
			if (w[i].again && worker_start(&w[i], w[i].work))
				_exit(1);
		}
	}
}

int herd_start(struct herd *h, unsigned n, const enum work *work)
{
	static const volatile uint32_t never;
	uint64_t until_ns = clock_now_ns() + START_WAIT_NS;
	void *map =
	    mmap(NULL, n * sizeof(struct worker), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return -errno;
	*h = (struct herd){ .n = n, .worker = map };
	for (unsigned i = 0; i < n; i++)
		h->worker[i].work = work[i];
	h->pid = fork();
	if (!h->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		herd_run(h->worker, n, &never);
	}
	for (unsigned i = 0; h->pid > 0 && i < n; i++)
		while (!__atomic_load_n(&h->worker[i].tid, __ATOMIC_ACQUIRE) &&
		       clock_now_ns() < until_ns)
			usleep(200);
	return h->pid > 0 ? 0 : -EAGAIN;
}

void herd_end(struct herd *h)
{
	if (h->pid > 0) {
		kill(h->pid, SIGKILL);
		waitpid(h->pid, NULL, 0);
	}
	if (h->worker)
		munmap(h->worker, h->n * sizeof(struct worker));
	*h = (struct herd){ 0 };
}
