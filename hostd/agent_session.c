// SPDX-License-Identifier: Apache-2.0
/*
 * agent_session.c - what hostd and one guest's agent have said to each other
 *
 * Theory of operation. A session waits until a HELLO names an epoch, and from
 * then on takes messages of that epoch only. What it has to say is state, not
 * a queue: bits of what is owed, and the words that differ from those told
 * last. The next message is made when the one before is out, from what holds
 * then. It says nothing before a HELLO, and nothing to an agent that has been
 * silent for AGENT_SILENT_MS: a port nobody reads would fill with old words.
 *
 * The agent uses the page when its epoch stands in it. Until then words go by
 * GRANTS, afterwards a BELL says that the page has new ones.
 *
 * Whatever the guest says is cut to what its VM can have before it is kept. An
 * agent that watches no worker knows nothing: its hint is not valid.
 */
#include "agent_session.h"

#include <string.h>

#include "hl/clock.h"

#define BEAT_NS	  (AGENT_BEAT_MS * NSEC_PER_MSEC)
#define SILENT_NS (AGENT_SILENT_MS * NSEC_PER_MSEC)
#define PERIOD_NS (NSEC_PER_SEC / SESSION_RATE)
#define BURST_NS  (SESSION_BURST * PERIOD_NS)

enum phase {
	PHASE_WAITING, /* no hello yet, or a bye */
	PHASE_UP,
	PHASE_REFUSED,
};

enum owe {
	OWE_BYE = 1, /* to bye_epoch, a stranger */
	OWE_WELCOME = 2,
	OWE_REFUSED = 4,
	OWE_BELL = 8,
};

/* --- rates --------------------------------------------------------------- */

/* A leaky bucket as one time: when it will have run dry. Each message fills in
 * a period; it is full BURST_NS from now. */
static bool bucket_open(uint64_t at_ns, uint64_t now_ns)
{
	return at_ns < now_ns + BURST_NS;
}

static void bucket_fill(uint64_t *at_ns, uint64_t cnt, uint64_t now_ns)
{
	*at_ns = (*at_ns > now_ns ? *at_ns : now_ns) + cnt * PERIOD_NS;
}

static uint64_t bucket_open_ns(uint64_t at_ns)
{
	return at_ns > BURST_NS ? at_ns - BURST_NS + 1 : 0;
}

/* --- who is there -------------------------------------------------------- */

static void hint_forget(struct session *s)
{
	memset(&s->hint, 0, sizeof(s->hint));
	memset(s->runnable, 0, sizeof(s->runnable));
	s->hint_new = true;
}

/* Nobody is known any more. */
static void forget(struct session *s)
{
	s->phase = PHASE_WAITING;
	s->status = AGENT_OK;
	s->owed = 0;
	s->sent_cnt = 0;
	s->silent = s->page_used = s->look = false;
	memset(s->name, 0, sizeof(s->name));
	memset(s->ack, 0, sizeof(s->ack));
	hint_forget(s);
}

void session_init(struct session *s, uint32_t gen)
{
	memset(s, 0, sizeof(*s));
	s->gen = gen;
}

void session_link(struct session *s)
{
	forget(s);
	s->rx.fill = 0;
	s->out_at = s->out_bytes = 0;
	s->more = false;
	s->bad_base = s->count.skipped;
}

/* Have it say HELLO, again or for the first time. */
static void send_off(struct session *s, uint64_t epoch)
{
	forget(s);
	s->bye_epoch = epoch;
	s->owed = OWE_BYE;
}

static void refuse(struct session *s, enum agent_status status)
{
	forget(s);
	s->phase = PHASE_REFUSED;
	s->status = status;
	s->owed = OWE_REFUSED;
}

void session_set(struct session *s, uint16_t vcpu_cnt, bool enabled,
		 uint64_t token)
{
	uint16_t cnt = vcpu_cnt < AGENT_VCPUS ? vcpu_cnt : AGENT_VCPUS;
	bool same = s->vcpu_cnt == cnt && s->token == token;

	s->vcpu_cnt = cnt;
	s->enabled = enabled;
	s->token = token;
	for (unsigned i = s->vcpu_cnt; i < AGENT_VCPUS; i++)
		s->word[i] = s->ack[i] = s->runnable[i] = 0;
	if (s->phase == PHASE_UP && !enabled)
		refuse(s, AGENT_ERR_OFF);
	else if (s->phase == PHASE_UP && !same)
		send_off(s, s->epoch);
}

/* --- what the guest says ------------------------------------------------- */

static void heard(struct session *s, uint64_t now_ns)
{
	s->heard_ns = now_ns;
	s->silent = false;
}

static void on_hello(struct session *s, const struct agent_any *m,
		     uint64_t now_ns)
{
	const struct agent_hello *h = &m->hello;

	s->count.hellos++;
	s->epoch = m->head.epoch;
	s->peer_version = h->version;
	if (!s->enabled) {
		refuse(s, AGENT_ERR_OFF);
	} else if (h->version != AGENT_VERSION) {
		refuse(s, AGENT_ERR_VERSION);
	} else if (!h->vcpu_cnt || h->vcpu_cnt > AGENT_VCPUS) {
		refuse(s, AGENT_ERR_VCPUS);
	} else {
		forget(s);
		s->phase = PHASE_UP;
		heard(s, now_ns);
		s->owed = OWE_WELCOME;
	}
	memcpy(s->name, h->name, sizeof(s->name) - 1);
}

static void take_hint(struct session *s, const struct agent_hint *h)
{
	const struct session_hint was = s->hint;

	if (!h->workers) {
		if (was.valid)
			hint_forget(s);
		return;
	}
	s->hint.valid = true;
	s->hint.wanted = h->wanted < s->vcpu_cnt ? h->wanted : s->vcpu_cnt;
	s->hint.wait_us =
	    h->wait_us < SESSION_WAIT_MAX ? h->wait_us : SESSION_WAIT_MAX;
	s->hint.workers = h->workers;
	s->hint.runnable = h->runnable < h->workers ? h->runnable : h->workers;
	s->hint.placing = h->flags & AGENT_HINT_PLACING;
	s->hint_new |= was.valid != s->hint.valid ||
		       was.wanted != s->hint.wanted ||
		       was.wait_us != s->hint.wait_us;
}

static void take_vcpu(struct session *s, unsigned i,
		      const struct agent_hint_vcpu *v)
{
	uint16_t runnable = s->hint.valid ? v->runnable : 0;

	s->ack[i] = v->ack;
	s->hint_new |= s->runnable[i] != runnable;
	s->runnable[i] = runnable;
}

static void on_hints(struct session *s, const struct agent_hints *h)
{
	take_hint(s, &h->hint);
	for (unsigned i = 0; i < h->count; i++) {
		if (h->first + i >= s->vcpu_cnt) {
			s->count.refused++;
			return;
		}
		take_vcpu(s, h->first + i, &h->vcpu[i]);
	}
}

/* Of another epoch: left over from somebody who is gone; or its HELLO was said
 * to a hostd that is gone, and a BYE makes it say it again. */
static void on_stranger(struct session *s, uint64_t epoch)
{
	s->count.refused++;
	if (s->phase == PHASE_WAITING)
		send_off(s, epoch);
}

static void handle(struct session *s, const struct agent_any *m,
		   uint64_t now_ns)
{
	s->count.messages++;
	switch (m->head.kind) {
	case AGENT_HELLO:
		on_hello(s, m, now_ns);
		return;
	case AGENT_HINTS:
	case AGENT_BELL:
	case AGENT_BEAT:
	case AGENT_BYE:
		break;
	default: /* hostd says these */
		s->count.refused++;
		return;
	}
	if (s->phase != PHASE_UP || m->head.epoch != s->epoch) {
		on_stranger(s, m->head.epoch);
		return;
	}
	heard(s, now_ns);
	if (m->head.kind == AGENT_HINTS)
		on_hints(s, &m->hints);
	else if (m->head.kind == AGENT_BELL)
		s->look = true;
	else if (m->head.kind == AGENT_BYE)
		forget(s);
}

bool session_may_read(const struct session *s)
{
	return !s->more;
}

void *session_room(struct session *s, size_t *bytes)
{
	return agent_rx_room(&s->rx, bytes);
}

void session_take(struct session *s, size_t bytes, uint64_t now_ns)
{
	struct agent_any m;
	bool found = true, was = s->more;
	uint64_t skipped;

	s->rx.fill += (uint32_t)bytes;
	while (found && bucket_open(s->in_ns, now_ns)) {
		found = agent_rx_next(&s->rx, &m);
		skipped = s->rx.skipped - s->count.skipped;
		s->count.skipped += skipped;
		bucket_fill(&s->in_ns,
			    found + skipped / sizeof(struct agent_msg), now_ns);
		if (found)
			handle(s, &m, now_ns);
	}
	s->more = found || !bucket_open(s->in_ns, now_ns);
	s->count.throttled += s->more && !was;
}

bool session_is_bad(const struct session *s)
{
	return s->count.skipped - s->bad_base >= SESSION_BAD_BYTES;
}

void session_page(struct session *s, const struct session_page *p,
		  uint64_t now_ns)
{
	bool used;

	if (s->phase != PHASE_UP)
		return;
	used = s->token && p->valid && p->epoch == s->epoch;
	if (used != s->page_used) {
		s->page_beat = p->beat;
		s->sent_cnt = 0; /* by the other way from now on */
		s->owed |= used ? OWE_BELL : 0;
	}
	s->page_used = used;
	if (!used)
		return;
	if (p->beat != s->page_beat)
		heard(s, now_ns);
	s->page_beat = p->beat;
	if (s->silent)
		return; /* what stands there is old */
	take_hint(s, &p->hint);
	for (unsigned i = 0; i < s->vcpu_cnt; i++)
		take_vcpu(s, i, &p->vcpu[i]);
}

/* --- what hostd says ----------------------------------------------------- */

bool session_words(struct session *s, const uint64_t *word)
{
	bool is_new = false;

	for (unsigned i = 0; i < s->vcpu_cnt; i++) {
		is_new |= s->word[i] != word[i];
		s->word[i] = word[i];
	}
	if (!is_new)
		return false;
	s->gen++;
	if (s->page_used)
		s->owed |= OWE_BELL;
	return true;
}

static bool is_news(const struct session *s, unsigned i)
{
	return i >= s->sent_cnt || s->told[i] != s->word[i];
}

/* The first vcpu whose word is not told; vcpu_cnt: none. With the page it
 * needs no telling. */
static unsigned first_news(const struct session *s)
{
	unsigned i = 0;

	while (i < s->vcpu_cnt && (s->page_used || !is_news(s, i)))
		i++;
	return i;
}

static size_t put_welcome(struct session *s, struct agent_any *m)
{
	m->welcome.version = AGENT_VERSION;
	m->welcome.status = s->status;
	if (s->status == AGENT_OK) {
		m->welcome.caps = s->token ? AGENT_CAP_PAGE : 0;
		m->welcome.vcpu_cnt = s->vcpu_cnt;
		m->welcome.token = s->token;
	}
	s->owed &= (uint16_t) ~(OWE_WELCOME | OWE_REFUSED);
	return agent_msg_put(m, s->status ? AGENT_REFUSED : AGENT_WELCOME,
			     s->epoch, sizeof(m->welcome));
}

/* From the first news to the last that fits. */
static size_t put_grants(struct session *s, struct agent_any *m, unsigned first)
{
	unsigned end = first + AGENT_WORDS_MAX, cnt = 0;

	m->grants.gen = s->gen;
	m->grants.first = (uint16_t)first;
	for (unsigned i = first; i < s->vcpu_cnt && i < end; i++) {
		m->grants.word[i - first] = s->word[i];
		if (is_news(s, i))
			cnt = i - first + 1;
	}
	m->grants.count = (uint16_t)cnt;
	memcpy(&s->told[first], m->grants.word, cnt * sizeof(uint64_t));
	if (s->sent_cnt < first + cnt)
		s->sent_cnt = (uint16_t)(first + cnt);
	return agent_msg_put(m, AGENT_GRANTS, s->epoch,
			     agent_grants_bytes(cnt));
}

/* Make the next message. Return: its length; 0: there is nothing to say. */
static size_t put_next(struct session *s, struct agent_any *m, uint64_t now_ns)
{
	unsigned first;

	if (s->owed & OWE_BYE) {
		s->owed &= (uint16_t)~OWE_BYE;
		return agent_msg_put(m, AGENT_BYE, s->bye_epoch, 0);
	}
	if (s->owed & (OWE_WELCOME | OWE_REFUSED))
		return put_welcome(s, m);
	if (s->phase != PHASE_UP || s->silent)
		return 0;
	first = first_news(s);
	if (first < s->vcpu_cnt)
		return put_grants(s, m, first);
	if (s->owed & OWE_BELL) {
		s->owed &= (uint16_t)~OWE_BELL;
		return agent_msg_put(m, AGENT_BELL, s->epoch, 0);
	}
	if (now_ns >= s->said_ns + BEAT_NS)
		return agent_msg_put(m, AGENT_BEAT, s->epoch, 0);
	return 0;
}

size_t session_out(struct session *s, const uint8_t **data, uint64_t now_ns)
{
	struct agent_any m;

	if (s->out_at == s->out_bytes && bucket_open(s->out_ns, now_ns)) {
		memset(&m, 0, sizeof(m));
		s->out_at = 0;
		s->out_bytes = (uint32_t)put_next(s, &m, now_ns);
		memcpy(s->out, &m, s->out_bytes);
		if (s->out_bytes) {
			bucket_fill(&s->out_ns, 1, now_ns);
			s->said_ns = now_ns;
		}
	}
	*data = s->out + s->out_at;
	return s->out_bytes - s->out_at;
}

void session_sent(struct session *s, size_t bytes)
{
	s->out_at += (uint32_t)bytes;
	s->count.bytes_out += bytes;
}

size_t session_bye(struct session *s, void *out)
{
	struct agent_any m = { .head = { 0 } };
	size_t bytes;

	if (s->phase != PHASE_UP || s->out_at != s->out_bytes)
		return 0;
	bytes = agent_msg_put(&m, AGENT_BYE, s->epoch, 0);
	memcpy(out, &m, bytes);
	return bytes;
}

/* --- time ---------------------------------------------------------------- */

void session_time(struct session *s, uint64_t now_ns)
{
	if (s->phase != PHASE_UP || s->silent ||
	    now_ns < s->heard_ns + SILENT_NS)
		return;
	s->silent = true;
	hint_forget(s);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t session_due_ns(const struct session *s)
{
	uint64_t due_ns = UINT64_MAX;
	bool talks = s->phase == PHASE_UP && !s->silent;

	if (s->more)
		due_ns = bucket_open_ns(s->in_ns);
	if (talks)
		due_ns = sooner(due_ns, s->heard_ns + SILENT_NS);
	if (s->out_at != s->out_bytes)
		return due_ns; /* until the guest has read */
	if (talks)
		due_ns = sooner(due_ns, s->said_ns + BEAT_NS);
	if (s->owed & (OWE_BYE | OWE_WELCOME | OWE_REFUSED) ||
	    (talks && (s->owed || first_news(s) < s->vcpu_cnt)))
		due_ns = sooner(due_ns, bucket_open_ns(s->out_ns));
	return due_ns;
}

/* --- for people ---------------------------------------------------------- */

bool session_is_up(const struct session *s)
{
	return s->phase == PHASE_UP;
}

void session_acks(const struct session *s, unsigned *granted, unsigned *acked)
{
	*granted = *acked = 0;
	for (unsigned i = 0; i < s->vcpu_cnt; i++) {
		if (!agent_word_owns(s->word[i]))
			continue;
		++*granted;
		*acked += s->ack[i] == s->word[i];
	}
}

enum session_state session_state(const struct session *s)
{
	if (!s->enabled)
		return SESSION_OFF;
	if (s->phase == PHASE_WAITING)
		return SESSION_WAITING;
	if (s->phase == PHASE_REFUSED)
		return SESSION_REFUSED;
	if (s->silent)
		return SESSION_SILENT;
	return s->page_used ? SESSION_PAGE : SESSION_CHANNEL;
}

const char *session_state_name(unsigned state)
{
	static const char *const name[] = {
		[SESSION_NONE] = "none",       [SESSION_OFF] = "off",
		[SESSION_WAITING] = "waiting", [SESSION_CHANNEL] = "channel",
		[SESSION_PAGE] = "page",       [SESSION_BAD_PAGE] = "bad page",
		[SESSION_SILENT] = "silent",   [SESSION_REFUSED] = "refused",
	};

	return state < sizeof(name) / sizeof(name[0]) ? name[state] : "?";
}
