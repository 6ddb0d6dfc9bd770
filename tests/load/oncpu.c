// SPDX-License-Identifier: Apache-2.0
/*
 * oncpu.c - in a guest: how much of a server's run time was on granted vcpus
 *
 * Needs no agent, and asks none. Which vcpus are granted is read from the page
 * hostd writes (hl/agent.h). Where the server's threads ran is told by the
 * kernel, switch by switch: on every vcpu a perf event that counts nothing
 * writes a record, with its time, whenever a thread is put on it or taken off.
 * So no run is missed, however short, and threads may come and go.
 *
 * What is uncertain: the words are looked at once a tick (--every). When one
 * changes, what ran on that vcpu since the last look is neither on nor off but
 * unsure; share.h. A tick that came late (the vcpu this program is on had no
 * cpu) makes that more; the longest is reported. A word that changed twice
 * between two looks is noticed: its generation has grown.
 *
 * Run time is time on a vcpu by the guest's clock, also while the vcpu itself
 * waited for a cpu, which a guest cannot see.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hl/clock.h"
#include "tests/load/options.h"
#include "tests/load/page.h"
#include "tests/load/share.h"

#define RING_BYTES (512 << 10) /* a vcpu: 16,384 records */

static const char usage[] = "oncpu --pid PID [OPTION]...\n"
			    "  --time T     so long (until a signal)\n"
			    "  --every T    look at the grants so often (1ms)\n"
			    "  --page FILE  instead of the ivshmem device\n"
			    "Prints one line of JSON at the end.\n";

/* PERF_RECORD_SWITCH_CPU_WIDE with PERF_SAMPLE_TID and _TIME. */
struct switch_record {
	struct perf_event_header head;
	uint32_t other_pid, other_tid;
	uint32_t pid, tid; /* who is put on, or taken off */
	uint64_t time_ns;  /* CLOCK_MONOTONIC */
};

struct ring {
	struct perf_event_mmap_page *page;
	uint64_t since_ns; /* the server runs since; 0: it does not */
};

struct oncpu {
	uint32_t pid;
	uint64_t time_ns, every_ns;
	struct agent_page *page;
	unsigned cpu_cnt;
	struct ring ring[AGENT_VCPUS];
	struct share share;
	uint64_t switches, lost;
};

static volatile sig_atomic_t over;

static void end(int sig)
{
	(void)sig;
	over = 1;
}

static int ring_open(struct ring *r, unsigned cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.context_switch = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	long fd = syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1,
			  PERF_FLAG_FD_CLOEXEC);
	size_t head = (size_t)sysconf(_SC_PAGESIZE);

	if (fd < 0)
		return -errno;
	r->page = mmap(NULL, head + RING_BYTES, PROT_READ | PROT_WRITE,
		       MAP_SHARED, (int)fd, 0);
	if (r->page == MAP_FAILED)
		return -errno;
	return 0; /* open until the process ends */
}

/* Copy out what may wrap around the ring's end. */
static void ring_copy(const struct ring *r, uint64_t at, void *to, size_t n)
{
	const uint8_t *data = (uint8_t *)r->page + r->page->data_offset;
	size_t from = at % RING_BYTES, part = RING_BYTES - from;

	if (part > n)
		part = n;
	memcpy(to, data + from, part);
	memcpy((uint8_t *)to + part, data, n - part);
}

static void on_switch(struct oncpu *o, unsigned cpu,
		      const struct switch_record *rec,
		      const struct share_look *from,
		      const struct share_look *to)
{
	struct ring *r = &o->ring[cpu];

	o->switches++;
	/* Taken off: whoever that was, for one that ends has no number. */
	if (r->since_ns && rec->time_ns > r->since_ns)
		share_run(&o->share, from, to, cpu, rec->time_ns - r->since_ns);
	r->since_ns = 0;
	if (!(rec->head.misc & PERF_RECORD_MISC_SWITCH_OUT) &&
	    rec->pid == o->pid)
		r->since_ns = rec->time_ns;
}

/* ring_drain() - All records of the stretch, and what still runs at its end. */
static void ring_drain(struct oncpu *o, unsigned cpu,
		       const struct share_look *from,
		       const struct share_look *to)
{
	struct ring *r = &o->ring[cpu];
	uint64_t tail = r->page->data_tail;
	uint64_t head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE);

	while (tail < head) {
		struct switch_record rec = { 0 };

		ring_copy(r, tail, &rec.head, sizeof(rec.head));
		if (rec.head.type == PERF_RECORD_LOST)
			o->lost++;
		if (rec.head.type == PERF_RECORD_SWITCH_CPU_WIDE &&
		    rec.head.size == sizeof(rec)) {
			ring_copy(r, tail, &rec, sizeof(rec));
			if (rec.time_ns > to->at_ns)
				break; /* of the next stretch */
			on_switch(o, cpu, &rec, from, to);
		}
		tail += rec.head.size;
	}
	__atomic_store_n(&r->page->data_tail, tail, __ATOMIC_RELEASE);
	if (r->since_ns && to->at_ns > r->since_ns) {
		share_run(&o->share, from, to, cpu, to->at_ns - r->since_ns);
		r->since_ns = to->at_ns;
	}
}

static void look(const struct oncpu *o, struct share_look *l)
{
	l->vcpu_cnt = (uint16_t)o->cpu_cnt;
	for (unsigned i = 0; i < o->cpu_cnt; i++)
		l->word[i] = __atomic_load_n(&o->page->to_guest[i].word,
					     __ATOMIC_ACQUIRE);
	l->at_ns = clock_now_ns();
}

static void watch(struct oncpu *o)
{
	static struct share_look at[2];
	uint64_t end_ns = UINT64_MAX, next_ns;
	struct timespec ts;
	int now = 0;

	look(o, &at[now]);
	next_ns = at[now].at_ns;
	if (o->time_ns)
		end_ns = next_ns + o->time_ns;
	while (!over && at[now].at_ns < end_ns) {
		next_ns += o->every_ns;
		if (next_ns < at[now].at_ns)
			next_ns = at[now].at_ns + o->every_ns;
		ts.tv_sec = (time_t)(next_ns / NSEC_PER_SEC);
		ts.tv_nsec = (long)(next_ns % NSEC_PER_SEC);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		look(o, &at[!now]);
		for (unsigned cpu = 0; cpu < o->cpu_cnt; cpu++)
			ring_drain(o, cpu, &at[now], &at[!now]);
		share_stretch(&o->share, &at[now], &at[!now]);
		now = !now;
	}
}

static void report(const struct oncpu *o)
{
	const struct share *s = &o->share;
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	printf("{\"share\": %.4f, \"share_most\": %.4f, \"on_ms\": %.1f, "
	       "\"off_ms\": %.1f, \"unsure_ms\": %.1f, \"counted_ms\": %.1f, "
	       "\"all_ms\": %.1f, \"changes\": %llu, \"gap_max_ms\": %.1f, "
	       "\"switches\": %llu, \"lost\": %llu, \"cpu_ms\": %.1f, "
	       "\"granted_ms\": [",
	       share_low(s), share_high(s), (double)s->on_ns / 1e6,
	       (double)s->off_ns / 1e6, (double)s->unsure_ns / 1e6,
	       (double)s->counted_ns / 1e6, (double)s->all_ns / 1e6,
	       (unsigned long long)s->changes, (double)s->gap_max_ns / 1e6,
	       (unsigned long long)o->switches, (unsigned long long)o->lost,
	       (double)used.tv_sec * 1e3 + (double)used.tv_nsec / 1e6);
	for (unsigned n = 0; n <= o->cpu_cnt; n++)
		printf("%s%.0f", n ? ", " : "", (double)s->granted_ns[n] / 1e6);
	printf("], \"off_age_ms\": [");
	for (unsigned i = 0; i < SHARE_AGES; i++)
		printf("%s%.1f", i ? ", " : "", (double)s->off_age_ns[i] / 1e6);
	printf("]}\n");
}

static int refuse(const char *what, const char *why)
{
	fprintf(stderr, "oncpu: %s: %s\n", what, why);
	return 1;
}

/* Return: 0; 1 for --help; -EINVAL. */
static int parse(int argc, char **argv, struct oncpu *o, const char **file)
{
	static const struct option options[] = {
		{ "pid", required_argument, NULL, 'p' },
		{ "time", required_argument, NULL, 't' },
		{ "every", required_argument, NULL, 'e' },
		{ "page", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t pid = 0;
	int opt, rc = 0;

	while (!rc && (opt = getopt_long(argc, argv, "", options, NULL)) > 0) {
		if (opt == 'p')
			rc = options_number(optarg, 1, 1 << 22, &pid);
		else if (opt == 't')
			rc = options_time(optarg, NSEC_PER_SEC, &o->time_ns);
		else if (opt == 'e')
			rc = options_time(optarg, NSEC_PER_MSEC, &o->every_ns);
		else if (opt == 'f')
			*file = optarg;
		else
			rc = opt == 'h' ? 1 : -EINVAL;
	}
	o->pid = (uint32_t)pid;
	if (!rc && (!pid || !o->every_ns || optind < argc))
		rc = -EINVAL;
	return rc;
}

int main(int argc, char **argv)
{
	static struct oncpu o = { .every_ns = NSEC_PER_MSEC };
	struct sigaction sa = { .sa_handler = end };
	const char *file = NULL;
	int rc = parse(argc, argv, &o, &file);

	if (rc) {
		fputs(usage, rc < 0 ? stderr : stdout);
		return rc < 0 ? 2 : 0;
	}
	rc = page_map(file, false, &o.page);
	if (rc)
		return refuse("the page", strerror(-rc));
	if (o.page->host.magic != AGENT_HOST_MAGIC)
		return refuse("the page", "hostd has not written to it");
	o.cpu_cnt = (unsigned)sysconf(_SC_NPROCESSORS_CONF);
	if (o.cpu_cnt > AGENT_VCPUS)
		return refuse("vcpus", "too many");
	for (unsigned cpu = 0; cpu < o.cpu_cnt; cpu++) {
		rc = ring_open(&o.ring[cpu], cpu);
		if (rc)
			return refuse("perf_event_open", strerror(-rc));
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	watch(&o);
	report(&o);
	return 0;
}
