/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - recordings: what hostd sees and decides, into a file
 *
 * One at a time, for so many seconds. Layout: hl/record.h.
 */
#ifndef HOSTD_RECORD_H
#define HOSTD_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/policy.h"

#define RECORD_S_MAX	3600
#define RECORD_FILE_MAX (1ull << 30) /* bytes; a recording then ends */
#define RECORD_PATH_MAX 768

enum record_state { RECORD_NEVER, RECORD_RUNS, RECORD_DONE };

struct record_status {
	enum record_state state;
	int err;	 /* why it ended before its time; 0: it did not */
	uint64_t ran_ns; /* so far, or in all */
	uint64_t bytes;	 /* of the file */
	uint64_t skipped, lost; /* struct record_time's */
	char path[RECORD_PATH_MAX];
};

/*
 * record_start() - Begin a recording; any thread but the poll thread
 * @path: absolute; a new file, mode 0600
 * @seconds: 1 to RECORD_S_MAX
 *
 * Return: 0; -EBUSY while another one runs; -EINVAL; -EEXIST or another -errno
 * of the file or the memory.
 */
int record_start(const char *path, unsigned seconds);

/* record_stop() - End what runs, and wait for its file to be complete. Any
 * thread but the poll thread. */
void record_stop(void);

/* record_get() - The last recording, whether it runs or not. Any thread. */
void record_get(struct record_status *out);

/*
 * record_look() - Poll thread: one look, after the decision and before it is
 * carried out
 *
 * Where nothing is being recorded: one word read.
 */
void record_look(const struct snapshot *s, const struct plan *p,
		 uint64_t interval_ns, const char *policy);

/* record_again() - Poll thread: cpus or settings are other ones. */
void record_again(void);

#endif
