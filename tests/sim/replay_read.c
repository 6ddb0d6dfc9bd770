// SPDX-License-Identifier: Apache-2.0
/*
 * replay_read.c - a recording, read look by look
 */
#include "replay_read.h"

#include <stdarg.h>
#include <string.h>

#include "hl/clock.h"
#include "hl/sensor.h"

#define SPAN_MAX_NS (7200 * NSEC_PER_SEC) /* twice what hostd records */
#define WAIT_MAX_NS NSEC_PER_SEC	  /* of an agent's worker */

/* fail() - Return: -1. */
static int fail(struct replay_file *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int fail(struct replay_file *r, const char *fmt, ...)
{
	size_t n;
	va_list ap;

	n = (size_t)snprintf(r->error, sizeof(r->error),
			     "record %llu: ", (unsigned long long)r->records);
	va_start(ap, fmt);
	vsnprintf(r->error + n, sizeof(r->error) - n, fmt, ap);
	va_end(ap);
	return -1;
}

/* take() - The next record. Return: false at the end of the file. */
static bool take(struct replay_file *r, struct record *out)
{
	if (r->held) {
		*out = r->next;
		r->held = false;
		return true;
	}
	if (fread(out, sizeof(*out), 1, r->f) != 1)
		return false;
	r->records++;
	return true;
}

static void put_back(struct replay_file *r, const struct record *rec)
{
	r->next = *rec;
	r->held = true;
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

int replay_open(struct replay_file *r, FILE *f)
{
	struct record rec;

	memset(r, 0, sizeof(*r));
	r->f = f;
	for (unsigned i = 0; i < VCPU_MAX; i++) {
		r->slot_vm[i] = VM_NONE;
		r->s.vcpu[i].vm = VM_NONE;
		r->s.vcpu[i].cpu = CPU_NONE;
		r->s.vcpu[i].last_cpu = CPU_NONE;
	}
	for (unsigned i = 0; i < CPU_MAX; i++)
		r->s.cpu[i].owner = VCPU_NONE;
	if (!take(r, &rec))
		return fail(r, "the file is empty");
	r->head = rec.head;
	if (rec.kind != RECORD_HEAD || rec.head.magic != RECORD_MAGIC)
		return fail(r,
			    "this is not a recording made on such a machine");
	if (rec.head.version != RECORD_VERSION ||
	    rec.head.bytes != RECORD_BYTES)
		return fail(r, "version %u of recordings, known is %d",
			    rec.head.version, RECORD_VERSION);
	if (!ends(rec.head.hostd, sizeof(rec.head.hostd)))
		return fail(r, "hostd's version has no end");
	r->time.now_ns = rec.head.began_ns;
	return 0;
}

/* --- one record each: NULL, or what is wrong -------------------------------
 */

static void list(struct replay_file *r, uint16_t vm)
{
	if (!r->listed[vm])
		r->s.changed[r->s.changed_cnt++] = vm;
	r->listed[vm] = true;
}

static bool is_cpu(uint16_t cpu)
{
	return cpu < CPU_MAX || cpu == CPU_NONE;
}

static const char *read_cpu(struct replay_file *r, const struct record *rec)
{
	const struct record_cpu *c = &rec->cpu;

	if (rec->slot >= CPU_MAX || c->managed > 1 || c->floor > 1 ||
	    !is_cpu(c->sibling) || c->llc >= CPU_MAX || c->node >= NODE_MAX)
		return "a cpu out of range";
	r->s.cpu[rec->slot] = (struct cpu_view){ .managed = c->managed,
						 .floor = c->floor,
						 .owner = VCPU_NONE,
						 .sibling = c->sibling,
						 .llc = c->llc,
						 .node = c->node };
	if (rec->slot >= r->s.cpu_cnt)
		r->s.cpu_cnt = (uint16_t)(rec->slot + 1);
	r->configured = true;
	return NULL;
}

static const char *read_node(struct replay_file *r, const struct record *rec)
{
	const struct record_node *n = &rec->node;
	struct node_view *v;

	if (rec->slot >= NODE_MAX || n->metered > 1)
		return "a node out of range";
	v = &r->s.node[rec->slot];
	v->metered = n->metered;
	v->since_ns = n->since_ns;
	v->mem_bytes_s = n->mem_bytes_s;
	v->mem_max_bytes_s = n->mem_max_bytes_s;
	memcpy(v->distance, n->distance, sizeof(v->distance));
	if (rec->slot >= r->s.node_cnt)
		r->s.node_cnt = (uint16_t)(rec->slot + 1);
	return NULL;
}

static const char *read_name(struct replay_file *r, const struct record *rec)
{
	if (rec->slot >= VM_MAX || !ends(rec->name.name, VM_NAME_MAX))
		return "a name out of range, or without an end";
	memcpy(r->name[rec->slot], rec->name.name, VM_NAME_MAX);
	return NULL;
}

static bool is_vm(const struct record_vm *v)
{
	return v->present <= 1 && v->has_port <= 1 && v->hinted <= 1 &&
	       v->class <= VM_CLASS_LATENCY_CRITICAL &&
	       v->slo_signal <= SLO_RESPONSE && v->slo_permyriad <= 10000 &&
	       v->first_vcpu + (unsigned)v->vcpu_cnt <= VCPU_MAX &&
	       v->hint_wanted <= v->vcpu_cnt &&
	       v->hint_wait_ns <= WAIT_MAX_NS &&
	       (v->node < NODE_MAX || v->node == NODE_NONE) &&
	       (v->present || !v->vcpu_cnt);
}

/* slots() - The VM has these from now on. Return: false: another VM's. */
static bool slots(struct replay_file *r, uint16_t vm, const struct record_vm *v)
{
	const struct vm_view *was = &r->s.vm[vm];

	if (was->first_vcpu == v->first_vcpu && was->vcpu_cnt == v->vcpu_cnt)
		return true;
	for (unsigned i = 0; i < was->vcpu_cnt; i++) {
		r->slot_vm[was->first_vcpu + i] = VM_NONE;
		r->s.vcpu[was->first_vcpu + i] = (struct vcpu_view){
			.vm = VM_NONE, .cpu = CPU_NONE, .last_cpu = CPU_NONE
		};
	}
	for (unsigned i = 0; i < v->vcpu_cnt; i++)
		if (r->slot_vm[v->first_vcpu + i] != VM_NONE)
			return false;
	for (unsigned i = 0; i < v->vcpu_cnt; i++)
		r->slot_vm[v->first_vcpu + i] = vm;
	if (v->first_vcpu + v->vcpu_cnt > r->s.vcpu_cnt)
		r->s.vcpu_cnt = (uint16_t)(v->first_vcpu + v->vcpu_cnt);
	return true;
}

static bool same_conf(const struct vm_view *a, const struct record_vm *b)
{
	return a->present == b->present && a->class == b->class &&
	       a->cpus_min == b->cpus_min && a->cpus_max == b->cpus_max &&
	       a->first_vcpu == b->first_vcpu && a->vcpu_cnt == b->vcpu_cnt;
}

static const char *read_vm(struct replay_file *r, const struct record *rec)
{
	const struct record_vm *v = &rec->vm;
	uint16_t vm = rec->slot;

	if (vm >= VM_MAX || !is_vm(v))
		return "a VM out of range";
	r->configured |= !same_conf(&r->s.vm[vm], v);
	if (!slots(r, vm, v))
		return "two VMs with one vcpu";
	r->s.vm[vm] = (struct vm_view){ .present = v->present,
					.has_port = v->has_port,
					.class = v->class,
					.cpus_min = v->cpus_min,
					.cpus_max = v->cpus_max,
					.weight = v->weight,
					.first_vcpu = v->first_vcpu,
					.vcpu_cnt = v->vcpu_cnt,
					.held = v->held,
					.slo_ns = v->slo_ns,
					.slo_permyriad = v->slo_permyriad,
					.slo_signal = v->slo_signal,
					.node = v->node,
					.done = v->done,
					.late = v->late,
					.mem_bytes_s = v->mem_bytes_s,
					.hinted = v->hinted,
					.hint_wanted = v->hint_wanted,
					.hint_wait_ns = v->hint_wait_ns };
	r->untaken_ns[vm] = v->untaken_ns;
	if (vm >= r->s.vm_cnt)
		r->s.vm_cnt = (uint16_t)(vm + 1);
	list(r, vm);
	return NULL;
}

static const char *read_vcpu(struct replay_file *r, const struct record *rec)
{
	const struct record_vcpu *v = &rec->vcpu;
	uint16_t vm;

	if (rec->slot >= VCPU_MAX || r->slot_vm[rec->slot] == VM_NONE)
		return "a vcpu of no VM";
	vm = r->slot_vm[rec->slot];
	if ((v->vm != vm && v->vm != VM_NONE) || !is_cpu(v->cpu) ||
	    !is_cpu(v->last_cpu) || v->run > VCPU_RUN_RUNNING)
		return "a vcpu out of range";
	r->configured |= r->s.vcpu[rec->slot].vm != v->vm;
	r->s.vcpu[rec->slot] =
	    (struct vcpu_view){ .vm = v->vm,
				.cpu = v->cpu,
				.last_cpu = v->last_cpu,
				.run = v->run,
				.since_ns = v->since_ns,
				.ran_ns = v->ran_ns,
				.waited_ns = v->waited_ns,
				.hint_runnable = v->hint_runnable };
	list(r, vm);
	return NULL;
}

/* follows() - May @now_ns be the time of what comes next? */
static bool follows(const struct replay_file *r, uint64_t now_ns)
{
	return now_ns >= r->time.now_ns &&
	       now_ns - r->head.began_ns <= SPAN_MAX_NS;
}

static const char *read_time(struct replay_file *r, const struct record *rec)
{
	const struct record_time *t = &rec->time;

	if (!follows(r, t->now_ns))
		return "a time that does not follow";
	if (t->interval_ns < NSEC_PER_USEC || t->interval_ns > NSEC_PER_SEC ||
	    !ends(t->policy, sizeof(t->policy)))
		return "settings out of range";
	r->time = *t;
	r->s.now_ns = t->now_ns;
	r->s.move_ns = t->move_ns;
	return NULL;
}

static const char *read_grant(struct replay_file *r, const struct record *rec)
{
	const struct record_grant *g = &rec->grant;

	if (g->cpu >= CPU_MAX || g->reason >= REASON_NUM ||
	    (g->vcpu >= VCPU_MAX && g->vcpu != VCPU_NONE) ||
	    r->plan.count >= CPU_MAX)
		return "a grant out of range";
	r->plan.grant[r->plan.count++] =
	    (struct grant){ .cpu = g->cpu,
			    .vcpu = g->vcpu,
			    .reason = g->reason,
			    .saw_ns = g->saw_ns,
			    .limit_ns = g->limit_ns };
	return NULL;
}

static const char *read_bar(struct replay_file *r, const struct record *rec)
{
	struct bar *b = &r->plan.bar[r->plan.bar_cnt];

	if ((rec->bar.vm >= VM_MAX && rec->bar.vm != VM_NONE) ||
	    rec->bar.reason >= REASON_NUM || r->plan.bar_cnt >= BAR_MAX)
		return "a bar out of range";
	*b = (struct bar){ .vm = rec->bar.vm, .reason = rec->bar.reason };
	memcpy(b->cpus.word, rec->bar.cpus, sizeof(b->cpus.word));
	r->plan.bar_cnt++;
	return NULL;
}

/* --- looks ------------------------------------------------------------------
 */

bool replay_ages(struct snapshot *s, uint16_t vm, uint64_t untaken_ns,
		 uint64_t now_ns)
{
	struct vm_view *v = &s->vm[vm];
	bool waits = untaken_ns;

	v->delay_ns =
	    untaken_ns && untaken_ns < now_ns ? now_ns - untaken_ns : 0;
	v->ready_ns = 0;
	for (unsigned i = 0; i < v->vcpu_cnt; i++) {
		const struct vcpu_view *vcpu = &s->vcpu[v->first_vcpu + i];

		if (vcpu->vm != vm || vcpu->run != VCPU_RUN_READY)
			continue;
		waits = true;
		if (vcpu->since_ns < now_ns &&
		    now_ns - vcpu->since_ns > v->ready_ns)
			v->ready_ns = now_ns - vcpu->since_ns;
	}
	return waits;
}

/* decided() - What stands behind RECORD_TIME. Return: 0 or -1. */
static int decided(struct replay_file *r)
{
	const char *wrong = NULL;
	struct record rec;

	while (!wrong && take(r, &rec)) {
		if (rec.kind == RECORD_GRANT) {
			wrong = read_grant(r, &rec);
		} else if (rec.kind == RECORD_BAR) {
			wrong = read_bar(r, &rec);
		} else {
			put_back(r, &rec);
			return 0;
		}
	}
	return wrong ? fail(r, "%s", wrong) : 0;
}

static void begin(struct replay_file *r)
{
	while (r->s.changed_cnt)
		r->listed[r->s.changed[--r->s.changed_cnt]] = false;
	r->plan.count = r->plan.bar_cnt = 0;
	r->configured = false;
}

static int ended(struct replay_file *r, const struct record *rec)
{
	if (!follows(r, rec->end.now_ns))
		return fail(r, "a time that does not follow");
	r->end_ns = rec->end.now_ns;
	return 0;
}

int replay_next(struct replay_file *r)
{
	static const char *(*const read[])(struct replay_file * r,
					   const struct record *rec) = {
		[RECORD_CPU] = read_cpu,   [RECORD_NODE] = read_node,
		[RECORD_NAME] = read_name, [RECORD_VM] = read_vm,
		[RECORD_VCPU] = read_vcpu, [RECORD_TIME] = read_time,
	};
	const char *wrong;
	struct record rec;

	begin(r);
	while (take(r, &rec)) {
		if (rec.kind == RECORD_END)
			return ended(r, &rec);
		if (rec.kind > RECORD_TIME || !read[rec.kind])
			return fail(r, "no record of kind %u belongs here",
				    rec.kind);
		wrong = read[rec.kind](r, &rec);
		if (wrong)
			return fail(r, "%s", wrong);
		if (rec.kind != RECORD_TIME)
			continue;
		r->looks++;
		for (unsigned i = 0; i < r->s.changed_cnt; i++)
			replay_ages(&r->s, r->s.changed[i],
				    r->untaken_ns[r->s.changed[i]],
				    r->s.now_ns);
		return decided(r) ? -1 : 1;
	}
	r->cut = true;
	r->end_ns = r->time.now_ns;
	return 0;
}
