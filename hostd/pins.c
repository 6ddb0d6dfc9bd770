// SPDX-License-Identifier: Apache-2.0
/*
 * pins.c - `virsh vcpupin` kept true of what has come to rest
 *
 * Every turn: what the poll thread wants of each vcpu (actuate_wish) goes into
 * pinsync; if a call is due, libvirt is told. The call also sets cpuset and
 * affinity, to a mask that was wanted when it began: so the poll thread then
 * submits the vcpu's newest mask again, and a newer move wins.
 */
#include "pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hl/clock.h"
#include "journal.h"
#include "log.h"
#include "pinsync.h"

struct original {
	bool noted;
	uint16_t index;
	char uuid[37];
	struct cpumask mask;
};

struct pins {
	struct virt **virt;
	struct loop *loop;
	const struct actuate *actuate;
	const struct act_ops *ops;
	struct act *act;
	struct pinsync sync;
	struct original original[VCPU_MAX];
};

int pins_open(struct pins **out, struct virt **virt, struct loop *loop,
	      const struct actuate *actuate, const struct act_ops *ops,
	      struct act *act)
{
	struct pins *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->virt = virt;
	p->loop = loop;
	p->actuate = actuate;
	p->ops = ops;
	p->act = act;
	pinsync_init(&p->sync, 0);
	*out = p;
	return 0;
}

void pins_close(struct pins *p)
{
	free(p);
}

static void look(void *arg, const char *uuid, unsigned index, uint16_t slot)
{
	struct pins *p = arg;
	struct wish w;

	if (!actuate_wish(p->actuate, slot, &w))
		return; /* being written: next turn */
	if (w.gen)
		pinsync_want(&p->sync, slot, uuid, (uint16_t)index, w.gen,
			     &w.mask, w.since_ns);
	else
		pinsync_forget(&p->sync, slot);
}

/* What libvirt had, durable before it is changed. Return: 0 or -errno. */
static int note_original(struct pins *p, const struct pinsync_job *job)
{
	struct original *o = &p->original[job->vcpu];
	int err;

	if (o->noted)
		return 0;
	err = virt_pinned(*p->virt, job->uuid, job->index, &o->mask);
	if (err < 0)
		return err;
	err = p->ops->note_pin(p->act, job->uuid, job->index, &o->mask);
	if (err)
		return err;
	o->noted = true;
	o->index = job->index;
	memcpy(o->uuid, job->uuid, sizeof(o->uuid));
	return 0;
}

static int pin(struct pins *p, const struct pinsync_job *job)
{
	int err;

	if (p->ops->pinning)
		p->ops->pinning(p->act, job->uuid, job->index, false);
	err = virt_pin(*p->virt, job->uuid, job->index, &job->mask);
	if (p->ops->pinning)
		p->ops->pinning(p->act, job->uuid, job->index, true);
	return err;
}

void pins_turn(struct pins *p, struct vms *vms, uint64_t stable_ns,
	       uint64_t now_ns)
{
	struct msg m = { .kind = MSG_REASSERT };
	struct pinsync_job job;
	int err;

	if (!p->ops->note_pin)
		return; /* this backend is libvirt itself, or moves nothing */
	p->sync.stable_ns = stable_ns;
	vms_each_vcpu(vms, look, p);
	if (!pinsync_next(&p->sync, now_ns, &job))
		return;
	err = note_original(p, &job);
	if (!err)
		err = pin(p, &job);
	if (err)
		log_limited(LOG_LEVEL_WARN,
			    "libvirt does not take the pin of vcpu %u of %s: "
			    "%s; its view stays behind",
			    job.index, job.uuid, strerror(-err));
	/* What is wanted may have changed while libvirt was busy. */
	look(p, job.uuid, job.index, job.vcpu);
	if (!pinsync_done(&p->sync, &job, err, clock_now_ns()))
		return;
	m.vcpu.slot = job.vcpu;
	loop_send(p->loop, &m);
}

void pins_release(struct pins *p, uint16_t first, uint16_t cnt)
{
	for (unsigned i = first; i < (unsigned)first + cnt; i++) {
		struct original *o = &p->original[i];

		pinsync_forget(&p->sync, (uint16_t)i);
		if (o->noted) /* -ESRCH: the VM is gone, nothing to put back */
			virt_pin(*p->virt, o->uuid, o->index, &o->mask);
		o->noted = false;
	}
}

void pins_doubt(struct pins *p)
{
	pinsync_doubt(&p->sync);
}

static void restore_one(void *arg, const char *uuid, unsigned index,
			const struct cpumask *mask)
{
	virt_pin(arg, uuid, index, mask);
}

static void ignore_vm(void *arg, const struct virt_vm *vm)
{
	(void)arg;
	(void)vm;
}

static void ignore_link(void *arg, bool up)
{
	(void)arg;
	(void)up;
}

static void count_one(void *arg, const char *uuid, unsigned index,
		      const struct cpumask *mask)
{
	(void)uuid;
	(void)index;
	(void)mask;
	++*(unsigned *)arg;
}

void pins_restore(const char *journal)
{
	const struct virt_events none = { .vm = ignore_vm,
					  .link = ignore_link };
	struct virt *v;
	unsigned cnt = 0;

	if (journal_each_pin(journal, count_one, &cnt) || !cnt ||
	    virt_open(&v, "qemu:///system", &none))
		return;
	journal_each_pin(journal, restore_one, v);
	virt_close(v);
}
