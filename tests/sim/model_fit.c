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
	uint16_t target[VM_MAX]; /* that fit together */
	uint16_t own[VM_MAX];
};

uint16_t model_clamp(const struct vm_view *v, unsigned cpus)
{
	unsigned most = v->cpus_max < v->vcpu_cnt ? v->cpus_max : v->vcpu_cnt;

	if (cpus < v->cpus_min)
		cpus = v->cpus_min;
	return (uint16_t)(cpus < most ? cpus : most);
}

/* richest() - The VM with most cpus above its target, or VM_NONE. */
static uint16_t richest(const struct fit *f)
{
	uint16_t best = VM_NONE;
	int best_over = 0, over;

	for (uint16_t vm = 0; vm < f->k->s->vm_cnt; vm++) {
		over = f->own[vm] - f->target[vm];
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
		from = richest(f);
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

/* share() - Targets that fit: guarantees first, in the order of slots; then
 * one cpu more for each VM in turn, until its target or none is left. */
static void share(struct fit *f, const uint16_t target[VM_MAX])
{
	const struct snapshot *s = f->k->s;
	unsigned left = 0;
	bool any = true;

	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++)
		left += s->cpu[cpu].managed;
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		if (!pick_is_lc(s, vm))
			continue;
		f->target[vm] = s->vm[vm].cpus_min < left ? s->vm[vm].cpus_min
							  : (uint16_t)left;
		left -= f->target[vm];
	}
	while (left && any) {
		any = false;
		for (uint16_t vm = 0; vm < s->vm_cnt && left; vm++) {
			if (!pick_is_lc(s, vm) || f->target[vm] >= target[vm])
				continue;
			f->target[vm]++;
			left--;
			any = true;
		}
	}
}

void model_fit(struct pick *k, const uint16_t target[VM_MAX])
{
	const struct snapshot *s = k->s;
	struct fit f = { .k = k };
	uint16_t cpu;

	share(&f, target);
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++)
		f.own[vm] = s->vm[vm].present ? s->vm[vm].owned : 0;
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++)
		while (f.own[vm] < f.target[vm] && grow(&f, vm))
			;
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		while (f.own[vm] > f.target[vm]) {
			cpu = pick_loser(k, vm);
			if (cpu == CPU_NONE)
				break;
			pick_drop(k, cpu, REASON_GIVE_BACK);
			f.own[vm]--;
		}
	}
}
