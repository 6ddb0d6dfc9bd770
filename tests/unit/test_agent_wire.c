// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_wire.c - streams of the agent's channel: cut anywhere, with
 * garbage before and between, with heads that lie
 */
#include "hl/agent_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define EPOCH 0x0123456789abcdefull

static struct agent_rx rx;

/* One of each kind; @count: words or vcpus. Return: its length. */
static size_t make(struct agent_any *m, enum agent_kind kind, unsigned count)
{
	size_t body = 0;

	memset(m, 0, sizeof(*m));
	if (kind == AGENT_HELLO) {
		m->hello.version = AGENT_VERSION;
		m->hello.vcpu_cnt = 4;
		memcpy(m->hello.name, "1.2", 4);
		body = sizeof(m->hello);
	} else if (kind == AGENT_WELCOME || kind == AGENT_REFUSED) {
		m->welcome.token = 77;
		body = sizeof(m->welcome);
	} else if (kind == AGENT_GRANTS) {
		m->grants.count = (uint16_t)count;
		for (unsigned i = 0; i < count; i++)
			m->grants.word[i] = agent_word(i + 1, 3, 2);
		body = agent_grants_bytes(count);
	} else if (kind == AGENT_HINTS) {
		m->hints.count = (uint16_t)count;
		for (unsigned i = 0; i < count; i++)
			m->hints.vcpu[i].ack = i + 1;
		body = agent_hints_bytes(count);
	}
	return agent_msg_put(m, kind, EPOCH, body);
}

static void put(const void *data, size_t bytes)
{
	size_t room;
	void *at = agent_rx_room(&rx, &room);

	assert_in_range(bytes, 0, room);
	memcpy(at, data, bytes);
	rx.fill += (uint32_t)bytes;
}

static const struct {
	enum agent_kind kind;
	unsigned count;
	size_t bytes;
} sample[] = {
	{ AGENT_HELLO, 0, 64 },	  { AGENT_WELCOME, 0, 40 },
	{ AGENT_REFUSED, 0, 40 }, { AGENT_GRANTS, 0, 24 },
	{ AGENT_GRANTS, 1, 32 },  { AGENT_GRANTS, AGENT_WORDS_MAX, 280 },
	{ AGENT_HINTS, 0, 40 },	  { AGENT_HINTS, 3, 88 },
	{ AGENT_BELL, 0, 16 },	  { AGENT_HINTS, AGENT_HINTS_MAX, 552 },
	{ AGENT_BEAT, 0, 16 },	  { AGENT_BYE, 0, 16 },
};

#define SAMPLES (sizeof(sample) / sizeof(sample[0]))

static uint8_t stream[4096];
static size_t ends[SAMPLES]; /* where each message of it ends */

/* All samples one after another. Return: the stream's length. */
static size_t make_stream(void)
{
	struct agent_any m;
	size_t at = 0, bytes;

	for (unsigned i = 0; i < SAMPLES; i++) {
		bytes = make(&m, sample[i].kind, sample[i].count);
		assert_int_equal(bytes, sample[i].bytes);
		memcpy(stream + at, &m, bytes);
		ends[i] = at += bytes;
	}
	return at;
}

/* The next one is sample @i, whole, with nothing behind it. */
static void expect_sample(unsigned i)
{
	struct agent_any want, got;

	memset(&got, 0xff, sizeof(got));
	assert_true(agent_rx_next(&rx, &got));
	make(&want, sample[i].kind, sample[i].count);
	assert_memory_equal(&got, &want, sizeof(want));
}

static int setup(void **state)
{
	(void)state;
	memset(&rx, 0, sizeof(rx));
	return 0;
}

/* Byte by byte: each is found when its last byte came, not earlier. */
static void test_bytes(void **state)
{
	size_t bytes = make_stream();
	struct agent_any m;
	unsigned next = 0;

	(void)state;
	for (size_t at = 0; at < bytes; at++) {
		put(stream + at, 1);
		if (at + 1 == ends[next])
			expect_sample(next++);
		assert_false(agent_rx_next(&rx, &m));
	}
	assert_int_equal(next, SAMPLES);
	assert_int_equal(rx.fill, 0);
	assert_int_equal(rx.skipped, 0);
}

/* In two pieces, cut at every place. */
static void test_cuts(void **state)
{
	size_t bytes = make_stream();
	struct agent_any m;

	for (size_t cut = 0; cut <= bytes; cut++) {
		unsigned next = 0;

		setup(state);
		put(stream, cut);
		while (next < SAMPLES && ends[next] <= cut)
			expect_sample(next++);
		assert_false(agent_rx_next(&rx, &m));
		put(stream + cut, bytes - cut);
		while (next < SAMPLES)
			expect_sample(next++);
		assert_false(agent_rx_next(&rx, &m));
		assert_int_equal(rx.skipped, 0);
	}
}

/* The stream begins in the middle of a message: that one is lost, no other. */
static void test_begins_in_the_middle(void **state)
{
	size_t bytes = make_stream();
	struct agent_any m;

	for (size_t from = 1; from < bytes; from++) {
		unsigned next = 0;

		setup(state);
		put(stream + from, bytes - from);
		while (ends[next] <= from)
			next++;
		if (from != (next ? ends[next - 1] : 0))
			next++;
		while (next < SAMPLES)
			expect_sample(next++);
		assert_false(agent_rx_next(&rx, &m));
	}
}

static void test_garbage(void **state)
{
	static const struct {
		const char *what, *bytes;
		size_t len;
	} row[] = {
		{ "one byte", "x", 1 },
		{ "a line", "\r\nlogin: ", 9 },
		{ "nulls", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20 },
		{ "half a magic", "HA", 2 },
		{ "magic twice", "HAGNHAGN", 8 },
		{ "magic, kind 0", "HAGN\0\0\x10\0abcdefgh", 16 },
		{ "magic, kind too large", "HAGN\x09\0\x10\0abcdefgh", 16 },
		{ "too short a message", "HAGN\x06\0\x0f\0abcdefgh", 16 },
		{ "too long a message", "HAGN\x06\0\xff\xffXabcdefgh", 17 },
		{ "a bell with a body", "HAGN\x06\0\x11\0abcdefghX", 17 },
	};
	struct agent_any m, bell;
	size_t bytes;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		setup(state);
		bytes = make(&bell, AGENT_BEAT, 0);
		for (unsigned turn = 0; turn < 3; turn++) {
			put(row[i].bytes, row[i].len);
			put(&bell, bytes);
		}
		for (unsigned turn = 0; turn < 3; turn++)
			if (!agent_rx_next(&rx, &m) ||
			    m.head.kind != AGENT_BEAT)
				fail_msg("%s: message %u is lost", row[i].what,
					 turn);
		if (agent_rx_next(&rx, &m) || rx.fill ||
		    rx.skipped != 3 * row[i].len)
			fail_msg("%s: %u left, %u skipped", row[i].what,
				 rx.fill, (unsigned)rx.skipped);
	}
}

/* Heads whose length and count do not agree, each with a good message behind
 * it: that one is found. */
static void test_lies(void **state)
{
	static const struct {
		const char *what;
		enum agent_kind kind;
		unsigned count;
		int length, said; /* added to the length, put as the count */
		bool taken;
	} row[] = {
		{ "no lie", AGENT_GRANTS, 2, 0, 2, true },
		{ "one word more", AGENT_GRANTS, 2, 0, 3, false },
		{ "one word less", AGENT_GRANTS, 2, 0, 1, false },
		{ "no words", AGENT_GRANTS, 2, 0, 0, false },
		{ "65535 words", AGENT_GRANTS, 2, 0, 65535, false },
		{ "as many as fit in 16 bits of length", AGENT_GRANTS, 2, 0,
		  8194, false },
		{ "33 words", AGENT_GRANTS, 32, 8, 33, false },
		{ "hints, no lie", AGENT_HINTS, 2, 0, 2, true },
		{ "one vcpu more", AGENT_HINTS, 2, 0, 3, false },
		{ "65535 vcpus", AGENT_HINTS, 2, 0, 65535, false },
		{ "33 vcpus", AGENT_HINTS, 32, 16, 33, false },
		{ "a hello too short", AGENT_HELLO, 0, -1, 0, false },
		{ "a hello too long", AGENT_HELLO, 0, 1, 0, false },
		{ "a welcome too short", AGENT_WELCOME, 0, -8, 0, false },
		{ "a refusal too long", AGENT_REFUSED, 0, 8, 0, false },
		{ "grants with no room for a count", AGENT_GRANTS, 0, -1, 0,
		  false },
		{ "hints with no room for a count", AGENT_HINTS, 0, -1, 0,
		  false },
		{ "a bye with a body", AGENT_BYE, 0, 4, 0, false },
	};
	struct agent_any m, beat;
	static uint8_t sent[2048];
	size_t bytes;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		bool taken;

		setup(state);
		bytes = make(&m, row[i].kind, row[i].count);
		if (row[i].kind == AGENT_GRANTS)
			m.grants.count = (uint16_t)row[i].said;
		if (row[i].kind == AGENT_HINTS)
			m.hints.count = (uint16_t)row[i].said;
		m.head.bytes = (uint16_t)((int)bytes + row[i].length);
		memset(sent, 0, sizeof(sent));
		memcpy(sent, &m, bytes);
		put(sent, m.head.bytes);
		bytes = make(&beat, AGENT_BEAT, 0);
		put(&beat, bytes);
		taken = agent_rx_next(&rx, &m) && m.head.kind != AGENT_BEAT;
		if (taken != row[i].taken)
			fail_msg("%s: %staken", row[i].what,
				 taken ? "" : "not ");
		if (taken && !agent_rx_next(&rx, &m))
			fail_msg("%s: the next is lost", row[i].what);
		assert_int_equal(m.head.kind, AGENT_BEAT);
		assert_int_equal(rx.fill, 0);
	}
}

/* Random bytes, good messages and messages with one byte changed among them:
 * what comes out is in bounds, and there is always room to go on. */
static void test_random(void **state)
{
	uint64_t in = 0, out = 0, found = 0;
	size_t room, bytes = make_stream();
	struct agent_any m;

	(void)state;
	srandom(4);
	for (unsigned turn = 0; turn < 20000; turn++) {
		unsigned pick = (unsigned)random() % SAMPLES;
		size_t from = pick ? ends[pick - 1] : 0;
		size_t n = ends[pick] - from;
		uint8_t *at = agent_rx_room(&rx, &room);

		assert_true(room >= n);
		assert_int_equal(ends[SAMPLES - 1], bytes);
		memcpy(at, stream + from, n);
		if (turn % 3 == 1)
			at[(size_t)random() % n] = (uint8_t)random();
		for (size_t i = 0; turn % 3 == 2 && i < n; i++)
			at[i] = (uint8_t)random();
		rx.fill += (uint32_t)n;
		in += n;
		for (; agent_rx_next(&rx, &m); found++) {
			out += m.head.bytes;
			assert_in_range(m.head.kind, AGENT_HELLO, AGENT_BYE);
			assert_in_range(m.head.bytes, 16, sizeof(m));
			if (m.head.kind == AGENT_GRANTS)
				assert_in_range(m.grants.count, 0,
						AGENT_WORDS_MAX);
			if (m.head.kind == AGENT_HINTS)
				assert_in_range(m.hints.count, 0,
						AGENT_HINTS_MAX);
		}
	}
	assert_int_equal(in, out + rx.skipped + rx.fill);
	assert_in_range(found, 6000, 14000);
}

/* A full buffer of the smallest messages, and of ones that wait for more. */
static void test_full(void **state)
{
	struct agent_any m, beat, grants;
	size_t bytes = make(&beat, AGENT_BEAT, 0), room;

	(void)state;
	for (unsigned i = 0; i < sizeof(rx.buf) / bytes; i++)
		put(&beat, bytes);
	agent_rx_room(&rx, &room);
	assert_int_equal(room, 0);
	for (unsigned i = 0; i < sizeof(rx.buf) / bytes; i++)
		assert_true(agent_rx_next(&rx, &m));
	assert_false(agent_rx_next(&rx, &m));
	assert_int_equal(rx.fill, 0);
	make(&grants, AGENT_GRANTS, AGENT_WORDS_MAX);
	grants.head.bytes = sizeof(m); /* grants never are as long as that */
	for (unsigned i = 0; i < 500; i++) {
		put(&grants, 64);
		assert_false(agent_rx_next(&rx, &m));
		agent_rx_room(&rx, &room);
		assert_int_not_equal(room, 0);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(test_bytes),	 T(test_cuts), T(test_begins_in_the_middle),
		T(test_garbage), T(test_lies), T(test_random),
		T(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
