// SPDX-License-Identifier: Apache-2.0
/*
 * bandwidth.c - a stage of policies: memory bandwidth is kept below its limit
 *
 * Theory of operation. Each node whose traffic is metered and whose limit is
 * known is judged by itself. Above the limit, the best-effort VM with its
 * memory there that moves most bytes is the one to slow down. The traffic of
 * one of its cpus is what it moves by the cpus it runs on; the excess divided
 * by that is how many it loses, at most half of them, and it keeps one. A VM
 * rides wherever it likes, so "fewer cpus" means that a set is chosen which it
 * keeps, and it is barred from all others: cpus nobody owns first, near its
 * memory first, those it keeps already first. The set is chosen again when
 * owners have moved into it.
 *
 * It does badly where a node's traffic is made by latency-critical VMs (nothing
 * is done: it is theirs), or by a best-effort VM with one busy vcpu; and where
 * what one cpu moves says little of what the next one will.
 */
#include "bandwidth.h"

#include "hl/sensor.h"

#define PART	   16 /* less than 1/16 of the traffic: not worth a bar */
#define ROOM_OF_10 9  /* a cpu given back must leave a tenth of the limit */

/* vcpu_busy() - Does @vcpu of @vm use a cpu, or may it for all we know? */
static bool vcpu_busy(const struct snapshot *s, unsigned vcpu, uint16_t vm)
{
	return vcpu < s->vcpu_cnt && s->vcpu[vcpu].vm == vm &&
	       s->vcpu[vcpu].run != VCPU_RUN_HALTED;
}

static bool harvests(const struct snapshot *s, uint16_t vm)
{
	return vm < s->vm_cnt && s->vm[vm].present &&
	       s->vm[vm].class == VM_CLASS_BEST_EFFORT;
}

/* open_cpus() - Where best-effort VMs may ride at all. */
static struct cpumask open_cpus(const struct snapshot *s,
				const struct cpumask *off)
{
	struct cpumask m = s->managed;

	for (unsigned i = 0; i < CPUMASK_WORDS; i++)
		m.word[i] &= ~off->word[i];
	return m;
}

/* width() - How many cpus @vm can use at once now: vcpus that are not halted,
 * no more than it may ride on. */
static unsigned width(const struct bandwidth_state *st,
		      const struct snapshot *s, uint16_t vm, unsigned open_cnt)
{
	const struct vm_view *v = &s->vm[vm];
	unsigned busy = 0;

	for (unsigned i = 0; i < v->vcpu_cnt; i++)
		busy += vcpu_busy(s, v->first_vcpu + i, vm);
	if (st->vm[vm].cpus && st->vm[vm].cpus < open_cnt)
		open_cnt = st->vm[vm].cpus;
	return busy < open_cnt ? busy : open_cnt;
}

/* rank() - How gladly a limited VM is left on @cpu; 0 is best. */
static unsigned rank(const struct bandwidth_state *st, const struct snapshot *s,
		     uint16_t vm, unsigned cpu)
{
	const struct cpu_view *c = &s->cpu[cpu];
	unsigned r = 0;

	if (c->owner != VCPU_NONE)
		r += 4;
	if (s->vm[vm].node != NODE_NONE && c->node != s->vm[vm].node)
		r += 2;
	return r + cpumask_has(&st->vm[vm].off, cpu);
}

#define RANKS 8

/* others() - All cpus but the best @cnt of the @open ones for @vm. */
static struct cpumask others(const struct bandwidth_state *st,
			     const struct snapshot *s, uint16_t vm,
			     unsigned cnt, const struct cpumask *open)
{
	struct cpumask by_rank[RANKS] = { 0 }, off = { 0 };

	for (unsigned cpu = 0; cpu < s->cpu_cnt; cpu++)
		cpumask_set(&off, cpu);
	cpumask_for_each (cpu, open)
		cpumask_set(&by_rank[rank(st, s, vm, cpu)], cpu);
	for (unsigned r = 0; r < RANKS; r++) {
		cpumask_for_each (cpu, &by_rank[r]) {
			if (!cnt)
				return off;
			cpumask_clear(&off, cpu);
			cnt--;
		}
	}
	return off;
}

/* limit() - @vm rides on @cnt of the @open cpus from now on; 0: on all. */
static void limit(struct bandwidth_state *st, const struct snapshot *s,
		  uint16_t vm, unsigned cnt, const struct cpumask *open,
		  struct plan *p)
{
	struct bandwidth_vm *b = &st->vm[vm];
	struct cpumask off = { 0 };
	bool fewer = cnt && (!b->cpus || cnt <= b->cpus);

	if (cnt)
		off = others(st, s, vm, cnt, open);
	if (cnt == b->cpus && cpumask_equal(&off, &b->off))
		return;
	if (!plan_bar(p, vm, &off, fewer ? REASON_BANDWIDTH : REASON_RELIEF))
		return; /* in a later decision */
	st->limited_cnt += !b->cpus && cnt;
	st->limited_cnt -= b->cpus && !cnt;
	b->cpus = (uint16_t)cnt;
	b->off = off;
}

/* is_on() - Does @vm load node @node's memory, as far as we know? */
static bool is_on(const struct snapshot *s, uint16_t vm, unsigned node)
{
	return s->vm[vm].node == node || s->vm[vm].node >= s->node_cnt;
}

/* heaviest() - The VM to slow down for @node's sake, or VM_NONE. */
static uint16_t heaviest(const struct bandwidth_state *st,
			 const struct snapshot *s, unsigned node,
			 unsigned open_cnt)
{
	uint64_t most = s->node[node].mem_bytes_s / PART;
	uint16_t best = VM_NONE;

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		if (!harvests(s, vm) || s->vm[vm].mem_bytes_s <= most ||
		    !is_on(s, vm, node) || width(st, s, vm, open_cnt) < 2)
			continue;
		best = vm;
		most = s->vm[vm].mem_bytes_s;
	}
	return best;
}

/* less() - @node bears too much: one VM rides on fewer cpus. */
static void less(struct bandwidth_state *st, const struct snapshot *s,
		 unsigned node, const struct cpumask *open, struct plan *p)
{
	const struct node_view *n = &s->node[node];
	uint64_t excess = n->mem_bytes_s - n->mem_max_bytes_s, each, cut;
	unsigned open_cnt = cpumask_count(open), has;
	uint16_t vm = heaviest(st, s, node, open_cnt);

	if (vm == VM_NONE)
		return;
	has = width(st, s, vm, open_cnt);
	each = s->vm[vm].mem_bytes_s / has;
	cut = each ? (excess - 1) / each + 1 : 1;
	if (cut > has / 2)
		cut = has / 2;
	limit(st, s, vm, has - (unsigned)cut, open, p);
	st->acted_ns[node] = s->now_ns;
}

/* fits() - Has every node that @vm loads, for all we know, room for the traffic
 * of one more of its cpus? Else what one node gives another one takes. */
static bool fits(const struct bandwidth_state *st, const struct snapshot *s,
		 uint16_t vm)
{
	uint64_t each = s->vm[vm].mem_bytes_s / st->vm[vm].cpus;

	for (unsigned i = 0; i < s->node_cnt && i < NODE_MAX; i++) {
		const struct node_view *n = &s->node[i];

		if (is_on(s, vm, i) && n->metered && n->mem_max_bytes_s &&
		    n->mem_bytes_s + each >
			n->mem_max_bytes_s / 10 * ROOM_OF_10)
			return false;
	}
	return true;
}

/* more() - @node has room: the VM limited most gets a cpu back, if the traffic
 * of one more still fits. */
static void more(struct bandwidth_state *st, const struct snapshot *s,
		 unsigned node, const struct cpumask *open, struct plan *p)
{
	uint16_t best = VM_NONE;
	unsigned next;

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++)
		if (st->vm[vm].cpus && harvests(s, vm) && is_on(s, vm, node) &&
		    (best == VM_NONE || st->vm[vm].cpus < st->vm[best].cpus))
			best = vm;
	if (best == VM_NONE || !fits(st, s, best))
		return;
	next = st->vm[best].cpus + 1u;
	if (next >= s->vm[best].vcpu_cnt || next >= cpumask_count(open))
		next = 0;
	limit(st, s, best, next, open, p);
	st->acted_ns[node] = s->now_ns;
}

/* judged() - Is there a limit and a reading that shows the last step? */
static bool judged(const struct bandwidth_state *st, const struct snapshot *s,
		   unsigned node)
{
	const struct node_view *n = &s->node[node];

	return n->metered && n->mem_max_bytes_s &&
	       n->since_ns >= st->acted_ns[node] + BANDWIDTH_SETTLE_NS;
}

/* lifted() - May @vm's limit go, because nobody judges it any more? */
static bool lifted(const struct snapshot *s, uint16_t vm)
{
	for (unsigned i = 0; i < s->node_cnt && i < NODE_MAX; i++)
		if (s->node[i].metered && s->node[i].mem_max_bytes_s &&
		    is_on(s, vm, i))
			return false;
	return true;
}

/* care() - The VMs that are limited: some left, some need another set. */
static void care(struct bandwidth_state *st, const struct snapshot *s,
		 const struct cpumask *open, struct plan *p)
{
	unsigned open_cnt = cpumask_count(open);

	for (uint16_t vm = 0; vm < VM_MAX && st->limited_cnt; vm++) {
		struct bandwidth_vm *b = &st->vm[vm];

		if (!b->cpus)
			continue;
		if (!harvests(s, vm)) { /* what barred it went with it */
			*b = (struct bandwidth_vm){ 0 };
			st->limited_cnt--;
		} else if (lifted(s, vm) || b->cpus >= open_cnt) {
			limit(st, s, vm, 0, open, p);
		} else {
			limit(st, s, vm, b->cpus, open, p);
		}
	}
}

void bandwidth_pass(struct bandwidth_state *st, const struct snapshot *s,
		    const struct cpumask *off, struct plan *p)
{
	struct cpumask open;
	bool look = st->limited_cnt && s->now_ns >= st->care_ns;

	for (unsigned i = 0; i < s->node_cnt && i < NODE_MAX; i++) {
		const struct node_view *n = &s->node[i];
		bool over;

		if (!judged(st, s, i))
			continue;
		over = n->mem_bytes_s > n->mem_max_bytes_s;
		if (!over && !look)
			continue;
		open = open_cpus(s, off);
		if (over)
			less(st, s, i, &open, p);
		else
			more(st, s, i, &open, p);
	}
	if (!look)
		return;
	st->care_ns = s->now_ns + BANDWIDTH_CARE_NS;
	open = open_cpus(s, off);
	care(st, s, &open, p);
}
