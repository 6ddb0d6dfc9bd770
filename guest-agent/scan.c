// SPDX-License-Identifier: Apache-2.0
/*
 * scan.c - all of /proc, a little at a time: what the events missed
 *
 * Theory of operation. First the table: who is gone, whose mask was changed by
 * somebody else, who was left alone and may be tried again. Then every process,
 * thread by thread: one of a chosen process that is not in the table joins; one
 * in the table whose process is chosen no more (it was moved to another control
 * group, which no event tells) leaves; one that is no worker and has a mask of
 * ours gets back what its ancestor had.
 *
 * A scan is begun at start, after events were lost, and now and then. It keeps
 * its place between turns in two open directories, so that no turn is long.
 *
 * The agent's thread.
 */
#include "scan.h"

#include <stdio.h>

#include "hl/clock.h"
#include "procfs.h"

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
	*d = NULL;
}

void scan_begin(struct scan *s)
{
	scan_end(s);
	s->running = true;
	s->slot = 0;
}

void scan_end(struct scan *s)
{
	close_dir(&s->task);
	close_dir(&s->proc);
	s->running = false;
}

/* One worker. */
static void look_at_worker(struct scan *s, struct crew *c, uint64_t now_ns)
{
	uint16_t slot = s->slot++;

	if (c->table->worker[slot].tid && !crew_check(c, slot, now_ns))
		s->n.ghosts++;
}

/* One thread of the process whose directory is open. */
static void look_at_thread(struct scan *s, struct crew *c, pid_t tid,
			   uint64_t now_ns)
{
	uint16_t slot = table_find(c->table, tid);

	if (slot != WORKER_NONE && s->chosen)
		c->table->worker[slot].why |= WORKER_CHOSEN;
	else if (slot != WORKER_NONE)
		crew_leave(c, slot, WORKER_CHOSEN, now_ns);
	else if (!s->chosen)
		hands_stray(&c->hands, s->tgid, tid);
	else if (crew_join(c, tid, s->tgid, WORKER_NONE, WORKER_CHOSEN,
			   now_ns) >= 0)
		s->n.missed++;
}

/* The next process: open its threads. Return: false at the end of /proc. */
static bool next_process(struct scan *s, const struct crew *c)
{
	const struct dirent *e;
	struct procfs_stat st;
	char path[64];

	do {
		e = readdir(s->proc);
		if (!e)
			return false;
	} while (!procfs_pid(e->d_name, &s->tgid));
	if (procfs_stat(s->tgid, s->tgid, &st) || st.kthread)
		return true;
	s->chosen = crew_chosen(c, s->tgid);
	snprintf(path, sizeof(path), "/proc/%d/task", s->tgid);
	s->task = opendir(path);
	return true;
}

/* One step. Return: false: it was the last one. */
static bool step(struct scan *s, struct crew *c, uint64_t now_ns)
{
	const struct dirent *e;
	pid_t tid;

	if (s->slot < c->table->high) {
		look_at_worker(s, c, now_ns);
		return true;
	}
	if (!s->proc) {
		s->proc = opendir("/proc");
		return s->proc != NULL;
	}
	if (!s->task)
		return next_process(s, c);
	e = readdir(s->task);
	if (!e)
		close_dir(&s->task);
	else if (procfs_pid(e->d_name, &tid))
		look_at_thread(s, c, tid, now_ns);
	return true;
}

bool scan_turn(struct scan *s, struct crew *c, uint64_t now_ns,
	       uint64_t budget_ns)
{
	uint64_t begun_ns = clock_now_ns(), spent_ns = 0;

	while (s->running && spent_ns < budget_ns) {
		if (!step(s, c, now_ns)) {
			scan_end(s);
			s->n.passes++;
		}
		spent_ns = clock_now_ns() - begun_ns;
	}
	if (spent_ns / NSEC_PER_USEC > s->n.longest_us)
		s->n.longest_us = spent_ns / NSEC_PER_USEC;
	return s->running;
}
