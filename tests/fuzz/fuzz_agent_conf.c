// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_agent_conf.c - any bytes as guest-agent.conf, and as rules and groups
 *
 * Whatever is taken obeys the limits the keys promise; whatever is refused says
 * why and where. Rules that were taken are held against any bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guest-agent/conf.h"
#include "hl/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int truth)
{
	if (!truth)
		abort();
}

static void check_path(const char *path, int word)
{
	must(memchr(path, 0, AGENT_CONF_PATH) != NULL);
	must(*path == '/' || (word && (!*path || !strcmp(path, "none"))));
}

static void check_limits(const struct agent_conf *c)
{
	check_path(c->channel, 1);
	check_path(c->page, 1);
	check_path(c->socket, 0);
	must(c->tick_ns >= 5 * NSEC_PER_MSEC && c->tick_ns <= NSEC_PER_SEC);
	must(c->scan_ns >= NSEC_PER_SEC);
	must(c->age_ns >= NSEC_PER_MSEC && c->age_ns <= 10 * NSEC_PER_SEC);
	must(c->match.count <= MATCH_RULES);
	for (unsigned i = 0; i < c->match.count; i++) {
		must(c->match.rule[i].kind <= MATCH_CGROUP);
		must(*c->match.rule[i].text);
		must(memchr(c->match.rule[i].text, 0, MATCH_TEXT) != NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_conf c;
	struct agent_conf_error err;
	char groups[512] = "";

	agent_conf_default(&c);
	if (agent_conf_parse(&c, (const char *)data, size, &err)) {
		must(err.line > 0 && strlen(err.text) > 10);
		for (const char *p = err.text; *p; p++)
			must((unsigned char)*p >= ' ' && *p != 0x7f);
		return 0;
	}
	check_limits(&c);
	memcpy(groups, data, size < sizeof(groups) ? size : sizeof(groups) - 1);
	match_process(&c.match, "nginx", groups);
	for (unsigned i = 0; i < c.match.count; i++)
		must(match_wild("*", c.match.rule[i].text));
	return 0;
}
