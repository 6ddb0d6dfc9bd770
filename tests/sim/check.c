// SPDX-License-Identifier: Apache-2.0
/*
 * check.c - what must always hold
 *
 * After every plan, in every scenario, of every policy hostd has: no line was
 * refused; no vcpu is without a place to run; no VM owns more than its maximum
 * or less than its guarantee (scenarios never guarantee more than there is, or
 * slots count); the books of ownership agree. policy_rules.c says the same and
 * more from scratch, slowly: the first plans and then every so many.
 *
 * At the end: a VM whose load was constant did not gain and lose cpus all the
 * time.
 */
#include <inttypes.h>
#include <stdio.h>

#include "engine.h"
#include "tests/unit/policy_rules.h"

#define THOROUGH_FIRST 64  /* plans that policy_rules.c sees */
#define THOROUGH_EVERY 256 /* decisions between two of them later */

/* Cpus a VM under constant load gains and loses a second, on average over the
 * run. A move costs some 30 us of somebody's work: this is 0.3 % of a cpu. */
#define MOVES_MAX_S 100

void check_note(struct sim *s, const char *who, const char *rule)
{
	struct sim_result *out = s->out;

	if (!s->ours || out->broken++)
		return;
	snprintf(out->first_broken, sizeof(out->first_broken),
		 "%" PRIu64 " ns, %s: %s", s->now_ns, who, rule);
}

void check_plan(struct sim *s)
{
	const char *rule;

	if (!s->ours)
		return;
	if (s->plans++ >= THOROUGH_FIRST && s->decisions % THOROUGH_EVERY)
		return;
	rule = rules_broken(s->p->ops, s->snap, s->plan);
	if (rule)
		check_note(s, "plan", rule);
}

/* check_books() - Owners, the snapshot and each other. */
static void check_books(struct sim *s)
{
	for (unsigned i = 0; i < s->cpu_cnt; i++) {
		uint16_t owner = s->snap->cpu[i].owner;

		if (owner != VCPU_NONE && s->snap->vcpu[owner].cpu != i)
			check_note(s, "books", "a vcpu owns one cpu at most");
	}
}

void check_after(struct sim *s, unsigned refused)
{
	uint32_t left = s->cpu_cnt;

	if (!s->ours)
		return;
	if (refused)
		check_note(s, "plan", "every line can be carried out");
	for (unsigned i = 0; i < s->masks->count; i++) {
		struct cpumask m = owners_mask(s->owners, s->masks->vcpu[i]);

		if (cpumask_empty(&m) || !cpumask_subset(&m, &s->all))
			check_note(s, "owners", "a vcpu has a place to run");
	}
	check_books(s);
	for (unsigned i = 0; i < s->vm_cnt; i++) {
		const struct sim_kind *k = s->vm[i].kind;
		uint16_t owned = owners_of_vm(s->owners, (uint16_t)i);
		uint32_t due = k->min < left ? k->min : left;

		if (owned > k->max)
			check_note(s, k->name, "no more than its maximum");
		if (owned != s->snap->vm[i].owned)
			check_note(s, k->name, "its count is that of its cpus");
		if (owned < due && s->p->ops != &policy_none)
			check_note(s, k->name, "no less than its guarantee");
		left -= due;
	}
}

/* is_constant() - Nothing about @vm's load changes in the whole run. */
static bool is_constant(const struct sim *s, const struct sim_vm *vm)
{
	const struct sim_kind *k = vm->kind;

	if (k->collect_ns || k->load.kind == LOAD_BURSTS)
		return false;
	for (unsigned i = 0; i < s->s->phase_cnt; i++)
		if (&s->s->kind[s->s->phase[i].kind] == k)
			return false;
	return true;
}

/*
 * Only where all is constant: one VM's cpus may be another's need. Not of
 * `simple`: it takes a cpu back a millisecond after its owner has halted and
 * gives one at the next wait, for ever; that is its rule.
 */
void check_end(struct sim *s)
{
	uint64_t run_ms = (s->end_ns - s->warm_ns) / 1000000;

	if (s->p->ops == &policy_simple)
		return;
	for (unsigned i = 0; i < s->vm_cnt; i++)
		if (!is_constant(s, &s->vm[i]))
			return;
	for (unsigned i = 0; i < s->vm_cnt; i++)
		if (s->vm[i].moves * 1000 > MOVES_MAX_S * run_ms)
			check_note(s, s->vm[i].kind->name,
				   "no oscillation under constant load");
}
