/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - a session with /dev/ksched, for tests
 *
 * The thinnest layer over include/hl/ksched.h, so that a test says what it
 * asks and sees what it got. One thread at a time.
 */
#ifndef TESTS_LAB_SESSION_H
#define TESTS_LAB_SESSION_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hl/ksched.h"

#define SESSION_SILENCE_MS 30000 /* longer than any test waits */

struct session {
	int fd; /* -1: none */
	const struct ksched_page *page;
	const struct ksched_done *ring;
	uint64_t asked; /* moves committed so far */
	uint64_t read;	/* answers taken so far */
};

/* Open, start and map. Return: 0 or -errno; then nothing is open. */
int session_open(struct session *s, unsigned silence_ms);

/* Unmap and close; again is harmless. */
void session_close(struct session *s);

/* ioctl(2) with this argument. Return: 0 or -errno. */
int session_ioctl(const struct session *s, unsigned long request, void *arg);

/* Hand over a thread. @had may be NULL. Return: its slot or -errno. */
int session_add(const struct session *s, pid_t tgid, pid_t tid,
		struct ksched_mask *had);
int session_drop(const struct session *s, uint32_t slot);
int session_learn(const struct session *s, uint32_t slot, uint32_t how);
int session_commit(struct session *s, const struct ksched_move *moves,
		   uint32_t count);

/* The next answer. Return: false if none came within @wait_ms. */
bool session_answer(struct session *s, struct ksched_done *d, unsigned wait_ms);

/* Field 22 of the thread's stat; 0: no such thread. */
uint64_t task_start_ticks(pid_t tgid, pid_t tid);

/* The cpu it runs on, or ran on last; -1: no such thread. */
int task_cpu(pid_t tid);

/* Its affinity. Return: 0 or -errno. */
int task_mask(pid_t tid, struct ksched_mask *m);
int task_set_mask(pid_t tid, const struct ksched_mask *m);

struct ksched_mask mask_of(int cpu);
struct ksched_mask mask_range(int first, int last);
bool mask_has(const struct ksched_mask *m, unsigned cpu);
bool mask_same(const struct ksched_mask *a, const struct ksched_mask *b);
bool mask_empty(const struct ksched_mask *m);
bool mask_within(const struct ksched_mask *inner,
		 const struct ksched_mask *outer);
/* As a list, say "0-3,5"; the buffer is one of a few of its own. */
const char *mask_text(const struct ksched_mask *m);

void nap_ms(unsigned ms);

#endif
