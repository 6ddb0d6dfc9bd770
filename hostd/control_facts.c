// SPDX-License-Identifier: Apache-2.0
/*
 * control_facts.c - facts of stat_hostd as fields of an answer
 *
 * Telemetry threads; see control.c, which is the door to DPDK.
 */
#include "control_facts.h"

#include <stdio.h>
#include <string.h>

#include "cpulist.h"
#include "hl/clock.h"

void add_loop(struct rte_tel_data *d)
{
	const struct stat_all *s = &stat_hostd;
	add_num(d, "passes", s->passes);
	add_num(d, "passes_busy", s->passes_busy);
	add_num(d, "sleeps", s->sleeps);
	add_num(d, "pass_max_ns", s->pass_max_ns);
	add_num(d, "decisions", s->decisions);
	add_num(d, "looks_put_off", s->looks_put_off);
	add_num(d, "decide_max_ns", s->decide_max_ns);
	add_num(d, "grants_refused", s->grants_refused);
	add_num(d, "bars", s->bars);
	add_num(d, "moves_asked", s->moves_asked);
	add_num(d, "moves_done", s->moves_done);
	add_num(d, "moves_failed", s->moves_failed);
	add_num(d, "moves_full", s->moves_full);
	add_num(d, "moves_ksched", s->act.fast);
	add_num(d, "moves_refused", s->act.refused);
	add_num(d, "cpusets_widened", s->act.widened);
	add_num(d, "move_p50_ns", hist_quantile(&s->move_ns, 5000));
	add_num(d, "move_p99_ns", hist_quantile(&s->move_ns, 9900));
	add_num(d, "move_max_ns", s->move_ns.max_ns);
}

void add_nodes(struct rte_tel_data *d)
{
	const struct stat_all *s = &stat_hostd;
	char key[48];

	for (unsigned i = 0; i < s->node_cnt && i < NODE_MAX; i++) {
		if (!s->node[i].metered)
			continue;
		snprintf(key, sizeof(key), "node_traffic_%u", i);
		add_num(d, key, s->node[i].mem_bytes_s);
		snprintf(key, sizeof(key), "node_limit_%u", i);
		add_num(d, key, s->node[i].mem_max_bytes_s);
	}
}

void add_memory(struct rte_tel_data *d, const struct stat_vm *v)
{
	const struct stat_bar *bar =
	    cpumask_empty(&v->bar.cpus) ? &stat_hostd.bar : &v->bar;
	struct cpumask off = cpumask_or(v->bar.cpus, &stat_hostd.bar.cpus);
	char text[CONTROL_STRING_MAX] = "";
	bool barred =
	    v->view.class == VM_CLASS_BEST_EFFORT && !cpumask_empty(&off);

	if (v->view.node != NODE_NONE)
		snprintf(text, sizeof(text), "node %u", v->view.node);
	add_text(d, "memory_on", text);
	add_num(d, "memory_bytes_s", v->view.mem_bytes_s);
	cpulist_format(&off, text, sizeof(text));
	add_text(d, "barred", barred ? text : "");
	add_text(d, "barred_why",
		 barred ? policy_reason_name(bar->reason) : "");
}

/* The second half of a state that has a reason; "": it has none. */
static void why(const struct stat_agent *a, char *buf, size_t size)
{
	buf[0] = '\0';
	if (a->state == SESSION_BAD_PAGE && a->why)
		snprintf(buf, size, "its file %s", a->why);
	else if (a->state == SESSION_REFUSED && a->status == AGENT_ERR_VERSION)
		snprintf(buf, size, "version %u, this hostd speaks %d",
			 a->version, AGENT_VERSION);
	else if (a->state == SESSION_REFUSED)
		snprintf(buf, size, "0 or over %d vcpus", AGENT_VCPUS);
}

void add_agent(struct rte_tel_data *d, const struct stat_agent *a)
{
	char text[CONTROL_STRING_MAX], name[AGENT_NAME_BYTES];

	/* its writer is another thread: read once */
	memcpy(name, a->name, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	why(a, text, sizeof(text));
	add_text(d, "state", session_state_name(a->state));
	add_text(d, "why", text);
	add_text(d, "version", name);
	add_num(d, "granted", a->granted);
	add_num(d, "acked", a->acked);
	add_num(d, "hinted", a->hint.valid);
	add_num(d, "placing", a->hint.placing);
	add_num(d, "wanted", a->hint.wanted);
	add_num(d, "runnable", a->hint.runnable);
	add_num(d, "wait_ns", a->hint.wait_us * NSEC_PER_USEC);
	add_num(d, "workers", a->hint.workers);
	add_num(d, "hellos", a->count.hellos);
	add_num(d, "messages", a->count.messages);
	add_num(d, "messages_refused", a->count.refused);
	add_num(d, "bytes_skipped", a->count.skipped);
	add_num(d, "bytes_sent", a->count.bytes_out);
	add_num(d, "throttled", a->count.throttled);
}

void add_riders(struct rte_tel_data *d, unsigned cpu, uint16_t owner_vm)
{
	const struct stat_cpu *c = &stat_hostd.cpu[cpu];
	unsigned own = 0, floor = 0, effort = 0;

	for (uint16_t i = 0; i < VM_MAX; i++) {
		const struct vm_view *v = &stat_hostd.vm[i].view;
		unsigned rest =
		    v->vcpu_cnt > v->owned ? v->vcpu_cnt - v->owned : 0;

		if (!stat_hostd.vm[i].present)
			continue;
		if (i == owner_vm)
			own += rest;
		else if (v->class == VM_CLASS_BEST_EFFORT && c->managed)
			effort += stat_barred(i, cpu) ? 0 : rest;
		else if (c->floor && !v->owned)
			floor += rest;
	}
	add_num(d, "riders_own", own);
	add_num(d, "riders_floor", floor);
	add_num(d, "riders_best_effort", effort);
}
