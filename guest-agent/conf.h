/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf.h - guest-agent.conf as one plain struct
 */
#ifndef AGENT_CONF_H
#define AGENT_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "match.h"

#define AGENT_CONF_PATH 108 /* a Unix socket's sun_path */

struct agent_conf {
	char channel[AGENT_CONF_PATH]; /* channel = ; "": search */
	char page[AGENT_CONF_PATH]; /* page = ; "": search; "none": use none */
	char socket[AGENT_CONF_PATH]; /* socket = */
	bool place;		      /* place = yes: else only report */
	bool interrupts;	      /* interrupts = */
	bool registered;	      /* register = : may workers ask to be */
	uint64_t tick_ns;	      /* tick = */
	uint64_t scan_ns;	      /* scan = */
	uint64_t age_ns;	      /* age-cap = */
	struct match match;	      /* command = , unit = , cgroup = */
};

/* Where and why a configuration was refused: a full sentence with the cure. */
struct agent_conf_error {
	unsigned line; /* 0: not about one line */
	char text[320];
};

/* agent_conf_default() - The values that hold where the file says nothing. */
void agent_conf_default(struct agent_conf *c);

/*
 * agent_conf_parse() - Lay a text over a configuration
 * @text: @len bytes, any bytes at all; need not end in NUL
 *
 * Pure. Unknown sections and keys, bad values, and a key that stands twice
 * (but command, unit and cgroup, which add up) are refused.
 * Return: 0, or -EINVAL with @err filled (@c is half changed then).
 */
int agent_conf_parse(struct agent_conf *c, const char *text, size_t len,
		     struct agent_conf_error *err);

#endif
