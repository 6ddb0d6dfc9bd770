/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_stage.h - a link and a fake host, and short words for what they do
 *
 * For the tests of the agent's channel. Time is `now_ns`, moved by after().
 */
#ifndef LINK_STAGE_H
#define LINK_STAGE_H

#include "guest-agent/link.h"
#include "tests/fake/fake_agent_host.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define VCPUS  40 /* more than one message holds */

extern struct fake_host host;
extern struct link_conf conf; /* of the next link_open() */
extern struct link *l;
extern uint64_t now_ns;
extern struct grants granted; /* after the last turn */
extern struct agent_hint hint;
extern struct agent_hint_vcpu vcpu[AGENT_VCPUS];
extern const uint64_t two[2]; /* words that own */

/* setup() - A host and a configuration without page; start(): a link too. */
void setup(void);
void start(void);
void stop(void);

/* after() - @ms later, one turn. Return: as link_turn(). */
bool after(unsigned ms);

/* owned() - Vcpus granted. */
unsigned owned(void);

/* heard() - What the agent said since, as text: "HELLO HINTS ". */
const char *heard(void);

/* check() - The state, and a part of why. */
void check(enum link_state state, const char *why);

/* greeted(), work() - As far as HELLO; as far as WELCOME. */
void greeted(void);
void work(bool page);

/* tell() - link_hint() with `hint` and `vcpu`. */
void tell(bool urgent);

#endif
