// SPDX-License-Identifier: Apache-2.0
/*
 * test_control.c - hostd's commands over DPDK's real telemetry socket
 *
 * DPDK is started without huge pages and devices in a directory of its own;
 * stat_hostd is filled by hand; requests go over the socket as any client's
 * would, and through hostctl.
 */
#include "control.h"

#include <errno.h>
#include <pthread.h>
#include <rte_eal.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hl/clock.h"
#include "hostctl_cmd.h"
#include "hostctl_sock.h"
#include "record.h"
#include "stat.h"
#include "tests/sim/replay_read.h"
#include "why.h"

static char dir[] = "/tmp/test_control.XXXXXX";
static char sock_path[108];
static char reply[SOCK_REPLY_MAX];
static int sock = -1, reload_rc;
static char reload_text[1024];

static int fake_reload(char *text, size_t size)
{
	snprintf(text, size, "%s", reload_text);
	return reload_rc;
}

static int start(void **state)
{
	char prefix[] = "--file-prefix=hlctl", lcores[] = "--lcores=0@0";
	char memory[] = "-m32", nohuge[] = "--no-huge", nopci[] = "--no-pci";
	char name[] = "test", log[] = "--log-level=*:error";
	char *argv[] = { name, nohuge, nopci, memory, lcores, prefix, log };

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	setenv("RUNTIME_DIRECTORY", dir, 1);
	if (control_start(fake_reload) || rte_eal_init(7, argv) < 0)
		return -1;
	snprintf(sock_path, sizeof(sock_path), "%s/dpdk_telemetry.v2",
		 rte_eal_get_runtime_dir());
	sock = sock_open(sock_path);
	return sock < 0 ? -1 : 0;
}

static int stop(void **state)
{
	char cmd[64];

	(void)state;
	close(sock);
	rte_eal_cleanup();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static struct stat_vm *add_vm(unsigned slot, const char *name)
{
	struct stat_vm *v = &stat_hostd.vm[slot];

	snprintf(v->name, sizeof(v->name), "%s", name);
	snprintf(v->uuid, sizeof(v->uuid), "00000000-0000-0000-0000-%012u",
		 slot);
	v->view.present = v->present = true;
	v->view.cpus_max = 4;
	v->view.weight = 100;
	v->view.vcpu_cnt = 4;
	return v;
}

/* Two VMs; web owns cpus 1 and 2. */
static int fill(void **state)
{
	struct stat_vm *v;

	(void)state;
	memset(&stat_hostd, 0, sizeof(stat_hostd));
	strcpy(stat_hostd.policy, "slo");
	strcpy(stat_hostd.version, "1.2");
	strcpy(stat_hostd.sensor, "on");
	strcpy(stat_hostd.backend, "ksched");
	stat_hostd.act.fast = 40;
	stat_hostd.act.refused = 2;
	stat_hostd.act.widened = 3;
	for (unsigned i = 0; i < CPU_MAX; i++) {
		stat_hostd.cpu[i].owner = VCPU_NONE;
		stat_hostd.cpu[i].owner_vm = VM_NONE;
		stat_hostd.cpu[i].managed = i >= 1 && i <= 3;
	}
	stat_hostd.cpu[0].floor = true;
	v = add_vm(0, "web, the 1st");
	v->view.class = VM_CLASS_LATENCY_CRITICAL;
	v->view.slo_ns = 500000;
	v->view.slo_permyriad = 9900;
	v->view.has_port = v->port_up = true;
	v->view.owned = 2;
	v->view.cpus_min = 1;
	v->port.drop[DROP_HOLD_FULL] = 7;
	v->port.drop[DROP_SELF] = 1;
	v->port.to_frames = 1000;
	for (unsigned i = 0; i < 98; i++)
		hist_add(&v->signal[SLO_DELAY].score.hist, 10);
	hist_add(&v->signal[SLO_DELAY].before, 500001);
	hist_add(&v->signal[SLO_DELAY].before, 500001);
	for (unsigned i = 1; i <= 2; i++)
		stat_hostd.cpu[i] = (struct stat_cpu){
			.managed = true,
			.owner = (uint16_t)(i - 1),
			.owner_index = (uint16_t)(i - 1),
			.reason = REASON_DELAY,
			.moves = 5,
		};
	v->share.ran_ns = 1000;
	v->share.owned_ns = 973;
	v->agent =
	    (struct stat_agent){ .state = SESSION_PAGE,
				 .name = "1.2 \x1b",
				 .granted = 2,
				 .acked = 1,
				 .hint = { .valid = true,
					   .wanted = 3,
					   .runnable = 5,
					   .workers = 8,
					   .wait_us = 250 },
				 .count = { .messages = 77, .skipped = 4 } };
	add_vm(5, "batch\x1b\xc3\xbc");
	return 0;
}

static const char *ask(const char *request)
{
	ssize_t n = sock_ask(sock, request, reply, sizeof(reply), 5);

	if (n < 0)
		fail_msg("%s: %s", request, strerror((int)-n));
	return reply;
}

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
	add_vm(9, name);
	assert_non_null(strstr(ask("/heighliner/vms,2"),
			       "[\"00000000-0000-0000-0000-000000000009\"]"));
	snprintf(request, sizeof(request), "/heighliner/vm,%s", name);
	assert_non_null(strstr(ask(request), "-000000000009\""));
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

/* 1024 VMs do not fit into one answer; pages miss none and end. */
static void test_pages(void **state)
{
	unsigned seen = 0, n = 1, pages = 0;
	char name[VM_NAME_MAX], request[64];

	(void)state;
	for (unsigned i = 0; i < VM_MAX; i++) {
		snprintf(name, sizeof(name), "\"\"\"\"vm-%055u", i);
		add_vm(i, name);
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

/* Run hostctl against it. Return: what it printed, out and err together. */
static char *hostctl(int want_rc, const char *a, const char *b)
{
	static char text[1 << 20];
	char name[] = "hostctl", opt[] = "--socket", one[200], two[200];
	char seconds[] = "1"; /* for `record FILE` */
	char *argv[] = { name, opt, sock_path, one, two, seconds, NULL };
	bool third = b && !strcmp(a, "record");
	FILE *f = fmemopen(text, sizeof(text), "w");

	snprintf(one, sizeof(one), "%s", a ? a : "");
	snprintf(two, sizeof(two), "%s", b ? b : "");
	assert_int_equal(hostctl_run(3 + !!a + !!b + third, argv, f, f),
			 want_rc);
	fclose(f);
	return text;
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

/* moved() - As the poll thread would: vcpu @to of slot 0, or nobody, gets @cpu
 * from vcpu @from of slot 5. */
static void moved(unsigned cpu, bool from, bool to, uint64_t saw_ns)
{
	static struct snapshot s;
	const struct grant g = { .cpu = (uint16_t)cpu,
				 .vcpu = to ? 0 : VCPU_NONE,
				 .reason = REASON_DELAY,
				 .saw_ns = saw_ns,
				 .limit_ns = 1000 };

	s.now_ns = clock_now_ns();
	s.vcpu_cnt = 60;
	s.vm[0].vcpu_cnt = s.vm[0].cpus_max = 4;
	s.vm[5].first_vcpu = 50;
	s.vcpu[50].vm = 5;
	why_moved(&s, &g, from ? 50 : VCPU_NONE);
}

static void test_log(void **state)
{
	const uint64_t begun = why_count();
	char request[64], want[64];

	(void)state;
	for (unsigned i = 0; i < 3000; i++)
		moved(i % CPU_MAX, i % 100 == 99, !(i % 2), i);
	/* the newest three, oldest first */
	ask("/heighliner/log,3");
	snprintf(want, sizeof(want), "\"next\":%lu,\"first\":%lu,\"count\":3",
		 (unsigned long)begun + 3000, (unsigned long)begun + 2997);
	assert_non_null(strstr(reply, want));
	assert_non_null(strstr(reply, "\"saw_ns\":[2997,2998,2999]"));
	assert_non_null(strstr(reply, "\"cpu\":[437,438,439]"));
	assert_non_null(strstr(reply, "\"vm\":[\"\",\"web, the 1st\",\"\"]"));
	assert_non_null(strstr(reply, "\"reason\":[\"delay\",\"delay\","));
	/* two before event 2500 */
	snprintf(request, sizeof(request), "/heighliner/log,2,%lu",
		 (unsigned long)begun + 2500);
	ask(request);
	assert_non_null(strstr(reply, "\"saw_ns\":[2498,2499]"));
	/* about a cpu: the last time, and the time before that */
	ask("/heighliner/log,2,1000000,439");
	assert_non_null(strstr(reply, "\"saw_ns\":[2487,2999]"));
	/* about a VM, by its name in either form and by its UUID */
	ask("/heighliner/log,2,1000000,batch\x1b\xc3\xbc");
	assert_non_null(strstr(reply, "\"saw_ns\":[2899,2999]"));
	ask("/heighliner/log,1,1000000,batch%1B%C3%BC");
	assert_non_null(strstr(reply, "\"saw_ns\":[2999]"));
	ask("/heighliner/log,2,1000000,00000000-0000-0000-0000-000000000005");
	assert_non_null(strstr(reply, "\"saw_ns\":[2899,2999]"));
	ask("/heighliner/log,2,1000000,web, the 1st");
	assert_non_null(strstr(reply, "\"saw_ns\":[2996,2998]"));
	assert_non_null(
	    strstr(ask("/heighliner/log,2,1000000,we"), "\"count\":0"));
	/* a page is whole JSON however many are asked for */
	ask("/heighliner/log,1000000");
	assert_string_equal(reply + strlen(reply) - 3, "]}}");
	/* too old */
	snprintf(request, sizeof(request), "/heighliner/log,5,%lu",
		 (unsigned long)begun + 100);
	assert_non_null(strstr(ask(request), "\"count\":0"));
}

static void test_reload(void **state)
{
	(void)state;
	reload_rc = 0;
	strcpy(reload_text, "2 VMs changed");
	assert_non_null(strstr(ask("/heighliner/reload"),
			       "{\"done\":1,\"errno\":0,\"text\":[\"2 VMs "
			       "changed\"]}"));
	reload_rc = -EINVAL;
	memset(reload_text, 'x', 300);
	strcpy(reload_text + 300, "\xc3\xbc\n");
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
	moved(2, true, true, 2000);
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
	out = hostctl(0, "log", NULL);
	assert_non_null(
	    strstr(out, "batch\\x1B\xc3\xbc  web, the 1st/0  delay"));
	out = hostctl(0, "why", "2");
	assert_non_null(strstr(out,
			       " ago cpu 2 went from batch\\x1B\xc3\xbc to "
			       "web, the 1st: a frame had waited 2.00us, "
			       "limit 1.00us; web, the 1st owned 0 of "));
	out = hostctl(0, "info", NULL);
	assert_non_null(strstr(out, "cpus managed       3\n"));
	assert_non_null(strstr(out, "backend            ksched\n"));
	assert_non_null(strstr(out, "ksched refused     2\n"));
	stat_hostd.act.away = true;
	out = hostctl(0, "info", NULL);
	assert_non_null(strstr(out, "backend            cgroup (ksched away)"));
	reload_rc = 0;
	strcpy(reload_text, "nothing changed");
	out = hostctl(0, "reload", NULL);
	assert_string_equal(out, "reloaded: nothing changed\n");
	reload_rc = -EINVAL;
	strcpy(reload_text, "a.conf:3: bad");
	out = hostctl(1, "reload", NULL);
	assert_string_equal(out, "hostctl: not reloaded: a.conf:3: bad\n");
}

/* All of a long log, in as many pages as it takes, in order. */
static void test_hostctl_log(void **state)
{
	const unsigned kept = WHY_MAX - 1;
	char *out, *line;

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		moved(i % 500, false, true, 0);
	out = hostctl(0, "log", "5000");
	assert_int_equal(count(out, "web, the 1st/0"), kept);
	line = strchr(out, '\n') + 1;
	for (unsigned i = 2000 - kept; i < 2000; i++) {
		unsigned cpu = 0;

		assert_int_equal(sscanf(line, "%*s %u", &cpu), 1);
		assert_int_equal(cpu, i % 500);
		line = strchr(line, '\n') + 1;
	}
}

/* What is asked about whom, and what is said; the trace is as the test before
 * left it: cpus 0 to 499 went to web, again and again. */
static void test_hostctl_why(void **state)
{
	char *out;

	(void)state;
	out = hostctl(0, "why", "web, the 1st");
	assert_int_equal(count(out, "\n"), 20);
	assert_int_equal(count(out, " went to web, the 1st: "), 20);
	assert_non_null(strstr(out, " ago cpu 499 went"));
	out = hostctl(0, "why", "7");
	assert_int_equal(count(out, " ago cpu 7 went to web, the 1st: "), 2);
	out = hostctl(0, "why", "batch\x1b\xc3\xbc");
	assert_string_equal(out, "batch\\x1B\xc3\xbc neither gained nor lost a "
				 "cpu in the decisions hostd remembers\n");
	out = hostctl(1, "why", "nobody");
	assert_string_equal(out, "hostctl: there is no VM called 'nobody'\n");
	out = hostctl(1, "why", "511");
	assert_string_equal(out, "hostctl: cpu 511 is not managed\n");
	out = hostctl(1, "why", NULL);
	assert_non_null(strstr(out, "why takes a VM or a cpu"));
}

/* --- recordings --------------------------------------------------------------
 */

static struct snapshot seen;
static volatile bool looking;

/* The poll thread: a look every 200 us, in which one VM's vcpu has run on. */
static void *look(void *arg)
{
	static const struct plan none;
	const struct timespec pause = { .tv_nsec = 200000 };

	(void)arg;
	while (looking) {
		seen.now_ns = clock_now_ns();
		seen.vcpu[0].ran_ns++;
		seen.changed[0] = 0;
		seen.changed_cnt = 1;
		record_look(&seen, &none, 20000, "slo");
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static int start_looking(void **state)
{
	static pthread_t thread;

	fill(state);
	memset(&seen, 0, sizeof(seen));
	seen.cpu_cnt = seen.vm_cnt = seen.vcpu_cnt = 1;
	seen.vm[0] = (struct vm_view){ .present = true,
				       .class = VM_CLASS_LATENCY_CRITICAL,
				       .vcpu_cnt = 1,
				       .node = NODE_NONE };
	looking = true;
	*state = &thread;
	return pthread_create(&thread, NULL, look, NULL);
}

static int stop_looking(void **state)
{
	looking = false;
	return pthread_join(*(pthread_t *)*state, NULL);
}

/* read_back() - Looks in the file; it must be whole or @cut, and good. */
static unsigned read_back(const char *path, bool cut)
{
	static struct replay_file file;
	FILE *f = fopen(path, "r");
	int n;

	assert_non_null(f);
	assert_int_equal(replay_open(&file, f), 0);
	while ((n = replay_next(&file)) == 1)
		assert_string_equal(file.name[0], "web, the 1st");
	fclose(f);
	assert_string_equal(file.error, "");
	assert_int_equal(n, 0);
	assert_int_equal(file.cut, cut);
	return (unsigned)file.looks;
}

static void test_record(void **state)
{
	char path[100], request[200], *out;
	struct rlimit limit;
	struct stat st;
	rlim_t old;

	(void)state;
	assert_non_null(
	    strstr(ask("/heighliner/record"), "\"state\":\"never\""));
	snprintf(path, sizeof(path), "%s/a,b \xc3\xbc.rec", dir);
	out = hostctl(0, "record", path); /* 1 s, see below */
	assert_non_null(strstr(out, "/a,b \xc3\xbc.rec: 1.0"));
	assert_null(strstr(out, "left out"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(read_back(path, false) > 100);
	/* not over a file that is there */
	out = hostctl(1, "record", path);
	assert_non_null(strstr(out, ".rec: File exists\n"));
	/* one at a time; and ended before its time */
	snprintf(request, sizeof(request),
		 "/heighliner/record,start,3600,%s/b.rec", dir);
	assert_non_null(strstr(ask(request), "\"errno\":0,\"state\":\"runs\""));
	snprintf(path, sizeof(path), "%s/c.rec", dir);
	out = hostctl(1, "record", path);
	assert_non_null(strstr(out, "it is recording already\n"));
	assert_int_not_equal(stat(path, &st), 0);
	assert_non_null(
	    strstr(ask("/heighliner/record,stop"), "\"state\":\"done\""));
	snprintf(path, sizeof(path), "%s/b.rec", dir);
	read_back(path, false);
	/* the disk takes no more: said so, and what there is can be read */
	snprintf(path, sizeof(path), "%s/d.rec", dir);
	getrlimit(RLIMIT_FSIZE, &limit);
	old = limit.rlim_cur;
	limit.rlim_cur = 5000;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	out = hostctl(1, "record", path);
	limit.rlim_cur = old;
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_non_null(
	    strstr(out, "the recording ended early: File too large\n"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 5000);
	assert_true(read_back(path, true) > 10);
}

static void test_record_refused(void **state)
{
	static const struct {
		const char *params, *want;
	} refused[] = {
		{ "start", "\"errno\":22" },
		{ "start,", "\"errno\":22" },
		{ "start,5", "\"errno\":22" },
		{ "start,0,/tmp/hl-none", "\"errno\":22" },
		{ "start,3601,/tmp/hl-none", "\"errno\":22" },
		{ "start,x,/tmp/hl-none", "\"errno\":22" },
		{ "start,5,relative", "\"errno\":22" },
		{ "start,5,/nonexistent/a", "\"errno\":2," },
		{ "begin", "\"errno\":22" },
		{ "stop", "\"errno\":0" },
	};
	char request[200];

	(void)state;
	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		snprintf(request, sizeof(request), "/heighliner/record,%s",
			 refused[i].params);
		if (!strstr(ask(request), refused[i].want))
			fail_msg("%s: %s", refused[i].params, reply);
	}
	assert_non_null(strstr(hostctl(1, "record", "/nonexistent/a"),
			       "no such directory"));
	assert_non_null(strstr(hostctl(1, "record", NULL), "record takes a"));
	assert_non_null(
	    strstr(hostctl(1, "record", "/tmp/"), "record takes a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_answers, fill),
		cmocka_unit_test_setup(test_long_name, fill),
		cmocka_unit_test_setup(test_pages, fill),
		cmocka_unit_test_setup(test_agents, fill),
		cmocka_unit_test_setup(test_log, fill),
		cmocka_unit_test_setup(test_reload, fill),
		cmocka_unit_test_setup(test_response, fill),
		cmocka_unit_test_setup(test_hostctl, fill),
		cmocka_unit_test_setup(test_hostctl_log, fill),
		cmocka_unit_test_setup(test_hostctl_why, fill),
		cmocka_unit_test_setup_teardown(test_record, start_looking,
						stop_looking),
		cmocka_unit_test_setup(test_record_refused, fill),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
