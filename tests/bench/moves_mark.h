/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * moves_mark.h - marks in the instruction stream, which moves_count.c finds
 *
 * nopl of a 32-bit address with a word of ours in it: it touches no memory and
 * changes nothing, on any x86-64 cpu.
 */
#ifndef BENCH_MOVES_MARK_H
#define BENCH_MOVES_MARK_H

#define MARK_BYTES 8
#define MARK_START 0x0f, 0x1f, 0x84, 0x00, 'h', 'l', 'm', 's'
#define MARK_BEGIN 0x0f, 0x1f, 0x84, 0x00, 'h', 'l', 'm', 'b'
#define MARK_END   0x0f, 0x1f, 0x84, 0x00, 'h', 'l', 'm', 'e'

/* The same in hexadecimal, for the assembler; no memory access is moved over
 * them. */
#define MARK(last)                                                             \
	__asm__ volatile(".byte 0x0f,0x1f,0x84,0x00,0x68,0x6c,0x6d," last ::   \
			     : "memory")

static inline void mark_start(void) /* count from now on, on all cpus */
{
	MARK("0x73");
}

static inline __attribute__((always_inline)) void mark_begin(void)
{
	MARK("0x62");
}

static inline __attribute__((always_inline)) void mark_end(void)
{
	MARK("0x65");
}

#endif
