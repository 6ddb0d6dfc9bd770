// SPDX-License-Identifier: Apache-2.0
/*
 * demo.c - the demo's four phases simulated, beside what the demo measured
 *
 * The demo (scripts/demo) is one cpu, a VM that answers requests, and one that
 * computes without end. Simulated are the same, with
 *  - requests at the rate at which the phase's client managed to send them;
 *  - service time constant, as it was asked for: the cpu time a request took
 *    in the phase `shares`, all of it, the guest kernel's and the emulator's;
 *  - one figure fitted: what is between the client and the vcpu makes the
 *    median of `shares` agree.
 * All else is predicted: the other phases, all tails, and what is left for the
 * neighbour, as a part of what it does by itself.
 *
 * Why `shares`: what the simulator cannot know is what the machine below does
 * to this one. A virtual cpu that rests is taken away there, comes back late,
 * and the time it was away is charged to who waits. In `alone` the cpu rests
 * after every request; beside a neighbour it never does. So `alone` is where
 * the prediction must be expected to fail on a virtual machine, and a figure
 * fitted there would spoil the others. Nor is the client's cpu simulated.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"
#include "scenario.h"

#define SECONDS 20 /* simulated, of each phase */
#define SEED	1

enum { ALONE, EQUAL, SHARES, SLO, PHASES };

#define FITTED SHARES

static const struct {
	const char *name; /* as in the file */
	const char *policy;
	bool batch;
} phase[PHASES] = {
	[ALONE] = { "alone", "equal", false },
	[EQUAL] = { "equal", "equal", true },
	[SHARES] = { "shares", "shares", true },
	[SLO] = { "hostd slo", "slo", true },
};

/* Of one phase, measured or predicted. */
struct seen {
	double p50_us, p99_us;
	double share;  /* the neighbour's work, of what it does by itself */
	double rate;   /* requests a second */
	double cpu_us; /* cpu time of a request */
};

/* --- what was measured
 * -------------------------------------------------------- */

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

/* mean_of() - What @get says of each round. */
static double mean_of(const json_t *rounds, double (*get)(const json_t *r))
{
	const json_t *r;
	double sum = 0;
	size_t i;

	json_array_foreach(rounds, i, r) sum += get(r);
	return json_array_size(rounds) ? sum / (double)json_array_size(rounds)
				       : 0;
}

static double rate_of(const json_t *r)
{
	return number(r, "achieved");
}

static double cpu_us_of(const json_t *r)
{
	return number(r, "web_share") * 1e6 / number(r, "achieved");
}

static double share_of(const json_t *r)
{
	return number(r, "work") / number(r, "batch_alone");
}

/* latency_of() - The file says null where requests were lost. */
static double latency_of(const json_t *p, const char *key)
{
	return json_is_null(json_object_get(p, key)) ? INFINITY
						     : number(p, key);
}

/* read_phase() - Return: false when a figure is missing or makes no sense. */
static bool read_phase(const json_t *file, const char *name, struct seen *m)
{
	const json_t *p, *rounds;

	p = json_object_get(json_object_get(file, "phases"), name);
	rounds = json_object_get(p, "rounds");
	*m = (struct seen){ .p50_us = latency_of(p, "p50"),
			    .p99_us = latency_of(p, "p99"),
			    .share = mean_of(rounds, share_of),
			    .rate = mean_of(rounds, rate_of),
			    .cpu_us = mean_of(rounds, cpu_us_of) };
	return m->p50_us > 0 && m->p99_us > 0 && isfinite(m->share) &&
	       m->rate > 0 && m->cpu_us > 0 && isfinite(m->cpu_us);
}

static int read_file(const char *path, struct seen m[PHASES], FILE *err)
{
	json_error_t why;
	json_t *file = json_load_file(path, 0, &why);
	const char *machine;
	int ret = -EINVAL;

	if (!file) {
		fprintf(err, "%s:%d: %s\n", path, why.line, why.text);
		return ret;
	}
	machine = json_string_value(json_object_get(file, "machine"));
	if (!machine || !strstr(machine, " 1 vcpu each on cpu ")) {
		fprintf(err, "%s: not of one vcpu a VM\n", path);
		goto drop;
	}
	for (int i = 0; i < PHASES; i++) {
		if (read_phase(file, phase[i].name, &m[i]))
			continue;
		fprintf(err, "%s: phase \"%s\": figures are missing\n", path,
			phase[i].name);
		goto drop;
	}
	ret = 0;
drop:
	json_decref(file);
	return ret;
}

/* --- what is predicted
 * -------------------------------------------------------- */

static const char scenario_text[] = "seconds = %d\n"
				    "warmup = 2s\n"
				    "[host]\n"
				    "cpus = 1\n"
				    "smt = 1\n"
				    "[vm web]\n"
				    "vcpus = 1\n"
				    "min = 0\n"
				    "max = 1\n"
				    "slo = p99 500us\n" /* the demo's default */
				    "signal = delay\n"
				    "service = const %.0fns\n"
				    "load = poisson %.1f%%\n";

static const char batch_text[] = "[vm batch]\n"
				 "class = best-effort\n"
				 "vcpus = 1\n"
				 "load = spin 1\n";

/* predict() - One phase, offered @rate requests of @cpu_us. */
static int predict(int i, double rate, double cpu_us,
		   const struct sim_costs *costs, struct seen *out, FILE *err)
{
	static struct sim_scenario s;
	static struct sim_result r;
	char text[1024];
	int ret, len;

	len = snprintf(text, sizeof(text), scenario_text, SECONDS, cpu_us * 1e3,
		       rate * cpu_us / 1e4);
	if (phase[i].batch)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%s",
				batch_text);
	ret = scenario_parse(&s, phase[i].name, text, (size_t)len, 1, err);
	if (ret)
		return ret;
	s.costs = *costs;
	ret = sim_run(&s, sim_policy_find(phase[i].policy), SEED, &r);
	if (ret)
		return ret;
	*out = (struct seen){ .p50_us = (double)r.vm[0].p50_ns / 1e3,
			      .p99_us = (double)r.vm[0].p99_ns / 1e3 };
	if (phase[i].batch)
		out->share = r.vm[1].work_s / r.seconds;
	return 0;
}

/* --- side by side
 * ------------------------------------------------------------- */

/* Errors of what was predicted, in percent, without sign. */
struct errors {
	double of[3 * PHASES];
	unsigned cnt;
};

/* print_pair() - Measured, predicted, and how far apart. @fitted: no wonder */
static void print_pair(FILE *to, double measured, double predicted, int digits,
		       bool fitted, struct errors *e)
{
	double error = 100 * (predicted - measured) / measured;

	fprintf(to, " %9.*f %9.*f", digits, measured, digits, predicted);
	if (fitted) {
		fprintf(to, "  fitted");
	} else if (!isfinite(error)) {
		fprintf(to, "       -");
	} else {
		fprintf(to, " %+5.0f %%", error);
		e->of[e->cnt++] = fabs(error);
	}
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_table(FILE *to, const struct seen m[PHASES],
			const struct seen p[PHASES])
{
	struct errors e = { .cnt = 0 };

	fprintf(to, "%-10s %9s %9s %7s %9s %9s %7s %9s %9s\n", "phase",
		"p50 us", "simulated", "error", "p99 us", "simulated", "error",
		"work", "simulated");
	for (int i = 0; i < PHASES; i++) {
		fprintf(to, "%-10s", phase[i].name);
		print_pair(to, m[i].p50_us, p[i].p50_us, 0, i == FITTED, &e);
		print_pair(to, m[i].p99_us, p[i].p99_us, 0, false, &e);
		if (phase[i].batch)
			print_pair(to, m[i].share, p[i].share, 2, false, &e);
		fprintf(to, "\n");
	}
	qsort(e.of, e.cnt, sizeof(e.of[0]), by_size);
	fprintf(to, "figure sim-demo-error-median %.0f %%\n", e.of[e.cnt / 2]);
	fprintf(to, "figure sim-demo-error-worst %.0f %%\n", e.of[e.cnt - 1]);
}

int demo_compare(const char *path, const struct sim_costs *costs, FILE *to,
		 FILE *err)
{
	struct seen measured[PHASES], predicted[PHASES];
	double path_us;
	int ret = read_file(path, measured, err);

	for (int i = 0; i < PHASES && !ret; i++)
		ret = predict(i, measured[i].rate, measured[FITTED].cpu_us,
			      costs, &predicted[i], err);
	if (ret)
		return ret;
	path_us = measured[FITTED].p50_us - predicted[FITTED].p50_us;
	for (int i = 0; i < PHASES; i++) {
		predicted[i].p50_us += path_us;
		predicted[i].p99_us += path_us;
	}
	fprintf(to,
		"A request takes %.0f us of cpu; %.0f us between client "
		"and vcpu make the median of `%s` agree.\n\n",
		measured[FITTED].cpu_us, path_us, phase[FITTED].name);
	print_table(to, measured, predicted);
	return 0;
}
