// SPDX-License-Identifier: Apache-2.0
/*
 * replay.c - `hostsim replay`: what would another policy have decided?
 *
 * Reads a recording of `hostctl record` and lets policies decide on it again,
 * with other targets if so asked, beside what hostd decided.
 */
#include "replay.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hl/clock.h"
#include "hostctl_table.h"
#include "name.h"
#include "replay_run.h"

static void usage(FILE *f)
{
	fputs("usage: hostsim replay FILE [--policy P]... [--slo VM=TIME]... "
	      "[--compare]\n\n"
	      "  --policy P      a policy that decides again (default: the one "
	      "that was recorded)\n"
	      "  --slo VM=TIME   as if that VM's SLO had been TIME: 200us, "
	      "1ms\n"
	      "  --compare       all policies\n",
	      f);
}

/* "200us" -> ns. Return: false when it is no time, or 0. */
static bool time_of(const char *text, uint64_t *ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} unit[] = { { "ns", 1 },
		     { "us", NSEC_PER_USEC },
		     { "ms", NSEC_PER_MSEC },
		     { "s", NSEC_PER_SEC } };
	unsigned long long n;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	for (unsigned i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
		if (strcmp(end, unit[i].name))
			continue;
		*ns = n * unit[i].ns;
		return n && !errno && n <= 3600 * NSEC_PER_SEC / unit[i].ns;
	}
	return false;
}

/* slo_option() - "VM=TIME"; a name may have a "=" in it. */
static bool slo_option(struct replay *p, char *arg)
{
	char *eq = strrchr(arg, '=');
	struct replay_slo *s = &p->slo[p->slo_cnt];

	if (!eq || eq == arg || p->slo_cnt == REPLAY_SLOS ||
	    !time_of(eq + 1, &s->ns))
		return false;
	*eq = '\0';
	s->vm = arg;
	p->slo_cnt++;
	return true;
}

/* --- what is shown -----------------------------------------------------------
 */

static const char *time_text(uint64_t ns, char *buf, size_t size)
{
	return ns ? human_time(ns, buf, size) : "-";
}

static double seconds(const struct replay *p)
{
	return (double)(p->now_ns - p->began_ns) / 1e9;
}

/* A name goes on the terminal once in a VM's rows. */
static void put_vm(FILE *f, const struct replay *p, uint16_t vm)
{
	const struct vm_view *v = &p->run[0]->s.vm[vm];
	char name[5 * VM_NAME_MAX], a[32], b[32];

	name_printable(p->file.name[vm], name, sizeof(name));
	for (unsigned j = 0; j <= p->cnt; j++) {
		const struct replay_tally *t = &p->tally[j];
		const struct replay_vm *n = &t->vm[vm];

		if (j)
			fputs("\t\t", f);
		else
			fprintf(f, "%s\t%s\t%s", name,
				time_text(v->slo_ns, a, sizeof(a)),
				time_text(p->over_ns[vm], b, sizeof(b)));
		fprintf(f, "\t%s\t%" PRIu64 "\t%" PRIu64 "\t%.1f\t%.3f\t%s\n",
			t->name, n->gained, n->lost,
			(double)(n->gained + n->lost) / seconds(p),
			(double)n->owned_ns / 1e9,
			j ? time_text(n->helped_ns, a, sizeof(a)) : "-");
	}
}

static void put_total(FILE *f, const struct replay *p)
{
	for (unsigned j = 0; j <= p->cnt; j++) {
		uint64_t owned_ns = 0;

		for (unsigned i = 0; i < VM_MAX; i++)
			owned_ns += p->tally[j].vm[i].owned_ns;
		fprintf(f, "%s\t\t\t%s\t\t\t%.1f\t%.3f\t\n", j ? "" : "(all)",
			p->tally[j].name,
			(double)p->tally[j].moves / seconds(p),
			(double)owned_ns / 1e9);
	}
}

static void put_reasons(FILE *f, const struct replay *p)
{
	fputs("WHY", f);
	for (unsigned j = 0; j <= p->cnt; j++)
		fprintf(f, "\t%s", p->tally[j].name);
	fputc('\n', f);
	for (unsigned i = 0; i < REASON_NUM; i++) {
		uint64_t sum = 0;

		for (unsigned j = 0; j <= p->cnt; j++)
			sum += p->tally[j].reason[i];
		if (!sum)
			continue;
		fputs(policy_reason_name(i), f);
		for (unsigned j = 0; j <= p->cnt; j++)
			fprintf(f, "\t%" PRIu64, p->tally[j].reason[i]);
		fputc('\n', f);
	}
}

static void put_head(const struct replay *p, const char *path)
{
	const struct replay_file *f = &p->file;
	unsigned vms = 0, managed = 0;
	char hostd[4 * sizeof(f->head.hostd)], policy[128];

	for (unsigned i = 0; i < VM_MAX; i++)
		vms += p->seen[i];
	for (unsigned i = 0; i < f->s.cpu_cnt; i++)
		managed += f->s.cpu[i].managed;
	printf("%s: %.3f s by hostd %s under policy %s, %u cpus managed, %u "
	       "VMs; %" PRIu64 " looks",
	       path, seconds(p),
	       name_printable(f->head.hostd, hostd, sizeof(hostd)),
	       name_printable(f->time.policy, policy, sizeof(policy)), managed,
	       vms, f->looks);
	if (f->time.skipped)
		printf(", %" PRIu64 " left out and %" PRIu64
		       " decisions with them",
		       f->time.skipped, f->time.lost);
	printf("%s\n", f->cut ? "; the file was cut short" : "");
}

/* A table made by @put, unless there is no memory for it. */
static void table(const struct replay *p,
		  void (*put)(FILE *f, const struct replay *p),
		  const char *align)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	put(f, p);
	fclose(f);
	table_print(stdout, text, align);
	free(text);
}

static void put_vms(FILE *f, const struct replay *p)
{
	fputs("VM\tSLO\tOVER\tPOLICY\tGAINED\tLOST\tMOVES/S\tCPU-S\tHELPED\n",
	      f);
	for (uint16_t i = 0; i < VM_MAX; i++)
		if (p->seen[i])
			put_vm(f, p, i);
	put_total(f, p);
}

static void show(const struct replay *p, const char *path)
{
	put_head(p, path);
	if (!p->live || p->now_ns == p->began_ns) {
		puts("it ends before all VMs were known: nothing to decide");
		return;
	}
	table(p, put_vms, "lrrlrrrrr");
	putchar('\n');
	table(p, put_reasons, "lrrrrrrrrr");
	puts("\nOpen loop: waits are those that were recorded, whatever a "
	     "policy does here.\n"
	     "OVER: how long a wait was over the SLO. HELPED: in how much of "
	     "that the VM owned\n"
	     "more cpus than when it was recorded. CPU-S: cpus owned, summed "
	     "over time.");
}

/* --- options
 * ------------------------------------------------------------------- */

/* first_policy() - The one under which the recording begins. */
static const struct policy_ops *first_policy(FILE *f)
{
	const struct policy_ops *ops = NULL;
	struct record r;

	while (!ops && fread(&r, sizeof(r), 1, f) == 1)
		if (r.kind == RECORD_TIME &&
		    memchr(r.time.policy, '\0', sizeof(r.time.policy)))
			ops = policy_find(r.time.policy);
	rewind(f);
	return ops ? ops : &policy_slo;
}

static int add_all(struct replay *p)
{
	int err = 0;

	for (const struct policy_ops *const *ops = policy_table; *ops && !err;
	     ops++)
		if (*ops != &policy_none)
			err = replay_add(p, *ops);
	return err;
}

/* targets() - Was every --slo of a VM that was there? */
static int targets(const struct replay *p)
{
	for (unsigned i = 0; i < p->slo_cnt; i++) {
		bool found = false;

		for (unsigned vm = 0; vm < VM_MAX && !found; vm++)
			found = p->seen[vm] &&
				!strcmp(p->file.name[vm], p->slo[i].vm);
		if (found)
			continue;
		fprintf(stderr, "replay: no VM '%s' was recorded\n",
			p->slo[i].vm);
		return 1;
	}
	return 0;
}

static int replay(struct replay *p, const char *path)
{
	FILE *f = fopen(path, "re");
	int rc;

	if (!f) {
		fprintf(stderr, "replay: cannot open %s: %s\n", path,
			strerror(errno));
		return 1;
	}
	if (!p->cnt && replay_add(p, first_policy(f))) {
		fputs("replay: out of memory\n", stderr);
		fclose(f);
		return 1;
	}
	rc = replay_go(p, f);
	fclose(f);
	if (rc)
		fprintf(stderr, "replay: %s: %s\n", path, p->file.error);
	if (rc && !p->live)
		return 1;
	show(p, path);
	return rc || targets(p);
}

/* parse() - Return: the file, or NULL for bad usage. */
static const char *parse(struct replay *p, int argc, char **argv)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "slo", required_argument, NULL, 's' },
		{ "compare", no_argument, NULL, 'c' },
		{ 0 },
	};
	const struct policy_ops *ops;
	const char *file = NULL;
	int opt;

	optind = 0; /* glibc: start over, whoever parsed before */
	while ((opt = getopt_long(argc, argv, "-p:s:c", options, NULL)) != -1) {
		switch (opt) {
		case 1:
			if (file)
				return NULL;
			file = optarg;
			break;
		case 'p':
			ops = policy_find(optarg);
			if (!ops || replay_add(p, ops))
				return NULL;
			break;
		case 's':
			if (!slo_option(p, optarg))
				return NULL;
			break;
		case 'c':
			if (add_all(p))
				return NULL;
			break;
		default:
			return NULL;
		}
	}
	return file;
}

int replay_main(int argc, char **argv)
{
	struct replay *p = calloc(1, sizeof(*p));
	const char *file;
	int rc = 2;

	if (!p)
		return 1;
	file = parse(p, argc, argv);
	if (file)
		rc = replay(p, file);
	else
		usage(stderr);
	replay_free(p);
	free(p);
	return rc;
}
