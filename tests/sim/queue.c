// SPDX-License-Identifier: Apache-2.0
/*
 * queue.c - who waits for a cpu, and who is next
 *
 * A fair scheduler, as Linux's is since 6.6 (EEVDF), in ranks: best-effort
 * vcpus, where they ride, get what the others leave, at once (cpu.idle of
 * control groups). Within a rank each asks for a slice, due by its weight; who
 * is due first runs, of those that are not ahead of the weighted average. Cpu
 * time counts by weight: what a VM weighs is shared by its vcpus that want to
 * run, as groups are. Whoever sleeps or moves keeps what it is ahead or behind,
 * a slice at most; a sleeper waits off what it is ahead.
 */
#include "engine.h"

#define TURN_ONE 1e6 /* a queue's time: fine enough for large weights */

int64_t queue_time(const struct sim *s, const struct vcpu *v, uint64_t ran_ns)
{
	return (int64_t)((double)ran_ns * TURN_ONE / vcpu_weight(s, v));
}

void queue_insert(struct sim *s, struct cpu *c, struct vcpu *v)
{
	uint16_t nr = vcpu_nr(s, v);

	v->prev = VCPU_NONE;
	v->next = c->head;
	if (c->head != VCPU_NONE)
		s->vcpu[c->head].prev = nr;
	c->head = nr;
	if (!c->waiting[v->rank]++)
		cpumask_set(&s->waits[v->rank], (uint16_t)(c - s->cpu));
}

/* mean() - The weighted average of the queue's time over those of @rank that
 * have @c or wait for it, as far as it is ahead of @from.
 * @weight: out: what they weigh together */
static double mean(const struct sim *s, const struct cpu *c, enum rank rank,
		   int64_t from, double *weight)
{
	double sum = 0, all = 0, w;
	uint16_t i = c->cur;

	if (i != VCPU_NONE && s->vcpu[i].rank == rank) {
		all = vcpu_weight(s, &s->vcpu[i]);
		sum = all * (double)(s->vcpu[i].turn - from);
	}
	for (i = c->waiting[rank] ? c->head : VCPU_NONE; i != VCPU_NONE;
	     i = s->vcpu[i].next) {
		const struct vcpu *v = &s->vcpu[i];

		if (v->rank != rank)
			continue;
		w = vcpu_weight(s, v);
		all += w;
		sum += w * (double)(v->turn - from);
	}
	*weight = all;
	return all > 0 ? sum / all : 0;
}

/* ask() - @v's next slice is due when its weight allows. */
static void ask(const struct sim *s, struct vcpu *v)
{
	v->due = v->turn + queue_time(s, v, s->cost.slice_ns);
}

void queue_join(struct sim *s, const struct cpu *c, struct vcpu *v)
{
	int64_t owed = v->turn, most = queue_time(s, v, s->cost.slice_ns);
	double others, mine = vcpu_weight(s, v), at;

	if (owed > most)
		owed = most;
	if (owed < -most)
		owed = -most;
	v->cpu = (uint16_t)(c - s->cpu);
	v->turn = c->turn[v->rank];
	at = mean(s, c, v->rank, v->turn, &others);
	if (owed < 0) {
		/* Linux keeps a sleeper queued until it is owed nothing */
		owed +=
		    (int64_t)((double)v->slept_ns * TURN_ONE / (others + mine));
		owed = owed < 0 ? owed : 0;
	}
	v->slept_ns = 0;
	if (others > 0)
		v->turn +=
		    (int64_t)(at - (double)owed * (others + mine) / others);
	ask(s, v);
}

void queue_leave(const struct sim *s, struct cpu *c, struct vcpu *v)
{
	double others, mine = vcpu_weight(s, v);
	double ahead = mean(s, c, v->rank, v->turn, &others);

	if (others > 0) {
		v->turn = (int64_t)(ahead * others / (others + mine));
	} else {
		c->turn[v->rank] = v->turn;
		v->turn = 0;
	}
}

void queue_remove(struct sim *s, struct cpu *c, struct vcpu *v)
{
	if (v->prev != VCPU_NONE)
		s->vcpu[v->prev].next = v->next;
	else
		c->head = v->next;
	if (v->next != VCPU_NONE)
		s->vcpu[v->next].prev = v->prev;
	if (!--c->waiting[v->rank])
		cpumask_clear(&s->waits[v->rank], (uint16_t)(c - s->cpu));
}

struct vcpu *queue_next(struct sim *s, const struct cpu *c)
{
	struct vcpu *best = NULL;
	enum rank rank = RANK_OWNER;
	double weight, at;
	int64_t from;

	if (c->head == VCPU_NONE || s->vcpu[c->head].next == VCPU_NONE)
		return c->head == VCPU_NONE ? NULL : &s->vcpu[c->head];
	while (!c->waiting[rank])
		rank++;
	from = s->vcpu[c->head].turn; /* near: differences are small */
	at = mean(s, c, rank, from, &weight) + 1;
	for (uint16_t i = c->head; i != VCPU_NONE; i = s->vcpu[i].next) {
		struct vcpu *v = &s->vcpu[i];

		if (v->rank != rank || (double)(v->turn - from) > at)
			continue;
		if (!best || v->due < best->due ||
		    (v->due == best->due && v->since_ns < best->since_ns))
			best = v;
	}
	return best;
}

bool queue_beats(const struct sim *s, const struct cpu *c, const struct vcpu *v,
		 struct vcpu *cur)
{
	double others, mine, at;

	if (v->rank != cur->rank)
		return v->rank < cur->rank;
	mine = vcpu_weight(s, v);
	at = mean(s, c, v->rank, cur->turn, &others);
	at = (at * others + mine * (double)(v->turn - cur->turn)) /
	     (others + mine);
	if (at < -1)
		return true;
	if (cur->due <= cur->turn)
		ask(s, cur);
	return !c->starting && v->due < cur->due &&
	       s->now_ns - c->turn_ns >= s->cost.wakeup_ns;
}

struct vcpu *queue_over(struct sim *s, const struct cpu *c, struct vcpu *cur)
{
	struct vcpu *next;
	double weight;

	ask(s, cur);
	next = queue_next(s, c);
	if (!next || next->rank != cur->rank)
		return NULL;
	if (next->due < cur->due ||
	    mean(s, c, cur->rank, cur->turn, &weight) < -1)
		return next;
	return NULL;
}
