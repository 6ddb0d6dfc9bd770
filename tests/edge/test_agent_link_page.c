// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_link_page.c - grants by the page, and a page that goes away
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/edge/link_stage.h"

/* --- the page ------------------------------------------------------------ */

static void with_page(void)
{
	setup();
	conf.page = host.file;
	assert_int_equal(link_open(&l, &conf, now_ns), 0);
	work(true);
}

static void test_page(void **state)
{
	struct agent_any m;

	(void)state;
	with_page();
	host.page->to_guest[3].word = two[0];
	host.page->to_guest[VCPUS].word = two[1]; /* there is no such vcpu */
	host_say(&host, &m, AGENT_BELL, 0);
	assert_true(after(1));
	assert_true(granted.word[3] == two[0]);
	assert_int_equal(owned(), 1);
	/* without a bell too, whenever somebody asks */
	host.page->to_guest[4].word = two[1];
	link_grants(l, &granted);
	assert_int_equal(owned(), 2);
	/* words of the channel are a bell, no more */
	host_grants(&host, 10, 2, two);
	assert_false(after(1));
	assert_int_equal(owned(), 2);
	/* our half */
	assert_true(host.page->guest.magic == AGENT_GUEST_MAGIC);
	assert_true(host.page->guest.epoch == host.epoch);
	hint = (struct agent_hint){ .wanted = 5, .wait_us = 77 };
	memset(vcpu, 0, sizeof(vcpu));
	vcpu[VCPUS - 1].ack = two[0];
	tell(false);
	assert_int_equal(host.page->guest.hint.wait_us, 77);
	assert_int_equal(host.page->guest.hint.wanted, 5);
	assert_true(host.page->to_host[VCPUS - 1].hint.ack == two[0]);
	assert_string_equal(heard(), "");
	tell(true);
	assert_string_equal(heard(), "BELL ");
	link_close(l);
	l = NULL;
	assert_true(host.page->guest.magic == 0);
	stop();
}

/* The page's beat is a word too. */
static void test_page_beat(void **state)
{
	uint32_t ours;

	(void)state;
	with_page();
	ours = host.page->guest.beat;
	for (unsigned s = 0; s < 20; s++) {
		host.page->host.beat++;
		after(1000);
	}
	check(LINK_PAGE, "");
	assert_true(host.page->guest.beat != ours);
	after(4999);
	check(LINK_PAGE, "");
	after(1);
	check(LINK_SILENT, "");
	stop();
}

/* It goes away, each in its way; the channel is enough, and it may come back.
 */
static void test_page_gone(void **state)
{
	static const char *const how[] = { "cut to nothing",
					   "cut in the middle", "overwritten",
					   "another token", "reads as ones" };

	(void)state;
	for (unsigned i = 0; i < LEN(how); i++) {
		struct agent_any m;

		with_page();
		host.page->to_guest[0].word = two[0];
		after(1);
		assert_int_equal(owned(), 1);
		if (i < 2)
			assert_int_equal(truncate(host.file, i ? 4096 : 0), 0);
		else if (i == 2)
			host.page->host.magic = 1;
		else if (i == 3)
			host.page->host.token = 1;
		else
			memset(host.page, 0xff, sizeof(*host.page));
		tell(true); /* writing must not kill either */
		link_grants(l, &granted);
		after(1);
		if (link_state(l) != LINK_CHANNEL)
			fail_msg("%s: %s", how[i], link_why(l));
		/* what was known holds until the host answers */
		assert_int_equal(owned(), 1);
		heard();
		while (host_hear(&host, &m))
			;
		host_welcome(&host, VCPUS, true);
		host_grants(&host, 1, 2, two);
		after(1);
		check(LINK_CHANNEL, "no page: no device has the token");
		assert_int_equal(owned(), 2);
		/* back again: found within 30 s */
		host_page_reset(&host);
		for (unsigned s = 0; s < 30; s++) {
			host_say(&host, &m, AGENT_BEAT, 0);
			after(1000);
		}
		host_hear(&host, &m);
		heard();
		host_welcome(&host, VCPUS, true);
		after(1);
		check(LINK_PAGE, "");
		stop();
	}
}

/* A page is promised that cannot be mapped. */
static void test_page_missing(void **state)
{
	struct agent_any m;

	(void)state;
	setup();
	conf.page = host.file;
	host.page->host.version = 2;
	assert_int_equal(link_open(&l, &conf, now_ns), 0);
	after(0);
	assert_true(host_accept(&host));
	after(0);
	assert_true(host_hear(&host, &m));
	assert_int_equal(m.hello.caps, AGENT_CAP_PLACE | AGENT_CAP_PAGE);
	host_welcome(&host, VCPUS, true);
	after(0);
	assert_true(host_hear(&host, &m));
	assert_int_equal(m.hello.caps, AGENT_CAP_PLACE);
	host_welcome(&host, VCPUS, true);
	after(0);
	check(LINK_CHANNEL, "no page");
	/* looked for each 30 s, in vain: the session is left alone */
	heard();
	for (unsigned s = 0; s < 61; s++) {
		host_say(&host, &m, AGENT_BEAT, 0);
		after(1000);
		check(LINK_CHANNEL, "");
	}
	assert_null(strstr(heard(), "HELLO"));
	stop();
}

/* --- hostile at any time -------------------------------------------------- */

static bool ending;

/* Random bytes and sizes, whatever the agent is doing just then. */
static void *scribbler(void *arg)
{
	int fd = open(host.file, O_RDWR | O_CLOEXEC);
	const struct agent_host_head good = { .magic = AGENT_HOST_MAGIC,
					      .token = FAKE_TOKEN,
					      .version = AGENT_VERSION };
	unsigned seed = 1;
	uint64_t word;

	while (fd >= 0 && !__atomic_load_n(&ending, __ATOMIC_ACQUIRE)) {
		off_t at = rand_r(&seed) % (off_t)sizeof(struct agent_page);

		word = (uint64_t)rand_r(&seed) * 0x100000001ull;
		if (rand_r(&seed) % 64 == 0 && ftruncate(fd, at))
			break;
		if (pwrite(fd, &word, sizeof(word), at & ~7) < 0)
			break;
		/* or it would be over after the first */
		if (ftruncate(fd, sizeof(struct agent_page)) ||
		    pwrite(fd, &good, sizeof(good), 0) < 0)
			break;
	}
	close(fd);
	return arg;
}

#define TURNS 20000

static void test_scribbler(void **state)
{
	struct agent_any m;
	unsigned by_page = 0, lost = 0;
	pthread_t thread;

	(void)state;
	setup();
	conf.page = host.file;
	assert_int_equal(link_open(&l, &conf, now_ns), 0);
	greeted();
	ending = false;
	assert_int_equal(pthread_create(&thread, NULL, scribbler, NULL), 0);
	/* on a busy machine the other thread may come late */
	for (unsigned i = 0;
	     i < TURNS || (i < 100 * TURNS && !(by_page && lost)); i++) {
		after(i % 64 ? 1 : 1000);
		while (host_hear(&host, &m))
			if (m.head.kind == AGENT_HELLO)
				host_welcome(&host, VCPUS, true);
		host_say(&host, &m, AGENT_BEAT, 0);
		tell(i & 1);
		by_page += link_state(l) == LINK_PAGE;
		lost += !strcmp(link_why(l), "the page went away");
		for (unsigned v = VCPUS; v < AGENT_VCPUS; v++)
			assert_true(granted.word[v] == 0);
	}
	__atomic_store_n(&ending, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_true(by_page > 0 && lost > 0);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_page_beat),
		cmocka_unit_test(test_page_gone),
		cmocka_unit_test(test_page_missing),
		cmocka_unit_test(test_scribbler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
