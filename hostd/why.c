// SPDX-License-Identifier: Apache-2.0
/*
 * why.c - the trace: the last decisions, and what led to each
 *
 * The poll thread writes, the telemetry threads read at any time. A reader
 * copies an entry first and then asks whether the writer can have reached it
 * meanwhile; so a torn entry is never shown.
 *
 * Names come from stat_hostd, where the control thread puts them before it
 * tells the poll thread of a VM, and leaves them until the poll thread has let
 * go of it.
 */
#include "why.h"

#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "policy/pick.h"
#include "stat.h"

#define WIRE_MAX (3 * VM_NAME_MAX) /* every byte of a name as %XX */

static struct why_event ring[WHY_MAX];
static uint64_t next; /* events ever; the ring's index is modulo */

static uint16_t lesser(uint16_t a, uint16_t b)
{
	return a < b ? a : b;
}

static uint16_t vm_of(const struct snapshot *s, uint16_t vcpu)
{
	return vcpu < VCPU_MAX ? s->vcpu[vcpu].vm : VM_NONE;
}

/* call() - Who @vm is. */
static void call(struct why_name *out, uint16_t vm)
{
	memcpy(out->name, stat_hostd.vm[vm].name, sizeof(out->name));
	memcpy(out->uuid, stat_hostd.vm[vm].uuid, sizeof(out->uuid));
}

/* describe() - How the VM the event is about was doing. */
static void describe(struct why_event *e, const struct snapshot *s, uint16_t vm)
{
	const struct vm_view *v = &s->vm[vm];
	struct pick_use use = pick_use(s, vm);

	e->delay_ns = v->delay_ns;
	e->ready_ns = v->ready_ns;
	e->owned = v->owned;
	e->min = v->cpus_min;
	e->may = lesser(v->cpus_max, use.plugged);
	e->sensed = use.sensed;
	e->runnable = use.runnable;
	e->hinted = v->hinted;
	e->wanted = v->hint_wanted;
	e->used_permille = stat_hostd.vm[vm].used_permille;
}

static void add(const struct why_event *e)
{
	uint64_t n = next;

	/* the former `next` is seen before this entry begins to change */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	ring[n % WHY_MAX] = *e;
	__atomic_store_n(&next, n + 1, __ATOMIC_RELEASE);
}

void why_moved(const struct snapshot *s, const struct grant *g, uint16_t from)
{
	uint16_t to_vm = vm_of(s, g->vcpu), from_vm = vm_of(s, from);
	struct why_event e = { .at_ns = s->now_ns,
			       .cpu = g->cpu,
			       .reason = g->reason,
			       .saw_ns = g->saw_ns,
			       .limit_ns = g->limit_ns };

	if (from_vm != VM_NONE) {
		call(&e.from, from_vm);
		e.from_vcpu = (uint16_t)(from - s->vm[from_vm].first_vcpu);
		e.from_owned = s->vm[from_vm].owned;
		stat_hostd.vm[from_vm].lost++;
	}
	if (to_vm != VM_NONE) {
		call(&e.to, to_vm);
		e.to_vcpu = (uint16_t)(g->vcpu - s->vm[to_vm].first_vcpu);
		stat_hostd.vm[to_vm].gained++;
	}
	if (to_vm != VM_NONE || from_vm != VM_NONE)
		describe(&e, s, to_vm != VM_NONE ? to_vm : from_vm);
	stat_hostd.cpu[g->cpu].moves++;
	stat_hostd.cpu[g->cpu].reason = g->reason;
	add(&e);
}

void why_barred(const struct snapshot *s, const struct bar *b)
{
	struct why_event e = { .at_ns = s->now_ns,
			       .cpu = CPU_NONE,
			       .reason = b->reason,
			       .barred = b->cpus };

	if (b->vm != VM_NONE) {
		call(&e.from, b->vm);
		describe(&e, s, b->vm);
	}
	add(&e);
}

uint64_t why_count(void)
{
	return __atomic_load_n(&next, __ATOMIC_ACQUIRE);
}

bool why_get(uint64_t n, struct why_event *out)
{
	if (n >= why_count())
		return false;
	*out = ring[n % WHY_MAX];
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	/* The entry of number n is written again, from the moment `next` is
	 * n + WHY_MAX, before `next` moves on. */
	return __atomic_load_n(&next, __ATOMIC_RELAXED) < n + WHY_MAX;
}

static bool is_called(const struct why_name *n, const char *who)
{
	char wire[WIRE_MAX];

	if (!*n->name)
		return false;
	return !strcmp(n->name, who) || !strcmp(n->uuid, who) ||
	       (name_to_wire(n->name, wire, sizeof(wire)) &&
		!strcmp(wire, who));
}

bool why_about(const struct why_event *e, const char *who)
{
	char *end;
	unsigned long cpu = strtoul(who, &end, 10);

	if (*who >= '0' && *who <= '9' && !*end)
		return cpu < CPU_MAX &&
		       (cpu == e->cpu ||
			cpumask_has(&e->barred, (unsigned)cpu));
	return is_called(&e->to, who) || is_called(&e->from, who);
}
