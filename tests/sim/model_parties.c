// SPDX-License-Identifier: Apache-2.0
/*
 * model_parties.c - one step more for who misses its target, one step less for
 * who has slack; look at the answers, go on
 *
 * PARTIES (Chen, Delimitrou, Martinez, ASPLOS 2019) partitions cpus, caches,
 * frequency, memory, disk and network among latency-critical services, in unit
 * steps, by what their clients measure. Constants are the paper's, as we
 * remember them:
 *  - every 500 ms the tail latency of the interval gives each service's slack,
 *    (target - tail) / target;
 *  - slack below 5 %: upsize, one unit more;
 *  - slack above 20 %: downsize, one unit less, for best-effort work;
 *  - a downsizing after which the target is missed is taken back at once, and
 *    the service is not downsized again for 30 s (the paper's figure is not
 *    known to us; it is of the order of its convergence, tens of seconds);
 *  - services start with equal parts of the machine.
 *
 * Better than the paper's: it adjusts one service in an interval; this every
 * one that needs it, for its experiments had at most eight and ours have many.
 * The tail is exact, of all requests of the interval.
 *
 * Left out: all resources but cpus, so it never spends an interval on another
 * one first; and the eviction of a service where nothing helps any more.
 */
#include "hl/hist.h"
#include "model.h"

#define INTERVAL_NS    PARTIES_INTERVAL_NS
#define UPSIZE_BELOW   5 /* percent of slack */
#define DOWNSIZE_ABOVE 20
#define BLOCK_NS       30000000000ull

struct parties_vm {
	uint16_t target;
	bool shrunk;	   /* downsized in the interval that ends */
	uint64_t until_ns; /* not downsized again before */
	int slack;	   /* percent */
	struct hist hist;  /* responses of this interval */
};

struct parties_state {
	bool begun;
	uint16_t services; /* among whom the machine was divided */
	uint64_t began_ns; /* this interval */
	struct parties_vm vm[VM_MAX];
};

void parties_answered(void *state, uint16_t vm, uint64_t response_ns)
{
	struct parties_state *st = state;

	if (vm < VM_MAX)
		hist_add(&st->vm[vm].hist, response_ns);
}

static uint16_t services(const struct snapshot *s)
{
	uint16_t cnt = 0;

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++)
		cnt += pick_is_lc(s, vm);
	return cnt;
}

/* divide() - Equal parts for all, what is over for the first ones. */
static void divide(struct parties_state *st, const struct snapshot *s)
{
	unsigned cpus = 0, part, over, i = 0;

	st->services = services(s);
	if (!st->services)
		return;
	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++)
		cpus += s->cpu[cpu].managed;
	part = cpus / st->services;
	over = cpus % st->services;
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		st->vm[vm] = (struct parties_vm){ 0 };
		if (pick_is_lc(s, vm))
			st->vm[vm].target =
			    model_clamp(&s->vm[vm], part + (i++ < over));
	}
}

/* slack_of() - In percent of the target; a quiet or targetless VM has all or
 * none to spare. */
static int slack_of(const struct vm_view *v, const struct hist *h)
{
	uint64_t tail;

	if (!v->slo_ns)
		return DOWNSIZE_ABOVE;
	if (!h->count)
		return 100;
	tail = hist_quantile(h, v->slo_permyriad ? v->slo_permyriad : 9900);
	if (tail >= 100 * v->slo_ns)
		return -10000;
	return 100 - (int)(tail * 100 / v->slo_ns);
}

/* spare() - Cpus nobody is meant to have. */
static int spare(const struct parties_state *st, const struct snapshot *s)
{
	int cnt = 0;

	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++)
		cnt += s->cpu[cpu].managed;
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++)
		cnt -= pick_is_lc(s, vm) ? st->vm[vm].target : 0;
	return cnt;
}

/* giver() - Whoever has most slack, at least what allows a downsizing. */
static uint16_t giver(const struct parties_state *st, const struct snapshot *s)
{
	uint16_t best = VM_NONE;
	int most = DOWNSIZE_ABOVE;

	for (uint16_t vm = 0; vm < s->vm_cnt; vm++) {
		const struct parties_vm *m = &st->vm[vm];

		if (!pick_is_lc(s, vm) || m->slack <= most ||
		    s->now_ns < m->until_ns ||
		    m->target <= model_clamp(&s->vm[vm], 1))
			continue;
		best = vm;
		most = m->slack;
	}
	return best;
}

/* upsize() - One unit more: a free one, or from who has most slack. */
static void upsize(struct parties_state *st, const struct snapshot *s,
		   uint16_t vm)
{
	struct parties_vm *m = &st->vm[vm];
	uint16_t from;

	if (m->target >= model_clamp(&s->vm[vm], CPU_MAX))
		return;
	if (spare(st, s) <= 0) {
		from = giver(st, s);
		if (from == VM_NONE)
			return;
		st->vm[from].target--;
		st->vm[from].shrunk = true;
		st->vm[from].slack = 0; /* one step an interval */
	}
	m->target++;
}

/* downsize() - One unit less, never below the guarantee nor below one. */
static void downsize(struct parties_state *st, const struct snapshot *s,
		     uint16_t vm)
{
	struct parties_vm *m = &st->vm[vm];

	m->shrunk =
	    s->now_ns >= m->until_ns && m->target > model_clamp(&s->vm[vm], 1);
	m->target -= m->shrunk;
}

/* judge() - A VM's slack, and whether its last downsizing was wrong. */
static void judge(struct parties_vm *m, const struct vm_view *v,
		  uint64_t now_ns)
{
	m->slack = slack_of(v, &m->hist);
	if (m->shrunk && m->slack < UPSIZE_BELOW)
		m->until_ns = now_ns + BLOCK_NS;
	m->shrunk = false;
	hist_reset(&m->hist);
}

static void adjust(struct parties_state *st, const struct snapshot *s)
{
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++)
		judge(&st->vm[vm], &s->vm[vm], s->now_ns);
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++)
		if (pick_is_lc(s, vm) && st->vm[vm].slack < UPSIZE_BELOW)
			upsize(st, s, vm);
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++)
		if (pick_is_lc(s, vm) && st->vm[vm].slack > DOWNSIZE_ABOVE)
			downsize(st, s, vm);
}

static void parties_decide(void *state, const struct snapshot *s,
			   struct plan *p)
{
	struct parties_state *st = state;
	uint16_t target[VM_MAX] = { 0 };
	struct pick k;

	if (!st->begun || st->services != services(s)) {
		divide(st, s);
		st->begun = true;
		st->began_ns = s->now_ns;
	} else if (s->now_ns - st->began_ns >= INTERVAL_NS) {
		adjust(st, s);
		st->began_ns = s->now_ns;
	}
	for (uint16_t vm = 0; vm < s->vm_cnt; vm++)
		target[vm] = st->vm[vm].target;
	pick_begin(&k, s, p);
	model_fit(&k, target);
	pick_end(&k);
}

const struct policy_ops model_parties = {
	.name = "parties",
	.about = "every 500 ms a cpu more or less by the clients' tail",
	.state_bytes = sizeof(struct parties_state),
	.decide = parties_decide,
};
