// SPDX-License-Identifier: Apache-2.0
/*
 * hostctl_show.c - what hostctl asks hostd, and how it shows the answer
 *
 * Views are made with hostctl_view.h.
 */
#include "hostctl_show.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cpulist.h"
#include "hl/bounds.h"
#include "hl/cpumask.h"
#include "hostctl_view.h"
#include "hostctl_table.h"
#include "name.h"

static char *time_of(const struct answer *a, const char *key, char *buf)
{
	return human_time(answer_num(a, key), buf, TEXT_MAX);
}

static char *count_of(const struct answer *a, const char *key, char *buf)
{
	return human_count(answer_num(a, key), buf, TEXT_MAX);
}

/* The cpus a VM owns, as a list; "-" for none. */
static const char *owned_list(const struct answer *vm, char *buf)
{
	struct cpumask mask = { 0 };

	for (size_t i = 0; i < answer_count(vm, "cpus"); i++) {
		uint64_t cpu = answer_num_at(vm, "cpus", i);

		if (cpu < CPU_MAX)
			cpumask_set(&mask, (unsigned)cpu);
	}
	cpulist_format(&mask, buf, TEXT_MAX);
	return *buf ? buf : "-";
}

/* The two signals of a VM: what it measures, and how often it did. */
enum signal { DELAY, RESPONSE };

static bool is_measured(const struct answer *vm, enum signal signal)
{
	return answer_num(vm, "has_port") &&
	       answer_num(vm, signal == DELAY ? "samples" : "responses");
}

/* Which one its SLO is about. */
static enum signal signal_of(const struct answer *vm)
{
	char word[TEXT_MAX];

	return strcmp(answer_text(vm, "slo_signal", word), "response")
		   ? DELAY
		   : RESPONSE;
}

static const char *met(const struct answer *vm)
{
	if (!answer_num(vm, "slo_ns") || !is_measured(vm, signal_of(vm)))
		return "-";
	return answer_num(vm, "slo_met") ? "yes" : "NO";
}

/* "p99 500us", "p99.9 1.00ms"; "-" without one. */
static const char *slo(const struct answer *vm, char *buf)
{
	unsigned part = (unsigned)answer_num(vm, "slo_permyriad") % 10000;
	char time[32];

	if (!answer_num(vm, "slo_ns"))
		return "-";
	human_time(answer_num(vm, "slo_ns"), time, sizeof(time));
	if (part % 100)
		snprintf(buf, TEXT_MAX, "p%u.%u %s", part / 100,
			 part % 100 / 10, time);
	else
		snprintf(buf, TEXT_MAX, "p%u %s", part / 100, time);
	return buf;
}

static const char *wait_of(const struct answer *vm, enum signal signal,
			   const char *key, char *buf)
{
	return is_measured(vm, signal) ? time_of(vm, key, buf) : "-";
}

/* "1-4"; a maximum no host reaches is "all". */
static char *range(const struct answer *vm, char *buf)
{
	uint64_t min = answer_num(vm, "cpus_min");
	uint64_t max = answer_num(vm, "cpus_max");

	if (max >= CPU_MAX)
		snprintf(buf, TEXT_MAX, "%" PRIu64 "-all", min);
	else
		snprintf(buf, TEXT_MAX, "%" PRIu64 "-%" PRIu64, min, max);
	return buf;
}

static void vm_row(FILE *f, const struct answer *vm)
{
	static const char *const keys[][3] = {
		[DELAY] = { "delay_p50_ns", "delay_p99_ns", "delay_p999_ns" },
		[RESPONSE] = { "response_p50_ns", "response_p99_ns",
			       "response_p999_ns" },
	};
	char a[TEXT_MAX], b[TEXT_MAX], c[TEXT_MAX];
	enum signal of = signal_of(vm);

	fprintf(f, "%s\t%s\t%s", answer_text(vm, "name", a),
		answer_text(vm, "class", b), slo(vm, c));
	fprintf(f, "\t%s\t%s\t%s\t%s\t%s", of == DELAY ? "delay" : "response",
		wait_of(vm, of, keys[of][0], a),
		wait_of(vm, of, keys[of][1], b),
		wait_of(vm, of, keys[of][2], c), met(vm));
	fprintf(f, "\t%" PRIu64 "/%s\t%s", answer_num(vm, "cpus_owned"),
		range(vm, a), owned_list(vm, b));
	fprintf(f, "\t+%s -%s\t%s\n", count_of(vm, "gained", a),
		count_of(vm, "lost", b), count_of(vm, "drops", c));
}

struct drops {
	FILE *f;
	const char *who; /* the port; NULL: one fact a line, no port */
};

/* "drop_hold_full" of an answer, shown as "hold-full". */
static void drop_line(void *arg, const char *reason, uint64_t n)
{
	const struct drops *d = arg;
	char word[TEXT_MAX], frames[32];

	snprintf(word, sizeof(word), "%s", reason);
	for (char *p = word; *p; p++)
		if (*p == '_')
			*p = '-';
	human_count(n, frames, sizeof(frames));
	if (d->who)
		fprintf(d->f, "%s\t%s\t%s\n", d->who, word, frames);
	else
		fprintf(d->f, "dropped, %s\t%s frames\n", word, frames);
}

/* Facts that are one field each. */
struct fact {
	const char *label, *key;
	enum { TEXT, TIME, COUNT, DELAY_TIME, RESPONSE_TIME } kind;
};

static void put_facts(FILE *f, const struct answer *a, const struct fact *facts)
{
	char buf[TEXT_MAX];

	for (; facts->label; facts++) {
		const char *text =
		    facts->kind == TEXT	   ? answer_text(a, facts->key, buf)
		    : facts->kind == TIME  ? time_of(a, facts->key, buf)
		    : facts->kind == COUNT ? count_of(a, facts->key, buf)
		    : facts->kind == DELAY_TIME
			? wait_of(a, DELAY, facts->key, buf)
			: wait_of(a, RESPONSE, facts->key, buf);

		fprintf(f, "%s\t%s\n", facts->label, text);
	}
}

static void put_traffic(FILE *f, const struct answer *a, const char *peer)
{
	char frames[TEXT_MAX], bytes[TEXT_MAX];
	struct drops d = { .f = f };

	fprintf(f, "from %s\t%s frames, %s bytes\n", peer,
		count_of(a, "from_frames", frames),
		count_of(a, "from_bytes", bytes));
	fprintf(f, "to %s\t%s frames, %s bytes\n", peer,
		count_of(a, "to_frames", frames),
		count_of(a, "to_bytes", bytes));
	answer_each(a, "drop_", drop_line, &d);
}

#define MB 1000000

static void put_memory(FILE *f, const struct answer *vm)
{
	char a[TEXT_MAX], b[TEXT_MAX];

	if (*answer_text(vm, "memory_on", a))
		fprintf(f, "memory\ton %s\n", a);
	if (answer_num(vm, "memory_bytes_s"))
		fprintf(f, "memory traffic\t%" PRIu64 " MB/s\n",
			answer_num(vm, "memory_bytes_s") / MB);
	if (*answer_text(vm, "barred", a))
		fprintf(f, "barred from cpus\t%s: %s\n", a,
			answer_text(vm, "barred_why", b));
}

struct traffic {
	FILE *f;
	const struct answer *info;
};

/* "node_traffic_1" of hostd's facts. */
static void node_line(void *arg, const char *node, uint64_t bytes_s)
{
	const struct traffic *t = arg;
	char key[2 * TEXT_MAX];
	uint64_t limit;

	snprintf(key, sizeof(key), "node_limit_%s", node);
	limit = answer_num(t->info, key);
	fprintf(t->f, "memory traffic, node %s\t%" PRIu64 " MB/s", node,
		bytes_s / MB);
	if (limit)
		fprintf(t->f, " of %" PRIu64 " MB/s", limit / MB);
	fputc('\n', t->f);
}

static void vm_facts(FILE *f, const struct answer *vm)
{
	static const struct fact first[] = { { "name", "name", TEXT },
					     { "uuid", "uuid", TEXT },
					     { "class", "class", TEXT },
					     { 0 } };
	static const struct fact rest[] = {
		{ "delay p50", "delay_p50_ns", DELAY_TIME },
		{ "delay p99", "delay_p99_ns", DELAY_TIME },
		{ "delay p99.9", "delay_p999_ns", DELAY_TIME },
		{ "delay max", "delay_max_ns", DELAY_TIME },
		{ "delay now", "delay_now_ns", DELAY_TIME },
		{ "frames measured", "samples", COUNT },
		{ "response p50", "response_p50_ns", RESPONSE_TIME },
		{ "response p99", "response_p99_ns", RESPONSE_TIME },
		{ "response p99.9", "response_p999_ns", RESPONSE_TIME },
		{ "response max", "response_max_ns", RESPONSE_TIME },
		{ "answers measured", "responses", COUNT },
		{ "requests given up", "requests_lost", COUNT },
		{ "ready wait now", "ready_now_ns", TIME },
		{ "ready wait, sum", "waited_ns", TIME },
		{ "cpu time", "ran_ns", TIME },
		{ "vcpus", "vcpus", COUNT },
		{ "cpus gained", "gained", COUNT },
		{ "cpus lost", "lost", COUNT },
		{ "moves failed", "moves_failed", COUNT },
		{ "weight", "weight", COUNT },
		{ "frames held", "held", COUNT },
		{ 0 }
	};
	char a[TEXT_MAX], b[TEXT_MAX], c[TEXT_MAX];

	put_facts(f, vm, first);
	fprintf(f, "SLO\t%s\nabout\t%s\nmet\t%s\nlate\t%s of %s\n", slo(vm, a),
		signal_of(vm) == DELAY ? "delay" : "response", met(vm),
		count_of(vm, "slo_late", b), count_of(vm, "slo_done", c));
	fprintf(f, "cpus owned\t%" PRIu64 " of %s: %s\n",
		answer_num(vm, "cpus_owned"), range(vm, a), owned_list(vm, b));
	put_facts(f, vm, rest);
	put_memory(f, vm);
	fprintf(f, "port\t%s\n",
		!answer_num(vm, "has_port") ? "none"
		: answer_num(vm, "port_up") ? "up"
					    : "down");
	put_traffic(f, vm, "guest");
}

static int show_vm(struct ctl *c, const char *name)
{
	struct answer *vm = answer_ask(c, ANSWER_ANY, "vm", name, ASK_S);
	char shown[TEXT_MAX];
	struct view p;
	int rc = 1;

	if (!vm)
		return 1;
	if (!answer_is_record(vm))
		complain(c, "there is no VM (and no command) called '%s'",
			 name_printable(name, shown, sizeof(shown)));
	else
		rc = view_begin(c, &p, "");
	if (!rc) {
		vm_facts(p.f, vm);
		view_end(c, &p, "ll");
	}
	answer_free(vm);
	return rc;
}

int show_vms(struct ctl *c, const char *arg)
{
	struct view p;
	int n;

	if (arg)
		return show_vm(c, arg);
	if (view_begin(
		c, &p,
		"VM\tCLASS\tSLO\tABOUT\tP50\tP99\tP99.9\tMET\tCPUS\tOWNED\t"
		"MOVES\tDROPS\n"))
		return 1;
	n = view_each(c, p.f, "vms", "vm", vm_row);
	view_end(c, &p, n > 0 ? "llllrrrllllr" : NULL);
	if (!n)
		fputs("no VM runs on this host\n", c->out);
	return n < 0;
}

static void cpu_row(FILE *f, const struct answer *cpu)
{
	char a[TEXT_MAX], b[TEXT_MAX];

	fprintf(f, "%" PRIu64, answer_num(cpu, "cpu"));
	if (*answer_text(cpu, "vm", a))
		fprintf(f, "\t%s\t%" PRIu64, a, answer_num(cpu, "vcpu"));
	else
		fputs("\t-\t-", f);
	fprintf(f, "\t%s\t%s", time_of(cpu, "for_ns", a),
		answer_text(cpu, "reason", b));
	fprintf(f, "\t%s\t%" PRIu64 "\t%" PRIu64 "\n",
		count_of(cpu, "moves", a),
		answer_num(cpu, "riders_own") + answer_num(cpu, "riders_floor"),
		answer_num(cpu, "riders_best_effort"));
}

int show_cpus(struct ctl *c, const char *arg)
{
	struct answer *list = answer_ask(c, ANSWER_LIST, "cpus", NULL, ASK_S);
	struct view p;
	int rc = 0;

	(void)arg;
	if (!list)
		return 1;
	if (view_begin(c, &p,
		       "CPU\tOWNER\tVCPU\tFOR\tWHY\tMOVES\tRIDERS\t"
		       "HARVESTERS\n")) {
		answer_free(list);
		return 1;
	}
	for (size_t i = 0; i < answer_count(list, NULL) && i < CPU_MAX && !rc;
	     i++) {
		struct answer *cpu;
		char n[24];

		snprintf(n, sizeof(n), "%" PRIu64,
			 answer_num_at(list, NULL, i));
		cpu = answer_ask(c, ANSWER_ANY, "cpu", n, ASK_S);
		if (answer_is_record(cpu))
			cpu_row(p.f, cpu);
		rc = !cpu;
		answer_free(cpu);
	}
	view_end(c, &p, rc ? NULL : "rlrrlrrr");
	answer_free(list);
	return rc;
}

static void vm_drops(FILE *f, const struct answer *vm)
{
	char name[TEXT_MAX];
	struct drops d = { .f = f, .who = answer_text(vm, "name", name) };

	answer_each(vm, "drop_", drop_line, &d);
}

int show_drops(struct ctl *c, const char *arg)
{
	static const char head[] = "PORT\tREASON\tFRAMES\n";
	struct answer *info = answer_ask(c, ANSWER_RECORD, "info", NULL, ASK_S);
	struct view p;
	bool any;
	int n;

	(void)arg;
	if (!info)
		return 1;
	if (view_begin(c, &p, head)) {
		answer_free(info);
		return 1;
	}
	answer_each(info, "drop_", drop_line,
		    &(struct drops){ .f = p.f, .who = "(uplink)" });
	n = view_each(c, p.f, "vms", "vm", vm_drops);
	fflush(p.f);
	any = p.size > sizeof(head) - 1;
	view_end(c, &p, n >= 0 && any ? "llr" : NULL);
	if (n >= 0 && !any)
		fputs("no frame was dropped\n", c->out);
	answer_free(info);
	return n < 0;
}

int show_info(struct ctl *c, const char *arg)
{
	static const struct fact facts[] = {
		{ "version", "version", TEXT },
		{ "up for", "uptime_ns", TIME },
		{ "policy", "policy", TEXT },
		{ "backend", "backend", TEXT },
		{ "ready wait sensor", "sensor", TEXT },
		{ "memory meter", "meter", TEXT },
		{ "VMs", "vms", COUNT },
		{ "VMs refused", "vms_refused", COUNT },
		{ "cpus managed", "cpus_managed", COUNT },
		{ "cpus owned", "cpus_owned", COUNT },
		{ "reloads", "reloads", COUNT },
		{ "reloads refused", "reloads_refused", COUNT },
		{ "passes", "passes", COUNT },
		{ "passes with work", "passes_busy", COUNT },
		{ "longest pass", "pass_max_ns", TIME },
		{ "sleeps", "sleeps", COUNT },
		{ "decisions", "decisions", COUNT },
		{ "looks put off", "looks_put_off", COUNT },
		{ "longest decision", "decide_max_ns", TIME },
		{ "grants refused", "grants_refused", COUNT },
		{ "bars", "bars", COUNT },
		{ "moves asked", "moves_asked", COUNT },
		{ "moves done", "moves_done", COUNT },
		{ "moves failed", "moves_failed", COUNT },
		{ "moves put off", "moves_full", COUNT },
		{ "moves by ksched", "moves_ksched", COUNT },
		{ "ksched refused", "moves_refused", COUNT },
		{ "cpusets widened", "cpusets_widened", COUNT },
		{ "move p50", "move_p50_ns", TIME },
		{ "move p99", "move_p99_ns", TIME },
		{ "move max", "move_max_ns", TIME },
		{ 0 }
	};
	struct answer *info = answer_ask(c, ANSWER_RECORD, "info", NULL, ASK_S);
	struct view p;
	int rc;

	(void)arg;
	if (!info)
		return 1;
	rc = view_begin(c, &p, "");
	if (!rc) {
		put_facts(p.f, info, facts);
		fprintf(p.f, "libvirt\t%s\n",
			answer_num(info, "libvirt_up") ? "connected" : "away");
		answer_each(info, "node_traffic_", node_line,
			    &(struct traffic){ p.f, info });
		put_traffic(p.f, info, "uplink");
		view_end(c, &p, "ll");
	}
	answer_free(info);
	return rc;
}

int show_reload(struct ctl *c, const char *arg)
{
	struct answer *a =
	    answer_ask(c, ANSWER_RECORD, "reload", NULL, RELOAD_S);
	char raw[2048] = "", shown[4096];
	size_t n = 0;
	bool done;

	(void)arg;
	if (!a)
		return 1;
	for (size_t i = 0; i < answer_count(a, "text") && n < sizeof(raw); i++)
		n += (size_t)snprintf(raw + n, sizeof(raw) - n, "%s",
				      answer_raw_at(a, "text", i));
	name_from_wire(raw);
	name_printable(raw, shown, sizeof(shown));
	done = answer_num(a, "done");
	answer_free(a);
	if (!done)
		return complain(c, "not reloaded: %s",
				*shown ? shown : "hostd gave no reason");
	fprintf(c->out, "reloaded%s%s\n", *shown ? ": " : "", shown);
	return 0;
}

int show_json(struct ctl *c, const char *request)
{
	char what[64];
	int n = (int)strcspn(request, ","), rc;
	struct answer *a;

	snprintf(what, sizeof(what), "%.*s", n, request);
	a = answer_ask(c, ANSWER_ANY, what, request[n] ? request + n + 1 : NULL,
		       RELOAD_S);
	if (!a)
		return 1;
	rc = answer_is_null(a) ? complain(c, "hostd does not know that")
			       : answer_dump(a, c->out);
	answer_free(a);
	return rc != 0;
}
