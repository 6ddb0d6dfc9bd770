/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent.h - what hostd and the agent in a guest tell each other
 *
 * Two ways, used together where both are there:
 *
 * The channel, a virtio-serial port named AGENT_PORT: a stream of messages,
 * below. It carries hello and welcome, says who is there, and rings when there
 * is something to look at. It is enough by itself.
 *
 * The page, the memory of an ivshmem-plain device whose libvirt name begins
 * with AGENT_SHMEM: the same grants and hints as state, one cache line a vcpu
 * and direction. Nothing has to be sent for the other side to know; BELL only
 * says when to look. The token in the welcome tells an agent which device is
 * the page. hostd writes its half whether or not an agent is there.
 *
 *	 agent                          hostd
 *	   | HELLO version, caps --------> |
 *	   | <------ WELCOME token, vcpus  |  or REFUSED status, and no more
 *	   | <------ GRANTS words          |  (BELL where the page is used)
 *	   | HINT -----------------------> |  (BELL where the page is used)
 *	   | <------------ BEAT ---------> |  each AGENT_BEAT_MS without other
 *word | BYE ------------------------> |  either side, when it ends well
 *
 * A grant is one 64-bit word (agent_word()): the cpu a vcpu owns, the cpu that
 * stands for its last-level cache, and a generation that grows with each
 * change. It is stored and loaded as a whole, so that no reader sees a mixture.
 * With no vcpu granted, or no host to be heard for AGENT_SILENT_MS, everything
 * in the guest is as if there were no agent.
 *
 * An epoch is drawn at random by the agent with each HELLO; messages of another
 * one are left over from somebody who is gone, and are skipped.
 *
 * Each side takes the other for hostile: a word is read once, a number is
 * checked before use, a message that is not as it must be is skipped. Nothing
 * a guest says obtains more than its configuration allows.
 *
 * Times are ages in microseconds: clocks of host and guest are never compared.
 * Little-endian, 64-bit stores atomic: x86-64 on both sides.
 */
#ifndef HL_AGENT_H
#define HL_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_PORT    "org.heighliner.agent.0"
#define AGENT_SHMEM   "heighliner-"
#define AGENT_VERSION 1
#define AGENT_VCPUS   512 /* of one VM, at most */

#define AGENT_BEAT_MS	1000
#define AGENT_SILENT_MS 5000

#define AGENT_CPU_NONE 0xffffu

/* --- grants -------------------------------------------------------------- */

/* agent_word() - A grant; @cpu AGENT_CPU_NONE: this vcpu owns nothing. */
static inline uint64_t agent_word(uint32_t gen, uint16_t cpu, uint16_t llc)
{
	return (uint64_t)gen << 32 | (uint64_t)llc << 16 | cpu;
}

static inline uint16_t agent_word_cpu(uint64_t word)
{
	return (uint16_t)word;
}

static inline uint16_t agent_word_llc(uint64_t word)
{
	return (uint16_t)(word >> 16);
}

static inline uint32_t agent_word_gen(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

/* agent_word_owns() - Generation 0 was never written: owns nothing. */
static inline bool agent_word_owns(uint64_t word)
{
	return agent_word_gen(word) && agent_word_cpu(word) != AGENT_CPU_NONE;
}

/* --- the page ------------------------------------------------------------ */

#define AGENT_HOST_MAGIC  0x3168656c68676948ull
#define AGENT_GUEST_MAGIC 0x31746e6567616c48ull

/* Written by hostd, read by the agent. */
struct agent_host_head {
	uint64_t magic;
	uint64_t token; /* as in WELCOME */
	uint32_t version;
	uint32_t vcpu_cnt;
	uint32_t gen;  /* grows with each change to any word */
	uint32_t beat; /* grows while hostd lives */
	uint64_t pad[4];
};

struct agent_host_vcpu {
	uint64_t word;
	uint64_t pad[7];
};

/* Of the whole VM. The agent's half of the page, and a HINT's beginning. */
struct agent_hint {
	uint32_t wait_us;  /* oldest runnable worker without a vcpu waits so */
	uint16_t wanted;   /* vcpus the workers could use now */
	uint16_t runnable; /* workers that run or want to */
	uint16_t workers;
	uint16_t flags; /* enum agent_hint_flag */
	uint32_t pad;
};

enum agent_hint_flag {
	AGENT_HINT_PLACING = 1, /* workers follow the grants now */
};

/* Of one vcpu. */
struct agent_hint_vcpu {
	uint64_t ack;	   /* the last word acted upon */
	uint32_t wait_us;  /* oldest runnable worker of this vcpu */
	uint16_t runnable; /* workers that run or want to run on it */
	uint16_t pad;
};

/* Written by the agent, read by hostd. */
struct agent_guest_head {
	uint64_t magic;
	uint64_t epoch;
	uint32_t version;
	uint32_t beat;
	struct agent_hint hint;
	uint64_t pad[3];
};

struct agent_guest_vcpu {
	struct agent_hint_vcpu hint;
	uint64_t pad[6];
};

struct agent_page {
	struct agent_host_head host;
	struct agent_guest_head guest;
	struct agent_host_vcpu to_guest[AGENT_VCPUS];
	struct agent_guest_vcpu to_host[AGENT_VCPUS];
};

_Static_assert(sizeof(struct agent_host_head) == 64, "one cache line");
_Static_assert(sizeof(struct agent_guest_head) == 64, "one cache line");
_Static_assert(sizeof(struct agent_host_vcpu) == 64, "one cache line");
_Static_assert(sizeof(struct agent_guest_vcpu) == 64, "one cache line");
_Static_assert(sizeof(struct agent_page) <= 1 << 20, "libvirt's least shmem");

/* --- the channel --------------------------------------------------------- */

#define AGENT_MSG_MAGIC	 0x4e474148u
#define AGENT_WORDS_MAX	 32 /* of one GRANTS */
#define AGENT_HINTS_MAX	 32 /* vcpus of one HINT */
#define AGENT_NAME_BYTES 32

enum agent_kind {
	AGENT_HELLO = 1, /* to host */
	AGENT_WELCOME,	 /* to guest */
	AGENT_REFUSED,	 /* to guest; body as WELCOME */
	AGENT_GRANTS,	 /* to guest */
	AGENT_HINTS,	 /* to host */
	AGENT_BELL,	 /* both ways; no body */
	AGENT_BEAT,	 /* both ways; no body */
	AGENT_BYE,	 /* both ways; no body */
	AGENT_KINDS,
};

enum agent_cap {
	AGENT_CAP_PAGE = 1,  /* HELLO: can map one; WELCOME: there is one */
	AGENT_CAP_PLACE = 2, /* places workers (else only reports) */
};

enum agent_status {
	AGENT_OK,
	AGENT_ERR_VERSION, /* the other side speaks another one */
	AGENT_ERR_VCPUS,   /* more vcpus than AGENT_VCPUS */
	AGENT_ERR_OFF,	   /* the operator does not want one */
};

struct agent_msg {
	uint32_t magic;
	uint16_t kind;	/* enum agent_kind */
	uint16_t bytes; /* of it all, this head too */
	uint64_t epoch;
};

struct agent_hello {
	uint32_t version;
	uint32_t caps;
	uint32_t vcpu_cnt; /* that are online */
	uint32_t pad;
	char name[AGENT_NAME_BYTES]; /* the agent's own version, for people */
};

struct agent_welcome {
	uint32_t version;
	uint32_t status; /* enum agent_status */
	uint32_t caps;
	uint32_t vcpu_cnt;
	uint64_t token; /* of the page; 0: none */
};

struct agent_grants {
	uint32_t gen;
	uint16_t first, count; /* vcpus; words follow */
	uint64_t word[AGENT_WORDS_MAX];
};

struct agent_hints {
	struct agent_hint hint;
	uint16_t first, count; /* vcpus; may be none */
	uint32_t pad;
	struct agent_hint_vcpu vcpu[AGENT_HINTS_MAX];
};

/* Any message: large enough for each. */
struct agent_any {
	struct agent_msg head;
	union {
		struct agent_hello hello;
		struct agent_welcome welcome;
		struct agent_grants grants;
		struct agent_hints hints;
	};
};

_Static_assert(sizeof(struct agent_msg) == 16, "no holes");
_Static_assert(sizeof(struct agent_hello) == 48, "no holes");
_Static_assert(sizeof(struct agent_welcome) == 24, "no holes");
_Static_assert(offsetof(struct agent_grants, word) == 8, "no holes");
_Static_assert(offsetof(struct agent_hints, vcpu) == 24, "no holes");
_Static_assert(sizeof(struct agent_any) <= 1024, "small");

#endif
