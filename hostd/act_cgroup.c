// SPDX-License-Identifier: Apache-2.0
/*
 * act_cgroup.c - backend: affinity of vcpu threads, class of VM groups
 *
 * Theory of operation. The poll thread pushes moves into one box and a worker
 * thread carries them out, pushing answers into another. No lock is ever taken
 * by the poll thread:
 *
 *	poll thread --submit--> [asked] --worker--> [done] --reap--> poll thread
 *	control thread (adopt, release) <--- lock ---> worker
 *
 * Waking. A worker without work spins for SPIN_NS, then sleeps on a futex. A
 * submit makes one futex(2) call if the worker sleeps, and none while it is
 * awake (1.5 us and 65 ns on a 2-cpu virtual machine, tests/it/guardian);
 * act_count.wakes says how many did. So a decision of many moves costs one
 * call. The worker runs where the control thread may run.
 *
 * Newest wins. The worker takes all waiting moves in before each one it makes;
 * of two for one vcpu the older is answered -ECANCELED.
 *
 * Answers always fit: the poll thread refuses to have more moves under way
 * than the box of answers has slots.
 *
 * Whose thread it is. adopt() keeps a pidfd of QEMU; while it says the process
 * lives its pid is not another's, and tgkill(pid, tid, 0) says the thread is
 * its own. A thread ending between this check and the move is not excluded,
 * but its id would have to come round within that microsecond.
 *
 * A kernel that narrows a move to the vcpu's cpuset makes the worker widen the
 * cpuset (vmgroup.c) and try once more; all these files were noted in the
 * journal when the VM was adopted.
 */
#include "act.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroup.h"
#include "hl/clock.h"
#include "hl/mbox.h"
#include "journal.h"
#include "log.h"
#include "task.h"
#include "vmgroup.h"

#define BOX_SLOTS 4096u
#define BATCH	  32 /* moves between two wake-ups of the poll thread */
#define SPIN_NS	  (20 * NSEC_PER_USEC)

struct adopted {
	pid_t pid; /* 0: slot not in use */
	int pidfd;
	char uuid[37];
	char name[VM_NAME_MAX]; /* for messages */
	uint8_t class;
	struct vmgroup *group;
};

struct pending {
	bool waits; /* is in the queue */
	struct move move;
};

struct act {
	/* poll thread */
	struct mbox asked;
	uint32_t under_way;
	uint64_t wakes;

	/* worker */
	_Alignas(64) struct mbox done;
	uint64_t moved, failed, overtaken, widened;
	uint32_t head, tail;	  /* of queue[], masked on use */
	uint16_t queue[VCPU_MAX]; /* each vcpu once at most */
	struct pending pending[VCPU_MAX];

	/* both; control thread too */
	_Alignas(64) uint32_t asleep; /* the futex */
	bool stop;
	pthread_t worker;
	void (*wake)(void *arg);
	void *wake_arg;

	/* control thread */
	struct journal *journal;
	struct cgroup_mounts mounts;
	bool told_idle;

	/* the control thread changes these, the worker reads: both locked */
	pthread_mutex_t lock;
	struct cpumask room; /* managed and floor */
	struct adopted vm[VM_MAX];
};

static void count_add(uint64_t *n, uint64_t add)
{
	__atomic_store_n(n, *n + add, __ATOMIC_RELAXED);
}

/* --- one move; worker, locked -------------------------------------------- */

static bool process_lives(const struct adopted *v)
{
	return !syscall(SYS_pidfd_send_signal, v->pidfd, 0, NULL, 0);
}

/* Return: 0, or why this thread may not be touched. */
static int move_check(const struct adopted *v, const struct move *m)
{
	if (cpumask_empty(&m->mask))
		return -EINVAL;
	if (!v->pid || v->pid != m->pid || m->index >= v->group->vcpu_cnt ||
	    !m->tid || v->group->vcpu[m->index].tid != m->tid)
		return -ESRCH;
	if (!process_lives(v) || syscall(SYS_tgkill, m->pid, m->tid, 0))
		return -ESRCH;
	return 0;
}

/* Return: 0 with *same telling whether @m is just what the thread has now. */
static int mask_try(const struct move *m, bool *same)
{
	struct cpumask now;
	int err = task_set_mask(m->tid, &m->mask);

	*same = false;
	if (!err)
		err = task_get_mask(m->tid, &now);
	if (!err)
		*same = cpumask_equal(&now, &m->mask);
	return err;
}

static int move_do(struct act *a, const struct move *m)
{
	const struct adopted *v = &a->vm[m->vm];
	int err = move_check(v, m), written;
	bool same;

	if (err)
		return err;
	err = mask_try(m, &same);
	if (same || (err && err != -EINVAL))
		return err;
	written = vmgroup_widen(v->group, m->index, &a->room);
	if (written < 0)
		log_limited(LOG_LEVEL_WARN,
			    "cannot widen the cpuset of vcpu %u of VM %s: %s",
			    m->index, v->name, strerror(-written));
	if (written <= 0)
		return err;
	count_add(&a->widened, (uint64_t)written);
	return mask_try(m, &same);
}

/* --- the worker ---------------------------------------------------------- */

static void answer(struct act *a, const struct move *m, int err)
{
	const struct move_done d = { .vcpu = m->vcpu,
				     .gen = m->gen,
				     .err = err,
				     .took_ns = clock_now_ns() - m->asked_ns };

	if (err == -ECANCELED)
		count_add(&a->overtaken, 1);
	else
		count_add(err ? &a->failed : &a->moved, 1);
	/* Never full: see the head comment. */
	mbox_push(&a->done, &d);
}

/* Take in what was submitted. Return: is there anything to do? */
static bool take_in(struct act *a)
{
	struct pending *p;
	struct move m;

	while (mbox_pop(&a->asked, &m)) {
		if (m.vcpu >= VCPU_MAX || m.vm >= VM_MAX) {
			answer(a, &m, -EINVAL);
			continue;
		}
		p = &a->pending[m.vcpu];
		if (p->waits) {
			answer(a, &p->move, -ECANCELED);
		} else {
			p->waits = true;
			a->queue[a->tail++ % VCPU_MAX] = m.vcpu;
		}
		p->move = m;
	}
	return a->head != a->tail;
}

static void carry_out_one(struct act *a)
{
	struct pending *p = &a->pending[a->queue[a->head++ % VCPU_MAX]];
	int err;

	p->waits = false;
	pthread_mutex_lock(&a->lock);
	err = move_do(a, &p->move);
	pthread_mutex_unlock(&a->lock);
	answer(a, &p->move, err);
}

static bool stopping(const struct act *a)
{
	return __atomic_load_n(&a->stop, __ATOMIC_ACQUIRE);
}

/* Return when there is work, or when woken for any other reason. */
static void rest(struct act *a)
{
	uint64_t until_ns = clock_now_ns() + SPIN_NS;

	while (clock_now_ns() < until_ns)
		if (take_in(a) || stopping(a))
			return;
	__atomic_store_n(&a->asleep, 1, __ATOMIC_RELAXED);
	/* Pairs with the fence in wake_worker(): one of us sees the other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!take_in(a) && !stopping(a))
		syscall(SYS_futex, &a->asleep, FUTEX_WAIT_PRIVATE, 1, NULL,
			NULL, 0);
	__atomic_store_n(&a->asleep, 0, __ATOMIC_RELAXED);
}

static void *work(void *arg)
{
	struct act *a = arg;
	unsigned n;

	pthread_setname_np(pthread_self(), "act-cgroup");
	while (!stopping(a)) {
		for (n = 0; n < BATCH && take_in(a); n++)
			carry_out_one(a);
		if (n && a->wake)
			a->wake(a->wake_arg);
		if (!n)
			rest(a);
	}
	return NULL;
}

/* Return: whether it cost a system call. */
static bool wake_worker(struct act *a)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&a->asleep, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&a->asleep, 0, __ATOMIC_RELAXED);
	syscall(SYS_futex, &a->asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return true;
}

/* --- poll thread --------------------------------------------------------- */

static bool cgroup_submit(struct act *a, const struct move *m)
{
	if (a->under_way == BOX_SLOTS || !mbox_push(&a->asked, m))
		return false;
	a->under_way++;
	if (wake_worker(a))
		count_add(&a->wakes, 1);
	return true;
}

static bool cgroup_reap(struct act *a, struct move_done *d)
{
	if (!mbox_pop(&a->done, d))
		return false;
	a->under_way--;
	return true;
}

static void cgroup_count(const struct act *a, struct act_count *out)
{
	out->moved = __atomic_load_n(&a->moved, __ATOMIC_RELAXED);
	out->failed = __atomic_load_n(&a->failed, __ATOMIC_RELAXED);
	out->overtaken = __atomic_load_n(&a->overtaken, __ATOMIC_RELAXED);
	out->widened = __atomic_load_n(&a->widened, __ATOMIC_RELAXED);
	out->wakes = __atomic_load_n(&a->wakes, __ATOMIC_RELAXED);
}

/* --- control thread ------------------------------------------------------ */

static void release_slot(struct act *a, struct adopted *v)
{
	struct adopted was = *v;
	int err;

	if (!was.pid)
		return;
	/* From here on the worker answers -ESRCH: nothing moves afterwards. */
	pthread_mutex_lock(&a->lock);
	memset(v, 0, sizeof(*v));
	pthread_mutex_unlock(&a->lock);
	err = journal_restore_vm(a->journal, was.uuid);
	if (err)
		log_warn("VM %s did not get back all it had: %s", was.name,
			 strerror(-err));
	close(was.pidfd);
	vmgroup_free(was.group);
}

static void cgroup_release(struct act *a, uint16_t vm)
{
	if (vm < VM_MAX)
		release_slot(a, &a->vm[vm]);
}

static void cgroup_room(struct act *a, const struct cpumask *room)
{
	pthread_mutex_lock(&a->lock);
	a->room = *room;
	pthread_mutex_unlock(&a->lock);
}

static int cgroup_note_pin(struct act *a, const char *uuid, unsigned index,
			   const struct cpumask *mask)
{
	int err = journal_pin(a->journal, uuid, index, mask);

	return err ? err : journal_commit(a->journal);
}

/* What the operator should know of this VM's groups. */
static void tell(struct act *a, const struct act_vm *vm,
		 const struct vmgroup *g)
{
	if (!g->cpu[0])
		log_warn("VM %s has no cpu cgroup of its own: its class has no "
			 "effect, its vcpus are only moved",
			 vm->name);
	else if (!g->has_idle && !a->told_idle) {
		a->told_idle = true;
		log_warn("this kernel has no cpu.idle (Linux 5.15): "
			 "best-effort VMs get the smallest weight instead, and "
			 "now and then make another VM wait milliseconds");
	}
}

/* Everything noted and durable, then the class. On error all is as before. */
static int put_in_place(struct act *a, const struct act_vm *vm,
			struct vmgroup *g, const struct adopted *v)
{
	int err = journal_vm(a->journal, vm->uuid, vm->pid, vm->name);

	if (!err)
		err = vmgroup_note(g, a->journal, vm->uuid);
	if (!err)
		err = journal_commit(a->journal);
	if (!err)
		err = vmgroup_set_class(g, vm->class);
	if (err && v->pid)
		vmgroup_set_class(g, v->class);
	else if (err)
		journal_restore_vm(a->journal, vm->uuid);
	return err;
}

static int cgroup_adopt(struct act *a, const struct act_vm *vm)
{
	struct adopted *v, next = { .pid = vm->pid };
	struct vmgroup *old;
	int err;

	if (vm->vm >= VM_MAX || vm->vcpu_cnt > ACT_VCPUS_MAX || vm->pid <= 0)
		return -EINVAL;
	v = &a->vm[vm->vm];
	if (v->pid != vm->pid || strcmp(v->uuid, vm->uuid) || !process_lives(v))
		release_slot(a, v);
	next.class = vm->class;
	memcpy(next.uuid, vm->uuid, sizeof(next.uuid));
	memcpy(next.name, vm->name, sizeof(next.name));
	next.pidfd = v->pid ? v->pidfd : pidfd_open(vm->pid, 0);
	if (next.pidfd < 0)
		return -errno;
	err = vmgroup_find(&next.group, &a->mounts, vm, v->group);
	if (err)
		goto err_pidfd;
	err = put_in_place(a, vm, next.group, v);
	if (err)
		goto err_group;
	tell(a, vm, next.group);
	pthread_mutex_lock(&a->lock);
	old = v->group;
	*v = next;
	pthread_mutex_unlock(&a->lock);
	vmgroup_free(old);
	return 0;

err_group:
	vmgroup_free(next.group);
err_pidfd:
	if (!v->pid)
		close(next.pidfd);
	return err;
}

/* --- life ---------------------------------------------------------------- */

static int boxes_init(struct act *a)
{
	int err = mbox_init(&a->asked, BOX_SLOTS, sizeof(struct move));

	if (err)
		return err;
	err = mbox_init(&a->done, BOX_SLOTS, sizeof(struct move_done));
	if (err)
		mbox_exit(&a->asked);
	return err;
}

/* All signals are the main thread's. */
static int worker_start(struct act *a)
{
	sigset_t all, was;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &was);
	err = -pthread_create(&a->worker, NULL, work, a);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return err;
}

static int cgroup_open(struct act **out, const struct act_conf *conf)
{
	struct act *a = aligned_alloc(64, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	memset(a, 0, sizeof(*a));
	a->room = cpumask_or(conf->managed, &conf->floor);
	a->wake = conf->wake;
	a->wake_arg = conf->wake_arg;
	pthread_mutex_init(&a->lock, NULL);
	err = cgroup_mounts_load(&a->mounts);
	if (!err)
		err = cgroup_usable(&a->mounts);
	if (err)
		goto err_act;
	err = journal_open(&a->journal, conf->journal);
	if (err)
		goto err_act;
	err = boxes_init(a);
	if (err)
		goto err_journal;
	err = worker_start(a);
	if (err)
		goto err_boxes;
	*out = a;
	return 0;

err_boxes:
	mbox_exit(&a->done);
	mbox_exit(&a->asked);
err_journal:
	journal_close(a->journal);
err_act:
	free(a);
	return err;
}

static void cgroup_close(struct act *a)
{
	for (unsigned i = 0; i < VM_MAX; i++)
		release_slot(a, &a->vm[i]);
	__atomic_store_n(&a->stop, true, __ATOMIC_RELEASE);
	wake_worker(a);
	pthread_join(a->worker, NULL);
	mbox_exit(&a->done);
	mbox_exit(&a->asked);
	journal_close(a->journal);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

const struct act_ops act_cgroup = {
	.name = "cgroup",
	.open = cgroup_open,
	.adopt = cgroup_adopt,
	.room = cgroup_room,
	.note_pin = cgroup_note_pin,
	.release = cgroup_release,
	.submit = cgroup_submit,
	.reap = cgroup_reap,
	.close = cgroup_close,
	.count = cgroup_count,
};
