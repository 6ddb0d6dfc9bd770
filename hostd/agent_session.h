/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_session.h - what hostd and one guest's agent have said to each other
 *
 * Pure: bytes in, bytes out, time an argument. One session belongs to one
 * connection's worth of channel after another; the agents thread owns it.
 */
#ifndef HOSTD_AGENT_SESSION_H
#define HOSTD_AGENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hl/agent.h"
#include "hl/agent_wire.h"

/* As `hostctl agents` names them, see session_state_name(). */
enum session_state {
	SESSION_NONE,	  /* the VM has no channel */
	SESSION_OFF,	  /* agent = off */
	SESSION_WAITING,  /* a channel, no hello */
	SESSION_CHANNEL,  /* works without a page */
	SESSION_PAGE,	  /* works, the agent uses the page */
	SESSION_BAD_PAGE, /* works without the page, which cannot be used */
	SESSION_SILENT,	  /* no word for AGENT_SILENT_MS */
	SESSION_REFUSED,  /* another version, too many vcpus */
};

#define SESSION_RATE	  1000u	       /* messages a second, each way */
#define SESSION_BURST	  100u	       /* messages at once, each way */
#define SESSION_BAD_BYTES (64u * 1024) /* nonsense until a connection ends */
#define SESSION_WAIT_MAX  1000000u     /* us; longer waits are cut to this */

/* Since the session began; never reset. */
struct session_count {
	uint64_t messages;  /* understood */
	uint64_t skipped;   /* bytes that made no sense */
	uint64_t refused;   /* messages out of place: not for hostd, of another
			     * epoch, about vcpus that are not there */
	uint64_t throttled; /* times it was not read from for a while */
	uint64_t hellos, bytes_out;
};

/* The guest's half of the page, each field read once. */
struct session_page {
	bool valid; /* magic and version are right */
	uint64_t epoch;
	uint32_t beat;
	struct agent_hint hint;
	struct agent_hint_vcpu vcpu[AGENT_VCPUS];
};

/* What the guest says, in bounds. */
struct session_hint {
	bool valid;	   /* heard, and it watches somebody */
	uint16_t wanted;   /* <= vcpu_cnt */
	uint16_t runnable; /* workers */
	uint16_t workers;
	bool placing;	  /* workers follow the grants */
	uint32_t wait_us; /* <= SESSION_WAIT_MAX */
};

struct session {
	/* read by everybody, written here */
	struct session_count count;
	struct session_hint hint;
	bool hint_new; /* changed; cleared by whoever passes it on */
	bool look;     /* the agent rang: its page has news; cleared likewise */
	uint16_t vcpu_cnt;
	uint32_t gen;		     /* of the words; grows with each change */
	uint32_t peer_version;	     /* of the last hello */
	uint32_t status;	     /* enum agent_status, told last */
	char name[AGENT_NAME_BYTES]; /* always ends in NUL */
	uint64_t word[AGENT_VCPUS];  /* granted now */
	uint16_t runnable[AGENT_VCPUS];
	/* nobody else's */
	uint64_t ack[AGENT_VCPUS], told[AGENT_VCPUS];
	uint8_t phase; /* enum phase in the .c file */
	bool enabled, page_used, silent;
	bool more;	   /* rx waits for the rate to allow it */
	uint16_t owed;	   /* enum owe, bits */
	uint16_t sent_cnt; /* vcpus whose word was sent since the welcome */
	uint32_t page_beat;
	uint64_t epoch, token, bye_epoch;
	uint64_t heard_ns, said_ns;
	uint64_t in_ns, out_ns; /* leaky buckets, see session_may_read() */
	uint64_t bad_base;	/* badness when the connection was made */
	struct agent_rx rx;
	uint32_t out_at, out_bytes;
	uint8_t out[sizeof(struct agent_any)];
};

/* session_init() - @gen: drawn at random, so that an agent that knew a former
 * hostd sees a change. */
void session_init(struct session *s, uint32_t gen);

/*
 * session_set() - The VM has so many vcpus, is (not) to have an agent, and a
 * page with this token (0: none)
 * An agent that is there is sent off with a BYE when any of it changed: it will
 * say HELLO again, and be told.
 */
void session_set(struct session *s, uint16_t vcpu_cnt, bool enabled,
		 uint64_t token);

/* session_link() - A connection was made, or is lost: everybody is unknown. */
void session_link(struct session *s);

/*
 * session_may_read() - May more be read from the guest now?
 *
 * At most SESSION_RATE messages a second, SESSION_BURST at once; 16 bytes of
 * nonsense count as one. What is not read waits in the guest.
 */
bool session_may_read(const struct session *s);

/* session_room() - Where to read into; never 0 when session_may_read(). */
void *session_room(struct session *s, size_t *bytes);

/* session_take() - @bytes were put there. Again with 0 when due: messages may
 * have been left for later. */
void session_take(struct session *s, size_t bytes, uint64_t now_ns);

/* session_is_bad() - So much nonsense came that the connection should end. */
bool session_is_bad(const struct session *s);

/* session_words() - What is granted now, [vcpu_cnt]. Return: anything new? */
bool session_words(struct session *s, const uint64_t *word);

/* session_page() - The guest's half of the page was read. */
void session_page(struct session *s, const struct session_page *p,
		  uint64_t now_ns);

/*
 * session_out() - What is to be sent now
 *
 * Made from the newest words when the former message is out, so that a guest
 * that does not read is told the latest and no history.
 * Return: how many bytes are at *@data; 0: nothing now.
 */
size_t session_out(struct session *s, const uint8_t **data, uint64_t now_ns);
void session_sent(struct session *s, size_t bytes);

/* session_bye() - Make a last message. Return: its length; 0: nobody there, or
 * a message is half sent. @out: sizeof(struct agent_msg) */
size_t session_bye(struct session *s, void *out);

/* session_time() - Look at the clock: who has been silent for too long. */
void session_time(struct session *s, uint64_t now_ns);

/* session_due_ns() - When session_time(), session_take(0) and session_out()
 * want to be called again at the latest; UINT64_MAX: never. */
uint64_t session_due_ns(const struct session *s);

/* session_is_up() - Is an agent there, silent or not? */
bool session_is_up(const struct session *s);

/* session_acks() - Of the vcpus that own a cpu: how many, and for how many the
 * agent has acted upon it. */
void session_acks(const struct session *s, unsigned *granted, unsigned *acked);

enum session_state session_state(const struct session *s);

/* session_state_name() - One of the words above, never NULL. */
const char *session_state_name(unsigned state);

#endif
