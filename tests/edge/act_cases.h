/* SPDX-License-Identifier: Apache-2.0 */
/*
 * act_cases.h - what every backend that moves threads must do, as one table
 *
 * A test sets the stage (a backend, a VM of two vcpus with real threads, two
 * cpus) and runs the whole table on it. The stage may be made of fakes or be
 * real; where it has no cpusets the cases about them are left out.
 */
#ifndef ACT_CASES_H
#define ACT_CASES_H

#include <stdbool.h>
#include <stdint.h>

#include "act.h"

struct act_stage {
	const char *name;
	const struct act_ops *ops;

	/* A VM that runs and a backend that is open, with the threads allowed
	 * on both cpus. Sets act, vm and cpu. Asserts on failure. */
	void (*begin)(struct act_stage *s);
	/* Close the backend if it is open (act not NULL), end the VM. */
	void (*end)(struct act_stage *s);
	/* The VM dies at once. */
	void (*kill)(struct act_stage *s);
	/* Narrow a vcpu's cpuset to one cpu, as libvirt's pin does. NULL:
	 * there are no cpusets. */
	void (*narrow)(struct act_stage *s, unsigned index, unsigned cpu);
	/* What end() must find afterwards. NULL: nothing particular. */
	void (*check)(struct act_stage *s);

	struct act *act;
	struct act_vm vm;
	unsigned cpu[2];
};

/* act_cases_run() - The whole table; asserts, and prints each case's name. */
void act_cases_run(struct act_stage *s);

/* One pass of both threads: turn, flush. */
void act_pass(struct act_stage *s);

/* A move of vcpu @index to one cpu, or to @mask. */
struct move act_move(const struct act_stage *s, unsigned index, unsigned cpu,
		     uint32_t gen);

/* Passes until an answer comes; fails after some seconds. */
struct move_done act_answer(struct act_stage *s);

/* Submit, await the answer. Return: its err. */
int act_move_now(struct act_stage *s, const struct move *m);

/* What a thread is allowed now is just this cpu. */
void act_assert_cpu(const struct act_stage *s, unsigned index, unsigned cpu);

#endif
