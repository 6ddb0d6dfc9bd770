// SPDX-License-Identifier: Apache-2.0
/*
 * pinsync.c - which vcpus' masks should be told to libvirt, and when
 *
 * Theory of operation. For each vcpu slot two masks are kept: what the poll
 * thread wants and what libvirt believes. When they differ, and the wanted one
 * has not changed for stable_ns, there is a call to make.
 *
 * Never undo a newer move. The call takes a millisecond and ends by setting
 * cpuset and affinity to its mask. If the poll thread moved the vcpu
 * meanwhile, that call undid it. Nothing is locked against this; instead the
 * caller has the poll thread submit the vcpu's current mask again after each
 * call, so the last word is always the poll thread's. Between the two the
 * vcpu runs where it ran stable_ns ago: on cpus it owned then. The job is
 * taken from the newest want, which keeps that case rare.
 *
 * A pin that changed while its call was under way is told again once it has
 * come to rest. A vcpu that never rests is never told.
 */
#include "pinsync.h"

#include <errno.h>
#include <string.h>

void pinsync_init(struct pinsync *p, uint64_t stable_ns)
{
	memset(p, 0, sizeof(*p));
	p->stable_ns = stable_ns;
}

void pinsync_want(struct pinsync *p, uint16_t vcpu, const char *uuid,
		  uint16_t index, uint32_t gen, const struct cpumask *mask,
		  uint64_t since_ns)
{
	size_t bytes = strlen(uuid) + 1;
	struct pinsync_vcpu *v;

	if (vcpu >= VCPU_MAX || bytes > sizeof(v->uuid))
		return;
	v = &p->vcpu[vcpu];
	if (!v->known || v->index != index || strcmp(v->uuid, uuid)) {
		memset(v, 0, sizeof(*v));
		v->known = true;
		v->index = index;
		memcpy(v->uuid, uuid, bytes);
	}
	v->gen = gen;
	v->want = *mask;
	v->since_ns = since_ns;
	if (vcpu >= p->top)
		p->top = (uint16_t)(vcpu + 1);
}

void pinsync_forget(struct pinsync *p, uint16_t vcpu)
{
	if (vcpu < VCPU_MAX)
		p->vcpu[vcpu].known = false;
	while (p->top && !p->vcpu[p->top - 1].known)
		p->top--;
}

void pinsync_doubt(struct pinsync *p)
{
	for (unsigned i = 0; i < p->top; i++)
		p->vcpu[i].told = false;
}

static bool is_due(const struct pinsync *p, const struct pinsync_vcpu *v,
		   uint64_t now_ns)
{
	if (!v->known || cpumask_empty(&v->want) || now_ns < v->retry_ns)
		return false;
	/* The stamp is another thread's: it may be newer than our clock. */
	if (now_ns < v->since_ns || now_ns - v->since_ns < p->stable_ns)
		return false;
	return !v->told || !cpumask_equal(&v->want, &v->libvirt);
}

bool pinsync_next(struct pinsync *p, uint64_t now_ns, struct pinsync_job *job)
{
	if (now_ns < p->next_ns)
		return false;
	for (unsigned i = 0; i < p->top; i++) {
		unsigned slot = (p->cursor + i) % p->top;
		const struct pinsync_vcpu *v = &p->vcpu[slot];

		if (!is_due(p, v, now_ns))
			continue;
		job->vcpu = (uint16_t)slot;
		job->index = v->index;
		job->gen = v->gen;
		job->mask = v->want;
		memcpy(job->uuid, v->uuid, sizeof(job->uuid));
		p->cursor = (uint16_t)(slot + 1);
		p->next_ns = now_ns + PINSYNC_GAP_NS;
		return true;
	}
	return false;
}

static uint64_t retry_after_ns(unsigned fail)
{
	uint64_t ns = PINSYNC_RETRY_NS << (fail < 16 ? fail : 16);

	return ns < PINSYNC_RETRY_MAX_NS ? ns : PINSYNC_RETRY_MAX_NS;
}

bool pinsync_done(struct pinsync *p, const struct pinsync_job *job, int err,
		  uint64_t now_ns)
{
	struct pinsync_vcpu *v;
	bool sent = err != -ESRCH && err != -ENOTCONN;

	if (job->vcpu >= VCPU_MAX)
		return false;
	v = &p->vcpu[job->vcpu];
	/* A slow call: the next one is counted from its end. */
	p->next_ns = now_ns + PINSYNC_GAP_NS;
	if (!v->known || v->index != job->index || strcmp(v->uuid, job->uuid))
		return false; /* the slot is another's by now */
	if (err) {
		/* Half way is possible: what libvirt believes is unknown. */
		v->told = v->told && !sent;
		v->retry_ns = now_ns + retry_after_ns(v->fail);
		if (v->fail < UINT8_MAX)
			v->fail++;
		p->failed_cnt++;
		return sent;
	}
	v->told = true;
	v->libvirt = job->mask;
	v->fail = 0;
	v->retry_ns = 0;
	p->told_cnt++;
	if (v->gen != job->gen)
		p->overtaken_cnt++;
	return true;
}
