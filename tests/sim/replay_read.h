/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_read.h - a recording (hl/record.h), read look by look
 *
 * Nothing in a file is trusted: every record is checked against the bounds and
 * against the records before it, and the first that does not fit ends the
 * reading. What is there to be seen after each look is as hostd saw it, but for
 * ownership and what is derived from it: recorded owners are in vcpu_view.cpu.
 */
#ifndef TESTS_SIM_REPLAY_READ_H
#define TESTS_SIM_REPLAY_READ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hl/record.h"
#include "policy/policy.h"

struct replay_file {
	struct record_head head;
	struct record_time time; /* of this look */
	struct snapshot s;	 /* as of it; changed[]: since the last look */
	struct plan plan;	 /* what hostd decided */
	char name[VM_MAX][VM_NAME_MAX];
	uint64_t untaken_ns[VM_MAX]; /* struct record_vm's */
	bool configured; /* cpus, or VMs' slots, class or limits changed */
	uint64_t looks;
	uint64_t end_ns; /* at the end: when that was */
	bool cut;	 /* at the end: RECORD_END was missing */
	char error[160]; /* why replay_next() or replay_open() failed */
	/* the reader's own */
	FILE *f;
	uint64_t records;
	bool held; /* `next` was read, not taken */
	struct record next;
	bool listed[VM_MAX];	    /* in s.changed[] */
	uint16_t slot_vm[VCPU_MAX]; /* whose slot it is, or VM_NONE */
};

/* replay_open() - Read the head. Return: 0, or -1 with an error. */
int replay_open(struct replay_file *r, FILE *f);

/*
 * replay_next() - Read on to the next look and what was decided then
 * Waits (delay, ready) are those at its time. Return: 1; 0 at the end; -1 with
 * an error: what was read before it holds.
 */
int replay_next(struct replay_file *r);

/*
 * replay_ages() - Work out the waits of @vm as they are at @now_ns, into @s
 * @untaken_ns: struct record_vm's
 * Return: whether it has one, though it may have begun this moment.
 */
bool replay_ages(struct snapshot *s, uint16_t vm, uint64_t untaken_ns,
		 uint64_t now_ns);

#endif
