// SPDX-License-Identifier: Apache-2.0
/*
 * model_fit.c - so many cpus for every VM: the acting half of two models
 *
 * SmartHarvest and PARTIES decide how many; which ones is left to the same
 * functions hostd's policies use, so that they place as well as those.
 */
#include "model.h"

struct fit {
	struct pick *k;
	const uint16_t *target;
	uint16_t own[VM_MAX];
};

uint16_t model_clamp(const struct vm_view *v, unsigned cpus)
{
	unsigned most = v->cpus_max < v->vcpu_cnt ? v->cpus_max : v->vcpu_cnt;

	if (cpus < v->cpus_min)
		cpus = v->cpus_min;
	return (uint16_t)(cpus < most ? cpus : most);
}

/* richest() - The VM with most cpus above its target, or, for a guarantee,
 * above its cpus_min. */
static uint16_t richest(const struct fit *f, bool guarantee)
{
	const struct snapshot *s = f->k->s;
	uint16_t best = VM_NONE;
	int best_over = 0, over;

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		over = f->own[vm];
		if (pick_is_lc(s, vm))
			over -= guarantee ? s->vm[vm].cpus_min : f->target[vm];
		if (over > best_over) {
			best = vm;
			best_over = over;
		}
	}
	return best;
}

/* grow() - One more cpu for @vm. Return: whether it got one. */
static bool grow(struct fit *f, uint16_t vm)
{
	struct pick *k = f->k;
	uint16_t cpu, from;

	if (pick_vcpu(k, vm, CPU_NONE, PICK_ANY) == VCPU_NONE)
		return false;
	cpu = pick_cpu(k, vm, PICK_ANY);
	if (cpu == CPU_NONE) {
		from = richest(f, false);
		if (from == VM_NONE && f->own[vm] < k->s->vm[vm].cpus_min)
			from = richest(f, true);
		if (from == VM_NONE)
			return false;
		cpu = pick_loser(k, from);
		if (cpu == CPU_NONE)
			return false;
		f->own[from]--;
	}
	pick_give(k, cpu, pick_vcpu(k, vm, cpu, PICK_ANY), REASON_SPARE);
	f->own[vm]++;
	return true;
}

void model_fit(struct pick *k, const uint16_t target[VM_MAX])
{
	const struct snapshot *s = k->s;
	struct fit f = { .k = k, .target = target };
	uint16_t limit, cpu;

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++)
		f.own[vm] = s->vm[vm].present ? s->vm[vm].owned : 0;
	for (int round = 0; round < 2; round++) {
		for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
			if (!pick_is_lc(s, vm))
				continue;
			limit = round ? target[vm] : s->vm[vm].cpus_min;
			while (f.own[vm] < limit && grow(&f, vm))
				;
		}
	}
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		limit = pick_is_lc(s, vm) ? target[vm] : 0;
		while (f.own[vm] > limit) {
			cpu = pick_loser(k, vm);
			if (cpu == CPU_NONE)
				break;
			pick_drop(k, cpu, REASON_GIVE_BACK);
			f.own[vm]--;
		}
	}
}
