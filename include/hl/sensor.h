/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * sensor.h - what the BPF sensor tells hostd about each vcpu thread
 *
 * One slot per vcpu, in memory the kernel side writes and hostd maps: reading
 * takes no system call. `seq` is even at rest and odd while somebody writes;
 * a writer takes the slot by making it odd with a compare-and-swap, so there
 * is never more than one. A reader looks at `seq` before and after: odd or
 * changed means "use the former values". Which slots were written since hostd
 * looked is told beside them, as in hl/dirty.h.
 *
 * Writers: the BPF programs for events of the thread; hostd's control thread
 * for `tid` and for the state a thread had when it was first watched.
 * Plain C types of fixed width on every 64-bit machine, so that BPF programs,
 * hostd and pure modules (which need the enum) can include this as it is.
 */
#ifndef HL_SENSOR_H
#define HL_SENSOR_H

enum vcpu_run {
	VCPU_RUN_UNKNOWN = 0, /* watches nothing, or its thread has ended */
	VCPU_RUN_HALTED,      /* asleep: wants no cpu */
	VCPU_RUN_READY,	      /* wants a cpu and has none: this is the wait */
	VCPU_RUN_RUNNING,
};

struct sensor_slot {
	unsigned int seq;	     /* odd while being written */
	unsigned int state;	     /* enum vcpu_run */
	unsigned long long since_ns; /* CLOCK_MONOTONIC, last change of state */
	unsigned long long ran_ns;   /* sum of finished runs */
	unsigned long long waited_ns; /* sum of finished ready waits */
	unsigned long long runs;      /* count of runs begun */
	unsigned int cpu;	      /* where it runs, or last ran */
	unsigned int tid;	      /* thread the slot watches; 0: none */
	unsigned long long missed;    /* events that found the slot taken */
	unsigned long long pad;
};

_Static_assert(sizeof(struct sensor_slot) == 64, "one cache line a vcpu");

#endif
