// SPDX-License-Identifier: Apache-2.0
/*
 * picker_model.c - the picker's rule, as slow and plain as it can be said
 */
#include "tests/ref/picker_model.h"

#include <string.h>

void picker_model_init(struct picker_model *m, uint16_t cpu_cnt,
		       uint16_t member_cnt, const uint16_t *sibling,
		       const uint16_t *llc)
{
	memset(m, 0, sizeof(*m));
	m->cpu_cnt = cpu_cnt;
	m->member_cnt = member_cnt;
	memcpy(m->sibling, sibling, cpu_cnt * sizeof(*sibling));
	memcpy(m->llc, llc, cpu_cnt * sizeof(*llc));
	for (unsigned i = 0; i < member_cnt; i++)
		m->member[i].home = CPU_NONE;
}

static bool many_llcs(const struct picker_model *m)
{
	for (unsigned cpu = 1; cpu < m->cpu_cnt; cpu++)
		if (m->llc[cpu] != m->llc[0])
			return true;
	return false;
}

/* last_of_home(), first_of() - Of the idle members: the one that became idle
 * on @cpu last; the one that did first, on @llc or (CPU_NONE) anywhere */
static uint16_t last_of_home(const struct picker_model *m, uint16_t cpu)
{
	uint16_t best = PICKER_NONE;

	for (uint16_t i = 0; i < m->member_cnt; i++)
		if (m->member[i].state == PICKER_IDLE &&
		    m->member[i].home == cpu &&
		    (best == PICKER_NONE ||
		     m->member[i].since > m->member[best].since))
			best = i;
	return best;
}

static uint16_t first_of(const struct picker_model *m, uint16_t llc)
{
	uint16_t best = PICKER_NONE;

	for (uint16_t i = 0; i < m->member_cnt; i++) {
		uint16_t home = m->member[i].home;

		if (m->member[i].state != PICKER_IDLE)
			continue;
		if (llc != CPU_NONE &&
		    (home == CPU_NONE || m->llc[home] != llc))
			continue;
		if (best == PICKER_NONE ||
		    m->member[i].since < m->member[best].since)
			best = i;
	}
	return best;
}

static uint16_t choose(const struct picker_model *m, uint16_t cpu)
{
	uint16_t best = last_of_home(m, cpu), oldest;

	for (uint16_t s = m->sibling[cpu];
	     best == PICKER_NONE && s != CPU_NONE && s != cpu;
	     s = m->sibling[s])
		best = last_of_home(m, s);
	if (best != PICKER_NONE)
		return best;
	oldest = first_of(m, CPU_NONE);
	if (oldest != PICKER_NONE && m->member[oldest].since >= 0)
		best = first_of(m, m->llc[cpu]);
	return best != PICKER_NONE ? best : oldest;
}

static int join(struct picker_model *m, uint16_t member)
{
	if (member >= m->member_cnt)
		return -ENOSPC;
	if (m->member[member].state != PICKER_OUT)
		return -EEXIST;
	m->member[member].state = PICKER_IDLE;
	m->member[member].since = -++m->now;
	return 0;
}

static int idle(struct picker_model *m, uint16_t member, uint16_t cpu)
{
	m->member[member].state = PICKER_IDLE;
	m->member[member].home = cpu;
	m->member[member].since = ++m->now;
	return 0;
}

static int pick(struct picker_model *m, uint16_t cpu)
{
	uint16_t best = PICKER_NONE;

	if (cpu < m->cpu_cnt)
		best = choose(m, cpu);
	if (best != PICKER_NONE)
		m->member[best].state = PICKER_ACTIVE;
	return best;
}

int picker_model_step(struct picker_model *m, enum picker_op op,
		      uint16_t member, uint16_t cpu)
{
	enum picker_state was =
	    member < m->member_cnt ? m->member[member].state : PICKER_OUT;

	if (op == OP_JOIN)
		return join(m, member);
	if (op == OP_PICK)
		return pick(m, cpu);
	if (op == OP_IDLE && cpu >= m->cpu_cnt)
		return -EINVAL;
	if (was == PICKER_OUT)
		return -ENOENT;
	if (op == OP_LEAVE) {
		m->member[member].state = PICKER_OUT;
		m->member[member].home = CPU_NONE;
		return 0;
	}
	if (was == (op == OP_IDLE ? PICKER_IDLE : PICKER_ACTIVE))
		return -EALREADY;
	if (op == OP_IDLE)
		return idle(m, member, cpu);
	m->member[member].state = PICKER_ACTIVE;
	return 0;
}

int picker_step(struct picker *p, enum picker_op op, uint16_t member,
		uint16_t cpu)
{
	switch (op) {
	case OP_JOIN:
		return picker_join(p, member);
	case OP_LEAVE:
		return picker_leave(p, member);
	case OP_ACTIVATE:
		return picker_activate(p, member);
	case OP_IDLE:
		return picker_idle(p, member, cpu);
	default:
		return picker_pick(p, cpu);
	}
}

/* belongs() - Is this idle member to be in the ring of @head? */
static bool belongs(const struct picker_model *m, enum picker_ring ring,
		    uint16_t head, uint16_t member)
{
	uint16_t home = m->member[member].home;

	if (m->member[member].state != PICKER_IDLE)
		return false;
	if (ring == PICKER_RING_ALL)
		return head == PICKER_NOWHERE;
	if (ring == PICKER_RING_HOME)
		return home == (head == PICKER_NOWHERE ? CPU_NONE : head);
	if (!many_llcs(m))
		return false;
	return home == CPU_NONE ? head == PICKER_NOWHERE : m->llc[home] == head;
}

/* ring_ok() - Walk one ring: members that belong, latest first, nobody else.
 * Among those that never ran, only the ring of all has an order that counts. */
static bool ring_ok(const struct picker *p, const struct picker_model *m,
		    enum picker_ring ring, uint16_t head)
{
	bool ordered = ring == PICKER_RING_ALL || head != PICKER_NOWHERE;
	int64_t since = INT64_MAX;
	unsigned expected = 0, found = 0;
	uint16_t last = head, i = p->node[head].link[ring].next;

	for (uint16_t k = 0; k < m->member_cnt; k++)
		expected += belongs(m, ring, head, k);
	for (; i != head; i = p->node[i].link[ring].next) {
		unsigned member = (unsigned)i - PICKER_FIRST;

		if (i < PICKER_FIRST || member >= m->member_cnt ||
		    ++found > expected ||
		    !belongs(m, ring, head, (uint16_t)member) ||
		    (ordered && m->member[member].since >= since) ||
		    p->node[i].link[ring].prev != last)
			return false;
		since = m->member[member].since;
		last = i;
	}
	return found == expected && p->node[head].link[ring].prev == last;
}

static bool rings_ok(const struct picker *p, const struct picker_model *m,
		     uint16_t head)
{
	for (unsigned r = 0; r < PICKER_RING_NUM; r++)
		if (!ring_ok(p, m, (enum picker_ring)r, head))
			return false;
	return true;
}

bool picker_whole(const struct picker *p, const struct picker_model *m)
{
	for (uint16_t i = 0; i < m->member_cnt; i++)
		if (picker_state(p, i) != m->member[i].state ||
		    picker_home(p, i) != m->member[i].home)
			return false;
	for (uint16_t cpu = 0; cpu < m->cpu_cnt; cpu++)
		if (!rings_ok(p, m, cpu))
			return false;
	return rings_ok(p, m, PICKER_NOWHERE);
}
