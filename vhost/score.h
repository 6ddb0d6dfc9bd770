/* SPDX-License-Identifier: Apache-2.0 */
/*
 * score.h - how many waits there were, how long, and how many were too long
 *
 * One writer, the poll thread; readers on other threads may be one count
 * behind.
 */
#ifndef VHOST_SCORE_H
#define VHOST_SCORE_H

#include <stdint.h>

#include "hl/hist.h"

struct score {
	uint64_t limit_ns; /* what is longer is late; 0: nothing is */
	uint64_t done,
	    late; /* all, and the late ones of them, since somebody */
		  /* took the numbers and put 0 there */
	struct hist hist;
};

static inline void score_add(struct score *s, uint64_t ns)
{
	hist_add(&s->hist, ns);
	s->done++;
	s->late += s->limit_ns && ns > s->limit_ns;
}

/* score_lost() - @n waits that ended without what was waited for: late however
 * long they were, and no sample. */
static inline void score_lost(struct score *s, uint64_t n)
{
	s->done += n;
	s->late += s->limit_ns ? n : 0;
}

#endif
