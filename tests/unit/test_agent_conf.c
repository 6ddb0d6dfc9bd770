// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_conf.c - guest-agent.conf: what is taken, what is refused and why
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "guest-agent/conf.h"
#include "hl/clock.h"

#define X10  "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static const struct {
	const char *what, *text;
	unsigned line;
	const char *say; /* in the refusal */
} bad_row[] = {
	{ "no pair", "[agent]\nplace\n", 2, "neither [agent] nor key" },
	{ "another section", "[hostd]\n", 1, "there is [agent]" },
	{ "an unknown key", "\n\ncpus = 1\n", 3, "unknown key 'cpus'" },
	{ "twice", "place = yes\nplace = no", 2, "given twice" },
	{ "no value", "place =\n", 1, "no value" },
	{ "only a comment", "place = # yes\n", 1, "no value" },
	{ "no truth", "place = 1\n", 1, "neither yes nor no" },
	{ "no unit", "tick = 20\n", 1, "is no time" },
	{ "an unknown unit", "tick = 20us\n", 1, "is no time" },
	{ "no number", "tick = ms\n", 1, "is no time" },
	{ "too short", "tick = 1ms\n", 1, "out of range: 5ms to 1000ms" },
	{ "too long", "tick = 2s\n", 1, "out of range" },
	{ "a time no integer holds", "scan = 99999999999999999999s\n", 1,
	  "out of range" },
	{ "a relative path", "channel = port\n", 1,
	  "begin with /, or write auto" },
	{ "none where it is no word", "channel = none\n", 1, "begin with /" },
	{ "a word where there is none", "socket = auto\n", 1, "begin with /" },
	{ "a path no socket can have", "socket = /" X100 X10 "\n", 1,
	  "the path is too long" },
	{ "a command no process can have", "command = " X10 X10 "\n", 1,
	  "end it with *" },
	{ "a unit with a path", "unit = /a.service\n", 1, "there is cgroup" },
	{ "a group without one", "cgroup = a\n", 1, "begin with /" },
	{ "a control character", "place = y\033es\n", 1, "control character" },
	{ "a long line", "command = " X100 X100 X100 X100 "\n", 1,
	  "the line is too long" },
};

static void test_bad(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(bad_row) / sizeof(bad_row[0]); i++) {
		struct agent_conf c;
		struct agent_conf_error err;
		int rc;

		agent_conf_default(&c);
		rc = agent_conf_parse(&c, bad_row[i].text,
				      strlen(bad_row[i].text), &err);
		if (rc != -EINVAL)
			fail_msg("%s: taken", bad_row[i].what);
		if (err.line != bad_row[i].line ||
		    !strstr(err.text, bad_row[i].say))
			fail_msg("%s: line %u: %s", bad_row[i].what, err.line,
				 err.text);
	}
}

static int parse(struct agent_conf *c, const char *text)
{
	struct agent_conf_error err;

	agent_conf_default(c);
	return agent_conf_parse(c, text, strlen(text), &err);
}

static void test_good(void **unused)
{
	struct agent_conf c;

	(void)unused;
	assert_int_equal(parse(&c, ""), 0);
	assert_true(c.place && c.interrupts && c.registered);
	assert_string_equal(c.socket, "/run/heighliner-agent.sock");
	assert_int_equal(parse(&c, "# all of it\r\n"
				   "[agent]\n"
				   "  channel=/dev/vport0p1  # a port\n"
				   "page = none ; no page\n"
				   "socket\t=\t/run/a.sock\n"
				   "place = no\ninterrupts = no\n"
				   "register = no\n"
				   "tick = 100ms\nscan = 10s\nage-cap = 1s\n"
				   "command = nginx*\ncommand = a#b\n"
				   "unit = web.service\n"
				   "cgroup = /pods/*/web"),
			 0);
	assert_string_equal(c.channel, "/dev/vport0p1");
	assert_string_equal(c.page, "none");
	assert_string_equal(c.socket, "/run/a.sock");
	assert_false(c.place || c.interrupts || c.registered);
	assert_true(c.tick_ns == 100 * NSEC_PER_MSEC);
	assert_true(c.scan_ns == 10 * NSEC_PER_SEC);
	assert_true(c.age_ns == NSEC_PER_SEC);
	assert_int_equal(c.match.count, 4);
	assert_int_equal(c.match.rule[0].kind, MATCH_COMMAND);
	assert_string_equal(c.match.rule[0].text, "nginx*");
	assert_string_equal(c.match.rule[1].text, "a#b");
	assert_int_equal(c.match.rule[2].kind, MATCH_UNIT);
	assert_int_equal(c.match.rule[3].kind, MATCH_CGROUP);
	assert_string_equal(c.match.rule[3].text, "/pods/*/web");
	assert_int_equal(parse(&c, "channel = auto\npage = auto\n"), 0);
	assert_string_equal(c.channel, "");
	assert_string_equal(c.page, "");
}

static void test_rules_full(void **unused)
{
	char text[MATCH_RULES * 16 + 32] = "";
	struct agent_conf c;
	size_t n = 0;

	(void)unused;
	for (unsigned i = 0; i < MATCH_RULES; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "command = c%u\n", i);
	assert_int_equal(parse(&c, text), 0);
	snprintf(text + n, sizeof(text) - n, "unit = one-more\n");
	assert_int_equal(parse(&c, text), -EINVAL);
}

/* The file we install says the defaults, in comments and uncommented. */
static void test_shipped(void **unused)
{
	static char text[65536], bare[65536];
	struct agent_conf c, d;
	struct agent_conf_error err;
	int fd = open("configs/guest-agent.conf", O_RDONLY);
	size_t n = 0;
	ssize_t len;

	(void)unused;
	assert_true(fd >= 0);
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(len > 0);
	agent_conf_default(&d);
	c = d;
	assert_int_equal(agent_conf_parse(&c, text, (size_t)len, &err), 0);
	assert_memory_equal(&c, &d, sizeof(c));
	/* "#key = value" with no blank behind the # is a default; rules have
	 * none: theirs are examples */
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (line[0] != '#' || line[1] < 'a' || line[1] > 'z' ||
		    !strncmp(line, "#command", 8) ||
		    !strncmp(line, "#unit", 5) || !strncmp(line, "#cgroup", 7))
			continue;
		n += (size_t)snprintf(bare + n, sizeof(bare) - n, "%s\n",
				      line + 1);
	}
	if (agent_conf_parse(&c, bare, n, &err))
		fail_msg("%u: %s", err.line, err.text);
	assert_memory_equal(&c, &d, sizeof(c));
	for (const char *key = "channel\0page\0socket\0place\0interrupts\0"
			       "register\0tick\0scan\0age-cap\0";
	     *key; key += strlen(key) + 1)
		if (!strstr(bare, key))
			fail_msg("%s is not in the file", key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_rules_full),
		cmocka_unit_test(test_shipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
