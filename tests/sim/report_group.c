// SPDX-License-Identifier: Apache-2.0
/*
 * report_group.c - rows of a matrix, by scenario and size, and by policy
 */
#include <stdlib.h>
#include <string.h>

#include "report_group.h"

/* Ours, and those it is judged against: what users have today. hostd's other
 * policies and the bound are shown, and not judged. */
static const char ours_name[] = "slo", oracle_name[] = "oracle";
static const char *const other_name[] = {
	"dedicated", "equal", "shares", "smartharvest", "parties", "caladan",
};

#define OTHERS (sizeof(other_name) / sizeof(other_name[0]))

static struct kase *case_of(struct cases *all, const struct sim_row *row)
{
	struct kase *k;

	for (unsigned i = 0; i < all->cnt; i++) {
		k = &all->kase[i];
		if (k->cpus == row->cpus && !strcmp(k->scenario, row->scenario))
			return k;
	}
	if (all->cnt == CASES_MAX)
		return NULL;
	k = &all->kase[all->cnt++];
	*k = (struct kase){ .scenario = row->scenario,
			    .cpus = row->cpus,
			    .ours = -1,
			    .oracle = -1,
			    .best = -1 };
	for (const struct sim_policy *p = sim_policies; p->name; p++)
		if (k->policies < POLICIES_MAX)
			k->group[k->policies++].policy = p;
	return k;
}

static void add(struct kase *k, const struct sim_row *row)
{
	for (unsigned i = 0; i < k->policies; i++) {
		struct group *g = &k->group[i];

		if (g->policy == row->policy && g->cnt < SEEDS_MAX)
			g->row[g->cnt++] = row;
	}
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double group_median(const struct group *g,
		    double (*get)(const struct sim_result *r))
{
	double value[SEEDS_MAX];

	if (!g->cnt)
		return 0;
	for (unsigned i = 0; i < g->cnt; i++)
		value[i] = get(&g->row[i]->result);
	qsort(value, g->cnt, sizeof(value[0]), by_size);
	return value[g->cnt / 2];
}

static double tail(const struct sim_result *r)
{
	return judge_score(r).tail;
}

static double cpu_s(const struct sim_result *r)
{
	return r->lc_cpu_s;
}

/* score() - Medians; of met SLOs the fewest of any seed. */
static void score(struct group *g)
{
	if (!g->cnt)
		return;
	g->score = judge_score(&g->row[0]->result);
	g->score.tail = group_median(g, tail);
	g->score.cpu_s = group_median(g, cpu_s);
	for (unsigned i = 1; i < g->cnt; i++) {
		unsigned met = judge_score(&g->row[i]->result).met;

		if (met < g->score.met)
			g->score.met = met;
	}
}

static bool is_other(const char *name)
{
	for (size_t i = 0; i < OTHERS; i++)
		if (!strcmp(other_name[i], name))
			return true;
	return false;
}

static void judge_case(struct kase *k)
{
	struct score others[POLICIES_MAX] = { 0 };

	for (unsigned i = 0; i < k->policies; i++) {
		struct group *g = &k->group[i];

		score(g);
		if (!g->cnt)
			continue;
		if (!strcmp(g->policy->name, ours_name))
			k->ours = (int)i;
		else if (!strcmp(g->policy->name, oracle_name))
			k->oracle = (int)i;
		else if (is_other(g->policy->name))
			others[i] = g->score;
	}
	k->best = judge_best(others, k->policies);
}

/* by_place() - Scenarios by name, small hosts first. */
static int by_place(const void *a, const void *b)
{
	const struct kase *x = a, *y = b;
	int order = strcmp(x->scenario, y->scenario);

	return order ? order : (x->cpus > y->cpus) - (x->cpus < y->cpus);
}

struct cases *cases_of(const struct sim_row *rows, unsigned cnt)
{
	struct cases *all = calloc(1, sizeof(*all));
	struct kase *k;

	if (!all)
		return NULL;
	for (unsigned i = 0; i < cnt; i++) {
		k = case_of(all, &rows[i]);
		if (k)
			add(k, &rows[i]);
	}
	qsort(all->kase, all->cnt, sizeof(all->kase[0]), by_place);
	for (unsigned i = 0; i < all->cnt; i++)
		judge_case(&all->kase[i]);
	return all;
}
