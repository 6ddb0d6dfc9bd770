// SPDX-License-Identifier: Apache-2.0
/*
 * ksched_hands.c - the poll thread's half of the ksched backend: every move
 * takes the fast way or the slow one, and is answered once
 *
 *	submit -> [queue] -flush-> batch -commit-> module ---> ring --reap-->
 *				\-> cgroup's box -> worker -> box ---reap-->
 *
 * One move at a time. Of each vcpu at most one move is out, in the module or
 * in the cgroup backend; the newest of those that came since waits in its
 * struct hand, and those it replaced are answered -ECANCELED at once. So an
 * older move cannot overtake a newer one: the newer one is begun when the
 * older one has been answered. flush() chooses the way of each as it begins.
 *
 * Refused. A move the module refuses (-EXDEV beyond what it knows to be
 * allowed, -ESTALE somebody else moved the thread, -ESHUTDOWN too late) is
 * made by the cgroup backend, unless a newer one waits; that may widen the
 * cpuset and has the kernel's consent. The module then learns what the thread
 * has now, and the next move is fast. What the cgroup backend answers is
 * final, so no move goes round in circles.
 *
 * The end of a session gives every thread what it was handed over with, after
 * any answer of the module: so the poll thread, when it sees another number in
 * `live`, makes the newest move of every vcpu once more, answered or not
 * (lose()). Of a VM that has left meanwhile the cgroup backend says -ESRCH,
 * which is told to nobody.
 *
 * The heartbeat is this thread's: a commit, or a beat a BEAT_NS without one.
 *
 * Answers always fit: no more moves are under way than `own` has slots.
 */
#include "ksched_hands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hl/clock.h"
#include "hl/mbox.h"
#include "policy/policy.h"

#define OWN_SLOTS (2 * VCPU_MAX)
#define BEAT_NS	  (KSCHED_SILENCE_MS / 12 * NSEC_PER_MSEC)

struct kept {
	struct move move;
	bool owed; /* an answer to it */
	bool slow; /* the module refused it */
};

/* A vcpu's moves. Queued is who waits and is NOWHERE. */
struct hand {
	enum { NOWHERE, MODULE, CGROUP } where; /* `out` */
	bool waits;				/* there is a `next` */
	bool holds;				/* `out` was done */
	uint32_t tag;				/* of `out` in the module */
	struct kept out, next;
};

struct hands {
	struct ksched_share *share;
	struct mbox own; /* answers; poll thread at both ends */
	uint32_t under_way, serial;
	uint32_t mine;	  /* the session last worked in */
	uint32_t sent;	  /* moves the module has not answered */
	bool broken_told; /* the control thread was asked to end it */
	uint64_t heard_ns;
	uint64_t fast, failed, overtaken, refused; /* any thread reads */
	uint32_t head, tail;			   /* of queue[], masked */
	uint16_t queue[VCPU_MAX];
	unsigned top; /* of hand[] */
	unsigned batch_cnt;
	uint16_t batch[KSCHED_DEV_BATCH];
	struct hand hand[VCPU_MAX];
};

static void count_up(uint64_t *n)
{
	__atomic_store_n(n, *n + 1, __ATOMIC_RELAXED);
}

static bool is_broken(const struct hands *a)
{
	return __atomic_load_n(&a->share->broken, __ATOMIC_RELAXED);
}

/* --- answers, and what is to be begun ------------------------------------ */

static void answer(struct hands *a, struct kept *k, int err, uint64_t at_ns)
{
	const struct move_done d = { .vcpu = k->move.vcpu,
				     .gen = k->move.gen,
				     .err = err,
				     .took_ns = at_ns - k->move.asked_ns };

	if (k->owed)
		mbox_push(&a->own, &d); /* fits: see the head comment */
	k->owed = false;
}

static void overtake(struct hands *a, struct kept *k)
{
	if (k->owed)
		count_up(&a->overtaken);
	answer(a, k, -ECANCELED, clock_now_ns());
}

static void enqueue(struct hands *a, uint16_t vcpu)
{
	a->queue[a->tail++ % VCPU_MAX] = vcpu;
}

/* `out` is to be made once more, unless a newer one waits. */
static void again(struct hands *a, struct hand *h, bool slow)
{
	if (h->waits) {
		overtake(a, &h->out);
		return;
	}
	h->next = h->out;
	h->next.slow = slow;
	h->waits = true;
	h->out.owed = false; /* `next` owes it now */
}

/* `out` is nowhere any more. */
static void settled(struct hands *a, struct hand *h)
{
	h->where = NOWHERE;
	if (h->waits)
		enqueue(a, h->out.move.vcpu);
}

/* The session we worked in has ended: see the head comment. A move the cgroup
 * backend has may have been made before the end or after it: what it answers
 * is told to nobody, the next time it is. */
static void lose(struct hands *a, uint32_t live)
{
	for (unsigned i = 0; a->mine && i < a->top; i++) {
		struct hand *h = &a->hand[i];

		if (h->where == NOWHERE && (h->waits || !h->holds))
			continue; /* queued, or there is nothing to repeat */
		again(a, h, false);
		if (h->where != CGROUP)
			settled(a, h);
	}
	a->sent = 0;
	a->broken_told = false;
	a->mine = live;
}

/* --- the guard ----------------------------------------------------------- */

/* Return: is there a session? leave() in any case. */
static bool enter(struct hands *a)
{
	uint32_t live;

	__atomic_store_n(&a->share->inside, a->share->inside + 1,
			 __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	live = __atomic_load_n(&a->share->live, __ATOMIC_ACQUIRE);
	if (live != a->mine)
		lose(a, live);
	return live;
}

static void leave(struct hands *a)
{
	__atomic_store_n(&a->share->inside, a->share->inside + 1,
			 __ATOMIC_RELEASE);
}

/* Outside: the control thread may run it at once. */
static void tell_broken(struct hands *a)
{
	if (!a->mine || !is_broken(a) || a->broken_told)
		return;
	a->broken_told = true;
	a->share->ask_end(a->share->ask_arg);
}

static void break_off(struct hands *a)
{
	__atomic_store_n(&a->share->broken, true, __ATOMIC_RELAXED);
}

/* Inside. Return: the VM of a move as it was handed over, NULL: the module
 * has not got this thread. */
static const struct handed *handed_of(const struct hands *a,
				      const struct move *m)
{
	const struct handed *v;

	if (!a->mine || is_broken(a) || m->vm >= VM_MAX)
		return NULL;
	v = __atomic_load_n(&a->share->vm[m->vm], __ATOMIC_ACQUIRE);
	if (!v || v->vm.pid != m->pid || m->index >= v->vm.vcpu_cnt ||
	    !m->tid || v->vm.tid[m->index] != m->tid)
		return NULL;
	return v;
}

/* Inside. Return: 1 + the module's slot, or SLOT_NONE, in doubt too. */
static uint32_t slot_of(const struct handed *v, const struct move *m)
{
	uint32_t slot =
	    v ? __atomic_load_n(&v->slot[m->index], __ATOMIC_ACQUIRE)
	      : SLOT_NONE;

	return slot & SLOT_DOUBT ? SLOT_NONE : slot;
}

/* The order in which a cpu carries out moves that wait there together. A
 * vcpu with one cpu is its owner, or rides on the only cpu its VM owns. */
static enum ksched_dev_role role_of(const struct handed *v,
				    const struct move *m)
{
	if (v->vm.class != VM_CLASS_LATENCY_CRITICAL)
		return KSCHED_DEV_HARVESTER;
	return cpumask_count(&m->mask) == 1 ? KSCHED_DEV_OWNER
					    : KSCHED_DEV_RIDER;
}

/* --- begin --------------------------------------------------------------- */

/* Inside. Send the batch; what cannot be sent is queued for the slow way. */
static void commit(struct hands *a, uint64_t now_ns)
{
	int err;

	if (!a->batch_cnt)
		return;
	err = ksched_dev_commit(a->share->dev);
	if (err)
		break_off(a);
	a->heard_ns = now_ns;
	for (unsigned i = 0; err && i < a->batch_cnt; i++) {
		struct hand *h = &a->hand[a->batch[i]];

		a->sent--;
		again(a, h, true);
		settled(a, h);
	}
	a->batch_cnt = 0;
}

/* Inside. Return: false when the cgroup backend is full: next time. */
static bool begin_next(struct hands *a, uint64_t now_ns)
{
	struct hand *h = &a->hand[a->queue[a->head % VCPU_MAX]];
	const struct move *m = &h->next.move;
	const struct handed *v = h->next.slow ? NULL : handed_of(a, m);
	uint32_t slot = slot_of(v, m);

	if (slot) {
		h->where = MODULE;
		h->tag = a->serial++ * VCPU_MAX + m->vcpu;
		ksched_dev_put(a->share->dev, slot - 1, h->tag, role_of(v, m),
			       &m->mask);
		a->batch[a->batch_cnt++] = m->vcpu;
		a->sent++;
	} else {
		if (!act_cgroup.submit(a->share->slow, m))
			return false;
		h->where = CGROUP;
	}
	a->head++;
	h->out = h->next;
	h->waits = h->holds = false;
	if (a->batch_cnt == KSCHED_DEV_BATCH)
		commit(a, now_ns);
	return true;
}

static void begin_all(struct hands *a, uint64_t now_ns)
{
	while (a->head != a->tail && begin_next(a, now_ns))
		;
	commit(a, now_ns);
}

static void beat(struct hands *a, uint64_t now_ns)
{
	if (now_ns - a->heard_ns < BEAT_NS)
		return;
	a->heard_ns = now_ns;
	if (ksched_dev_beat(a->share->dev))
		break_off(a);
}

void hands_flush(struct hands *a, uint64_t now_ns)
{
	if (enter(a) && !is_broken(a) && ksched_dev_over(a->share->dev))
		break_off(a);
	begin_all(a, now_ns);
	if (a->mine && !is_broken(a))
		beat(a, now_ns);
	begin_all(a, now_ns); /* a commit that failed: the slow way */
	leave(a);
	tell_broken(a);
}

bool hands_submit(struct hands *a, const struct move *m)
{
	struct kept k = { .move = *m, .owed = true };
	struct hand *h;

	if (a->under_way == OWN_SLOTS)
		return false;
	a->under_way++;
	if (m->vcpu >= VCPU_MAX) {
		count_up(&a->failed);
		answer(a, &k, -EINVAL, clock_now_ns());
		return true;
	}
	if (m->vcpu >= a->top)
		a->top = m->vcpu + 1u;
	h = &a->hand[m->vcpu];
	if (h->waits)
		overtake(a, &h->next);
	else if (h->where == NOWHERE)
		enqueue(a, m->vcpu);
	h->next = k;
	h->waits = true;
	return true;
}

/* --- answers of either way ----------------------------------------------- */

static void answered_fast(struct hands *a, const struct ksched_dev_done *d)
{
	struct hand *h = &a->hand[d->tag % VCPU_MAX];

	if (h->where != MODULE || h->tag != d->tag)
		return; /* of a move we know nothing of */
	a->sent--;
	h->holds = !d->err;
	if (d->err == -EXDEV || d->err == -ESTALE || d->err == -ESHUTDOWN) {
		count_up(&a->refused);
		again(a, h, true);
	} else {
		count_up(d->err ? &a->failed : &a->fast);
		answer(a, &h->out, d->err, d->at_ns);
	}
	settled(a, h);
}

/* The thread has what it was allowed to have: let the module know. Of a slot
 * in doubt the control thread will tell. */
static void teach(struct hands *a, const struct move *m)
{
	uint32_t slot;
	int err = 0;

	enter(a);
	slot = slot_of(handed_of(a, m), m);
	if (slot)
		err = ksched_dev_learn(a->share->dev, slot - 1, false);
	/* -ENOENT, -ESRCH: the thread has ended, which is no harm. */
	if (err && err != -ENOENT && err != -ESRCH)
		break_off(a);
	leave(a);
}

static void answered_slow(struct hands *a, const struct move_done *d)
{
	struct hand *h = &a->hand[d->vcpu];

	if (!d->err)
		teach(a, &h->out.move);
	h->holds = !d->err;
	answer(a, &h->out, d->err, h->out.move.asked_ns + d->took_ns);
	settled(a, h);
}

static void collect(struct hands *a)
{
	struct ksched_dev_done fast;
	struct move_done slow;

	if (a->sent) {
		if (enter(a))
			while (ksched_dev_next(a->share->dev, &fast))
				answered_fast(a, &fast);
		leave(a);
	}
	while (act_cgroup.reap(a->share->slow, &slow))
		answered_slow(a, &slow);
}

bool hands_reap(struct hands *a, struct move_done *d)
{
	if (!mbox_pop(&a->own, d)) {
		collect(a);
		if (!mbox_pop(&a->own, d))
			return false;
	}
	a->under_way--;
	return true;
}

/* --- life ---------------------------------------------------------------- */

int hands_open(struct hands **out, struct ksched_share *share)
{
	struct hands *a = aligned_alloc(64, (sizeof(*a) + 63) / 64 * 64);
	int err;

	if (!a)
		return -ENOMEM;
	memset(a, 0, sizeof(*a));
	a->share = share;
	err = mbox_init(&a->own, OWN_SLOTS, sizeof(struct move_done));
	if (err) {
		free(a);
		return err;
	}
	*out = a;
	return 0;
}

void hands_close(struct hands *a)
{
	mbox_exit(&a->own);
	free(a);
}

void hands_count(const struct hands *a, struct act_count *sum)
{
	sum->fast = __atomic_load_n(&a->fast, __ATOMIC_RELAXED);
	sum->moved += sum->fast;
	sum->failed += __atomic_load_n(&a->failed, __ATOMIC_RELAXED);
	sum->overtaken += __atomic_load_n(&a->overtaken, __ATOMIC_RELAXED);
	sum->refused = __atomic_load_n(&a->refused, __ATOMIC_RELAXED);
}
