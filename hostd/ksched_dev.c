// SPDX-License-Identifier: Apache-2.0
/*
 * ksched_dev.c - hostd's only door to /dev/ksched: one session, call by call
 *
 * The descriptor is closed on exec; the guardian is forked before any backend
 * is opened and closes what it does not need, so hostd's death is the last
 * close.
 *
 * The mapping is written by the module alone. Answers below `head` (acquire)
 * are complete; we never have more moves unanswered than there are vcpus, half
 * of what the ring holds, so none is overwritten before it is read.
 */
#include "ksched_dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hl/ksched.h"
#include "task.h"

_Static_assert(KSCHED_DEV_BATCH <= KSCHED_BATCH_MAX, "a batch fits");
_Static_assert(VCPU_MAX <= KSCHED_RING_SLOTS, "one answer a vcpu at most");
_Static_assert(VCPU_MAX <= KSCHED_THREADS_MAX, "every vcpu finds a slot");
_Static_assert(sizeof(struct cpumask) == sizeof(struct ksched_mask), "alike");
_Static_assert((int)KSCHED_DEV_OWNER == (int)KSCHED_OWNER &&
		   (int)KSCHED_DEV_RIDER == (int)KSCHED_RIDER &&
		   (int)KSCHED_DEV_HARVESTER == (int)KSCHED_HARVESTER,
	       "roles are passed on as they are");

struct ksched_dev {
	int fd;
	struct ksched_page *page;	/* read only */
	const struct ksched_done *ring; /* behind the page */
	uint64_t tail;			/* answers read; poll thread */
	uint32_t cnt;			/* of batch[]; poll thread */
	struct ksched_move batch[KSCHED_DEV_BATCH];
};

static int call(const struct ksched_dev *d, unsigned long request, void *arg)
{
	return ioctl(d->fd, request, arg) < 0 ? -errno : 0;
}

/* Map what START said, and see whether it is what we know. */
static int map(struct ksched_dev *d, uint32_t bytes)
{
	void *p;

	if (bytes != KSCHED_MAP_BYTES)
		return -EPROTO;
	p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, d->fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	d->page = p;
	d->ring = (const void *)(d->page + 1);
	d->tail = __atomic_load_n(&d->page->head, __ATOMIC_ACQUIRE);
	if (d->page->version == KSCHED_VERSION && d->page->map_bytes == bytes &&
	    d->page->ring_slots == KSCHED_RING_SLOTS)
		return 0;
	munmap(p, bytes);
	return -EPROTO;
}

int ksched_dev_open(struct ksched_dev **out, unsigned silence_ms)
{
	struct ksched_start start = { .version = KSCHED_VERSION,
				      .silence_ms = silence_ms };
	struct ksched_dev *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->fd = open(KSCHED_PATH, O_RDWR | O_CLOEXEC);
	if (d->fd < 0) {
		err = -errno;
		goto err_free;
	}
	err = call(d, KSCHED_START, &start);
	if (!err)
		err = map(d, start.map_bytes);
	if (err)
		goto err_fd;
	*out = d;
	return 0;

err_fd:
	close(d->fd);
err_free:
	free(d);
	return err;
}

void ksched_dev_close(struct ksched_dev *d)
{
	/* The mapping too keeps the device open. */
	munmap(d->page, KSCHED_MAP_BYTES);
	close(d->fd);
	free(d);
}

const char *ksched_dev_over(const struct ksched_dev *d)
{
	switch (__atomic_load_n(&d->page->over, __ATOMIC_ACQUIRE)) {
	case KSCHED_ALIVE:
		return NULL;
	case KSCHED_OVER_SILENT:
		return "hostd was silent for too long";
	case KSCHED_OVER_DRAINED:
		return "it was told to drain";
	default:
		return "for a reason this hostd does not know";
	}
}

int ksched_dev_add(struct ksched_dev *d, pid_t pid, pid_t tid, uint32_t *slot)
{
	struct ksched_add add = { .tgid = pid, .tid = tid };
	uint64_t ticks;
	int err = task_start(pid, tid, &ticks);

	if (err)
		return err;
	add.start_ticks = ticks;
	err = call(d, KSCHED_ADD, &add);
	if (!err && add.slot >= KSCHED_THREADS_MAX)
		err = -EPROTO;
	*slot = add.slot;
	return err;
}

int ksched_dev_drop(struct ksched_dev *d, uint32_t slot)
{
	struct ksched_drop drop = { .slot = slot };

	return call(d, KSCHED_DROP, &drop);
}

int ksched_dev_learn(struct ksched_dev *d, uint32_t slot, bool only)
{
	struct ksched_learn learn = {
		.slot = slot,
		.how = only ? KSCHED_LEARN_ONLY : KSCHED_LEARN_ADD,
	};

	return call(d, KSCHED_LEARN, &learn);
}

void ksched_dev_put(struct ksched_dev *d, uint32_t slot, uint32_t tag,
		    enum ksched_dev_role role, const struct cpumask *mask)
{
	struct ksched_move *m;

	if (d->cnt == KSCHED_DEV_BATCH)
		return;
	m = &d->batch[d->cnt++];
	*m = (struct ksched_move){ .slot = slot, .gen = tag, .role = role };
	memcpy(&m->mask, mask, sizeof(m->mask));
}

int ksched_dev_commit(struct ksched_dev *d)
{
	struct ksched_commit commit = { .moves = (uintptr_t)d->batch,
					.count = d->cnt };

	d->cnt = 0;
	return call(d, KSCHED_COMMIT, &commit);
}

int ksched_dev_beat(struct ksched_dev *d)
{
	return call(d, KSCHED_BEAT, NULL);
}

bool ksched_dev_next(struct ksched_dev *d, struct ksched_dev_done *out)
{
	const struct ksched_done *done;

	if (d->tail == __atomic_load_n(&d->page->head, __ATOMIC_ACQUIRE))
		return false;
	done = &d->ring[d->tail++ % KSCHED_RING_SLOTS];
	*out = (struct ksched_dev_done){ .tag = done->gen,
					 .err = done->err,
					 .at_ns = done->at_ns };
	return true;
}
