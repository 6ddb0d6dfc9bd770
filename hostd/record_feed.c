// SPDX-License-Identifier: Apache-2.0
/*
 * record_feed.c - from snapshots to the records of a recording
 *
 * Theory of operation. The feed keeps a copy of all it has written. A VM the
 * snapshot lists as changed is compared with that copy, field by field as the
 * records have them; what differs is written, and the copy follows. Waits are
 * kept by when they began: a frame that only grows older differs in nothing.
 * Where the ring or a look's share is full the VM stays on the list, so that
 * nothing is ever lost but the moment when it changed; looks take turns.
 * RECORD_TIME and the plan have their room set aside first; without it the look
 * is left out and counted.
 */
#include "record_feed.h"

#include <stddef.h>
#include <string.h>

int feed_init(struct feed *f)
{
	memset(f, 0, sizeof(*f));
	memset(f->cpus, 0xff, sizeof(f->cpus)); /* like no cpu there is */
	memset(f->slot_vm, 0xff, sizeof(f->slot_vm));
	feed_again(f);
	return mbox_init(&f->ring, FEED_RECORDS, sizeof(struct record));
}

void feed_exit(struct feed *f)
{
	mbox_exit(&f->ring);
}

void feed_again(struct feed *f)
{
	f->all = true;
}

/* One look under way. */
struct look {
	struct feed *f;
	const struct snapshot *s;
	uint32_t room; /* records of state that may be written */
	bool wrote;
};

static void put(struct feed *f, enum record_kind kind, unsigned slot,
		const void *body, size_t bytes)
{
	struct record r = { .kind = (uint16_t)kind, .slot = (uint16_t)slot };

	memcpy(r.body, body, bytes);
	mbox_push(&f->ring, &r); /* there is room */
}

/* differs() - Write @is unless it is @was. Return: false: no room, not written.
 */
static bool differs(struct look *l, enum record_kind kind, unsigned slot,
		    void *was, const void *is, size_t bytes)
{
	if (!memcmp(was, is, bytes))
		return true;
	if (!l->room)
		return false;
	put(l->f, kind, slot, is, bytes);
	memcpy(was, is, bytes);
	l->room--;
	l->wrote = true;
	return true;
}

/* 0 stands for "none" in a record: a wait since the clock began is 1 ns less */
static uint64_t since(uint64_t now_ns, uint64_t age_ns)
{
	if (!age_ns)
		return 0;
	return now_ns > age_ns ? now_ns - age_ns : 1;
}

static bool look_cpu(struct look *l, unsigned cpu)
{
	const struct cpu_view *c = &l->s->cpu[cpu];
	const struct record_cpu is = { .managed = c->managed,
				       .floor = c->floor,
				       .sibling = c->sibling,
				       .llc = c->llc,
				       .node = c->node };
	struct record_cpu *was = &l->f->cpus[cpu];

	return differs(l, RECORD_CPU, cpu, was, &is, sizeof(is));
}

static bool look_node(struct look *l, unsigned node)
{
	const struct node_view *n = &l->s->node[node];
	struct record_node is = { .metered = n->metered,
				  .since_ns = n->since_ns,
				  .mem_bytes_s = n->mem_bytes_s,
				  .mem_max_bytes_s = n->mem_max_bytes_s };

	memcpy(is.distance, n->distance, sizeof(is.distance));
	return differs(l, RECORD_NODE, node, &l->f->nodes[node], &is,
		       sizeof(is));
}

static bool look_vcpu(struct look *l, unsigned vcpu)
{
	const struct vcpu_view *v = &l->s->vcpu[vcpu];
	const struct record_vcpu is = { .vm = v->vm,
					.cpu = v->cpu,
					.last_cpu = v->last_cpu,
					.hint_runnable = v->hint_runnable,
					.run = v->run,
					.since_ns = v->since_ns,
					.ran_ns = v->ran_ns,
					.waited_ns = v->waited_ns };

	return differs(l, RECORD_VCPU, vcpu, &l->f->vcpus[vcpu], &is,
		       sizeof(is));
}

/* What is written of a VM that is not there, or without vcpus, is all 0. */
static void encode_vm(struct record_vm *r, const struct snapshot *s,
		      uint16_t vm)
{
	const struct vm_view *v = &s->vm[vm];

	*r = (struct record_vm){ 0 };
	if (!v->present)
		return;
	r->present = true;
	r->has_port = v->has_port;
	r->class = v->class;
	r->slo_signal = v->slo_signal;
	r->hinted = v->hinted;
	r->cpus_min = v->cpus_min;
	r->cpus_max = v->cpus_max;
	r->weight = v->weight;
	r->first_vcpu = v->first_vcpu;
	r->vcpu_cnt = v->vcpu_cnt;
	r->held = v->held;
	r->slo_permyriad = v->slo_permyriad;
	r->node = v->node;
	r->hint_wanted = v->hint_wanted;
	r->slo_ns = v->slo_ns;
	r->untaken_ns = since(s->now_ns, v->delay_ns);
	r->done = v->done;
	r->late = v->late;
	r->mem_bytes_s = v->mem_bytes_s;
	r->hint_wait_ns = v->hint_wait_ns;
}

/* let_go() - @vm has no slots any more, as far as was written. Return: false:
 * no room. */
static bool let_go(struct look *l, uint16_t vm)
{
	struct feed *f = l->f;
	unsigned first = f->vms[vm].first_vcpu, cnt = f->vms[vm].vcpu_cnt;
	const struct record_vm none = { 0 };

	if (!differs(l, RECORD_VM, vm, &f->vms[vm], &none, sizeof(none)))
		return false;
	memset(&f->vcpus[first], 0, cnt * sizeof(f->vcpus[0]));
	memset(&f->slot_vm[first], 0xff, cnt * sizeof(f->slot_vm[0]));
	return true;
}

/* claim() - @vm will have the slots of @is; whoever had them lets go of them
 * first. Return: false: no room. */
static bool claim(struct look *l, uint16_t vm, const struct record_vm *is)
{
	struct feed *f = l->f;

	if (f->vms[vm].first_vcpu == is->first_vcpu &&
	    f->vms[vm].vcpu_cnt == is->vcpu_cnt)
		return true;
	if (!let_go(l, vm))
		return false;
	for (unsigned i = 0; i < is->vcpu_cnt; i++) {
		uint16_t other = f->slot_vm[is->first_vcpu + i];

		if (other == VM_NONE)
			continue;
		vmset_add(&f->pending, other);
		if (!let_go(l, other))
			return false;
	}
	return true;
}

static bool look_name(struct look *l, uint16_t vm, const char *is)
{
	struct record_name name = { "" };

	if (!strcmp(is, l->f->names[vm].name))
		return true;
	strncpy(name.name, is, sizeof(name.name) - 1);
	return differs(l, RECORD_NAME, vm, &l->f->names[vm], &name,
		       sizeof(name));
}

static bool look_vm(struct look *l, uint16_t vm,
		    const char *(*names)(uint16_t vm))
{
	struct feed *f = l->f;
	struct record_vm is;

	encode_vm(&is, l->s, vm);
	if (!is.present)
		return let_go(l, vm);
	if (!look_name(l, vm, names(vm)) || !claim(l, vm, &is) ||
	    !differs(l, RECORD_VM, vm, &f->vms[vm], &is, sizeof(is)))
		return false;
	for (unsigned i = 0; i < is.vcpu_cnt; i++)
		f->slot_vm[is.first_vcpu + i] = vm;
	for (unsigned i = 0; i < is.vcpu_cnt; i++) {
		unsigned at = (f->vcpu + i) % is.vcpu_cnt;

		if (!look_vcpu(l, is.first_vcpu + at)) {
			f->vcpu = (uint16_t)at;
			return false;
		}
	}
	return true;
}

/* look_all() - Begin to compare everything. */
static void look_all(struct feed *f, const struct snapshot *s)
{
	for (unsigned i = 0; i < VM_MAX; i++) {
		if (!s->vm[i].present && !f->vms[i].present)
			continue;
		vmset_add(&f->pending, i);
		vmset_add(&f->unseen, i);
	}
	f->cpu = 0;
	f->all = false;
}

/* look_vms() - Those that are pending, in turn. */
static void look_vms(struct look *l, const char *(*names)(uint16_t vm))
{
	struct feed *f = l->f;
	unsigned vm;

	for (unsigned n = 0; n < FEED_VMS; n++) {
		vm = vmset_next(&f->pending, f->turn);
		if (vm == VM_NONE)
			vm = vmset_next(&f->pending, 0);
		if (vm == VM_NONE)
			return;
		f->turn = (uint16_t)(vm + 1);
		if (!look_vm(l, (uint16_t)vm, names))
			return;
		vmset_del(&f->pending, vm);
		vmset_del(&f->unseen, vm);
	}
}

/* look_state() - Write what differs. Return: whether all that there was in the
 * beginning was written. */
static bool look_state(struct look *l, const char *(*names)(uint16_t vm))
{
	struct feed *f = l->f;

	if (f->all)
		look_all(f, l->s);
	for (; f->cpu < l->s->cpu_cnt; f->cpu++)
		if (!look_cpu(l, f->cpu))
			return false;
	for (unsigned i = 0; i < l->s->node_cnt; i++)
		if (!look_node(l, i))
			return false;
	look_vms(l, names);
	return vmset_empty(&f->unseen);
}

static void put_time(struct look *l, uint64_t interval_ns, const char *policy,
		     bool whole)
{
	struct record_time t = { .now_ns = l->s->now_ns,
				 .interval_ns = interval_ns,
				 .skipped = l->f->skipped,
				 .lost = l->f->lost,
				 .whole = whole,
				 .move_ns = (uint32_t)l->s->move_ns };

	strncpy(t.policy, policy, sizeof(t.policy) - 1);
	put(l->f, RECORD_TIME, 0, &t, sizeof(t));
}

static void put_plan(struct feed *f, const struct plan *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		const struct grant *g = &p->grant[i];
		const struct record_grant r = { .cpu = g->cpu,
						.vcpu = g->vcpu,
						.reason = g->reason,
						.saw_ns = g->saw_ns,
						.limit_ns = g->limit_ns };

		put(f, RECORD_GRANT, 0, &r, sizeof(r));
	}
	for (unsigned i = 0; i < p->bar_cnt; i++) {
		struct record_bar r = { .vm = p->bar[i].vm,
					.reason = p->bar[i].reason };

		memcpy(r.cpus, p->bar[i].cpus.word, sizeof(r.cpus));
		put(f, RECORD_BAR, 0, &r, sizeof(r));
	}
}

void feed_look(struct feed *f, const struct snapshot *s, const struct plan *p,
	       const char *(*names)(uint16_t vm), uint64_t interval_ns,
	       const char *policy)
{
	uint32_t plan_cnt = (uint32_t)p->count + p->bar_cnt;
	uint32_t room = mbox_room(&f->ring);
	struct look l = { .f = f, .s = s };
	bool whole;

	for (unsigned i = 0; i < s->changed_cnt; i++)
		vmset_add(&f->pending, s->changed[i]);
	if (room < 1 + plan_cnt) {
		f->skipped++;
		f->lost += plan_cnt;
		return;
	}
	l.room = room - 1 - plan_cnt;
	if (l.room > FEED_STEP)
		l.room = FEED_STEP;
	whole = look_state(&l, names);
	if (!l.wrote && !plan_cnt)
		return;
	put_time(&l, interval_ns, policy, whole);
	put_plan(f, p);
}
