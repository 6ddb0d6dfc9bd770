/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burn.h - compute for a given time without looking at a clock
 *
 * Reading a clock is dear in an emulated guest, and wall time would count the
 * stretches in which somebody else had the cpu. So the work is a number of
 * loops, and how long one takes is measured once, at start.
 */
#ifndef LOAD_BURN_H
#define LOAD_BURN_H

#include <stdint.h>

/* burn() - Run @loops loops, each a multiplication that waits for the last. */
void burn(uint64_t loops);

/*
 * burn_calibrate() - How long one loop takes, in picoseconds, at least 1
 *
 * The fastest of many short rounds: what disturbs a round only makes it longer.
 */
uint64_t burn_calibrate(void);

/* burn_loops() - Loops that take @ns. Pure. */
uint64_t burn_loops(uint64_t ns, uint64_t loop_ps);

#endif
