// SPDX-License-Identifier: Apache-2.0
/*
 * mover.c - random moves of everybody's threads, and an account of the answers
 *
 * Every move is noted under its gen, and its answer crosses it out: an answer
 * to nothing, a second one, one out of a thread's order, an unknown error or
 * none at all is a fault, told on standard output.
 */
#include "mover.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS  60000
#define FAULTS_MAX 20 /* told; the others are only counted */
#define CPUS	   64 /* masks are drawn from these */

__attribute__((format(printf, 2, 3))) static void fault(struct mover *m,
							const char *fmt, ...)
{
	va_list args;

	if (m->count.faults++ >= FAULTS_MAX)
		return;
	printf("FAULT ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

static unsigned pick(struct mover *m, unsigned n)
{
	return (unsigned)rand_r(&m->seed) % n;
}

int mover_open(struct mover *m, unsigned silence_ms)
{
	int rc = session_open(&m->ses, silence_ms);

	if (rc)
		return rc;
	m->count.sessions++;
	m->n = 0;
	memset(m->sent, 0, sizeof(m->sent));
	return 0;
}

static struct mover_thread *thread_of(struct mover *m, pid_t tid)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->thread[i].tid == tid && m->thread[i].handed)
			return &m->thread[i];
	return NULL;
}

static struct mover_thread *thread_in(struct mover *m, uint32_t slot)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->thread[i].slot == slot && m->thread[i].handed)
			return &m->thread[i];
	return NULL;
}

static void hand_over(struct mover *m, struct mover_thread *t)
{
	int slot = session_add(&m->ses, t->pid, t->tid, &t->had);

	t->handed = slot >= 0;
	if (slot >= 0) {
		t->slot = (uint32_t)slot;
		t->done_gen = m->gen;
	} else if (slot != -ESRCH && slot != -ESHUTDOWN) {
		fault(m, "add of %d: %s", t->tid, strerror(-slot));
	}
}

/* Only these: others may start threads, which would keep their masks. */
static bool is_vcpu(pid_t tid)
{
	char path[64], name[4] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		name[0] = 0;
	fclose(f);
	return !strcmp(name, "CPU");
}

static void scan_one(struct mover *m, pid_t pid)
{
	char path[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);
		unsigned free = m->n;

		if (tid <= 0 || thread_of(m, tid) || !is_vcpu(tid))
			continue;
		for (unsigned i = 0; i < m->n; i++)
			if (!m->thread[i].handed)
				free = i;
		if (free == MOVER_THREADS)
			break;
		m->n += free == m->n;
		m->thread[free] =
		    (struct mover_thread){ .pid = pid, .tid = tid };
		hand_over(m, &m->thread[free]);
	}
	if (dir)
		closedir(dir);
}

void mover_scan(struct mover *m, const pid_t *pids, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		scan_one(m, pids[i]);
}

/* Some of the cpus it had; now and then one more, which may be beyond. */
static struct ksched_mask random_mask(struct mover *m,
				      const struct ksched_mask *had)
{
	struct ksched_mask mask = { 0 };
	unsigned want = 1 + pick(m, 3), tries = 0;

	while (want && tries++ < 1000) {
		unsigned cpu = pick(m, CPUS);

		if (!mask_has(had, cpu))
			continue;
		mask.word[0] |= 1ull << cpu;
		want--;
	}
	if (!pick(m, 50))
		mask.word[0] |= 1ull << pick(m, 10);
	return mask;
}

static void took(struct mover *m, const struct ksched_done *d)
{
	struct mover_count *c = &m->count;

	c->answered++;
	switch (d->err) {
	case 0:
		c->moved++;
		break;
	case -ECANCELED:
		c->overtaken++;
		break;
	case -ESRCH:
		c->gone++;
		break;
	case -ESTALE:
		c->stale++;
		/* fall through */
	case -EXDEV:
	case -ENODEV:
	case -EINVAL:
	case -ESHUTDOWN:
		c->refused++;
		break;
	default:
		fault(m, "slot %u gen %u: error %d", d->slot, d->gen, d->err);
	}
}

static void answer(struct mover *m, const struct ksched_done *d)
{
	struct ksched_move *sent = &m->sent[d->gen % KSCHED_RING_SLOTS];
	struct mover_thread *t = thread_in(m, d->slot);

	took(m, d);
	if (!d->gen || sent->gen != d->gen || sent->slot != d->slot)
		fault(m, "slot %u gen %u was not asked, or twice answered",
		      d->slot, d->gen);
	sent->gen = 0;
	if (!t)
		return;
	/* An overtaken one may be answered before an older one under way. */
	if (d->err == 0) {
		if (d->gen <= t->done_gen)
			fault(m, "slot %u: gen %u after %u", d->slot, d->gen,
			      t->done_gen);
		t->done_gen = d->gen;
	}
	/* Its thread has ended: let the slot go. */
	if (d->err == -ESRCH) {
		session_drop(&m->ses, t->slot);
		t->handed = false;
	}
}

static void answers(struct mover *m, uint64_t leave)
{
	struct ksched_done d;

	while (session_answer(&m->ses, &d, 0))
		answer(m, &d);
	while (m->ses.asked - m->ses.read > leave) {
		if (!session_answer(&m->ses, &d, ANSWER_MS)) {
			fault(m, "%llu moves not answered",
			      (unsigned long long)(m->ses.asked - m->ses.read));
			return;
		}
		answer(m, &d);
	}
}

int mover_step(struct mover *m)
{
	struct ksched_move batch[KSCHED_BATCH_MAX];
	unsigned n = 1 + pick(m, pick(m, 10) ? 16 : KSCHED_BATCH_MAX);
	int rc;

	if (!m->n)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		const struct mover_thread *t = &m->thread[pick(m, m->n)];

		batch[i] = (struct ksched_move){
			.slot = t->slot,
			.gen = ++m->gen ? m->gen : ++m->gen,
			.role = pick(m, KSCHED_ROLES),
			.mask = random_mask(m, &t->had),
		};
		m->sent[batch[i].gen % KSCHED_RING_SLOTS] = batch[i];
	}
	rc = session_commit(&m->ses, batch, n);
	if (rc)
		return rc;
	m->count.asked += n;
	answers(m, pick(m, 4) ? KSCHED_RING_SLOTS / 2 : 0);
	return 0;
}

void mover_stir(struct mover *m)
{
	struct mover_thread *t;

	if (!m->n)
		return;
	t = &m->thread[pick(m, m->n)];
	if (!t->handed)
		return;
	if (pick(m, 2)) {
		/* Not ONLY, which would make of our move all it gets back. */
		session_learn(&m->ses, t->slot, KSCHED_LEARN_ADD);
		return;
	}
	answers(m, 0); /* a slot's next thread has its own gens */
	if (t->handed && !session_drop(&m->ses, t->slot))
		hand_over(m, t);
}

void mover_close(struct mover *m)
{
	const struct ksched_page *p = m->ses.page;

	answers(m, 0);
	if (p->asked != m->ses.asked || p->head != m->ses.asked)
		fault(m, "asked %llu, the page says %llu asked, %llu answered",
		      (unsigned long long)m->ses.asked,
		      (unsigned long long)p->asked,
		      (unsigned long long)p->head);
	if (p->moved + p->overtaken + p->gone + p->refused != p->head)
		fault(m, "the page's counters are not its answers");
	m->count.ended += p->over != KSCHED_ALIVE;
	session_close(&m->ses);
}
