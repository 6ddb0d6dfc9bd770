// SPDX-License-Identifier: Apache-2.0
/*
 * report.c - the matrix of runs as text
 *
 * A table for each scenario and size, then one line for each that says who was
 * best and whether we won, and the figures. Latencies are of all requests of
 * latency-critical VMs together; `tail` is what the rule is about, and may be
 * one small VM's.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "report.h"
#include "report_group.h"

#define LC VM_CLASS_LATENCY_CRITICAL
#define BE VM_CLASS_BEST_EFFORT

static double p50(const struct sim_result *r)
{
	return (double)r->class[LC].p50_ns / 1e3;
}

static double p99(const struct sim_result *r)
{
	return (double)r->class[LC].p99_ns / 1e3;
}

static double p999(const struct sim_result *r)
{
	return (double)r->class[LC].p999_ns / 1e3;
}

/* harvest() - Best-effort work, as cpus at full speed all the time. */
static double harvest(const struct sim_result *r)
{
	return r->seconds > 0 ? r->class[BE].work_s / r->seconds : 0;
}

static double moves_s(const struct sim_result *r)
{
	return r->seconds > 0 ? (double)r->moves / r->seconds : 0;
}

static void print_group(FILE *to, const struct group *g)
{
	const struct score *s = &g->score;

	fprintf(to,
		"  %-12s %9.0f %9.0f %9.0f %8.2f %5u/%-5u %9.2f %9.2f %9.0f\n",
		g->policy->name, group_median(g, p50), group_median(g, p99),
		group_median(g, p999), s->tail, s->met, s->slos, s->cpu_s,
		group_median(g, harvest), group_median(g, moves_s));
}

static void print_case(FILE *to, const struct kase *k)
{
	fprintf(to, "\n%s on %u cpus\n", k->scenario, k->cpus);
	fprintf(to, "  %-12s %9s %9s %9s %8s %11s %9s %9s %9s\n", "policy",
		"p50 us", "p99 us", "p99.9 us", "tail", "SLOs met  ", "cpu-s",
		"harvest", "moves/s");
	for (unsigned i = 0; i < k->policies; i++)
		if (k->group[i].cnt)
			print_group(to, &k->group[i]);
}

static const char *const verdict_name[] = {
	[VERDICT_LOST] = "lost",
	[VERDICT_FRUGAL] = "won: fewer cpu-s",
	[VERDICT_SHORT] = "won: shorter tail",
};

/* in_reach() - Would the bound win @k? It knows the future and moves cpus for
 * nothing; where even it does not, nobody can. */
static bool in_reach(const struct kase *k)
{
	return k->oracle >= 0 &&
	       judge(&k->group[k->oracle].score, &k->group[k->best].score) !=
		   VERDICT_LOST;
}

/* print_verdict() - One line for @k->group[@ours]. Return: 1 when it won. */
static unsigned print_verdict(FILE *to, const struct kase *k, int ours)
{
	const struct group *we = &k->group[ours], *best = &k->group[k->best];
	enum verdict v = judge(&we->score, &best->score);

	fprintf(to, "  %-14s %4u  %-12s %8.2f %8.2f  %-6s %8.2f %8.2f  %s\n",
		k->scenario, k->cpus, best->policy->name, best->score.tail,
		best->score.cpu_s, we->policy->name, we->score.tail,
		we->score.cpu_s, verdict_name[v]);
	return v != VERDICT_LOST;
}

static void figure(FILE *to, const char *name, double value, const char *unit,
		   double goal)
{
	fprintf(to, "figure %s %g %s goal >=%g %s\n", name, value, unit, goal,
		value >= goal ? "met" : "missed");
}

static void print_verdicts(FILE *to, const struct cases *all)
{
	unsigned won = 0, judged = 0, reach = 0;

	fprintf(to, "\n%s\n  %-14s %4s  %-12s %8s %8s  %-6s %8s %8s\n",
		judge_rule, "scenario", "cpus", "best other", "tail", "cpu-s",
		"ours", "tail", "cpu-s");
	for (unsigned i = 0; i < all->cnt; i++) {
		const struct kase *k = &all->kase[i];

		if (k->ours[0] < 0 || k->best < 0)
			continue;
		won += print_verdict(to, k, k->ours[0]);
		reach += in_reach(k);
		judged++;
		for (int n = 1; n < OURS; n++) /* shown, not counted */
			if (k->ours[n] >= 0)
				print_verdict(to, k, k->ours[n]);
	}
	if (!judged)
		return;
	fprintf(to, "  the bound itself would win %u of %u\n", reach, judged);
	figure(to, "sim-scenarios-won", won, "scenarios", judged);
}

/* print_missed() - SLOs of one case the oracle meets, with one seed. */
static void print_missed(FILE *to, const struct sim_row *ours,
			 const struct sim_row *oracle, unsigned *could,
			 unsigned *did)
{
	for (unsigned i = 0; i < oracle->result.vm_cnt; i++) {
		const struct sim_vm_result *v = &ours->result.vm[i];

		if (!v->slo_ns || v->class != LC || !oracle->result.vm[i].met)
			continue;
		++*could;
		*did += v->met;
		if (!v->met)
			fprintf(to,
				"  missed: %s, %u cpus, seed %" PRIu64
				": %s, %" PRIu64 " of %" PRIu64
				" late or lost\n",
				ours->scenario, ours->cpus, ours->seed, v->name,
				v->late, v->done + v->lost);
	}
}

static void print_met(FILE *to, const struct cases *all)
{
	unsigned could = 0, did = 0;

	fprintf(to, "\nSLOs that a clairvoyant schedule meets:\n");
	for (unsigned i = 0; i < all->cnt; i++) {
		const struct kase *k = &all->kase[i];

		if (k->ours[0] < 0 || k->oracle < 0)
			continue;
		for (unsigned a = 0; a < k->group[k->ours[0]].cnt; a++)
			for (unsigned b = 0; b < k->group[k->oracle].cnt; b++)
				if (k->group[k->ours[0]].row[a]->seed ==
				    k->group[k->oracle].row[b]->seed)
					print_missed(
					    to, k->group[k->ours[0]].row[a],
					    k->group[k->oracle].row[b], &could,
					    &did);
	}
	if (!could)
		return;
	fprintf(to, "  %u of %u met\n", did, could);
	figure(to, "sim-slo-met", 100.0 * did / could, "%", 100);
}

void report_print(FILE *to, const struct sim_row *rows, unsigned cnt)
{
	struct cases *all = cases_of(rows, cnt);

	if (!all) {
		fprintf(to, "no memory for a report\n");
		return;
	}
	fprintf(to,
		"Latencies: of all requests to latency-critical VMs. tail: "
		"worst VM, 1 is its SLO.\ncpu-s: what these VMs cost. harvest: "
		"best-effort work, in cpus.\n");
	for (unsigned i = 0; i < all->cnt; i++)
		print_case(to, &all->kase[i]);
	print_verdicts(to, all);
	print_met(to, all);
	free(all);
}

int report_csv(FILE *to, const struct sim_row *rows, unsigned cnt)
{
	static const char *const class_name[SIM_CLASSES] = {
		[BE] = "best-effort",
		[LC] = "latency-critical",
	};

	fprintf(to, "scenario,cpus,policy,seed,class,vms,slos,met,done,lost,"
		    "p50_ns,p99_ns,p999_ns,worst_tail,owned_s,run_s,work_s,"
		    "lc_cpu_s,moves_s,seconds,broken\n");
	for (unsigned i = 0; i < cnt; i++) {
		const struct sim_result *r = &rows[i].result;

		for (unsigned c = 0; c < SIM_CLASSES; c++) {
			const struct sim_class_result *k = &r->class[c];

			fprintf(to,
				"%s,%u,%s,%" PRIu64 ",%s,%u,%u,%u,%" PRIu64
				",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
				",",
				rows[i].scenario, rows[i].cpus,
				rows[i].policy->name, rows[i].seed,
				class_name[c], k->vms, k->slos, k->met, k->done,
				k->lost, k->p50_ns, k->p99_ns, k->p999_ns);
			fprintf(to, "%.4f,%.4f,%.4f,%.4f,%.4f,%.1f,%.3f,%u\n",
				c == LC ? judge_score(r).tail : 0, k->owned_s,
				k->run_s, k->work_s, r->lc_cpu_s, moves_s(r),
				r->seconds, r->broken);
		}
	}
	return ferror(to) ? -EIO : 0;
}
