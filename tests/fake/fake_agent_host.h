/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_agent_host.h - a host at the other end of an agent's channel
 *
 * Listens at a unix socket in a temporary directory, speaks hl/agent.h, and
 * has a page: a plain file. Everything at once, nothing waits.
 */
#ifndef FAKE_AGENT_HOST_H
#define FAKE_AGENT_HOST_H

#include <stdbool.h>

#include "hl/agent.h"
#include "hl/agent_wire.h"

struct fake_host {
	char dir[64], sock[96], file[96];
	int listener, fd; /* -1: closed */
	uint64_t epoch;	  /* of the last HELLO */
	struct agent_page *page;
	struct agent_rx rx;
};

#define FAKE_TOKEN 0x1122334455667788ull

/* host_open() - Directory, listener and page. Asserts on failure. */
void host_open(struct fake_host *h);
void host_close(struct fake_host *h);

/* host_accept() - Return: false: nobody connected. */
bool host_accept(struct fake_host *h);
void host_hang_up(struct fake_host *h);

/* host_hear() - The agent's next message. Return: false: there is none. */
bool host_hear(struct fake_host *h, struct agent_any *m);

/* host_say() - Send under the epoch of the last HELLO. */
void host_say(struct fake_host *h, struct agent_any *m, enum agent_kind kind,
	      size_t body_bytes);
void host_bytes(struct fake_host *h, const void *bytes, size_t n);

/* What hosts say. */
void host_welcome(struct fake_host *h, uint32_t vcpu_cnt, bool page);
void host_grants(struct fake_host *h, uint16_t first, uint16_t count,
		 const uint64_t *word);

/* host_page_reset() - A good head again, no grants, all of the file there. */
void host_page_reset(struct fake_host *h);

#endif
