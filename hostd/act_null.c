// SPDX-License-Identifier: Apache-2.0
/*
 * act_null.c - backend: does nothing, and says it was done
 *
 * For `--dry-run` and tests. Moves of adopted VMs are answered at once with 0,
 * others with -ESRCH, as a real backend would. Submit and reap are the poll
 * thread's; `adopted` is written by the control thread.
 */
#include "act_null.h"

#include <errno.h>
#include <stdlib.h>

#include "hl/clock.h"
#include "hl/mbox.h"

#define BOX_SLOTS 4096u

struct act {
	struct mbox done; /* poll thread at both ends */
	uint64_t moved, failed;
	bool adopted[VM_MAX];
	struct cpumask mask[VCPU_MAX];
};

static int null_open(struct act **out, const struct act_conf *conf)
{
	struct act *a = aligned_alloc(64, sizeof(*a));
	int err;

	(void)conf;
	if (!a)
		return -ENOMEM;
	memset(a, 0, sizeof(*a));
	err = mbox_init(&a->done, BOX_SLOTS, sizeof(struct move_done));
	if (err) {
		free(a);
		return err;
	}
	*out = a;
	return 0;
}

static int null_adopt(struct act *a, const struct act_vm *vm)
{
	if (vm->vm >= VM_MAX || vm->vcpu_cnt > ACT_VCPUS_MAX)
		return -EINVAL;
	__atomic_store_n(&a->adopted[vm->vm], true, __ATOMIC_RELAXED);
	return 0;
}

static void null_release(struct act *a, uint16_t vm)
{
	if (vm < VM_MAX)
		__atomic_store_n(&a->adopted[vm], false, __ATOMIC_RELAXED);
}

static int move_check(const struct act *a, const struct move *m)
{
	if (m->vcpu >= VCPU_MAX || m->vm >= VM_MAX || cpumask_empty(&m->mask))
		return -EINVAL;
	return __atomic_load_n(&a->adopted[m->vm], __ATOMIC_RELAXED) ? 0
								     : -ESRCH;
}

static bool null_submit(struct act *a, const struct move *m)
{
	struct move_done d = { .vcpu = m->vcpu, .gen = m->gen };

	d.err = move_check(a, m);
	d.took_ns = clock_now_ns() - m->asked_ns;
	if (!mbox_push(&a->done, &d))
		return false;
	if (!d.err)
		a->mask[m->vcpu] = m->mask;
	__atomic_add_fetch(d.err ? &a->failed : &a->moved, 1, __ATOMIC_RELAXED);
	return true;
}

static bool null_reap(struct act *a, struct move_done *d)
{
	return mbox_pop(&a->done, d);
}

static void null_count(const struct act *a, struct act_count *out)
{
	*out = (struct act_count){
		.moved = __atomic_load_n(&a->moved, __ATOMIC_RELAXED),
		.failed = __atomic_load_n(&a->failed, __ATOMIC_RELAXED),
	};
}

static void null_close(struct act *a)
{
	mbox_exit(&a->done);
	free(a);
}

struct cpumask act_null_mask(const struct act *a, uint16_t vcpu)
{
	return a->mask[vcpu];
}

const struct act_ops act_null = {
	.name = "null",
	.open = null_open,
	.adopt = null_adopt,
	.release = null_release,
	.submit = null_submit,
	.reap = null_reap,
	.close = null_close,
	.count = null_count,
};
