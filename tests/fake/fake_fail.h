/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_fail.h - one call of the C library fails
 *
 * For "each step of a set-up fails once". Link with FAKE_FAIL_LDFLAGS
 * (tests/edge/agent_edge.mk).
 */
#ifndef FAKE_FAIL_H
#define FAKE_FAIL_H

#include <stdbool.h>

/* fail_next() - After @skip good calls of @call, one fails with @err. NULL: no
 * more of that. @err 0: read() has come to the end. */
void fail_next(const char *call, unsigned skip, int err);

/* fail_done() - Did it come to that? */
bool fail_done(void);

/* fail_open() - Descriptors open now; what a failed set-up leaves must be as
 * many as before. */
unsigned fail_open(void);

#endif
