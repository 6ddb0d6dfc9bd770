/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - what a recording is made of: what hostd saw, and what it decided
 *
 * A file of records of one size, oldest first. RECORD_HEAD comes first,
 * RECORD_END last. In between, what is different from before: records of kinds
 * CPU, NODE, NAME, VM and VCPU each replace what was known of their slot. They
 * hold from the next RECORD_TIME on, which says when; the GRANT and BAR records
 * behind it are what was decided then. A file that ends without RECORD_END,
 * even inside a record, was cut: it is good up to its last RECORD_TIME.
 *
 * At the start no VM is there. A VM record with other vcpu slots than before,
 * or of a VM that has gone, ends what was known of the former slots; that comes
 * before any record by which another VM has them. A VM's
 * ready wait is not recorded: it is that of its vcpus.
 *
 * Time alone changes nothing here: waits are recorded by when they began.
 * Times are CLOCK_MONOTONIC of the machine that was recorded; numbers have the
 * byte order of that machine, by which a reader of another order sees a wrong
 * magic. Fields without a comment are those of hostd/policy/policy.h.
 */
#ifndef HL_RECORD_H
#define HL_RECORD_H

#include <stdint.h>

#include "hl/bounds.h"

#define RECORD_MAGIC   0x31474e4944524f43ull /* "CORDING1" */
#define RECORD_VERSION 1
#define RECORD_BYTES   96

enum record_kind {
	RECORD_HEAD = 1,
	RECORD_CPU,
	RECORD_NODE,
	RECORD_NAME,
	RECORD_VM,
	RECORD_VCPU,
	RECORD_TIME,
	RECORD_GRANT,
	RECORD_BAR,
	RECORD_END,
};

struct record_head {
	uint64_t magic;
	uint32_t version;
	uint32_t bytes;	   /* of a record */
	uint64_t began_ns; /* when */
	uint64_t real_ns;  /* the same by CLOCK_REALTIME */
	char hostd[32];	   /* its version; ends in NUL */
	uint8_t pad[24];
};

struct record_cpu {
	uint8_t managed;
	uint8_t floor;
	uint16_t sibling, llc, node;
};

struct record_node {
	uint8_t metered;
	uint8_t pad[7];
	uint64_t since_ns, mem_bytes_s, mem_max_bytes_s;
	uint8_t distance[NODE_MAX];
};

struct record_name {
	char name[VM_NAME_MAX]; /* ends in NUL */
};

struct record_vm {
	uint8_t present, has_port, class, slo_signal;
	uint8_t hinted;
	uint8_t pad;
	uint16_t cpus_min, cpus_max, weight;
	uint16_t first_vcpu, vcpu_cnt;
	uint16_t held, slo_permyriad, node, hint_wanted;
	uint64_t slo_ns;
	uint64_t untaken_ns; /* since when its oldest frame waits; 0: none */
	uint64_t done, late;
	uint64_t mem_bytes_s, hint_wait_ns;
};

struct record_vcpu {
	uint16_t vm; /* VM_NONE: unplugged */
	uint16_t cpu, last_cpu;
	uint16_t hint_runnable;
	uint8_t run;
	uint8_t pad[7];
	uint64_t since_ns, ran_ns, waited_ns;
};

struct record_time {
	uint64_t now_ns;
	uint64_t interval_ns; /* between two decisions */
	/* Since the recording began: looks that were left out for want of room
	 * (what they saw is in the next one), and decisions lost with them. */
	uint64_t skipped, lost;
	char policy[32]; /* ends in NUL */
	uint8_t whole;	 /* all that there was at the beginning was written */
	uint8_t pad[3];
	uint32_t move_ns; /* what a move takes; 0: not known */
};

struct record_grant {
	uint16_t cpu, vcpu, reason;
	uint16_t pad;
	uint64_t saw_ns, limit_ns;
};

struct record_bar {
	uint16_t vm, reason;
	uint32_t pad;
	uint64_t cpus[CPU_MAX / 64]; /* as struct cpumask */
};

struct record_end {
	uint64_t now_ns;  /* nothing changed from the last RECORD_TIME on */
	uint64_t records; /* of the file, this one included */
};

struct record {
	uint16_t kind; /* enum record_kind */
	uint16_t slot; /* cpu, node, VM or vcpu it is about; else 0 */
	uint32_t pad;
	union {
		struct record_head head;
		struct record_cpu cpu;
		struct record_node node;
		struct record_name name;
		struct record_vm vm;
		struct record_vcpu vcpu;
		struct record_time time;
		struct record_grant grant;
		struct record_bar bar;
		struct record_end end;
		uint8_t body[RECORD_BYTES - 8];
	};
};

_Static_assert(sizeof(struct record) == RECORD_BYTES, "one size of record");
_Static_assert(sizeof(struct record_head) == 88, "head");
_Static_assert(sizeof(struct record_cpu) == 8, "cpu");
_Static_assert(sizeof(struct record_node) == 48, "node");
_Static_assert(sizeof(struct record_vm) == 72, "vm");
_Static_assert(sizeof(struct record_vcpu) == 40, "vcpu");
_Static_assert(sizeof(struct record_time) == 72, "time");
_Static_assert(sizeof(struct record_grant) == 24, "grant");
_Static_assert(sizeof(struct record_bar) == 72, "bar");

#endif
