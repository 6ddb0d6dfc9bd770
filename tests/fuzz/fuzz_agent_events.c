// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_agent_events.c - any bytes as messages of the process connector
 *
 * As in a datagram: one message after another, until the rest is none. An event
 * that is taken names real threads.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guest-agent/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int truth)
{
	if (!truth)
		abort();
}

static void check(const struct event *ev)
{
	must(ev->kind <= EVENT_OWNER);
	must(ev->kind == EVENT_NONE || (ev->tid > 0 && ev->tgid > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct events e;
	uint8_t *copy = malloc(size ? size : 1), *at = copy;
	size_t left = size, used = 1;

	if (!copy)
		abort();
	memcpy(copy, data, size);
	memset(&e, 0, sizeof(e));
	for (; left && used; at += used, left -= used) {
		struct event ev;
		int got = events_parse(at, left, &used, &ev);

		must(used <= left);
		must(got == 1 || got == 0 || got < 0);
		if (got == 1) {
			check(&ev);
			events_count(&e, &ev, UINT64_MAX);
		}
	}
	free(copy);
	return 0;
}
