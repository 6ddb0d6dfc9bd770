// SPDX-License-Identifier: Apache-2.0
/*
 * test_control.c - hostd's commands over DPDK's real telemetry socket
 *
 * Requests go over the socket as any client's would, and through hostctl. The
 * trace of decisions and recordings: test_control_trace.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control_stage.h"

static const struct {
	const char *request, *want;
} rows[] = {
	{ "/heighliner/vms",
	  "{\"/heighliner/vms\":[\"web, the 1st\",\"batch%1B%C3%BC\"]}" },
	{ "/heighliner/vms,1", "[\"batch%1B%C3%BC\"]" },
	{ "/heighliner/vms,2", "{\"/heighliner/vms\":[]}" },
	{ "/heighliner/vms,x", "null" },
	{ "/heighliner/vms,99999", "null" },
	{ "/heighliner/vm,web, the 1st", "\"name\":\"web, the 1st\"" },
	{ "/heighliner/vm,00000000-0000-0000-0000-000000000000",
	  "\"name\":\"web, the 1st\"" },
	{ "/heighliner/vm,batch\x1b\xc3\xbc", "\"name\":\"batch%1B%C3%BC\"" },
	{ "/heighliner/vm,batch%1B%C3%BC", "\"class\":\"best-effort\"" },
	{ "/heighliner/vm,web", "{\"/heighliner/vm\":null}" },
	{ "/heighliner/vm,", "null" },
	{ "/heighliner/vm", "null" },
	{ "/heighliner/vm,web, the 1st", "\"class\":\"latency-critical\"" },
	{ "/heighliner/vm,web, the 1st", "\"slo_ns\":500000,\"slo_met\":0" },
	{ "/heighliner/vm,web, the 1st", "\"delay_p50_ns\":10," },
	{ "/heighliner/vm,web, the 1st", "\"delay_p99_ns\":500001," },
	{ "/heighliner/vm,web, the 1st", "\"samples\":100," },
	{ "/heighliner/vm,web, the 1st", "\"drop_hold_full\":7," },
	{ "/heighliner/vm,web, the 1st", "\"drops\":8," },
	{ "/heighliner/vm,web, the 1st", "\"to_frames\":1000," },
	{ "/heighliner/vm,web, the 1st", "\"cpus\":[1,2]" },
	{ "/heighliner/vm,batch%1B%C3%BC", "\"cpus\":[]" },
	{ "/heighliner/agents",
	  "{\"/heighliner/agents\":[\"web, the 1st\",\"batch%1B%C3%BC\"]}" },
	{ "/heighliner/agents,1", "[\"batch%1B%C3%BC\"]" },
	{ "/heighliner/agents,x", "null" },
	{ "/heighliner/agent,web, the 1st",
	  "\"state\":\"page\",\"why\":\"\",\"version\":\"1.2 %1B\","
	  "\"granted\":2,\"acked\":1,\"hinted\":1,\"placing\":0,"
	  "\"wanted\":3,\"runnable\":5,\"wait_ns\":250000,\"workers\":8" },
	{ "/heighliner/agent,web, the 1st",
	  "\"messages\":77,\"messages_refused\":0,\"bytes_skipped\":4" },
	{ "/heighliner/agent,web, the 1st",
	  "\"share_ppm\":973000,\"ran_ns\":1000,\"ran_owned_ns\":973" },
	{ "/heighliner/agent,batch%1B%C3%BC", "\"state\":\"none\"" },
	{ "/heighliner/agent,web", "null" },
	{ "/heighliner/cpus", "{\"/heighliner/cpus\":[1,2,3]}" },
	{ "/heighliner/cpu,1", "\"vm\":\"web, the 1st\",\"vcpu\":0" },
	{ "/heighliner/cpu,2", "\"reason\":\"delay\",\"moves\":5" },
	{ "/heighliner/cpu,2",
	  "\"riders_own\":2,\"riders_floor\":0,\"riders_best_effort\":4" },
	{ "/heighliner/cpu,3", "\"vm\":\"\",\"riders_own\":0" },
	{ "/heighliner/cpu,0", "\"floor\":1" },
	{ "/heighliner/cpu,4", "null" },
	{ "/heighliner/cpu,512", "null" },
	{ "/heighliner/cpu,-1", "null" },
	{ "/heighliner/cpu,1x", "null" },
	{ "/heighliner/cpu", "null" },
	{ "/heighliner/info", "\"policy\":\"slo\"" },
	{ "/heighliner/info", "\"backend\":\"ksched\"" },
	{ "/heighliner/info",
	  "\"moves_ksched\":40,\"moves_refused\":2,\"cpusets_widened\":3" },
	{ "/heighliner/info", "\"vms\":2," },
	{ "/heighliner/info", "\"cpus_managed\":3,\"cpus_owned\":2," },
	{ "/heighliner/log", "\"next\":0,\"first\":0,\"count\":0," },
	{ "/heighliner/log,1,5,web", "\"count\":0," },
	{ "/heighliner/log,x", "null" },
	{ "/heighliner/log,1,x", "null" },
	{ "/heighliner/nothing", "null" },
};

static void test_answers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strstr(ask(rows[i].request), rows[i].want))
			fail_msg("%s: no %s in %s", rows[i].request,
				 rows[i].want, reply);
}

/* A name of 63 bytes that is not ASCII is too long for DPDK: its UUID. */
static void test_long_name(void **state)
{
	char name[VM_NAME_MAX], request[128];

	(void)state;
	memset(name, 0xfc, sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	stage_add_vm(9, name);
	assert_non_null(strstr(ask("/heighliner/vms,2"),
			       "[\"00000000-0000-0000-0000-000000000009\"]"));
	snprintf(request, sizeof(request), "/heighliner/vm,%s", name);
	assert_non_null(strstr(ask(request), "-000000000009\""));
}

/* 1024 VMs do not fit into one answer; pages miss none and end. */
static void test_pages(void **state)
{
	unsigned seen = 0, n = 1, pages = 0;
	char name[VM_NAME_MAX], request[64];

	(void)state;
	for (unsigned i = 0; i < VM_MAX; i++) {
		snprintf(name, sizeof(name), "\"\"\"\"vm-%055u", i);
		stage_add_vm(i, name);
	}
	for (; n; pages++) {
		snprintf(request, sizeof(request), "/heighliner/vms,%u", seen);
		ask(request);
		assert_string_equal(reply + strlen(reply) - 2, "]}");
		n = count(reply, "vm-");
		if (n)
			assert_int_equal(
			    strtoul(strstr(reply, "vm-") + 3, NULL, 10), seen);
		seen += n;
	}
	assert_int_equal(seen, VM_MAX);
	assert_true(pages > 2);
}

/* Columns two blanks apart, however wide they are shown. */
static void squeeze(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++)
		if (to - text < 2 || *p != ' ' || to[-1] != ' ' ||
		    to[-2] != ' ')
			*to++ = *p;
	*to = '\0';
}

/* Every state, as hostctl shows it. */
static void test_agents(void **state)
{
	static const struct {
		const char *what;
		struct stat_agent agent;
		const char *want; /* after the name */
	} table[] = {
		{ "no channel",
		  { .state = SESSION_NONE },
		  "none  -  0/0  -  -  -  -  97.3%" },
		{ "off",
		  { .state = SESSION_OFF },
		  "off  -  0/0  -  -  -  -  97.3%" },
		{ "waiting",
		  { .state = SESSION_WAITING },
		  "waiting  -  0/0  -  -  -  -  97.3%" },
		{ "channel, no hint yet",
		  { .state = SESSION_CHANNEL, .name = "1.0", .granted = 1 },
		  "channel  1.0  0/1  -  -  -  -  97.3%" },
		{ "bad page",
		  { .state = SESSION_BAD_PAGE,
		    .name = "1.0",
		    .why = "is a link" },
		  "bad page: its file is a link  1.0  0/0" },
		{ "silent",
		  { .state = SESSION_SILENT, .name = "1.0" },
		  "silent  1.0  0/0" },
		{ "refused",
		  { .state = SESSION_REFUSED,
		    .status = AGENT_ERR_VERSION,
		    .version = 2 },
		  "refused: version 2, this hostd speaks 1  -  0/0" },
		{ "too many vcpus",
		  { .state = SESSION_REFUSED, .status = AGENT_ERR_VCPUS },
		  "refused: 0 or over 512 vcpus  -  0/0" },
	};
	char *line;

	(void)state;
	stat_hostd.vm[5].view.present = false; /* does not run */
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		stat_hostd.vm[0].agent = table[i].agent;
		line = strchr(hostctl(0, "agents", NULL), '\n') + 1;
		squeeze(line);
		if (strncmp(line, "web, the 1st  ", 14) ||
		    strncmp(line + 14, table[i].want, strlen(table[i].want)))
			fail_msg("%s: %s", table[i].what, line);
		assert_int_equal(count(line, "\n"), 1);
	}
}

static void test_memory(void **state)
{
	char *out;

	(void)state;
	strcpy(stat_hostd.meter, "perf");
	stat_hostd.bars = 17;
	stat_hostd.node_cnt = 3;
	stat_hostd.node[1] = (struct node_view){
		.metered = true,
		.mem_bytes_s = 21500000000,
		.mem_max_bytes_s = 25000000000,
	};
	stat_hostd.node[2] =
	    (struct node_view){ .metered = true, .mem_bytes_s = 1 };
	stat_hostd.bar.cpus.word[0] = 0x4;
	stat_hostd.bar.reason = REASON_SIBLING;
	stat_hostd.vm[0].view.node = 1;
	stat_hostd.vm[5].view.node = NODE_NONE;
	stat_hostd.vm[5].view.mem_bytes_s = 1200000000;
	assert_non_null(strstr(ask("/heighliner/info"),
			       "\"meter\":\"perf\",\"nodes\":3,"
			       "\"node_traffic_1\":21500000000,"
			       "\"node_limit_1\":25000000000,"
			       "\"node_traffic_2\":1,\"node_limit_2\":0,"));
	out = hostctl(0, "info", NULL);
	squeeze(out);
	assert_non_null(
	    strstr(out, "memory traffic, node 1  21500 MB/s of 25000 MB/s\n"));
	assert_non_null(strstr(out, "memory traffic, node 2  0 MB/s\n"));
	assert_non_null(strstr(out, "memory meter  perf\n"));
	assert_non_null(strstr(out, "bars  17\n"));
	/* latency-critical: no bar is about it */
	out = hostctl(0, "web, the 1st", NULL);
	squeeze(out);
	assert_non_null(strstr(out, "memory  on node 1\n"));
	assert_null(strstr(out, "barred"));
	assert_null(strstr(out, "memory traffic"));
	/* barred with all others */
	out = hostctl(0, "batch\x1b\xc3\xbc", NULL);
	squeeze(out);
	assert_non_null(strstr(out, "memory traffic  1200 MB/s\n"));
	assert_non_null(strstr(out, "barred from cpus  2: sibling\n"));
	assert_null(strstr(out, "on node"));
	assert_non_null(
	    strstr(ask("/heighliner/cpu,2"), "\"riders_best_effort\":0"));
	/* and by itself */
	stat_hostd.vm[5].bar.cpus.word[0] = 0x2;
	stat_hostd.vm[5].bar.reason = REASON_BANDWIDTH;
	out = hostctl(0, "batch\x1b\xc3\xbc", NULL);
	squeeze(out);
	assert_non_null(strstr(out, "barred from cpus  1-2: bandwidth\n"));
	assert_non_null(
	    strstr(ask("/heighliner/cpu,1"), "\"riders_best_effort\":0"));
	assert_non_null(
	    strstr(ask("/heighliner/cpu,3"), "\"riders_best_effort\":4"));
}

static void test_reload(void **state)
{
	(void)state;
	stage_reload_rc = 0;
	strcpy(stage_reload_text, "2 VMs changed");
	assert_non_null(strstr(ask("/heighliner/reload"),
			       "{\"done\":1,\"errno\":0,\"text\":[\"2 VMs "
			       "changed\"]}"));
	stage_reload_rc = -EINVAL;
	memset(stage_reload_text, 'x', 300);
	strcpy(stage_reload_text + 300, "\xc3\xbc\n");
	assert_non_null(strstr(ask("/heighliner/reload"), "\"done\":0"));
	assert_int_equal(count(reply, "xxx\","), 2);
	assert_non_null(strstr(reply, "%C3%BC%0A"));
}

/* An SLO about response: it is met or not by that, delay is shown beside. */
static void test_response(void **state)
{
	static const struct {
		const char *what;
		uint64_t slo_ns;
		uint16_t permyriad;
		const char *json, *line;
	} row[] = {
		{ "met", 2100, 9900,
		  "\"slo_ns\":2100,\"slo_met\":1,\"slo_permyriad\":9900,"
		  "\"slo_signal\":\"response\",\"slo_done\":5,\"slo_late\":3",
		  "latency-critical  p99 2.10us  response  1.00us  2.01us  "
		  "1.00ms  yes" },
		{ "a stricter one", 2100, 9990, "\"slo_met\":0",
		  "latency-critical  p99.9 2.10us  response" },
		{ "the median", 1100, 5000, "\"slo_met\":1",
		  "latency-critical  p50 1.10us  response" },
		{ "none: shown all the same", 0, 9900, "\"slo_met\":1",
		  "latency-critical  -  response  1.00us  2.01us  1.00ms  -" },
	};
	struct stat_vm *v = &stat_hostd.vm[0];
	struct stat_signal *signal = &v->signal[SLO_RESPONSE];

	(void)state;
	v->view.slo_signal = SLO_RESPONSE;
	v->done = 5;
	v->late = 3;
	v->port.requests_lost = 6;
	for (unsigned i = 0; i < 980; i++)
		hist_add(&signal->score.hist, 1000);
	for (unsigned i = 0; i < 18; i++)
		hist_add(&signal->before, 2000);
	hist_add(&signal->before, 1000000);
	hist_add(&signal->before, 1000000);
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char *out;

		v->view.slo_ns = row[i].slo_ns;
		v->view.slo_permyriad = row[i].permyriad;
		ask("/heighliner/vm,web, the 1st");
		assert_non_null(strstr(reply, "\"delay_p50_ns\":10,"));
		assert_non_null(strstr(reply, "\"responses\":1000,"));
		assert_non_null(strstr(reply, "\"requests_lost\":6,"));
		if (!strstr(reply, row[i].json))
			fail_msg("%s: %s", row[i].what, reply);
		out = hostctl(0, NULL, NULL);
		squeeze(out);
		if (!strstr(out, row[i].line))
			fail_msg("%s: %s", row[i].what, out);
	}
	assert_non_null(strstr(hostctl(0, "web, the 1st", NULL),
			       "late                3 of 5\n"));
}

static void test_hostctl(void **state)
{
	char *out;

	(void)state;
	out = hostctl(0, NULL, NULL);
	assert_non_null(strstr(out, "web, the 1st  latency-critical  "
				    "p99 500us  delay  10ns  500us  500us  "
				    "NO   2/1-4  1-2  "));
	assert_non_null(strstr(out, "\nbatch\\x1B\xc3\xbc    best-effort"));
	out = hostctl(0, "show", "web, the 1st");
	assert_non_null(strstr(out, "dropped, hold-full  7 frames\n"));
	assert_non_null(strstr(out, "cpus owned          2 of 1-4: 1-2\n"));
	out = hostctl(0, "batch\x1b\xc3\xbc", NULL);
	assert_non_null(strstr(out, "best-effort"));
	out = hostctl(1, "nobody", NULL);
	assert_non_null(strstr(out, "no VM (and no command) called 'nobody'"));
	out = hostctl(0, "cpus", NULL);
	assert_int_equal(count(out, "\n"), 4);
	assert_non_null(strstr(out, "  2  web, the 1st     1  "));
	out = hostctl(0, "agents", NULL);
	assert_non_null(strstr(out,
			       "web, the 1st  page   1.2 \\x1B    1/2  "
			       "     3         5  250us        8  97.3%\n"));
	assert_non_null(strstr(out,
			       "  none   -           0/0  "
			       "     -         -      -        -      -\n"));
	out = hostctl(0, "drops", NULL);
	assert_non_null(strstr(out, "web, the 1st  hold-full       7\n"));
	out = hostctl(0, "info", NULL);
	assert_non_null(strstr(out, "cpus managed       3\n"));
	assert_non_null(strstr(out, "backend            ksched\n"));
	assert_non_null(strstr(out, "ksched refused     2\n"));
	stat_hostd.act.away = true;
	out = hostctl(0, "info", NULL);
	assert_non_null(strstr(out, "backend            cgroup (ksched away)"));
	stage_reload_rc = 0;
	strcpy(stage_reload_text, "nothing changed");
	out = hostctl(0, "reload", NULL);
	assert_string_equal(out, "reloaded: nothing changed\n");
	stage_reload_rc = -EINVAL;
	strcpy(stage_reload_text, "a.conf:3: bad");
	out = hostctl(1, "reload", NULL);
	assert_string_equal(out, "hostctl: not reloaded: a.conf:3: bad\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_answers, stage_fill),
		cmocka_unit_test_setup(test_long_name, stage_fill),
		cmocka_unit_test_setup(test_pages, stage_fill),
		cmocka_unit_test_setup(test_memory, stage_fill),
		cmocka_unit_test_setup(test_agents, stage_fill),
		cmocka_unit_test_setup(test_reload, stage_fill),
		cmocka_unit_test_setup(test_response, stage_fill),
		cmocka_unit_test_setup(test_hostctl, stage_fill),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
