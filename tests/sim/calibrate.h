/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate.h - what things cost on this machine, for the simulated one
 */
#ifndef TESTS_SIM_CALIBRATE_H
#define TESTS_SIM_CALIBRATE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PROBE_SAMPLES 1000

/* What one probe has found, in ns. */
struct probe {
	uint64_t limit_ns; /* it ends after so long, with what it has */
	unsigned cnt;	   /* 0: could not be measured here */
	uint64_t sample[PROBE_SAMPLES];
};

struct probe_range {
	uint64_t median, low, high; /* 5 % are below low, 5 % above high */
};

/* probe_add() - Those beyond PROBE_SAMPLES are let go. */
void probe_add(struct probe *p, uint64_t ns);

/* probe_range() - Of at least one sample; sorts them. */
struct probe_range probe_range(struct probe *p);

/*
 * Each probe ends after PROBE_SAMPLES or limit_ns, and returns 0 or -errno.
 * @here is the cpu the caller is pinned to, @there another one, idle.
 */

/* How long until a sleeper runs: on a resting cpu, on one that does what
 * anybody may interrupt, and on one where an equal runs. */
enum wake_onto { WAKE_RESTING, WAKE_HARVESTED, WAKE_SHARED };
int probe_wake(struct probe *p, int there, enum wake_onto onto);

/* One thread makes room for another, both on @there. */
int probe_switch(struct probe *p, int there);

/* sched_setaffinity() of a thread that sleeps, or waits for a cpu. */
int probe_move(struct probe *p, int here, int there, bool waits);

/* How long an equal runs before it is the other one's turn. */
int probe_slice(struct probe *p, int there);

/* A working set again after others had the cpu: their data fill the caches a
 * cpu has for itself, or (@far) everything up to memory. */
int probe_refill(struct probe *p, bool far);

/* probe_smt() - Speed of @there while its sibling @beside computes, permille
 * of when it rests; no ns. */
int probe_smt(struct probe *p, int there, int beside);

/*
 * calibrate() - Measure, and write a costs file that sim_costs_load() reads
 * @to: the file: medians; ranges and what was not measured as comments
 * @say: progress
 * @limit_ns: for each of a dozen probes
 * Return: 0 or -errno.
 */
int calibrate(FILE *to, FILE *say, uint64_t limit_ns);

#define CALIBRATE_NS 800000000ull /* a good limit */

#endif
