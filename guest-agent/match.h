/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match.h - is a process one whose threads are workers?
 *
 * Pure. What is asked about is whatever /proc says, in its own form.
 */
#ifndef AGENT_MATCH_H
#define AGENT_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#define MATCH_RULES 64
#define MATCH_TEXT  256 /* bytes of a pattern, NUL included */

enum match_kind {
	MATCH_COMMAND, /* its name, as ps -o comm shows it */
	MATCH_UNIT,    /* a systemd unit: a directory of that name on the path
			* of its control group */
	MATCH_CGROUP,  /* its control group, or one below it */
};

struct match_rule {
	uint8_t kind; /* enum match_kind */
	char text[MATCH_TEXT];
};

struct match {
	uint16_t count;
	struct match_rule rule[MATCH_RULES];
};

/* match_wild() - Is @text as @pattern says? A * stands for any letters. */
bool match_wild(const char *pattern, const char *text);

/*
 * match_process() - Does any rule choose this process?
 * @comm: its name
 * @cgroups: lines as in /proc/PID/cgroup
 */
bool match_process(const struct match *m, const char *comm,
		   const char *cgroups);

/* match_asks() - Is there a rule of this kind? Else nobody need look. */
bool match_asks(const struct match *m, enum match_kind kind);

#endif
