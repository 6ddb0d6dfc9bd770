// SPDX-License-Identifier: Apache-2.0
/*
 * session.c - what agent and host have agreed, and what is granted by it
 *
 * Theory of operation: HELLO under a new epoch, again each ASK_NS until it is
 * answered; from WELCOME on grants are believed, out of the page if there is
 * one, else out of messages. They hold until a word says otherwise, the host
 * takes its leave, or it is not heard for AGENT_SILENT_MS by either way.
 *
 * The host is believed in nothing that costs. WELCOME is heard only when asked
 * for, so that no flood of them makes us search for pages; HELLOs are GREET_NS
 * apart however often it hangs up, and REFUSED_NS when it refused. Words
 * beyond the vcpus it spoke of are not taken.
 *
 * If its page cannot be found, or goes away, it is asked again without
 * AGENT_CAP_PAGE, and the page looked for every PAGE_NS; when it is there, the
 * host is asked with it. While that lasts the grants known so far hold.
 */
#include "session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <errno.h>

#include "hl/clock.h"

#define ASK_NS	   NSEC_PER_SEC
#define GREET_NS   (100 * NSEC_PER_MSEC)
#define REFUSED_NS (30 * NSEC_PER_SEC)
#define PAGE_NS	   (30 * NSEC_PER_SEC)
#define SILENT_NS  (AGENT_SILENT_MS * NSEC_PER_MSEC)

void session_become(struct session *s, enum link_state state, const char *fmt,
		    ...)
{
	va_list ap;

	s->state = state;
	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
}

/* --- grants -------------------------------------------------------------- */

static void grants_changed(struct session *s)
{
	if (!++s->now.gen)
		s->now.gen = 1;
}

/* Words of @count vcpus from @first on, if there are so many. */
static void grants_take(struct session *s, const uint64_t *word, unsigned first,
			unsigned count)
{
	if (first + count > s->now.vcpu_cnt ||
	    !memcmp(&s->now.word[first], word, count * sizeof(*word)))
		return;
	memcpy(&s->now.word[first], word, count * sizeof(*word));
	grants_changed(s);
}

/* Beyond the vcpus there are, all words are zero. */
static void grants_resize(struct session *s, uint16_t vcpu_cnt)
{
	if (vcpu_cnt == s->now.vcpu_cnt)
		return;
	memset(s->now.word + vcpu_cnt, 0,
	       (AGENT_VCPUS - vcpu_cnt) * sizeof(s->now.word[0]));
	s->now.vcpu_cnt = vcpu_cnt;
	grants_changed(s);
}

void session_grants(struct session *s, struct grants *out)
{
	uint64_t word[AGENT_VCPUS];

	if (s->page.at) {
		if (page_words(&s->page, word, s->now.vcpu_cnt))
			grants_take(s, word, 0, s->now.vcpu_cnt);
		else
			s->page_gone = true;
	}
	*out = s->now;
}

/* --- greeting ------------------------------------------------------------ */

void session_init(struct session *s, const struct link_conf *c)
{
	struct agent_hello *hello = &s->say.greeting;

	memset(s, 0, sizeof(*s));
	s->conf = *c;
	if (!c->root)
		s->conf.root = "";
	if (!c->page || strcmp(c->page, "none"))
		s->conf.caps |= AGENT_CAP_PAGE;
	else
		s->conf.caps &= ~(uint32_t)AGENT_CAP_PAGE;
	hello->version = AGENT_VERSION;
	hello->vcpu_cnt = c->vcpu_cnt;
	snprintf(hello->name, sizeof(hello->name), "%s",
		 c->name ? c->name : "");
	s->hello_ns = s->page_ns = SESSION_NEVER;
	session_become(s, LINK_NONE, "not looked for yet");
}

static uint64_t draw_epoch(uint64_t now_ns)
{
	uint64_t epoch = 0;

	/* early in a boot there may be no randomness yet, and no time to wait
	 * for it; the clock tells epochs apart as well, only not so surely */
	if (getrandom(&epoch, sizeof(epoch), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(epoch))
		epoch = now_ns << 20 ^ (uint64_t)getpid();
	return epoch ? epoch : 1;
}

/* Greet anew; what is granted holds until the answer. */
static void greet(struct session *s, uint64_t now_ns)
{
	uint32_t caps = s->conf.caps;

	if (s->no_page)
		caps &= ~(uint32_t)AGENT_CAP_PAGE;
	page_close(&s->page);
	say_hello(&s->say, draw_epoch(now_ns), caps);
	s->asked = true;
	s->greeted_ns = now_ns;
	s->hello_ns = now_ns + ASK_NS;
}

void session_begin(struct session *s, uint64_t now_ns)
{
	s->hello_ns = now_ns;
	if (s->greeted_ns && s->greeted_ns + GREET_NS > now_ns)
		s->hello_ns = s->greeted_ns + GREET_NS;
	if (s->hello_ns < s->refused_ns)
		s->hello_ns = s->refused_ns;
}

void session_end(struct session *s, uint64_t hello_ns)
{
	page_close(&s->page);
	say_shut(&s->say);
	grants_resize(s, 0);
	s->asked = s->welcomed = s->no_page = s->page_gone = false;
	s->token = 0;
	s->page_ns = SESSION_NEVER;
	s->hello_ns = hello_ns;
}

bool session_refused(const struct session *s, uint64_t now_ns)
{
	return s->state == LINK_REFUSED && now_ns < s->refused_ns;
}

/* --- what the host says -------------------------------------------------- */

/* It will not or cannot have us. */
static void refused(struct session *s, const struct agent_welcome *w,
		    uint64_t now_ns)
{
	s->refused_ns = now_ns + REFUSED_NS;
	session_end(s, s->refused_ns);
	switch (w->status) {
	case AGENT_ERR_VERSION:
		session_become(s, LINK_REFUSED,
			       "hostd speaks version %u, this agent version %u",
			       w->version, AGENT_VERSION);
		break;
	case AGENT_ERR_VCPUS:
		session_become(s, LINK_REFUSED,
			       "%u vcpus, where 1 to %u can be", w->vcpu_cnt,
			       AGENT_VCPUS);
		break;
	case AGENT_ERR_OFF:
		session_become(s, LINK_REFUSED, "switched off on the host");
		break;
	default:
		session_become(s, LINK_REFUSED, "hostd gave reason %u",
			       w->status);
	}
}

static void page_missing(struct session *s, int err, uint64_t now_ns)
{
	snprintf(s->page_why, sizeof(s->page_why), "%s",
		 err == -ENODEV ? "no device has the token of hostd's page"
				: strerror(-err));
	s->no_page = true;
	s->page_gone = false;
	s->page_ns = now_ns + PAGE_NS;
	greet(s, now_ns);
}

static void welcome(struct session *s, struct agent_welcome w, uint64_t now_ns)
{
	bool by_page =
	    (s->say.greeting.caps & w.caps & AGENT_CAP_PAGE) && w.token;
	int err = 0;

	if (!s->asked)
		return;
	if (w.status == AGENT_OK && w.version != AGENT_VERSION)
		w.status = AGENT_ERR_VERSION;
	if (w.status == AGENT_OK && (!w.vcpu_cnt || w.vcpu_cnt > AGENT_VCPUS))
		w.status = AGENT_ERR_VCPUS;
	if (w.status != AGENT_OK) {
		refused(s, &w, now_ns);
		return;
	}
	s->token = w.token;
	if (by_page)
		err = page_open(&s->page, s->conf.root, s->conf.page, w.token);
	if (err) {
		page_missing(s, err, now_ns);
		return;
	}
	s->asked = false;
	s->welcomed = true;
	s->hello_ns = SESSION_NEVER;
	/* words of an earlier session are not this one's */
	grants_resize(s, 0);
	grants_resize(s, (uint16_t)w.vcpu_cnt);
	say_open(&s->say, (uint16_t)w.vcpu_cnt, by_page, now_ns);
	if (by_page) {
		page_greet(&s->page, s->say.epoch);
		session_become(s, LINK_PAGE, "grants are read from the page");
	} else {
		session_become(s, LINK_CHANNEL, "grants come as messages%s%s",
			       s->no_page ? "; no page: " : "",
			       s->no_page ? s->page_why : "");
	}
}

void session_hear(struct session *s, const struct agent_any *m, uint64_t now_ns)
{
	if (m->head.epoch != s->say.epoch || !(s->asked || s->welcomed))
		return;
	s->heard_ns = now_ns;
	switch (m->head.kind) {
	case AGENT_WELCOME:
		welcome(s, m->welcome, now_ns);
		break;
	case AGENT_REFUSED:
		refused(s, &m->welcome, now_ns);
		break;
	case AGENT_GRANTS:
		/* with the page it is a bell, and the page is looked at in
		 * each turn */
		if (s->welcomed && !s->asked && !s->page.at)
			grants_take(s, m->grants.word, m->grants.first,
				    m->grants.count);
		break;
	case AGENT_BYE:
		session_end(s, now_ns + ASK_NS);
		session_become(s, LINK_WAITING, "hostd took its leave");
		break;
	default: /* BELL and BEAT say that it lives; HELLO is none of ours */
		break;
	}
}

/* --- what time brings ---------------------------------------------------- */

static void look_at_page(struct session *s, uint64_t now_ns)
{
	uint64_t word[AGENT_VCPUS];

	if (!s->page.at)
		return;
	if (s->page_gone || !page_words(&s->page, word, s->now.vcpu_cnt)) {
		page_missing(s, -ENODEV, now_ns);
		session_become(s, LINK_CHANNEL, "the page went away");
		return;
	}
	grants_take(s, word, 0, s->now.vcpu_cnt);
	if (page_heard(&s->page))
		s->heard_ns = now_ns;
	if (now_ns >= s->say.said_ns + SAY_BEAT_NS)
		page_beat(&s->page);
}

/* The page that was not there: greet anew when it is. */
static void look_for_page(struct session *s, uint64_t now_ns)
{
	struct page probe = { 0 };

	if (now_ns < s->page_ns || !s->welcomed || s->asked)
		return;
	s->page_ns = now_ns + PAGE_NS;
	if (page_open(&probe, s->conf.root, s->conf.page, s->token))
		return;
	page_close(&probe);
	s->no_page = false;
	s->page_ns = SESSION_NEVER;
	greet(s, now_ns);
}

void session_turn(struct session *s, uint64_t now_ns)
{
	look_at_page(s, now_ns);
	look_for_page(s, now_ns);
	if (s->welcomed && now_ns >= s->heard_ns + SILENT_NS) {
		session_end(s, now_ns);
		session_become(s, LINK_SILENT, "no word from hostd for %u s",
			       AGENT_SILENT_MS / 1000);
	}
	if (now_ns < s->hello_ns)
		return;
	if (!s->asked) {
		greet(s, now_ns);
		return;
	}
	/* the same epoch: the answer may be under way */
	s->say.hello = true;
	s->greeted_ns = now_ns;
	s->hello_ns = now_ns + ASK_NS;
	if (s->state == LINK_WAITING)
		session_become(s, LINK_WAITING, "hostd does not answer");
}

static void earlier(uint64_t *at_ns, uint64_t other_ns)
{
	if (other_ns < *at_ns)
		*at_ns = other_ns;
}

uint64_t session_when_ns(const struct session *s)
{
	uint64_t at_ns = say_when_ns(&s->say);

	earlier(&at_ns, s->hello_ns);
	if (s->welcomed) {
		earlier(&at_ns, s->heard_ns + SILENT_NS);
		if (!s->asked)
			earlier(&at_ns, s->page_ns);
	}
	return at_ns;
}
