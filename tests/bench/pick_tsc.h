/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pick_tsc.h - single operations timed, and memory put out of the caches
 *
 * x86 only, as everything in the lab is. What is timed ends when its last
 * instruction is done; stores may still wait in the store buffer then, as
 * they do in a program that goes on.
 */
#ifndef TESTS_BENCH_PICK_TSC_H
#define TESTS_BENCH_PICK_TSC_H

#include <stddef.h>
#include <stdint.h>
#include <x86intrin.h>

static inline uint64_t tsc_begin(void)
{
	uint64_t now;

	_mm_lfence();
	now = __rdtsc();
	_mm_lfence();
	return now;
}

static inline uint64_t tsc_end(void)
{
	unsigned cpu;
	uint64_t now = __rdtscp(&cpu);

	_mm_lfence();
	return now;
}

/* tsc_flush() - Write @mem back and drop it from every level of cache. */
static inline void tsc_flush(const void *mem, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 64)
		_mm_clflush((const char *)mem + i);
	_mm_mfence();
}

#endif
