/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_board.h - grants and hints between the poll thread and the agents
 * thread
 *
 * Two arrays of plain words in hostd's own memory. The poll thread stores what
 * each vcpu owns and rings once a decision; the agents thread stores what the
 * guests say, in bounds. Neither waits for the other, and the poll thread never
 * touches memory that a guest can write.
 */
#ifndef HOSTD_AGENT_BOARD_H
#define HOSTD_AGENT_BOARD_H

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "hl/agent.h"
#include "hl/bounds.h"
#include "hl/dirty.h"

struct agent_board {
	/* poll thread */
	uint64_t grant[VCPU_MAX]; /* agent_word(); atomic */
	bool changed;		  /* since the last kick; nobody else's */
	/* agents thread and, under its lock, the control thread */
	uint64_t hint[VM_MAX];	     /* see board_hint_put(); atomic */
	uint16_t runnable[VCPU_MAX]; /* atomic */
	/* which VMs' hints are new; taken by the poll thread */
	struct dirty_word dirty[DIRTY_WORDS(VM_MAX)];
	unsigned long long dirty_top[DIRTY_TOPS(VM_MAX)];
	unsigned watched; /* VMs with a channel; atomic */
	int kick_fd;	  /* eventfd; constant */
	/* both */
	bool rung; /* a kick is on its way; atomic */
};

struct board_hint {
	bool valid;
	uint16_t wanted;
	uint32_t wait_us;
};

/*
 * board_grant() - @vcpu owns @cpu now; CPU_NONE: nothing
 * @llc: cpu that stands for its last-level cache
 * Poll thread. The same again changes nothing.
 */
static inline void board_grant(struct agent_board *b, uint16_t vcpu,
			       uint16_t cpu, uint16_t llc)
{
	uint64_t was = b->grant[vcpu];
	uint32_t gen = agent_word_gen(was);

	if (was ? agent_word_cpu(was) == cpu && agent_word_llc(was) == llc
		: cpu == CPU_NONE)
		return;
	gen = gen == UINT32_MAX ? 1 : gen + 1; /* 0 means never */
	__atomic_store_n(&b->grant[vcpu], agent_word(gen, cpu, llc),
			 __ATOMIC_RELEASE);
	b->changed = true;
}

/*
 * board_kick() - After a decision: let the agents thread see what changed
 *
 * Poll thread. One write to an eventfd, which never blocks; none when nothing
 * changed, no VM has a channel, or the last kick was not answered yet.
 */
static inline void board_kick(struct agent_board *b)
{
	const uint64_t one = 1;

	if (!b->changed)
		return;
	b->changed = false;
	if (!__atomic_load_n(&b->watched, __ATOMIC_ACQUIRE) ||
	    __atomic_exchange_n(&b->rung, true, __ATOMIC_ACQ_REL))
		return;
	if (write(b->kick_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it is awake */
}

/* board_word() - Any thread. */
static inline uint64_t board_word(const struct agent_board *b, uint16_t vcpu)
{
	return __atomic_load_n(&b->grant[vcpu], __ATOMIC_ACQUIRE);
}

/* board_hint_put() - One word a VM: valid, wanted, wait; after what is runnable
 * on its vcpus. Agents thread. */
static inline void board_hint_put(struct agent_board *b, uint16_t vm,
				  const struct board_hint *h)
{
	uint64_t word =
	    (uint64_t)h->valid << 48 | (uint64_t)h->wanted << 32 | h->wait_us;

	__atomic_store_n(&b->hint[vm], h->valid ? word : 0, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* before it is marked */
	dirty_mark(b->dirty, b->dirty_top, vm);
}

/* board_hint() - What @vm's agent says; all 0 when none is heard. Any thread.
 */
static inline struct board_hint board_hint(const struct agent_board *b,
					   uint16_t vm)
{
	uint64_t word = __atomic_load_n(&b->hint[vm], __ATOMIC_ACQUIRE);

	return (struct board_hint){ .valid = word >> 48,
				    .wanted = (uint16_t)(word >> 32),
				    .wait_us = (uint32_t)word };
}

static inline void board_runnable_put(struct agent_board *b, uint16_t vcpu,
				      uint16_t workers)
{
	__atomic_store_n(&b->runnable[vcpu], workers, __ATOMIC_RELAXED);
}

/* board_runnable() - Workers that run or want to on @vcpu. Any thread. */
static inline uint16_t board_runnable(const struct agent_board *b,
				      uint16_t vcpu)
{
	return __atomic_load_n(&b->runnable[vcpu], __ATOMIC_RELAXED);
}

#endif
