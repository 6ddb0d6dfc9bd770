// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_agents_session.c - a hostile guest: any bytes in its channel and in its
 * page, at any time, while hostd grants and time passes
 *
 * The input is a list of steps: a byte says which, those after it are its
 * arguments. Whatever comes: hints are in bounds, what hostd says are good
 * messages of its own kinds, its rates hold, and it is never due in the past
 * without something to do.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent_page.h"
#include "agent_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MS    1000000ull
#define VCPUS 6u

static struct session s;
static struct agent_rx heard;
static struct agent_page memory;
static struct page page;
static uint64_t word[AGENT_VCPUS], now_ns, began_ns;

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void check(void)
{
	unsigned granted, acked;

	must(s.hint.wanted <= s.vcpu_cnt);
	must(s.hint.wait_us <= SESSION_WAIT_MAX);
	must(s.hint.runnable <= s.hint.workers);
	must(!s.hint.valid || session_is_up(&s));
	must(s.hint.valid || !s.hint.wanted);
	for (unsigned i = 0; i < AGENT_VCPUS; i++)
		must(!s.runnable[i] || (s.hint.valid && i < s.vcpu_cnt));
	session_acks(&s, &granted, &acked);
	must(acked <= granted && granted <= s.vcpu_cnt);
	must(!s.name[sizeof(s.name) - 1]);
	must(session_state(&s) != SESSION_NONE);
	must((s.count.messages) <=
	     SESSION_BURST + 1 +
		 (now_ns - began_ns) / MS * SESSION_RATE / 1000);
}

/* Read what hostd says, @max bytes of it. */
static void listen(size_t max)
{
	const uint8_t *data;
	struct agent_any m;
	size_t n, room;
	void *to;

	while ((n = session_out(&s, &data, now_ns)) && max) {
		n = n < max ? n : max;
		to = agent_rx_room(&heard, &room);
		must(n <= room);
		memcpy(to, data, n);
		heard.fill += (uint32_t)n;
		session_sent(&s, n);
		max -= n;
		while (agent_rx_next(&heard, &m)) {
			must(m.head.kind != AGENT_HELLO &&
			     m.head.kind != AGENT_HINTS);
			must(m.head.kind != AGENT_GRANTS ||
			     m.grants.first + m.grants.count <= s.vcpu_cnt ||
			     s.vcpu_cnt < VCPUS);
		}
		must(!heard.skipped);
	}
}

static void grant(uint8_t a, uint8_t b)
{
	unsigned i = a % VCPUS;

	word[i] = agent_word(agent_word_gen(word[i]) + 1,
			     b & 1 ? b : AGENT_CPU_NONE, 0);
	if (session_words(&s, word))
		page_words(&page, word, s.vcpu_cnt, s.gen);
}

static void look(void)
{
	static struct session_page seen;

	page_read(&page, s.vcpu_cnt, &seen);
	session_page(&s, &seen, now_ns);
}

/* A good message with the guest's epoch and one byte changed, or none. */
static void say(uint8_t kind, uint8_t at, uint8_t value)
{
	static const size_t body[AGENT_KINDS] = {
		[AGENT_HELLO] = sizeof(struct agent_hello),
		[AGENT_WELCOME] = sizeof(struct agent_welcome),
		[AGENT_REFUSED] = sizeof(struct agent_welcome),
		[AGENT_GRANTS] = 8 + 2 * 8,
		[AGENT_HINTS] = 24 + 4 * 16,
	};
	struct agent_any m = { .head = { 0 } };
	size_t n, room;
	void *to;

	kind = 1 + kind % (AGENT_KINDS - 1);
	if (kind == AGENT_HELLO) {
		m.hello.version = AGENT_VERSION;
		m.hello.vcpu_cnt = VCPUS;
		m.hello.caps = AGENT_CAP_PAGE;
	} else if (kind == AGENT_GRANTS) {
		m.grants.count = 2;
	} else if (kind == AGENT_HINTS) {
		m.hints.count = 4;
		m.hints.hint.workers = 5;
		m.hints.hint.wanted = value;
	}
	n = agent_msg_put(&m, kind, 1, body[kind]);
	if (at)
		((uint8_t *)&m)[at % n] = value;
	to = session_room(&s, &room);
	if (!session_may_read(&s) || room < n)
		return;
	memcpy(to, &m, n);
	session_take(&s, n, now_ns);
}

static void pass(uint64_t ns)
{
	uint64_t due_ns;

	now_ns += ns;
	session_time(&s, now_ns);
	if (!session_may_read(&s))
		session_take(&s, 0, now_ns);
	listen(SIZE_MAX);
	due_ns = session_due_ns(&s);
	must(due_ns > now_ns);
}

/* One step. Return: how many bytes of @p it used. */
static size_t step(const uint8_t *p, size_t left)
{
	uint8_t a = left > 1 ? p[1] : 0, b = left > 2 ? p[2] : 0;
	uint8_t c = left > 3 ? p[3] : 0;
	size_t n, room;
	void *to;

	switch (p[0] % 12) {
	case 0: /* raw bytes */
		to = session_room(&s, &room);
		n = left - 1 < a ? left - 1 : a;
		if (!session_may_read(&s) || n > room)
			return 2;
		memcpy(to, p + 1, n);
		session_take(&s, n, now_ns);
		return 1 + n;
	case 1:
		say(a, b, c);
		return 4;
	case 2: /* bytes anywhere in the page, hostd's half too */
		n = left - 1 < 16 ? left - 1 : 16;
		memcpy((uint8_t *)&memory +
			   (a * 256u + b) % (sizeof(memory) - 16),
		       p + 1, n);
		return 1 + n;
	case 3: /* the page as it should be, but for one byte */
		memory.guest.magic = AGENT_GUEST_MAGIC;
		memory.guest.version = AGENT_VERSION;
		memory.guest.epoch = 1;
		memory.guest.hint.workers = 3;
		((uint8_t *)&memory.guest)[a % 64] = b;
		return 3;
	case 4:
		look();
		return 1;
	case 5:
		grant(a, b);
		return 3;
	case 6:
		pass(a * MS);
		return 2;
	case 7:
		pass(a * 50 * MS);
		return 2;
	case 8:
		listen(a);
		return 2;
	case 9:
		session_set(&s, 1 + a % VCPUS, b % 8, b % 3 ? page.token : 0);
		return 3;
	case 10:
		if (session_is_bad(&s) || a % 8 == 0) {
			session_link(&s);
			heard.fill = 0;
		}
		return 2;
	default:
		page_beat(&page, s.gen);
		memory.guest.beat++;
		return 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0;

	memset(&heard, 0, sizeof(heard));
	memset(&memory, 0, sizeof(memory));
	memset(&page, 0, sizeof(page));
	memset(word, 0, sizeof(word));
	page.mem = &memory;
	page.token = 77;
	now_ns = began_ns = 1000 * MS;
	session_init(&s, 1);
	session_set(&s, VCPUS, true, page.token);
	session_link(&s);
	while (at < size) {
		at += step(data + at, size - at);
		check();
	}
	return 0;
}
