// SPDX-License-Identifier: Apache-2.0
/*
 * scenario_key.c - the keys of scenario files
 *
 * One table: section, key, the function that reads the value. A reader gets
 * the whole scenario and writes into the section that is open.
 */
#include <errno.h>
#include <string.h>

#include "costs.h"
#include "scenario_key.h"
#include "value.h"

#define MS	 1000000ull
#define MEM_MAX	 10000000u /* MB/s */
#define TASK_MAX (1000 * MS)

static struct sim_kind *vm(struct sim_scenario *s)
{
	return &s->kind[s->kind_cnt - 1];
}

static struct sim_phase *phase(struct sim_scenario *s)
{
	return &s->phase[s->phase_cnt - 1];
}

/* number() - A number, and nothing behind it. */
static bool number(const char *v, uint64_t min, uint64_t max, uint64_t *n)
{
	return value_number(&v, min, max, n) && value_end(v);
}

static bool span(const char *v, uint64_t min_ns, uint64_t *ns)
{
	uint64_t n;

	if (!value_time(&v, SCENARIO_SPAN_NS, &n) || !value_end(v) ||
	    n < min_ns)
		return false;
	*ns = n;
	return true;
}

static bool yes_no(const char *v, bool *out)
{
	*out = !strcmp(v, "yes");
	return *out || !strcmp(v, "no");
}

/* SMALL - A reader of a plain number into an integer field. */
#define SMALL(name, lvalue, min, max)                                          \
	static bool name(struct sim_scenario *s, const char *v)                \
	{                                                                      \
		uint64_t n;                                                    \
                                                                               \
		if (!number(v, min, max, &n))                                  \
			return false;                                          \
		(lvalue) = (__typeof__(lvalue))n;                              \
		return true;                                                   \
	}

SMALL(host_cpus, s->cpus, 1, SIM_CPU_MAX)
SMALL(host_smt, s->smt, 1, 2)
SMALL(host_llc, s->llc, 1, SIM_CPU_MAX)
SMALL(host_node, s->node, 1, SIM_CPU_MAX)
SMALL(host_floor, s->floor, 1, SIM_CPU_MAX)
SMALL(host_bandwidth, s->bandwidth_mb_s, 0, MEM_MAX)
SMALL(vm_vcpus, vm(s)->vcpus, 1, SCENARIO_VCPUS)
SMALL(vm_min, vm(s)->min, 0, SCENARIO_VCPUS)
SMALL(vm_max, vm(s)->max, 1, SCENARIO_VCPUS)
SMALL(vm_weight, vm(s)->weight, 1, 10000)
SMALL(vm_memory, vm(s)->memory_mb_s, 0, MEM_MAX)
SMALL(vm_queue, vm(s)->queue, 1, 65536)

static bool host_riders(struct sim_scenario *s, const char *v)
{
	s->riders_behind = !strcmp(v, "behind");
	return s->riders_behind || !strcmp(v, "beside");
}

static bool top_about(struct sim_scenario *s, const char *v)
{
	if (strlen(v) >= sizeof(s->about))
		return false;
	strcpy(s->about, v);
	return true;
}

static bool top_seconds(struct sim_scenario *s, const char *v)
{
	uint64_t ms;

	if (!value_decimal(&v, SCENARIO_SPAN_NS / MS, &ms) || !value_end(v) ||
	    !ms)
		return false;
	s->run_ns = ms * MS;
	return true;
}

static bool top_warmup(struct sim_scenario *s, const char *v)
{
	return span(v, 0, &s->warmup_ns);
}

static bool vm_count(struct sim_scenario *s, const char *v)
{
	uint64_t n, per = 0;

	if (!value_number(&v, 1, SIM_VM_MAX, &n))
		return false;
	if (value_word(&v, "per") && (!value_number(&v, 1, SIM_CPU_MAX, &per) ||
				      !value_word(&v, "cpus")))
		return false;
	vm(s)->count = (unsigned)n;
	vm(s)->per_cpus = (uint32_t)per;
	return value_end(v);
}

static bool vm_class(struct sim_scenario *s, const char *v)
{
	bool lc = !strcmp(v, "latency");

	vm(s)->class = lc ? VM_CLASS_LATENCY_CRITICAL : VM_CLASS_BEST_EFFORT;
	return lc || !strcmp(v, "best-effort");
}

static bool vm_agent(struct sim_scenario *s, const char *v)
{
	static const char *const word[] = { "no", "yes", "liar" };

	for (uint8_t i = 0; i < 3; i++) {
		if (strcmp(v, word[i]))
			continue;
		vm(s)->agent = i;
		return true;
	}
	return false;
}

static bool vm_port(struct sim_scenario *s, const char *v)
{
	return yes_no(v, &vm(s)->port);
}

static bool vm_slo(struct sim_scenario *s, const char *v)
{
	static const struct {
		const char *name;
		uint16_t permyriad;
	} at[] = {
		{ "p50", 5000 }, { "p90", 9000 },  { "p95", 9500 },
		{ "p99", 9900 }, { "p999", 9990 },
	};

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		if (!value_word(&v, at[i].name))
			continue;
		vm(s)->slo_permyriad = at[i].permyriad;
		return span(v, 1000, &vm(s)->slo_ns);
	}
	return false;
}

static bool vm_signal(struct sim_scenario *s, const char *v)
{
	bool response = !strcmp(v, "response");

	vm(s)->slo_signal = response ? SLO_RESPONSE : SLO_DELAY;
	return response || !strcmp(v, "delay");
}

static bool vm_service(struct sim_scenario *s, const char *v)
{
	struct sim_service out = { 0 };
	uint64_t n = 0;

	if (value_word(&v, "const"))
		out.kind = SERVICE_CONST;
	else if (value_word(&v, "exp"))
		out.kind = SERVICE_EXP;
	else if (value_word(&v, "lognormal"))
		out.kind = SERVICE_LOGNORMAL;
	else if (value_word(&v, "bimodal"))
		out.kind = SERVICE_BIMODAL;
	else
		return false;
	if (!value_time(&v, TASK_MAX, &out.mean_ns))
		return false;
	if (out.kind == SERVICE_LOGNORMAL) {
		if (!value_decimal(&v, 4000, &n))
			return false;
		out.sigma = (double)n / 1000;
	}
	if (out.kind == SERVICE_BIMODAL) {
		if (!value_time(&v, TASK_MAX, &out.rare_ns) ||
		    !value_percent(&v, 1000000, 1000000, &n))
			return false;
		out.rare_share = (double)n / 1e6;
	}
	vm(s)->service = out;
	return value_end(v);
}

static bool load(const char *v, struct sim_load *to)
{
	struct sim_load out = { 0 };
	uint64_t n;

	if (value_word(&v, "none")) {
		out.kind = LOAD_NONE;
	} else if (value_word(&v, "spin")) {
		out.kind = LOAD_SPIN;
		if (!value_number(&v, 1, SCENARIO_VCPUS, &n))
			return false;
		out.threads = (uint16_t)n;
	} else {
		out.kind = LOAD_POISSON;
		if (value_word(&v, "bursts"))
			out.kind = LOAD_BURSTS;
		else if (!value_word(&v, "poisson"))
			return false;
		if (!value_percent(&v, 1000, 10000, &n) || !n)
			return false;
		out.permille = (uint32_t)n;
		if (out.kind == LOAD_BURSTS &&
		    (!value_time(&v, SCENARIO_SPAN_NS, &out.on_ns) ||
		     !value_time(&v, SCENARIO_SPAN_NS, &out.off_ns) ||
		     !out.on_ns || !out.off_ns))
			return false;
	}
	*to = out;
	return value_end(v);
}

static bool vm_load(struct sim_scenario *s, const char *v)
{
	return load(v, &vm(s)->load);
}

static bool vm_collect(struct sim_scenario *s, const char *v)
{
	return value_time(&v, TASK_MAX, &vm(s)->collect_ns) &&
	       vm(s)->collect_ns && span(v, MS, &vm(s)->collect_every_ns);
}

static bool phase_vm(struct sim_scenario *s, const char *v)
{
	for (uint16_t i = 0; i < s->kind_cnt; i++) {
		if (strcmp(s->kind[i].name, v))
			continue;
		phase(s)->kind = i;
		return true;
	}
	return false;
}

static bool phase_at(struct sim_scenario *s, const char *v)
{
	return span(v, 0, &phase(s)->at_ns);
}

static bool phase_every(struct sim_scenario *s, const char *v)
{
	return span(v, MS, &phase(s)->every_ns);
}

static bool phase_spread(struct sim_scenario *s, const char *v)
{
	return span(v, 0, &phase(s)->spread_ns);
}

static bool phase_load(struct sim_scenario *s, const char *v)
{
	phase(s)->has_load = true;
	return load(v, &phase(s)->load);
}

static bool phase_memory(struct sim_scenario *s, const char *v)
{
	uint64_t n = 0;

	if (!number(v, 0, MEM_MAX, &n))
		return false;
	phase(s)->has_memory = true;
	phase(s)->memory_mb_s = (uint32_t)n;
	return true;
}

static const struct {
	enum section section;
	const char *name;
	bool (*read)(struct sim_scenario *s, const char *value);
} key_table[] = {
	{ SECTION_TOP, "about", top_about },
	{ SECTION_TOP, "seconds", top_seconds },
	{ SECTION_TOP, "warmup", top_warmup },
	{ SECTION_HOST, "cpus", host_cpus },
	{ SECTION_HOST, "smt", host_smt },
	{ SECTION_HOST, "llc", host_llc },
	{ SECTION_HOST, "node", host_node },
	{ SECTION_HOST, "floor", host_floor },
	{ SECTION_HOST, "riders", host_riders },
	{ SECTION_HOST, "bandwidth", host_bandwidth },
	{ SECTION_VM, "count", vm_count },
	{ SECTION_VM, "class", vm_class },
	{ SECTION_VM, "vcpus", vm_vcpus },
	{ SECTION_VM, "min", vm_min },
	{ SECTION_VM, "max", vm_max },
	{ SECTION_VM, "weight", vm_weight },
	{ SECTION_VM, "agent", vm_agent },
	{ SECTION_VM, "port", vm_port },
	{ SECTION_VM, "slo", vm_slo },
	{ SECTION_VM, "signal", vm_signal },
	{ SECTION_VM, "service", vm_service },
	{ SECTION_VM, "load", vm_load },
	{ SECTION_VM, "memory", vm_memory },
	{ SECTION_VM, "collect", vm_collect },
	{ SECTION_VM, "queue", vm_queue },
	{ SECTION_PHASE, "vm", phase_vm },
	{ SECTION_PHASE, "at", phase_at },
	{ SECTION_PHASE, "every", phase_every },
	{ SECTION_PHASE, "spread", phase_spread },
	{ SECTION_PHASE, "load", phase_load },
	{ SECTION_PHASE, "memory", phase_memory },
};

int scenario_key(struct parse *p, const char *key, const char *value)
{
	int err;

	if (p->section == SECTION_COSTS) {
		err = costs_set(&p->out->costs, key, value);
		if (!err)
			return 0;
		return scenario_fail(p, err == -ENOENT ? "no such cost"
						       : "not such a value");
	}
	for (size_t i = 0; i < sizeof(key_table) / sizeof(key_table[0]); i++) {
		if (key_table[i].section != p->section ||
		    strcmp(key_table[i].name, key))
			continue;
		if (key_table[i].read(p->out, value))
			return 0;
		return scenario_fail(p, "not such a value");
	}
	return scenario_fail(p, "no such key here");
}
