// SPDX-License-Identifier: Apache-2.0
/*
 * link_stage.c - a link and a fake host, and short words for what they do
 */
#include "tests/edge/link_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hl/clock.h"

struct fake_host host;
struct link_conf conf;
struct link *l;
uint64_t now_ns;
struct grants granted;

struct agent_hint hint;
struct agent_hint_vcpu vcpu[AGENT_VCPUS];

/* --- steps --------------------------------------------------------------- */

void setup(void)
{
	host_open(&host);
	now_ns = 1000 * NSEC_PER_SEC;
	conf = (struct link_conf){ .port = host.sock,
				   .page = "none",
				   .caps = AGENT_CAP_PLACE,
				   .vcpu_cnt = VCPUS,
				   .name = "agent 1.2" };
}

void start(void)
{
	setup();
	assert_int_equal(link_open(&l, &conf, now_ns), 0);
}

void stop(void)
{
	link_close(l);
	l = NULL;
	host_close(&host);
}

bool after(unsigned ms)
{
	bool changed;

	now_ns += ms * NSEC_PER_MSEC;
	changed = link_turn(l, now_ns);
	link_grants(l, &granted);
	return changed;
}

unsigned owned(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < AGENT_VCPUS; i++)
		n += agent_word_owns(granted.word[i]);
	return n;
}

/* What the agent said since, as text: "HELLO HINTS". */
const char *heard(void)
{
	static const char *const name[AGENT_KINDS] = {
		[AGENT_HELLO] = "HELLO ", [AGENT_HINTS] = "HINTS ",
		[AGENT_BELL] = "BELL ",	  [AGENT_BEAT] = "BEAT ",
		[AGENT_BYE] = "BYE ",
	};
	static char text[4096];
	struct agent_any m;

	text[0] = '\0';
	while (host_hear(&host, &m)) {
		assert_non_null(name[m.head.kind]);
		if (strlen(text) < sizeof(text) - 16)
			strcat(text, name[m.head.kind]);
	}
	return text;
}

void check(enum link_state state, const char *why)
{
	if (link_state(l) != state || !strstr(link_why(l), why))
		fail_msg("state %d: %s", link_state(l), link_why(l));
}

void greeted(void)
{
	after(0);
	assert_true(host_accept(&host));
	after(0);
	assert_string_equal(heard(), "HELLO ");
	check(LINK_WAITING, "");
}

void work(bool page)
{
	greeted();
	host_welcome(&host, VCPUS, page);
	after(0);
	check(page ? LINK_PAGE : LINK_CHANNEL, "");
	heard();
}

const uint64_t two[2] = { 0x100020005, 0x300040006 };

void tell(bool urgent)
{
	link_hint(l, &hint, vcpu, VCPUS, urgent, now_ns);
}
