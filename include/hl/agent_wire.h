/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_wire.h - messages of the agent's channel: cut from a stream, built
 *
 * Used by both sides, each of which takes the other for hostile. A stream may
 * begin in the middle of somebody's message: what does not begin with the
 * magic number, or has a length its kind cannot have, is skipped byte by byte
 * and counted. Pure; one thread owns a struct agent_rx.
 */
#ifndef HL_AGENT_WIRE_H
#define HL_AGENT_WIRE_H

#include <string.h>

#include "hl/agent.h"

struct agent_rx {
	uint32_t fill;
	uint32_t pad;
	uint64_t skipped; /* bytes that made no sense */
	uint8_t buf[4096];
};

/* agent_rx_room() - Where to read into, and how much: never 0 after
 * agent_rx_next() has said there is nothing. */
static inline void *agent_rx_room(struct agent_rx *rx, size_t *bytes)
{
	*bytes = sizeof(rx->buf) - rx->fill;
	return rx->buf + rx->fill;
}

/* agent_body_ok() - Can a body of @kind have @bytes, and what it says of its
 * own length? @body may be unaligned. */
static inline bool agent_body_ok(uint16_t kind, const uint8_t *body,
				 size_t bytes)
{
	uint16_t count;

	switch (kind) {
	case AGENT_HELLO:
		return bytes == sizeof(struct agent_hello);
	case AGENT_WELCOME:
	case AGENT_REFUSED:
		return bytes == sizeof(struct agent_welcome);
	case AGENT_GRANTS:
		if (bytes < offsetof(struct agent_grants, word))
			return false;
		memcpy(&count, body + offsetof(struct agent_grants, count),
		       sizeof(count));
		return count <= AGENT_WORDS_MAX &&
		       bytes == offsetof(struct agent_grants, word) +
				    count * sizeof(uint64_t);
	case AGENT_HINTS:
		if (bytes < offsetof(struct agent_hints, vcpu))
			return false;
		memcpy(&count, body + offsetof(struct agent_hints, count),
		       sizeof(count));
		return count <= AGENT_HINTS_MAX &&
		       bytes == offsetof(struct agent_hints, vcpu) +
				    count * sizeof(struct agent_hint_vcpu);
	case AGENT_BELL:
	case AGENT_BEAT:
	case AGENT_BYE:
		return !bytes;
	default:
		return false;
	}
}

/* agent_bytes_ok() - Can a message of @kind be @bytes long? So that nobody
 * waits for the rest of one that cannot be. */
static inline bool agent_bytes_ok(uint16_t kind, size_t bytes)
{
	return kind >= AGENT_HELLO && kind < AGENT_KINDS &&
	       bytes >= sizeof(struct agent_msg) &&
	       bytes <= sizeof(struct agent_any);
}

static inline void agent_rx_drop(struct agent_rx *rx, size_t bytes)
{
	rx->fill -= (uint32_t)bytes;
	memmove(rx->buf, rx->buf + bytes, rx->fill);
}

/*
 * agent_rx_next() - The next whole message
 * @out: a copy; what is beyond its length is zero
 *
 * What is in @out is of a known kind, as long as that kind must be, and its
 * `count` fits. Everything else in it is as the other side wrote it.
 * Return: false when more bytes are needed.
 */
static inline bool agent_rx_next(struct agent_rx *rx, struct agent_any *out)
{
	size_t at = 0, left, bytes;
	bool found = false;

	for (; (left = rx->fill - at) >= sizeof(out->head); at++) {
		const uint8_t *p = rx->buf + at;

		memcpy(&out->head, p, sizeof(out->head));
		if (out->head.magic != AGENT_MSG_MAGIC ||
		    !agent_bytes_ok(out->head.kind, out->head.bytes))
			continue;
		if (left < out->head.bytes)
			break; /* wait for the rest */
		if (!agent_body_ok(out->head.kind, p + sizeof(out->head),
				   out->head.bytes - sizeof(out->head)))
			continue;
		bytes = out->head.bytes;
		memset(out, 0, sizeof(*out));
		memcpy(out, p, bytes);
		found = true;
		break;
	}
	rx->skipped += at;
	agent_rx_drop(rx, at + (found ? out->head.bytes : 0));
	return found;
}

/* agent_msg_put() - Fill in a message's head; its body is there already.
 * Return: its length. */
static inline size_t agent_msg_put(struct agent_any *m, enum agent_kind kind,
				   uint64_t epoch, size_t body_bytes)
{
	m->head.magic = AGENT_MSG_MAGIC;
	m->head.kind = (uint16_t)kind;
	m->head.bytes = (uint16_t)(sizeof(m->head) + body_bytes);
	m->head.epoch = epoch;
	return m->head.bytes;
}

/* agent_grants_bytes(), agent_hints_bytes() - Of a body with so many. */
static inline size_t agent_grants_bytes(unsigned count)
{
	return offsetof(struct agent_grants, word) + count * sizeof(uint64_t);
}

static inline size_t agent_hints_bytes(unsigned count)
{
	return offsetof(struct agent_hints, vcpu) +
	       count * sizeof(struct agent_hint_vcpu);
}

#endif
