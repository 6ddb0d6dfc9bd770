/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - what agent and host have agreed, and what is granted by it
 *
 * link.c's inner half: it knows messages and the page, not where bytes come
 * from. The agent's one thread.
 */
#ifndef AGENT_SESSION_H
#define AGENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/agent.h"
#include "link.h"
#include "page.h"
#include "say.h"

#define SESSION_NEVER UINT64_MAX

struct session {
	struct link_conf conf;
	enum link_state state;
	char why[320], page_why[64];
	bool asked;	     /* HELLO was said and has no answer */
	bool welcomed;	     /* it was answered: grants are believed */
	bool no_page;	     /* looked for it in vain */
	bool page_gone;	     /* session_grants() saw it go */
	uint64_t hello_ns;   /* say HELLO then; SESSION_NEVER */
	uint64_t greeted_ns; /* last HELLO */
	uint64_t refused_ns; /* until then nothing is asked again */
	uint64_t heard_ns;   /* last word of the host */
	uint64_t page_ns;    /* look for the page; SESSION_NEVER */
	uint64_t token;
	struct grants now;
	struct page page;
	struct say say;
};

void session_init(struct session *s, const struct link_conf *c);

/* session_become() - What a person is told. */
void session_become(struct session *s, enum link_state state, const char *fmt,
		    ...) __attribute__((format(printf, 3, 4)));

/* session_begin() - Somebody is at the other end: greet, but not sooner after
 * the last time than is good. */
void session_begin(struct session *s, uint64_t now_ns);

/* session_end() - Nobody is: nothing is granted, no page, say nothing until
 * @hello_ns. */
void session_end(struct session *s, uint64_t hello_ns);

/* session_refused() - Was it refused, and is that to be kept? */
bool session_refused(const struct session *s, uint64_t now_ns);

/* session_hear() - One message; m is as agent_rx_next() leaves it. */
void session_hear(struct session *s, const struct agent_any *m,
		  uint64_t now_ns);

/* session_turn() - Look at the page and at the clock; what is to be said is in
 * s->say afterwards. */
void session_turn(struct session *s, uint64_t now_ns);

/* session_when_ns() - When session_turn() has work at the latest. */
uint64_t session_when_ns(const struct session *s);

/* session_grants() - As link_grants(). */
void session_grants(struct session *s, struct grants *out);

#endif
