// SPDX-License-Identifier: GPL-2.0
/*
 * selftest.c - the module's own tables of cases, run when it is loaded
 *
 * Debug builds only; a failure is printed and the module does not load. What
 * is pure (proto.h) is tested in user space too; here it is run as the kernel's
 * compiler built it, and so is what user space cannot run: masks to and from
 * the kernel's, the ring going round, a session's threads.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/pid.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "session.h"

static unsigned int failures;

static void check(bool good, const char *what)
{
	if (good)
		return;
	pr_err("ksched: self-test failed: %s\n", what);
	failures++;
}

static const struct {
	const char *what;
	enum thread_state from, to;
	enum ask_what answer;
} ask_cases[] = {
	{ "ask free", THREAD_FREE, THREAD_FREE, ASK_REFUSE },
	{ "ask idle", THREAD_IDLE, THREAD_QUEUED, ASK_SEND },
	{ "ask queued", THREAD_QUEUED, THREAD_QUEUED, ASK_REPLACE },
	{ "ask moving", THREAD_MOVING, THREAD_MOVING_MORE, ASK_KEEP },
	{ "ask moving, more", THREAD_MOVING_MORE, THREAD_MOVING_MORE,
	  ASK_REPLACE },
};

static void test_states(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(ask_cases); i++) {
		enum thread_state state = ask_cases[i].from;

		check(thread_ask(&state) == ask_cases[i].answer &&
			  state == ask_cases[i].to,
		      ask_cases[i].what);
	}
}

static const struct {
	const char *what;
	u64 had, bound, set, now;
	bool displaced;
	u64 back; /* 0: left alone */
} back_cases[] = {
	{ "back, untouched", 0xff, 0xff, 0x04, 0x04, false, 0xff },
	{ "back, never moved", 0xff, 0xff, 0xff, 0xff, false, 0 },
	{ "back, others set it", 0x0f, 0xff, 0x04, 0x3c, false, 0 },
	{ "back, its cpu went", 0x0c, 0xff, 0x04, 0xfb, true, 0x0c },
	{ "back, bound narrowed", 0x0f, 0x0c, 0x04, 0x04, false, 0x0c },
};

static void test_back(void)
{
	const struct ksched_mask away = { { 0 } };

	for (unsigned int i = 0; i < ARRAY_SIZE(back_cases); i++) {
		struct affinity a = { .had = { { back_cases[i].had } },
				      .bound = { { back_cases[i].bound } },
				      .set = { { back_cases[i].set } } };
		const struct ksched_mask now = { { back_cases[i].now } };
		struct ksched_mask back;
		bool does;

		affinity_look(&a, &now, &away, back_cases[i].displaced);
		does = affinity_back(&a, &back);
		check(does == !!back_cases[i].back &&
			  (!does || back.word[0] == back_cases[i].back),
		      back_cases[i].what);
	}
}

static void test_ring(struct session *s)
{
	const struct ksched_done *ring = (void *)(s->page + 1);
	struct ksched_move m = { .slot = 7 };

	for (u32 i = 0; i < 3 * KSCHED_RING_SLOTS / 2; i++) {
		m.gen = i;
		ring_answer(s, &m, i & 1 ? -ESRCH : 0, 0, 0);
	}
	check(s->page->head == 3 * KSCHED_RING_SLOTS / 2, "ring: head");
	check(ring[0].gen == KSCHED_RING_SLOTS, "ring: it goes round");
	check(ring[KSCHED_RING_SLOTS - 1].gen == KSCHED_RING_SLOTS - 1,
	      "ring: older answers stay");
	check(s->page->moved == s->page->gone &&
		  s->page->moved + s->page->gone == s->page->head,
	      "ring: counters");
}

/* What has no user space cannot be handed over; nobody has number INT_MAX. */
static void test_add(struct session *s)
{
	static const struct {
		const char *what;
		s32 tgid, tid;
		u32 reserved;
		int err;
	} cases[] = {
		{ "add: kthreadd", 2, 2, 0, -EINVAL },
		{ "add: nobody", INT_MAX, INT_MAX, 0, -ESRCH },
		{ "add: not of that process", 1, 2, 0, -ESRCH },
		{ "add: reserved field", 1, 1, 1, -EINVAL },
		{ "add: number 0", 0, 0, 0, -EINVAL },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ksched_add a = { .tgid = cases[i].tgid,
					.tid = cases[i].tid,
					.reserved = cases[i].reserved };
		struct task_struct *p;

		/* Started when it says it was, so that this is not why. */
		rcu_read_lock();
		p = pid_task(find_vpid(a.tid), PIDTYPE_PID);
		if (p)
			a.start_ticks =
			    div_u64(p->start_boottime, NSEC_PER_SEC / USER_HZ);
		rcu_read_unlock();
		check(session_add(s, &a) == cases[i].err, cases[i].what);
	}
}

static void test_masks(void)
{
	struct ksched_mask m;
	unsigned int cpu, n = 0;

	mask_from_kernel(&m, cpu_possible_mask);
	for (cpu = 0; cpu < KSCHED_CPUS_MAX; cpu++)
		n += m.word[cpu / 64] >> (cpu % 64) & 1;
	check(n == num_possible_cpus(), "masks: every possible cpu");
}

int selftest_run(void)
{
	struct session *s;
	int err = session_open(&s);

	if (err)
		return err;
	test_states();
	test_back();
	test_masks();
	test_ring(s);
	test_add(s);
	session_close(s);
	if (!failures)
		pr_info("ksched: self-tests passed\n");
	return failures ? -EINVAL : 0;
}
