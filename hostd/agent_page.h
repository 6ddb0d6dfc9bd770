/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_page.h - the page shared with a guest's agent, hostd's end of it
 *
 * The agents thread only. What is in the page may be changed by the guest at
 * any time: hostd's half is written and never read, the guest's half is read
 * once for each field.
 */
#ifndef HOSTD_AGENT_PAGE_H
#define HOSTD_AGENT_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent_session.h"
#include "hl/agent.h"

struct page {
	struct agent_page *mem; /* NULL: none */
	uint64_t token;		/* drawn at each page_open(); 0: none */
	uint32_t beat;
	uint16_t vcpu_cnt;
	volatile bool lost; /* its file was cut short: reads and writes go to
			     * memory nobody sees */
	uint64_t word[AGENT_VCPUS]; /* as written */
};

/*
 * page_open() - Map @dir/@name and write hostd's half
 * @dir: "/dev/shm"
 * @qemu: the user QEMU runs as; the file must be its or root's
 *
 * Return: NULL, or why it cannot be used (a constant half sentence).
 */
const char *page_open(struct page *p, const char *dir, const char *name,
		      uid_t qemu);

/* page_close() - Say in it that nobody is there, and unmap. Nothing when it is
 * not open. */
void page_close(struct page *p);

/* page_words() - What is granted now; @gen differs from the one before when
 * any word does. */
void page_words(struct page *p, const uint64_t *word, uint16_t vcpu_cnt,
		uint32_t gen);

/* page_beat() - hostd lives. Writes all of its half anew: a guest that spoilt
 * it is not misled for long. */
void page_beat(struct page *p, uint32_t gen);

/* page_read() - Copy the guest's half, [vcpu_cnt] of its vcpus. */
void page_read(struct page *p, uint16_t vcpu_cnt, struct session_page *out);

/*
 * page_guard() - From now on a page whose file is cut short costs this page
 *
 * Whoever owns the file may do that at any time, and the next touch is a
 * SIGBUS: its handler puts private memory in the page's place. For the process.
 * Return: 0 or -errno.
 */
int page_guard(void);

#endif
