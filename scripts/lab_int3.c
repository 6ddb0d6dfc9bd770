// SPDX-License-Identifier: GPL-2.0
/*
 * lab_int3.c - a QEMU plugin: no cpu of the lab runs into a stale breakpoint
 *
 * Linux patches its own code while other cpus run it (static keys, tracepoints,
 * BPF): it writes int3 over the first byte, the rest behind it, then the first
 * byte. For each write QEMU first drops what it has translated of that place,
 * then stores. A cpu that translates again between the two keeps an int3 that
 * memory has no more, and hits it for ever: "removed just after we hit it",
 * says the kernel and returns to it. Where eight cpus take turns on two real
 * ones, a thread of QEMU loses its cpu between the two often enough: seen on
 * 7.2 and on 10.0, each time within minutes.
 *
 * So each int3 of the kernel looks, when it is about to run, whether memory
 * still has it. If not, everything translated is thrown away, and the cpus find
 * what there is now.
 *
 * Called by QEMU's cpu threads, several at once; there is no state but the id.
 * Debian ships no header for plugins: what is used of their interface, version
 * 1, is declared here (QEMU, docs/devel/tcg-plugins).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))

#define INT3	0xcc
#define KERNEL	(1ULL << 63) /* addresses from here on */
#define NO_REGS 0	     /* QEMU_PLUGIN_CB_NO_REGS */

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;

typedef void (*simple_cb)(plugin_id id);
typedef void (*translate_cb)(plugin_id id, struct qemu_plugin_tb *tb);
typedef void (*exec_cb)(unsigned int vcpu, void *data);

void qemu_plugin_reset(plugin_id id, simple_cb cb);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, translate_cb cb);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    exec_cb cb, int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *,
						 size_t number);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn);

/* What QEMU looks for in this library. */
EXPORT extern int qemu_plugin_version;
int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info_t *info,
			       int argc, char **argv);

static plugin_id our_id;

static void translated(plugin_id id, struct qemu_plugin_tb *tb);

static void watch(plugin_id id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
}

/* An int3 is about to run. @memory: where it was translated from. */
static void breakpoint(unsigned int vcpu, void *memory)
{
	if (*(volatile uint8_t *)memory == INT3)
		return;
	fprintf(stderr, "lab_int3: cpu %u had a stale one\n", vcpu);
	qemu_plugin_reset(our_id, watch); /* drops all translations, too */
}

static int is_breakpoint(const struct qemu_plugin_insn *insn)
{
	const uint8_t *code = qemu_plugin_insn_data(insn);

	return qemu_plugin_insn_size(insn) == 1 && *code == INT3 &&
	       qemu_plugin_insn_vaddr(insn) >= KERNEL;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		void *memory = qemu_plugin_insn_haddr(insn);

		if (is_breakpoint(insn) && memory)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, breakpoint,
							       NO_REGS, memory);
	}
}

int qemu_plugin_install(plugin_id id, const struct qemu_info_t *info, int argc,
			char **argv)
{
	(void)info;
	(void)argc;
	(void)argv;
	our_id = id;
	watch(id);
	return 0;
}
