// SPDX-License-Identifier: Apache-2.0
/*
 * act_ksched.c - backend: vcpus moved by our kernel module, else by cgroup's
 *
 * Theory of operation. A whole cgroup backend (act_cgroup.c) works underneath:
 * the journal, classes, cpusets and every move the module cannot make are its
 * business. On top of it a session with the module (ksched_dev.c) makes the
 * other moves, as a batch a pass. This file is the control thread's half:
 * sessions begun and ended, threads handed over and taken back. The poll
 * thread's half, ksched_hands.c, says which way a move takes.
 *
 * Two threads, one session. The control thread alone begins and ends sessions;
 * the poll thread uses the session and the tables of struct ksched_share only
 * while it has made `inside` odd. The control thread first takes away what is
 * to go (the session's number in `live`, a VM's struct handed, a slot), then
 * waits in grace() until `inside` is even or has changed, then closes, drops
 * or frees. Both have a full fence between their store and their load, so one
 * sees the other: no descriptor is used after it was closed, and no batch
 * names a slot after it was dropped, which may be another thread's by then.
 * The poll thread never waits; the control thread waits for one flush.
 *
 * The end. The poll thread sees that a session is over, or a call fails; it
 * goes the slow way from there on and asks for turn(). That closes the device,
 * so that the module can be unloaded, and tries for another session every
 * RETRY_NS; then all VMs are handed over again.
 *
 * open() only tries whether a session can be had: the first turn() begins one,
 * when the poll thread runs, whose beats keep it alive.
 *
 * Libvirt's pins (pins.c) narrow a cpuset to what the thread has at that
 * moment, which the module cannot see. From before a pin until the module has
 * learned after it, the slot is in doubt and the vcpu goes the slow way. (A
 * move sent just before takes some microseconds, the pin call a hundred times
 * as much.)
 */
#include "act.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hl/clock.h"
#include "ksched_dev.h"
#include "ksched_hands.h"
#include "log.h"

#define RETRY_NS (5 * NSEC_PER_SEC)

struct act {
	struct ksched_share share;
	struct hands *hands; /* poll thread */

	/* control thread */
	uint32_t sessions;
	uint64_t retry_ns;
	void (*on_control)(void (*fn)(void *arg), void *arg);
};

/* --- poll thread --------------------------------------------------------- */

static bool ksched_submit(struct act *a, const struct move *m)
{
	return hands_submit(a->hands, m);
}

static void ksched_flush(struct act *a, uint64_t now_ns)
{
	hands_flush(a->hands, now_ns);
}

static bool ksched_reap(struct act *a, struct move_done *d)
{
	return hands_reap(a->hands, d);
}

static void chore(void *arg);

static void ask_end(void *arg)
{
	const struct act *a = arg;

	if (a->on_control) /* else the next turn() will see it */
		a->on_control(chore, arg);
}

/* --- control thread: threads handed over --------------------------------- */

/* What was taken away before this call is not used by the poll thread after
 * it. It waits for one flush() or reap() at most. */
static void grace(const struct act *a)
{
	const struct timespec pause = { .tv_nsec = 50000 };
	uint32_t was;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	was = __atomic_load_n(&a->share.inside, __ATOMIC_ACQUIRE);
	while ((was & 1) &&
	       __atomic_load_n(&a->share.inside, __ATOMIC_ACQUIRE) == was)
		nanosleep(&pause, NULL);
}

static void slot_set(struct handed *v, unsigned index, uint32_t slot)
{
	__atomic_store_n(&v->slot[index], slot, __ATOMIC_RELEASE);
}

/* Hand over the threads the module has not got. One it refuses is moved the
 * slow way. */
static void hand_over(struct act *a, struct handed *v)
{
	uint32_t slot;
	int err;

	for (unsigned i = 0; a->share.dev && i < v->vm.vcpu_cnt; i++) {
		if (!v->vm.tid[i] || v->slot[i])
			continue;
		err = ksched_dev_add(a->share.dev, v->vm.pid, v->vm.tid[i],
				     &slot);
		if (!err)
			slot_set(v, i, slot + 1);
		else if (err != -ESRCH && !ksched_dev_over(a->share.dev))
			log_limited(LOG_LEVEL_WARN,
				    "ksched does not take vcpu %u of VM %s: "
				    "%s; it is moved by affinity",
				    i, v->vm.name, strerror(-err));
	}
}

/* Take @v's threads back but those that @next has too. */
static void take_back(struct act *a, const struct handed *v,
		      const struct handed *next)
{
	for (unsigned i = 0; a->share.dev && i < v->vm.vcpu_cnt; i++)
		if (v->slot[i] && !(next && next->slot[i]))
			ksched_dev_drop(a->share.dev,
					(v->slot[i] & ~SLOT_DOUBT) - 1);
}

/* From now on the poll thread sees @next, or nothing. */
static void replace(struct act *a, uint16_t vm, struct handed *next)
{
	struct handed *was = a->share.vm[vm];

	__atomic_store_n(&a->share.vm[vm], next, __ATOMIC_RELEASE);
	grace(a);
	if (was)
		take_back(a, was, next);
	free(was);
}

static int ksched_adopt(struct act *a, const struct act_vm *vm)
{
	struct handed *next = calloc(1, sizeof(*next));
	const struct handed *was;
	int err;

	if (!next)
		return -ENOMEM;
	err = act_cgroup.adopt(a->share.slow, vm);
	if (err) {
		free(next);
		return err;
	}
	next->vm = *vm;
	was = a->share.vm[vm->vm];
	for (unsigned i = 0; was && was->vm.pid == vm->pid &&
			     i < vm->vcpu_cnt && i < was->vm.vcpu_cnt;
	     i++)
		if (was->vm.tid[i] == vm->tid[i])
			next->slot[i] = was->slot[i];
	replace(a, vm->vm, next);
	hand_over(a, next);
	return 0;
}

static void ksched_release(struct act *a, uint16_t vm)
{
	if (vm < VM_MAX)
		replace(a, vm, NULL);
	act_cgroup.release(a->share.slow, vm);
}

static void ksched_room(struct act *a, const struct cpumask *room)
{
	act_cgroup.room(a->share.slow, room);
}

static int ksched_note_pin(struct act *a, const char *uuid, unsigned index,
			   const struct cpumask *mask)
{
	return act_cgroup.note_pin(a->share.slow, uuid, index, mask);
}

static void ksched_pinning(struct act *a, const char *uuid, unsigned index,
			   bool done)
{
	struct handed *v = NULL;
	uint32_t slot;

	for (unsigned i = 0; i < VM_MAX && !v; i++)
		if (a->share.vm[i] && !strcmp(a->share.vm[i]->vm.uuid, uuid))
			v = a->share.vm[i];
	if (!v || index >= v->vm.vcpu_cnt || !v->slot[index])
		return;
	slot = v->slot[index] & ~SLOT_DOUBT;
	if (!done) {
		slot_set(v, index, slot | SLOT_DOUBT);
		grace(a);
	} else if (a->share.dev &&
		   !ksched_dev_learn(a->share.dev, slot - 1, true)) {
		slot_set(v, index, slot);
	} /* else it has ended, or the session has: in doubt for good */
}

/* --- control thread: sessions -------------------------------------------- */

static int session_begin(struct act *a)
{
	int err = ksched_dev_open(&a->share.dev, KSCHED_SILENCE_MS);

	if (err)
		return err;
	for (unsigned i = 0; i < VM_MAX; i++)
		if (a->share.vm[i])
			hand_over(a, a->share.vm[i]);
	if (!++a->sessions)
		a->sessions = 1;
	__atomic_store_n(&a->share.live, a->sessions, __ATOMIC_RELEASE);
	if (a->sessions > 1)
		log_info("ksched is back");
	return 0;
}

static void session_end(struct act *a)
{
	if (!a->share.dev)
		return;
	__atomic_store_n(&a->share.live, 0, __ATOMIC_RELEASE);
	grace(a);
	__atomic_store_n(&a->share.broken, false, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < VM_MAX; i++)
		if (a->share.vm[i])
			memset(a->share.vm[i]->slot, 0,
			       sizeof(a->share.vm[i]->slot));
	ksched_dev_close(a->share.dev);
	a->share.dev = NULL;
}

static void ksched_turn(struct act *a, uint64_t now_ns)
{
	const char *why;

	if (!a->share.dev) {
		if (now_ns >= a->retry_ns && session_begin(a))
			a->retry_ns = now_ns + RETRY_NS;
		return;
	}
	why = ksched_dev_over(a->share.dev);
	if (!why && !__atomic_load_n(&a->share.broken, __ATOMIC_RELAXED))
		return;
	session_end(a);
	a->retry_ns = now_ns + RETRY_NS;
	log_warn("the session with ksched is over: %s; vcpus are moved by "
		 "affinity and cpuset until it is back",
		 why ? why : "it failed");
}

static void chore(void *arg)
{
	ksched_turn(arg, clock_now_ns());
}

/* --- life ---------------------------------------------------------------- */

static int ksched_open(struct act **out, const struct act_conf *conf)
{
	struct ksched_dev *trial;
	struct act *a;
	int err;

	err = ksched_dev_open(&trial, KSCHED_SILENCE_MS);
	if (err)
		return err;
	ksched_dev_close(trial);
	a = aligned_alloc(64, sizeof(*a));
	if (!a)
		return -ENOMEM;
	memset(a, 0, sizeof(*a));
	a->on_control = conf->on_control;
	a->share.ask_end = ask_end;
	a->share.ask_arg = a;
	err = hands_open(&a->hands, &a->share);
	if (err)
		goto err_act;
	err = act_cgroup.open(&a->share.slow, conf);
	if (err)
		goto err_hands;
	*out = a;
	return 0;

err_hands:
	hands_close(a->hands);
err_act:
	free(a);
	return err;
}

static void ksched_close(struct act *a)
{
	for (unsigned i = 0; i < VM_MAX; i++)
		if (a->share.vm[i])
			ksched_release(a, (uint16_t)i);
	session_end(a);
	act_cgroup.close(a->share.slow);
	hands_close(a->hands);
	free(a);
}

static void ksched_count(const struct act *a, struct act_count *out)
{
	struct act_count c = { 0 };

	act_cgroup.count(a->share.slow, &c);
	hands_count(a->hands, &c);
	c.away = !__atomic_load_n(&a->share.live, __ATOMIC_RELAXED);
	*out = c;
}

const struct act_ops act_ksched = {
	.name = "ksched",
	.open = ksched_open,
	.adopt = ksched_adopt,
	.room = ksched_room,
	.note_pin = ksched_note_pin,
	.pinning = ksched_pinning,
	.turn = ksched_turn,
	.release = ksched_release,
	.submit = ksched_submit,
	.flush = ksched_flush,
	.reap = ksched_reap,
	.close = ksched_close,
	.count = ksched_count,
};
