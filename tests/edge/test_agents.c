// SPDX-License-Identifier: Apache-2.0
/*
 * test_agents.c - the agents thread against fake guests: who comes, goes and
 * comes back, set-up that fails, and once with the thread itself
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
#include <time.h>

#include <cmocka.h>

#include "tests/fake/fake_fail.h"

/* --- the channel --------------------------------------------------------- */

static void test_channel(void **state)
{
	struct board_hint h;
	struct agent_any m;

	(void)state;
	expect_state(VM, SESSION_NONE);
	begin("");
	expect_state(VM, SESSION_CHANNEL);
	assert_string_equal(shown(VM)->name, "1.0");
	grant(1, 6);
	guest_expect(&guest, AGENT_GRANTS, &m);
	assert_int_equal(m.grants.first, 1);
	assert_int_equal(m.grants.count, 1);
	assert_int_equal(m.grants.word[0], board_word(board, FIRST + 1));
	assert_int_equal(shown(VM)->granted, 1);
	assert_int_equal(shown(VM)->acked, 0);
	assert_int_equal(wakes, 0);
	guest_hint(&guest, EPOCH, 3, 700);
	h = board_hint(board, VM);
	assert_true(h.valid);
	assert_int_equal(h.wanted, 3);
	assert_int_equal(h.wait_us, 700);
	assert_int_equal(board_runnable(board, FIRST + 1), 6);
	assert_int_equal(shown(VM)->acked, 1);
	assert_int_equal(shown(VM)->hint.workers, 8);
	assert_int_equal(wakes, 1); /* it wants more */
	guest_hint(&guest, EPOCH, 1, 0);
	assert_int_equal(wakes, 1); /* less */
	pass(1000);
	guest_expect(&guest, AGENT_BEAT, &m);
	guest_word(&guest, AGENT_BYE, EPOCH);
	expect_state(VM, SESSION_WAITING);
	assert_false(board_hint(board, VM).valid);
	assert_int_equal(board_runnable(board, FIRST + 1), 0);
}

static void test_refused_and_silent(void **state)
{
	struct peer_conf c;
	struct agent_any m;

	(void)state;
	begin("");
	guest_hello(&guest, EPOCH + 1, 2);
	guest_expect(&guest, AGENT_REFUSED, &m);
	assert_int_equal(m.welcome.status, AGENT_ERR_VERSION);
	expect_state(VM, SESSION_REFUSED);
	assert_int_equal(shown(VM)->version, 2);
	guest_hello(&guest, EPOCH + 2, AGENT_VERSION);
	guest_hint(&guest, EPOCH + 2, 2, 5);
	pass(4900);
	expect_state(VM, SESSION_CHANNEL);
	pass(200);
	expect_state(VM, SESSION_SILENT);
	assert_false(board_hint(board, VM).valid);
	guest_word(&guest, AGENT_BEAT, EPOCH + 2);
	expect_state(VM, SESSION_CHANNEL);
	/* agent = off, and on again: connected anew */
	c = vm_conf(&guest, "");
	c.enabled = false;
	assert_int_equal(agents_vm(agents, VM, &c), 0);
	turn();
	expect_state(VM, SESSION_OFF);
	assert_true(guest_accept(&guest));
	guest_hello(&guest, EPOCH + 3, AGENT_VERSION);
	guest_expect(&guest, AGENT_REFUSED, &m);
	assert_int_equal(m.welcome.status, AGENT_ERR_OFF);
	begin("");
	expect_state(VM, SESSION_CHANNEL);
}

/* Whoever goes away comes back: QEMU's socket, the agent, hostd. */
static void test_restarts(void **state)
{
	struct agent_any m;

	(void)state;
	begin("");
	guest_hello(&guest, EPOCH + 1, AGENT_VERSION); /* the agent */
	guest_expect(&guest, AGENT_WELCOME, &m);
	guest_hint(&guest, EPOCH, 2, 5); /* left over from the former */
	assert_false(board_hint(board, VM).valid);
	guest_end(&guest); /* QEMU */
	turn();
	expect_state(VM, SESSION_WAITING);
	pass(5000); /* nobody there, each second */
	guest_listen(&guest, "c");
	pass(1100);
	assert_true(guest_accept(&guest));
	guest_hello(&guest, EPOCH + 2, AGENT_VERSION);
	guest_expect(&guest, AGENT_WELCOME, &m);
	expect_state(VM, SESSION_CHANNEL);
	agents_close(agents); /* hostd */
	guest_expect(&guest, AGENT_BYE, &m);
	assert_int_equal(m.head.epoch, EPOCH + 2);
	expect_state(VM, SESSION_NONE);
	open_agents();
	assert_int_equal(
	    agents_vm(agents, VM,
		      &(struct peer_conf){ .enabled = true, .vcpu_cnt = 4 }),
	    0); /* no path: never connected */
	pass(3000);
	expect_state(VM, SESSION_WAITING);
	begin("");
	guest_word(&guest, AGENT_BEAT, EPOCH + 2); /* of the former hostd */
	assert_int_equal(shown(VM)->count.refused, 1);
	expect_state(VM, SESSION_CHANNEL);
}

static void test_attach(void **state)
{
	struct peer_conf c = vm_conf(&guest, "");
	struct agent_page *page;
	struct agent_any m;
	char byte;

	(void)state;
	begin("");
	/* another channel */
	guest_listen(&other, "d");
	memcpy(c.channel, other.path, sizeof(c.channel));
	assert_int_equal(agents_vm(agents, VM, &c), 0);
	guest_expect(&guest, AGENT_BYE, &m);
	assert_int_equal(recv(guest.fd, &byte, 1, MSG_DONTWAIT), 0);
	turn();
	assert_true(guest_accept(&other));
	guest_hello(&other, EPOCH, AGENT_VERSION);
	guest_expect(&other, AGENT_WELCOME, &m);
	assert_int_equal(m.welcome.token, 0);
	/* a page is attached: the agent is asked to say hello again */
	page = page_make("p", 1 << 20, 0644);
	strcpy(c.shmem, "p");
	assert_int_equal(agents_vm(agents, VM, &c), 0);
	turn();
	guest_expect(&other, AGENT_BYE, &m);
	guest_hello(&other, EPOCH + 1, AGENT_VERSION);
	guest_expect(&other, AGENT_WELCOME, &m);
	assert_int_equal(m.welcome.token, page->host.token);
	assert_int_not_equal(m.welcome.token, 0);
	/* and detached: nobody is there */
	c.shmem[0] = '\0';
	assert_int_equal(agents_vm(agents, VM, &c), 0);
	turn();
	assert_int_equal(page->host.magic, 0);
	guest_expect(&other, AGENT_BYE, &m);
	guest_hello(&other, EPOCH + 2, AGENT_VERSION);
	guest_expect(&other, AGENT_WELCOME, &m);
	assert_int_equal(m.welcome.token, 0);
	/* a vcpu is plugged */
	c.vcpu_cnt = 5;
	assert_int_equal(agents_vm(agents, VM, &c), 0);
	turn();
	guest_expect(&other, AGENT_BYE, &m);
	guest_hello(&other, EPOCH + 3, AGENT_VERSION);
	guest_expect(&other, AGENT_WELCOME, &m);
	assert_int_equal(m.welcome.vcpu_cnt, 5);
	guest_hint(&other, EPOCH + 3, 5, 0);
	assert_int_equal(board_hint(board, VM).wanted, 5);
	/* all of it goes */
	assert_int_equal(agents_vm(agents, VM, NULL), 0);
	guest_expect(&other, AGENT_BYE, &m);
	assert_false(board_hint(board, VM).valid);
	assert_int_equal(board_runnable(board, FIRST + 1), 0);
	assert_int_equal(board->watched, 0);
	expect_state(VM, SESSION_NONE);
	assert_int_equal(agents_vm(agents, VM, NULL), 0); /* twice */
	page_done(page);
}

/* --- set-up that fails --------------------------------------------------- */

static void test_open_fails(void **state)
{
	static const struct {
		const char *call;
		unsigned skip;
		int err;
	} row[] = {
		{ "calloc", 0, ENOMEM },
		{ "sigaction", 0, EINVAL },
		{ "epoll_create1", 0, EMFILE },
		{ "epoll_ctl", 0, ENOSPC },
	};
	struct agents *a = NULL;
	unsigned before = fail_open();

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		fail_next(row[i].call, row[i].skip, row[i].err);
		if (agents_open(&a, stage_dir, on_wake, NULL) != -row[i].err ||
		    !fail_done())
			fail_msg("%s did not fail", row[i].call);
		assert_int_equal(fail_open(), before);
	}
	also_failing = "eventfd";
	assert_int_equal(agents_open(&a, stage_dir, on_wake, NULL), -EMFILE);
	assert_int_equal(fail_open(), before);
	also_failing = "pthread_create";
	assert_int_equal(agents_start(agents), -EAGAIN);
}

/* One step of a VM's set-up fails: said at once, or done a second later. */
static void test_vm_fails(void **state)
{
	static const struct {
		const char *call;
		bool own;	 /* of this file, not of fake_fail.c */
		bool page, link; /* what is missing until then */
	} row[] = {
		{ "socket", false, false, true },
		{ "connect", false, false, true },
		{ "epoll_ctl", false, false, true },
		{ "fstat", false, true, false },
		{ "mmap", false, true, false },
		{ "open", false, true, false },
	};
	const struct peer_conf c = vm_conf(&guest, "p");
	struct agent_page *page;
	unsigned before = fail_open();

	(void)state;
	fail_next("calloc", 0, ENOMEM);
	assert_int_equal(agents_vm(agents, VM, &c), -ENOMEM);
	expect_state(VM, SESSION_NONE);
	assert_int_equal(board->watched, 0);
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		page = page_make("p", 1 << 20, 0644);
		fail_next(row[i].call, 0, ENOMEM);
		assert_int_equal(agents_vm(agents, VM, &c), 0);
		turn();
		if (!fail_done())
			fail_msg("%s was not called", row[i].call);
		if (row[i].page && page->host.magic)
			fail_msg("%s: there is a page", row[i].call);
		if (row[i].link && shown(VM)->state != SESSION_WAITING)
			fail_msg("%s: there is a channel", row[i].call);
		pass(1100);
		while (guest_accept(&guest))
			;
		assert_true(guest.fd >= 0);
		guest_hello(&guest, EPOCH, AGENT_VERSION);
		expect_state(VM, SESSION_CHANNEL);
		assert_int_equal(page->host.magic, AGENT_HOST_MAGIC);
		assert_int_equal(agents_vm(agents, VM, NULL), 0);
		page_done(page);
		close(guest.fd);
		guest.fd = -1;
		assert_int_equal(fail_open(), before);
	}
	/* no random numbers: no token, so no page; and again later */
	page = page_make("p", 1 << 20, 0644);
	assert_int_equal(agents_vm(agents, VM, &c), 0);
	also_failing = "getrandom";
	turn();
	assert_null(also_failing);
	assert_int_equal(page->host.magic, 0);
	pass(1100);
	assert_int_equal(page->host.magic, AGENT_HOST_MAGIC);
	page_done(page);
}

/* --- with the thread ----------------------------------------------------- */

static void soon(bool (*done)(void))
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	bool is = false;

	for (unsigned i = 0; i < 5000 && !is; i++) {
		nanosleep(&pause, NULL);
		is = done();
	}
	assert_true(is);
}

static bool is_connected(void)
{
	return guest_accept(&guest) || guest.fd >= 0;
}

static bool is_welcome(void)
{
	struct agent_any m;

	return guest_hear(&guest, &m) == AGENT_GRANTS;
}

static bool is_told(void)
{
	static struct agent_any m;

	return guest_hear(&guest, &m) == AGENT_GRANTS &&
	       m.grants.word[0] == board_word(board, FIRST + 2);
}

static bool is_shut(void)
{
	char bytes[4096];

	return !recv(guest.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
}

/* Grants come within a kick; a VM that is taken away is let go at once. */
static void test_thread(void **state)
{
	struct agent_any m = { .hello = { .version = AGENT_VERSION,
					  .vcpu_cnt = 4 } };
	const struct peer_conf c = vm_conf(&guest, "");
	size_t n = agent_msg_put(&m, AGENT_HELLO, EPOCH, sizeof(m.hello));

	(void)state;
	assert_int_equal(agents_start(agents), 0);
	assert_int_equal(agents_vm(agents, VM, &c), 0);
	soon(is_connected);
	assert_int_equal(send(guest.fd, &m, n, MSG_NOSIGNAL), n);
	soon(is_welcome);
	board_grant(board, FIRST + 2, 9, 8);
	board_kick(board);
	soon(is_told);
	assert_int_equal(agents_vm(agents, VM, NULL), 0);
	assert_true(is_shut() || is_shut()); /* the bye, then the end */
	for (unsigned i = 0; i < 200; i++) { /* comes and goes */
		assert_int_equal(agents_vm(agents, VM, &c), 0);
		board_grant(board, FIRST + 2, (uint16_t)i, 8);
		board_kick(board);
		guest_accept(&guest);
		(void)!send(guest.fd, &m, n, MSG_NOSIGNAL);
		assert_int_equal(agents_vm(agents, VM, NULL), 0);
		assert_false(board_hint(board, VM).valid);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		T(test_channel), T(test_refused_and_silent), T(test_restarts),
		T(test_attach),	 T(test_open_fails),	     T(test_vm_fails),
		T(test_thread),
	};

	return cmocka_run_group_tests(tests, stage_make, stage_remove);
}
