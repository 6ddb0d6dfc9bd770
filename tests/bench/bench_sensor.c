// SPDX-License-Identifier: Apache-2.0
/*
 * bench_sensor.c - what the vcpu sensor costs: the host per event, hostd per
 * read
 *
 * Two threads on one cpu pass a byte to and fro: every byte is a wake-up and a
 * switch. The kernel's own run-time statistics of BPF programs say what the
 * sensor's programs take, in two rounds that alternate: threads that are no
 * vcpus (what every other switch on the host pays), and both watched. The
 * statistics' own cost, some 30 ns a run here, is in these figures.
 *
 * Exit: 0 measured, 1 could not, 77 the sensor cannot be loaded here.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "hl/clock.h"
#include "sense_bpf.h"

#define ROUNDS	  5
#define BYTES	  50000
#define READS	  2000000
#define BENCH_CPU 1

static struct sense_bpf *sensor;

struct side {
	int from[2], to[2];
	pid_t tid;
};

struct stat {
	uint64_t runs, ns;
};

static void stay(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(BENCH_CPU, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void die(const char *what)
{
	printf("bench_sensor: %s\n", what);
	exit(1);
}

static void *answer(void *arg)
{
	struct side *s = arg;
	char c;

	stay();
	__atomic_store_n(&s->tid, gettid(), __ATOMIC_RELEASE);
	while (read(s->to[0], &c, 1) == 1)
		if (write(s->from[1], &c, 1) != 1)
			break;
	return NULL;
}

/* run_stat() - Statistics of the newest program of that name. */
static struct stat run_stat(const char *name)
{
	struct stat found = { 0, 0 };
	struct bpf_prog_info info;
	__u32 id = 0, len;
	int fd;

	while (!bpf_prog_get_next_id(id, &id)) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0)
			continue;
		len = sizeof(info);
		memset(&info, 0, sizeof(info));
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) &&
		    !strcmp(info.name, name))
			found = (struct stat){ info.run_cnt, info.run_time_ns };
		close(fd);
	}
	return found;
}

/* pass_bytes() - Runs and time of both programs, added to @sw and @wake. */
static void pass_bytes(struct side *s, struct stat *sw, struct stat *wake)
{
	struct stat sw0 = run_stat("on_switch"), wake0 = run_stat("on_wakeup");
	struct stat sw1, wake1;
	char c = 0;

	for (int i = 0; i < BYTES; i++)
		if (write(s->to[1], &c, 1) != 1 || read(s->from[0], &c, 1) != 1)
			die("a pipe broke");
	sw1 = run_stat("on_switch");
	wake1 = run_stat("on_wakeup");
	sw->runs += sw1.runs - sw0.runs;
	sw->ns += sw1.ns - sw0.ns;
	wake->runs += wake1.runs - wake0.runs;
	wake->ns += wake1.ns - wake0.ns;
}

static void figure(const char *name, double value, unsigned goal)
{
	printf("figure %s %.1f ns goal <=%u %s\n", name, value, goal,
	       value <= goal ? "met" : "missed");
}

static double per_run(struct stat s)
{
	if (!s.runs)
		die("the kernel counted no run of the sensor");
	return (double)s.ns / (double)s.runs;
}

static void bench_events(void)
{
	struct stat sw[2], wake[2];
	struct side s;
	pthread_t thread;

	memset(&s, 0, sizeof(s));
	memset(sw, 0, sizeof(sw));
	memset(wake, 0, sizeof(wake));
	if (pipe(s.from) || pipe(s.to) ||
	    pthread_create(&thread, NULL, answer, &s))
		die("no pipe or no thread");
	while (!__atomic_load_n(&s.tid, __ATOMIC_ACQUIRE))
		sched_yield();
	for (int i = 0; i < ROUNDS; i++) {
		pass_bytes(&s, &sw[0], &wake[0]);
		if (sense_bpf_watch(sensor, 0, s.tid) ||
		    sense_bpf_watch(sensor, 1, gettid()))
			die("the threads cannot be watched");
		pass_bytes(&s, &sw[1], &wake[1]);
		sense_bpf_unwatch(sensor, 0);
		sense_bpf_unwatch(sensor, 1);
	}
	close(s.to[1]);
	pthread_join(thread, NULL);
	figure("sensor-switch-other", per_run(sw[0]), 100);
	figure("sensor-wakeup-other", per_run(wake[0]), 100);
	figure("sensor-switch-both-vcpus", per_run(sw[1]), 300);
	figure("sensor-wakeup-vcpu", per_run(wake[1]), 200);
}

/* seen() - A consistent copy of a slot that watches a thread. */
static bool seen(const struct sense_bpf *s, uint16_t vcpu,
		 struct sensor_slot *out)
{
	return sensor_read(sense_bpf_page(s), vcpu, out) && out->tid;
}

static void bench_read(void)
{
	struct sensor_slot slot;
	uint64_t begin_ns, good = 0;

	if (sense_bpf_watch(sensor, 0, gettid()))
		die("the thread cannot be watched");
	begin_ns = clock_now_ns();
	for (int i = 0; i < READS; i++)
		good += seen(sensor, 0, &slot);
	begin_ns = clock_now_ns() - begin_ns;
	if (!good)
		die("no read succeeded");
	figure("sensor-read", (double)begin_ns / READS, 20);
	sense_bpf_unwatch(sensor, 0);
}

int main(void)
{
	char why[256];
	int stats_fd;

	if (sense_bpf_open(&sensor, why, sizeof(why))) {
		printf("skipped: %s\n", why);
		return 77;
	}
	stay();
	bench_read();
	stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (stats_fd < 0)
		die("the kernel keeps no run-time statistics");
	bench_events();
	close(stats_fd);
	sense_bpf_close(sensor);
	return 0;
}
