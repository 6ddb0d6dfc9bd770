// SPDX-License-Identifier: Apache-2.0
/*
 * burn.c - compute for a given time without looking at a clock
 */
#include "hl/clock.h"
#include "tests/load/burn.h"

#define ROUNDS	    50
#define ROUND_LOOPS 50000

void burn(uint64_t loops)
{
	uint64_t x = loops;

	while (loops--) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		/* the compiler must believe that somebody wants x */
		__asm__ volatile("" : "+r"(x));
	}
}

uint64_t burn_calibrate(void)
{
	uint64_t best_ns = UINT64_MAX;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start_ns = clock_now_ns(), took_ns;

		burn(ROUND_LOOPS);
		took_ns = clock_now_ns() - start_ns;
		if (took_ns < best_ns)
			best_ns = took_ns;
	}
	best_ns = best_ns * 1000 / ROUND_LOOPS;
	return best_ns ? best_ns : 1;
}

uint64_t burn_loops(uint64_t ns, uint64_t loop_ps)
{
	return (uint64_t)((__uint128_t)ns * 1000 / loop_ps);
}
