// SPDX-License-Identifier: Apache-2.0
/*
 * share.c - how much of a server's run time was spent on granted vcpus
 */
#include "hl/clock.h"
#include "tests/load/share.h"

unsigned share_granted(const struct share_look *look)
{
	unsigned n = 0;

	for (unsigned i = 0; i < look->vcpu_cnt; i++)
		n += agent_word_owns(look->word[i]);
	return n;
}

/* Is there something to get right or wrong? Judged by how it began: a stretch
 * in which the last vcpu comes or goes is short. */
static bool counts(const struct share_look *from)
{
	unsigned n = share_granted(from);

	return n && n < from->vcpu_cnt;
}

void share_stretch(struct share *s, const struct share_look *from,
		   const struct share_look *to)
{
	uint64_t took_ns = to->at_ns - from->at_ns;

	s->all_ns += took_ns;
	s->granted_ns[share_granted(from)] += took_ns;
	if (took_ns > s->gap_max_ns)
		s->gap_max_ns = took_ns;
	if (counts(from))
		s->counted_ns += took_ns;
	for (unsigned i = 0; i < from->vcpu_cnt; i++) {
		if (from->word[i] == to->word[i])
			continue;
		s->changes++;
		s->changed_ns = to->at_ns;
	}
}

/* How long has the guest had to follow? */
static unsigned age(const struct share *s, const struct share_look *from)
{
	uint64_t limit_ns = 10 * NSEC_PER_MSEC;
	unsigned i = 0;

	for (; i < SHARE_AGES - 1; i++, limit_ns *= 10)
		if (from->at_ns - s->changed_ns < limit_ns)
			break;
	return i;
}

void share_run(struct share *s, const struct share_look *from,
	       const struct share_look *to, unsigned vcpu, uint64_t run_ns)
{
	if (!counts(from) || vcpu >= from->vcpu_cnt)
		return;
	if (from->word[vcpu] != to->word[vcpu])
		s->unsure_ns += run_ns;
	else if (agent_word_owns(from->word[vcpu]))
		s->on_ns += run_ns;
	else {
		s->off_ns += run_ns;
		s->off_age_ns[age(s, from)] += run_ns;
	}
}

static double part(const struct share *s, uint64_t ns)
{
	uint64_t all_ns = s->on_ns + s->off_ns + s->unsure_ns;

	return all_ns ? (double)ns / (double)all_ns : -1;
}

double share_low(const struct share *s)
{
	return part(s, s->on_ns);
}

double share_high(const struct share *s)
{
	return part(s, s->on_ns + s->unsure_ns);
}
