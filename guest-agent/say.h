/* SPDX-License-Identifier: Apache-2.0 */
/*
 * say.h - what is still to be said to the host, and in which order
 *
 * Nothing queues: each kind of word is wanted or not, and of the hints only
 * the newest are kept, compared with what was said. So a host that does not
 * read costs no memory, and hears the present when it reads again. Pure; one
 * thread owns a struct say.
 */
#ifndef AGENT_SAY_H
#define AGENT_SAY_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/agent.h"

#define SAY_HINTS_NS 10000000ull /* from one round of hints to the next */
#define SAY_BEAT_NS  (AGENT_BEAT_MS * 1000000ull)

struct say {
	uint64_t epoch;
	bool hello, bell; /* wanted */
	bool open;	  /* welcomed: more than HELLO may be said */
	bool by_page;	  /* hints go that way: none as messages */
	bool dirty;	  /* hints changed since the round began */
	bool round;	  /* a round of hints is under way */
	bool force;	  /* its first message goes whether or not anything
			   * changed */
	uint16_t at;	  /* where the round goes on */
	uint16_t vcpu_cnt;
	uint64_t said_ns;    /* last word */
	uint64_t hints_ns;   /* no round before */
	uint64_t cnt, bytes; /* messages said */
	struct agent_hello greeting;
	struct agent_hint hint, hint_said;
	struct agent_hint_vcpu vcpu[AGENT_VCPUS], vcpu_said[AGENT_VCPUS];
};

/* say_hello() - Greet under a new epoch; nothing else until say_open(). */
void say_hello(struct say *s, uint64_t epoch, uint32_t caps);

/* say_open() - The host answered; it knows no hints yet. */
void say_open(struct say *s, uint16_t vcpu_cnt, bool by_page, uint64_t now_ns);

/* say_shut() - Nobody listens. */
void say_shut(struct say *s);

/* say_hint() - The newest hints; compared and sent by say_next(). */
void say_hint(struct say *s, const struct agent_hint *hint,
	      const struct agent_hint_vcpu *vcpu, uint16_t vcpu_cnt);

/* say_next() - Fill in the next message. Return: its length, 0: none now. */
size_t say_next(struct say *s, struct agent_any *m, uint64_t now_ns);

/* say_when_ns() - When say_next() has something at the latest. */
uint64_t say_when_ns(const struct say *s);

#endif
