// SPDX-License-Identifier: Apache-2.0
/*
 * sensor.c - the vcpu sensor against the kernel's own accounting
 *
 * Real threads stand in for vcpus: they sleep, spin alone, spin against each
 * other, wake up often, end. What the slots say is compared with what each
 * thread does and with /proc/TID/schedstat. Exit: 0 passed, 1 failed, 77 the
 * sensor cannot be loaded here (the last line says why).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "hl/clock.h"
#include "sense_bpf.h"

#define CONTEST_NS (2 * NSEC_PER_SEC)
#define CYCLES	   1000
#define WORKER_CPU 1 /* the main thread looks on from cpu 0 */

enum work { WORK_SLEEP, WORK_SPIN, WORK_NAP };

struct worker {
	enum work work;
	pthread_t thread;
	sem_t started, wake;
	pid_t tid;
	bool stop;
};

static struct sense_bpf *sensor;
static int failures;

__attribute__((format(printf, 2, 3))) static void check(bool good,
							const char *fmt, ...)
{
	va_list args;

	printf(good ? "ok    " : "FAIL  ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	failures += !good;
}

/* seen() - A consistent copy of a slot that watches a thread. */
static bool seen(const struct sense_bpf *s, uint16_t vcpu,
		 struct sensor_slot *out)
{
	return sensor_read(sense_bpf_page(s), vcpu, out) && out->tid;
}

static void nap_ns(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / NSEC_PER_SEC),
			       .tv_nsec = (long)(ns % NSEC_PER_SEC) };

	nanosleep(&ts, NULL);
}

static bool is_stopped(struct worker *w)
{
	return __atomic_load_n(&w->stop, __ATOMIC_ACQUIRE);
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *worker_run(void *arg)
{
	struct worker *w = arg;
	uint64_t until_ns = 0;

	stay_on(WORKER_CPU);
	w->tid = gettid();
	sem_post(&w->started);
	if (w->work == WORK_SLEEP)
		sem_wait(&w->wake);
	while (!is_stopped(w))
		if (w->work == WORK_NAP && clock_now_ns() > until_ns) {
			nap_ns(NSEC_PER_MSEC);
			until_ns = clock_now_ns() + 2 * NSEC_PER_MSEC;
		}
	return NULL;
}

static void worker_start(struct worker *w, enum work work)
{
	memset(w, 0, sizeof(*w));
	w->work = work;
	sem_init(&w->started, 0, 0);
	sem_init(&w->wake, 0, 0);
	if (pthread_create(&w->thread, NULL, worker_run, w)) {
		printf("FAIL  no thread could be made\n");
		exit(1);
	}
	sem_wait(&w->started);
}

static void worker_stop(struct worker *w)
{
	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	sem_post(&w->wake);
	pthread_join(w->thread, NULL);
	sem_destroy(&w->started);
	sem_destroy(&w->wake);
}

/*
 * slot_of() - The slot; all 0 if it watches nothing
 *
 * Where cpus are virtual themselves a writer may be stopped half-way, so the
 * slot is asked for up to 50 ms.
 */
static struct sensor_slot slot_of(uint16_t vcpu)
{
	uint64_t begin_ns = clock_now_ns();
	struct sensor_slot s;

	while (!seen(sensor, vcpu, &s)) {
		if (clock_now_ns() - begin_ns < 50 * NSEC_PER_MSEC)
			continue;
		memset(&s, 0, sizeof(s));
		return s;
	}
	return s;
}

/* Sums up to this moment, the open stretch in them. */
struct sums {
	uint64_t ran_ns, waited_ns;
};

static struct sums sums_of(const struct sensor_slot *s)
{
	struct sums sums = { s->ran_ns, s->waited_ns };
	uint64_t now_ns = clock_now_ns();
	uint64_t open_ns = now_ns > s->since_ns ? now_ns - s->since_ns : 0;

	if (s->state == VCPU_RUN_RUNNING)
		sums.ran_ns += open_ns;
	if (s->state == VCPU_RUN_READY)
		sums.waited_ns += open_ns;
	return sums;
}

/* Wait, at most ten seconds, until a slot is in a state (tid 0: empty). */
static bool comes(uint16_t vcpu, enum vcpu_run state)
{
	for (int i = 0; i < 10000; i++) {
		if (slot_of(vcpu).state == state)
			return true;
		nap_ns(NSEC_PER_MSEC);
	}
	return false;
}

/* falls_asleep() - Is it in sem_wait(), or soon? */
static bool falls_asleep(pid_t tid)
{
	char path[64], text[128];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	for (int i = 0; i < 10000; i++) {
		f = fopen(path, "re");
		n = f ? (int)fread(text, 1, sizeof(text) - 1, f) : 0;
		if (f)
			fclose(f);
		text[n] = '\0';
		if (strstr(text, ") S "))
			return true;
		nap_ns(NSEC_PER_MSEC);
	}
	return false;
}

/* What the scheduler says; a wait is in it once it has ended. */
static struct sums schedstat(pid_t tid)
{
	struct sums st = { 0, 0 };
	char path[64], text[128] = "", *at;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", tid);
	fd = open(path, O_RDONLY);
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0) {
		st.ran_ns = strtoull(text, &at, 10);
		st.waited_ns = strtoull(at, NULL, 10);
	}
	if (fd >= 0)
		close(fd);
	return st;
}

/* Within 5 %, or 8 ms (two ticks: schedstat is brought up to date by them). */
static bool is_near(uint64_t a, uint64_t b)
{
	uint64_t diff = a > b ? a - b : b - a;

	return diff <= 8 * NSEC_PER_MSEC || diff * 20 <= b;
}

/* What this machine's own host took from its cpus so far: the kernel leaves it
 * out of a thread's run time, and to the sensor the thread was running. */
static uint64_t stolen_ns(void)
{
	unsigned long long user, nice, system, idle, iowait, irq, softirq;
	unsigned long long steal = 0;
	FILE *f = fopen("/proc/stat", "re");

	if (!f)
		return 0;
	if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user,
		   &nice, &system, &idle, &iowait, &irq, &softirq, &steal) != 8)
		steal = 0;
	fclose(f);
	return steal * NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* is_run() - Did it run so long, going by schedstat and what was stolen? */
static bool is_run(uint64_t ran_ns, uint64_t said_ns, uint64_t stolen)
{
	return is_near(ran_ns, said_ns) ||
	       (ran_ns > said_ns && is_near(ran_ns, said_ns + stolen)) ||
	       (ran_ns > said_ns && ran_ns < said_ns + stolen);
}

static double ms(uint64_t ns)
{
	return (double)ns / NSEC_PER_MSEC;
}

/* watched_count() - Entries of the sensor's map; it is the newest so named. */
static int watched_count(void)
{
	struct bpf_map_info info;
	__u32 id = 0, len, key, next;
	int fd = -1, found, count = 0;
	void *from = NULL;

	while (!bpf_map_get_next_id(id, &id)) {
		found = bpf_map_get_fd_by_id(id);
		len = sizeof(info);
		memset(&info, 0, sizeof(info));
		if (found < 0)
			continue;
		if (bpf_obj_get_info_by_fd(found, &info, &len) ||
		    strcmp(info.name, "watched") != 0) {
			close(found);
			continue;
		}
		if (fd >= 0)
			close(fd);
		fd = found;
	}
	if (fd < 0)
		return -1;
	for (; !bpf_map_get_next_key(fd, from, &next); count++) {
		key = next;
		from = &key;
	}
	close(fd);
	return count;
}

/* --- the tests ---------------------------------------------------------- */

static void test_states(void)
{
	struct worker w, spin;
	struct sensor_slot s;
	struct sums from, to;
	uint64_t t0;

	worker_start(&w, WORK_SLEEP);
	check(falls_asleep(w.tid), "it sleeps");
	check(!sense_bpf_watch(sensor, 1, w.tid), "a sleeper is watched");
	check(slot_of(1).state == VCPU_RUN_HALTED, "at once it is halted");
	check(sense_bpf_watch(sensor, 2, w.tid) == -EEXIST,
	      "no second slot may watch it");
	check(slot_of(1).tid == (unsigned)w.tid && !slot_of(2).tid,
	      "which changes neither slot");

	worker_start(&spin, WORK_SPIN);
	check(!sense_bpf_watch(sensor, 3, spin.tid), "a spinner is watched");
	check(comes(3, VCPU_RUN_RUNNING), "it runs");
	s = slot_of(3);
	from = sums_of(&s);
	t0 = clock_now_ns();
	check(s.cpu == WORKER_CPU, "on its cpu (%u)", s.cpu);
	nap_ns(50 * NSEC_PER_MSEC);
	s = slot_of(3);
	to = sums_of(&s);
	check(is_near(to.ran_ns + to.waited_ns - from.ran_ns - from.waited_ns,
		      clock_now_ns() - t0),
	      "its time goes on without any event (%.1f ms)",
	      ms(to.ran_ns - from.ran_ns));

	w.work = WORK_SPIN; /* what it does once woken */
	sem_post(&w.wake);
	check(comes(1, VCPU_RUN_RUNNING), "the sleeper, woken, runs");
	check(slot_of(1).runs > 0, "and its run is counted");
	worker_stop(&w);
	check(comes(1, VCPU_RUN_UNKNOWN), "it ends: its slot is empty");
	worker_stop(&spin);
	check(comes(3, VCPU_RUN_UNKNOWN), "so is the spinner's");
	check(sense_bpf_watch(sensor, 1, spin.tid) == -ESRCH,
	      "a thread that ended cannot be watched");
	check(watched_count() == 0, "the map is empty (%d)", watched_count());
}

/* Two spinners share a cpu: what one runs the other waits. */
static void test_contest(void)
{
	struct worker w[2];
	struct sensor_slot a[2], b[2];
	struct sums from[2], to[2], said[2];
	unsigned seen = 0;
	uint64_t t0, t1, stolen;

	for (unsigned i = 0; i < 2; i++) {
		worker_start(&w[i], WORK_SPIN);
		check(!sense_bpf_watch(sensor, (uint16_t)i, w[i].tid),
		      "spinner %u is watched", i);
	}
	nap_ns(50 * NSEC_PER_MSEC);
	t0 = clock_now_ns();
	stolen = stolen_ns();
	for (uint16_t i = 0; i < 2; i++) {
		said[i] = schedstat(w[i].tid);
		a[i] = slot_of(i);
		from[i] = sums_of(&a[i]);
	}
	while (clock_now_ns() - t0 < CONTEST_NS) {
		seen |= 1u << slot_of(0).state;
		nap_ns(NSEC_PER_MSEC);
	}
	for (uint16_t i = 0; i < 2; i++) {
		b[i] = slot_of(i);
		to[i] = sums_of(&b[i]);
		said[i].ran_ns = schedstat(w[i].tid).ran_ns - said[i].ran_ns;
		said[i].waited_ns =
		    schedstat(w[i].tid).waited_ns - said[i].waited_ns;
	}
	t1 = clock_now_ns();
	stolen = stolen_ns() - stolen;
	check(seen == (1u << VCPU_RUN_READY | 1u << VCPU_RUN_RUNNING),
	      "a spinner is seen running and ready and nothing else");
	for (unsigned i = 0; i < 2; i++) {
		uint64_t ran_ns = to[i].ran_ns - from[i].ran_ns;
		uint64_t wait_ns = to[i].waited_ns - from[i].waited_ns;

		check(is_near(ran_ns + wait_ns, t1 - t0),
		      "spinner %u: ran %.0f + waited %.0f = %.0f ms of time", i,
		      ms(ran_ns), ms(wait_ns), ms(t1 - t0));
		check(wait_ns * 10 >= (t1 - t0) * 4,
		      "it waited 40 %% at least (others may take more)");
		check(is_run(ran_ns, said[i].ran_ns, stolen),
		      "schedstat says it ran %.0f, and %.0f were stolen",
		      ms(said[i].ran_ns), ms(stolen));
		check(
		    is_near(b[i].waited_ns - a[i].waited_ns, said[i].waited_ns),
		    "schedstat says its finished waits were %.0f",
		    ms(said[i].waited_ns));
		check(!b[i].missed, "no event was missed");
	}
	worker_stop(&w[0]);
	worker_stop(&w[1]);
	sense_bpf_unwatch(sensor, 0);
	sense_bpf_unwatch(sensor, 1);
}

/*
 * A thread that sleeps and wakes hundreds of times a second. Its wait is not
 * compared: when a wake-up preempts, the scheduler does not read its clock
 * again for the switch, so that schedstat books the microseconds between them
 * as run; the sensor books them as wait, which they are. Runs of 2 ms keep
 * that small.
 */
static void test_nap(void)
{
	struct worker nap, spin;
	struct sums from, to, said;
	struct sensor_slot a, b;
	uint64_t stolen;

	worker_start(&spin, WORK_SPIN);
	worker_start(&nap, WORK_NAP);
	check(!sense_bpf_watch(sensor, 5, nap.tid), "a napper is watched");
	nap_ns(50 * NSEC_PER_MSEC);
	said = schedstat(nap.tid);
	stolen = stolen_ns();
	a = slot_of(5);
	from = sums_of(&a);
	nap_ns(NSEC_PER_SEC);
	b = slot_of(5);
	to = sums_of(&b);
	said.ran_ns = schedstat(nap.tid).ran_ns - said.ran_ns;
	stolen = stolen_ns() - stolen;
	check(b.runs - a.runs > 50, "it ran %llu times", b.runs - a.runs);
	check(is_run(to.ran_ns - from.ran_ns, said.ran_ns, stolen),
	      "for %.1f ms; schedstat: %.1f, stolen: %.1f",
	      ms(to.ran_ns - from.ran_ns), ms(said.ran_ns), ms(stolen));
	worker_stop(&nap);
	worker_stop(&spin);
}

/* take_mark() - Was slot @vcpu marked since the last call? */
static bool take_mark(uint16_t vcpu)
{
	const struct sensor_page *p = sense_bpf_page(sensor);

	return dirty_take(&p->top[vcpu / 4096]) >> (vcpu / 64 % 64) & 1 &&
	       dirty_take(&p->word[vcpu / 64].bits) >> (vcpu % 64) & 1;
}

/* Who reads a slot only when it is marked misses no event of it. */
static void test_marks(void)
{
	unsigned long long seen_runs = 0, marks = 0;
	uint64_t end_ns = clock_now_ns() + NSEC_PER_SEC;
	struct sensor_slot s = { 0 };
	struct worker w;
	int bad = 0;

	worker_start(&w, WORK_NAP);
	check(!sense_bpf_watch(sensor, 4100, w.tid), "marks are watched");
	while (clock_now_ns() < end_ns) {
		if (!take_mark(4100))
			continue;
		marks++;
		if (seen(sensor, 4100, &s))
			seen_runs = s.runs;
	}
	check(marks > 100, "%llu marks in a second", marks);
	for (int i = 0; i < 200; i++) {
		nap_ns(NSEC_PER_MSEC / 4 * (uint64_t)(i % 8));
		s = slot_of(4100);
		if (s.runs != seen_runs)
			nap_ns(NSEC_PER_MSEC / 10); /* written, then marked */
		if (take_mark(4100))
			seen_runs = slot_of(4100).runs;
		else
			bad += s.runs != seen_runs;
	}
	check(!bad, "and no event without one (%d)", bad);
	worker_stop(&w);
	sense_bpf_unwatch(sensor, 4100);
}

/* Watches begin and end while the threads sleep, wake, end: nothing leaks,
 * no slot stays taken, no former thread shows up in a later watch. */
static void test_cycles(void)
{
	struct worker w;
	int bad = 0;

	worker_start(&w, WORK_NAP);
	for (int i = 0; i < CYCLES; i++) {
		bad += sense_bpf_watch(sensor, 7, w.tid) != 0;
		bad += slot_of(7).tid != (unsigned)w.tid;
		if (i % 2)
			sense_bpf_unwatch(sensor, 7);
	}
	check(!bad, "%d watches of a busy thread, half of them ended (%d bad)",
	      CYCLES, bad);
	worker_stop(&w);
	check(comes(7, VCPU_RUN_UNKNOWN), "the last ends with the thread");
	bad = 0;
	for (int i = 0; i < CYCLES / 4; i++) {
		worker_start(&w, WORK_SLEEP);
		bad += sense_bpf_watch(sensor, 8, w.tid) != 0;
		worker_stop(&w);
	}
	check(!bad, "%d threads watched until they ended (%d bad)", CYCLES / 4,
	      bad);
	check(comes(7, VCPU_RUN_UNKNOWN) && comes(8, VCPU_RUN_UNKNOWN),
	      "the slots are empty");
	check(watched_count() == 0, "the map is empty (%d)", watched_count());
}

int main(void)
{
	char why[256];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("skipped: needs two cpus\n");
		return 77;
	}
	if (sense_bpf_open(&sensor, why, sizeof(why))) {
		printf("skipped: %s\n", why);
		return 77;
	}
	stay_on(0);
	test_states();
	test_contest();
	test_nap();
	test_marks();
	test_cycles();
	sense_bpf_close(sensor);
	printf("%s\n", failures ? "FAILED" : "passed");
	return failures ? 1 : 0;
}
