/* SPDX-License-Identifier: GPL-2.0 */
/*
 * session.h - the module's own contract: a session, its threads, its parts
 *
 *	main.c	   init and exit ladder, parameter drain
 *	dev.c	   /dev/ksched: open, ioctl table, mapping, close
 *	session.c  one caller's threads: handed over, given back, the end
 *	move.c	   a batch goes out; each cpu carries out its own part
 *	ring.c	   answers
 *	selftest.c debug builds load only if its tables of cases pass
 *
 * Locks, outermost first:
 *	session_mutex (session.c)  there is at most one session
 *	session.lock		   threads come and go, the session ends
 *	session.commit_lock	   one batch at a time; ioctls only try it
 *	thread.lock		   a thread's state and masks; a spin lock
 *	worker.lock (move.c), session.ring_lock	 spin locks, innermost
 * No interrupt handler takes any.
 */
#ifndef KSCHED_SESSION_H
#define KSCHED_SESSION_H

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "proto.h"

struct pid;
struct session;

/* One thread handed over; its slot is its index. */
struct thread {
	spinlock_t lock;
	enum thread_state state; /* lock */
	bool leaving;		 /* lock; no new moves */
	struct session *session;
	struct pid *pid;	  /* outlives the thread, never names another */
	struct affinity affinity; /* lock */
	u64 set_at;		  /* lock; cpus_gone() before it was set */
	struct ksched_move want;  /* lock; the newest move, not yet begun */
	u64 asked_ns;		  /* lock; when it was asked */
	unsigned int hops;	  /* lock; how often it was handed on */
	struct list_head queued;  /* worker.lock of the cpu it is sent to */
	u32 role;		  /* of the move it was queued for */
};

struct session {
	struct mutex lock;
	bool started;
	enum ksched_over over; /* both locks to write, either to read */
	u64 silence_ns;
	u64 heard_ns; /* last ioctl; any thread */
	struct delayed_work watch;
	struct cpumask scratch; /* lock */

	atomic_t under_way; /* threads neither free nor idle */

	struct mutex commit_lock;
	struct ksched_move batch[KSCHED_BATCH_MAX];
	u16 kick[KSCHED_BATCH_MAX]; /* cpus to be told of the batch */

	spinlock_t ring_lock;
	struct ksched_page *page; /* what the caller maps; ring behind it */
	u64 head;

	struct thread thread[KSCHED_THREADS_MAX];
};

/* session.c */
int session_open(struct session **out);
void session_close(struct session *s);
void session_hear(struct session *s);
int session_start(struct session *s, struct ksched_start *a);
int session_add(struct session *s, struct ksched_add *a);
int session_drop(struct session *s, const struct ksched_drop *a);
int session_learn(struct session *s, const struct ksched_learn *a);
/* End what session there is; while @on, none can be opened. */
void session_drain(bool on);
bool session_draining(void);

/* move.c */
int move_init(void);
void move_exit(void);
int move_commit(struct session *s, const struct ksched_commit *c);
/* Wait until no move of @t (of any thread of @s) is under way. */
void move_wait_thread(struct thread *t);
void move_wait_all(struct session *s);
void mask_from_kernel(struct ksched_mask *out, const struct cpumask *m);
/* Bring t->affinity up to date; under t->lock. Return: did others set it? */
bool thread_look(struct thread *t, const struct task_struct *p);
/* How often a cpu has gone so far. */
u64 cpus_gone(void);
/* Give a task this affinity; @scratch is the caller's own. May sleep.
 * Return: 0; -ENODEV when none of these cpus is in use; or -errno. */
int task_set(struct task_struct *p, const struct ksched_mask *m,
	     struct cpumask *scratch);

/* ring.c */
int ring_open(struct session *s);
void ring_close(struct session *s);
/* Answer a move. Any context but interrupts. */
void ring_answer(struct session *s, const struct ksched_move *m, int err,
		 unsigned int cpu, u64 asked_ns);

/* dev.c */
int dev_init(void);
void dev_exit(void);

/* selftest.c, debug builds */
#ifdef KSCHED_DEBUG
int selftest_run(void);
#else
static inline int selftest_run(void)
{
	return 0;
}
#endif

#endif
