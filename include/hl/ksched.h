/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * ksched.h - what hostd and the kernel module ksched say to each other
 *
 * Theory of operation. hostd opens /dev/ksched, which begins a session; there
 * is one at a time. KSCHED_START tells how long the module shall trust a
 * silent caller. KSCHED_ADD hands over one vcpu thread and answers with its
 * slot. KSCHED_COMMIT sends a batch of moves and returns: each move is carried
 * out by the cpu the thread is on, and answered in a ring that the caller maps
 * read-only, one answer a move. KSCHED_DROP gives a thread back as it was.
 *
 * The bound. Each slot has a bound: the cpus the kernel itself has shown to be
 * allowed for this thread. It begins as the thread's affinity when it was
 * handed over; KSCHED_LEARN takes in what the thread has now, after somebody
 * with the right to do so (sched_setaffinity(2), a cpuset) gave it more. A
 * move beyond the bound is refused, never forced.
 *
 * Whoever else changes a thread's affinity wins: the next move of that thread
 * finds it changed, takes the change as the new bound and as what the thread
 * gets back in the end, and is answered -ESTALE; the one after that is carried
 * out within the new bound. (Not so what the kernel does when a thread's last
 * cpu goes offline, and what goes by KSCHED_LEARN.)
 *
 * The end of a session, however it comes (close, a caller gone silent, the
 * module told to drain), gives every thread the affinity it had when handed
 * over, or that others gave it since, as far as that is within its bound. After
 * the end every ioctl answers -ESHUTDOWN; close, and open again for a new
 * session.
 *
 * Any ioctl: -ENOTCONN before KSCHED_START, -ENOTTY for an unknown one,
 * -EFAULT for a bad address, -EINVAL for a reserved field set. open(2): -EPERM
 * without CAP_SYS_NICE, -EBUSY while there is a session, -ESHUTDOWN while the
 * module is told to drain.
 *
 * Versions. `version` must be equal on both sides; all sizes are asserted.
 * Every field is fixed in width; reserved fields must be 0.
 */
#ifndef HL_KSCHED_H
#define HL_KSCHED_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KSCHED_PATH    "/dev/ksched"
#define KSCHED_VERSION 1

#define KSCHED_CPUS_MAX	   512	 /* cpus a mask can name: bounds.h CPU_MAX */
#define KSCHED_THREADS_MAX 8192	 /* threads handed over: bounds.h VCPU_MAX */
#define KSCHED_BATCH_MAX   256	 /* moves in one KSCHED_COMMIT */
#define KSCHED_RING_SLOTS  16384 /* answers; a power of two */

/* How long a silent caller is trusted, KSCHED_START. */
#define KSCHED_SILENCE_MIN_MS 100
#define KSCHED_SILENCE_MAX_MS 60000

/* Bit n of word n / 64 is cpu n. */
struct ksched_mask {
	__u64 word[KSCHED_CPUS_MAX / 64];
};

/* Once a session: -EALREADY. */
struct ksched_start {
	__u32 version;	  /* in: KSCHED_VERSION, else -EPROTO */
	__u32 silence_ms; /* in: end the session when no ioctl came so long;
			   * -ERANGE outside the limits above */
	__u32 map_bytes;  /* out: length of the mapping */
	__u32 reserved;
};

/* Hand over a thread. -ESRCH: no such thread in that process, or another one
 * that got its number; -EEXIST: handed over already; -ENOSPC: table full;
 * -EINVAL: not a thread of user space, or its affinity may not be set. */
struct ksched_add {
	__s32 tgid;	   /* in: the VM's process, in the caller's pid space */
	__s32 tid;	   /* in */
	__u64 start_ticks; /* in: field 22 of /proc/TGID/task/TID/stat */
	__u32 slot;	   /* out: names the thread from now on */
	__u32 reserved;
	struct ksched_mask had; /* out: its affinity, and so its first bound */
};

/* Give a thread back what it had and forget it. Waits for a move of it that
 * is under way, so that none comes after. -ENOENT: nothing in that slot. */
struct ksched_drop {
	__u32 slot;
	__u32 reserved;
};

enum ksched_learn_how {
	KSCHED_LEARN_ADD = 0, /* bound = bound and what the thread has now */
	KSCHED_LEARN_ONLY,    /* bound = what the thread has now */
};

/* The thread's affinity was changed with right: take it as allowed. */
struct ksched_learn {
	__u32 slot;
	__u32 how; /* enum ksched_learn_how */
};

/* Each cpu serves owners before riders before harvesters. */
enum ksched_role {
	KSCHED_OWNER = 0,
	KSCHED_RIDER,
	KSCHED_HARVESTER,
	KSCHED_ROLES,
};

/* Let this thread run on these cpus and no others. */
struct ksched_move {
	__u32 slot;
	__u32 gen;  /* the caller's count, comes back in the answer */
	__u32 role; /* enum ksched_role */
	__u32 reserved;
	struct ksched_mask mask;
};

/* Answers in the ring tell what became of each; the ioctl itself fails only
 * as a whole: -EINVAL for a bad count, -EFAULT, -EBUSY while another thread is
 * in it; then nothing was sent. */
struct ksched_commit {
	__u64 moves; /* in: address of struct ksched_move[count] */
	__u32 count; /* in: 1 .. KSCHED_BATCH_MAX */
	__u32 reserved;
};

#define KSCHED_MAGIC 0xb7

#define KSCHED_START  _IOWR(KSCHED_MAGIC, 0, struct ksched_start)
#define KSCHED_ADD    _IOWR(KSCHED_MAGIC, 1, struct ksched_add)
#define KSCHED_DROP   _IOW(KSCHED_MAGIC, 2, struct ksched_drop)
#define KSCHED_LEARN  _IOW(KSCHED_MAGIC, 3, struct ksched_learn)
#define KSCHED_COMMIT _IOW(KSCHED_MAGIC, 4, struct ksched_commit)
#define KSCHED_BEAT   _IO(KSCHED_MAGIC, 5) /* I am alive; others say so too */

/*
 * What became of a move. Moves of one thread are carried out in the order they
 * were sent; an overtaken one may be answered before the one that was under way
 * when it was sent. err:
 *	0	   the thread may run on those cpus and no others, and is there
 *	-ECANCELED a newer move of this thread came before it was begun
 *	-ESRCH	   the thread has ended, or the slot holds none
 *	-EXDEV	   beyond the bound
 *	-ESTALE	   somebody else changed the thread's affinity since
 *	-ENODEV	   none of those cpus is in use
 *	-EINVAL	   an empty mask, an unknown role, a reserved field set
 *	-ESHUTDOWN the session ended before it was begun
 */
struct ksched_done {
	__u32 slot;
	__u32 gen;
	__s32 err;
	__u16 cpu;     /* where the thread is now: runs, waits or sleeps */
	__u16 by;      /* the cpu that carried it out */
	__u64 took_ns; /* from the commit to the answer */
	__u64 at_ns;   /* CLOCK_MONOTONIC of the answer */
};

/*
 * The mapping: this page, then struct ksched_done[KSCHED_RING_SLOTS]. Answer
 * number n (from 0) is in ring[n % KSCHED_RING_SLOTS]; those below `head` are
 * complete (load it with acquire order). The module does not know how far the
 * caller has read: who never has more than KSCHED_RING_SLOTS moves unanswered
 * loses none. Only the module writes.
 */
struct ksched_page {
	__u32 version;
	__u32 map_bytes;
	__u32 ring_slots;
	__u32 over; /* not 0: the session has ended, enum ksched_over */
	__u64 head __attribute__((aligned(64)));
	__u64 asked;	 /* moves sent */
	__u64 moved;	 /* answers 0 */
	__u64 overtaken; /* answers -ECANCELED */
	__u64 gone;	 /* answers -ESRCH */
	__u64 refused;	 /* -EXDEV, -ESTALE, -ENODEV, -EINVAL, -ESHUTDOWN */
	__u64 sent;	 /* interrupts sent to other cpus */
	__u64 forwarded; /* moves handed on: the thread had left that cpu */
	__u8 pad[4096 - 128];
};

enum ksched_over {
	KSCHED_ALIVE = 0,
	KSCHED_OVER_SILENT,  /* no ioctl for silence_ms */
	KSCHED_OVER_DRAINED, /* root asked: module parameter drain */
};

#define KSCHED_RING_BYTES (KSCHED_RING_SLOTS * sizeof(struct ksched_done))
#define KSCHED_MAP_BYTES  (sizeof(struct ksched_page) + KSCHED_RING_BYTES)

_Static_assert(sizeof(struct ksched_mask) == 64, "a cache line");
_Static_assert(sizeof(struct ksched_start) == 16, "layout");
_Static_assert(sizeof(struct ksched_add) == 88, "layout");
_Static_assert(sizeof(struct ksched_drop) == 8, "layout");
_Static_assert(sizeof(struct ksched_learn) == 8, "layout");
_Static_assert(sizeof(struct ksched_move) == 80, "layout");
_Static_assert(sizeof(struct ksched_commit) == 16, "layout");
_Static_assert(sizeof(struct ksched_done) == 32, "two a cache line");
_Static_assert(sizeof(struct ksched_page) == 4096, "a page");
_Static_assert((KSCHED_RING_SLOTS & (KSCHED_RING_SLOTS - 1)) == 0, "masked");

#endif
