// SPDX-License-Identifier: Apache-2.0
/*
 * hands.c - masks of threads: read, set, put back
 *
 * Theory of operation. Masks have other writers: the application, taskset, the
 * kernel when a cpuset or the cpus online change; and they are inherited. So a
 * mask is read before it is set, and judged: is it one of ours, the last we set
 * or one of a few before? Then nobody interfered. Is it another, then somebody
 * wants it so: it becomes what the thread had, and from then on its worker is
 * placed within it.
 *
 * The order of stores. `had` is whole before `touched` says so; the old `set`
 * is past[0], and `changing` says that it may still hold, before the new one is
 * written; all before the call. So whenever the agent is killed, the thread's
 * mask is one the guardian can tell as ours, and what it had is known.
 *
 * A thread that may use all cpus there are is noted, and put back, with all
 * cpus there can be. It is then free to use one that is plugged in later, and
 * the kernel, which intersects with the cpuset, does not take our put-back for
 * a wish of the thread's own.
 *
 * The kernel reports a mask without the cpus that are offline. So a mask of
 * ours is compared within those online, which are read again before anybody is
 * said to have interfered; and a mask of ours that lost its last cpu, and that
 * the kernel therefore widened, is still ours.
 */
#include "hands.h"

#include <errno.h>
#include <string.h>

#include "hl/clock.h"
#include "procfs.h"
#include "task.h"

#define ANCESTORS 8 /* processes looked at above a stray one */
/* A thread looked at within this time is not asked again who it is: thread
 * numbers are handed out in turn and come round much later. */
#define TRUST_NS (100 * NSEC_PER_MSEC)

#define store_barrier() __asm__ volatile("" ::: "memory")

static const struct cpumask all_cpus = { { ~0ull, ~0ull, ~0ull, ~0ull, ~0ull,
					   ~0ull, ~0ull, ~0ull } };

_Static_assert(CPUMASK_WORDS == 8, "all_cpus says all");

int hands_init(struct hands *h, struct table *t)
{
	struct cpumask own;
	int err = task_get_mask(0, &own);

	memset(h, 0, sizeof(*h));
	h->table = t;
	if (err)
		return err;
	err = procfs_online(&h->online);
	return err ? err : cpumask_empty(&h->online) ? -ENODEV : 0;
}

bool hands_online(struct hands *h)
{
	struct cpumask now;

	if (procfs_online(&now) || cpumask_equal(&now, &h->online) ||
	    cpumask_empty(&now))
		return false;
	h->online = now;
	return true;
}

/* --- whose mask is it? -------------------------------------------------- */

/* Is @now, as the kernel reports it, what remains of @mask? */
static bool is_mask(const struct hands *h, const struct cpumask *mask,
		    const struct cpumask *now)
{
	struct cpumask within = cpumask_and(*mask, &h->online);

	return cpumask_equal(&within, now);
}

/* Is @now what @w has, as far as we know? */
static bool is_known(const struct hands *h, const struct worker *w,
		     const struct cpumask *now)
{
	struct cpumask left = cpumask_and(w->set, &h->online);

	if (!w->touched)
		return is_mask(h, &w->had, now);
	return is_mask(h, &w->set, now) || cpumask_empty(&left) ||
	       (w->changing && is_mask(h, &w->past[0], now));
}

/* Did we set @now, lately? Then a thread cloned by @w may have it. */
static bool is_ours(const struct hands *h, const struct worker *w,
		    const struct cpumask *now)
{
	if (is_mask(h, &w->had, now))
		return false; /* nothing to be told from that */
	if (w->touched && is_mask(h, &w->set, now))
		return true;
	for (unsigned i = 0; i < WORKER_PAST; i++)
		if (!cpumask_empty(&w->past[i]) && is_mask(h, &w->past[i], now))
			return true;
	return false;
}

/* The same, with doubt turned against ourselves: read the cpus again. */
static bool is_foreign(struct hands *h, const struct worker *w,
		       const struct cpumask *now)
{
	for (unsigned i = 0; i < 2; i++) {
		if (is_known(h, w, now))
			return false;
		if (!hands_online(h))
			break;
	}
	return true;
}

static struct cpumask as_had(const struct hands *h, const struct cpumask *now)
{
	return cpumask_subset(&h->online, now) ? all_cpus : *now;
}

static void take_over(struct hands *h, struct worker *w,
		      const struct cpumask *now)
{
	w->touched = false;
	store_barrier();
	w->had = as_had(h, now);
	w->set = w->had;
	memset(w->past, 0, sizeof(w->past));
	h->n.others++;
}

/* The worker of process @tgid whose mask @now is, or was lately. @known: set
 * when the process has workers. */
static const struct worker *kin_of(const struct hands *h, pid_t tgid,
				   const struct cpumask *now, bool *known)
{
	*known = false;
	for (unsigned i = 0; i < h->table->high; i++) {
		const struct worker *w = &h->table->worker[i];

		if (!w->tid || w->tgid != tgid)
			continue;
		*known = true;
		if (is_ours(h, w, now))
			return w;
	}
	return NULL;
}

/* The same among the process's ancestors: a process that has workers is as far
 * as a mask of ours can come from. */
static const struct worker *find_kin(const struct hands *h, pid_t tgid,
				     const struct cpumask *now)
{
	const struct worker *kin = NULL;
	struct procfs_stat s;
	bool known = false;

	for (unsigned i = 0; i < ANCESTORS && tgid > 1; i++) {
		kin = kin_of(h, tgid, now, &known);
		if (known || procfs_stat(tgid, tgid, &s) || s.kthread)
			break;
		tgid = s.ppid;
	}
	return kin;
}

/* The worker pinned last to the one cpu in @now, if it is of @tgid. */
static const struct worker *pinned_kin(const struct hands *h, pid_t tgid,
				       const struct cpumask *now)
{
	unsigned v = cpumask_next(now, 0);
	const struct worker *w;

	if (v >= CPU_MAX || cpumask_count(now) != 1)
		return NULL;
	w = &h->table->worker[h->pinned[v]];
	return w->tid && w->tgid == tgid && is_ours(h, w, now) ? w : NULL;
}

int hands_note(struct hands *h, uint16_t slot, const struct worker *parent)
{
	struct worker *w = &h->table->worker[slot];
	struct cpumask now;

	if (task_get_mask(w->tid, &now))
		return -ESRCH;
	if (parent && !is_ours(h, parent, &now))
		parent = pinned_kin(h, parent->tgid, &now);
	if (!parent && !cpumask_subset(&h->online, &now))
		parent = find_kin(h, w->tgid, &now);
	if (!parent) {
		w->had = w->set = as_had(h, &now);
		return 0;
	}
	h->n.inherited++;
	w->had = parent->had;
	w->set = now;
	store_barrier();
	w->touched = true;
	return 0;
}

/* --- setting ------------------------------------------------------------ */

/* Is the thread still the one in the table? */
static bool is_same(const struct worker *w, uint64_t now_ns)
{
	struct procfs_stat s;

	if (w->seen_ns && now_ns - w->seen_ns < TRUST_NS)
		return true;
	return !procfs_stat(w->tgid, w->tid, &s) && s.started == w->started;
}

static int refused(struct hands *h, int err)
{
	if (err == -ESRCH) {
		h->n.gone++;
		return HANDS_GONE;
	}
	if (err == -EINVAL)
		h->n.cpuset++;
	else
		h->n.denied++;
	return HANDS_REFUSED;
}

/* What it has now was ours: a thread it clones may still come with it. */
static void remember(struct worker *w)
{
	for (unsigned i = WORKER_PAST - 1; i; i--)
		w->past[i] = w->past[i - 1];
	w->past[0] = w->set;
}

/* Give it @want, which is none of its own. */
static int put(struct hands *h, struct worker *w, const struct cpumask *want)
{
	bool touched = w->touched;
	int err;

	remember(w);
	store_barrier();
	w->changing = true;
	store_barrier();
	w->set = *want;
	store_barrier();
	w->touched = true;
	store_barrier();
	err = task_set_mask(w->tid, want);
	store_barrier();
	if (err) {
		w->touched = touched;
		store_barrier();
		w->set = w->past[0];
		store_barrier();
	}
	w->changing = false;
	if (err)
		return refused(h, err);
	h->n.set++;
	return HANDS_DONE;
}

/* Give it back what it had. */
static int put_back(struct hands *h, struct worker *w)
{
	int err = task_set_mask(w->tid, &w->had);

	if (err)
		return refused(h, err);
	w->touched = false;
	store_barrier();
	remember(w);
	w->set = w->had;
	h->n.back++;
	return HANDS_DONE;
}

/* The mask a change asks for. Return: false: what the thread had. */
static bool wanted(const struct hands *h, const struct worker *w,
		   const struct place_change *c, const struct cpumask *granted,
		   struct cpumask *out)
{
	struct cpumask one = { 0 }, had = cpumask_and(w->had, &h->online);

	if (c->kind == PLACE_BACK)
		return false;
	cpumask_set(&one, c->vcpu);
	*out = cpumask_and(w->had, c->kind == PLACE_PIN ? &one : granted);
	return !cpumask_empty(out) && !cpumask_equal(out, &had);
}

int hands_apply(struct hands *h, const struct place_change *c,
		const struct cpumask *granted, uint64_t now_ns)
{
	struct worker *w = &h->table->worker[c->slot];
	struct cpumask now, want;
	bool ours = wanted(h, w, c, granted, &want);

	if (ours ? w->touched && cpumask_equal(&want, &w->set) : !w->touched) {
		h->n.same++;
		return HANDS_DONE;
	}
	if (!is_same(w, now_ns) || task_get_mask(w->tid, &now)) {
		h->n.gone++;
		return HANDS_GONE;
	}
	if (is_foreign(h, w, &now)) {
		take_over(h, w, &now);
		return HANDS_HAD;
	}
	if (ours && c->kind == PLACE_PIN)
		h->pinned[c->vcpu] = c->slot;
	return ours ? put(h, w, &want) : put_back(h, w);
}

int hands_check(struct hands *h, uint16_t slot)
{
	struct worker *w = &h->table->worker[slot];
	struct cpumask now;

	if (task_get_mask(w->tid, &now))
		return HANDS_GONE;
	if (is_foreign(h, w, &now)) {
		take_over(h, w, &now);
		return HANDS_HAD;
	}
	return HANDS_DONE;
}

int hands_back(struct hands *h, uint16_t slot)
{
	struct worker *w = &h->table->worker[slot];
	struct cpumask now;

	if (!w->touched)
		return HANDS_DONE;
	if (!is_same(w, 0) || task_get_mask(w->tid, &now))
		return HANDS_GONE;
	if (!is_foreign(h, w, &now))
		return put_back(h, w);
	take_over(h, w, &now);
	return HANDS_HAD;
}

bool hands_stray(struct hands *h, pid_t tgid, pid_t tid)
{
	const struct worker *kin;
	struct cpumask now;

	if (task_get_mask(tid, &now) || cpumask_subset(&h->online, &now) ||
	    table_find(h->table, tid) != WORKER_NONE)
		return false;
	kin = find_kin(h, tgid, &now);
	if (!kin || task_set_mask(tid, &kin->had))
		return false;
	h->n.strays++;
	return true;
}
