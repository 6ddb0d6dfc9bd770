// SPDX-License-Identifier: GPL-2.0
/*
 * session.c - one caller's threads: handed over, given back, the end
 *
 * A session lives from open(2) to the last close, and is of use from
 * KSCHED_START until it is over. It holds a reference to the struct pid of
 * each thread, not to the task: a thread may exit at any moment, its number
 * may be another's the next, and the struct pid then leads to nobody.
 *
 * The end comes by close, by silence (a work item that looks four times in the
 * time a caller may be silent), or by draining. All three run session_end():
 * no more batches, moves under way awaited, every thread its affinity back.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched/task.h>
#include <linux/vmalloc.h>

#include "session.h"

/* What /proc counts a thread's start in. */
#define NSEC_PER_TICK (NSEC_PER_SEC / USER_HZ)

static DEFINE_MUTEX(session_mutex);
static struct session *session; /* session_mutex */
static bool draining;		/* session_mutex */

/* --- threads ------------------------------------------------------------- */

/* Is this a thread of user space whose affinity its owner may set? */
static bool task_fits(const struct task_struct *p)
{
	return !(p->flags & (PF_KTHREAD | PF_NO_SETAFFINITY)) && p->mm &&
	       p->policy != SCHED_DEADLINE;
}

/* Find the thread that is meant. Return: its struct pid, held, or an error. */
static struct pid *thread_find(const struct ksched_add *a)
{
	struct pid *pid = ERR_PTR(-ESRCH);
	struct task_struct *p;

	rcu_read_lock();
	p = pid_task(find_vpid(a->tid), PIDTYPE_PID);
	if (!p || task_tgid_vnr(p) != a->tgid || p->flags & PF_EXITING ||
	    div_u64(p->start_boottime, NSEC_PER_TICK) != a->start_ticks)
		goto out;
	pid = task_fits(p) ? get_pid(task_pid(p)) : ERR_PTR(-EINVAL);
out:
	rcu_read_unlock();
	return pid;
}

/* Return: a free slot, or -errno; there must be none for this thread. */
static int slot_find(struct session *s, const struct pid *pid)
{
	int found = -ENOSPC;

	for (int i = KSCHED_THREADS_MAX - 1; i >= 0; i--) {
		if (s->thread[i].state == THREAD_FREE)
			found = i;
		else if (s->thread[i].pid == pid)
			return -EEXIST;
	}
	return found;
}

/* The thread's present affinity. Return: 0, or -ESRCH when it has ended. */
static int thread_now(const struct thread *t, struct ksched_mask *now)
{
	struct task_struct *p;

	rcu_read_lock();
	p = pid_task(t->pid, PIDTYPE_PID);
	if (p)
		mask_from_kernel(now, &p->cpus_mask);
	rcu_read_unlock();
	return p ? 0 : -ESRCH;
}

/* No move is under way and none will come. */
static void thread_give_back(struct session *s, struct thread *t)
{
	struct task_struct *p = get_pid_task(t->pid, PIDTYPE_PID);
	struct ksched_mask back;
	bool does;

	if (p) {
		spin_lock(&t->lock);
		thread_look(t, p);
		does = affinity_back(&t->affinity, &back);
		spin_unlock(&t->lock);
		/* -ENODEV: all it had are away; it stays where it is. */
		if (does)
			task_set(p, &back, &s->scratch);
		put_task_struct(p);
	}
	put_pid(t->pid);
	spin_lock(&t->lock);
	t->pid = NULL;
	t->leaving = false;
	t->state = THREAD_FREE;
	spin_unlock(&t->lock);
}

int session_add(struct session *s, struct ksched_add *a)
{
	struct thread *t;
	struct pid *pid;
	int slot, err = add_check(a);

	if (err)
		return err;
	pid = thread_find(a);
	if (IS_ERR(pid))
		return PTR_ERR(pid);
	mutex_lock(&s->lock);
	slot = s->over ? -ESHUTDOWN : slot_find(s, pid);
	err = slot;
	if (slot < 0)
		goto err_pid;
	t = &s->thread[slot];
	t->pid = pid;
	t->set_at = cpus_gone();
	err = thread_now(t, &t->affinity.had);
	if (err)
		goto err_pid;
	spin_lock(&t->lock);
	t->affinity.bound = t->affinity.had;
	t->affinity.set = t->affinity.had;
	t->hops = 0;
	t->state = THREAD_IDLE;
	spin_unlock(&t->lock);
	mutex_unlock(&s->lock);
	a->slot = slot;
	a->had = t->affinity.had;
	return 0;

err_pid:
	mutex_unlock(&s->lock);
	put_pid(pid);
	return err;
}

int session_drop(struct session *s, const struct ksched_drop *a)
{
	struct thread *t;
	int err = -ENOENT;

	if (a->reserved)
		return -EINVAL;
	if (a->slot >= KSCHED_THREADS_MAX)
		return -ENOENT;
	t = &s->thread[a->slot];
	mutex_lock(&s->lock);
	if (s->over) {
		err = -ESHUTDOWN;
	} else if (t->state != THREAD_FREE) {
		spin_lock(&t->lock);
		t->leaving = true;
		spin_unlock(&t->lock);
		move_wait_thread(t);
		thread_give_back(s, t);
		err = 0;
	}
	mutex_unlock(&s->lock);
	return err;
}

int session_learn(struct session *s, const struct ksched_learn *a)
{
	struct ksched_mask now;
	struct thread *t;
	int err = -ENOENT;

	if (a->how != KSCHED_LEARN_ADD && a->how != KSCHED_LEARN_ONLY)
		return -EINVAL;
	if (a->slot >= KSCHED_THREADS_MAX)
		return -ENOENT;
	t = &s->thread[a->slot];
	/* Not s->lock: the caller's poll thread shall not wait for a drop. */
	spin_lock(&t->lock);
	if (t->state != THREAD_FREE && !t->leaving)
		err = thread_now(t, &now);
	if (!err) {
		t->affinity.set = now;
		if (a->how == KSCHED_LEARN_ONLY)
			t->affinity.bound = now;
		else
			mask_add(&t->affinity.bound, &now);
	}
	spin_unlock(&t->lock);
	return READ_ONCE(s->over) ? -ESHUTDOWN : err;
}

/* --- the end ------------------------------------------------------------- */

static void session_end(struct session *s, enum ksched_over why)
{
	mutex_lock(&s->lock);
	if (s->over) {
		mutex_unlock(&s->lock);
		return;
	}
	/* A batch being sent is sent to its end, then there is no other. */
	mutex_lock(&s->commit_lock);
	WRITE_ONCE(s->over, why);
	mutex_unlock(&s->commit_lock);
	move_wait_all(s);
	for (unsigned int i = 0; i < KSCHED_THREADS_MAX; i++)
		if (s->thread[i].state != THREAD_FREE)
			thread_give_back(s, &s->thread[i]);
	/* Last: who sees this finds its threads as they were. */
	smp_store_release(&s->page->over, why);
	mutex_unlock(&s->lock);
}

void session_hear(struct session *s)
{
	WRITE_ONCE(s->heard_ns, ktime_get_ns());
}

static void session_look(struct work_struct *work)
{
	struct session *s =
	    container_of(to_delayed_work(work), struct session, watch);

	if (silent(READ_ONCE(s->heard_ns), ktime_get_ns(), s->silence_ns)) {
		pr_warn(
		    "ksched: the caller went silent: all threads given back\n");
		session_end(s, KSCHED_OVER_SILENT);
	} else {
		schedule_delayed_work(&s->watch,
				      nsecs_to_jiffies(s->silence_ns / 4));
	}
}

/* --- the beginning ------------------------------------------------------- */

int session_start(struct session *s, struct ksched_start *a)
{
	int err = start_check(a);

	if (err)
		return err;
	mutex_lock(&s->lock);
	if (s->over) {
		err = -ESHUTDOWN;
	} else if (s->started) {
		err = -EALREADY;
	} else {
		s->silence_ns = (u64)a->silence_ms * NSEC_PER_MSEC;
		a->map_bytes = KSCHED_MAP_BYTES;
		session_hear(s);
		schedule_delayed_work(&s->watch,
				      nsecs_to_jiffies(s->silence_ns / 4));
		/* Pairs with the acquire load in dev.c. */
		smp_store_release(&s->started, true);
	}
	mutex_unlock(&s->lock);
	return err;
}

static struct session *session_make(void)
{
	struct session *s = vzalloc(sizeof(*s));

	if (!s)
		return NULL;
	if (ring_open(s)) {
		vfree(s);
		return NULL;
	}
	mutex_init(&s->lock);
	mutex_init(&s->commit_lock);
	INIT_DELAYED_WORK(&s->watch, session_look);
	for (unsigned int i = 0; i < KSCHED_THREADS_MAX; i++) {
		spin_lock_init(&s->thread[i].lock);
		s->thread[i].session = s;
	}
	return s;
}

int session_open(struct session **out)
{
	int err = 0;

	mutex_lock(&session_mutex);
	if (draining)
		err = -ESHUTDOWN;
	else if (session)
		err = -EBUSY;
	else if (!(session = session_make()))
		err = -ENOMEM;
	*out = session;
	mutex_unlock(&session_mutex);
	return err;
}

void session_close(struct session *s)
{
	cancel_delayed_work_sync(&s->watch);
	mutex_lock(&session_mutex);
	/* Nobody can map or look any more: the reason does not matter. */
	session_end(s, KSCHED_OVER_DRAINED);
	session = NULL;
	mutex_unlock(&session_mutex);
	ring_close(s);
	vfree(s);
}

void session_drain(bool on)
{
	mutex_lock(&session_mutex);
	draining = on;
	if (on && session)
		session_end(session, KSCHED_OVER_DRAINED);
	mutex_unlock(&session_mutex);
}

bool session_draining(void)
{
	return READ_ONCE(draining);
}
