// SPDX-License-Identifier: Apache-2.0
/*
 * test_agents_session.c - one VM's channel as conversations: what is done, what
 * hostd then says, which state it is in
 */
#include "agent_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hl/bounds.h"

#define MS    1000000ull
#define EPOCH 100 /* of the first agent */
#define TOKEN 7777

static struct session s;
static struct session_page *page;
static uint64_t now_ns, word[AGENT_VCPUS], epoch;
static struct agent_rx said_rx; /* what hostd says, on its way to words */
static char said[8192];

/* --- what hostd says, in words ------------------------------------------- */

static void __attribute__((format(printf, 1, 2))) note(const char *fmt, ...)
{
	size_t n = strlen(said);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said + n, sizeof(said) - n, fmt, ap);
	va_end(ap);
}

static void note_grants(const struct agent_grants *g)
{
	note("grants%u+%u(", g->first, g->count);
	for (unsigned i = 0; i < g->count; i++) {
		if (agent_word_owns(g->word[i]))
			note("%s%u", i ? "," : "", agent_word_cpu(g->word[i]));
		else
			note("%s-", i ? "," : "");
	}
	note(") ");
}

static void note_msg(const struct agent_any *m)
{
	static const char *const name[] = { [AGENT_BELL] = "bell",
					    [AGENT_BEAT] = "beat",
					    [AGENT_BYE] = "bye" };

	if (m->head.epoch != epoch)
		note("to %u: ", (unsigned)m->head.epoch);
	if (m->head.kind == AGENT_WELCOME)
		note("welcome(%u%s) ", m->welcome.vcpu_cnt,
		     m->welcome.token == TOKEN ? ",page"
		     : m->welcome.token	       ? ",another page"
		     : m->welcome.caps	       ? ",cap without page"
					       : "");
	else if (m->head.kind == AGENT_REFUSED)
		note("refused(%u) ", m->welcome.status);
	else if (m->head.kind == AGENT_GRANTS)
		note_grants(&m->grants);
	else
		note("%s ", name[m->head.kind]);
}

/* Let it say what it has to, @max bytes at most. */
static void listen(size_t max)
{
	const uint8_t *data;
	struct agent_any m;
	size_t n, room;

	while ((n = session_out(&s, &data, now_ns)) && max) {
		n = n < max ? n : max;
		memcpy(agent_rx_room(&said_rx, &room), data, n);
		said_rx.fill += (uint32_t)n;
		session_sent(&s, n);
		max -= n;
		while (agent_rx_next(&said_rx, &m))
			note_msg(&m);
	}
}

/* --- what the guest says ------------------------------------------------- */

static void feed(const void *data, size_t bytes)
{
	size_t room;
	void *at = session_room(&s, &room);

	assert_in_range(bytes, 0, room);
	memcpy(at, data, bytes);
	session_take(&s, bytes, now_ns);
}

static void say(enum agent_kind kind, uint64_t of_epoch, size_t body,
		struct agent_any *m)
{
	feed(m, agent_msg_put(m, kind, of_epoch, body));
}

static void say_hello(uint32_t version, uint32_t vcpus, uint32_t caps)
{
	struct agent_any m = {
		.hello = { .version = version, .vcpu_cnt = vcpus, .caps = caps }
	};

	memset(m.hello.name, 'n', sizeof(m.hello.name)); /* no NUL */
	say(AGENT_HELLO, epoch, sizeof(m.hello), &m);
}

static void say_hints(unsigned wanted, unsigned wait_us, unsigned workers,
		      unsigned first, unsigned count)
{
	struct agent_any m = { .hints = {
				   .hint = { .wanted = (uint16_t)wanted,
					     .wait_us = wait_us,
					     .workers = (uint16_t)workers,
					     .runnable = 9 },
				   .first = (uint16_t)first,
				   .count = (uint16_t)count } };

	for (unsigned i = 0; i < count; i++) {
		m.hints.vcpu[i].runnable = (uint16_t)(first + i + 1);
		m.hints.vcpu[i].ack =
		    first + i < AGENT_VCPUS ? word[first + i] : 0;
	}
	say(AGENT_HINTS, epoch, agent_hints_bytes(count), &m);
}

/* --- conversations ------------------------------------------------------- */

enum op {
	END,
	HELLO,	/* version a, vcpus b */
	AGAIN,	/* another agent, from now on */
	SAY,	/* kind a of epoch b; 0: the present one */
	HINT,	/* wanted a, wait b us */
	GRANT,	/* vcpu a owns cpu b; CPU_NONE: nothing */
	PASS,	/* a ms, one at a time */
	PAGE,	/* its page has epoch a, beat b; 0: none of it is right */
	TOKENS, /* hostd's page has token a */
	VCPUS,	/* a of them */
	ENABLE, /* agent = on (a) or off */
	LINK,	/* the connection is made anew */
	NOISE,	/* a bytes */
	DEAF,	/* the guest reads a bytes only, from now on */
};

struct step {
	const char *what;
	enum op op;
	unsigned a, b;
	const char *said;
	enum session_state state;
};

static size_t hears; /* bytes the guest reads a step */

static void pass(unsigned ms)
{
	for (; ms; ms--) {
		now_ns += MS;
		session_time(&s, now_ns);
		if (!session_may_read(&s))
			session_take(&s, 0, now_ns);
		listen(hears);
	}
}

static void look_at_page(unsigned of_epoch, unsigned beat)
{
	page->valid = of_epoch != 0;
	page->epoch = of_epoch;
	page->beat = beat;
	session_page(&s, page, now_ns);
}

static void do_step(const struct step *t)
{
	static const uint8_t noise[4096];
	struct agent_any m = { .head = { 0 } };

	switch (t->op) {
	case END:
		break;
	case HELLO:
		say_hello(t->a, t->b, AGENT_CAP_PAGE);
		break;
	case AGAIN:
		epoch++;
		break;
	case SAY:
		say((enum agent_kind)t->a, t->b ? t->b : epoch,
		    t->a == AGENT_GRANTS ? agent_grants_bytes(0) : 0, &m);
		break;
	case HINT:
		say_hints(t->a, t->b, 10, 0, 4);
		break;
	case GRANT:
		word[t->a] = agent_word(agent_word_gen(word[t->a]) + 1,
					(uint16_t)t->b, 0);
		session_words(&s, word);
		break;
	case PASS:
		pass(t->a);
		break;
	case PAGE:
		look_at_page(t->a, t->b);
		break;
	case TOKENS:
		session_set(&s, s.vcpu_cnt, s.enabled, t->a);
		break;
	case VCPUS:
		session_set(&s, (uint16_t)t->a, s.enabled, s.token);
		break;
	case ENABLE:
		session_set(&s, s.vcpu_cnt, t->a, s.token);
		break;
	case LINK:
		session_link(&s);
		memset(&said_rx, 0, sizeof(said_rx));
		break;
	case NOISE:
		feed(noise, t->a);
		break;
	case DEAF:
		hears = t->a;
		break;
	}
	listen(hears);
}

#define WELCOME	 "welcome(4) grants0+4(-,-,-,-) "
#define WELCOMEP "welcome(4,page) grants0+4(-,-,-,-) "
#define W	 SESSION_WAITING
#define C	 SESSION_CHANNEL
#define P	 SESSION_PAGE
#define S	 SESSION_SILENT
#define R	 SESSION_REFUSED
#define O	 SESSION_OFF

static const struct step by_channel[] = {
	{ "nobody: nothing is said", PASS, 3000, 0, "", W },
	{ "granted before anybody came", GRANT, 2, 6, "", W },
	{ "hello", HELLO, 1, 4, "welcome(4) grants0+4(-,-,6,-) ", C },
	{ "nothing new", PASS, 999, 0, "", C },
	{ "a beat each second", PASS, 1, 0, "beat ", C },
	{ "a grant", GRANT, 1, 5, "grants1+1(5) ", C },
	{ "lost and had again unseen", GRANT, 1, 5, "grants1+1(5) ", C },
	{ "a revoke", GRANT, 2, CPU_NONE, "grants2+1(-) ", C },
	{ "no beat after another word", PASS, 900, 0, "", C },
	{ "its beat", SAY, AGENT_BEAT, 0, "", C },
	{ "bye", SAY, AGENT_BYE, 0, "", W },
	{ "nothing is said after it", GRANT, 1, CPU_NONE, "", W },
	{ "another agent", AGAIN, 0, 0, "", W },
	{ "its hello", HELLO, 1, 4, WELCOME, C },
	{ "hello once more", HELLO, 1, 4, WELCOME, C },
	{ "a third, without a bye", AGAIN, 0, 0, "", C },
	{ "hello", HELLO, 1, 4, WELCOME, C },
	{ "left over from the second", SAY, AGENT_BYE, EPOCH + 1, "", C },
	{ "vcpus plugged: it shall ask again", VCPUS, 6, 0, "bye ", W },
	{ "hello", HELLO, 1, 4, "welcome(6) grants0+6(-,-,-,-,-,-) ", C },
	{ "the same number", VCPUS, 6, 0, "", C },
	{ "unplugged", VCPUS, 1, 0, "bye ", W },
	{ "said before it heard", SAY, AGENT_BEAT, 0, "bye ", W },
	{ "hello", HELLO, 1, 4, "welcome(1) grants0+1(-) ", C },
	{ "connection lost", LINK, 0, 0, "", W },
	{ 0 },
};

static const struct step silences[] = {
	{ "hello", HELLO, 1, 4, WELCOME, C },
	{ "almost", PASS, 4999, 0, "beat beat beat beat ", C },
	{ "five seconds", PASS, 1, 0, "", S },
	{ "nothing is said to it", PASS, 10000, 0, "", S },
	{ "nor this", GRANT, 0, 3, "", S },
	{ "a word: the news", SAY, AGENT_BEAT, 0, "grants0+1(3) ", C },
	{ "silent again", PASS, 5000, 0, "beat beat beat beat ", S },
	{ "hello", HELLO, 1, 4, "welcome(4) grants0+4(3,-,-,-) ", C },
	{ "silent", PASS, 5000, 0, "beat beat beat beat ", S },
	{ "a word of another", SAY, AGENT_BEAT, 5, "", S },
	{ "bye", SAY, AGENT_BYE, 0, "", W },
	{ 0 },
};

static const struct step refusals[] = {
	{ "version 2", HELLO, 2, 4, "refused(1) ", R },
	{ "nothing else is said", PASS, 3000, 0, "", R },
	{ "nor heard", SAY, AGENT_BEAT, 0, "", R },
	{ "nor granted", GRANT, 0, 3, "", R },
	{ "asked again", HELLO, 2, 4, "refused(1) ", R },
	{ "version 0", HELLO, 0, 4, "refused(1) ", R },
	{ "too many vcpus", HELLO, 1, 513, "refused(2) ", R },
	{ "so many", HELLO, 1, 0xffffffff, "refused(2) ", R },
	{ "none", HELLO, 1, 0, "refused(2) ", R },
	{ "as many as can be", HELLO, 1, 512, "welcome(4) grants0+4(3,-,-,-) ",
	  C },
	{ "agent = off", ENABLE, 0, 0, "refused(3) ", O },
	{ "hello all the same", HELLO, 1, 4, "refused(3) ", O },
	{ "agent = on", ENABLE, 1, 0, "", R },
	{ "the connection is made anew", LINK, 0, 0, "", W },
	{ "hello", HELLO, 1, 4, "welcome(4) grants0+4(3,-,-,-) ", C },
	{ 0 },
};

/* hostd was restarted, or messages were lost. */
static const struct step strangers[] = {
	{ "a beat of one unknown", SAY, AGENT_BEAT, 55, "to 55: bye ", W },
	{ "hints of one unknown", HINT, 1, 0, "bye ", W },
	{ "a bye of one unknown", SAY, AGENT_BYE, 56, "to 56: bye ", W },
	{ "hostd's own words come back", SAY, AGENT_GRANTS, 0, "", W },
	{ "of no kind", SAY, 0, 0, "", W },
	{ "of a later kind", SAY, AGENT_KINDS, 0, "", W },
	{ "hello", HELLO, 1, 4, WELCOME, C },
	{ "left over", SAY, AGENT_BEAT, 55, "", C },
	{ "hostd's own words", SAY, AGENT_GRANTS, 0, "", C },
	{ 0 },
};

static const struct step by_page[] = {
	{ "there is a page", TOKENS, TOKEN, 0, "", W },
	{ "hello", HELLO, 1, 4, WELCOMEP, C },
	{ "not its page yet", PAGE, 0, 0, "", C },
	{ "a former agent's", PAGE, EPOCH - 1, 1, "", C },
	{ "grants go by messages", GRANT, 0, 3, "grants0+1(3) ", C },
	{ "its page", PAGE, EPOCH, 1, "bell ", P },
	{ "now they are rung for", GRANT, 1, 4, "bell ", P },
	{ "nothing new", PAGE, EPOCH, 1, "", P },
	{ "the page's beat is a word", PASS, 4000, 0, "beat beat beat beat ",
	  P },
	{ "it moved", PAGE, EPOCH, 2, "", P },
	{ "so not silent", PASS, 4000, 0, "beat beat beat beat ", P },
	{ "it did not", PAGE, EPOCH, 2, "", P },
	{ "silent", PASS, 1000, 0, "", S },
	{ "no bell for the silent", GRANT, 2, 5, "", S },
	{ "it moved again", PAGE, EPOCH, 3, "bell ", P },
	{ "spoilt", PAGE, EPOCH + 9, 4, "grants0+4(3,4,5,-) ", C },
	{ "and well again", PAGE, EPOCH, 5, "bell ", P },
	{ "the page is detached", TOKENS, 0, 0, "bye ", W },
	{ "hello", HELLO, 1, 4, "welcome(4) grants0+4(3,4,5,-) ", C },
	{ "what it was says nothing", PAGE, EPOCH, 6, "", C },
	{ "another is attached", TOKENS, TOKEN + 1, 0, "bye ", W },
	{ "hello", HELLO, 1, 4, "welcome(4,another page) grants0+4(3,4,5,-) ",
	  C },
	{ "taken", PAGE, EPOCH, 7, "bell ", P },
	{ "a new agent", AGAIN, 0, 0, "", P },
	{ "hello", HELLO, 1, 4, "welcome(4,another page) grants0+4(3,4,5,-) ",
	  C },
	{ "the page is the old one's", PAGE, EPOCH, 8, "", C },
	{ "agent = off", ENABLE, 0, 0, "refused(3) ", O },
	{ "its page says nothing", PAGE, EPOCH + 1, 9, "", O },
	{ 0 },
};

/* A guest that does not read is told the newest, not the history. */
static const struct step deaf[] = {
	{ "hello", HELLO, 1, 4, WELCOME, C },
	{ "reads half a head", DEAF, 10, 0, "", C },
	{ "a grant", GRANT, 0, 1, "", C },
	{ "reads nothing", DEAF, 0, 0, "", C },
	{ "overtaken", GRANT, 0, 2, "", C },
	{ "and again", GRANT, 0, 3, "", C },
	{ "and another", GRANT, 3, 4, "", C },
	{ "beats", PASS, 3000, 0, "", C },
	{ "reads all: what was begun, then what holds", DEAF, 65536, 0,
	  "grants0+1(1) grants0+4(3,-,-,4) ", C },
	{ 0 },
};

static const struct step noises[] = {
	{ "noise before", NOISE, 100, 0, "", W },
	{ "hello", HELLO, 1, 4, WELCOME, C },
	{ "noise", NOISE, 30, 0, "", C },
	{ "heard all the same", HINT, 1, 0, "", C },
	{ 0 },
};

static const struct {
	const char *what;
	const struct step *step;
} talks[] = {
	{ "by channel", by_channel }, { "silence", silences },
	{ "refusals", refusals },     { "strangers", strangers },
	{ "by page", by_page },	      { "deaf", deaf },
	{ "noise", noises },
};

static int setup(void **state)
{
	(void)state;
	if (!page)
		page = calloc(1, sizeof(*page));
	memset(word, 0, sizeof(word));
	memset(&said_rx, 0, sizeof(said_rx));
	said[0] = '\0';
	now_ns = 1000000 * MS;
	epoch = EPOCH;
	hears = sizeof(said);
	session_init(&s, 1);
	session_set(&s, 4, true, 0);
	session_link(&s);
	return page ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(page);
	page = NULL;
	return 0;
}

static void test_talks(void **state)
{
	for (unsigned i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		setup(state);
		for (const struct step *t = talks[i].step; t->op; t++) {
			said[0] = '\0';
			do_step(t);
			if (strcmp(said, t->said) ||
			    session_state(&s) != t->state)
				fail_msg("%s, %s: %s, says '%s' not '%s'",
					 talks[i].what, t->what,
					 session_state_name(session_state(&s)),
					 said, t->said);
		}
	}
}

/* --- what comes of hints ------------------------------------------------- */

static void test_hint_bounds(void **state)
{
	static const struct {
		const char *what;
		unsigned wanted, wait_us, workers, first, count;
		bool valid;
		unsigned want_wanted, want_wait_us, want_runnable[4];
		unsigned refused;
	} row[] = {
		{ "plain", 2, 300, 10, 0, 4, true, 2, 300, { 1, 2, 3, 4 }, 0 },
		{ "wants all there are", 4, 0, 10, 0, 0, true, 4, 0, { 0 }, 0 },
		{ "wants more", 5, 0, 10, 0, 0, true, 4, 0, { 0 }, 0 },
		{ "wants the world", 65535, 0, 10, 0, 0, true, 4, 0, { 0 }, 0 },
		{ "waits a second",
		  1,
		  1000000,
		  10,
		  0,
		  0,
		  true,
		  1,
		  1000000,
		  { 0 },
		  0 },
		{ "waits an hour",
		  1,
		  0xffffffff,
		  10,
		  0,
		  0,
		  true,
		  1,
		  1000000,
		  { 0 },
		  0 },
		{ "nobody to want", 3, 300, 0, 0, 4, false, 0, 0, { 0 }, 0 },
		{ "some vcpus", 1, 0, 10, 2, 2, true, 1, 0, { 0, 0, 3, 4 }, 0 },
		{ "one too many",
		  1,
		  0,
		  10,
		  3,
		  2,
		  true,
		  1,
		  0,
		  { 0, 0, 0, 4 },
		  1 },
		{ "all beyond", 1, 0, 10, 4, 32, true, 1, 0, { 0 }, 1 },
		{ "far beyond", 1, 0, 10, 65535, 32, true, 1, 0, { 0 }, 1 },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		setup(state);
		say_hello(1, 4, 0);
		s.hint_new = false;
		say_hints(row[i].wanted, row[i].wait_us, row[i].workers,
			  row[i].first, row[i].count);
		if (s.hint.valid != row[i].valid ||
		    s.hint.wanted != row[i].want_wanted ||
		    s.hint.wait_us != row[i].want_wait_us ||
		    s.hint.runnable > s.hint.workers ||
		    s.hint_new != row[i].valid ||
		    s.count.refused != row[i].refused)
			fail_msg("%s: %d, %u, %u us, %u refused", row[i].what,
				 s.hint.valid, s.hint.wanted, s.hint.wait_us,
				 (unsigned)s.count.refused);
		for (unsigned v = 0; v < AGENT_VCPUS; v++) {
			unsigned want = v < 4 ? row[i].want_runnable[v] : 0;

			if (s.runnable[v] != want)
				fail_msg("%s: vcpu %u has %u", row[i].what, v,
					 s.runnable[v]);
		}
	}
}

/* A hint ends with whoever gave it. */
static void test_hint_ends(void **state)
{
	static const struct {
		const char *what;
		enum op op;
		unsigned a, b;
		bool valid;
	} row[] = {
		{ "stays while it beats", SAY, AGENT_BEAT, 0, true },
		{ "bye", SAY, AGENT_BYE, 0, false },
		{ "another's bye", SAY, AGENT_BYE, 5, true },
		{ "silence", PASS, 5000, 0, false },
		{ "not yet", PASS, 4999, 0, true },
		{ "a new hello", HELLO, 1, 4, false },
		{ "connection lost", LINK, 0, 0, false },
		{ "agent = off", ENABLE, 0, 0, false },
		{ "vcpus plugged", VCPUS, 8, 0, false },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct step t = { .op = row[i].op,
					.a = row[i].a,
					.b = row[i].b };

		setup(state);
		say_hello(1, 4, 0);
		say_hints(2, 300, 10, 0, 4);
		s.hint_new = false;
		do_step(&t);
		if (s.hint.valid != row[i].valid ||
		    s.hint_new == row[i].valid ||
		    (s.runnable[0] != 0) != row[i].valid)
			fail_msg("%s: %d, new %d", row[i].what, s.hint.valid,
				 s.hint_new);
	}
}

/* The same numbers by the page; old ones of a silent agent are not taken. */
static void test_page_hints(void **state)
{
	(void)state;
	session_set(&s, 4, true, TOKEN);
	say_hello(1, 4, AGENT_CAP_PAGE);
	page->hint = (struct agent_hint){ .wanted = 900,
					  .wait_us = 0xffffffff,
					  .workers = 3,
					  .runnable = 8 };
	for (unsigned i = 0; i < 8; i++)
		page->vcpu[i].runnable = 5;
	look_at_page(EPOCH - 1, 1);
	assert_false(s.hint.valid);
	look_at_page(EPOCH, 1);
	assert_true(s.hint.valid);
	assert_int_equal(s.hint.wanted, 4);
	assert_int_equal(s.hint.wait_us, 1000000);
	assert_int_equal(s.hint.runnable, 3);
	assert_int_equal(s.runnable[3], 5);
	assert_int_equal(s.runnable[4], 0);
	s.hint_new = false;
	look_at_page(EPOCH, 2);
	assert_false(s.hint_new); /* no change */
	pass(5000);
	assert_false(s.hint.valid);
	look_at_page(EPOCH, 2);
	assert_false(s.hint.valid);
	look_at_page(EPOCH, 3);
	assert_true(s.hint.valid);
	page->hint.workers = 0;
	look_at_page(EPOCH, 4);
	assert_false(s.hint.valid);
	assert_int_equal(s.runnable[0], 0);
	memset(page, 0, sizeof(*page));
}

static void test_acks(void **state)
{
	unsigned granted, acked;

	(void)state;
	say_hello(1, 4, 0);
	for (unsigned i = 0; i < 3; i++)
		word[i] = agent_word(1, (uint16_t)(4 + i), 4);
	word[3] = agent_word(1, AGENT_CPU_NONE, AGENT_CPU_NONE);
	session_words(&s, word);
	session_acks(&s, &granted, &acked);
	assert_int_equal(granted, 3);
	assert_int_equal(acked, 0);
	say_hints(1, 0, 1, 1, 3);
	session_acks(&s, &granted, &acked);
	assert_int_equal(granted, 3);
	assert_int_equal(acked, 2);
	word[1] = agent_word(2, 9, 4); /* the ack is of the former word */
	session_words(&s, word);
	session_acks(&s, &granted, &acked);
	assert_int_equal(acked, 1);
}

/* --- rates and lengths --------------------------------------------------- */

/* However much a guest sends, so many messages are read; nothing is lost. */
static void test_rate(void **state)
{
	struct agent_any m = { .head = { 0 } };
	size_t bytes = agent_msg_put(&m, AGENT_BEAT, EPOCH, 0), room;
	uint64_t sent = 0, before, from_ns;

	(void)state;
	say_hello(1, 4, 0);
	before = s.count.messages;
	from_ns = now_ns;
	for (; now_ns < from_ns + 2000 * MS; now_ns += MS) {
		if (!session_may_read(&s))
			session_take(&s, 0, now_ns);
		while (session_may_read(&s)) {
			uint8_t *at = session_room(&s, &room);
			size_t n = room - room % bytes;

			for (size_t i = 0; i < n; i += bytes)
				memcpy(at + i, &m, bytes);
			sent += n / bytes;
			session_take(&s, n, now_ns);
		}
		listen(sizeof(said));
		said[0] = '\0';
		assert_true(session_due_ns(&s) > now_ns);
		assert_true(session_due_ns(&s) <= now_ns + 2 * MS);
	}
	assert_in_range(s.count.messages - before, 2000, 2102);
	assert_in_range(s.count.throttled, 5, 50); /* once a buffer */
	for (; !session_may_read(&s); now_ns += MS)
		session_take(&s, 0, now_ns);
	assert_int_equal(s.count.messages - before, sent);
	assert_int_equal(s.count.skipped, 0);
}

/* Noise costs the same, and ends a connection some time. */
static void test_noise_rate(void **state)
{
	static const uint8_t noise[256] = "noise";
	uint64_t from_ns = now_ns;
	unsigned calls = 0;

	(void)state;
	for (; !session_is_bad(&s); now_ns += MS) {
		if (!session_may_read(&s))
			session_take(&s, 0, now_ns);
		else
			feed(noise, sizeof(noise));
		assert_true(++calls < 100000);
	}
	assert_in_range(s.count.skipped, SESSION_BAD_BYTES,
			SESSION_BAD_BYTES + 4096);
	assert_true(now_ns - from_ns > 3000 * MS);
	session_link(&s);
	assert_false(session_is_bad(&s));
}

/* A VM that gains and loses cpus all the time: its channel does not. */
static void test_out_rate(void **state)
{
	uint64_t before, from_ns;

	(void)state;
	say_hello(1, 4, 0);
	listen(sizeof(said));
	before = s.count.bytes_out;
	for (from_ns = now_ns; now_ns < from_ns + 1000 * MS;
	     now_ns += MS / 10) {
		word[0] = agent_word(agent_word_gen(word[0]) + 1, 3, 0);
		session_words(&s, word);
		said[0] = '\0';
		listen(sizeof(said));
		if (s.told[0] != word[0])
			assert_true(session_due_ns(&s) <= now_ns + MS);
	}
	assert_in_range((s.count.bytes_out - before) / 32, 900, 1101);
	now_ns += 200 * MS;
	said[0] = '\0';
	listen(sizeof(said));
	assert_int_equal(s.told[0], word[0]); /* the newest, in the end */
}

/* All words of a large VM, in several messages; then only what changed. */
static void test_many_vcpus(void **state)
{
	(void)state;
	session_set(&s, AGENT_VCPUS + 9, true, 0); /* cut to what can be */
	assert_int_equal(s.vcpu_cnt, AGENT_VCPUS);
	say_hello(1, AGENT_VCPUS, 0);
	listen(sizeof(said));
	for (unsigned i = 0; i < AGENT_VCPUS; i += AGENT_WORDS_MAX) {
		char part[32];

		snprintf(part, sizeof(part), "grants%u+32(", i);
		assert_non_null(strstr(said, part));
	}
	said[0] = '\0';
	word[5] = agent_word(1, 1, 0);
	word[36] = agent_word(1, 2, 0);
	word[37] = agent_word(1, 3, 0);
	word[511] = agent_word(1, 4, 0);
	session_words(&s, word);
	listen(sizeof(said));
	assert_non_null(strstr(said, "grants5+32(1,-"));
	assert_non_null(strstr(said, ",2) grants37+1(3) grants511+1(4) "));
}

/* Nobody is waited for who has nothing to do: due is in the future. */
static void test_due(void **state)
{
	(void)state;
	assert_int_equal(session_due_ns(&s), UINT64_MAX);
	say_hello(1, 4, 0);
	listen(sizeof(said));
	assert_int_equal(session_due_ns(&s), now_ns + 1000 * MS);
	hears = 0;
	pass(1000); /* a beat nobody reads */
	assert_int_equal(session_due_ns(&s), now_ns + 4000 * MS);
	pass(4000);
	assert_int_equal(session_state(&s), SESSION_SILENT);
	assert_int_equal(session_due_ns(&s), UINT64_MAX);
	hears = sizeof(said);
	listen(hears);
	word[0] = agent_word(1, 3, 0);
	session_words(&s, word);
	listen(hears);
	assert_int_equal(session_due_ns(&s), UINT64_MAX); /* still silent */
}

static void test_bye(void **state)
{
	struct agent_any m = { .head = { 0 } };

	(void)state;
	assert_int_equal(session_bye(&s, &m.head), 0); /* nobody there */
	say_hello(1, 4, 0);
	listen(10);
	assert_int_equal(session_bye(&s, &m.head), 0); /* in mid-message */
	listen(sizeof(said));
	assert_int_equal(session_bye(&s, &m.head), sizeof(m.head));
	assert_int_equal(m.head.kind, AGENT_BYE);
	assert_int_equal(m.head.epoch, EPOCH);
	assert_string_equal(session_state_name(99), "?");
	assert_int_equal(strlen(s.name), AGENT_NAME_BYTES - 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(test_talks),	    T(test_hint_bounds), T(test_hint_ends),
		T(test_page_hints), T(test_acks),	 T(test_rate),
		T(test_noise_rate), T(test_out_rate),	 T(test_many_vcpus),
		T(test_due),	    T(test_bye),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
