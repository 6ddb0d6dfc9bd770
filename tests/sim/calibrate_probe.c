// SPDX-License-Identifier: Apache-2.0
/*
 * calibrate_probe.c - wake-ups, switches, moves, turns: one probe each
 *
 * Every probe has a partner thread pinned to another cpu. They meet at a word,
 * by futex where sleeping is what is measured. A busy machine makes a probe
 * short of samples, not long.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calibrate.h"
#include "hl/clock.h"

#define US 1000ull
#define MS 1000000ull

#define REST_NS (1 * MS) /* longer than a cpu polls before it rests */

void probe_add(struct probe *p, uint64_t ns)
{
	if (p->cnt < PROBE_SAMPLES)
		p->sample[p->cnt++] = ns;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct probe_range probe_range(struct probe *p)
{
	qsort(p->sample, p->cnt, sizeof(p->sample[0]), by_size);
	return (struct probe_range){ .median = p->sample[p->cnt / 2],
				     .low = p->sample[p->cnt / 20],
				     .high =
					 p->sample[p->cnt - 1 - p->cnt / 20] };
}

/* Between a probe and its threads. */
struct stage {
	struct probe *p;
	int cpu, policy;
	atomic_bool stop;
	atomic_int word; /* futex */
	atomic_int tid;
	_Atomic uint64_t sent_ns;
	int to[2], back[2]; /* pipes */
};

static void futex(atomic_int *word, int op, int value,
		  const struct timespec *limit)
{
	syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, limit, NULL,
		0);
}

static int pin(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(tid, sizeof(set), &set) ? -errno : 0;
}

static void nap(uint64_t ns)
{
	struct timespec t = { .tv_nsec = (long)ns };

	nanosleep(&t, NULL);
}

/* begin() - In a thread: go to its cpu and class, say that it is there. */
static void begin(struct stage *s)
{
	struct sched_param none = { 0 };

	pin(0, s->cpu);
	sched_setscheduler(0, s->policy, &none);
	atomic_store(&s->tid, (int)syscall(SYS_gettid));
}

static int start(pthread_t *thread, void *(*run)(void *), struct stage *s)
{
	int err = pthread_create(thread, NULL, run, s);

	if (err)
		return -err;
	while (!atomic_load(&s->tid))
		sched_yield();
	return 0;
}

static void end(pthread_t thread, struct stage *s)
{
	atomic_store(&s->stop, true);
	atomic_fetch_add(&s->word, 1);
	futex(&s->word, FUTEX_WAKE, 1, NULL);
	pthread_join(thread, NULL);
}

static void *spin(void *arg)
{
	struct stage *s = arg;

	begin(s);
	while (!atomic_load_explicit(&s->stop, memory_order_relaxed))
		;
	return NULL;
}

/* sleeper() - Note how long each wake-up took. */
static void *sleeper(void *arg)
{
	struct stage *s = arg;
	int seen = 0;

	begin(s);
	for (;;) {
		while (atomic_load(&s->word) == seen)
			futex(&s->word, FUTEX_WAIT, seen, NULL);
		if (atomic_load(&s->stop))
			return NULL;
		probe_add(s->p, clock_now_ns() - atomic_load(&s->sent_ns));
		seen = atomic_load(&s->word);
	}
}

int probe_wake(struct probe *p, int there, enum wake_onto onto)
{
	struct stage s = { .p = p, .cpu = there }, busy = s;
	uint64_t began_ns = clock_now_ns();
	pthread_t thread, other;
	int err;

	busy.policy = onto == WAKE_HARVESTED ? SCHED_IDLE : SCHED_OTHER;
	if (onto != WAKE_RESTING) {
		err = start(&other, spin, &busy);
		if (err)
			return err;
	}
	err = start(&thread, sleeper, &s);
	if (err)
		goto stop_other;
	while (p->cnt < PROBE_SAMPLES &&
	       clock_now_ns() - began_ns < p->limit_ns) {
		nap(REST_NS + (uint64_t)(rand() % 400) * US);
		atomic_store(&s.sent_ns, clock_now_ns());
		atomic_fetch_add(&s.word, 1);
		futex(&s.word, FUTEX_WAKE, 1, NULL);
	}
	end(thread, &s);
stop_other:
	if (onto != WAKE_RESTING)
		end(other, &busy);
	return err;
}

/* echo() - A byte back for each that comes, until there are no more. */
static void *echo(void *arg)
{
	struct stage *s = arg;
	char byte;

	begin(s);
	while (read(s->to[0], &byte, 1) == 1)
		if (write(s->back[1], &byte, 1) != 1)
			break;
	return NULL;
}

/* round_trip_ns() - Of a byte through @out and @in. */
static uint64_t round_trip_ns(int out, int in)
{
	uint64_t from_ns = clock_now_ns();
	char byte = 0;

	if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
		return 0;
	return clock_now_ns() - from_ns;
}

/* switches() - Samples: half a round trip between two threads, less a write
 * and a read that find what they want. */
static void switches(struct stage *s)
{
	uint64_t began_ns = clock_now_ns(), alone_ns = UINT64_MAX, took_ns;

	for (int i = 0; i < 100; i++) {
		took_ns = round_trip_ns(s->back[1], s->back[0]);
		if (took_ns < alone_ns)
			alone_ns = took_ns;
	}
	while (s->p->cnt < PROBE_SAMPLES &&
	       clock_now_ns() - began_ns < s->p->limit_ns) {
		took_ns = round_trip_ns(s->to[1], s->back[0]) / 2;
		probe_add(s->p, took_ns > alone_ns ? took_ns - alone_ns : 0);
	}
}

int probe_switch(struct probe *p, int there)
{
	struct stage s = { .p = p, .cpu = there };
	cpu_set_t before;
	pthread_t thread;
	int err = -EMFILE;

	if (pipe(s.to))
		return -errno;
	if (pipe(s.back))
		goto close_to;
	sched_getaffinity(0, sizeof(before), &before);
	err = pin(0, there);
	if (err)
		goto close_back;
	err = start(&thread, echo, &s);
	if (!err)
		switches(&s);
	sched_setaffinity(0, sizeof(before), &before);
	close(s.to[1]);
	s.to[1] = -1;
	if (!err)
		pthread_join(thread, NULL);
close_back:
	close(s.back[0]);
	close(s.back[1]);
close_to:
	close(s.to[0]);
	if (s.to[1] >= 0)
		close(s.to[1]);
	return err;
}

int probe_move(struct probe *p, int here, int there, bool waits)
{
	struct stage s = { .p = p,
			   .cpu = there,
			   .policy = waits ? SCHED_IDLE : SCHED_OTHER };
	struct stage busy = { .cpu = there };
	uint64_t began_ns = clock_now_ns(), from_ns;
	pthread_t thread, other;
	bool away = false;
	int err;

	err = waits ? start(&other, spin, &busy) : 0;
	if (err)
		return err;
	err = start(&thread, waits ? spin : sleeper, &s);
	while (!err && p->cnt < PROBE_SAMPLES &&
	       clock_now_ns() - began_ns < p->limit_ns) {
		nap(50 * US);
		from_ns = clock_now_ns();
		away = !away;
		err = pin(atomic_load(&s.tid), away ? here : there);
		if (away) /* there it waits, or sleeps; here it may run */
			probe_add(p, clock_now_ns() - from_ns);
	}
	if (atomic_load(&s.tid)) {
		pin(atomic_load(&s.tid), there);
		end(thread, &s);
	}
	if (waits)
		end(other, &busy);
	return err;
}

/* turns() - Samples: how long this thread runs between two gaps. */
static void *turns(void *arg)
{
	struct stage *s = arg;
	uint64_t last_ns, now_ns, turn_ns = 0;

	begin(s);
	last_ns = clock_now_ns();
	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		now_ns = clock_now_ns();
		if (now_ns - last_ns > 200 * US) {
			if (turn_ns)
				probe_add(s->p, last_ns - turn_ns);
			turn_ns = now_ns;
		}
		last_ns = now_ns;
	}
	return NULL;
}

int probe_slice(struct probe *p, int there)
{
	struct stage s = { .p = p, .cpu = there }, busy = { .cpu = there };
	pthread_t thread, other;
	int err = start(&other, spin, &busy);

	if (err)
		return err;
	err = start(&thread, turns, &s);
	if (!err) {
		nap(p->limit_ns);
		end(thread, &s);
	}
	end(other, &busy);
	return err;
}

/* loops_in() - How far a thread counts on @cpu in a while. */
static uint64_t loops_in(uint64_t ns)
{
	uint64_t until_ns = clock_now_ns() + ns, loops = 0;

	while (clock_now_ns() < until_ns)
		for (volatile int i = 0; i < 1000; i++)
			loops++;
	return loops;
}

int probe_smt(struct probe *p, int there, int beside)
{
	struct stage busy = { .cpu = beside };
	uint64_t alone, together;
	cpu_set_t before;
	pthread_t thread;
	int err = 0;

	sched_getaffinity(0, sizeof(before), &before);
	pin(0, there);
	for (int i = 0; i < 20 && !err; i++) {
		alone = loops_in(p->limit_ns / 40);
		atomic_store(&busy.stop, false);
		atomic_store(&busy.tid, 0);
		err = start(&thread, spin, &busy);
		if (err)
			break;
		together = loops_in(p->limit_ns / 40);
		end(thread, &busy);
		probe_add(p, together * 1000 / (alone ? alone : 1));
	}
	sched_setaffinity(0, sizeof(before), &before);
	return err;
}
