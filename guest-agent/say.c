// SPDX-License-Identifier: Apache-2.0
/*
 * say.c - what is still to be said to the host, and in which order
 *
 * HELLO before all else, and alone until it is answered; then BELL, hints, and
 * BEAT when nothing else was said for a beat.
 *
 * Hints go in rounds. A round walks once over the vcpus and puts those that
 * differ from what was said last into messages, AGENT_HINTS_MAX to each. What
 * changes behind it waits for the next round, SAY_HINTS_NS after this one
 * began, however often it changes until then.
 */
#include "say.h"

#include <string.h>

#include "hl/agent_wire.h"

void say_hello(struct say *s, uint64_t epoch, uint32_t caps)
{
	s->epoch = epoch;
	s->greeting.caps = caps;
	s->hello = true;
	s->open = false;
}

void say_open(struct say *s, uint16_t vcpu_cnt, bool by_page, uint64_t now_ns)
{
	s->open = true;
	s->by_page = by_page;
	s->vcpu_cnt = vcpu_cnt;
	s->said_ns = s->hints_ns = now_ns;
	s->hello = s->bell = s->round = false;
	s->dirty = s->force = true;
	memset(&s->hint_said, 0, sizeof(s->hint_said));
	memset(s->vcpu_said, 0, sizeof(s->vcpu_said));
}

void say_shut(struct say *s)
{
	s->open = s->hello = s->bell = false;
}

void say_hint(struct say *s, const struct agent_hint *hint,
	      const struct agent_hint_vcpu *vcpu, uint16_t vcpu_cnt)
{
	if (vcpu_cnt > AGENT_VCPUS)
		vcpu_cnt = AGENT_VCPUS;
	s->hint = *hint;
	memcpy(s->vcpu, vcpu, vcpu_cnt * sizeof(*vcpu));
	memset(s->vcpu + vcpu_cnt, 0, (AGENT_VCPUS - vcpu_cnt) * sizeof(*vcpu));
	s->dirty = true;
}

static bool differs(const struct say *s, unsigned v)
{
	return memcmp(&s->vcpu[v], &s->vcpu_said[v], sizeof(s->vcpu[v])) != 0;
}

/* The next message of the round. Return: bytes of its body; 0: it is over. */
static size_t next_hints(struct say *s, struct agent_hints *h)
{
	unsigned first = s->at, end, last;

	while (first < s->vcpu_cnt && !differs(s, first))
		first++;
	end = first;
	last = first + AGENT_HINTS_MAX;
	for (unsigned v = first; v < last && v < s->vcpu_cnt; v++)
		if (differs(s, v))
			end = v + 1;
	s->at = (uint16_t)end;
	if (first == end) {
		if (!s->force &&
		    !memcmp(&s->hint, &s->hint_said, sizeof(s->hint)))
			return 0;
		first = end = 0; /* no vcpu, but of the whole */
	}
	s->force = false;
	h->hint = s->hint_said = s->hint;
	h->first = (uint16_t)first;
	h->count = (uint16_t)(end - first);
	h->pad = 0;
	memcpy(h->vcpu, &s->vcpu[first], h->count * sizeof(h->vcpu[0]));
	memcpy(&s->vcpu_said[first], h->vcpu, h->count * sizeof(h->vcpu[0]));
	return agent_hints_bytes(h->count);
}

static size_t hints(struct say *s, struct agent_any *m, uint64_t now_ns)
{
	size_t body;

	if (s->by_page)
		return 0;
	if (!s->round && s->dirty && now_ns >= s->hints_ns) {
		s->round = true;
		s->dirty = false;
		s->at = 0;
		s->hints_ns = now_ns + SAY_HINTS_NS;
	}
	if (!s->round)
		return 0;
	body = next_hints(s, &m->hints);
	if (!body) {
		s->round = false;
		return 0;
	}
	return agent_msg_put(m, AGENT_HINTS, s->epoch, body);
}

static size_t next(struct say *s, struct agent_any *m, uint64_t now_ns)
{
	size_t bytes;

	if (s->hello) {
		s->hello = false;
		m->hello = s->greeting;
		return agent_msg_put(m, AGENT_HELLO, s->epoch,
				     sizeof(m->hello));
	}
	if (!s->open)
		return 0;
	if (s->bell) {
		s->bell = false;
		return agent_msg_put(m, AGENT_BELL, s->epoch, 0);
	}
	bytes = hints(s, m, now_ns);
	if (!bytes && now_ns >= s->said_ns + SAY_BEAT_NS)
		bytes = agent_msg_put(m, AGENT_BEAT, s->epoch, 0);
	return bytes;
}

size_t say_next(struct say *s, struct agent_any *m, uint64_t now_ns)
{
	size_t bytes = next(s, m, now_ns);

	if (bytes) {
		s->said_ns = now_ns;
		s->cnt++;
		s->bytes += bytes;
	}
	return bytes;
}

uint64_t say_when_ns(const struct say *s)
{
	uint64_t at_ns = s->said_ns + SAY_BEAT_NS;

	if (s->hello)
		return 0;
	if (!s->open)
		return UINT64_MAX;
	if (s->bell)
		return 0;
	if (!s->by_page && (s->round || s->dirty) && s->hints_ns < at_ns)
		at_ns = s->hints_ns;
	return at_ns;
}
