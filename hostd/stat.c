// SPDX-License-Identifier: Apache-2.0
/*
 * stat.c - what hostd counts and shows: the one table
 *
 * The poll thread writes, the telemetry threads read at any time; see stat.h.
 */
#include "stat.h"

#include <string.h>

struct stat_all stat_hostd;

void stat_window(const struct stat_signal *signal, struct hist *out)
{
	*out = signal->score.hist;
	hist_merge(out, &signal->before);
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

bool stat_bar_note(const struct bar *b)
{
	struct stat_bar *bar =
	    b->vm == VM_NONE ? &stat_hostd.bar : &stat_hostd.vm[b->vm].bar;
	bool other = !cpumask_equal(&bar->cpus, &b->cpus);

	bar->cpus = b->cpus;
	bar->reason = b->reason;
	stat_hostd.bars++;
	return other;
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
