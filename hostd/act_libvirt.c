// SPDX-License-Identifier: Apache-2.0
/*
 * act_libvirt.c - backend: every move is a virDomainPinVcpu
 *
 * For hosts where only libvirt may pin. A move takes about a millisecond, so
 * this backend serves policies that decide rarely; hostd's interval should not
 * be below some milliseconds. Classes cannot be expressed by pins: a
 * best-effort VM on a floor cpu is an equal there.
 *
 * Theory of operation. The poll thread pushes moves into one box and asks for
 * drain() on the control thread, which takes them all, keeps the newest of
 * each vcpu (an older one is answered -ECANCELED), pins DRAIN_MAX of them and
 * answers through a second box:
 *
 *	poll thread --submit--> [asked] --drain--> [done] --reap--> poll thread
 *
 * The control thread has other work: what is left after DRAIN_MAX waits. Only
 * the poll thread may ask for a drain, so drain() sets `again` and wakes it;
 * it asks anew in reap(). Between asking and draining, `asked_for` saves all
 * further asking.
 *
 * Answers always fit: no more moves are under way than the box has slots.
 *
 * What libvirt believed of each vcpu is noted in the journal at adopt() and
 * given back at release(); after a sudden death the guardian does it.
 */
#include "act.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hl/clock.h"
#include "hl/mbox.h"
#include "journal.h"
#include "log.h"

#define BOX_SLOTS 4096u
#define DRAIN_MAX 16 /* pins in a row: some 16 ms of the control thread */

struct adopted {
	pid_t pid; /* 0: slot not in use */
	char uuid[37];
	uint16_t cnt; /* vcpus whose original is known */
	struct original {
		bool known;
		struct cpumask mask;
	} * original; /* [cnt] */
};

struct act {
	struct mbox asked, done;
	struct act_conf conf;
	/* poll thread */
	uint32_t under_way; /* submitted, not reaped */
	uint64_t wakes;
	/* both, atomic */
	bool asked_for; /* a drain is on its way */
	bool again;	/* drain() left work behind */
	/* control thread; counters are read by any */
	struct journal *journal;
	uint64_t moved, failed, overtaken;
	struct adopted vm[VM_MAX];
	uint16_t first, waiting; /* ring of vcpus with a move to make */
	uint16_t order[VCPU_MAX];
	bool has[VCPU_MAX];
	struct move newest[VCPU_MAX];
};

/* --- control thread: moves ----------------------------------------------- */

static void count_up(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static void answer(struct act *a, const struct move *m, int err)
{
	const struct move_done d = {
		.vcpu = m->vcpu,
		.gen = m->gen,
		.err = err,
		.took_ns = clock_now_ns() - m->asked_ns,
	};

	mbox_push(&a->done, &d); /* fits: see submit() */
	if (!err)
		count_up(&a->moved);
	else
		count_up(err == -ECANCELED ? &a->overtaken : &a->failed);
}

/* Take all that was asked; the newest move of each vcpu waits. */
static void take_asked(struct act *a)
{
	struct move m;

	while (mbox_pop(&a->asked, &m)) {
		if (a->has[m.vcpu]) {
			answer(a, &a->newest[m.vcpu], -ECANCELED);
		} else {
			a->has[m.vcpu] = true;
			a->order[(a->first + a->waiting++) % VCPU_MAX] = m.vcpu;
		}
		a->newest[m.vcpu] = m;
	}
}

static int make_move(const struct act *a, const struct move *m)
{
	const struct adopted *v = &a->vm[m->vm];

	if (!v->pid || v->pid != m->pid)
		return -ESRCH; /* left, or was started anew */
	return a->conf.pin(v->uuid, m->index, &m->mask);
}

static void drain(void *arg)
{
	struct act *a = arg;

	/* A read as well: what was pushed before it was set is seen below. */
	(void)__atomic_exchange_n(&a->asked_for, false, __ATOMIC_ACQ_REL);
	for (unsigned i = 0; i < DRAIN_MAX; i++) {
		const struct move *m;

		take_asked(a); /* a newer one may have come meanwhile */
		if (!a->waiting)
			break;
		m = &a->newest[a->order[a->first]];
		a->first = (uint16_t)((a->first + 1) % VCPU_MAX);
		a->waiting--;
		a->has[m->vcpu] = false;
		answer(a, m, make_move(a, m));
	}
	if (a->waiting)
		__atomic_store_n(&a->again, true, __ATOMIC_RELEASE);
	a->conf.wake(a->conf.wake_arg);
}

/* --- poll thread --------------------------------------------------------- */

static void ask(struct act *a)
{
	if (__atomic_exchange_n(&a->asked_for, true, __ATOMIC_ACQ_REL))
		return;
	count_up(&a->wakes);
	a->conf.on_control(drain, a);
}

static bool libvirt_submit(struct act *a, const struct move *m)
{
	if (m->vcpu >= VCPU_MAX || m->vm >= VM_MAX ||
	    a->under_way >= BOX_SLOTS || !mbox_push(&a->asked, m))
		return false;
	a->under_way++;
	ask(a);
	return true;
}

static bool libvirt_reap(struct act *a, struct move_done *d)
{
	if (__atomic_load_n(&a->again, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(&a->again, false, __ATOMIC_RELAXED);
		ask(a);
	}
	if (!mbox_pop(&a->done, d))
		return false;
	a->under_way--;
	return true;
}

/* --- control thread: VMs ------------------------------------------------- */

static void forget(struct adopted *v)
{
	free(v->original);
	memset(v, 0, sizeof(*v));
}

/* Learn what libvirt believes of the vcpus not seen before. */
static int learn(struct act *a, const struct act_vm *vm,
		 struct original *original)
{
	for (unsigned i = 0; i < vm->vcpu_cnt; i++) {
		int err;

		if (!vm->tid[i] || original[i].known)
			continue;
		err = a->conf.pinned(vm->uuid, i, &original[i].mask);
		if (err < 0)
			return err;
		err = journal_pin(a->journal, vm->uuid, i, &original[i].mask);
		if (err)
			return err;
		original[i].known = true;
	}
	return journal_commit(a->journal);
}

static void give_back(struct act *a, struct adopted *v)
{
	int err = 0;

	if (!v->pid)
		return;
	for (unsigned i = 0; i < v->cnt && err != -ENOTCONN; i++) {
		if (!v->original[i].known)
			continue;
		err = a->conf.pin(v->uuid, i, &v->original[i].mask);
		if (err && err != -ESRCH) /* gone: nothing to give back to */
			log_limited(LOG_LEVEL_WARN,
				    "libvirt does not take back the pin of "
				    "vcpu %u of %s: %s",
				    i, v->uuid, strerror(-err));
	}
	/* Not given back: the lines stay, the guardian or the next start tries
	 * again. */
	if (err != -ENOTCONN)
		journal_restore_vm(a->journal, v->uuid);
	forget(v);
}

static int libvirt_adopt(struct act *a, const struct act_vm *vm)
{
	struct original *original;
	struct adopted *v;
	uint16_t cnt;
	int err;

	if (vm->vm >= VM_MAX || vm->vcpu_cnt > ACT_VCPUS_MAX || vm->pid <= 0)
		return -EINVAL;
	v = &a->vm[vm->vm];
	if (v->pid && (v->pid != vm->pid || strcmp(v->uuid, vm->uuid)))
		give_back(a, v);
	cnt = vm->vcpu_cnt > v->cnt ? vm->vcpu_cnt : v->cnt;
	original = calloc(cnt ? cnt : 1, sizeof(*original));
	if (!original)
		return -ENOMEM;
	if (v->cnt)
		memcpy(original, v->original, v->cnt * sizeof(*original));
	err = journal_vm(a->journal, vm->uuid, vm->pid, vm->name);
	if (!err)
		err = learn(a, vm, original);
	if (err)
		goto err_original;
	free(v->original);
	v->original = original;
	v->cnt = cnt;
	v->pid = vm->pid;
	memcpy(v->uuid, vm->uuid, sizeof(v->uuid));
	return 0;

err_original:
	free(original);
	if (!v->pid)
		journal_restore_vm(a->journal, vm->uuid);
	return err;
}

static void libvirt_release(struct act *a, uint16_t vm)
{
	if (vm < VM_MAX)
		give_back(a, &a->vm[vm]);
}

static int libvirt_open(struct act **out, const struct act_conf *conf)
{
	struct act *a;
	int err;

	if (!conf->pin || !conf->pinned || !conf->on_control || !conf->wake)
		return -EINVAL;
	a = aligned_alloc(64, (sizeof(*a) + 63) / 64 * 64);
	if (!a)
		return -ENOMEM;
	memset(a, 0, sizeof(*a));
	a->conf = *conf;
	err = journal_open(&a->journal, conf->journal);
	if (err)
		goto err_act;
	err = mbox_init(&a->asked, BOX_SLOTS, sizeof(struct move));
	if (err)
		goto err_journal;
	err = mbox_init(&a->done, BOX_SLOTS, sizeof(struct move_done));
	if (err)
		goto err_asked;
	*out = a;
	return 0;

err_asked:
	mbox_exit(&a->asked);
err_journal:
	journal_close(a->journal);
err_act:
	free(a);
	return err;
}

static void libvirt_close(struct act *a)
{
	for (unsigned i = 0; i < VM_MAX; i++)
		give_back(a, &a->vm[i]);
	journal_close(a->journal);
	mbox_exit(&a->done);
	mbox_exit(&a->asked);
	free(a);
}

static void libvirt_count(const struct act *a, struct act_count *out)
{
	memset(out, 0, sizeof(*out));
	out->moved = __atomic_load_n(&a->moved, __ATOMIC_RELAXED);
	out->failed = __atomic_load_n(&a->failed, __ATOMIC_RELAXED);
	out->overtaken = __atomic_load_n(&a->overtaken, __ATOMIC_RELAXED);
	out->wakes = __atomic_load_n(&a->wakes, __ATOMIC_RELAXED);
}

const struct act_ops act_libvirt = {
	.name = "libvirt",
	.open = libvirt_open,
	.adopt = libvirt_adopt,
	.release = libvirt_release,
	.submit = libvirt_submit,
	.reap = libvirt_reap,
	.close = libvirt_close,
	.count = libvirt_count,
};
