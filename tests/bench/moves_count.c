// SPDX-License-Identifier: GPL-2.0
/*
 * moves_count.c - counts a cpu's instructions between two marks
 *
 * A plugin of QEMU's TCG, loaded into the QEMU that is the lab. A program in
 * the lab executes a mark (moves_mark.h: a no-operation with a word of ours in
 * it) before and after what is to be counted, on one cpu. At the second, one
 * line goes to the file out=FILE:
 *	number-of-the-pair instructions
 * Nothing is counted, and nothing slowed down, before the mark that starts it
 * all: then everything is translated anew.
 *
 * What is counted: every instruction that cpu executed between the marks, in
 * user space and in the kernel: the marked thread's, interrupts, and whatever
 * else ran there meanwhile. A halted cpu executes none. Each turn of a REP
 * instruction counts as one. QEMU translates straight runs of instructions
 * and begins each whole; one that is left early (a page fault) is counted
 * whole. What other cpus do is not counted.
 *
 * Threads: QEMU has one a cpu. A cpu's state is touched by its own thread
 * alone; the file is written under stdio's lock.
 *
 * Debian ships QEMU with plugins but not its header: the few declarations of
 * version 1 of that interface that are needed stand here. The licence is the
 * one that QEMU as a whole has.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/moves_mark.h"

#define CPUS 256

/* --- QEMU's interface for plugins, version 1 --------------------------- */

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*plugin_id_fn)(plugin_id id);
typedef void (*plugin_translate_fn)(plugin_id id, struct qemu_plugin_tb *tb);
typedef void (*plugin_exec_fn)(unsigned int cpu, void *data);

enum { PLUGIN_NO_REGS = 0 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
						  plugin_translate_fn fn);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
						 plugin_exec_fn fn, int regs,
						 void *data);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *i,
						   plugin_exec_fn fn, int regs,
						   void *data);
extern void qemu_plugin_reset(plugin_id id, plugin_id_fn fn);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

/* What QEMU looks for in this library. */
extern int qemu_plugin_version;
int qemu_plugin_version = 1;
int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

/* --- counting ----------------------------------------------------------- */

static struct {
	_Alignas(64) uint64_t done; /* instructions begun */
	uint64_t begin;		    /* `done` at the mark that opened */
} cpu_count[CPUS];

static plugin_id self;
static FILE *out;
static uint64_t pairs;

static void on_block(unsigned int cpu, void *data)
{
	if (cpu < CPUS)
		cpu_count[cpu].done += (uintptr_t)data;
}

/* @data: how many instructions of the block, which are counted already, are
 * still to come at the mark. */
static void on_begin(unsigned int cpu, void *data)
{
	if (cpu < CPUS)
		cpu_count[cpu].begin = cpu_count[cpu].done - (uintptr_t)data;
}

static void on_end(unsigned int cpu, void *data)
{
	uint64_t end;

	if (cpu >= CPUS)
		return;
	end = cpu_count[cpu].done - (uintptr_t)data;
	fprintf(out, "%" PRIu64 " %" PRIu64 "\n", ++pairs,
		end - cpu_count[cpu].begin);
}

static bool is_mark(const struct qemu_plugin_insn *insn, const uint8_t *mark)
{
	return qemu_plugin_insn_size(insn) == MARK_BYTES &&
	       !memcmp(qemu_plugin_insn_data(insn), mark, MARK_BYTES);
}

static void on_translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	static const uint8_t begin[] = { MARK_BEGIN }, end[] = { MARK_END };
	size_t cnt = qemu_plugin_tb_n_insns(tb);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, PLUGIN_NO_REGS,
					     (void *)(uintptr_t)cnt);
	for (size_t i = 0; i < cnt; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		void *rest = (void *)(uintptr_t)(cnt - 1 - i);

		if (is_mark(insn, begin))
			qemu_plugin_register_vcpu_insn_exec_cb(
			    insn, on_begin, PLUGIN_NO_REGS, rest);
		else if (is_mark(insn, end))
			qemu_plugin_register_vcpu_insn_exec_cb(
			    insn, on_end, PLUGIN_NO_REGS, rest);
	}
}

/* --- before it starts --------------------------------------------------- */

static void start(plugin_id id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
}

/* QEMU stops all cpus, throws away what it has translated, calls start(). */
static void on_start(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	qemu_plugin_reset(self, start);
}

static void look_for_start(plugin_id id, struct qemu_plugin_tb *tb)
{
	static const uint8_t mark[] = { MARK_START };
	size_t cnt = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < cnt; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (is_mark(insn, mark))
			qemu_plugin_register_vcpu_insn_exec_cb(
			    insn, on_start, PLUGIN_NO_REGS, NULL);
	}
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "moves_count: out=FILE is needed\n");
		return -1;
	}
	out = fopen(argv[0] + 4, "we");
	if (!out) {
		perror(argv[0] + 4);
		return -1;
	}
	setvbuf(out, NULL, _IOLBF, 0);
	self = id;
	qemu_plugin_register_vcpu_tb_trans_cb(id, look_for_start);
	return 0;
}
