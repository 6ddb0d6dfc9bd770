// SPDX-License-Identifier: Apache-2.0
/*
 * place.c - which worker is on which granted vcpu, and where the others ride
 *
 * Theory of operation. Each granted vcpu has at most one worker, pinned to it;
 * all others ride: they may use every granted vcpu, and the guest's scheduler
 * shares them out. A pin says who is served first where, riding lets nobody be
 * stranded.
 *
 * Who gets a vcpu: the rider that has waited longest for one, if any waits
 * ("busy but parked"), else whom the picker says, which is the one that was
 * there last. In the picker members are slots, cpus are vcpus; riders are idle,
 * placed ones active. hostd keeps a vcpu on its cpu as long as it can, so a
 * vcpu's caches are a cpu's.
 *
 * When it is given up: the vcpu is revoked; its worker leaves; its worker slept
 * for a whole look while somebody waits; or somebody waits for longer than the
 * age cap, then the one that was placed longest gives way, if it was for as
 * long as that. So with N that want to run and K vcpus nobody waits longer than
 * the cap and N / K turns of the cap. Nothing else moves anybody: one vcpu more
 * or less leaves all other pins alone.
 *
 * A worker whose mask lacks vcpus (`had`) is never pinned to one of those. It
 * enters the picker with a home it may use, so that it is found there first;
 * elsewhere it is asked, passed over and counted, PLACE_TRIES times at most. A
 * vcpu nobody was found for is used by the riders.
 *
 * Cost. Everything is in rings of u16: riders that wait, slots with a change to
 * emit, vcpus by how long they are occupied, empty ones, those of sleepers.
 * Grant, revoke, join, leave and look touch a bounded number of entries. That
 * all riders' masks follow a change of the grants is work for as many as there
 * are; it is spread: place_next() sweeps over the slots at its caller's pace,
 * single decisions overtake it, and a sweep begun anew replaces the old one.
 *
 * What was emitted for a slot is remembered, and a change is made from the
 * present state when it is taken out: a worker that was revoked and granted in
 * between has no change at all.
 *
 * Pure: time is an argument. The agent's thread.
 */
#include "place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- small questions ---------------------------------------------------- */

static const struct cpumask *had(const struct place *p, uint16_t slot)
{
	return &p->table->worker[slot].had;
}

static bool may_use(const struct place *p, uint16_t slot, uint16_t vcpu)
{
	return cpumask_has(had(p, slot), vcpu);
}

static uint64_t waited_ns(const struct place *p, uint16_t slot, uint64_t now_ns)
{
	uint64_t since = p->table->worker[slot].since_ns;

	return since && since < now_ns ? now_ns - since : 0;
}

/* May it use all vcpus there are? */
static bool is_free(const struct place *p, uint16_t slot)
{
	const uint64_t *word = had(p, slot)->word;
	unsigned whole = p->vcpu_cnt / 64, rest = p->vcpu_cnt % 64;

	for (unsigned i = 0; i < whole; i++)
		if (~word[i])
			return false;
	return !rest || !(~word[whole] & ((1ull << rest) - 1));
}

/* A vcpu for a restricted worker to be at home on: not the same one for all.
 * Return: CPU_NONE when it may use none. */
static uint16_t first_home(const struct place *p, uint16_t slot)
{
	unsigned v = cpumask_next(had(p, slot), slot % p->vcpu_cnt);

	if (v >= p->vcpu_cnt)
		v = cpumask_next(had(p, slot), 0);
	return v < p->vcpu_cnt ? (uint16_t)v : CPU_NONE;
}

/* --- set-up ------------------------------------------------------------- */

int place_init(struct place *p, struct table *t, uint16_t vcpu_cnt,
	       uint64_t age_ns, uint64_t rest_ns)
{
	memset(p, 0, sizeof(*p));
	if (!vcpu_cnt || vcpu_cnt > AGENT_VCPUS)
		return -ERANGE;
	p->picker = malloc(picker_bytes(WORKER_MAX));
	if (!p->picker)
		return -ENOMEM;
	/* No topology: a vcpu's cpu, its siblings and caches may change. */
	picker_init(p->picker, vcpu_cnt, WORKER_MAX, NULL, NULL);
	p->table = t;
	p->vcpu_cnt = vcpu_cnt;
	p->age_ns = age_ns;
	p->rest_ns = rest_ns;
	for (unsigned v = 0; v < AGENT_VCPUS; v++)
		p->vcpu[v].slot = WORKER_NONE;
	ring_init(p->wait, WORKER_MAX);
	ring_init(p->dirty, WORKER_MAX);
	ring_init(p->placed, AGENT_VCPUS);
	ring_init(p->empty, AGENT_VCPUS);
	ring_init(p->asleep, AGENT_VCPUS);
	return 0;
}

void place_exit(struct place *p)
{
	free(p->picker);
	p->picker = NULL;
}

/* --- one vcpu gets and loses its worker --------------------------------- */

static void make_dirty(struct place *p, uint16_t slot)
{
	ring_push(p->dirty, WORKER_MAX, slot);
}

/* @slot, active in the picker, is on @vcpu, which is empty. */
static void settle(struct place *p, uint16_t vcpu, uint16_t slot,
		   uint64_t now_ns)
{
	p->vcpu[vcpu] = (struct place_vcpu){ slot, now_ns };
	p->table->worker[slot].vcpu = vcpu;
	ring_cut(p->wait, slot);
	ring_cut(p->empty, vcpu);
	ring_push(p->placed, AGENT_VCPUS, vcpu);
	make_dirty(p, slot);
	p->n.picks++;
}

/* @vcpu has nobody any more. Return: who it was; still active. */
static uint16_t vacate(struct place *p, uint16_t vcpu)
{
	uint16_t slot = p->vcpu[vcpu].slot;

	p->vcpu[vcpu].slot = WORKER_NONE;
	p->table->worker[slot].vcpu = CPU_NONE;
	ring_cut(p->placed, vcpu);
	ring_cut(p->asleep, vcpu);
	if (cpumask_has(&p->granted, vcpu))
		ring_push(p->empty, AGENT_VCPUS, vcpu);
	return slot;
}

/* Its worker rides from now on, at home there. */
static void displace(struct place *p, uint16_t vcpu)
{
	uint16_t slot = vacate(p, vcpu);

	picker_idle(p->picker, slot, vcpu);
	make_dirty(p, slot);
}

/* The rider that has waited longest among those that may use @vcpu. */
static uint16_t oldest_waiter(struct place *p, uint16_t vcpu)
{
	uint16_t slot = p->wait[WORKER_MAX].next;

	for (unsigned i = 0; i < PLACE_TRIES && slot != WORKER_MAX; i++) {
		if (may_use(p, slot, vcpu))
			return slot;
		p->n.restricted++;
		slot = p->wait[slot].next;
	}
	return WORKER_NONE;
}

/* Whom the picker says, who may use @vcpu; active. */
static uint16_t picked(struct place *p, uint16_t vcpu)
{
	for (unsigned i = 0; i < PLACE_TRIES; i++) {
		uint16_t slot = picker_pick(p->picker, vcpu);
		uint16_t home = picker_home(p->picker, slot);

		if (slot == PICKER_NONE)
			break;
		if (may_use(p, slot, vcpu)) {
			p->n.home += home == vcpu;
			return slot;
		}
		/* The last to rest now, so that the next one is another. */
		p->n.restricted++;
		picker_idle(p->picker, slot, home == CPU_NONE ? vcpu : home);
	}
	return WORKER_NONE;
}

/* Find a worker for @vcpu, which is granted and empty. */
static void fill(struct place *p, uint16_t vcpu, uint64_t now_ns)
{
	uint16_t slot = oldest_waiter(p, vcpu);

	if (slot != WORKER_NONE) {
		p->n.parked++;
		picker_activate(p->picker, slot);
	} else {
		slot = picked(p, vcpu);
	}
	if (slot != WORKER_NONE)
		settle(p, vcpu, slot, now_ns);
}

/* --- grants ------------------------------------------------------------- */

static void revoke(struct place *p, uint16_t vcpu)
{
	p->n.revokes++;
	cpumask_clear(&p->granted, vcpu);
	ring_cut(p->empty, vcpu);
	if (p->vcpu[vcpu].slot != WORKER_NONE)
		displace(p, vcpu);
}

bool place_grants(struct place *p, const struct cpumask *granted,
		  uint64_t now_ns)
{
	struct cpumask come = *granted, go = p->granted;

	for (unsigned i = 0; i < CPUMASK_WORDS; i++) {
		come.word[i] &= ~p->granted.word[i];
		go.word[i] &= ~granted->word[i];
	}
	for (unsigned v = p->vcpu_cnt; v < CPU_MAX; v++)
		cpumask_clear(&come, v);
	if (cpumask_empty(&come) && cpumask_empty(&go))
		return false;
	p->granted = cpumask_or(p->granted, &come);
	cpumask_for_each (v, &go)
		revoke(p, (uint16_t)v);
	cpumask_for_each (v, &come) {
		p->n.grants++;
		ring_push(p->empty, AGENT_VCPUS, (uint16_t)v);
		fill(p, (uint16_t)v, now_ns);
	}
	p->grant++;
	p->sweep = 0;
	p->sweep_left = p->table->high;
	return true;
}

/* --- workers ------------------------------------------------------------ */

/* Into the picker. A worker that may use no vcpu at all stays out of it. */
static void enter(struct place *p, uint16_t slot)
{
	uint16_t home = first_home(p, slot);

	if (home == CPU_NONE)
		return;
	picker_join(p->picker, slot);
	if (is_free(p, slot))
		return;
	picker_activate(p->picker, slot);
	picker_idle(p->picker, slot, home);
}

/* Somebody new may be what an empty vcpu waits for. */
static void offer(struct place *p, uint64_t now_ns)
{
	uint16_t vcpu = p->empty[AGENT_VCPUS].next;

	if (vcpu == AGENT_VCPUS)
		return;
	fill(p, vcpu, now_ns);
	/* Nobody: another one's turn the next time. */
	if (p->vcpu[vcpu].slot == WORKER_NONE) {
		ring_cut(p->empty, vcpu);
		ring_push(p->empty, AGENT_VCPUS, vcpu);
	}
}

/* Off its vcpu and out of the picker and the queue of those that wait. */
static void withdraw(struct place *p, uint16_t slot, uint64_t now_ns)
{
	uint16_t vcpu = p->table->worker[slot].vcpu;

	ring_cut(p->wait, slot);
	if (vcpu != CPU_NONE)
		vacate(p, vcpu);
	picker_leave(p->picker, slot);
	if (vcpu != CPU_NONE)
		fill(p, vcpu, now_ns);
}

void place_join(struct place *p, uint16_t slot, uint64_t now_ns)
{
	/* Nothing was said of it yet, not even that it keeps what it has. */
	p->slot[slot] = (struct place_slot){ .joined = true,
					     .kind = PLACE_PIN,
					     .vcpu = CPU_NONE };
	enter(p, slot);
	make_dirty(p, slot);
	offer(p, now_ns);
}

void place_leave(struct place *p, uint16_t slot, uint64_t now_ns)
{
	if (!p->slot[slot].joined)
		return;
	ring_cut(p->dirty, slot);
	withdraw(p, slot, now_ns);
	p->n.outside -= p->slot[slot].outside;
	p->slot[slot].joined = false;
}

void place_had(struct place *p, uint16_t slot, uint64_t now_ns)
{
	uint16_t vcpu = p->table->worker[slot].vcpu;

	if (!p->slot[slot].joined)
		return;
	make_dirty(p, slot);
	/* What it has now is not what was emitted. */
	p->slot[slot].grant = p->grant - 1;
	p->slot[slot].vcpu = CPU_NONE;
	if (vcpu != CPU_NONE && may_use(p, slot, vcpu))
		return;
	p->slot[slot].apart = false;
	withdraw(p, slot, now_ns);
	enter(p, slot);
	offer(p, now_ns);
}

void place_refused(struct place *p, uint16_t slot, uint64_t now_ns)
{
	if (!p->slot[slot].joined || p->slot[slot].apart)
		return;
	p->n.refused++;
	p->slot[slot].apart = true;
	/* Not what was emitted: back is still to be said. */
	p->slot[slot].kind = PLACE_PIN;
	p->slot[slot].vcpu = CPU_NONE;
	make_dirty(p, slot);
	withdraw(p, slot, now_ns);
}

/* --- looks and ticks ---------------------------------------------------- */

void place_look(struct place *p, uint16_t slot, uint64_t now_ns)
{
	const struct worker *w = &p->table->worker[slot];

	if (!p->slot[slot].joined || p->slot[slot].apart)
		return;
	if (w->vcpu != CPU_NONE) {
		bool slept = !w->ran && !w->since_ns &&
			     now_ns - p->vcpu[w->vcpu].since_ns >= p->rest_ns;

		if (slept)
			ring_push(p->asleep, AGENT_VCPUS, w->vcpu);
		else
			ring_cut(p->asleep, w->vcpu);
	} else if (w->since_ns && !w->ran &&
		   picker_state(p->picker, slot) == PICKER_IDLE) {
		/* It ran in between: this is another wait. */
		if (p->slot[slot].wait_ns != w->since_ns)
			ring_cut(p->wait, slot);
		p->slot[slot].wait_ns = w->since_ns;
		ring_push(p->wait, WORKER_MAX, slot);
	} else {
		ring_cut(p->wait, slot);
	}
}

/* The longest waiting rider that may use it takes @vcpu over. */
static bool hand_over(struct place *p, uint16_t vcpu, uint64_t now_ns)
{
	uint16_t slot = oldest_waiter(p, vcpu);

	if (slot == WORKER_NONE)
		return false;
	displace(p, vcpu);
	picker_activate(p->picker, slot);
	settle(p, vcpu, slot, now_ns);
	return true;
}

/* A vcpu @slot may use that is empty, or whose worker had it for the age cap.
 */
static uint16_t spent_vcpu(const struct place *p, uint16_t slot,
			   uint64_t now_ns)
{
	uint16_t v = p->empty[AGENT_VCPUS].next;

	for (unsigned i = 0; i < PLACE_SWAPS && v != AGENT_VCPUS; i++) {
		if (may_use(p, slot, v))
			return v;
		v = p->empty[v].next;
	}
	v = p->placed[AGENT_VCPUS].next;
	for (unsigned i = 0; i < PLACE_SWAPS && v != AGENT_VCPUS; i++) {
		if (now_ns - p->vcpu[v].since_ns < p->age_ns)
			break; /* those behind were placed later */
		if (may_use(p, slot, v))
			return v;
		v = p->placed[v].next;
	}
	return CPU_NONE;
}

/* Those over the age cap, oldest first; @left vcpus may change hands. */
static void serve_aged(struct place *p, uint64_t now_ns, unsigned left)
{
	uint16_t slot = p->wait[WORKER_MAX].next, next, v;

	for (unsigned i = 0; i < PLACE_SWAPS && left; i++) {
		if (slot == WORKER_MAX ||
		    waited_ns(p, slot, now_ns) <= p->age_ns)
			break;
		next = p->wait[slot].next;
		v = spent_vcpu(p, slot, now_ns);
		if (v != CPU_NONE) {
			if (p->vcpu[v].slot != WORKER_NONE)
				displace(p, v);
			picker_activate(p->picker, slot);
			settle(p, v, slot, now_ns);
			p->n.aged++;
			left--;
		}
		slot = next;
	}
}

void place_tick(struct place *p, uint64_t now_ns)
{
	unsigned left = PLACE_SWAPS;
	uint16_t v, next;

	for (v = p->empty[AGENT_VCPUS].next; v != AGENT_VCPUS && left;
	     v = next, left--) {
		next = p->empty[v].next;
		fill(p, v, now_ns);
	}
	for (v = p->asleep[AGENT_VCPUS].next; v != AGENT_VCPUS && left;
	     v = next, left--) {
		next = p->asleep[v].next;
		if (p->wait[WORKER_MAX].next == WORKER_MAX)
			break;
		p->n.parked += hand_over(p, v, now_ns);
	}
	serve_aged(p, now_ns, left);
}

/* --- changes ------------------------------------------------------------ */

/* What @slot should have by now. */
static struct place_change wanted(const struct place *p, uint16_t slot)
{
	struct cpumask ride = cpumask_and(*had(p, slot), &p->granted);
	struct place_change c = { .slot = slot,
				  .vcpu = p->table->worker[slot].vcpu };

	if (p->slot[slot].apart)
		c.kind = PLACE_BACK;
	else if (c.vcpu != CPU_NONE)
		c.kind = PLACE_PIN;
	else
		c.kind = cpumask_empty(&ride) ? PLACE_BACK : PLACE_RIDE;
	return c;
}

/* Is there something to do for @slot? Then it counts as emitted. */
static bool emit(struct place *p, uint16_t slot, struct place_change *out)
{
	struct place_slot *s = &p->slot[slot];
	struct place_change c = wanted(p, slot);
	bool same = c.kind == s->kind;

	c.was = s->kind == PLACE_PIN ? s->vcpu : CPU_NONE;
	if (c.kind == PLACE_PIN)
		same = same && c.vcpu == s->vcpu;
	else if (c.kind == PLACE_RIDE)
		same = same && s->grant == p->grant;
	p->n.outside -= s->outside;
	s->outside =
	    c.kind == PLACE_BACK && !s->apart && !cpumask_empty(&p->granted);
	p->n.outside += s->outside;
	s->kind = c.kind;
	s->vcpu = c.vcpu;
	s->grant = p->grant;
	*out = c;
	return !same;
}

int place_next(struct place *p, struct place_change *out)
{
	for (unsigned i = 0; i < PLACE_LOOKS; i++) {
		uint16_t slot = p->dirty[WORKER_MAX].next;

		if (slot != WORKER_MAX) {
			ring_cut(p->dirty, slot);
		} else if (p->sweep_left) {
			p->sweep_left--;
			slot = p->sweep++;
			if (slot >= WORKER_MAX || !p->slot[slot].joined)
				continue;
		} else {
			return -EAGAIN;
		}
		if (emit(p, slot, out))
			return 1;
	}
	return 0;
}

bool place_pending(const struct place *p)
{
	return p->sweep_left || p->dirty[WORKER_MAX].next != WORKER_MAX;
}
