// SPDX-License-Identifier: Apache-2.0
/*
 * guarantee.c - the part of pick.h that holds under every policy: limits
 *
 * A VM that is latency-critical always owns what is due to it (snapshot.h),
 * wanted or not: the first request after a pause must not wait for a decision.
 * It never keeps more than cpus_max. Who is outside of his limits stands in the
 * snapshot; the usual decision finds nobody there.
 */
#include "pick.h"

/* give() - @cpu to the vcpu of @vm it suits best; there must be one. */
static void give(struct pick *k, uint16_t cpu, uint16_t vm)
{
	pick_give(k, cpu, pick_vcpu(k, vm, cpu, PICK_ANY), REASON_GUARANTEE);
}

/* fill() - What is due, from free cpus. Return: false when they did not do. */
static bool fill(struct pick *k)
{
	const struct snapshot *s = k->s;
	uint16_t cpu;

	vmset_for_each(i, &s->below)
	{
		uint16_t vm = (uint16_t)i;

		while (pick_owned(k, vm) < s->vm[vm].due) {
			if (pick_vcpu(k, vm, CPU_NONE, PICK_ANY) == VCPU_NONE)
				break;
			cpu = pick_cpu(k, vm, PICK_ANY);
			if (cpu == CPU_NONE)
				return false;
			give(k, cpu, vm);
		}
	}
	return true;
}

/*
 * richest() - The VM to take a cpu from
 *
 * Best-effort owners come first, however little they own. Return: a VM, or
 * VM_NONE when nobody owns more than is due.
 */
static uint16_t richest(const struct pick *k)
{
	const struct snapshot *s = k->s;
	uint16_t best = VM_NONE;
	int best_over = 0, over;

	vmset_for_each(i, &s->rich)
	{
		uint16_t vm = (uint16_t)i;

		over = pick_owned(k, vm) - s->vm[vm].due;
		if (over > 0 && !pick_is_lc(s, vm))
			over += CPU_MAX;
		if (over > best_over) {
			best = vm;
			best_over = over;
		}
	}
	return best;
}

/* claim() - What is due at the cost of those who own more than that. */
static void claim(struct pick *k)
{
	const struct snapshot *s = k->s;
	uint16_t from, cpu;

	vmset_for_each(i, &s->below)
	{
		uint16_t vm = (uint16_t)i;

		while (pick_owned(k, vm) < s->vm[vm].due) {
			if (pick_vcpu(k, vm, CPU_NONE, PICK_ANY) == VCPU_NONE)
				break;
			from = richest(k);
			if (from == VM_NONE)
				return;
			cpu = pick_loser(k, from);
			if (cpu == CPU_NONE)
				return;
			give(k, cpu, vm);
		}
	}
}

void pick_guarantee(struct pick *k)
{
	if (!fill(k))
		claim(k);
}

void pick_trim(struct pick *k)
{
	const struct snapshot *s = k->s;
	uint16_t cpu;

	vmset_for_each(i, &s->above)
	{
		uint16_t vm = (uint16_t)i;

		while (pick_owned(k, vm) > s->vm[vm].cpus_max) {
			cpu = pick_loser(k, vm);
			if (cpu == CPU_NONE)
				break;
			pick_drop(k, cpu, REASON_GIVE_BACK);
		}
	}
}
