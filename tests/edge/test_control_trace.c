// SPDX-License-Identifier: Apache-2.0
/*
 * test_control_trace.c - the trace of decisions and recordings, over DPDK's
 * real telemetry socket and through hostctl
 */
#include <errno.h>
#include <pthread.h>
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

#include <cmocka.h>

#include "control_stage.h"
#include "hl/clock.h"
#include "record.h"
#include "tests/sim/replay_read.h"
#include "why.h"

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

/* One decision, in the table and as a sentence. */
static void test_hostctl_one(void **state)
{
	char *out;

	(void)state;
	moved(2, true, true, 2000);
	out = hostctl(0, "log", NULL);
	assert_non_null(
	    strstr(out, "batch\\x1B\xc3\xbc  web, the 1st/0  delay"));
	out = hostctl(0, "why", "2");
	assert_non_null(strstr(out,
			       " ago cpu 2 went from batch\\x1B\xc3\xbc to "
			       "web, the 1st: a frame had waited 2.00us, "
			       "limit 1.00us; web, the 1st owned 0 of "));
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

	stage_fill(state);
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
	snprintf(path, sizeof(path), "%s/a,b \xc3\xbc.rec", stage_dir);
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
		 "/heighliner/record,start,3600,%s/b.rec", stage_dir);
	assert_non_null(strstr(ask(request), "\"errno\":0,\"state\":\"runs\""));
	snprintf(path, sizeof(path), "%s/c.rec", stage_dir);
	out = hostctl(1, "record", path);
	assert_non_null(strstr(out, "it is recording already\n"));
	assert_int_not_equal(stat(path, &st), 0);
	assert_non_null(
	    strstr(ask("/heighliner/record,stop"), "\"state\":\"done\""));
	snprintf(path, sizeof(path), "%s/b.rec", stage_dir);
	read_back(path, false);
	/* the disk takes no more: said so, and what there is can be read */
	snprintf(path, sizeof(path), "%s/d.rec", stage_dir);
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
		cmocka_unit_test_setup(test_log, stage_fill),
		cmocka_unit_test_setup(test_hostctl_one, stage_fill),
		cmocka_unit_test_setup(test_hostctl_log, stage_fill),
		cmocka_unit_test_setup(test_hostctl_why, stage_fill),
		cmocka_unit_test_setup_teardown(test_record, start_looking,
						stop_looking),
		cmocka_unit_test_setup(test_record_refused, stage_fill),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
