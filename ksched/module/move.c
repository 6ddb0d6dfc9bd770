// SPDX-License-Identifier: GPL-2.0
/*
 * move.c - a batch goes out, each cpu carries out its own part
 *
 * Theory of operation. The committing thread only sends: it notes the move in
 * the thread's slot, puts the slot into the list of the cpu that thread is on,
 * and interrupts each such cpu once. It waits for nobody.
 *
 *	ioctl ---> thread.want ---> worker.asked[role] ---interrupt---> worker
 *	ring  <--- answer <--- affinity set <--- on the cpu the thread is on <-'
 *
 * (A thread that sleeps is on none: these all go to one cpu.)
 *
 * Every cpu has a worker, a kernel thread of the FIFO class. That it runs is
 * what pushes the vcpu off: the vcpu is then queued and no longer running, and
 * a queued task is moved to another cpu under that one's run queue lock, with
 * no stopper thread and no waiting. (set_cpus_allowed_ptr() on a task running
 * elsewhere waits for that cpu's stopper: what sched_setaffinity(2) pays.)
 *
 * Order. A worker looks for owners before riders before harvesters, anew
 * before each move. That harvesters give way to owners while all sit still is
 * not done here but by the kernel's scheduler at every wake-up: hostd puts
 * best-effort VMs into idle cgroups.
 *
 * A thread that has left its cpu when the worker comes is handed on to where
 * it runs now, HOPS_MAX times; after that the worker waits for the stopper.
 *
 * Newest wins: see the states in proto.h.
 *
 * Cpu hotplug. The workers are smpboot threads: parked when their cpu goes. A
 * parked worker's list is shut, and what was in it goes to another cpu.
 */
#include <linux/cpu.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/sched/task.h>
#include <linux/smp.h>
#include <linux/smpboot.h>
#include <linux/uaccess.h>
#include <uapi/linux/sched/types.h>

#include "session.h"

/* A thread that wanders faster than we follow costs one wait. */
#define HOPS_MAX 3

#define CPU_NONE U16_MAX

struct worker {
	spinlock_t lock;
	bool open;   /* its cpu is there */
	bool roused; /* told to look, has not yet found its lists empty */
	struct list_head asked[KSCHED_ROLES];
	struct __call_single_data csd;
	struct cpumask scratch; /* the worker's */
};

static DEFINE_PER_CPU(struct worker, worker);
static DEFINE_PER_CPU(struct task_struct *, worker_task);

/* Who waits for moves to end. Not in a session: a worker's last step is to
 * wake it, when the session may be gone already. */
static DECLARE_WAIT_QUEUE_HEAD(quiet);

/* --- masks, tasks -------------------------------------------------------- */

void mask_from_kernel(struct ksched_mask *out, const struct cpumask *m)
{
	unsigned int cpu;

	memset(out, 0, sizeof(*out));
	for_each_cpu (cpu, m)
		out->word[cpu / 64] |= 1ull << (cpu % 64);
}

/* cpus of @m that there are; the kernel's width is not ours. */
static void mask_to_kernel(struct cpumask *out, const struct ksched_mask *m)
{
	unsigned int cpu;

	cpumask_clear(out);
	for (cpu = 0; cpu < nr_cpu_ids && cpu < KSCHED_CPUS_MAX; cpu++)
		if (m->word[cpu / 64] >> (cpu % 64) & 1)
			cpumask_set_cpu(cpu, out);
}

int task_set(struct task_struct *p, const struct ksched_mask *m,
	     struct cpumask *scratch)
{
	int err;

	mask_to_kernel(scratch, m);
	if (!cpumask_intersects(scratch, cpu_active_mask))
		return -ENODEV;
	err = set_cpus_allowed_ptr(p, scratch);
	return err == -EINVAL ? -ENODEV : err; /* the last one went just now */
}

/* --- what others did to a thread ----------------------------------------- */

/* Which cpu went when, in cpus gone so far. Written where one is parked, and
 * only one goes at a time. */
static u64 gone_at[KSCHED_CPUS_MAX];
static u64 gone_cnt;

u64 cpus_gone(void)
{
	return READ_ONCE(gone_cnt);
}

/* Have all cpus of @m gone since? Then the kernel took the thread off them. */
static bool all_gone(const struct ksched_mask *m, u64 since)
{
	unsigned int cpu;

	for (cpu = 0; cpu < nr_cpu_ids; cpu++)
		if (m->word[cpu / 64] >> (cpu % 64) & 1 && cpu_active(cpu) &&
		    READ_ONCE(gone_at[cpu]) <= since)
			return false;
	return true;
}

bool thread_look(struct thread *t, const struct task_struct *p)
{
	struct ksched_mask now, away;

	mask_from_kernel(&now, &p->cpus_mask);
	if (mask_equal(&now, &t->affinity.set))
		return false;
	mask_from_kernel(&away, cpu_active_mask);
	for (unsigned int i = 0; i < KSCHED_MASK_WORDS; i++)
		away.word[i] = ~away.word[i];
	return affinity_look(&t->affinity, &now, &away,
			     all_gone(&t->affinity.set, t->set_at));
}

/* --- lists --------------------------------------------------------------- */

/* Return: false when that cpu is not there. */
static bool worker_push(unsigned int cpu, struct thread *t, bool *kick)
{
	struct worker *w = per_cpu_ptr(&worker, cpu);
	bool open;

	spin_lock(&w->lock);
	open = w->open;
	if (open) {
		list_add_tail(&t->queued, &w->asked[t->role]);
		*kick = !w->roused;
		w->roused = true;
	}
	spin_unlock(&w->lock);
	return open;
}

static struct thread *worker_pop(struct worker *w)
{
	struct thread *t = NULL;
	unsigned int role;

	spin_lock(&w->lock);
	for (role = 0; role < KSCHED_ROLES && !t; role++) {
		t = list_first_entry_or_null(&w->asked[role], struct thread,
					     queued);
		if (t)
			list_del(&t->queued);
	}
	if (!t)
		w->roused = false;
	spin_unlock(&w->lock);
	return t;
}

/*
 * Whose list a thread goes into: that of the cpu it is on. One that sleeps is
 * on no cpu, anybody can change its affinity without waiting: all that sleep go
 * to the same one, *@gather, so that a batch interrupts few. One that has ended
 * goes anywhere: who looks will find out.
 */
static unsigned int thread_cpu(const struct thread *t, u16 *gather)
{
	unsigned int cpu = cpumask_first(cpu_online_mask);
	struct task_struct *p;

	rcu_read_lock();
	p = pid_task(t->pid, PIDTYPE_PID);
	if (p)
		cpu = task_cpu(p);
	if (p && !READ_ONCE(p->on_rq)) {
		if (*gather == CPU_NONE)
			*gather = cpu;
		cpu = *gather;
	}
	rcu_read_unlock();
	return cpu;
}

/* Return: the cpu to interrupt, or CPU_NONE. */
static u16 thread_send(struct thread *t, u16 *gather)
{
	unsigned int cpu = thread_cpu(t, gather);
	bool kick = false;

	if (worker_push(cpu, t, &kick))
		return kick ? cpu : CPU_NONE;
	/* That cpu is going or gone; there is always one that is not. */
	for (;;)
		for_each_online_cpu (cpu)
			if (worker_push(cpu, t, &kick))
				return kick ? cpu : CPU_NONE;
}

static void worker_kick(u16 cpu)
{
	/*
	 * Returns at once. -EBUSY: an earlier interrupt is still to be served
	 * and will do. -ENXIO: the cpu has gone, and its worker has passed its
	 * list on.
	 */
	if (cpu != CPU_NONE)
		smp_call_function_single_async(cpu,
					       &per_cpu_ptr(&worker, cpu)->csd);
}

static void thread_send_now(struct thread *t)
{
	u16 gather = CPU_NONE;

	worker_kick(thread_send(t, &gather));
}

/* --- carrying out; the worker -------------------------------------------- */

/*
 * Affinity as it is now, may it be changed, change it.
 * Return: 0, -EAGAIN when the thread runs on another cpu (and hops are left),
 * or what the answer shall say.
 */
static int carry_out(struct thread *t, const struct ksched_move *m,
		     struct task_struct *p, unsigned int hops)
{
	struct ksched_mask now;
	u64 gone = cpus_gone();
	int err = 0;

	if (READ_ONCE(t->session->over))
		return -ESHUTDOWN;
	if (hops < HOPS_MAX && READ_ONCE(p->on_cpu) &&
	    task_cpu(p) != raw_smp_processor_id())
		return -EAGAIN;
	spin_lock(&t->lock);
	if (thread_look(t, p))
		err = -ESTALE;
	else if (!mask_subset(&m->mask, &t->affinity.bound))
		err = -EXDEV;
	spin_unlock(&t->lock);
	if (err)
		return err;
	err = task_set(p, &m->mask, &this_cpu_ptr(&worker)->scratch);
	if (err)
		return err;
	/* From Linux 6.2 on a mask that was set by sched_setaffinity(2) stays a
	 * limit of its own: what the kernel cut off is beyond the bound. */
	mask_from_kernel(&now, &p->cpus_mask);
	if (!mask_subset(&m->mask, &now))
		err = -EXDEV;
	spin_lock(&t->lock);
	t->affinity.set = err ? now : m->mask;
	t->set_at = gone;
	spin_unlock(&t->lock);
	return err;
}

/* The thread runs elsewhere: back to queued, in that cpu's list. */
static void hand_on(struct thread *t, const struct ksched_move *m, u64 asked_ns)
{
	struct session *s = t->session;

	spin_lock(&t->lock);
	if (thread_hand_on(&t->state)) {
		ring_answer(s, m, -ECANCELED, raw_smp_processor_id(), asked_ns);
		t->hops = 0;
	} else {
		t->want = *m;
		t->asked_ns = asked_ns;
		t->hops++;
	}
	t->role = t->want.role;
	spin_unlock(&t->lock);
	spin_lock(&s->ring_lock);
	s->page->forwarded++;
	spin_unlock(&s->ring_lock);
	thread_send_now(t);
}

static void finish(struct thread *t)
{
	struct session *s = t->session;
	bool again;

	spin_lock(&t->lock);
	again = thread_finish(&t->state);
	t->hops = 0;
	t->role = t->want.role;
	spin_unlock(&t->lock);
	if (again) {
		thread_send_now(t);
		return;
	}
	/* The session may be freed after this. */
	atomic_dec(&s->under_way);
	if (wq_has_sleeper(&quiet))
		wake_up_all(&quiet);
}

static void worker_serve(struct thread *t)
{
	struct task_struct *p;
	struct ksched_move m;
	unsigned int hops, cpu = raw_smp_processor_id();
	u64 asked_ns;
	int err = -ESRCH;

	spin_lock(&t->lock);
	WARN_ON_ONCE(!thread_begin(&t->state));
	m = t->want;
	asked_ns = t->asked_ns;
	hops = t->hops;
	spin_unlock(&t->lock);

	p = get_pid_task(t->pid, PIDTYPE_PID);
	if (p) {
		err = carry_out(t, &m, p, hops);
		cpu = task_cpu(p);
		put_task_struct(p);
	}
	if (err == -EAGAIN) {
		hand_on(t, &m, asked_ns);
		return;
	}
	ring_answer(t->session, &m, err, cpu, asked_ns);
	finish(t);
}

static void worker_run(unsigned int cpu)
{
	struct thread *t;

	while ((t = worker_pop(per_cpu_ptr(&worker, cpu))))
		worker_serve(t);
}

static int worker_should_run(unsigned int cpu)
{
	return READ_ONCE(per_cpu_ptr(&worker, cpu)->roused);
}

/* The interrupt: on the worker's own cpu. */
static void worker_interrupt(void *arg)
{
	struct task_struct *p = this_cpu_read(worker_task);

	if (p)
		wake_up_process(p);
}

/* --- cpus come and go ---------------------------------------------------- */

static void worker_open(unsigned int cpu)
{
	struct worker *w = per_cpu_ptr(&worker, cpu);

	spin_lock(&w->lock);
	w->open = true;
	spin_unlock(&w->lock);
}

static void worker_setup(unsigned int cpu)
{
	sched_set_fifo(current);
	worker_open(cpu);
}

static void worker_park(unsigned int cpu)
{
	struct worker *w = per_cpu_ptr(&worker, cpu);
	struct thread *t;

	spin_lock(&w->lock);
	w->open = false;
	spin_unlock(&w->lock);
	WRITE_ONCE(gone_at[cpu], gone_cnt + 1);
	WRITE_ONCE(gone_cnt, gone_cnt + 1);
	while ((t = worker_pop(w)))
		thread_send_now(t);
}

static struct smp_hotplug_thread worker_threads = {
	.store = &worker_task,
	.thread_should_run = worker_should_run,
	.thread_fn = worker_run,
	.setup = worker_setup,
	.park = worker_park,
	.unpark = worker_open,
	.thread_comm = "ksched/%u",
};

int move_init(void)
{
	unsigned int cpu, role;

	for_each_possible_cpu (cpu) {
		struct worker *w = per_cpu_ptr(&worker, cpu);

		spin_lock_init(&w->lock);
		for (role = 0; role < KSCHED_ROLES; role++)
			INIT_LIST_HEAD(&w->asked[role]);
		INIT_CSD(&w->csd, worker_interrupt, NULL);
	}
	return smpboot_register_percpu_thread(&worker_threads);
}

void move_exit(void)
{
	smpboot_unregister_percpu_thread(&worker_threads);
}

void move_wait_thread(struct thread *t)
{
	wait_event(quiet, READ_ONCE(t->state) <= THREAD_IDLE);
}

void move_wait_all(struct session *s)
{
	wait_event(quiet, !atomic_read(&s->under_way));
}

/* --- sending; the committing thread -------------------------------------- */

/* Note a move and queue its thread. Return: cpu to interrupt, or CPU_NONE. */
static u16 ask(struct session *s, const struct ksched_move *m, u64 now_ns,
	       u16 *gather)
{
	unsigned int here = raw_smp_processor_id();
	struct thread *t;
	enum ask_what what = ASK_REFUSE;
	int err = move_check(m);

	if (err) {
		ring_answer(s, m, err, here, now_ns);
		return CPU_NONE;
	}
	t = &s->thread[m->slot];
	spin_lock(&t->lock);
	if (!t->leaving)
		what = thread_ask(&t->state);
	if (what == ASK_REPLACE)
		ring_answer(s, &t->want, -ECANCELED, here, t->asked_ns);
	if (what != ASK_REFUSE) {
		t->want = *m;
		t->asked_ns = now_ns;
	}
	if (what == ASK_SEND) {
		t->role = m->role;
		atomic_inc(&s->under_way);
	}
	spin_unlock(&t->lock);
	if (what == ASK_REFUSE)
		ring_answer(s, m, -ESRCH, here, now_ns);
	return what == ASK_SEND ? thread_send(t, gather) : CPU_NONE;
}

/* All lists first, then the interrupts: a cpu with two moves gets one. */
static void send(struct session *s, unsigned int count)
{
	u64 now_ns = ktime_get_ns();
	unsigned int i, sent = 0;
	u16 gather = CPU_NONE;

	for (i = 0; i < count; i++)
		s->kick[i] = ask(s, &s->batch[i], now_ns, &gather);
	for (i = 0; i < count; i++) {
		worker_kick(s->kick[i]);
		sent += s->kick[i] != CPU_NONE;
	}
	spin_lock(&s->ring_lock);
	s->page->asked += count;
	s->page->sent += sent;
	spin_unlock(&s->ring_lock);
}

int move_commit(struct session *s, const struct ksched_commit *c)
{
	size_t bytes = c->count * sizeof(s->batch[0]);
	int err = 0;

	if (!c->count || c->count > KSCHED_BATCH_MAX || c->reserved)
		return -EINVAL;
	if (!mutex_trylock(&s->commit_lock))
		return -EBUSY;
	if (s->over)
		err = -ESHUTDOWN;
	else if (copy_from_user(s->batch, u64_to_user_ptr(c->moves), bytes))
		err = -EFAULT;
	else
		send(s, c->count);
	mutex_unlock(&s->commit_lock);
	return err;
}
