// SPDX-License-Identifier: Apache-2.0
/*
 * conf_check.c - what the configuration is without files, and whether what the
 * files make of it can be kept
 *
 * Every refusal names the cure. Pure.
 */
#include "conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf_key.h"
#include "cpulist.h"
#include "hl/clock.h"

void conf_vm_init(struct conf_vm *vm, const char *name)
{
	memset(vm, 0, sizeof(*vm));
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	vm->class = VM_CLASS_BEST_EFFORT;
	vm->cpus_max = CPU_MAX;
	vm->weight = 100;
	vm->slo_permyriad = 9900;
	vm->agent = true;
}

void conf_default(struct conf *c, const struct cpumask *host)
{
	unsigned lowest = cpumask_next(host, 0);

	memset(c, 0, sizeof(*c));
	c->managed = *host;
	if (cpumask_count(host) > 1)
		cpumask_clear(&c->managed, lowest);
	cpumask_set(&c->floor, lowest);
	c->poll_cpu = (uint16_t)lowest;
	c->idle = CONF_IDLE_SLEEP;
	c->idle_after_ns = 50 * NSEC_PER_USEC;
	c->interval_ns = 20 * NSEC_PER_USEC;
	strcpy(c->policy, "slo");
	c->backend = CONF_BACKEND_AUTO;
	strcpy(c->libvirt_uri, "qemu:///system");
	c->pin_stable_ns = 2 * NSEC_PER_SEC;
	strcpy(c->meter, "auto");
	strcpy(c->uplink, "tap:hl0");
	c->hold_ns = 2 * NSEC_PER_MSEC;
	c->hold_frames = 256;
	c->mac_entries = 4096;
	c->mac_age_ns = 300 * NSEC_PER_SEC;
	c->flood_pps = 10000;
	strcpy(c->socket_group, "kvm");
	c->socket_mode = 0660;
}

const struct conf_vm *conf_vm(const struct conf *c, const char *name)
{
	static const struct conf_vm unnamed = { .class = VM_CLASS_BEST_EFFORT,
						.cpus_max = CPU_MAX,
						.weight = 100,
						.slo_permyriad = 9900,
						.agent = true };

	for (unsigned i = 0; i < c->vm_cnt; i++)
		if (!strcmp(c->vm[i].name, name))
			return &c->vm[i];
	return &unnamed;
}

/* Cpus of @mask that the host lacks, as text; false when it has them all. */
static bool lacks(const struct cpumask *mask, const struct cpumask *host,
		  char *text, size_t size)
{
	struct cpumask missing = { 0 };

	cpumask_for_each (cpu, mask)
		if (!cpumask_has(host, cpu))
			cpumask_set(&missing, cpu);
	cpulist_format(&missing, text, size);
	return !cpumask_empty(&missing);
}

static int check_cpus(const struct conf *c, const struct cpumask *host,
		      struct conf_error *err)
{
	char text[200], has[200];

	cpulist_format(host, has, sizeof(has));
	if (lacks(&c->managed, host, text, sizeof(text)))
		return conf_refuse(c, err, conf_key_at(c, "cpus"),
				   "cpus = names cpu %s, but only %s are "
				   "online: leave out what is missing",
				   text, has);
	if (lacks(&c->floor, host, text, sizeof(text)))
		return conf_refuse(c, err, conf_key_at(c, "floor"),
				   "floor = names cpu %s, but only %s are "
				   "online: leave out what is missing",
				   text, has);
	if (cpumask_empty(&c->managed))
		return conf_refuse(c, err, conf_key_at(c, "cpus"),
				   "cpus = names no cpu: hostd needs at least "
				   "one to give to VMs");
	if (cpumask_empty(&c->floor))
		return conf_refuse(c, err, conf_key_at(c, "floor"),
				   "floor = names no cpu: vcpus that own none "
				   "would be frozen, so give at least one");
	return 0;
}

static int check_poll_cpu(const struct conf *c, const struct cpumask *host,
			  struct conf_error *err)
{
	const struct conf_place *at = conf_key_at(c, "poll-cpu");
	char has[200];

	if (c->poll_cpu == CPU_NONE)
		return 0;
	if (!cpumask_has(host, c->poll_cpu))
		return conf_refuse(c, err, at,
				   "poll-cpu = names cpu %u, but only %s are "
				   "online: choose one of these, or none",
				   c->poll_cpu,
				   cpulist_format(host, has, sizeof(has)));
	if (c->idle == CONF_IDLE_POLL && cpumask_has(&c->managed, c->poll_cpu))
		return conf_refuse(
		    c, err, at->line ? at : conf_key_at(c, "cpus"),
		    "cpu %u would be burnt by hostd (idle = "
		    "poll) and given to VMs as well: take it out "
		    "of cpus =, or set idle = sleep",
		    c->poll_cpu);
	return 0;
}

static int check_policy(const struct conf *c, struct conf_error *err)
{
	char names[200];
	const char *near = NULL;
	size_t n = 0;

	if (policy_find(c->policy))
		return 0;
	names[0] = '\0';
	for (unsigned i = 0; policy_table[i]; i++) {
		/* a struct policy_ops begins with its name */
		const struct policy_ops one[2] = { *policy_table[i], { 0 } };

		if (!near)
			near = conf_nearest(c->policy, one, sizeof(one[0]));
		if (n < sizeof(names))
			n += (size_t)snprintf(names + n, sizeof(names) - n,
					      "%s%s", i ? ", " : "",
					      one[0].name);
	}
	if (near)
		return conf_refuse(c, err, conf_key_at(c, "policy"),
				   "unknown policy '%s', did you mean '%s'?",
				   c->policy, near);
	return conf_refuse(c, err, conf_key_at(c, "policy"),
			   "unknown policy '%s': there are %s", c->policy,
			   names);
}

static int check_meter(const struct conf *c, struct conf_error *err)
{
	static const char *const names[] = { "auto", "resctrl", "perf",
					     "none" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(c->meter, names[i]))
			return 0;
	if (!strncmp(c->meter, "script:/", strlen("script:/")))
		return 0;
	return conf_refuse(c, err, conf_key_at(c, "meter"),
			   "unknown meter '%s': there are auto, resctrl, perf, "
			   "script:/FILE and none",
			   c->meter);
}

static int check_vm(const struct conf *c, const struct conf_vm *vm,
		    struct conf_error *err)
{
	if (vm->slo_ns && vm->class != VM_CLASS_LATENCY_CRITICAL)
		return conf_refuse(c, err, &vm->place,
				   "VM %s has an SLO but is best-effort: "
				   "set class = latency-critical, or remove "
				   "slo-p...",
				   vm->name);
	if (vm->mac_set && !*vm->socket)
		return conf_refuse(
		    c, err, &vm->place,
		    "VM %s has a mac but no socket: add "
		    "socket = PATH, or remove mac (libvirt tells "
		    "it)",
		    vm->name);
	return 0;
}

/* Two VMs behind one socket or one address would be one to the switch. */
static int check_unique(const struct conf *c, const struct conf_vm *vm,
			struct conf_error *err)
{
	for (const struct conf_vm *o = c->vm; o < vm; o++) {
		if (*vm->socket && !strcmp(vm->socket, o->socket))
			return conf_refuse(c, err, &vm->place,
					   "VMs %s and %s share socket %s: "
					   "give each its own",
					   o->name, vm->name, vm->socket);
		if (vm->mac_set && o->mac_set && !memcmp(vm->mac, o->mac, 6))
			return conf_refuse(c, err, &vm->place,
					   "VMs %s and %s have the same mac: "
					   "give each its own",
					   o->name, vm->name);
	}
	return 0;
}

/* What is promised to all VMs together must be there. */
static int check_sum(const struct conf *c, struct conf_error *err)
{
	unsigned sum = 0, managed = cpumask_count(&c->managed), left = 0;
	char who[300];
	size_t n = 0;

	who[0] = '\0';
	for (unsigned i = 0; i < c->vm_cnt; i++) {
		const struct conf_vm *vm = &c->vm[i];

		sum += vm->cpus_min;
		if (!vm->cpus_min)
			continue;
		if (n + VM_NAME_MAX + 10 > sizeof(who)) {
			left++;
			continue;
		}
		n += (size_t)snprintf(who + n, sizeof(who) - n, "%s%s %u",
				      n ? ", " : "", vm->name, vm->cpus_min);
	}
	if (sum <= managed)
		return 0;
	if (left)
		snprintf(who + n, sizeof(who) - n, ", %u more", left);
	return conf_refuse(c, err, NULL,
			   "VMs are guaranteed %u cpus (%s) but only %u %s "
			   "managed: lower a minimum or widen cpus =",
			   sum, who, managed, managed == 1 ? "is" : "are");
}

int conf_check(const struct conf *c, const struct cpumask *host,
	       struct conf_error *err)
{
	int rc = check_cpus(c, host, err);

	if (!rc)
		rc = check_poll_cpu(c, host, err);
	if (!rc)
		rc = check_policy(c, err);
	if (!rc)
		rc = check_meter(c, err);
	for (unsigned i = 0; i < c->vm_cnt && !rc; i++) {
		rc = check_vm(c, &c->vm[i], err);
		if (!rc)
			rc = check_unique(c, &c->vm[i], err);
	}
	return rc ? rc : check_sum(c, err);
}

int conf_reload_check(const struct conf *now, const struct conf *next,
		      struct conf_error *err)
{
	const struct {
		const char *key;
		bool same;
	} fixed[] = {
		{ "poll-cpu", now->poll_cpu == next->poll_cpu },
		{ "backend", now->backend == next->backend },
		{ "libvirt-uri", !strcmp(now->libvirt_uri, next->libvirt_uri) },
		{ "meter", !strcmp(now->meter, next->meter) },
		{ "uplink", !strcmp(now->uplink, next->uplink) },
		{ "mac-table", now->mac_entries == next->mac_entries },
	};

	for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (!fixed[i].same)
			return conf_refuse(
			    next, err, conf_key_at(next, fixed[i].key),
			    "%s cannot change while hostd runs: put it "
			    "back, or restart hostd",
			    fixed[i].key);
	return 0;
}
