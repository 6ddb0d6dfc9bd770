/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.h - the agent's end of the channel and the page
 *
 * Whatever hostd is doing (not there, restarted, another version, hostile)
 * ends in one of the states below; the agent only asks for grants. The agent's
 * one thread calls everything here; nothing blocks.
 */
#ifndef AGENT_LINK_H
#define AGENT_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "hl/agent.h"

enum link_state {
	LINK_NONE,    /* no such port in this machine */
	LINK_WAITING, /* port there, nobody at its other end, or no answer */
	LINK_REFUSED, /* hostd does not want us; link_why() says why */
	LINK_CHANNEL, /* works, grants come as messages */
	LINK_PAGE,    /* works, with the page */
	LINK_SILENT,  /* worked, and has not been heard for AGENT_SILENT_MS */
};

struct link_conf {
	const char *port; /* path of a port or a unix socket; NULL: search
			   * /sys/class/virtio-ports for AGENT_PORT */
	const char *page; /* file to map; NULL: search ivshmem devices;
			   * "none": use no page */
	uint32_t caps;	  /* enum agent_cap */
	uint16_t vcpu_cnt;
	const char *name; /* told to the host */
	const char *root; /* of /sys and /dev; NULL: "/" (tests) */
};

/* What the host granted. All zero: nothing, or nobody to be heard. */
struct grants {
	uint32_t gen; /* differs when any word does */
	uint16_t vcpu_cnt;
	uint64_t word[AGENT_VCPUS];
};

struct link;

/* link_open() - Begin to look for the host. Return: 0 or -ENOMEM. */
int link_open(struct link **out, const struct link_conf *c, uint64_t now_ns);
void link_close(struct link *l); /* says BYE */

/* link_fd() - An epoll descriptor: readable when link_turn() has work. */
int link_fd(const struct link *l);

/*
 * link_turn() - Read, answer, find out who is there
 *
 * Call when link_fd() is readable and at least every link_wait_ms().
 * Return: true when link_grants() may have changed.
 */
bool link_turn(struct link *l, uint64_t now_ns);
int link_wait_ms(const struct link *l, uint64_t now_ns);

/* link_grants() - A copy of what is granted now. With the page: read from it.
 */
void link_grants(struct link *l, struct grants *out);

/*
 * link_hint() - Tell the host; in the page at once, as a message at most each
 * 10 ms and only what changed
 * @vcpu: [@vcpu_cnt]
 * @urgent: ring, so that the host looks now
 */
void link_hint(struct link *l, const struct agent_hint *hint,
	       const struct agent_hint_vcpu *vcpu, uint16_t vcpu_cnt,
	       bool urgent, uint64_t now_ns);

enum link_state link_state(const struct link *l);
const char *link_why(const struct link *l); /* a sentence, never NULL */

#endif
