/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h - the one clock: CLOCK_MONOTONIC in nanoseconds
 *
 * The same clock the BPF sensors stamp with, so ages can be compared. Read
 * through the vDSO: no system call. Modules take `now_ns` as an argument; only
 * loops and main functions call this.
 */
#ifndef HL_CLOCK_H
#define HL_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NSEC_PER_USEC 1000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_SEC  1000000000ull

static inline uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

#endif
