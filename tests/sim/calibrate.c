// SPDX-License-Identifier: Apache-2.0
/*
 * calibrate.c - the probes of calibrate.h, as a costs file
 *
 * Each field of struct sim_costs that can be measured gets the median of a
 * probe; with the range of its samples as a comment. The others are left out
 * of the file, so that whoever reads it keeps what he has, and a comment says
 * so: nothing here makes a number up. On one cpu most cannot be measured.
 *
 * What is measured is this machine, as it is now: on a virtual machine it is
 * the machine below, too.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "calibrate.h"

/* What the probes run on. */
struct place {
	cpu_set_t before;
	int here, there; /* cpus; there is -1 where there is one only */
	int beside;	 /* SMT sibling of there, or -1 */
};

/* sibling() - An SMT sibling of @cpu that we may use, or -1. */
static int sibling(const cpu_set_t *allowed, int cpu)
{
	char path[96];
	int a, b, found = -1;
	FILE *f;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
		 cpu);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fscanf(f, "%d%*1[,-]%d", &a, &b) == 2) {
		found = a == cpu ? b : a;
		if (found >= CPU_SETSIZE || !CPU_ISSET(found, allowed))
			found = -1;
	}
	fclose(f);
	return found;
}

/* place_open() - Two cpus that are no siblings where possible; we stay on
 * the first. */
static int place_open(struct place *at)
{
	cpu_set_t one;

	at->here = at->there = at->beside = -1;
	if (sched_getaffinity(0, sizeof(at->before), &at->before))
		return -errno;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &at->before))
			continue;
		if (at->here < 0)
			at->here = cpu;
		else if (at->there < 0 ||
			 sibling(&at->before, at->here) == at->there)
			at->there = cpu;
	}
	if (at->there >= 0)
		at->beside = sibling(&at->before, at->there);
	CPU_ZERO(&one);
	CPU_SET(at->here, &one);
	return sched_setaffinity(0, sizeof(one), &one) ? -errno : 0;
}

/* --- the lines of the file ------------------------------------------------ */

static int run_wake(struct probe *p, const struct place *at)
{
	return probe_wake(p, at->there, WAKE_RESTING);
}

static int run_switch(struct probe *p, const struct place *at)
{
	return probe_switch(p, at->there);
}

static int run_preempt(struct probe *p, const struct place *at)
{
	return probe_wake(p, at->there, WAKE_HARVESTED);
}

static int run_wakeup(struct probe *p, const struct place *at)
{
	return probe_wake(p, at->there, WAKE_SHARED);
}

static int run_move(struct probe *p, const struct place *at)
{
	return probe_move(p, at->here, at->there, true);
}

static int run_move_next(struct probe *p, const struct place *at)
{
	return probe_move(p, at->here, at->there, false);
}

static int run_slice(struct probe *p, const struct place *at)
{
	return probe_slice(p, at->there);
}

static int run_refill(struct probe *p, const struct place *at)
{
	(void)at;
	return probe_refill(p, false);
}

static int run_refill_far(struct probe *p, const struct place *at)
{
	(void)at;
	return probe_refill(p, true);
}

static const struct {
	const char *name;
	bool two_cpus;
	bool less; /* less the same of the line before */
	int (*run)(struct probe *p, const struct place *at);
	const char *what;
} line[] = {
	{ "wake", true, false, run_wake,
	  "from a futex call until the sleeper runs on another, resting cpu" },
	{ "switch", true, false, run_switch,
	  "a byte to another thread on the cpu, less the system calls" },
	{ "preempt", true, true, run_preempt,
	  "a wake-up where an idle-class thread spins, less a switch" },
	{ "wakeup", true, true, run_wakeup,
	  "a wake-up where an equal spins, less the one before" },
	{ "move", true, false, run_move,
	  "sched_setaffinity of a thread that waits for a cpu" },
	{ "move-next", true, false, run_move_next,
	  "the same of one that sleeps" },
	{ "slice", true, false, run_slice, "how long one of two equals runs" },
	{ "refill", false, false, run_refill,
	  "128 KiB in random order, from the caches cpus share" },
	{ "refill-far", false, false, run_refill_far, "the same from memory" },
};

#define LINES (sizeof(line) / sizeof(line[0]))

/* measure() - All lines. Return: 0 or -errno. */
static int measure(FILE *to, FILE *say, const struct place *at,
		   uint64_t limit_ns)
{
	struct probe p = { .limit_ns = limit_ns };
	struct probe_range r = { 0 }, last;
	uint64_t less;
	int err;

	for (size_t i = 0; i < LINES; i++) {
		fprintf(say, "%s: %s\n", line[i].name, line[i].what);
		p.cnt = 0;
		err =
		    line[i].two_cpus && at->there < 0 ? 0 : line[i].run(&p, at);
		if (err)
			return err;
		fprintf(to, "\n# %s: ", line[i].what);
		if (!p.cnt) {
			fprintf(to, "%s not measured here\n", line[i].name);
			continue;
		}
		last = r;
		r = probe_range(&p);
		less = line[i].less ? last.median : 0;
		fprintf(to, "90 %% in %" PRIu64 " to %" PRIu64 " ns, of %u\n",
			r.low, r.high, p.cnt);
		fprintf(to, "%s = %" PRIu64 "ns\n", line[i].name,
			r.median > less ? r.median - less : 0);
	}
	return 0;
}

/* smt() - The one that is no time. */
static int smt(FILE *to, const struct place *at, uint64_t limit_ns)
{
	struct probe p = { .limit_ns = limit_ns };
	uint64_t permille;
	int err;

	if (at->beside < 0) {
		fprintf(to, "\n# smt: the cpu has no sibling here\n");
		return 0;
	}
	err = probe_smt(&p, at->there, at->beside);
	if (err || !p.cnt)
		return err;
	permille = probe_range(&p).median;
	if (permille > 1000)
		permille = 1000;
	fprintf(to, "\n# speed while the sibling computes\n");
	fprintf(to, "smt = %" PRIu64 ".%" PRIu64 "%%\n", permille / 10,
		permille % 10);
	return 0;
}

static void head(FILE *to, const struct place *at)
{
	struct utsname u;

	if (uname(&u))
		strcpy(u.release, "?");
	fprintf(to,
		"# costs of this machine: Linux %s, %ld cpus, probes on "
		"cpu %d and %d\n",
		u.release, sysconf(_SC_NPROCESSORS_ONLN), at->here, at->there);
	fprintf(to, "# medians; what is not named here keeps its default: "
		    "cold, agent, balance, remote\n");
}

int calibrate(FILE *to, FILE *say, uint64_t limit_ns)
{
	struct place at;
	int err = place_open(&at);

	if (err)
		return err;
	head(to, &at);
	err = measure(to, say, &at, limit_ns);
	if (!err)
		err = smt(to, &at, limit_ns);
	sched_setaffinity(0, sizeof(at.before), &at.before);
	return err;
}
