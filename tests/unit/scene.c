// SPDX-License-Identifier: Apache-2.0
/*
 * scene.c - snapshots and plans as text, for the tables of policy tests
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/types.h>
#include "cpulist.h"
#include "hl/sensor.h"
#include "policy/snapshot.h"
#include "scene.h"

#define US 1000ull
#define MB 1000000ull

static void cpus_add(struct snapshot *s, unsigned cnt)
{
	s->cpu_cnt = (uint16_t)cnt;
	for (unsigned i = 0; i < cnt; i++)
		s->cpu[i] =
		    (struct cpu_view){ .managed = true,
				       .owner = VCPU_NONE,
				       .sibling = CPU_NONE,
				       .since_ns = s->now_ns - 1000000 * US };
}

static void vm_add(struct snapshot *s, bool present, uint8_t class)
{
	unsigned vm = s->vm_cnt++;

	s->vm[vm] =
	    (struct vm_view){ .present = present,
			      .has_port = true,
			      .class = class,
			      .cpus_min = 1,
			      .cpus_max = 8,
			      .weight = 100,
			      .node = NODE_NONE,
			      .slo_permyriad = 9900,
			      .first_vcpu = (uint16_t)(vm * SCENE_VCPUS) };
	s->vcpu_cnt = (uint16_t)(s->vm_cnt * SCENE_VCPUS);
}

/* vcpu_add() - @word: what follows the state, as in ":50@3*" */
static void vcpu_add(struct snapshot *s, int run, const char *word)
{
	unsigned vm = s->vm_cnt - 1u;
	unsigned slot = s->vm[vm].first_vcpu + s->vm[vm].vcpu_cnt++;
	struct vcpu_view *v = &s->vcpu[slot];
	uint64_t age_ns = 0;
	char *end = NULL;

	v->vm = (uint16_t)vm;
	if (run < 0)
		v->vm = VM_NONE;
	else
		v->run = (uint8_t)run;
	if (*word == ':') {
		age_ns = strtoul(word + 1, &end, 10) * US;
		word = end;
	}
	v->since_ns = s->now_ns - age_ns;
	if (*word == '@') {
		v->last_cpu = (uint16_t)strtoul(word + 1, &end, 10);
		word = end;
	}
	if (*word == '#') {
		v->hint_runnable = (uint16_t)strtoul(word + 1, &end, 10);
		word = end;
	}
	if (*word == '*') {
		v->cpu = v->last_cpu;
		s->cpu[v->cpu].owner = (uint16_t)slot;
		s->vm[vm].owned++;
	}
	if (run == VCPU_RUN_READY && age_ns > s->vm[vm].ready_ns)
		s->vm[vm].ready_ns = age_ns;
}

static void nodes_add(struct snapshot *s, unsigned cpus)
{
	for (unsigned i = 0; i < s->cpu_cnt; i++) {
		s->cpu[i].node = (uint16_t)(i / cpus);
		s->node_cnt = (uint16_t)(i / cpus + 1);
	}
	for (unsigned i = 0; i < s->node_cnt; i++)
		for (unsigned j = 0; j < s->node_cnt; j++)
			s->node[i].distance[j] = i == j ? 10 : 20;
}

static void load(struct snapshot *s, unsigned node, unsigned mb, unsigned max)
{
	struct node_view *n = &s->node[node];

	if (node >= s->node_cnt)
		s->node_cnt = (uint16_t)(node + 1);
	n->metered = true;
	n->since_ns = s->now_ns - 5000 * US;
	n->mem_bytes_s = mb * MB;
	n->mem_max_bytes_s = max * MB;
}

static bool cpu_word(struct snapshot *s, const char *word)
{
	unsigned a, b, c;

	if (sscanf(word, "cpus=%u", &a) == 1)
		cpus_add(s, a);
	else if (sscanf(word, "move=%u", &a) == 1)
		s->move_ns = a * US;
	else if (!strcmp(word, "smt"))
		for (unsigned i = 0; i < s->cpu_cnt; i++)
			s->cpu[i].sibling = (uint16_t)(i ^ 1);
	else if (sscanf(word, "llc=%u", &a) == 1)
		for (unsigned i = 0; i < s->cpu_cnt; i++)
			s->cpu[i].llc = (uint16_t)(i / a);
	else if (sscanf(word, "node=%u", &a) == 1)
		nodes_add(s, a);
	else if (sscanf(word, "dist=%u:%u:%u", &a, &b, &c) == 3)
		s->node[a].distance[b] = s->node[b].distance[a] = (uint8_t)c;
	else if (sscanf(word, "load=%u:%u/%u", &a, &b, &c) == 3)
		load(s, a, b, c);
	else if (sscanf(word, "unmanaged=%u", &a) == 1)
		s->cpu[a].managed = false;
	else if (sscanf(word, "floor=%u", &a) == 1)
		s->cpu[a].floor = true;
	else if (sscanf(word, "fresh=%u", &a) == 1)
		s->cpu[a].since_ns = s->now_ns - 100 * US;
	else if (sscanf(word, "ghost=%u:%u", &a, &b) == 2)
		s->cpu[a].owner = (uint16_t)b;
	else
		return false;
	return true;
}

static void hint(struct vm_view *v, unsigned wanted, unsigned wait_us)
{
	v->hinted = true;
	v->hint_wanted = (uint16_t)wanted;
	v->hint_wait_ns = wait_us * US;
}

static bool vm_word(struct snapshot *s, const char *word)
{
	struct vm_view *v = &s->vm[s->vm_cnt ? s->vm_cnt - 1 : 0];
	unsigned a, b;

	if (!strcmp(word, "lc"))
		vm_add(s, true, VM_CLASS_LATENCY_CRITICAL);
	else if (!strcmp(word, "be"))
		vm_add(s, true, VM_CLASS_BEST_EFFORT);
	else if (!strcmp(word, "absent"))
		vm_add(s, false, VM_CLASS_LATENCY_CRITICAL);
	else if (!strcmp(word, "noport"))
		v->has_port = false;
	else if (sscanf(word, "min=%u", &a) == 1)
		v->cpus_min = (uint16_t)a;
	else if (sscanf(word, "max=%u", &a) == 1)
		v->cpus_max = (uint16_t)a;
	else if (sscanf(word, "held=%u", &a) == 1)
		v->held = (uint16_t)a;
	else if (sscanf(word, "slo=%u", &a) == 1)
		v->slo_ns = a * US;
	else if (sscanf(word, "delay=%u", &a) == 1)
		v->delay_ns = a * US;
	else if (sscanf(word, "at=%u", &a) == 1)
		v->node = (uint16_t)a;
	else if (sscanf(word, "mem=%u", &a) == 1)
		v->mem_bytes_s = a * MB;
	else if (sscanf(word, "late=%u/%u", &a, &b) == 2)
		v->late = a, v->done = b;
	else if (sscanf(word, "agent=%u:%u", &a, &b) == 2)
		hint(v, a, b);
	else
		return false;
	return true;
}

static bool vcpu_word(struct snapshot *s, const char *word)
{
	static const struct {
		const char *name;
		int run;
	} state[] = {
		{ "ready", VCPU_RUN_READY }, { "run", VCPU_RUN_RUNNING },
		{ "halt", VCPU_RUN_HALTED }, { "unk", VCPU_RUN_UNKNOWN },
		{ "unplugged", -1 },
	};

	for (size_t i = 0; i < sizeof(state) / sizeof(state[0]); i++) {
		size_t len = strlen(state[i].name);

		if (strncmp(word, state[i].name, len))
			continue;
		vcpu_add(s, state[i].run, word + len);
		return true;
	}
	return false;
}

static void show_all(struct snapshot *s)
{
	snapshot_index(s);
	snapshot_mark_all(s);
	snapshot_list(s);
}

void scene_build(struct snapshot *s, const char *text)
{
	char *copy = strdup(text), *word, *rest = NULL;

	memset(s, 0, sizeof(*s));
	s->now_ns = SCENE_NOW_NS;
	for (unsigned i = 0; i < VCPU_MAX; i++)
		s->vcpu[i] = (struct vcpu_view){ .vm = VM_NONE,
						 .cpu = CPU_NONE,
						 .last_cpu = CPU_NONE };
	assert_non_null(copy);
	for (word = strtok_r(copy, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest))
		if (!cpu_word(s, word) && !vm_word(s, word) &&
		    !vcpu_word(s, word))
			fail_msg("scene: \"%s\" in \"%s\"", word, text);
	free(copy);
	show_all(s);
}

/* bar_text() - Return: its length. */
static int bar_text(const struct bar *b, char *text, size_t size)
{
	const char *why = policy_reason_name(b->reason);
	char cpus[200];

	if (!*cpulist_format(&b->cpus, cpus, sizeof(cpus)))
		strcpy(cpus, "-");
	if (b->vm == VM_NONE)
		return snprintf(text, size, " bar*:%s:%s", cpus, why);
	return snprintf(text, size, " bar%u:%s:%s", b->vm, cpus, why);
}

const char *scene_plan(const struct plan *p)
{
	static char text[16384];
	int len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < p->count; i++) {
		const struct grant *g = &p->grant[i];
		const char *why = policy_reason_name(g->reason);
		size_t left = sizeof(text) - (size_t)len;

		if (g->vcpu == VCPU_NONE)
			len += snprintf(text + len, left, "%s%u>-:%s",
					i ? " " : "", g->cpu, why);
		else
			len += snprintf(text + len, left, "%s%u>%u:%s",
					i ? " " : "", g->cpu, g->vcpu, why);
	}
	for (unsigned i = 0; i < p->bar_cnt; i++)
		len += bar_text(&p->bar[i], text + len,
				sizeof(text) - (size_t)len);
	return *text == ' ' ? text + 1 : text;
}

const char *scene_decide(const struct policy_ops *ops, void *state,
			 struct snapshot *s)
{
	static struct plan p;

	show_all(s);
	p.count = p.bar_cnt = 0;
	ops->decide(state, s, &p);
	return scene_plan(&p);
}
