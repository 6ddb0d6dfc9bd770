// SPDX-License-Identifier: Apache-2.0
/*
 * guarantee.c - the part of pick.h that holds under every policy: limits
 *
 * A VM that is latency-critical always owns its cpus_min, wanted or not: the
 * first request after a pause must not wait for a decision. It never keeps
 * more than cpus_max. The usual decision finds every VM within its limits and
 * costs one comparison a VM; only when a minimum cannot be met from free cpus
 * are entitlements added up and cpus taken from others.
 */
#include "pick.h"

static uint16_t lesser(uint16_t a, uint16_t b)
{
	return a < b ? a : b;
}

/* wanted() - Cpus @vm must own if it has vcpus enough for them. */
static uint16_t wanted(const struct snapshot *s, uint16_t vm)
{
	if (!pick_is_lc(s, vm))
		return 0;
	return lesser(s->vm[vm].cpus_min, s->vm[vm].cpus_max);
}

/* give() - @cpu to the vcpu of @vm it suits best; there must be one. */
static void give(struct pick *k, uint16_t cpu, uint16_t vm)
{
	pick_give(k, cpu, pick_vcpu(k, vm, cpu, PICK_ANY), REASON_GUARANTEE);
}

/* fill() - Minimums from free cpus. Return: false when they did not do. */
static bool fill(struct pick *k)
{
	const struct snapshot *s = k->s;
	uint16_t cpu;

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		while (k->owned[vm] < wanted(s, vm)) {
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

/* entitle() - What each VM may insist on: slot order, until none is left. */
static void entitle(const struct pick *k, uint16_t due[VM_MAX])
{
	uint16_t left = k->managed_cnt;

	for (uint16_t vm = 0; vm < k->s->vm_cnt; vm++) {
		due[vm] = lesser(wanted(k->s, vm), left);
		if (due[vm])
			due[vm] = lesser(due[vm], pick_use(k->s, vm).plugged);
		left -= due[vm];
	}
}

/*
 * richest() - The VM to take a cpu from, given what each is due
 *
 * Best-effort owners come first, however little they own. Return: a VM, or
 * VM_NONE when nobody owns more than is due.
 */
static uint16_t richest(const struct pick *k, const uint16_t due[VM_MAX])
{
	const struct snapshot *s = k->s;
	uint16_t best = VM_NONE;
	int best_over = 0, over;

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		over = k->owned[vm] - due[vm];
		if (over > 0 && !pick_is_lc(s, vm))
			over += CPU_MAX;
		if (over > best_over) {
			best = vm;
			best_over = over;
		}
	}
	return best;
}

/* claim() - Minimums at the cost of those who own more than is due. */
static void claim(struct pick *k)
{
	uint16_t due[VM_MAX] = { 0 }, from, cpu;

	entitle(k, due);
	for (uint16_t vm = 0; vm < k->s->vm_cnt; vm++) {
		while (k->owned[vm] < due[vm]) {
			from = richest(k, due);
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

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		while (k->owned[vm] > s->vm[vm].cpus_max) {
			cpu = pick_loser(k, vm);
			if (cpu == CPU_NONE)
				break;
			pick_drop(k, cpu, REASON_GIVE_BACK);
		}
	}
}
