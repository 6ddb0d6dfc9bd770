// SPDX-License-Identifier: Apache-2.0
/*
 * hostsim.c - the simulator's command line
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calibrate.h"
#include "costs.h"
#include "demo.h"
#include "matrix.h"
#include "replay.h"
#include "report.h"
#include "scenario.h"

#define SIZES_MAX 8
#define FILES_MAX 32
#define SEEDS_MAX 16
#define JOBS_MAX  4096

struct options {
	const char *policy, *costs, *csv, *svg;
	unsigned size[SIZES_MAX], size_cnt;
	unsigned seeds, workers;
	uint64_t seed;
};

static const char usage[] =
    "usage: hostsim run [OPTIONS] SCENARIO\n"
    "       hostsim matrix [OPTIONS] SCENARIO...\n"
    "       hostsim policies\n"
    "       hostsim calibrate [FILE]\n"
    "       hostsim demo [--costs FILE] RESULT\n"
    "       hostsim replay FILE [--policy P] [--slo VM=TIME] [--compare]\n"
    "\n"
    "run simulates one scenario under one policy and prints each VM;\n"
    "matrix every scenario under every policy, on hosts of several sizes.\n"
    "calibrate measures this machine: a file for --costs.\n"
    "demo simulates what scripts/demo has measured: its result.json.\n"
    "replay lets policies decide again on what `hostctl record` recorded.\n"
    "\n"
    "  --policy NAME    run: which (default slo); matrix: only this one\n"
    "  --cpus N[,N...]  sizes of the host (default: the file's; matrix:\n"
    "                   2,16,64,256)\n"
    "  --seed N         first seed (default 1)\n"
    "  --seeds N        matrix: runs that differ in the seed only (1)\n"
    "  --costs FILE     what things cost, instead of the defaults\n"
    "  --jobs N         matrix: processes (default: cpus of this machine)\n"
    "  --csv FILE, --svg FILE  matrix: results, for other tools, as figure\n";

static int parse_sizes(struct options *o, const char *text)
{
	char *end;

	for (o->size_cnt = 0; o->size_cnt < SIZES_MAX; text = end + 1) {
		unsigned long n = strtoul(text, &end, 10);

		if (end == text || n < 1 || n > SIM_CPU_MAX)
			return -EINVAL;
		o->size[o->size_cnt++] = (unsigned)n;
		if (!*end)
			return 0;
		if (*end != ',')
			return -EINVAL;
	}
	return -EINVAL;
}

static int parse_number(const char *text, unsigned long max, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end || !n || n > max)
		return -EINVAL;
	*out = (unsigned)n;
	return 0;
}

static int parse_option(struct options *o, int c)
{
	switch (c) {
	case 'p':
		o->policy = optarg;
		return sim_policy_find(optarg) ? 0 : -EINVAL;
	case 'c':
		return parse_sizes(o, optarg);
	case 's':
		o->seed = strtoull(optarg, NULL, 0);
		return 0;
	case 'n':
		return parse_number(optarg, SEEDS_MAX, &o->seeds);
	case 'j':
		return parse_number(optarg, 256, &o->workers);
	case 'k':
		o->costs = optarg;
		return 0;
	case 'v':
		o->csv = optarg;
		return 0;
	case 'g':
		o->svg = optarg;
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "cpus", required_argument, NULL, 'c' },
		{ "seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "costs", required_argument, NULL, 'k' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "csv", required_argument, NULL, 'v' },
		{ "svg", required_argument, NULL, 'g' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == '?')
			return -EINVAL; /* said so itself */
		if (parse_option(o, c)) {
			fprintf(stderr, "hostsim: not so: %s\n", optarg);
			return -EINVAL;
		}
	}
	return 0;
}

static int load(struct sim_scenario *s, const char *path, unsigned cpus,
		const struct options *o)
{
	int err = scenario_load(s, path, cpus, stderr);

	if (!err && o->costs)
		err = sim_costs_load(&s->costs, o->costs, stderr);
	return err;
}

/* --- run ----------------------------------------------------------------- */

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static void print_vm(const struct sim_vm_result *v)
{
	printf("%-12s %9" PRIu64 " %6" PRIu64 " %8.3f %8.3f %8.3f ", v->name,
	       v->done, v->lost, ms(v->p50_ns), ms(v->p99_ns), ms(v->p999_ns));
	if (v->slo_ns)
		printf("%8.3f %-4s", ms(v->slo_ns), v->met ? "met" : "MISS");
	else
		printf("%8s %-4s", "-", "-");
	printf(" %8.3f %8.3f %8.3f %6" PRIu64 "\n", v->owned_s, v->run_s,
	       v->work_s, v->moves);
}

static void print_run(const struct sim_result *r)
{
	printf("%-12s %9s %6s %8s %8s %8s %8s %-4s %8s %8s %8s %6s\n", "vm",
	       "answers", "lost", "p50 ms", "p99 ms", "p99.9", "slo ms", "",
	       "owned s", "ran s", "work s", "moves");
	for (unsigned i = 0; i < r->vm_cnt; i++)
		print_vm(&r->vm[i]);
	printf("\n%.3f s on %u cpus: latency-critical VMs cost %.3f cpu-s, "
	       "best-effort work %.3f s\n",
	       r->seconds, r->cpus, r->lc_cpu_s,
	       r->class[VM_CLASS_BEST_EFFORT].work_s);
	printf("%" PRIu64 " moves, %" PRIu64
	       " decisions, %.0f ns each; %" PRIu64
	       " events in %.2f s of cpu time, %.2f M/s\n",
	       r->moves, r->decisions,
	       r->decisions ? (double)r->decide_ns / (double)r->decisions : 0,
	       r->events, r->cpu_s, (double)r->events / r->cpu_s / 1e6);
	if (r->broken)
		printf("BROKEN %u times, first: %s\n", r->broken,
		       r->first_broken);
}

static int cmd_run(const struct options *o, char **files, int cnt)
{
	static struct sim_scenario s;
	static struct sim_result r;
	int err;

	if (cnt != 1) {
		fputs(usage, stderr);
		return -EINVAL;
	}
	err = load(&s, files[0], o->size_cnt ? o->size[0] : 0, o);
	if (!err)
		err =
		    sim_run(&s, sim_policy_find(o->policy ? o->policy : "slo"),
			    o->seed, &r);
	if (!err)
		print_run(&r);
	return err ? err : r.broken ? -EPROTO : 0;
}

/* --- matrix -------------------------------------------------------------- */

struct matrix {
	struct sim_scenario *scenario;
	unsigned scenario_cnt;
	struct matrix_job job[JOBS_MAX];
	unsigned job_cnt;
};

/* fill() - All jobs, the longest, those of large hosts, first. */
static int fill(struct matrix *m, const struct options *o, char **files,
		int cnt)
{
	m->scenario = calloc((size_t)cnt * o->size_cnt, sizeof(*m->scenario));
	if (!m->scenario)
		return -ENOMEM;
	for (unsigned i = o->size_cnt; i--;)
		for (int f = 0; f < cnt; f++) {
			int err = load(&m->scenario[m->scenario_cnt++],
				       files[f], o->size[i], o);

			if (err)
				return err;
		}
	for (unsigned i = 0; i < m->scenario_cnt; i++)
		for (const struct sim_policy *p = sim_policies; p->name; p++) {
			if (o->policy && strcmp(o->policy, p->name))
				continue;
			for (unsigned n = 0; n < o->seeds; n++) {
				if (m->job_cnt == JOBS_MAX)
					return -E2BIG;
				m->job[m->job_cnt++] =
				    (struct matrix_job){ &m->scenario[i], p,
							 o->seed + n };
			}
		}
	return 0;
}

static int save(const char *path, const struct sim_row *rows, unsigned cnt,
		int (*write)(FILE *, const struct sim_row *, unsigned))
{
	FILE *f;
	int err;

	if (!path)
		return 0;
	f = fopen(path, "w");
	err = f ? write(f, rows, cnt) : -errno;
	if (f && fclose(f) && !err)
		err = -errno;
	if (err)
		fprintf(stderr, "hostsim: %s: %s\n", path, strerror(-err));
	return err;
}

/* broken() - How many runs broke an invariant; each is named. */
static unsigned broken(const struct sim_row *rows, unsigned cnt)
{
	unsigned n = 0;

	for (unsigned i = 0; i < cnt; i++) {
		const struct sim_result *r = &rows[i].result;

		if (!r->broken)
			continue;
		n++;
		printf("broken: %s on %u cpus, %s, seed %" PRIu64
		       ": %u times, first at %s\n",
		       rows[i].scenario, rows[i].cpus, rows[i].policy->name,
		       rows[i].seed, r->broken, r->first_broken);
	}
	printf("invariants: %u runs, %u broken\n", cnt, n);
	return n;
}

static int cmd_matrix(const struct options *o, char **files, int cnt)
{
	static const unsigned sizes[] = { 2, 16, 64, 256 };
	static struct matrix m;
	struct options all = *o;
	struct sim_row *rows;
	int err;

	if (cnt < 1 || cnt > FILES_MAX) {
		fputs(usage, stderr);
		return -EINVAL;
	}
	if (!all.size_cnt) {
		memcpy(all.size, sizes, sizeof(sizes));
		all.size_cnt = sizeof(sizes) / sizeof(sizes[0]);
	}
	err = fill(&m, &all, files, cnt);
	if (err)
		goto out;
	rows = matrix_rows(m.job_cnt);
	if (!rows) {
		err = -ENOMEM;
		goto out;
	}
	err = matrix_run(m.job, m.job_cnt, o->workers, rows, stderr);
	if (err)
		goto out;
	report_print(stdout, rows, m.job_cnt);
	err = save(o->csv, rows, m.job_cnt, report_csv);
	if (!err)
		err = save(o->svg, rows, m.job_cnt, report_svg);
	if (broken(rows, m.job_cnt) && !err)
		err = -EPROTO;
out:
	free(m.scenario);
	return err;
}

/* --- the others ---------------------------------------------------------- */

static int cmd_policies(const struct options *o, char **files, int cnt)
{
	(void)o;
	(void)files;
	(void)cnt;
	for (const struct sim_policy *p = sim_policies; p->name; p++)
		printf("%-14s %s\n", p->name, p->about);
	return 0;
}

static int cmd_calibrate(const struct options *o, char **files, int cnt)
{
	FILE *to = cnt ? fopen(files[0], "w") : stdout;
	int err;

	(void)o;
	if (!to)
		return -errno;
	err = calibrate(to, stderr, CALIBRATE_NS);
	if (to != stdout && fclose(to) && !err)
		err = -errno;
	return err;
}

static int cmd_demo(const struct options *o, char **files, int cnt)
{
	struct sim_costs costs = sim_costs_default;
	int err = 0;

	if (cnt != 1) {
		fputs(usage, stderr);
		return -EINVAL;
	}
	if (o->costs)
		err = sim_costs_load(&costs, o->costs, stderr);
	return err ? err : demo_compare(files[0], &costs, stdout, stderr);
}

static const struct {
	const char *name;
	int (*run)(const struct options *o, char **files, int cnt);
} command[] = {
	{ "run", cmd_run },	      { "matrix", cmd_matrix },
	{ "policies", cmd_policies }, { "calibrate", cmd_calibrate },
	{ "demo", cmd_demo },
};

int main(int argc, char **argv)
{
	struct options o = {
		.seeds = 1,
		.seed = 1,
		.workers = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
	};
	int err;

	if (argc > 1 && !strcmp(argv[1], "replay"))
		return replay_main(argc - 1, argv + 1);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") && strcmp(argv[i], "-h"))
			continue;
		fputs(usage, stdout);
		return 0;
	}
	for (size_t i = 0; argc > 1 && i < sizeof(command) / sizeof(*command);
	     i++) {
		if (strcmp(argv[1], command[i].name))
			continue;
		if (parse(&o, argc - 1, argv + 1))
			return 2;
		err = command[i].run(&o, argv + 1 + optind, argc - 1 - optind);
		if (err)
			fprintf(stderr, "hostsim: %s\n", strerror(-err));
		return err ? 1 : 0;
	}
	fputs(usage, stderr);
	return 2;
}
