/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life.h - what the files of ksched_life share
 *
 *	life_args.c   who may open it, every argument that is wrong
 *	life_move.c   threads that sleep, spin, wait, end; bounds; overtaking
 *	life_end.c    close, silence, drain, rmmod; nothing is left behind
 *	life_model.c  100,000 random moves against a model
 *	ksched_life.c main(), and the stage every case plays on
 */
#ifndef TESTS_LAB_LIFE_H
#define TESTS_LAB_LIFE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "hl/clock.h"
#include "module.h"
#include "session.h"
#include "worker.h"

#define LIFE_WORKERS 32
#define LIFE_CPUS    8 /* of the lab; cpu 0 is left to the test itself */
#define ANSWER_MS    5000

/* Set up anew for each case, and cleared away after it however it ended. */
extern struct session ses;
extern struct worker worker[LIFE_WORKERS];
extern struct herd herd;

/* Start a worker of ours, let it run on @mask only, hand it over. Return: its
 * slot. The other one: on all cpus of the lab. */
uint32_t add_worker_on(unsigned n, enum work work, struct ksched_mask mask);
uint32_t add_worker(unsigned n, enum work work);

/* Commit one move and take its answer, which must be the next. Return: err. */
int move_to(uint32_t slot, struct ksched_mask mask);
struct ksched_done move_answer(const struct ksched_move *m);

/* The affinity of a thread must be that. */
void assert_mask(pid_t tid, struct ksched_mask want);

/* Print which row of a table is looked at, for the one that fails. */
void row(const char *what);

#define assert_err(got, want)                                                  \
	do {                                                                   \
		int got_ = (got), want_ = (want);                              \
		if (got_ != want_)                                             \
			fail_msg(#got ": %d (%s), wanted %d", got_,            \
				 got_ < 0 ? strerror(-got_) : "", want_);      \
	} while (0)

extern const struct CMUnitTest args_cases[], move_cases[], end_cases[],
    model_cases[];
extern const size_t args_count, move_count, end_count, model_count;

int life_setup(void **state);
int life_teardown(void **state);

#define LIFE_CASE(fn)                                                          \
	cmocka_unit_test_setup_teardown(fn, life_setup, life_teardown)

#endif
