// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_events.c - the kernel's messages, made up and real
 */
#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "guest-agent/events.h"
#include "hl/clock.h"

/* A message as the kernel lays it out: the event begins 36 bytes in. */
struct message {
	struct nlmsghdr h;
	struct cn_msg cn;
	uint8_t event[sizeof(struct proc_event)];
} __attribute__((packed));

static struct message make(uint32_t what, uint32_t a, uint32_t b, uint32_t c,
			   uint32_t d)
{
	struct proc_event p = { .cpu = 3, .timestamp_ns = 77 };
	const uint32_t data[] = { a, b, c, d };
	struct message m = {
		.h = { .nlmsg_len = sizeof(m), .nlmsg_type = NLMSG_DONE },
		.cn = { .id = { CN_IDX_PROC, CN_VAL_PROC },
			.seq = 9,
			.len = sizeof(m.event) },
	};

	memcpy(&p.what, &what, sizeof(what));
	memcpy(&p.event_data, data, sizeof(data));
	memcpy(m.event, &p, sizeof(p));
	return m;
}

static const struct {
	const char *what;
	uint32_t kind, a, b, c, d;
	int got;
	struct event out; /* kind, tid, tgid, parent_tid, parent_tgid */
} row[] = {
	{ "a thread",
	  PROC_EVENT_FORK,
	  1,
	  2,
	  30,
	  4,
	  1,
	  { EVENT_FORK, 30, 4, 1, 2, 0, 0, 0 } },
	{ "another program",
	  PROC_EVENT_EXEC,
	  5,
	  6,
	  0,
	  0,
	  1,
	  { EVENT_EXEC, 5, 6, 0, 0, 0, 0, 0 } },
	{ "another name",
	  PROC_EVENT_COMM,
	  5,
	  6,
	  0x61616161,
	  0,
	  1,
	  { EVENT_COMM, 5, 6, 0, 0, 0, 0, 0 } },
	{ "an end",
	  PROC_EVENT_EXIT,
	  7,
	  8,
	  0,
	  17,
	  1,
	  { EVENT_EXIT, 7, 8, 0, 0, 0, 0, 0 } },
	{ "another user",
	  PROC_EVENT_UID,
	  7,
	  8,
	  0,
	  0,
	  1,
	  { EVENT_OWNER, 7, 8, 0, 0, 0, 0, 0 } },
	{ "a session: counted, not asked about",
	  PROC_EVENT_SID,
	  7,
	  8,
	  0,
	  0,
	  1,
	  { EVENT_NONE, 0, 0, 0, 0, 0, 0, 0 } },
	{ "of a kind nobody knows yet",
	  0x400,
	  7,
	  8,
	  0,
	  0,
	  1,
	  { EVENT_NONE, 0, 0, 0, 0, 0, 0, 0 } },
	{ "no thread has this number",
	  PROC_EVENT_EXIT,
	  0,
	  8,
	  0,
	  0,
	  -EINVAL,
	  { 0 } },
	{ "nor this", PROC_EVENT_FORK, 1, 2, 0x80000000, 4, -EINVAL, { 0 } },
};

static void test_parse(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct message m =
		    make(row[i].kind, row[i].a, row[i].b, row[i].c, row[i].d);
		const struct event *want = &row[i].out;
		struct event ev;
		size_t used;
		int got = events_parse(&m, sizeof(m), &used, &ev);

		if (got != row[i].got || used != sizeof(m))
			fail_msg("%s: %d", row[i].what, got);
		if (got > 0 && (ev.kind != want->kind || ev.tid != want->tid ||
				ev.tgid != want->tgid ||
				ev.parent_tid != want->parent_tid ||
				ev.parent_tgid != want->parent_tgid ||
				ev.cpu != 3 || ev.seq != 9 || ev.at_ns != 77))
			fail_msg("%s: kind %u tid %d tgid %d", row[i].what,
				 ev.kind, ev.tid, ev.tgid);
	}
}

static void test_lengths(void **unused)
{
	struct message m = make(PROC_EVENT_FORK, 1, 2, 3, 4), bad;
	struct event ev;
	size_t used;

	(void)unused;
	/* cut anywhere: nothing is read that is not there */
	for (size_t len = 0; len < sizeof(m); len++) {
		uint8_t *copy = malloc(len + 1);

		memcpy(copy, &m, len);
		assert_int_equal(events_parse(copy, len, &used, &ev), -EINVAL);
		assert_true(used <= len);
		free(copy);
	}
	bad = m;
	bad.h.nlmsg_len = 15;
	assert_int_equal(events_parse(&bad, sizeof(bad), &used, &ev), -EINVAL);
	assert_int_equal(used, 0);
	bad = m;
	bad.h.nlmsg_len = sizeof(struct nlmsghdr) + 4;
	assert_int_equal(events_parse(&bad, sizeof(bad), &used, &ev), -EINVAL);
	bad = m;
	bad.cn.len = UINT16_MAX;
	assert_int_equal(events_parse(&bad, sizeof(bad), &used, &ev), -EINVAL);
	bad = m;
	bad.cn.len = 8;
	assert_int_equal(events_parse(&bad, sizeof(bad), &used, &ev), -EINVAL);
	/* somebody else's connector, and netlink's own */
	bad = m;
	bad.cn.id.idx++;
	assert_int_equal(events_parse(&bad, sizeof(bad), &used, &ev), 0);
	bad = m;
	bad.h.nlmsg_type = NLMSG_ERROR;
	assert_int_equal(events_parse(&bad, sizeof(bad), &used, &ev), 0);
	/* an end as older kernels told it, without the parent */
	bad = make(PROC_EVENT_EXIT, 7, 8, 0, 17);
	bad.cn.len = 32;
	bad.h.nlmsg_len = 16 + 20 + 32;
	assert_int_equal(events_parse(&bad, bad.h.nlmsg_len, &used, &ev), 1);
}

/* Gaps in the numbers of one cpu, not between cpus. */
static void test_count(void **unused)
{
	static const struct {
		const char *what;
		uint32_t cpu, seq, lost;
	} step[] = {
		{ "the first of a cpu", 0, 100, 0 },
		{ "the next", 0, 101, 0 },
		{ "another cpu", 1, 7, 0 },
		{ "three missing", 0, 105, 3 },
		{ "the next", 0, 106, 0 },
		{ "another cpu's next", 1, 8, 0 },
		{ "before the number turns over", 2, UINT32_MAX, 0 },
		{ "after", 2, 0, 0 },
		{ "one missing", 2, 2, 1 },
		{ "a cpu we do not watch", EVENTS_CPUS, 5, 0 },
	};
	static struct events e;

	(void)unused;
	for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		const struct event ev = { .cpu = step[i].cpu,
					  .seq = step[i].seq,
					  .at_ns = 5 };

		if (events_count(&e, &ev, 10) != step[i].lost)
			fail_msg("%s", step[i].what);
	}
	assert_int_equal(e.n.lost, 4);
	assert_int_equal(e.n.late, 0);
	events_count(&e, &(struct event){ .cpu = 5, .at_ns = 1 },
		     11 * NSEC_PER_MSEC);
	assert_int_equal(e.n.late, 1);
	assert_int_equal(e.n.oldest_us, 10999);
}

/* --- the real thing ----------------------------------------------------- */

static struct events events;
static struct {
	pid_t thread, child; /* that we wait for */
	bool forked, ended, child_forked, child_ended;
	pid_t parent;
} seen;

static void take(void *arg, const struct event *ev)
{
	(void)arg;
	if (ev->kind == EVENT_FORK && ev->tgid == getpid() &&
	    ev->tid == seen.thread)
		seen.forked = true;
	if (ev->kind == EVENT_EXIT && ev->tid == seen.thread)
		seen.ended = true;
	if (ev->kind == EVENT_FORK && ev->tid == seen.child) {
		seen.child_forked = true;
		seen.parent = ev->parent_tgid;
	}
	if (ev->kind == EVENT_EXIT && ev->tid == seen.child)
		seen.child_ended = true;
}

static void *say_tid(void *arg)
{
	*(pid_t *)arg = gettid();
	return NULL;
}

static void test_real(void **unused)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	pthread_t t;

	(void)unused;
	if (events_open(&events))
		skip(); /* no CAP_NET_ADMIN */
	pthread_create(&t, NULL, say_tid, &seen.thread);
	pthread_join(t, NULL);
	seen.child = fork();
	if (!seen.child)
		_exit(0);
	waitpid(seen.child, NULL, 0);
	for (unsigned i = 0; i < 2000 && !(seen.ended && seen.child_ended);
	     i++) {
		events_turn(&events, clock_now_ns(), take, NULL);
		nanosleep(&nap, NULL);
	}
	assert_true(seen.forked && seen.ended);
	assert_true(seen.child_forked && seen.child_ended);
	assert_int_equal(seen.parent, getpid());
	assert_true(events.heard);
	assert_int_equal(events.n.forged, 0);
	assert_int_equal(events.n.broken, 0);
	assert_int_equal(events.n.lost, 0);
	events_close(&events);
}

/* Another process writes to our port what looks like the kernel's word. */
static void test_forged(void **unused)
{
	struct message m =
	    make(PROC_EVENT_EXIT, (uint32_t)getpid(), (uint32_t)getpid(), 0, 0);
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(to);
	int fd;

	(void)unused;
	if (events_open(&events))
		skip();
	assert_int_equal(getsockname(events.fd, (struct sockaddr *)&to, &len),
			 0);
	to.nl_groups = 0;
	fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_CONNECTOR);
	assert_true(fd >= 0);
	if (sendto(fd, &m, sizeof(m), 0, (struct sockaddr *)&to, sizeof(to)) ==
	    sizeof(m)) {
		seen.thread = getpid();
		seen.ended = false;
		while (!events.n.forged)
			events_turn(&events, clock_now_ns(), take, NULL);
		assert_false(seen.ended);
	}
	close(fd);
	events_close(&events);
}

/* Nobody reads for a while, and there is little room: the kernel says so. */
static void test_overrun(void **unused)
{
	int small = 1, err = 0;

	(void)unused;
	if (events_open(&events))
		skip();
	assert_int_equal(
	    setsockopt(events.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)),
	    0);
	for (unsigned i = 0; i < 50; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	for (unsigned i = 0; i < 10 && err != -ENOBUFS; i++)
		err = events_turn(&events, clock_now_ns(), take, NULL);
	assert_int_equal(err, -ENOBUFS);
	assert_true(events.n.overrun > 0);
	events_close(&events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),  cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_count),  cmocka_unit_test(test_real),
		cmocka_unit_test(test_forged), cmocka_unit_test(test_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
