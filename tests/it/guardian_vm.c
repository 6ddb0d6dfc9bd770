// SPDX-License-Identifier: Apache-2.0
/*
 * guardian_vm.c - plays hostd for tests/it/guardian: a guardian, the cgroup
 * backend, one VM, a few hundred moves; says "ready" and waits to be killed
 *
 *	guardian_vm DIR UUID PID TID...
 *
 * Exit: 77 when the backend cannot work on this host, 1 when a check failed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "act.h"
#include "guardian.h"
#include "hl/clock.h"
#include "hl/hist.h"
#include "policy/policy.h"
#include "task.h"

#define MOVES	     200
#define BURST	     64
#define LOCK_WAIT_MS 1000 /* the former round's guardian may hold it */
#define ANSWER_NS    (5 * NSEC_PER_SEC)

static struct act *act;
static struct act_vm vm = { .name = "cgr-test",
			    .class = VM_CLASS_BEST_EFFORT,
			    .weight = 100 };
static struct cpumask cpus;
static struct hist asleep, awake, took;

static void nap_ns(long ns)
{
	const struct timespec ts = { .tv_nsec = ns };

	nanosleep(&ts, NULL);
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "guardian_vm: %s: %s\n", what, strerror(-err));
	return err ? err : -EINVAL;
}

static int answer(struct move_done *d)
{
	uint64_t until_ns = clock_now_ns() + ANSWER_NS;

	while (!act_cgroup.reap(act, d)) {
		if (clock_now_ns() > until_ns)
			return -ETIMEDOUT;
		nap_ns(20000);
	}
	return 0;
}

static struct move move_to(unsigned index, unsigned cpu, uint32_t gen)
{
	struct move m = { .vcpu = (uint16_t)index,
			  .index = (uint16_t)index,
			  .gen = gen,
			  .pid = vm.pid,
			  .tid = vm.tid[index] };

	cpumask_set(&m.mask, cpu);
	return m;
}

/* What the call costs the poll thread. */
static int submit(struct move *m, struct hist *cost)
{
	bool taken;

	m->asked_ns = clock_now_ns();
	taken = act_cgroup.submit(act, m);
	hist_add(cost, clock_now_ns() - m->asked_ns);
	return taken ? 0 : -EAGAIN;
}

/* One move at a time, the worker asleep before; each checked in the kernel. */
static int move_alone(uint32_t gen, unsigned cpu)
{
	struct move m = move_to(0, cpu, gen);
	struct move_done d = { 0 };
	struct cpumask now;
	int err;

	nap_ns(200000);
	err = submit(&m, &asleep);
	if (!err)
		err = answer(&d);
	if (!err)
		err = d.err;
	if (!err)
		err = task_get_mask(m.tid, &now);
	if (err)
		return fail("moving vcpu 0", err);
	if (!cpumask_equal(&now, &m.mask))
		return fail("vcpu 0 is not where it was moved", 0);
	hist_add(&took, d.took_ns);
	return 0;
}

/* Many at once: the worker is awake after the first. */
static int move_burst(unsigned cpu)
{
	struct move_done d;
	struct move m;
	int err;

	for (uint32_t i = 0; i < BURST; i++) {
		m = move_to(i % vm.vcpu_cnt, cpu, MOVES + i);
		err = submit(&m, i ? &awake : &asleep);
		if (err)
			return fail("a burst of moves", err);
	}
	for (uint32_t i = 0; i < BURST; i++) {
		err = answer(&d);
		if (!err && d.err != -ECANCELED)
			err = d.err;
		if (err)
			return fail("a move of a burst", err);
	}
	return 0;
}

static int start(const char *dir)
{
	static char journal[256], lock[256];
	struct act_conf conf = { .journal = journal };
	int fd, err;

	snprintf(journal, sizeof(journal), "%s/restore", dir);
	snprintf(lock, sizeof(lock), "%s/lock", dir);
	err = task_get_mask(0, &cpus);
	if (err)
		return fail("own cpus", err);
	cpumask_set(&conf.floor, cpumask_next(&cpus, 0));
	conf.managed = cpus;
	fd = guardian_lock(lock, LOCK_WAIT_MS);
	if (fd < 0)
		return fail("lock", fd);
	err = guardian_start(journal, fd, NULL);
	if (err)
		return fail("guardian", err);
	err = act_cgroup.open(&act, &conf);
	if (err) {
		fail("the cgroup backend cannot work on this host", err);
		exit(77);
	}
	err = act_cgroup.adopt(act, &vm);
	return err ? fail("adopt", err) : 0;
}

static void report(void)
{
	struct act_count n;

	act_cgroup.count(act, &n);
	printf("moved %lu widened %lu overtaken %lu wakes %lu\n",
	       (unsigned long)n.moved, (unsigned long)n.widened,
	       (unsigned long)n.overtaken, (unsigned long)n.wakes);
	printf("submit, worker asleep: median %lu ns; awake: %lu ns\n",
	       (unsigned long)hist_quantile(&asleep, 5000),
	       (unsigned long)hist_quantile(&awake, 5000));
	printf("asked to done: median %lu ns, p99 %lu ns\n",
	       (unsigned long)hist_quantile(&took, 5000),
	       (unsigned long)hist_quantile(&took, 9900));
	printf("ready\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned cpu[2];

	if (argc < 5 || argc > 4 + ACT_VCPUS_MAX) {
		fprintf(stderr, "usage: guardian_vm DIR UUID PID TID...\n");
		return EXIT_FAILURE;
	}
	snprintf(vm.uuid, sizeof(vm.uuid), "%s", argv[2]);
	vm.pid = atoi(argv[3]);
	for (int i = 4; i < argc; i++)
		vm.tid[vm.vcpu_cnt++] = atoi(argv[i]);
	if (start(argv[1]))
		return EXIT_FAILURE;
	cpu[0] = cpumask_next(&cpus, 0);
	cpu[1] = cpumask_next(&cpus, cpu[0] + 1);
	if (cpu[1] == CPU_NONE) {
		fprintf(stderr, "guardian_vm: one cpu only\n");
		return 77;
	}
	for (uint32_t i = 0; i < MOVES; i++)
		if (move_alone(i, cpu[i % 2]))
			return EXIT_FAILURE;
	if (move_burst(cpu[0]) || move_alone(2 * MOVES, cpu[1]))
		return EXIT_FAILURE;
	report();
	for (;;)
		pause();
}
