// SPDX-License-Identifier: Apache-2.0
/*
 * hostctl_why.c - hostctl's views of the trace of decisions
 *
 * `log` is a table of all, `why` tells those about one VM or cpu, a sentence
 * each: when, which cpu, from whom to whom; what was seen and what it was
 * compared with; how the VM stood at the time.
 */
#include "hostctl_why.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hl/bounds.h"
#include "hostctl_table.h"
#include "hostctl_view.h"
#include "name.h"

#define TRACE_MAX 1024 /* decisions hostd keeps, and pages at most */
#define SHOWN	  20   /* decisions, unless told otherwise */

/* The answers to one question, newest page first. */
struct pages {
	unsigned cnt;
	struct answer *page[TRACE_MAX];
};

static void pages_free(struct pages *p)
{
	while (p->cnt)
		answer_free(p->page[--p->cnt]);
}

/*
 * ask() - The last @wanted decisions, of those about @who unless NULL
 * The trace comes in pages. Return: 0, or 1.
 */
static int ask(struct ctl *c, uint64_t wanted, const char *who, struct pages *p)
{
	uint64_t before = INT64_MAX, had = 0, n;
	struct answer *page;
	char arg[TEXT_MAX];

	p->cnt = 0;
	while (had < wanted && before && p->cnt < TRACE_MAX) {
		snprintf(arg, sizeof(arg), "%" PRIu64 ",%" PRIu64 "%s%s",
			 wanted - had, before, who ? "," : "", who ? who : "");
		page = answer_ask(c, ANSWER_RECORD, "log", arg, ASK_S);
		if (!page)
			return 1;
		p->page[p->cnt++] = page;
		n = answer_num(page, "count");
		if (!n || answer_num(page, "first") >= before)
			break;
		had += n;
		before = answer_num(page, "first");
	}
	return 0;
}

/* each() - Call @fn for every decision, oldest first. Return: how many. */
static uint64_t each(FILE *f, const struct pages *p,
		     void (*fn)(FILE *f, const struct answer *a, size_t i))
{
	uint64_t rows = 0;

	for (unsigned page = p->cnt; page--;) {
		size_t n = answer_count(p->page[page], "age_ns");

		for (size_t i = 0; i < n; i++, rows++)
			fn(f, p->page[page], i);
	}
	return rows;
}

static char *time_at(const struct answer *a, const char *key, size_t i,
		     char *buf)
{
	return human_time(answer_num_at(a, key, i), buf, TEXT_MAX);
}

/* A best-effort VM was barred from cpus; else one cpu changed hands. */
static bool is_bar(const struct answer *a, size_t i)
{
	return answer_num_at(a, "cpu", i) == CPU_NONE;
}

static void log_row(FILE *f, const struct answer *log, size_t i)
{
	char a[TEXT_MAX], b[TEXT_MAX];

	answer_text_at(log, "from", i, b);
	fprintf(f, "%s\t", time_at(log, "age_ns", i, a));
	if (is_bar(log, i))
		answer_text_at(log, "barred", i, a);
	else
		snprintf(a, sizeof(a), "%" PRIu64,
			 answer_num_at(log, "cpu", i));
	fprintf(f, "%s%s\t%s", is_bar(log, i) ? "bar " : "", a,
		*b		 ? b
		: is_bar(log, i) ? "(all)"
				 : "-");
	if (*answer_text_at(log, "vm", i, a))
		fprintf(f, "\t%s/%" PRIu64, a, answer_num_at(log, "vcpu", i));
	else
		fputs("\t-", f);
	fprintf(f, "\t%s", answer_text_at(log, "reason", i, a));
	fprintf(f, "\t%s\t%s\n", time_at(log, "delay_ns", i, a),
		time_at(log, "ready_ns", i, b));
}

int show_log(struct ctl *c, const char *arg)
{
	uint64_t wanted = SHOWN, rows;
	struct pages p;
	struct view v;
	char *end;
	int rc;

	if (arg) {
		wanted = strtoull(arg, &end, 10);
		if (*arg < '0' || *arg > '9' || *end)
			return complain(c, "log takes a number, as in: "
					   "hostctl log 50");
	}
	rc = ask(c, wanted < TRACE_MAX ? wanted : TRACE_MAX, NULL, &p);
	if (view_begin(c, &v, "AGO\tCPU\tFROM\tTO\tWHY\tDELAY\tREADY\n")) {
		rc = 1;
		goto out_free;
	}
	rows = each(v.f, &p, log_row);
	view_end(c, &v, rc || !rows ? NULL : "rrlllrr");
	if (!rc && !rows)
		fputs("no cpu has moved\n", c->out);
out_free:
	pages_free(&p);
	return rc;
}

/* --- why ------------------------------------------------------------------ */

/* What each reason means: in front of its figures (what was seen, what it was
 * compared with) where the decision has them, and without. */
static const struct cause {
	const char *reason, *with, *without;
} causes[] = {
	{ "guarantee", NULL, "it had fewer than it is guaranteed" },
	{ "delay", "a frame had waited", "a frame had waited too long" },
	{ "ready-wait", "a vcpu had waited for a cpu for",
	  "a vcpu had waited for a cpu too long" },
	{ "held", NULL, "its ring was full and frames were held" },
	{ "preempted", "no cpu was free and it had waited",
	  "it had the better claim" },
	{ "give-back", "what it owned had been idle for",
	  "it could do with less" },
	{ "spare", NULL, "nobody else wanted it" },
	{ "hint", "its agent said that work had waited",
	  "its vcpus had no rest and its agent could use more" },
	{ "budget", NULL, "it was late there and a better cpu was free" },
	{ "home", NULL, "its memory is on that cpu's node" },
	{ "harvester", NULL, "a harvester kept an owner from its own cpu" },
	{ "sibling", NULL, "what ran on the SMT sibling slowed an owner down" },
	{ "bandwidth", NULL,
	  "memory bandwidth was short and it used the most" },
	{ "relief", NULL, "there was no shortage any more" },
	{ "gone", NULL,
	  "the VM or its vcpu has gone, or the cpu is not managed any more" },
	{ NULL, NULL, "hostd gave no reason" },
};

static void put_cause(FILE *f, const struct answer *a, size_t i)
{
	char saw[TEXT_MAX], limit[TEXT_MAX], word[TEXT_MAX];
	bool over =
	    answer_num_at(a, "limit_ns", i) &&
	    answer_num_at(a, "saw_ns", i) >= answer_num_at(a, "limit_ns", i);
	const struct cause *c = causes;

	answer_text_at(a, "reason", i, word);
	while (c->reason && strcmp(c->reason, word))
		c++;
	time_at(a, "saw_ns", i, saw);
	time_at(a, "limit_ns", i, limit);
	if (c->with && over)
		fprintf(f, "%s %s, limit %s", c->with, saw, limit);
	else
		fputs(c->without, f);
}

/* "cpu 7 went from batch to web/1" */
static void put_move(FILE *f, const struct answer *a, size_t i)
{
	char from[TEXT_MAX], to[TEXT_MAX];

	answer_text_at(a, "from", i, from);
	answer_text_at(a, "vm", i, to);
	fprintf(f, "cpu %" PRIu64, answer_num_at(a, "cpu", i));
	if (!*to)
		fprintf(f, " was taken from %s", *from ? from : "nobody");
	else if (!*from)
		fprintf(f, " went to %s", to);
	else if (strcmp(from, to))
		fprintf(f, " went from %s to %s", from, to);
	else
		fprintf(f, " of %s went from vcpu %" PRIu64 " to %" PRIu64, to,
			answer_num_at(a, "from_vcpu", i),
			answer_num_at(a, "vcpu", i));
}

/* "; web owned 1 of 4 and 2 of its vcpus wanted to run" */
static void put_state(FILE *f, const struct answer *a, size_t i)
{
	char from[TEXT_MAX], vm[TEXT_MAX];
	uint64_t used = answer_num_at(a, "used_permille", i);

	answer_text_at(a, "from", i, from);
	answer_text_at(a, "vm", i, vm);
	fprintf(f, "; %s owned %" PRIu64 " of %" PRIu64, *vm ? vm : from,
		answer_num_at(a, "owned", i), answer_num_at(a, "may", i));
	if (answer_num_at(a, "min", i))
		fprintf(f, " (%" PRIu64 " guaranteed)",
			answer_num_at(a, "min", i));
	if (answer_num_at(a, "sensed", i))
		fprintf(f, ", %" PRIu64 " of its vcpus wanted to run",
			answer_num_at(a, "runnable", i));
	if (answer_num_at(a, "hinted", i))
		fprintf(f, ", its agent could use %" PRIu64,
			answer_num_at(a, "wanted", i));
	if (used)
		fprintf(f, ", it used %" PRIu64 ".%02" PRIu64 " of late",
			used / 1000, used % 1000 / 10);
	if (*vm && *from && strcmp(vm, from))
		fprintf(f, "; %s owned %" PRIu64, from,
			answer_num_at(a, "from_owned", i));
}

/* "batch was barred from cpus 2-3" */
static void put_bar(FILE *f, const struct answer *a, size_t i)
{
	char vm[TEXT_MAX], cpus[TEXT_MAX];

	answer_text_at(a, "from", i, vm);
	answer_text_at(a, "barred", i, cpus);
	fprintf(f, "%s may ride on all cpus %s%s", *vm ? vm : "best-effort VMs",
		*cpus ? "but " : "again", cpus);
}

static void tell(FILE *f, const struct answer *a, size_t i)
{
	char ago[TEXT_MAX];

	fprintf(f, "%s ago ", time_at(a, "age_ns", i, ago));
	if (is_bar(a, i))
		put_bar(f, a, i);
	else
		put_move(f, a, i);
	fputs(": ", f);
	put_cause(f, a, i);
	if (!is_bar(a, i))
		put_state(f, a, i);
	fputc('\n', f);
}

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* Is there such a VM or cpu at all? Asked when the trace knows nothing of it.
 * Return: 0, or 1 with a sentence written. */
static int nothing(struct ctl *c, const char *who)
{
	bool cpu = is_number(who), known;
	struct answer *a =
	    answer_ask(c, ANSWER_ANY, cpu ? "cpu" : "vm", who, ASK_S);
	char shown[TEXT_MAX];

	if (!a)
		return 1;
	known = answer_is_record(a);
	answer_free(a);
	name_printable(who, shown, sizeof(shown));
	if (!known)
		return complain(c,
				cpu ? "cpu %s is not managed"
				    : "there is no VM called '%s'",
				shown);
	fprintf(c->out,
		"%s%s neither gained nor lost %s in the decisions hostd "
		"remembers\n",
		cpu ? "cpu " : "", shown, cpu ? "an owner" : "a cpu");
	return 0;
}

int show_why(struct ctl *c, const char *arg)
{
	struct pages p;
	int rc;

	if (!arg || !*arg)
		return complain(c, "why takes a VM or a cpu, as in: "
				   "hostctl why web");
	rc = ask(c, SHOWN, arg, &p);
	if (!rc && !each(c->out, &p, tell))
		rc = nothing(c, arg);
	pages_free(&p);
	return rc;
}
