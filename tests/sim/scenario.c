// SPDX-License-Identifier: Apache-2.0
/*
 * scenario.c - scenario files: lines, sections, and what must fit together
 *
 * A line is a section, `key = value`, a comment or empty; scenario_key.c knows
 * the keys. When all is read, counts that depend on the host's size are worked
 * out and the whole is checked once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scenario_key.h"

#define LINE_MAX_BYTES 256
#define FILE_MAX_BYTES (64 * 1024)

#define MS 1000000ull

int scenario_fail(struct parse *p, const char *why)
{
	if (p->err)
		fprintf(p->err, "%s:%u: %s\n", p->name, p->line, why);
	return -EINVAL;
}

static void set_defaults(struct sim_scenario *s)
{
	*s = (struct sim_scenario){
		.run_ns = 1000 * MS,
		.warmup_ns = 100 * MS,
		.cpus = 8,
		.smt = 2,
		.llc = 8,
		.node = 64,
		.floor = 1,
		.costs = sim_costs_default,
	};
}

static const struct sim_kind kind_default = {
	.count = 1,
	.class = VM_CLASS_LATENCY_CRITICAL,
	.port = true,
	.vcpus = 4,
	.max = SCENARIO_VCPUS,
	.weight = 100,
	.slo_permyriad = 9900,
	.slo_signal = SLO_RESPONSE,
	.service = { .kind = SERVICE_EXP, .mean_ns = MS / 10 },
	.queue = 1024,
};

static bool good_name(const char *s)
{
	if (!*s || strlen(s) >= SIM_NAME_MAX)
		return false;
	for (; *s; s++)
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= '0' && *s <= '9') &&
		    *s != '-')
			return false;
	return true;
}

static int open_vm(struct parse *p, const char *name)
{
	struct sim_scenario *s = p->out;

	if (!good_name(name))
		return scenario_fail(p, "a VM's name is a-z 0-9 -");
	if (s->kind_cnt == SCENARIO_KINDS)
		return scenario_fail(p, "too many kinds of VMs");
	for (unsigned i = 0; i < s->kind_cnt; i++)
		if (!strcmp(s->kind[i].name, name))
			return scenario_fail(p, "a VM of that name is there");
	s->kind[s->kind_cnt] = kind_default;
	strcpy(s->kind[s->kind_cnt++].name, name);
	p->section = SECTION_VM;
	return 0;
}

static int open_phase(struct parse *p)
{
	struct sim_scenario *s = p->out;

	if (s->phase_cnt == SCENARIO_PHASES)
		return scenario_fail(p, "too many phases");
	s->phase[s->phase_cnt++] = (struct sim_phase){ .kind = UINT16_MAX };
	p->section = SECTION_PHASE;
	return 0;
}

static int open_section(struct parse *p, char *text)
{
	char *end = strchr(text, ']');

	if (!end || end[1])
		return scenario_fail(p, "a section ends in ]");
	*end = '\0';
	if (!strncmp(text, "vm ", 3))
		return open_vm(p, text + 3);
	if (!strcmp(text, "phase"))
		return open_phase(p);
	if (!strcmp(text, "host"))
		p->section = SECTION_HOST;
	else if (!strcmp(text, "costs"))
		p->section = SECTION_COSTS;
	else
		return scenario_fail(p, "no such section");
	return 0;
}

/* trim() - Cut blanks off both ends, in place. Return: the new start. */
static char *trim(char *s)
{
	size_t len;

	while (*s == ' ' || *s == '\t')
		s++;
	for (len = strlen(s); len; len--)
		if (s[len - 1] != ' ' && s[len - 1] != '\t')
			break;
	s[len] = '\0';
	return s;
}

static int read_line(struct parse *p, char *line)
{
	char *equals, *text = trim(line);

	if (!*text || *text == '#')
		return 0;
	if (*text == '[')
		return open_section(p, text + 1);
	equals = strchr(text, '=');
	if (!equals)
		return scenario_fail(p, "neither a section nor key = value");
	*equals = '\0';
	return scenario_key(p, trim(text), trim(equals + 1));
}

/* size_kind() - What depends on how many cpus there are. */
static const char *size_kind(const struct sim_scenario *s, struct sim_kind *k)
{
	if (k->per_cpus)
		k->count = (k->count * s->cpus + k->per_cpus - 1) / k->per_cpus;
	if (k->vcpus > s->cpus)
		k->vcpus = (uint16_t)s->cpus;
	if (k->max > k->vcpus)
		k->max = k->vcpus;
	if (k->min > k->max)
		k->min = k->max;
	if (k->load.kind == LOAD_SPIN && k->load.threads > k->vcpus)
		k->load.threads = k->vcpus;
	if (k->class == VM_CLASS_BEST_EFFORT)
		k->min = 0;
	if (service_mean_ns(&k->service) < 1000)
		return "a request takes 1us at least";
	if (k->collect_ns && k->collect_every_ns <= k->collect_ns)
		return "collections overlap";
	return NULL;
}

/* whole() - Does it fit together? Return: what does not, or NULL. */
static const char *whole(struct sim_scenario *s)
{
	unsigned vms = 0, vcpus = 0;
	const char *why;

	if (s->floor > s->cpus)
		return "the floor is wider than the host";
	for (unsigned i = 0; i < s->kind_cnt; i++) {
		why = size_kind(s, &s->kind[i]);
		if (why)
			return why;
		vms += s->kind[i].count;
		vcpus += s->kind[i].count * s->kind[i].vcpus;
		if (vms > SIM_VM_MAX || vcpus > SIM_VCPU_MAX)
			return "too many VMs or vcpus";
	}
	if (!vms)
		return "no VM";
	for (unsigned i = 0; i < s->phase_cnt; i++)
		if (s->phase[i].kind == UINT16_MAX)
			return "a phase without vm =";
	return NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int scenario_parse(struct sim_scenario *out, const char *name, const char *text,
		   size_t len, unsigned cpus, FILE *err)
{
	struct parse p = { .out = out, .name = name, .err = err };
	char line[LINE_MAX_BYTES];
	const char *why, *base = base_name(name);
	int rc;

	set_defaults(out);
	snprintf(out->name, sizeof(out->name), "%.*s", (int)strcspn(base, "."),
		 base);
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		p.line++;
		if (n >= sizeof(line) || memchr(text, '\0', n))
			return scenario_fail(&p, "too long, or not text");
		memcpy(line, text, n);
		line[n] = '\0';
		rc = read_line(&p, line);
		if (rc)
			return rc;
		n += end != NULL;
		text += n;
		len -= n;
	}
	if (cpus)
		out->cpus = cpus;
	why = whole(out);
	return why ? scenario_fail(&p, why) : 0;
}

/* slurp() - A small file as a string. Return: its length, or -errno. */
static long slurp(const char *path, char **text)
{
	FILE *f = fopen(path, "r");
	size_t len;
	int err = 0;

	if (!f)
		return -errno;
	*text = malloc(FILE_MAX_BYTES);
	len = *text ? fread(*text, 1, FILE_MAX_BYTES, f) : 0;
	if (!*text)
		err = -ENOMEM;
	else if (ferror(f))
		err = -EIO;
	else if (len == FILE_MAX_BYTES)
		err = -EFBIG;
	fclose(f);
	if (err)
		free(*text);
	return err ? err : (long)len;
}

int scenario_load(struct sim_scenario *out, const char *path, unsigned cpus,
		  FILE *err)
{
	char *text;
	long len = slurp(path, &text);
	int rc;

	if (len < 0) {
		fprintf(err, "%s: %s\n", path, strerror((int)-len));
		return (int)len;
	}
	rc = scenario_parse(out, path, text, (size_t)len, cpus, err);
	free(text);
	return rc;
}

int sim_costs_load(struct sim_costs *c, const char *path, FILE *err)
{
	struct sim_scenario *s;
	struct parse p = { .name = path, .err = err, .section = SECTION_COSTS };
	char *text, *rest, *line;
	long len = slurp(path, &text);
	int rc = 0;

	if (len < 0) {
		fprintf(err, "%s: %s\n", path, strerror((int)-len));
		return (int)len;
	}
	text[len] = '\0';
	s = malloc(sizeof(*s));
	if (!s) {
		free(text);
		return -ENOMEM;
	}
	p.out = s;
	s->costs = *c;
	rest = text;
	while (!rc && (line = strsep(&rest, "\n"))) {
		p.line++;
		rc = *trim(line) == '[' ? scenario_fail(&p, "only costs here")
					: read_line(&p, line);
	}
	if (!rc)
		*c = s->costs;
	free(s);
	free(text);
	return rc;
}

double service_mean_ns(const struct sim_service *s)
{
	double mean = (double)s->mean_ns;

	if (s->kind != SERVICE_BIMODAL)
		return mean;
	return mean * (1 - s->rare_share) + (double)s->rare_ns * s->rare_share;
}
