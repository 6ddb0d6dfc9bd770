/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * proto.h - ksched's rules without the kernel: pure, tested in user space too
 *
 * Three things that must be right are decided here: which state a handed-over
 * thread goes to when a move is asked, begun and finished; whether a move may
 * be made; and what a thread gets back at the end.
 */
#ifndef KSCHED_PROTO_H
#define KSCHED_PROTO_H

#include "hl/ksched.h"

#define KSCHED_MASK_WORDS (KSCHED_CPUS_MAX / 64)

/* --- sets of cpus -------------------------------------------------------- */

static inline bool mask_empty(const struct ksched_mask *m)
{
	for (unsigned int i = 0; i < KSCHED_MASK_WORDS; i++)
		if (m->word[i])
			return false;
	return true;
}

static inline bool mask_equal(const struct ksched_mask *a,
			      const struct ksched_mask *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* Is all of @a in @b? */
static inline bool mask_subset(const struct ksched_mask *a,
			       const struct ksched_mask *b)
{
	for (unsigned int i = 0; i < KSCHED_MASK_WORDS; i++)
		if (a->word[i] & ~b->word[i])
			return false;
	return true;
}

static inline void mask_add(struct ksched_mask *m,
			    const struct ksched_mask *other)
{
	for (unsigned int i = 0; i < KSCHED_MASK_WORDS; i++)
		m->word[i] |= other->word[i];
}

static inline void mask_keep(struct ksched_mask *m,
			     const struct ksched_mask *other)
{
	for (unsigned int i = 0; i < KSCHED_MASK_WORDS; i++)
		m->word[i] &= other->word[i];
}

/* --- a thread's state ---------------------------------------------------- */

/*
 *	      ask	    begin	     finish
 *	IDLE -----> QUEUED -------> MOVING ----------> IDLE
 *		     | ^ ask: overtakes  | ask
 *		     '-'		 v
 *			       MOVING_MORE ---------> QUEUED
 *				  | ^ ask: overtakes
 *				  '-'
 * and MOVING or MOVING_MORE ---> QUEUED when the thread is handed on.
 * QUEUED: in one cpu's list, exactly once. MOVING: one worker is at it, and no
 * other can be: so two moves of a thread never run at the same time.
 */
enum thread_state {
	THREAD_FREE = 0, /* slot not in use */
	THREAD_IDLE,
	THREAD_QUEUED,
	THREAD_MOVING,
	THREAD_MOVING_MORE, /* and a newer move waits */
	THREAD_STATES,
};

enum ask_what {
	ASK_REFUSE = 0, /* nothing in that slot */
	ASK_SEND,	/* put it in a cpu's list */
	ASK_REPLACE,	/* the move that waits is overtaken: answer it */
	ASK_KEEP,	/* who is at it now will see the newer one */
};

/* A move is asked. Return: what to do; *state is the new one. */
static inline enum ask_what thread_ask(enum thread_state *state)
{
	switch (*state) {
	case THREAD_IDLE:
		*state = THREAD_QUEUED;
		return ASK_SEND;
	case THREAD_QUEUED:
	case THREAD_MOVING_MORE:
		return ASK_REPLACE;
	case THREAD_MOVING:
		*state = THREAD_MOVING_MORE;
		return ASK_KEEP;
	default:
		return ASK_REFUSE;
	}
}

/* A worker takes it out of its list. Return: was it in one? */
static inline bool thread_begin(enum thread_state *state)
{
	if (*state != THREAD_QUEUED)
		return false;
	*state = THREAD_MOVING;
	return true;
}

/* The worker is done with one move. Return: send it again? */
static inline bool thread_finish(enum thread_state *state)
{
	if (*state == THREAD_MOVING_MORE) {
		*state = THREAD_QUEUED;
		return true;
	}
	*state = THREAD_IDLE;
	return false;
}

/*
 * The worker hands the thread on, its move not made.
 * Return: is that move overtaken by the newer one that waits?
 */
static inline bool thread_hand_on(enum thread_state *state)
{
	bool overtaken = *state == THREAD_MOVING_MORE;

	*state = THREAD_QUEUED;
	return overtaken;
}

/* --- may this be? -------------------------------------------------------- */

static inline int start_check(const struct ksched_start *s)
{
	if (s->version != KSCHED_VERSION)
		return -EPROTO;
	if (s->map_bytes || s->reserved)
		return -EINVAL;
	if (s->silence_ms < KSCHED_SILENCE_MIN_MS ||
	    s->silence_ms > KSCHED_SILENCE_MAX_MS)
		return -ERANGE;
	return 0;
}

static inline int add_check(const struct ksched_add *a)
{
	if (a->tgid <= 0 || a->tid <= 0 || a->slot || a->reserved ||
	    !mask_empty(&a->had))
		return -EINVAL;
	return 0;
}

/* A move by itself, before anything is known of its thread. */
static inline int move_check(const struct ksched_move *m)
{
	if (m->slot >= KSCHED_THREADS_MAX)
		return -ESRCH;
	if (m->role >= KSCHED_ROLES || m->reserved || mask_empty(&m->mask))
		return -EINVAL;
	return 0;
}

/* What is known of a thread's affinity. */
struct affinity {
	struct ksched_mask had;	  /* what it gets back */
	struct ksched_mask bound; /* cpus shown to be allowed */
	struct ksched_mask set;	  /* what it was when we looked or set last */
};

/*
 * affinity_look() - Take in what the thread's affinity is now
 * @now: as the kernel has it
 * @away: cpus not in use
 * @displaced: all cpus of @a->set have gone since: the kernel itself gave the
 *	       thread others, which says nothing of what anybody wants
 * Return: true when somebody else has set it. They know better: it is what the
 * thread gets back, and all it may have. (Cpus that are away stay in both: the
 * kernel leaves them out by itself.)
 */
static inline bool affinity_look(struct affinity *a,
				 const struct ksched_mask *now,
				 const struct ksched_mask *away, bool displaced)
{
	if (mask_equal(now, &a->set))
		return false;
	a->set = *now;
	if (displaced)
		return false;
	mask_keep(&a->had, away);
	mask_add(&a->had, now);
	mask_keep(&a->bound, away);
	mask_add(&a->bound, now);
	return true;
}

/*
 * affinity_back() - What a thread gets back, after affinity_look()
 * Return: false when it shall be left alone.
 */
static inline bool affinity_back(const struct affinity *a,
				 struct ksched_mask *back)
{
	*back = a->had;
	mask_keep(back, &a->bound);
	return !mask_empty(back) && !mask_equal(back, &a->set);
}

/* Has the caller been silent for too long? All in ns of one clock. */
static inline bool silent(__u64 heard_ns, __u64 now_ns, __u64 silence_ns)
{
	return now_ns > heard_ns && now_ns - heard_ns >= silence_ns;
}

#endif
