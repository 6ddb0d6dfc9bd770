// SPDX-License-Identifier: Apache-2.0
/*
 * stat.c - what hostd counts and shows: the one table, and its event ring
 *
 * The poll thread writes, the telemetry threads read at any time; see stat.h.
 * The ring is a sequence without end of which the last STAT_LOG_MAX are kept.
 * A reader copies an entry first and then asks whether the writer can have
 * reached it meanwhile; so a torn entry is never shown.
 */
#include "stat.h"

#include <string.h>

struct stat_all stat_hostd;

void stat_window(const struct stat_vm *vm, struct hist *out)
{
	*out = vm->window[0];
	hist_merge(out, &vm->window[1]);
}

uint64_t stat_share_ppm(const struct stat_vm *vm)
{
	uint64_t ran_ns = vm->share.ran_ns - vm->share_was[1].ran_ns;
	uint64_t owned_ns = vm->share.owned_ns - vm->share_was[1].owned_ns;

	/* a reader may be between two of the writer's numbers */
	if (!ran_ns || owned_ns > ran_ns)
		return ran_ns ? 1000000 : 0;
	return (uint64_t)((double)owned_ns * 1e6 / (double)ran_ns);
}

void stat_bar_note(const struct bar *b)
{
	struct stat_bar *bar =
	    b->vm == VM_NONE ? &stat_hostd.bar : &stat_hostd.vm[b->vm].bar;

	bar->cpus = b->cpus;
	bar->reason = b->reason;
	stat_hostd.bars++;
}

bool stat_barred(uint16_t vm, unsigned cpu)
{
	return cpumask_has(&stat_hostd.bar.cpus, cpu) ||
	       cpumask_has(&stat_hostd.vm[vm].bar.cpus, cpu);
}

void stat_bars_clear(void)
{
	memset(&stat_hostd.bar, 0, sizeof(stat_hostd.bar));
	for (unsigned i = 0; i < VM_MAX; i++)
		memset(&stat_hostd.vm[i].bar, 0, sizeof(stat_hostd.vm[i].bar));
}

void stat_event_add(const struct stat_event *e)
{
	uint64_t n = stat_hostd.log_next;

	/* the former log_next is seen before this entry begins to change */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	stat_hostd.log[n % STAT_LOG_MAX] = *e;
	__atomic_store_n(&stat_hostd.log_next, n + 1, __ATOMIC_RELEASE);
}

bool stat_event_get(uint64_t n, struct stat_event *out)
{
	uint64_t next = __atomic_load_n(&stat_hostd.log_next, __ATOMIC_ACQUIRE);

	if (n >= next)
		return false;
	*out = stat_hostd.log[n % STAT_LOG_MAX];
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	/* The entry of number n is written again, from the moment log_next is
	 * n + STAT_LOG_MAX, before log_next moves on. */
	next = __atomic_load_n(&stat_hostd.log_next, __ATOMIC_RELAXED);
	return next < n + STAT_LOG_MAX;
}
