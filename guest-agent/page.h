/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - the page: memory shared with hostd (include/hl/agent.h)
 *
 * Only one can be open in a process: what keeps it alive when the memory goes
 * away under it is a signal handler. The agent's one thread.
 */
#ifndef AGENT_PAGE_H
#define AGENT_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/agent.h"

struct page {
	struct agent_page *at; /* NULL: closed */
	uint64_t token;
	uint32_t host_beat; /* last seen */
	uint32_t beat;	    /* ours */
};

/*
 * page_open() - Find the memory whose head says @token
 * @root: "/"; tests have trees of their own
 * @file: map this one; NULL: look at every ivshmem device
 *
 * Return: 0; -ENODEV: no memory has that token; -EBUSY: one is open already;
 * or -errno of the last one that could not be mapped.
 */
int page_open(struct page *p, const char *root, const char *file,
	      uint64_t token);
void page_close(struct page *p); /* our half says that nobody is there */

/* page_ok() - Is it still there, and still the one that was opened? */
bool page_ok(const struct page *p);

/* page_heard() - Has hostd's beat moved since the last call? */
bool page_heard(struct page *p);

/* page_words() - Copy the grants of @vcpu_cnt vcpus. Return: false when the
 * page went away meanwhile; @word is then of no use. */
bool page_words(const struct page *p, uint64_t *word, uint16_t vcpu_cnt);

/* page_greet() - Our half's head: from now on @epoch speaks. */
void page_greet(struct page *p, uint64_t epoch);

/* page_hint(), page_beat() - Write our half. */
void page_hint(struct page *p, const struct agent_hint *hint,
	       const struct agent_hint_vcpu *vcpu, uint16_t vcpu_cnt);
void page_beat(struct page *p);

#endif
