/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ksched_hands.h - the poll thread's half of the ksched backend, and what both
 * threads share
 */
#ifndef HOSTD_KSCHED_HANDS_H
#define HOSTD_KSCHED_HANDS_H

#include "act.h"
#include "ksched_dev.h"

/* The poll thread sleeps 100 ms at most (PUBLISH_NS) and its longest passes
 * take some ms. One that is silent for thirty times as long hangs, and serves
 * no packets either; a host so busy that it only looks like it, such as an
 * emulated one, shall not lose its fast moves. (When hostd dies the device is
 * closed and nobody waits for this.) */
#define KSCHED_SILENCE_MS 3000u

#define SLOT_NONE  0u
#define SLOT_DOUBT (1u << 31) /* its bound may be too wide */

/* A VM's threads. The control thread replaces it whole, but for slot[]. */
struct handed {
	struct act_vm vm;
	uint32_t slot[ACT_VCPUS_MAX]; /* 1 + the module's; atomic */
};

/* Both threads; who writes: see act_ksched.c, "Two threads". */
struct ksched_share {
	_Alignas(64) uint32_t inside; /* poll thread; odd: uses what follows */
	uint32_t live;		      /* control: the session; 0: none */
	bool broken; /* poll: a call failed; control: cleared at the end */
	struct ksched_dev *dev;	    /* control: while live is not 0 */
	struct handed *vm[VM_MAX];  /* control: atomic; NULL: not adopted */
	struct act *slow;	    /* act_cgroup's */
	void (*ask_end)(void *arg); /* poll thread calls it when broken */
	void *ask_arg;
};

struct hands;

/* hands_open(), hands_close() - Control thread. Return: 0 or -ENOMEM. */
int hands_open(struct hands **out, struct ksched_share *share);
void hands_close(struct hands *a);

/* Poll thread: as the act_ops of these names say. */
bool hands_submit(struct hands *a, const struct move *m);
void hands_flush(struct hands *a, uint64_t now_ns);
bool hands_reap(struct hands *a, struct move_done *d);

/* hands_count() - Any thread: add what was not the cgroup backend's. */
void hands_count(const struct hands *a, struct act_count *sum);

#endif
