// SPDX-License-Identifier: Apache-2.0
/*
 * crew.c - who is a worker: joins, leaves, and what is done for them
 *
 * Theory of operation. A thread of a process the configuration names is a
 * worker from its clone to its exit. Most joins are threads of processes known
 * already, and cost no look at names: its first thread is a worker, so this one
 * is. A new process is looked at when it was cloned by a worker, and again
 * when it executes a program or is renamed; one cloned by somebody else is what
 * its parent is: nothing of ours.
 *
 * A child that is no worker may have inherited a mask of ours; it gets back its
 * parent's at once. So may its own children, cloned before that: whoever is not
 * known and may not use every vcpu is held against its ancestors' masks.
 *
 * The agent's thread.
 */
#include "crew.h"

#include <errno.h>

#include "hl/clock.h"
#include "procfs.h"

/* --- joins and leaves --------------------------------------------------- */

int crew_join(struct crew *c, pid_t tid, pid_t tgid, uint16_t kin,
	      enum worker_why why, uint64_t now_ns)
{
	uint16_t slot = table_find(c->table, tid);
	struct procfs_stat s;

	if (slot != WORKER_NONE) {
		c->table->worker[slot].why |= (uint8_t)why;
		return slot;
	}
	if (procfs_stat(tgid, tid, &s) || s.state == 'Z' || s.state == 'X')
		return -ESRCH;
	slot = table_add(c->table, tid, tgid, s.started);
	if (slot == WORKER_NONE)
		return -ENOSPC;
	c->table->worker[slot].why = (uint8_t)why;
	if (hands_note(&c->hands, slot,
		       kin == WORKER_NONE ? NULL : &c->table->worker[kin])) {
		table_del(c->table, slot);
		return -ESRCH;
	}
	c->fights[slot] = 0;
	c->n.joined++;
	place_join(&c->place, slot, now_ns);
	return slot;
}

void crew_drop(struct crew *c, uint16_t slot, uint64_t now_ns)
{
	pid_t tid = c->table->worker[slot].tid;

	if (!tid)
		return;
	c->n.left++;
	place_leave(&c->place, slot, now_ns);
	table_del(c->table, slot);
	if (c->ops.forget)
		c->ops.forget(c->ops.arg, slot, tid);
}

void crew_leave(struct crew *c, uint16_t slot, enum worker_why why,
		uint64_t now_ns)
{
	struct worker *w = &c->table->worker[slot];

	w->why &= (uint8_t)~why;
	if (w->why)
		return;
	hands_back(&c->hands, slot);
	crew_drop(c, slot, now_ns);
}

bool crew_chosen(const struct crew *c, pid_t tgid)
{
	char comm[PROCFS_COMM] = "", cgroups[PROCFS_CGROUP] = "";

	if (!c->match->count)
		return false;
	if (match_asks(c->match, MATCH_COMMAND) && procfs_comm(tgid, comm))
		return false;
	if ((match_asks(c->match, MATCH_UNIT) ||
	     match_asks(c->match, MATCH_CGROUP)) &&
	    procfs_cgroups(tgid, cgroups))
		return false;
	return match_process(c->match, comm, cgroups);
}

/* --- events ------------------------------------------------------------- */

/* Of a new thread the kernel names its process's parent as the parent, not the
 * thread that cloned it; of a new process it names that. */
static void on_fork(struct crew *c, const struct event *ev, uint64_t now_ns)
{
	bool thread = ev->tid != ev->tgid;
	uint16_t kin = table_find(c->table, thread ? ev->tgid : ev->parent_tid);
	bool chosen =
	    kin != WORKER_NONE && c->table->worker[kin].why & WORKER_CHOSEN;

	if (chosen && !thread)
		chosen = crew_chosen(c, ev->tgid);
	if (chosen)
		crew_join(c, ev->tid, ev->tgid, kin, WORKER_CHOSEN, now_ns);
	else if (c->table->count)
		hands_stray(&c->hands, ev->tgid, ev->tid);
}

/* All workers of a process that is not chosen any more. */
static void leave_process(struct crew *c, pid_t tgid, uint64_t now_ns)
{
	for (unsigned i = 0; i < c->table->high; i++)
		if (c->table->worker[i].tid && c->table->worker[i].tgid == tgid)
			crew_leave(c, (uint16_t)i, WORKER_CHOSEN, now_ns);
}

/* Another program, or another name: is it chosen now? */
static void review(struct crew *c, const struct event *ev, uint64_t now_ns)
{
	uint16_t slot = table_find(c->table, ev->tgid);

	if (!crew_chosen(c, ev->tgid)) {
		if (slot != WORKER_NONE)
			leave_process(c, ev->tgid, now_ns);
		return;
	}
	if (slot != WORKER_NONE && c->table->worker[slot].why & WORKER_CHOSEN)
		return;
	crew_join(c, ev->tgid, ev->tgid, WORKER_NONE, WORKER_CHOSEN, now_ns);
	/* After exec there is one thread; a renamed process may have many. */
	if (ev->kind == EVENT_COMM)
		c->rescan = true;
}

void crew_event(struct crew *c, const struct event *ev, uint64_t now_ns)
{
	uint16_t slot;

	switch (ev->kind) {
	case EVENT_FORK:
		on_fork(c, ev, now_ns);
		break;
	case EVENT_EXEC:
		review(c, ev, now_ns);
		break;
	case EVENT_COMM:
		if (ev->tid == ev->tgid && match_asks(c->match, MATCH_COMMAND))
			review(c, ev, now_ns);
		break;
	case EVENT_EXIT:
		slot = table_find(c->table, ev->tid);
		if (slot != WORKER_NONE)
			crew_drop(c, slot, now_ns);
		break;
	default:
		break;
	}
}

/* --- carrying out ------------------------------------------------------- */

void crew_grants(struct crew *c, const struct cpumask *granted, uint64_t now_ns)
{
	struct cpumask usable = cpumask_and(*granted, &c->hands.online);

	place_grants(&c->place, &usable, now_ns);
}

/* Somebody else wants another mask for it. Once or twice is his right; who
 * does not cease has the worker to himself. */
static void give_way(struct crew *c, uint16_t slot, uint64_t now_ns)
{
	if (c->fights[slot] < CREW_FIGHTS) {
		c->fights[slot]++;
		place_had(&c->place, slot, now_ns);
		return;
	}
	c->n.fought++;
	place_refused(&c->place, slot, now_ns);
}

/* @end is what hands.c said of @slot. Return: is it still a worker? */
static bool settle(struct crew *c, uint16_t slot, int end, uint64_t now_ns)
{
	switch (end) {
	case HANDS_HAD:
		give_way(c, slot, now_ns);
		break;
	case HANDS_REFUSED:
		place_refused(&c->place, slot, now_ns);
		break;
	case HANDS_GONE:
		crew_drop(c, slot, now_ns);
		return false;
	default:
		break;
	}
	return true;
}

static void carry_out(struct crew *c, const struct place_change *ch,
		      uint64_t now_ns)
{
	const struct worker *w = &c->table->worker[ch->slot];
	int end;

	if (ch->was != CPU_NONE && c->ops.tell)
		c->ops.tell(c->ops.arg, w, ch->was, true);
	end = hands_apply(&c->hands, ch, &c->place.granted, now_ns);
	if (settle(c, ch->slot, end, now_ns) && end == HANDS_DONE &&
	    ch->kind == PLACE_PIN && c->ops.tell)
		c->ops.tell(c->ops.arg, w, ch->vcpu, false);
}

bool crew_apply(struct crew *c, uint64_t now_ns, uint64_t until_ns)
{
	struct place_change ch;
	int more;

	while ((more = place_next(&c->place, &ch)) >= 0) {
		if (more)
			carry_out(c, &ch, now_ns);
		if (clock_now_ns() >= until_ns)
			break;
	}
	return place_pending(&c->place);
}

bool crew_check(struct crew *c, uint16_t slot, uint64_t now_ns)
{
	const struct worker *w = &c->table->worker[slot];
	struct procfs_stat s;

	if (procfs_stat(w->tgid, w->tid, &s) || s.started != w->started ||
	    s.state == 'Z' || s.state == 'X') {
		crew_drop(c, slot, now_ns);
		return false;
	}
	c->fights[slot] = 0;
	if (c->place.slot[slot].apart)
		place_had(&c->place, slot, now_ns);
	return settle(c, slot, hands_check(&c->hands, slot), now_ns);
}
