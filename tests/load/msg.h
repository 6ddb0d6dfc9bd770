/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msg.h - what synthetic's client and server say to each other
 *
 * Fixed size, so that a TCP stream needs no framing. Both ends run on the same
 * kind of machine: host byte order, and a wrong one shows in the magic.
 */
#ifndef LOAD_MSG_H
#define LOAD_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MSG_MAGIC     0x686c6c64u
#define MSG_NS_MAX    10000000000ull /* 10 s: more would be an attack */
#define MSG_LOOPS_MAX 100000000000ull

enum msg_kind { MSG_REQUEST = 1, MSG_ANSWER = 2 };
enum msg_unit { MSG_UNIT_NS = 1, MSG_UNIT_LOOPS = 2 };

struct msg {
	uint32_t magic;
	uint8_t kind; /* enum msg_kind */
	uint8_t unit; /* enum msg_unit, of `work` */
	uint16_t zero;
	uint64_t run;  /* the client's run, so that stragglers are known */
	uint64_t seq;  /* index of the request in its run */
	uint64_t work; /* how long to compute before the answer */
};

_Static_assert(sizeof(struct msg) == 32, "the size is the framing");

/*
 * msg_read() - Check @len bytes and copy them out if they are a @kind message
 * Pure. Return: false for anything else; @m is undefined then.
 */
static inline bool msg_read(struct msg *m, const void *buf, size_t len,
			    enum msg_kind kind)
{
	if (len != sizeof(*m))
		return false;
	memcpy(m, buf, sizeof(*m));
	if (m->magic != MSG_MAGIC || m->kind != kind || m->zero)
		return false;
	if (m->unit == MSG_UNIT_NS)
		return m->work <= MSG_NS_MAX;
	return m->unit == MSG_UNIT_LOOPS && m->work <= MSG_LOOPS_MAX;
}

#endif
