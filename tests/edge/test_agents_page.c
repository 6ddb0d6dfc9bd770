// SPDX-License-Identifier: Apache-2.0
/*
 * test_agents_page.c - the agents thread against fake guests: the page, files
 * that are none, and guests that mean harm
 */
#include "agents_stage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* --- the page ------------------------------------------------------------ */

static void test_page(void **state)
{
	struct agent_page *page = page_make("p", 1 << 20, 0644);
	struct agent_any m;
	uint32_t beat, gen;

	(void)state;
	begin("p");
	expect_state(VM, SESSION_CHANNEL);
	assert_int_equal(page->host.magic, AGENT_HOST_MAGIC);
	assert_int_equal(page->host.version, AGENT_VERSION);
	assert_int_equal(page->host.vcpu_cnt, 4);
	take_page(page, EPOCH);
	guest_word(&guest, AGENT_BELL, EPOCH);
	expect_state(VM, SESSION_PAGE);
	assert_int_equal(board_hint(board, VM).wanted, 2);
	assert_int_equal(board_runnable(board, FIRST + 2), 3);
	guest_expect(&guest, AGENT_BELL, &m);
	beat = page->host.beat;
	gen = page->host.gen;
	grant(3, 7);
	assert_int_equal(page->to_guest[3].word, board_word(board, FIRST + 3));
	assert_int_not_equal(page->host.gen, gen);
	assert_int_equal(guest_hear(&guest, &m), AGENT_BELL);
	assert_int_equal(guest_hear(&guest, &m), 0);
	/* hints are seen without a bell, soon */
	page->guest.hint.wanted = 4;
	pass(30);
	assert_int_equal(board_hint(board, VM).wanted, 4);
	page->guest.hint.wanted = 0;
	pass(30);
	page->guest.hint.wanted = 1;
	pass(110); /* it was calm */
	assert_int_equal(board_hint(board, VM).wanted, 1);
	/* beats both ways */
	for (unsigned i = 0; i < 10; i++) {
		page->guest.beat++;
		pass(1000);
	}
	assert_in_range(page->host.beat - beat, 10, 11);
	expect_state(VM, SESSION_PAGE);
	pass(5100);
	expect_state(VM, SESSION_SILENT);
	page->guest.beat++;
	pass(1100);
	expect_state(VM, SESSION_PAGE);
	page_done(page);
}

/* A guest that spoils hostd's half: what stands there is right a beat later,
 * and hostd itself never believed it. */
static void test_spoilt_page(void **state)
{
	struct agent_page *page = page_make("p", 1 << 20, 0644);
	uint64_t token;

	(void)state;
	begin("p");
	grant(0, 5);
	token = page->host.token;
	take_page(page, EPOCH);
	memset(&page->host, 0xff, sizeof(page->host));
	memset(page->to_guest, 0xff, sizeof(page->to_guest));
	pass(1100);
	assert_int_equal(page->host.magic, AGENT_HOST_MAGIC);
	assert_int_equal(page->host.token, token);
	assert_int_equal(page->host.vcpu_cnt, 4);
	assert_int_equal(page->to_guest[0].word, board_word(board, FIRST));
	assert_int_equal(page->to_guest[4].word, 0);
	assert_int_equal(shown(VM)->granted, 1);
	/* the wildest numbers in the guest's half */
	for (size_t i = 0; i < sizeof(page->to_host); i++)
		((uint8_t *)page->to_host)[i] = 0xff;
	page->guest.hint = (struct agent_hint){ 0xffffffff, 0xffff, 0xffff,
						0xffff,	    0xffff, 0 };
	pass(200);
	assert_int_equal(board_hint(board, VM).wanted, 4);
	assert_int_equal(board_hint(board, VM).wait_us, 1000000);
	assert_int_equal(board_runnable(board, FIRST + 4), 0);
	page_done(page);
}

/* Its file is cut short while hostd works on it. */
static void test_cut_short(void **state)
{
	struct agent_page *page = page_make("p", 1 << 20, 0644);
	struct agent_any m;

	(void)state;
	assert_int_equal(page_guard(), 0); /* cmocka has put its own there */
	begin("p");
	take_page(page, EPOCH);
	guest_word(&guest, AGENT_BELL, EPOCH);
	expect_state(VM, SESSION_PAGE);
	assert_int_equal(truncate(page_path("p"), 0), 0);
	pass(1100);
	guest_expect(&guest, AGENT_BYE, &m);
	guest_hello(&guest, EPOCH + 1, AGENT_VERSION);
	guest_expect(&guest, AGENT_WELCOME, &m);
	assert_int_equal(m.welcome.token, 0);
	expect_state(VM, SESSION_BAD_PAGE);
	pass(1100);
	assert_string_equal(shown(VM)->why,
			    "is too small: <size unit='M'>1</size> will do");
	grant(1, 3);
	guest_expect(&guest, AGENT_GRANTS, &m);
	page_done(page);
	/* whole again */
	page = page_make("p", 1 << 20, 0644);
	pass(1100);
	guest_hello(&guest, EPOCH + 2, AGENT_VERSION);
	expect_state(VM, SESSION_CHANNEL);
	assert_int_equal(page->to_guest[1].word, board_word(board, FIRST + 1));
	/* cut while it is taken away */
	assert_int_equal(truncate(page_path("p"), 0), 0);
	assert_int_equal(agents_vm(agents, VM, NULL), 0);
	page_done(page);
}

static void make_link(const char *path)
{
	assert_int_equal(symlink(page_path("good"), path), 0);
}

static void make_pipe(const char *path)
{
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void make_dir(const char *path)
{
	assert_int_equal(mkdir(path, 0700), 0);
}

static void make_small(const char *path)
{
	(void)path;
	page_done(page_make("bad", sizeof(struct agent_page) - 1, 0600));
}

static void make_open(const char *path)
{
	(void)path;
	page_done(page_make("bad", 1 << 20, 0646));
}

static void make_strange(const char *path)
{
	page_done(page_make("bad", 1 << 20, 0600));
	assert_int_equal(chown(path, 12345, 0), 0);
}

static void test_bad_pages(void **state)
{
	static const struct {
		const char *what, *name, *why;
		void (*make)(const char *path);
	} row[] = {
		{ "missing", "bad", "is not there", NULL },
		{ "a link", "bad", "is a link", make_link },
		{ "a pipe", "bad", "is no plain file", make_pipe },
		{ "a directory", "bad", "cannot be opened", make_dir },
		{ "a byte short", "bad",
		  "is too small: <size unit='M'>1</size> will do", make_small },
		{ "anybody's", "bad", "may be written by anybody", make_open },
		{ "another user's", "bad",
		  "belongs neither to root nor to QEMU's user", make_strange },
		{ "out of the directory", "../x", "has no usable name", NULL },
	};
	struct agent_any m;

	(void)state;
	page_done(page_make("good", 1 << 20, 0600));
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		if (row[i].make == make_strange && geteuid())
			continue; /* only root gives files away */
		if (row[i].make)
			row[i].make(page_path("bad"));
		begin(row[i].name);
		if (shown(VM)->state != SESSION_BAD_PAGE || !shown(VM)->why ||
		    strcmp(shown(VM)->why, row[i].why))
			fail_msg("%s: %s: %s", row[i].what,
				 session_state_name(shown(VM)->state),
				 shown(VM)->why ? shown(VM)->why : "-");
		grant(0, (uint16_t)(i + 1)); /* works all the same */
		guest_expect(&guest, AGENT_GRANTS, &m);
		agents_vm(agents, VM, NULL);
		if (row[i].make == make_dir)
			rmdir(page_path("bad"));
		else
			unlink(page_path("bad"));
	}
}

/* One page for two VMs: the second goes without. */
static void test_shared_page(void **state)
{
	struct agent_page *page = page_make("p", 1 << 20, 0644);
	struct peer_conf c;

	(void)state;
	begin("p");
	guest_listen(&other, "d");
	c = vm_conf(&other, "p");
	c.first_vcpu = FIRST + 10;
	assert_int_equal(agents_vm(agents, OTHER, &c), 0);
	turn();
	assert_true(guest_accept(&other));
	guest_hello(&other, EPOCH, AGENT_VERSION);
	expect_state(OTHER, SESSION_BAD_PAGE);
	assert_string_equal(shown(OTHER)->why, "is another VM's page");
	agents_vm(agents, VM, NULL);
	pass(1100); /* now it is free */
	guest_hello(&other, EPOCH + 1, AGENT_VERSION);
	expect_state(OTHER, SESSION_CHANNEL);
	page_done(page);
}

/* --- hostile guests ------------------------------------------------------ */

/* Random bytes and messages as fast as they go, into channel and page. */
static void test_hostile(void **state)
{
	struct agent_page *page = page_make("p", 1 << 20, 0644);
	static uint8_t noise[4096];
	struct agent_any m;
	unsigned accepted = 0;

	(void)state;
	begin("p");
	guest_listen(&other, "d");
	{
		struct peer_conf c = vm_conf(&other, "");

		c.first_vcpu = FIRST + 10;
		agents_vm(agents, OTHER, &c);
	}
	turn();
	assert_true(guest_accept(&other));
	guest_hello(&other, EPOCH, AGENT_VERSION);
	guest_expect(&other, AGENT_GRANTS, &m);
	srandom(7);
	for (unsigned i = 0; i < 6000; i++) {
		for (size_t n = 0; n < sizeof(noise);
		     n += 1 + (size_t)random() % 9)
			noise[n] = (uint8_t)random();
		if (i % 3 == 0)
			memcpy(noise, "HAGN\5\0", 6);
		(void)!send(guest.fd, noise, (size_t)random() % sizeof(noise),
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		memcpy((uint8_t *)page +
			   (size_t)random() % (sizeof(*page) - 64),
		       noise + 64, 64);
		if (i % 50 == 0) {
			take_page(page, EPOCH);
			board_grant(board, FIRST, (uint16_t)(i % 60), 0);
			board_grant(board, FIRST + 10, (uint16_t)(i % 60), 0);
			board_kick(board);
		}
		pass(10);
		assert_true(board_hint(board, VM).wanted <= 4);
		if (guest_accept(&guest)) {
			accepted++;
			guest_hello(&guest, EPOCH, AGENT_VERSION);
		}
		while (guest_hear(&guest, &m))
			;
		if (i % 50 == 0) { /* the other one is served at once */
			assert_int_equal(guest_hear(&other, &m), AGENT_GRANTS);
			guest_word(&other, AGENT_BEAT, EPOCH);
		}
		if (guest_hear(&other, &m))
			assert_int_equal(m.head.kind, AGENT_BEAT);
	}
	/* a minute of nonsense: dropped more and more seldom */
	assert_in_range(accepted, 3, 6);
	assert_true(shown(VM)->count.throttled > 3);
	assert_int_equal(shown(OTHER)->count.refused, 0);
	page_done(page);
}

/* It never reads: hostd does not wait, and tells the newest when it does. */
static void test_never_reads(void **state)
{
	struct agent_any m;
	uint64_t word = 0;
	int small = 1;

	(void)state;
	setsockopt(guest.listener, SOL_SOCKET, SO_RCVBUF, &small,
		   sizeof(small));
	begin("");
	for (unsigned i = 0; i < 60000; i++) {
		board_grant(board, FIRST + 1, (uint16_t)(i % 60), 0);
		board_kick(board);
		ahead_ns += 2 * MS;
		agents_turn(agents, 0);
		if (i % 1000 == 0)
			guest_word(&guest, AGENT_BEAT, EPOCH);
	}
	assert_true(shown(VM)->count.bytes_out < 1 << 21);
	expect_state(VM, SESSION_CHANNEL);
	for (unsigned i = 0; i < 60000; i++) {
		if (guest_hear(&guest, &m) == AGENT_GRANTS)
			word = m.grants.word[0];
		else if (!m.head.kind)
			turn();
		if (word == board_word(board, FIRST + 1))
			break;
	}
	assert_int_equal(word, board_word(board, FIRST + 1));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		T(test_page),	     T(test_spoilt_page), T(test_cut_short),
		T(test_bad_pages),   T(test_shared_page), T(test_hostile),
		T(test_never_reads),
	};

	return cmocka_run_group_tests(tests, stage_make, stage_remove);
}
