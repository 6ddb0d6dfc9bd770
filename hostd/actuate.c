// SPDX-License-Identifier: Apache-2.0
/*
 * actuate.c - a plan becomes moves, moves are followed until they are done
 *
 * Theory of operation. For each vcpu slot there is one wish: the mask it shall
 * have, with a generation that grows with every change. A wish is submitted to
 * the backend as a move; the answer names the generation, so an answer to an
 * older wish is told from one to the newest. The newest wish always wins:
 * backends drop older ones they have not begun.
 *
 * A wish the backend cannot take (its box is full) is marked in a bitmap and
 * submitted in a later pass. A move that failed is counted and not repeated:
 * the next wish, a reassert, or the VM's end will settle it.
 *
 * The wish table is written by the poll thread alone; the control thread reads
 * it under a sequence count to keep libvirt's view in line.
 */
#include "actuate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hl/clock.h"
#include "stat.h"

#define WAIT_WORDS (VCPU_MAX / 64)
#define MOVES_MIN  8 /* fewer say nothing of what a move takes */

struct slot {
	uint32_t seq;	   /* odd while the wish is written */
	uint32_t last_gen; /* newest generation ever given out */
	struct wish wish;
	uint64_t asked_ns; /* when it was last to be submitted */
	pid_t pid, tid;
	uint16_t vm, index;
};

struct actuate {
	const struct act_ops *ops;
	struct act *act;
	unsigned waiting; /* bits set below */
	unsigned under_way;
	uint64_t wait[WAIT_WORDS]; /* to be submitted */
	struct slot slot[VCPU_MAX];
};

int actuate_open(struct actuate **out, const struct act_ops *ops,
		 struct act *act)
{
	struct actuate *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->ops = ops;
	a->act = act;
	*out = a;
	return 0;
}

void actuate_close(struct actuate *a)
{
	free(a);
}

static void wait_set(struct actuate *a, uint16_t vcpu)
{
	uint64_t bit = 1ull << (vcpu % 64);

	if (!(a->wait[vcpu / 64] & bit))
		a->waiting++;
	a->wait[vcpu / 64] |= bit;
}

static void wait_clear(struct actuate *a, uint16_t vcpu)
{
	uint64_t bit = 1ull << (vcpu % 64);

	if (a->wait[vcpu / 64] & bit)
		a->waiting--;
	a->wait[vcpu / 64] &= ~bit;
}

static void wish_write(struct slot *s, uint32_t gen, uint64_t now_ns,
		       const struct cpumask *mask)
{
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	s->wish.gen = gen;
	s->wish.since_ns = now_ns;
	s->wish.mask = *mask;
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELEASE);
}

bool actuate_wish(const struct actuate *a, uint16_t vcpu, struct wish *out)
{
	const struct slot *s = &a->slot[vcpu];

	for (int tries = 0; tries < 3; tries++) {
		uint32_t seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE);

		*out = s->wish;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(seq & 1) &&
		    seq == __atomic_load_n(&s->seq, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

void actuate_forget(struct actuate *a, uint16_t vcpu)
{
	const struct cpumask none = { 0 };

	wait_clear(a, vcpu);
	wish_write(&a->slot[vcpu], 0, 0, &none);
}

void actuate_vcpu(struct actuate *a, uint16_t vcpu, uint16_t vm, uint16_t index,
		  pid_t pid, pid_t tid)
{
	struct slot *s = &a->slot[vcpu];

	if (s->tid != tid || s->pid != pid)
		actuate_forget(a, vcpu);
	s->vm = vm;
	s->index = index;
	s->pid = pid;
	s->tid = tid;
}

/* Generations never repeat within a slot, whatever VMs it served; 0 is none. */
static uint32_t next_gen(struct slot *s)
{
	if (!++s->last_gen)
		s->last_gen = 1;
	return s->last_gen;
}

static void submit(struct actuate *a, uint16_t vcpu)
{
	const struct slot *s = &a->slot[vcpu];
	const struct move m = { .vcpu = vcpu,
				.vm = s->vm,
				.index = s->index,
				.gen = s->wish.gen,
				.pid = s->pid,
				.tid = s->tid,
				.mask = s->wish.mask,
				.asked_ns = s->asked_ns };

	if (!a->ops->submit(a->act, &m)) {
		stat_hostd.moves_full++;
		wait_set(a, vcpu);
		return;
	}
	wait_clear(a, vcpu);
	a->under_way++;
	stat_hostd.moves_asked++;
}

void actuate_want(struct actuate *a, uint16_t vcpu, const struct cpumask *mask,
		  uint64_t now_ns)
{
	struct slot *s = &a->slot[vcpu];

	if (!s->tid || (s->wish.gen && cpumask_equal(&s->wish.mask, mask)))
		return;
	wish_write(s, next_gen(s), now_ns, mask);
	s->asked_ns = now_ns;
	submit(a, vcpu);
}

void actuate_reassert(struct actuate *a, uint16_t vcpu, uint64_t now_ns)
{
	struct slot *s = &a->slot[vcpu];
	const struct cpumask mask = s->wish.mask;

	if (!s->tid || !s->wish.gen)
		return;
	/* since_ns stays: libvirt's view follows the wish, not its repetition
	 */
	wish_write(s, next_gen(s), s->wish.since_ns, &mask);
	s->asked_ns = now_ns;
	submit(a, vcpu);
}

static void answered(struct actuate *a, const struct move_done *d)
{
	struct slot *s = &a->slot[d->vcpu];

	if (a->under_way)
		a->under_way--;
	if (d->err == -ECANCELED)
		return; /* a newer wish overtook it */
	if (d->err) {
		stat_hostd.moves_failed++;
		/* a thread that ended is no failure of the VM's moves */
		if (d->err != -ESRCH && s->vm != VM_NONE)
			stat_hostd.vm[s->vm].moves_failed++;
		return;
	}
	stat_hostd.moves_done++;
	/* what bars make harvesters do waits for nobody and is in no hurry */
	if (s->vm != VM_NONE &&
	    stat_hostd.vm[s->vm].view.class == VM_CLASS_LATENCY_CRITICAL)
		hist_add(&stat_hostd.move_ns, d->took_ns);
}

void actuate_turn(struct actuate *a)
{
	struct move_done d;

	for (unsigned n = 0; n < 256 && a->ops->reap(a->act, &d); n++)
		if (d.vcpu < VCPU_MAX)
			answered(a, &d);
	for (unsigned w = 0; a->waiting && w < WAIT_WORDS; w++) {
		uint64_t bits = a->wait[w];

		for (; bits; bits &= bits - 1) {
			unsigned full_before = a->waiting;

			submit(a, (uint16_t)(w * 64 +
					     (unsigned)__builtin_ctzll(bits)));
			if (a->waiting == full_before)
				return; /* still full: next pass */
		}
	}
}

void actuate_flush(struct actuate *a, uint64_t now_ns)
{
	if (a->ops->flush)
		a->ops->flush(a->act, now_ns);
}

bool actuate_busy(const struct actuate *a)
{
	return a->waiting || a->under_way;
}

uint64_t actuate_move_ns(void)
{
	uint64_t ns;

	if (stat_hostd.move_ns.count < MOVES_MIN)
		return 0;
	ns = hist_quantile(&stat_hostd.move_ns, 5000);
	if (ns < NSEC_PER_USEC)
		return NSEC_PER_USEC;
	return ns < 10 * NSEC_PER_MSEC ? ns : 10 * NSEC_PER_MSEC;
}
