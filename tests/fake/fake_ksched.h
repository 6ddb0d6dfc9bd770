/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_ksched.h - a /dev/ksched that keeps the rules of hl/ksched.h
 *
 * Threads handed over are real ones; moves are made at once, or when the test
 * says so, with sched_setaffinity(2), which fake_cgroup.c holds to the
 * thread's cpuset: what the module would have forced upon a cpuset is counted.
 * Link with FAKE_KSCHED_LDFLAGS (tests/edge/cgr.mk). Any thread may call.
 */
#ifndef FAKE_KSCHED_H
#define FAKE_KSCHED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hl/ksched.h"

enum fake_call {
	FAKE_OPEN,
	FAKE_START,
	FAKE_MMAP,
	FAKE_ADD,
	FAKE_DROP,
	FAKE_LEARN,
	FAKE_COMMIT,
	FAKE_BEAT,
	FAKE_CALLS,
};

/* fake_ksched_load() - The module is there from now on, fresh. */
void fake_ksched_load(void);

/* fake_ksched_unload() - As rmmod does. Return: false: the device is open. */
bool fake_ksched_unload(void);

/* fake_ksched_fail() - The next @times calls fail with @err. */
void fake_ksched_fail(enum fake_call call, int err, int times);

/* fake_ksched_calls() - How often it was called since load, failures too. */
unsigned fake_ksched_calls(enum fake_call call);

/* fake_ksched_page() - The mapped page, to spoil it. */
struct ksched_page *fake_ksched_page(void);

/* fake_ksched_spoil() - What a new session's page shall say instead. */
void fake_ksched_spoil(uint32_t version, uint32_t map_bytes, uint32_t slots);

/* fake_ksched_hold() - Moves stay unmade; false: make them, and all others. */
void fake_ksched_hold(bool on);

/* fake_ksched_end() - The session ends: what is held is answered -ESHUTDOWN,
 * every thread gets back what it had. Nothing happens without a session. */
void fake_ksched_end(enum ksched_over why);

/* fake_ksched_busy() - Is the device open? */
bool fake_ksched_busy(void);

/* fake_ksched_threads() - How many are handed over. */
unsigned fake_ksched_threads(void);

/* fake_ksched_has() - Is this one? */
bool fake_ksched_has(pid_t tid);

/* fake_ksched_forced() - Moves that a cpuset did not allow. */
unsigned fake_ksched_forced(void);

/* fake_ksched_largest() - The largest batch, and the last silence_ms. */
unsigned fake_ksched_largest(void);
uint32_t fake_ksched_silence_ms(void);

#endif
