// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_agent_wire.c - any bytes as a stream of the agent's channel, cut in
 * pieces whose lengths are bytes of the input too
 *
 * What comes out is in bounds, no byte is counted twice or not at all, and the
 * cuts make no difference.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hl/agent_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static uint64_t mix(uint64_t sum, const void *data, size_t bytes)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < bytes; i++)
		sum = (sum ^ p[i]) * 0x100000001b3ull;
	return sum;
}

/* Read all; @cut: a piece is at most so long, its first bytes say how much.
 * Return: a sum over all messages that came out. */
static uint64_t run(const uint8_t *data, size_t size, size_t cut)
{
	static struct agent_rx rx;
	struct agent_any m;
	uint64_t sum = 0, out = 0;
	size_t at = 0, room, n;
	void *to;

	memset(&rx, 0, sizeof(rx));
	while (at < size) {
		to = agent_rx_room(&rx, &room);
		must(room > 0);
		n = cut ? 1 + data[at] % cut : room;
		n = n < room ? n : room;
		n = n < size - at ? n : size - at;
		memcpy(to, data + at, n);
		rx.fill += (uint32_t)n;
		at += n;
		while (agent_rx_next(&rx, &m)) {
			must(m.head.magic == AGENT_MSG_MAGIC);
			must(m.head.kind && m.head.kind < AGENT_KINDS);
			must(m.head.bytes <= sizeof(m));
			must(m.head.kind != AGENT_GRANTS ||
			     m.grants.count <= AGENT_WORDS_MAX);
			must(m.head.kind != AGENT_HINTS ||
			     m.hints.count <= AGENT_HINTS_MAX);
			for (size_t i = m.head.bytes; i < sizeof(m); i++)
				must(!((uint8_t *)&m)[i]);
			out += m.head.bytes;
			sum = mix(sum, &m, m.head.bytes);
		}
		must(rx.fill < sizeof(m));
	}
	must(out + rx.skipped + rx.fill == size);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t whole = run(data, size, 0);

	must(run(data, size, 1) == whole);
	must(run(data, size, 100) == whole);
	return 0;
}
