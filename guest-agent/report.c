// SPDX-License-Identifier: Apache-2.0
/*
 * report.c - what `guest-agent status` shows
 *
 * One list of names and values, printed either as lines or as the members of a
 * JSON object; vcpus follow as a table or an array. Texts in it are ours or a
 * path the configuration gave, which is escaped.
 */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hl/clock.h"

struct out {
	char *at;
	size_t left; /* at least 1: room for the NUL */
	int json;
	bool first; /* no comma before the next member */
};

static void __attribute__((format(printf, 2, 3)))
put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->at, o->left, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= o->left)
		n = (int)o->left - 1;
	o->at += n;
	o->left -= (size_t)n;
}

static void put_name(struct out *o, const char *name)
{
	if (o->json)
		put(o, "%s\"%s\": ", o->first ? "" : ", ", name);
	else
		put(o, "%-22s ", name);
	o->first = false;
}

static void put_end(struct out *o)
{
	if (!o->json)
		put(o, "\n");
}

static void put_text(struct out *o, const char *name, const char *text)
{
	put_name(o, name);
	if (o->json)
		put(o, "\"");
	for (; *text; text++)
		if (o->json && (*text == '"' || *text == '\\'))
			put(o, "\\%c", *text);
		else
			put(o, "%c",
			    (unsigned char)*text < ' ' || *text == 0x7f
				? '?'
				: *text);
	if (o->json)
		put(o, "\"");
	put_end(o);
}

static void put_number(struct out *o, const char *name, uint64_t value)
{
	put_name(o, name);
	put(o, "%llu", (unsigned long long)value);
	put_end(o);
}

/* --- the parts ---------------------------------------------------------- */

static const char *state_word(enum link_state state)
{
	static const char *const word[] = {
		[LINK_NONE] = "none",	    [LINK_WAITING] = "waiting",
		[LINK_REFUSED] = "refused", [LINK_CHANNEL] = "channel",
		[LINK_PAGE] = "page",	    [LINK_SILENT] = "silent",
	};

	return (unsigned)state < sizeof(word) / sizeof(word[0]) ? word[state]
								: "unknown";
}

/* Time on a cpu of the agent itself. */
static uint64_t own_cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void put_head(struct out *o, const struct agent *a, uint64_t now_ns)
{
	put_text(o, "version", HL_VERSION);
	put_text(o, "state", state_word(link_state(a->link)));
	put_text(o, "why", link_why(a->link));
	put_text(o, "events",
		 a->events.heard ? "on"
		 : a->events_err
		     ? "off: found by scans alone; needs "
		       "CAP_NET_ADMIN"
		     : "off: found by scans alone; the kernel tells "
		       "nothing to a container");
	put_text(o, "placing", a->conf->place ? "on" : "off");
	put_number(o, "up-seconds", (now_ns - a->started_ns) / NSEC_PER_SEC);
	put_number(o, "cpu-ms", own_cpu_ms());
	put_number(o, "vcpus-online", cpumask_count(&a->crew.hands.online));
	put_number(o, "vcpus-granted", cpumask_count(&a->crew.place.granted));
	put_number(o, "workers", a->share->table.count);
	put_number(o, "runnable", a->hints.all.runnable);
	put_number(o, "wanted", a->hints.all.wanted);
	put_number(o, "oldest-wait-us", a->hints.all.wait_us);
}

static void put_placing(struct out *o, const struct agent *a)
{
	const struct place_counters *p = &a->crew.place.n;
	const struct hands_counters *h = &a->crew.hands.n;

	put_number(o, "grants", p->grants);
	put_number(o, "revokes", p->revokes);
	put_number(o, "picks", p->picks);
	put_number(o, "picks-home", p->home);
	put_number(o, "picks-parked", p->parked);
	put_number(o, "picks-aged", p->aged);
	put_number(o, "asked-in-vain", p->restricted);
	put_number(o, "workers-outside", p->outside);
	put_number(o, "masks-set", h->set);
	put_number(o, "masks-same", h->same);
	put_number(o, "masks-back", h->back);
	put_number(o, "masks-by-others", h->others);
	put_number(o, "masks-fought", a->crew.n.fought);
	put_number(o, "masks-inherited", h->inherited);
	put_number(o, "strays", h->strays);
	put_number(o, "refused-cpuset", h->cpuset);
	put_number(o, "refused-denied", h->denied);
	put_number(o, "gone-before", h->gone);
}

static void put_finding(struct out *o, const struct agent *a)
{
	const struct events_counters *e = &a->events.n;
	const struct scan_counters *s = &a->scan.n;

	put_number(o, "joined", a->crew.n.joined);
	put_number(o, "left", a->crew.n.left);
	put_number(o, "table-full", a->share->table.full);
	put_number(o, "events-taken", e->taken);
	put_number(o, "events-lost", e->lost);
	put_number(o, "events-overrun", e->overrun);
	put_number(o, "events-late", e->late);
	put_number(o, "events-oldest-us", e->oldest_us);
	put_number(o, "events-forged", e->forged);
	put_number(o, "events-broken", e->broken);
	put_number(o, "scans", s->passes);
	put_number(o, "scan-missed", s->missed);
	put_number(o, "scan-ghosts", s->ghosts);
	put_number(o, "scan-longest-us", s->longest_us);
	put_number(o, "irqs", a->share->irq.count);
	put_number(o, "irq-moves", a->n.irq_moves);
	put_number(o, "irq-failed", a->share->irq.failed);
	put_number(o, "irq-full", a->share->irq.full);
	put_number(o, "guardians-lost", a->n.guards);
	put_number(o, "turns", a->n.turns);
	put_number(o, "ticks", a->n.ticks);
}

static void put_door(struct out *o, const struct agent *a)
{
	struct door_counts c;

	door_counts(a->door, &c);
	put_number(o, "door-clients", c.clients);
	put_number(o, "door-registered", c.registered);
	put_number(o, "door-full", c.full);
	put_number(o, "door-dropped", c.dropped);
	put_number(o, "door-refused", c.refused);
}

static void put_vcpu(struct out *o, const struct agent *a, unsigned v)
{
	uint16_t slot = a->crew.place.vcpu[v].slot;
	pid_t tid = slot == WORKER_NONE ? 0 : a->share->table.worker[slot].tid;
	bool granted = cpumask_has(&a->crew.place.granted, v);
	const struct agent_hint_vcpu *h = &a->hints.vcpu[v];
	const char *form = o->json ? "%s{\"vcpu\": %u, \"granted\": %s, "
				     "\"worker\": %d, \"runnable\": %u, "
				     "\"wait-us\": %u}"
				   : "%svcpu %-4u granted %-3s worker %-8d "
				     "runnable %-5u wait-us %u\n";
	const char *yes = o->json ? "true" : "yes";
	const char *no = o->json ? "false" : "no";
	const char *comma = o->json && !o->first ? ", " : "";

	o->first = false;
	/* The form is one of the two above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	put(o, form, comma, v, granted ? yes : no, tid, h->runnable,
	    h->wait_us);
#pragma GCC diagnostic pop
}

size_t report(const struct agent *a, char *buf, size_t size, int json,
	      uint64_t now_ns)
{
	struct out o = { .at = buf, .left = size, .json = json, .first = true };

	if (!size)
		return 0;
	*buf = '\0';
	if (json)
		put(&o, "{");
	put_head(&o, a, now_ns);
	put_placing(&o, a);
	put_finding(&o, a);
	put_door(&o, a);
	if (json)
		put(&o, ", \"vcpus\": [");
	o.first = true;
	cpumask_for_each (v, &a->crew.hands.online)
		put_vcpu(&o, a, v);
	if (json)
		put(&o, "]}\n");
	return (size_t)(o.at - buf);
}
