/* SPDX-License-Identifier: Apache-2.0 */
/*
 * picker.h - which idle member a cpu should run: in O(1), the one that last ran
 * there
 *
 * A member is whatever waits for a cpu: in hostd a vcpu of a VM that waits for
 * a cpu of the host, in the agent a worker that waits for a vcpu. A member is
 * out, active (it has a cpu, or got hold of one by itself) or idle, and an idle
 * one has a home: the cpu it ran on last.
 *
 *	        join               pick, activate
 *	out ----------->  idle  ------------------>  active
 *	     <-----------  ^ |                         | |
 *	        leave      | '------- leave -> out <---' |
 *	                   '---------------- idle -------'
 *
 * The rule. pick(cpu) answers with the idle member
 *	1. whose home is this cpu, the one that ran last: its first-level
 *	   caches are warm, and the warmest are those of the last;
 *	2. else whose home is an SMT sibling: the same caches, shared;
 *	3. else that never ran, the one that joined last: no cpu misses it;
 *	4. else whose home is on the same last-level cache, the one that ran
 *	   longest ago;
 *	5. else that ran longest ago of all.
 * In 3 to 5 the first-level caches are cold whoever is taken. What differs is
 * whose memory is spent: a member that rested longest is the one its own home
 * is least likely to ask for again. Taking the last one in 4, or 4 before 3,
 * makes a cold pick here and soon another one there: measured, docs/picking.md.
 *
 * How. An idle member is in three doubly linked rings at once: of its home, of
 * its home's last-level cache, and of all; each ordered by when they became
 * idle. That order comes free: whoever becomes idle goes to the front of each.
 * (Who joins goes to the back of the last one, which makes 3 and 5 one.) So
 * every rule is the front or the back of a ring, one load to find. To link or
 * to unlink is two stores a ring, wherever in it the member is. Nothing has a
 * loop but 2, over a core's other threads, PICKER_SMT_MAX at most.
 *	join, leave, activate, idle, pick: O(1) in members and in cpus
 *	picker_init(): O(members + cpus)
 * There is one place a member can be, so an index that left and joined anew
 * carries nothing over, and two cpus cannot both be told one member.
 *
 * Layout. A ring's head is a node like any other, so that linking asks no
 * questions. Node `cpu` is the head of that cpu's ring and, for the cpu that
 * stands for a last-level cache, of that cache's. Node PICKER_NOWHERE is the
 * home of those that never ran and the head of all. Members follow. Every
 * address comes from the arguments alone, and a node is 16 bytes, four to a
 * cache line: from cold, a pick waits for the cpu's node (and at the same time
 * for those of its sibling and of all), then for the member's. Neighbours are
 * only written to, which nobody waits for. With one last-level cache for all,
 * 4 would say what 5 says: its ring is left out.
 *
 * No memory of its own, no clock, no lock: one thread owns a picker. No index
 * is believed; the topology is checked once.
 */
#ifndef HL_PICKER_H
#define HL_PICKER_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hl/bounds.h"

#define PICKER_NONE	  0xffffu
#define PICKER_SMT_MAX	  8 /* threads a core */
#define PICKER_NOWHERE	  CPU_MAX
#define PICKER_FIRST	  (CPU_MAX + 1) /* node of member 0 */
#define PICKER_MEMBER_MAX (PICKER_NONE - PICKER_FIRST)

enum picker_ring {
	PICKER_RING_HOME,
	PICKER_RING_LLC,
	PICKER_RING_ALL,
	PICKER_RING_NUM
};

enum picker_state { PICKER_OUT, PICKER_ACTIVE, PICKER_IDLE };

struct picker_link {
	uint16_t next; /* towards those that ran longer ago */
	uint16_t prev;
};

struct picker_node {
	struct picker_link link[PICKER_RING_NUM];
	uint16_t home;	/* a cpu's: the next thread of its core, itself: none */
	uint16_t state; /* enum picker_state; a cpu's: its last-level cache */
};

struct picker {
	uint16_t cpu_cnt;
	uint16_t member_cnt; /* indices there are, joined or not */
	bool one_llc;
	uint8_t pad[11]; /* nodes do not straddle cache lines */
	struct picker_node node[];
};

_Static_assert(sizeof(struct picker_node) == 16, "four nodes a cache line");
_Static_assert(sizeof(struct picker) == 16, "as large as a node");

/* picker_bytes() - Memory for @member_cnt members, best at the beginning of a
 * cache line; nodes of cpus there are not are never touched. */
static inline size_t picker_bytes(unsigned member_cnt)
{
	return sizeof(struct picker) +
	       sizeof(struct picker_node) * ((size_t)PICKER_FIRST + member_cnt);
}

/* --- rings ------------------------------------------------------------- */

/* picker_push() - Put node @i in front of the ring whose head is @head. */
static inline void picker_push(struct picker *p, enum picker_ring ring,
			       uint16_t head, uint16_t i)
{
	uint16_t next = p->node[head].link[ring].next;

	p->node[i].link[ring] = (struct picker_link){ next, head };
	p->node[head].link[ring].next = i;
	p->node[next].link[ring].prev = i;
}

static inline void picker_cut(struct picker *p, enum picker_ring ring,
			      uint16_t i)
{
	struct picker_link l = p->node[i].link[ring];

	p->node[l.prev].link[ring].next = l.next;
	p->node[l.next].link[ring].prev = l.prev;
}

/* picker_put() - Put node @i, home and all, in front of its rings. */
static inline void picker_put(struct picker *p, uint16_t i, uint16_t home)
{
	p->node[i].home = home;
	p->node[i].state = PICKER_IDLE;
	picker_push(p, PICKER_RING_HOME, home, i);
	picker_push(p, PICKER_RING_ALL, PICKER_NOWHERE, i);
	if (!p->one_llc)
		picker_push(p, PICKER_RING_LLC, p->node[home].state, i);
}

/* picker_take() - Take an idle node out of its rings. */
static inline void picker_take(struct picker *p, uint16_t i,
			       enum picker_state state)
{
	p->node[i].state = (uint16_t)state;
	picker_cut(p, PICKER_RING_HOME, i);
	picker_cut(p, PICKER_RING_ALL, i);
	if (!p->one_llc)
		picker_cut(p, PICKER_RING_LLC, i);
}

/* --- set-up ------------------------------------------------------------- */

/* picker_core_ok() - Do the siblings of @cpu close a ring of their own? */
static inline bool picker_core_ok(const uint16_t *sibling, uint16_t cpu_cnt,
				  uint16_t cpu)
{
	uint16_t s = sibling[cpu];

	if (s == CPU_NONE)
		return true;
	for (unsigned i = 0; i < PICKER_SMT_MAX && s < cpu_cnt; i++) {
		if (s == cpu)
			return true;
		s = sibling[s];
	}
	return false;
}

/* picker_head() - Begin the empty rings of node @i. */
static inline void picker_head(struct picker *p, uint16_t i, uint16_t sibling,
			       uint16_t llc)
{
	struct picker_node *head = &p->node[i];

	for (unsigned r = 0; r < PICKER_RING_NUM; r++)
		head->link[r] = (struct picker_link){ i, i };
	head->home = sibling == CPU_NONE ? i : sibling;
	head->state = llc;
}

/*
 * picker_init() - Begin with nobody joined
 * @p: picker_bytes(@member_cnt) bytes, of any content
 * @sibling: of each cpu the next thread of its core, the last one's is the
 *	first; CPU_NONE or itself when alone. NULL: no SMT
 * @llc: of each cpu a cpu that stands for its last-level cache, the same one
 *	for all that share it. NULL: one cache for all
 * Both as struct topo has them, and not needed afterwards.
 *
 * Return: 0; -ERANGE for no or more than CPU_MAX cpus, or more than
 * PICKER_MEMBER_MAX members; -EINVAL for a topology that names a cpu there is
 * not, or siblings that do not close a ring of at most PICKER_SMT_MAX.
 */
static inline int picker_init(struct picker *p, uint16_t cpu_cnt,
			      uint16_t member_cnt, const uint16_t *sibling,
			      const uint16_t *llc)
{
	if (!cpu_cnt || cpu_cnt > CPU_MAX || member_cnt > PICKER_MEMBER_MAX)
		return -ERANGE;
	*p = (struct picker){ .cpu_cnt = cpu_cnt,
			      .member_cnt = member_cnt,
			      .one_llc = true };
	for (uint16_t cpu = 0; cpu < cpu_cnt; cpu++) {
		if ((llc && llc[cpu] >= cpu_cnt) ||
		    (sibling && !picker_core_ok(sibling, cpu_cnt, cpu)))
			return -EINVAL;
		if (llc && llc[cpu] != llc[0])
			p->one_llc = false;
		picker_head(p, cpu, sibling ? sibling[cpu] : CPU_NONE,
			    llc ? llc[cpu] : 0);
	}
	picker_head(p, PICKER_NOWHERE, CPU_NONE, PICKER_NOWHERE);
	for (unsigned i = 0; i < member_cnt; i++)
		p->node[PICKER_FIRST + i] =
		    (struct picker_node){ .home = PICKER_NOWHERE,
					  .state = PICKER_OUT };
	return 0;
}

/* --- members ------------------------------------------------------------ */

/* picker_state() - What @member is doing; PICKER_OUT for a wrong index. */
static inline enum picker_state picker_state(const struct picker *p,
					     uint16_t member)
{
	if (member >= p->member_cnt)
		return PICKER_OUT;
	return (enum picker_state)p->node[PICKER_FIRST + member].state;
}

/* picker_home() - The cpu @member was on when it last became idle; CPU_NONE
 * when there was none. Still known right after it was picked. */
static inline uint16_t picker_home(const struct picker *p, uint16_t member)
{
	uint16_t home = PICKER_NOWHERE;

	if (member < p->member_cnt)
		home = p->node[PICKER_FIRST + member].home;
	return home == PICKER_NOWHERE ? CPU_NONE : home;
}

/*
 * picker_join() - @member is there from now on, idle, and never ran
 * Return: 0; -ENOSPC when the table ends before @member; -EEXIST.
 */
static inline int picker_join(struct picker *p, uint16_t member)
{
	uint16_t i = (uint16_t)(PICKER_FIRST + member);

	if (member >= p->member_cnt)
		return -ENOSPC;
	if (p->node[i].state != PICKER_OUT)
		return -EEXIST;
	picker_put(p, i, PICKER_NOWHERE);
	/* behind all: a ring's back is what stands before its head */
	picker_cut(p, PICKER_RING_ALL, i);
	picker_push(p, PICKER_RING_ALL,
		    p->node[PICKER_NOWHERE].link[PICKER_RING_ALL].prev, i);
	return 0;
}

/*
 * picker_leave() - @member is gone, whatever it was doing
 * Return: 0; -ENOENT when it never joined or already left.
 */
static inline int picker_leave(struct picker *p, uint16_t member)
{
	enum picker_state was = picker_state(p, member);
	uint16_t i = (uint16_t)(PICKER_FIRST + member);

	if (was == PICKER_OUT)
		return -ENOENT;
	if (was == PICKER_IDLE)
		picker_take(p, i, PICKER_OUT);
	p->node[i].state = PICKER_OUT;
	p->node[i].home = PICKER_NOWHERE;
	return 0;
}

/*
 * picker_activate() - This very @member has a cpu; nobody picked it
 * Return: 0; -ENOENT when it is not a member; -EALREADY when it is active.
 */
static inline int picker_activate(struct picker *p, uint16_t member)
{
	enum picker_state was = picker_state(p, member);

	if (was != PICKER_IDLE)
		return was == PICKER_OUT ? -ENOENT : -EALREADY;
	picker_take(p, (uint16_t)(PICKER_FIRST + member), PICKER_ACTIVE);
	return 0;
}

/*
 * picker_idle() - @member gave up its cpu, or lost it, and @cpu is its home now
 * Return: 0; -EINVAL when there is no such @cpu; -ENOENT when it is not a
 * member; -EALREADY when it is idle: its home stays what it was.
 */
static inline int picker_idle(struct picker *p, uint16_t member, uint16_t cpu)
{
	enum picker_state was = picker_state(p, member);

	if (cpu >= p->cpu_cnt)
		return -EINVAL;
	if (was != PICKER_ACTIVE)
		return was == PICKER_OUT ? -ENOENT : -EALREADY;
	picker_put(p, (uint16_t)(PICKER_FIRST + member), cpu);
	return 0;
}

/* --- the pick ----------------------------------------------------------- */

/* picker_choose() - The node the rule says; PICKER_NOWHERE: nobody is idle. */
static inline uint16_t picker_choose(const struct picker *p, uint16_t cpu)
{
	const struct picker_node *head = &p->node[cpu];
	uint16_t i = head->link[PICKER_RING_HOME].next;
	uint16_t llc = head->state, oldest;

	if (i != cpu)
		return i;
	for (uint16_t s = head->home; s != cpu; s = p->node[s].home) {
		i = p->node[s].link[PICKER_RING_HOME].next;
		if (i != s)
			return i;
	}
	oldest = p->node[PICKER_NOWHERE].link[PICKER_RING_ALL].prev;
	if (p->one_llc || p->node[oldest].home == PICKER_NOWHERE)
		return oldest;
	i = p->node[llc].link[PICKER_RING_LLC].prev;
	return i != llc ? i : oldest;
}

/*
 * picker_pick() - Choose a member for @cpu by the rule above; it is active then
 *
 * Return: the member, or PICKER_NONE when nobody is idle or there is no such
 * cpu.
 */
static inline uint16_t picker_pick(struct picker *p, uint16_t cpu)
{
	uint16_t i;

	if (cpu >= p->cpu_cnt)
		return PICKER_NONE;
	i = picker_choose(p, cpu);
	if (i == PICKER_NOWHERE)
		return PICKER_NONE;
	picker_take(p, i, PICKER_ACTIVE);
	return (uint16_t)(i - PICKER_FIRST);
}

#endif
