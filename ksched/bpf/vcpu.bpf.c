// SPDX-License-Identifier: GPL-2.0
/*
 * vcpu.bpf.c - watches vcpu threads: running, ready (waiting) or halted
 *
 * Theory of operation
 *
 * hostd writes into `watched` which threads are vcpus and which slot each has.
 * Two kernel events then drive the slot's state:
 *
 *	          switched in                    switched out, still runnable
 *	  READY ---------------> RUNNING -------------------------> READY
 *	    ^                       |
 *	    | woken                 | switched out, asleep
 *	    +------- HALTED <-------+
 *
 * Nothing is ever sent: each write marks its slot (hl/dirty.h), and hostd reads
 * the marked ones in its own time.
 *
 * Which event can meet which. Events of one thread are ordered by the
 * scheduler itself. sched_switch runs under the run queue's lock; a wake-up
 * either finds the thread still queued (same lock) or waits until the switch
 * that put it to sleep has ended (p->on_cpu) before it queues it; only then
 * can it be switched in, under that queue's lock. So two cpus never write one
 * slot because of the thread's own life. hostd's control thread can collide,
 * when it begins or ends a watch. Therefore the slot is taken with a
 * compare-and-swap on `seq`: a program that finds it taken does not wait, it
 * counts the event as missed and hostd looks at the thread again. The same
 * holds should a future kernel break the order above: an event may be lost, a
 * slot is never torn.
 *
 * Nearly every switch on a host concerns no vcpu. It costs one or two hash
 * lookups that fail: 20 to 30 ns, measured on a virtual machine (idle threads
 * have tid 0 and cost none). An event of a vcpu costs 70 ns. A bitmap asked
 * before the hash brought the former to 8 ns: one per cent of a switch, not
 * worth its upkeep.
 *
 * Needs 5.12 (atomics with a result); type information is taken from the
 * running kernel, so the few fields below are all that is known of it.
 * sched_switch's fourth argument (added in 5.18) is not used: __state says the
 * same, and is right where a signal kept the thread from sleeping.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <stdbool.h>

#include "hl/bounds.h"
#include "hl/dirty.h"
#include "hl/sensor.h"

#define PF_EXITING 0x00000004 /* linux/sched.h, unchanged since 2.6 */

/* What is read of the kernel's own; CO-RE finds the offsets at load time. */
struct task_struct {
	int pid;	      /* of the thread, in the first pid namespace */
	unsigned int __state; /* 0: runnable */
	unsigned int flags;
	int on_cpu; /* running, or still being switched out */
} __attribute__((preserve_access_index));

/* tid -> slot. hostd adds; hostd and the thread's end remove. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VCPU_MAX);
	__type(key, __u32);
	__type(value, __u32);
} watched SEC(".maps");

/* Mapped by hostd. */
struct sensor_slot slot[VCPU_MAX] __attribute__((aligned(64)));
struct dirty_word dirty[DIRTY_WORDS(VCPU_MAX)] __attribute__((aligned(64)));
unsigned long long dirty_top[DIRTY_TOPS(VCPU_MAX)] __attribute__((aligned(64)));

#define NO_SLOT VCPU_MAX

/* slot_find() - Return: the slot that watches @tid; NO_SLOT for all others. */
static __always_inline __u32 slot_find(__u32 tid)
{
	__u32 *index;

	if (!tid)
		return NO_SLOT; /* the idle thread */
	index = bpf_map_lookup_elem(&watched, &tid);
	return index ? *index : NO_SLOT;
}

/* slot_take() - Become the slot's only writer. Return: false, and counted,
 * when somebody else is. */
static __always_inline bool slot_take(struct sensor_slot *s)
{
	__u32 seq = *(volatile __u32 *)&s->seq;

	if (!(seq & 1) &&
	    __sync_val_compare_and_swap(&s->seq, seq, seq + 1) == seq)
		return true;
	__sync_fetch_and_add(&s->missed, 1);
	return false;
}

/* slot_put() - Even again, and hostd is to look. A swap, because only swaps
 * order stores here. */
static __always_inline void slot_put(__u32 i)
{
	struct sensor_slot *s = &slot[i];

	__sync_lock_test_and_set(&s->seq, s->seq + 1);
	dirty_mark(dirty, dirty_top, i);
}

/*
 * slot_change() - The thread is in state @to from now on
 *
 * Adds the stretch that ends to its sum. A thread that is ready stays ready
 * since then: a second wake-up (a signal while it waits) is no news. Does
 * nothing when the slot came to watch another thread in the meantime.
 */
static __always_inline void slot_change(__u32 i, __u32 tid, enum vcpu_run to)
{
	__u64 now_ns = bpf_ktime_get_ns(), stretch_ns;
	struct sensor_slot *s = &slot[i];

	if (!slot_take(s))
		return;
	if (s->tid != tid || (to == VCPU_RUN_READY && s->state == to))
		goto put;
	stretch_ns = now_ns > s->since_ns ? now_ns - s->since_ns : 0;
	if (s->state == VCPU_RUN_RUNNING)
		s->ran_ns += stretch_ns;
	else if (s->state == VCPU_RUN_READY)
		s->waited_ns += stretch_ns;
	if (to == VCPU_RUN_RUNNING) {
		s->runs++;
		s->cpu = bpf_get_smp_processor_id();
	}
	s->state = to;
	s->since_ns = now_ns;
put:
	slot_put(i);
}

/* slot_end() - The thread ends: forget it before its tid is used again. */
static __always_inline void slot_end(__u32 i, __u32 tid)
{
	struct sensor_slot *s = &slot[i];

	bpf_map_delete_elem(&watched, &tid);
	if (!slot_take(s))
		return;
	if (s->tid == tid) {
		s->tid = 0;
		s->state = VCPU_RUN_UNKNOWN;
	}
	slot_put(i);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev,
	     struct task_struct *next)
{
	__u32 from = prev->pid, to = next->pid;
	__u32 i = slot_find(from);

	if (i < NO_SLOT && prev->flags & PF_EXITING)
		slot_end(i, from);
	else if (i < NO_SLOT)
		slot_change(i, from,
			    preempt || !prev->__state ? VCPU_RUN_READY
						      : VCPU_RUN_HALTED);
	i = slot_find(to);
	if (i < NO_SLOT)
		slot_change(i, to, VCPU_RUN_RUNNING);
	return 0;
}

/* A thread woken before it has left its cpu never stops running. New threads
 * (sched_wakeup_new) are not watched yet. */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *p)
{
	__u32 tid = p->pid;
	__u32 i = slot_find(tid);

	if (i < NO_SLOT && !p->on_cpu)
		slot_change(i, tid, VCPU_RUN_READY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
