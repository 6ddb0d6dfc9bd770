// SPDX-License-Identifier: Apache-2.0
/*
 * control.c - hostd's commands on DPDK's telemetry socket
 *
 * Theory of operation: DPDK runs one thread a client; each command below reads
 * stat_hostd as it is (its one writer goes on meanwhile, see stat.h) and fills
 * a dictionary or array. Only reload and record change anything: the first
 * through the function hostd gave, the second as record.h says.
 *
 * Limits of DPDK 22.11 kept here: keys are [A-Za-z0-9_/]; a string has 127
 * bytes of ASCII; an answer has 16 KiB, and what is beyond is silently left
 * out, so lists are cut into pages by counting bytes first.
 */
#include "control.h"

#include <errno.h>
#include <pthread.h>
#include <rte_telemetry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_facts.h"
#include "hl/clock.h"
#include "name.h"
#include "record.h"
#include "stat.h"
#include "why_row.h"

#define STRING_MAX RTE_TEL_MAX_STRING_LEN
_Static_assert(CONTROL_STRING_MAX == STRING_MAX, "control_facts.c's strings");

#define PAGE_BYTES (15 * 1024) /* of an answer's 16 KiB, for lists */
#define LOG_PAGE   128	       /* events */

static int (*control_reload)(char *text, size_t size);
static pthread_mutex_t reload_lock = PTHREAD_MUTEX_INITIALIZER;

typedef struct rte_tel_data tel;

void add_num(tel *d, const char *key, uint64_t v)
{
	rte_tel_data_add_dict_u64(d, key, v);
}

void add_text(tel *d, const char *key, const char *text)
{
	char wire[STRING_MAX];

	name_to_wire(text, wire, sizeof(wire));
	rte_tel_data_add_dict_string(d, key, wire);
}

/* The name a VM goes by on the wire; "" for VM_NONE. */
static const char *vm_handle(uint16_t vm, char *buf, size_t size)
{
	buf[0] = '\0';
	if (vm < VM_MAX && !name_to_wire(stat_hostd.vm[vm].name, buf, size))
		snprintf(buf, size, "%s", stat_hostd.vm[vm].uuid);
	return buf;
}

/* A number up to @max at @s; *rest is what follows it and a comma. */
static bool number(const char *s, uint64_t max, uint64_t *out,
		   const char **rest)
{
	unsigned long long v;
	char *end;

	if (!s || *s < '0' || *s > '9')
		return false;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno || v > max || (*end && *end != ','))
		return false;
	*out = v;
	*rest = *end ? end + 1 : NULL;
	return true;
}

static void add_ports(tel *d, const struct port_count *c)
{
	char key[48];
	uint64_t sum = 0;

	add_num(d, "from_frames", c->from_frames);
	add_num(d, "from_bytes", c->from_bytes);
	add_num(d, "to_frames", c->to_frames);
	add_num(d, "to_bytes", c->to_bytes);
	add_num(d, "kicks", c->kicks);
	add_num(d, "requests_lost", c->requests_lost);
	for (unsigned i = 0; i < DROP_NUM; i++) {
		snprintf(key, sizeof(key), "drop_%s", drop_name(i));
		for (char *p = key; *p; p++)
			if (*p == '-' || *p == ' ')
				*p = '_';
		add_num(d, key, c->drop[i]);
		sum += c->drop[i];
	}
	add_num(d, "drops", sum);
}

static int cmd_info(const char *cmd, const char *params, tel *d)
{
	const struct stat_all *s = &stat_hostd;
	unsigned vms = 0, managed = 0, owned = 0;

	(void)cmd;
	(void)params;
	for (unsigned i = 0; i < VM_MAX; i++)
		vms += s->vm[i].present;
	for (unsigned i = 0; i < CPU_MAX; i++) {
		managed += s->cpu[i].managed;
		owned += s->cpu[i].managed && s->cpu[i].owner != VCPU_NONE;
	}
	rte_tel_data_start_dict(d);
	add_text(d, "version", s->version);
	add_text(d, "policy", s->policy);
	add_text(d, "backend",
		 s->act.away ? "cgroup (ksched away)" : s->backend);
	add_text(d, "sensor", s->sensor);
	add_text(d, "meter", s->meter);
	add_num(d, "nodes", s->node_cnt);
	add_nodes(d);
	add_num(d, "uptime_ns", clock_now_ns() - s->started_ns);
	add_num(d, "libvirt_up", s->libvirt_up);
	add_num(d, "vms", vms);
	add_num(d, "vms_refused", s->vms_refused);
	add_num(d, "cpus_managed", managed);
	add_num(d, "cpus_owned", owned);
	add_num(d, "reloads", s->reloads);
	add_num(d, "reloads_refused", s->reloads_refused);
	add_num(d, "events", why_count());
	add_loop(d);
	add_ports(d, &s->uplink);
	return 0;
}

/* Names of VMs, @skip of them left out, as many as fit. */
static int list_vms(const char *params, bool running, tel *d)
{
	char name[STRING_MAX];
	uint64_t skip = 0;
	size_t bytes = 0;

	if (params && !number(params, VM_MAX, &skip, &params))
		return -EINVAL;
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (uint16_t i = 0; i < VM_MAX; i++) {
		if (!stat_hostd.vm[i].present ||
		    (running && !stat_hostd.vm[i].view.present))
			continue;
		if (skip) {
			skip--;
			continue;
		}
		bytes += name_json_bytes(vm_handle(i, name, sizeof(name)));
		if (bytes > PAGE_BYTES ||
		    rte_tel_data_add_array_string(d, name) < 0)
			break;
	}
	return 0;
}

static int cmd_vms(const char *cmd, const char *params, tel *d)
{
	(void)cmd;
	return list_vms(params, false, d);
}

static int cmd_agents(const char *cmd, const char *params, tel *d)
{
	(void)cmd;
	return list_vms(params, true, d);
}

static uint16_t find_vm(const char *name)
{
	char wire[STRING_MAX];

	for (uint16_t i = 0; name && i < VM_MAX; i++) {
		const struct stat_vm *v = &stat_hostd.vm[i];

		if (v->present &&
		    (!strcmp(v->name, name) || !strcmp(v->uuid, name) ||
		     !strcmp(vm_handle(i, wire, sizeof(wire)), name)))
			return i;
	}
	return VM_NONE;
}

static void add_slo(tel *d, const struct stat_vm *v)
{
	uint64_t slo_ns = v->view.slo_ns;
	struct hist window;

	stat_window(&v->signal[v->view.slo_signal], &window);
	add_num(d, "slo_ns", slo_ns);
	add_num(d, "slo_met",
		!slo_ns ||
		    hist_quantile(&window, v->view.slo_permyriad) <= slo_ns);
	add_num(d, "slo_permyriad", v->view.slo_permyriad);
	add_text(d, "slo_signal",
		 v->view.slo_signal == SLO_RESPONSE ? "response" : "delay");
	add_num(d, "slo_done", v->done);
	add_num(d, "slo_late", v->late);
}

/* Both signals under their names; @samples: what the number of them is. */
static void add_signal(tel *d, const struct stat_signal *signal,
		       const char *name, const char *samples)
{
	static const struct {
		const char *what;
		unsigned permyriad;
	} quantile[] = { { "p50", 5000 }, { "p99", 9900 }, { "p999", 9990 } };
	struct hist window;
	char key[48];

	stat_window(signal, &window);
	for (unsigned i = 0; i < sizeof(quantile) / sizeof(quantile[0]); i++) {
		snprintf(key, sizeof(key), "%s_%s_ns", name, quantile[i].what);
		add_num(d, key, hist_quantile(&window, quantile[i].permyriad));
	}
	snprintf(key, sizeof(key), "%s_max_ns", name);
	add_num(d, key, window.max_ns);
	add_num(d, samples, window.count);
}

static void add_signals(tel *d, const struct stat_vm *v)
{
	add_slo(d, v);
	add_signal(d, &v->signal[SLO_DELAY], "delay", "samples");
	add_signal(d, &v->signal[SLO_RESPONSE], "response", "responses");
	add_num(d, "delay_now_ns", v->view.delay_ns);
	add_num(d, "ready_now_ns", v->view.ready_ns);
	add_num(d, "waited_ns", v->waited_ns);
	add_num(d, "ran_ns", v->ran_ns);
}

static int cmd_vm(const char *cmd, const char *params, tel *d)
{
	uint16_t vm = find_vm(params);
	const struct stat_vm *v;
	char name[STRING_MAX];
	tel *cpus;

	(void)cmd;
	if (vm == VM_NONE)
		return -ENOENT;
	v = &stat_hostd.vm[vm];
	cpus = rte_tel_data_alloc();
	if (!cpus)
		return -ENOMEM;
	rte_tel_data_start_array(cpus, RTE_TEL_INT_VAL);
	for (unsigned i = 0; i < CPU_MAX; i++)
		if (stat_hostd.cpu[i].owner != VCPU_NONE &&
		    stat_hostd.cpu[i].managed &&
		    stat_hostd.cpu[i].owner_vm == vm)
			rte_tel_data_add_array_int(cpus, (int)i);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name",
				     vm_handle(vm, name, sizeof(name)));
	add_text(d, "uuid", v->uuid);
	add_text(d, "class",
		 v->view.class == VM_CLASS_LATENCY_CRITICAL ? "latency-critical"
							    : "best-effort");
	add_signals(d, v);
	add_num(d, "vcpus", v->view.vcpu_cnt);
	add_num(d, "cpus_owned", v->view.owned);
	add_num(d, "cpus_min", v->view.cpus_min);
	add_num(d, "cpus_max", v->view.cpus_max);
	add_num(d, "weight", v->view.weight);
	add_memory(d, v);
	add_num(d, "gained", v->gained);
	add_num(d, "lost", v->lost);
	add_num(d, "moves_failed", v->moves_failed);
	add_num(d, "has_port", v->view.has_port);
	add_num(d, "port_up", v->port_up);
	add_num(d, "held", v->view.held);
	add_ports(d, &v->port);
	rte_tel_data_add_dict_container(d, "cpus", cpus, 0);
	return 0;
}

static int cmd_agent(const char *cmd, const char *params, tel *d)
{
	uint16_t vm = find_vm(params);
	const struct stat_vm *v;
	char name[STRING_MAX];

	(void)cmd;
	if (vm == VM_NONE)
		return -ENOENT;
	v = &stat_hostd.vm[vm];
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name",
				     vm_handle(vm, name, sizeof(name)));
	add_agent(d, &v->agent);
	add_num(d, "share_ppm", stat_share_ppm(v));
	add_num(d, "ran_ns", v->share.ran_ns);
	add_num(d, "ran_owned_ns", v->share.owned_ns);
	return 0;
}

static int cmd_cpus(const char *cmd, const char *params, tel *d)
{
	(void)cmd;
	(void)params;
	rte_tel_data_start_array(d, RTE_TEL_INT_VAL);
	for (unsigned i = 0; i < CPU_MAX; i++)
		if (stat_hostd.cpu[i].managed)
			rte_tel_data_add_array_int(d, (int)i);
	return 0;
}

static int cmd_cpu(const char *cmd, const char *params, tel *d)
{
	uint64_t n = 0, now_ns = clock_now_ns();
	const struct stat_cpu *c;
	char name[STRING_MAX];
	uint16_t vm;

	(void)cmd;
	if (!number(params, CPU_MAX - 1, &n, &params))
		return -EINVAL;
	c = &stat_hostd.cpu[n];
	if (!c->managed && !c->floor)
		return -ENOENT;
	vm = c->managed && c->owner != VCPU_NONE ? c->owner_vm : VM_NONE;
	rte_tel_data_start_dict(d);
	add_num(d, "cpu", n);
	add_num(d, "managed", c->managed);
	add_num(d, "floor", c->floor);
	rte_tel_data_add_dict_string(d, "vm",
				     vm_handle(vm, name, sizeof(name)));
	if (vm != VM_NONE)
		add_num(d, "vcpu", c->owner_index);
	add_riders(d, (unsigned)n, vm);
	/* the writer may be ahead of the clock read above */
	add_num(d, "for_ns",
		c->since_ns && c->since_ns < now_ns ? now_ns - c->since_ns : 0);
	add_text(d, "reason", policy_reason_name(c->reason));
	add_num(d, "moves", c->moves);
	return 0;
}

static void log_column(tel *list, const struct why_column *c,
		       const struct why_event *page, unsigned n)
{
	uint64_t now_ns = clock_now_ns();
	char text[STRING_MAX];

	rte_tel_data_start_array(list, c->is_text ? RTE_TEL_STRING_VAL
						  : RTE_TEL_U64_VAL);
	while (n--)
		if (c->is_text)
			rte_tel_data_add_array_string(
			    list, why_text(&page[n], c, text, sizeof(text)));
		else
			rte_tel_data_add_array_u64(
			    list, why_number(&page[n], c, now_ns));
}

static int cmd_log(const char *cmd, const char *who, tel *d)
{
	uint64_t wanted = 20, next = why_count(), end = next, first;
	struct why_event page[LOG_PAGE];
	tel *list[WHY_COLUMNS];
	unsigned n;

	(void)cmd;
	if (who && !number(who, UINT32_MAX, &wanted, &who))
		return -EINVAL;
	if (who && !number(who, UINT64_MAX, &end, &who))
		return -EINVAL;
	if (wanted > LOG_PAGE)
		wanted = LOG_PAGE;
	n = why_page(end < next ? end : next, (unsigned)wanted, who, PAGE_BYTES,
		     page, &first);
	for (unsigned i = 0; i < WHY_COLUMNS; i++) {
		list[i] = rte_tel_data_alloc();
		if (!list[i]) {
			while (i--)
				rte_tel_data_free(list[i]);
			return -ENOMEM;
		}
		log_column(list[i], &why_columns[i], page, n);
	}
	rte_tel_data_start_dict(d);
	add_num(d, "next", next);
	add_num(d, "first", first);
	add_num(d, "count", n);
	for (unsigned i = 0; i < WHY_COLUMNS; i++)
		rte_tel_data_add_dict_container(d, why_columns[i].name, list[i],
						0);
	return 0;
}

/* The answer is a sentence with file and line, longer than DPDK's strings:
 * an array of pieces. */
static int cmd_reload(const char *cmd, const char *params, tel *d)
{
	char text[CONTROL_TEXT_MAX] = "", wire[3 * CONTROL_TEXT_MAX];
	char piece[STRING_MAX];
	tel *pieces = rte_tel_data_alloc();
	int rc;

	(void)cmd;
	(void)params;
	if (!pieces)
		return -ENOMEM;
	pthread_mutex_lock(&reload_lock);
	rc = control_reload(text, sizeof(text));
	pthread_mutex_unlock(&reload_lock);
	name_to_wire(text, wire, sizeof(wire));
	rte_tel_data_start_array(pieces, RTE_TEL_STRING_VAL);
	for (const char *p = wire; *p; p += strlen(piece)) {
		snprintf(piece, sizeof(piece), "%.*s", STRING_MAX - 1, p);
		rte_tel_data_add_array_string(pieces, piece);
	}
	rte_tel_data_start_dict(d);
	add_num(d, "done", rc == 0);
	add_num(d, "errno", (uint64_t)(rc < 0 ? -rc : 0));
	rte_tel_data_add_dict_container(d, "text", pieces, 0);
	return 0;
}

/* "start,SECONDS,PATH", the path in wire form. */
static int start_recording(const char *params)
{
	char path[3 * RECORD_PATH_MAX];
	const char *rest = NULL;
	uint64_t seconds;

	if (strncmp(params, "start,", 6) ||
	    !number(params + 6, RECORD_S_MAX, &seconds, &rest) || !rest)
		return -EINVAL;
	snprintf(path, sizeof(path), "%s", rest);
	name_from_wire(path);
	return record_start(path, (unsigned)seconds);
}

static int cmd_record(const char *cmd, const char *params, tel *d)
{
	static const char *const state[] = { [RECORD_NEVER] = "never",
					     [RECORD_RUNS] = "runs",
					     [RECORD_DONE] = "done" };
	struct record_status r;
	int err = 0;

	(void)cmd;
	if (params && !strcmp(params, "stop"))
		record_stop();
	else if (params)
		err = start_recording(params);
	record_get(&r);
	rte_tel_data_start_dict(d);
	add_num(d, "errno", (uint64_t)-err);
	add_text(d, "state", state[r.state]);
	add_text(d, "path", r.path);
	add_num(d, "failed", (uint64_t)r.err);
	add_num(d, "ran_ns", r.ran_ns);
	add_num(d, "bytes", r.bytes);
	add_num(d, "skipped", r.skipped);
	add_num(d, "lost", r.lost);
	return 0;
}

static const struct {
	const char *cmd;
	telemetry_cb fn;
	const char *help; /* 63 bytes at most */
} commands[] = {
	{ "/heighliner/info", cmd_info, "Facts and counters of hostd" },
	{ "/heighliner/vms", cmd_vms,
	  "Names of VMs. Parameters: how many to skip" },
	{ "/heighliner/vm", cmd_vm, "One VM. Parameters: its name or UUID" },
	{ "/heighliner/agents", cmd_agents,
	  "Names of running VMs. Parameters: how many to skip" },
	{ "/heighliner/agent", cmd_agent,
	  "One VM's agent. Parameters: its name or UUID" },
	{ "/heighliner/cpus", cmd_cpus, "Managed cpus" },
	{ "/heighliner/cpu", cmd_cpu, "One cpu. Parameters: its number" },
	{ "/heighliner/log", cmd_log,
	  "Last decisions. Parameters: N, before which, about whom" },
	{ "/heighliner/record", cmd_record,
	  "Recording. Parameters: none, start,SECONDS,PATH or stop" },
	{ "/heighliner/reload", cmd_reload, "Read the configuration again" },
};

int control_start(int (*reload)(char *text, size_t size))
{
	int rc = 0;

	control_reload = reload;
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]) && !rc;
	     i++)
		rc = rte_telemetry_register_cmd(commands[i].cmd, commands[i].fn,
						commands[i].help);
	return rc;
}
