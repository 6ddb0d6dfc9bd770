// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_match.c - which processes the configuration's rules choose
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "guest-agent/match.h"

static const struct {
	const char *what, *pattern, *text;
	bool is;
} wild_row[] = {
	{ "the same", "memcached", "memcached", true },
	{ "shorter", "memcache", "memcached", false },
	{ "longer", "memcachedd", "memcached", false },
	{ "nothing", "", "", true },
	{ "nothing and something", "", "a", false },
	{ "anything", "*", "memcached", true },
	{ "anything, nothing there", "*", "", true },
	{ "an end", "*cached", "memcached", true },
	{ "a beginning", "mem*", "memcached", true },
	{ "both", "m*d", "memcached", true },
	{ "a wrong end", "m*c", "memcached", false },
	{ "twice", "*c*c*", "memcached", true },
	{ "once too often", "*c*c*c*", "memcached", false },
	{ "the last of several", "*ab", "aababab", true },
	{ "a star at the end is nothing", "memcached*", "memcached", true },
	{ "many stars", "a***b", "ab", true },
	{ "no question marks", "memcache?", "memcached", false },
};

static void test_wild(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(wild_row) / sizeof(wild_row[0]); i++)
		if (match_wild(wild_row[i].pattern, wild_row[i].text) !=
		    wild_row[i].is)
			fail_msg("%s", wild_row[i].what);
}

#define V2 "0::/system.slice/web.service\n"
#define V1                                                                     \
	"9:name=systemd:/system.slice/web.service\n"                           \
	"4:memory:/box/12\n0::/\n"
#define DEEP "0::/machine.slice/pod.scope/web/worker\n"

static const struct {
	const char *what;
	enum match_kind kind;
	const char *pattern, *comm, *cgroups;
	bool is;
} row[] = {
	{ "a command", MATCH_COMMAND, "nginx", "nginx", V2, true },
	{ "another", MATCH_COMMAND, "nginx", "nginy", V2, false },
	{ "a command is no unit", MATCH_COMMAND, "web.service", "nginx", V2,
	  false },
	{ "a unit", MATCH_UNIT, "web.service", "nginx", V2, true },
	{ "a unit beside other hierarchies", MATCH_UNIT, "web.service", "nginx",
	  V1, true },
	{ "a slice above it", MATCH_UNIT, "system.slice", "nginx", V2, true },
	{ "units of a kind", MATCH_UNIT, "web*.service", "nginx", V2, true },
	{ "part of a name", MATCH_UNIT, "web", "nginx", V2, false },
	{ "a star does not cross directories", MATCH_UNIT, "sys*service",
	  "nginx", V2, false },
	{ "a group", MATCH_CGROUP, "/system.slice/web.service", "nginx", V2,
	  true },
	{ "a group above", MATCH_CGROUP, "/system.slice", "nginx", V2, true },
	{ "a name that begins alike", MATCH_CGROUP, "/system.slice/web",
	  "nginx", V2, false },
	{ "a group of the second hierarchy", MATCH_CGROUP, "/box/12", "nginx",
	  V1, true },
	{ "a group below", MATCH_CGROUP, "/machine.slice/pod.scope", "nginx",
	  DEEP, true },
	{ "a star in a path", MATCH_CGROUP, "/machine.slice/*/web", "nginx",
	  DEEP, true },
	{ "the root is itself only", MATCH_CGROUP, "/", "nginx", V2, false },
	{ "no group known", MATCH_CGROUP, "/system.slice", "nginx", "", false },
	{ "a broken line", MATCH_UNIT, "a", "nginx", "0:a\n:\n::\n\n1:/a",
	  false },
	{ "a last line without its end", MATCH_UNIT, "a", "nginx", "0::/a",
	  true },
};

static void test_process(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct match m = { .count = 1 };

		m.rule[0].kind = (uint8_t)row[i].kind;
		snprintf(m.rule[0].text, sizeof(m.rule[0].text), "%s",
			 row[i].pattern);
		if (match_process(&m, row[i].comm, row[i].cgroups) != row[i].is)
			fail_msg("%s", row[i].what);
		assert_true(match_asks(&m, row[i].kind));
	}
}

static void test_several(void **unused)
{
	struct match m = { .count = 0 };

	(void)unused;
	assert_false(match_process(&m, "nginx", V2));
	assert_false(match_asks(&m, MATCH_COMMAND));
	m.count = 2;
	m.rule[0] = (struct match_rule){ MATCH_COMMAND, "redis" };
	m.rule[1] = (struct match_rule){ MATCH_UNIT, "web.service" };
	assert_true(match_process(&m, "nginx", V2));
	assert_true(match_process(&m, "redis", DEEP));
	assert_false(match_process(&m, "nginx", DEEP));
	assert_false(match_asks(&m, MATCH_CGROUP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wild),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
