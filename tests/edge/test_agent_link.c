// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_link.c - the agent's end of the channel against a scripted host
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "hl/clock.h"
#include "tests/edge/link_stage.h"

/* --- greeting ------------------------------------------------------------ */

static void test_hello(void **state)
{
	struct agent_any m;
	uint64_t epoch;

	(void)state;
	start();
	conf.name = "gone"; /* it was copied */
	after(0);
	assert_true(host_accept(&host));
	after(0);
	assert_true(host_hear(&host, &m));
	assert_int_equal(m.head.kind, AGENT_HELLO);
	assert_int_equal(m.hello.version, AGENT_VERSION);
	assert_int_equal(m.hello.caps, AGENT_CAP_PLACE);
	assert_int_equal(m.hello.vcpu_cnt, VCPUS);
	assert_string_equal(m.hello.name, "agent 1.2");
	epoch = m.head.epoch;
	assert_true(epoch != 0);
	/* again each second, the same epoch, for it may be heard late */
	after(999);
	assert_false(host_hear(&host, &m));
	after(1);
	assert_true(host_hear(&host, &m));
	assert_true(m.head.epoch == epoch);
	check(LINK_WAITING, "does not answer");
	/* another connection, another epoch */
	host_hang_up(&host);
	after(0);
	check(LINK_WAITING, "nobody is at the other end");
	after(1000);
	assert_true(host_accept(&host));
	after(0);
	assert_true(host_hear(&host, &m));
	assert_true(m.head.epoch != epoch);
	stop();
}

static void test_welcome(void **state)
{
	static const struct {
		const char *what;
		struct agent_welcome w;
		enum agent_kind kind;
		enum link_state state;
		const char *why;
	} row[] = {
		{ "good",
		  { 1, 0, 0, 4, 0 },
		  AGENT_WELCOME,
		  LINK_CHANNEL,
		  "messages" },
		{ "the most vcpus",
		  { 1, 0, 0, 512, 0 },
		  AGENT_WELCOME,
		  LINK_CHANNEL,
		  "messages" },
		{ "one more",
		  { 1, 0, 0, 513, 0 },
		  AGENT_WELCOME,
		  LINK_REFUSED,
		  "513 vcpus" },
		{ "none",
		  { 1, 0, 0, 0, 0 },
		  AGENT_WELCOME,
		  LINK_REFUSED,
		  "0 vcpus" },
		{ "another version",
		  { 2, 0, 0, 4, 0 },
		  AGENT_WELCOME,
		  LINK_REFUSED,
		  "hostd speaks version 2" },
		{ "welcome that is none",
		  { 1, 3, 0, 4, 0 },
		  AGENT_WELCOME,
		  LINK_REFUSED,
		  "switched off" },
		{ "refused: version",
		  { 9, 1, 0, 4, 0 },
		  AGENT_REFUSED,
		  LINK_REFUSED,
		  "version 9" },
		{ "refused: off",
		  { 1, 3, 0, 4, 0 },
		  AGENT_REFUSED,
		  LINK_REFUSED,
		  "switched off" },
		{ "refused: of the future",
		  { 1, 77, 0, 4, 0 },
		  AGENT_REFUSED,
		  LINK_REFUSED,
		  "reason 77" },
		{ "refused without reason",
		  { 1, 0, 0, 4, 0 },
		  AGENT_REFUSED,
		  LINK_REFUSED,
		  "reason 0" },
		{ "a page we do not want",
		  { 1, 0, 1, 4, FAKE_TOKEN },
		  AGENT_WELCOME,
		  LINK_CHANNEL,
		  "messages" },
		{ "nonsense",
		  { 1, 0, 0, 4, 0 },
		  AGENT_HELLO,
		  LINK_WAITING,
		  "" },
	};

	(void)state;
	for (unsigned i = 0; i < LEN(row); i++) {
		struct agent_any m = { .welcome = row[i].w };
		size_t bytes = row[i].kind == AGENT_HELLO ? sizeof(m.hello)
							  : sizeof(m.welcome);

		start();
		greeted();
		host_say(&host, &m, row[i].kind, bytes);
		after(1);
		if (link_state(l) != row[i].state ||
		    !strstr(link_why(l), row[i].why))
			fail_msg("%s: %d, %s", row[i].what, link_state(l),
				 link_why(l));
		assert_int_equal(granted.vcpu_cnt, row[i].state == LINK_CHANNEL
						       ? row[i].w.vcpu_cnt
						       : 0);
		stop();
	}
}

/* Asked again after 30 s, whether or not the host hangs up meanwhile. */
static void test_refused(void **state)
{
	(void)state;
	for (unsigned hangs_up = 0; hangs_up < 2; hangs_up++) {
		struct agent_any m = { .welcome = { 1, AGENT_ERR_OFF, 0, 4,
						    0 } };

		start();
		greeted();
		host_say(&host, &m, AGENT_REFUSED, sizeof(m.welcome));
		after(0);
		if (hangs_up) {
			host_hang_up(&host);
			after(0);
			after(1000);
			assert_true(host_accept(&host));
		} else {
			after(1000);
		}
		for (unsigned s = 1; s < 29; s++)
			after(1000);
		after(999);
		assert_string_equal(heard(), "");
		check(LINK_REFUSED, "switched off");
		assert_int_equal(link_wait_ms(l, now_ns), 1);
		after(1);
		assert_string_equal(heard(), "HELLO ");
		host_welcome(&host, VCPUS, false);
		after(0);
		check(LINK_CHANNEL, "");
		stop();
	}
}

/* --- grants -------------------------------------------------------------- */

static void test_grants(void **state)
{
	static const struct {
		const char *what;
		uint16_t first, count;
		bool taken;
	} row[] = {
		{ "two", 0, 2, true },
		{ "in the middle", 7, 2, true },
		{ "the last", VCPUS - 2, 2, true },
		{ "one too far", VCPUS - 1, 2, false },
		{ "far too far", 511, 2, false },
		{ "at the end of the numbers", 65535, 1, false },
		{ "none", 3, 0, false },
		{ "none, too far", 65535, 0, false },
	};

	(void)state;
	start();
	work(false);
	for (unsigned i = 0; i < LEN(row); i++) {
		uint64_t word[2] = { two[0] + i, two[1] };
		uint32_t gen = granted.gen;
		bool changed;

		host_grants(&host, row[i].first, row[i].count, word);
		changed = after(1);
		if (changed != row[i].taken ||
		    (granted.gen != gen) != row[i].taken)
			fail_msg("%s: %d", row[i].what, changed);
		if (row[i].taken)
			assert_memory_equal(&granted.word[row[i].first], word,
					    sizeof(word));
		for (unsigned v = VCPUS; v < AGENT_VCPUS; v++)
			assert_true(granted.word[v] == 0);
	}
	/* the same again is no change */
	host_grants(&host, VCPUS - 2, 2, (uint64_t[]){ two[0] + 2, two[1] });
	assert_false(after(1));
	stop();
}

static void test_epochs(void **state)
{
	struct agent_any m = { .grants = { .count = 1, .word = { two[0] } } };

	(void)state;
	start();
	greeted();
	/* before the welcome */
	host_grants(&host, 0, 2, two);
	after(1);
	assert_int_equal(granted.vcpu_cnt, 0);
	/* left over from somebody else */
	host.epoch++;
	host_welcome(&host, VCPUS, false);
	after(1);
	check(LINK_WAITING, "");
	host.epoch--;
	host_welcome(&host, VCPUS, false);
	host.epoch++;
	host_grants(&host, 0, 2, two);
	after(1);
	check(LINK_CHANNEL, "");
	assert_int_equal(owned(), 0);
	/* cut in two, with rubbish around */
	host.epoch--;
	agent_msg_put(&m, AGENT_GRANTS, host.epoch, agent_grants_bytes(1));
	host_bytes(&host, "\x48\x41GN rubbish", 11);
	host_bytes(&host, &m, 20);
	after(1);
	assert_int_equal(owned(), 0);
	host_bytes(&host, (char *)&m + 20, m.head.bytes - 20u);
	after(1);
	assert_int_equal(owned(), 1);
	/* a second welcome was not asked for */
	host_welcome(&host, 600, true);
	after(1);
	check(LINK_CHANNEL, "");
	assert_int_equal(owned(), 1);
	stop();
}

/* --- the host goes away -------------------------------------------------- */

static void test_silent(void **state)
{
	struct agent_any m;

	(void)state;
	start();
	work(false);
	host_grants(&host, 0, 2, two);
	assert_true(after(1));
	/* any word will do */
	after(4000);
	host_say(&host, &m, AGENT_BEAT, 0);
	after(0);
	after(4999);
	check(LINK_CHANNEL, "");
	assert_int_equal(owned(), 2);
	heard();
	assert_true(after(1));
	check(LINK_SILENT, "no word from hostd for 5 s");
	assert_int_equal(owned(), 0);
	assert_int_equal(granted.vcpu_cnt, 0);
	/* asked anew; late words of the old session mean nothing */
	host_grants(&host, 0, 2, two);
	after(1);
	assert_string_equal(heard(), "HELLO ");
	assert_int_equal(owned(), 0);
	after(1000);
	check(LINK_SILENT, "");
	assert_string_equal(heard(), "HELLO ");
	host_welcome(&host, VCPUS, false);
	host_grants(&host, 0, 2, two);
	assert_true(after(1));
	check(LINK_CHANNEL, "");
	assert_int_equal(owned(), 2);
	stop();
}

/* What came in time counts, though it is read late. */
static void test_late_reader(void **state)
{
	struct agent_any m;

	(void)state;
	start();
	work(false);
	host_grants(&host, 0, 2, two);
	after(1);
	host_say(&host, &m, AGENT_BEAT, 0);
	assert_false(after(60000));
	check(LINK_CHANNEL, "");
	assert_int_equal(owned(), 2);
	stop();
}

static void test_hang_up(void **state)
{
	(void)state;
	start();
	work(false);
	host_grants(&host, 0, 2, two);
	after(1);
	host_bytes(&host, "half a mess", 11);
	host_hang_up(&host);
	assert_true(after(1));
	check(LINK_WAITING, "nobody is at the other end");
	assert_int_equal(owned(), 0);
	assert_int_equal(link_wait_ms(l, now_ns), 1000);
	after(999);
	assert_false(host_accept(&host));
	after(1);
	assert_true(host_accept(&host));
	after(1);
	host.epoch = 0;
	assert_string_equal(heard(), "HELLO ");
	host_welcome(&host, 3, false);
	after(1);
	check(LINK_CHANNEL, "");
	stop();
}

static void test_bye(void **state)
{
	struct agent_any m;

	(void)state;
	start();
	work(false);
	host_grants(&host, 0, 2, two);
	after(1);
	host_say(&host, &m, AGENT_BYE, 0);
	assert_true(after(1));
	check(LINK_WAITING, "took its leave");
	assert_int_equal(owned(), 0);
	heard();
	after(999);
	assert_string_equal(heard(), "");
	after(1);
	assert_string_equal(heard(), "HELLO ");
	host_welcome(&host, VCPUS, false);
	after(1);
	heard();
	link_close(l);
	l = NULL;
	assert_string_equal(heard(), "BYE ");
	stop();
}

/* Whoever hangs up in a circle is greeted no faster than each second (a
 * socket), and never twice within 100 ms. */
static void test_flapping(void **state)
{
	unsigned hellos = 0;

	(void)state;
	start();
	for (unsigned ms = 0; ms < 10000; ms += 10) {
		after(10);
		if (host_accept(&host)) {
			after(10);
			hellos += !strcmp(heard(), "HELLO ");
			host_hang_up(&host);
		}
	}
	assert_in_range(hellos, 5, 10);
	stop();
}

/* --- what the agent says ------------------------------------------------- */

static void test_hints(void **state)
{
	struct agent_any m;

	(void)state;
	start();
	memset(vcpu, 0, sizeof(vcpu));
	hint = (struct agent_hint){ .wanted = 3 };
	tell(true); /* nobody there: no harm */
	work(false);
	hint.wanted = 4;
	vcpu[5].runnable = 2;
	vcpu[39].runnable = 1;
	now_ns += 10 * NSEC_PER_MSEC;
	tell(false);
	assert_true(host_hear(&host, &m));
	assert_int_equal(m.hints.hint.wanted, 4);
	assert_int_equal(m.hints.first, 5);
	assert_int_equal(m.hints.count, 1);
	assert_int_equal(m.hints.vcpu[0].runnable, 2);
	assert_true(host_hear(&host, &m));
	assert_int_equal(m.hints.first, 39);
	assert_false(host_hear(&host, &m));
	/* at most each 10 ms; link_wait_ms() knows */
	for (unsigned i = 0; i < 5; i++) {
		now_ns += NSEC_PER_MSEC;
		hint.wanted++;
		tell(true);
	}
	assert_string_equal(heard(), "");
	assert_int_equal(link_wait_ms(l, now_ns), 5);
	after(5);
	assert_true(host_hear(&host, &m));
	assert_int_equal(m.hints.hint.wanted, 9);
	assert_int_equal(m.hints.count, 0);
	/* and a beat when there is nothing */
	after(999);
	assert_string_equal(heard(), "");
	assert_int_equal(link_wait_ms(l, now_ns), 1);
	after(1);
	assert_string_equal(heard(), "BEAT ");
	stop();
}

/* A host that does not read costs nothing, and hears the newest. */
static void test_deaf_host(void **state)
{
	struct agent_any m, last = { 0 };
	unsigned cnt = 0, waited;

	(void)state;
	start();
	work(false);
	memset(vcpu, 0, sizeof(vcpu));
	for (unsigned i = 0; i < 20000; i++) {
		for (unsigned v = 0; v < VCPUS; v++)
			vcpu[v].ack = i + 1;
		hint.wait_us = i;
		now_ns += 10 * NSEC_PER_MSEC;
		tell(true);
		if (i % 100 == 0)
			host_say(&host, &m, AGENT_BEAT, 0);
		after(0);
		waited = (unsigned)link_wait_ms(l, now_ns);
	}
	check(LINK_CHANNEL, "");
	/* it is full: nothing is tried before the port says so */
	assert_true(waited > 0);
	while (host_hear(&host, &m))
		cnt++;
	assert_in_range(cnt, 100, 5000);
	assert_int_equal(poll(&(struct pollfd){ link_fd(l), POLLIN, 0 }, 1, 0),
			 1);
	after(1);
	while (host_hear(&host, &m))
		if (m.head.kind == AGENT_HINTS)
			last = m;
	assert_int_equal(last.hints.hint.wait_us, 19999);
	assert_int_equal(last.hints.vcpu[0].ack, 20000);
	stop();
}

/* A host that writes without end gets no more than its share. */
static void test_flood(void **state)
{
	static char noise[256 * 1024];
	unsigned turns = 0;
	struct agent_any m;
	int size = 1 << 20;
	char rest;

	(void)state;
	start();
	work(false);
	memset(noise, 'x', sizeof(noise));
	assert_int_equal(setsockopt(host.fd, SOL_SOCKET, SO_SNDBUFFORCE, &size,
				    sizeof(size)),
			 0);
	host_bytes(&host, noise, sizeof(noise));
	host_say(&host, &m, AGENT_BEAT, 0);
	host_grants(&host, 0, 2, two);
	assert_false(after(1));
	assert_int_equal(link_wait_ms(l, now_ns), 10);
	/* nor when it is called sooner */
	assert_false(after(1));
	assert_int_equal(link_wait_ms(l, now_ns), 9);
	while (!after(10))
		assert_true(++turns < 20);
	assert_true(turns >= 2);
	assert_int_equal(owned(), 2);
	assert_int_equal(recv(host.fd, &rest, 1, MSG_DONTWAIT | MSG_PEEK), -1);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_welcome),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_epochs),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_late_reader),
		cmocka_unit_test(test_hang_up),
		cmocka_unit_test(test_bye),
		cmocka_unit_test(test_flapping),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_deaf_host),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
