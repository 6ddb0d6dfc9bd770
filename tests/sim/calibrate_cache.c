// SPDX-License-Identifier: Apache-2.0
/*
 * calibrate_cache.c - what it costs to find one's caches full of others' data
 *
 * A working set is walked while it is warm, then after a walk over so much
 * other memory that nothing of it can be left; the difference is what the
 * engine calls refill. Walked in an order no prefetcher guesses, along CHAINS
 * chains of pointers at once: programs overlap a few misses, not all.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "calibrate.h"
#include "hl/clock.h"

#define LINE  64
#define KIB   1024u
#define MIB   (1024u * KIB)
#define WALKS 40

/* What a vcpu that serves requests has warm: its L1, and some of its L2; and
 * how many misses it overlaps. Choices, not measurements. */
#define SET_BYTES (128 * KIB)
#define CHAINS	  4

/* Caches larger than half of this are not emptied by walking; nobody's
 * time is worth more. */
#define FAR_BYTES (256 * MIB)

struct line {
	struct line *next;
	char rest[LINE - sizeof(struct line *)];
};

/* chain() - All lines of @set in one random circle; @start: far apart on it.
 * Return: 0 or -ENOMEM. */
static int chain(struct line *set, size_t cnt, struct line *start[CHAINS])
{
	uint64_t seed = 1;
	size_t *order = calloc(cnt, sizeof(*order)), j, swap;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < cnt; i++)
		order[i] = i;
	for (size_t i = cnt - 1; i > 0; i--) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		j = (size_t)(seed >> 33) % (i + 1);
		swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
	for (size_t i = 0; i < cnt; i++)
		set[order[i]].next = &set[order[(i + 1) % cnt]];
	for (size_t c = 0; c < CHAINS; c++)
		start[c] = &set[order[c * cnt / CHAINS]];
	free(order);
	return 0;
}

/* walk_ns() - The whole circle, each chain a part of it. */
static uint64_t walk_ns(struct line *start[CHAINS], size_t cnt)
{
	uint64_t from_ns = clock_now_ns();
	struct line *at[CHAINS];

	for (int c = 0; c < CHAINS; c++)
		at[c] = start[c];
	for (size_t i = 0; i < cnt / CHAINS; i++)
		for (int c = 0; c < CHAINS; c++)
			at[c] = at[c]->next;
	for (int c = 0; c < CHAINS; c++)
		__asm__ volatile("" : : "r"(at[c]) : "memory");
	return clock_now_ns() - from_ns;
}

/* others() - What another program does to the caches. */
static void others(volatile char *memory, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += LINE)
		memory[i]++;
}

/* other_bytes() - Twice the caches a cpu has for itself, or all there are. */
static size_t other_bytes(bool far)
{
	long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
	long l3 = sysconf(_SC_LEVEL3_CACHE_SIZE);

	if (!far)
		return 2 * (l2 > 0 ? (size_t)l2 : MIB);
	if (l3 <= 0)
		return 64 * MIB;
	return 2 * (size_t)l3 < FAR_BYTES ? 2 * (size_t)l3 : FAR_BYTES;
}

int probe_refill(struct probe *p, bool far)
{
	size_t cnt = SET_BYTES / LINE, bytes = other_bytes(far);
	struct line *set = aligned_alloc(LINE, SET_BYTES), *start[CHAINS];
	char *memory = calloc(bytes, 1);
	uint64_t began_ns, warm_ns, cold_ns;
	int err = -ENOMEM;

	if (!set || !memory)
		goto out;
	err = chain(set, cnt, start);
	if (err)
		goto out;
	others(memory, bytes);
	began_ns = clock_now_ns();
	while (p->cnt < WALKS && clock_now_ns() - began_ns < p->limit_ns) {
		walk_ns(start, cnt);
		warm_ns = walk_ns(start, cnt);
		others(memory, bytes);
		cold_ns = walk_ns(start, cnt);
		probe_add(p, cold_ns > warm_ns ? cold_ns - warm_ns : 0);
	}
out:
	free(set);
	free(memory);
	return err;
}
