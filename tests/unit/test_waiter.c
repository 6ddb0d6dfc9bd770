// SPDX-License-Identifier: Apache-2.0
/*
 * test_waiter.c - which waits end at once
 *
 * "At once" is checked with a wait that would otherwise take a minute, so a
 * lost wake-up is a hang that the alarm ends; "not" with a wait of no time.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vhost/waiter.h"

#define MINUTE_NS 60000000000ull

static struct waiter waiter;

static int setup(void **state)
{
	(void)state;
	alarm(20);
	return waiter_open(&waiter);
}

static int teardown(void **state)
{
	(void)state;
	alarm(0);
	waiter_close(&waiter);
	return 0;
}

/* Would a wait end now? Looks at the waiter's own epoll from outside. */
static int is_ready(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int outer = epoll_create1(0), n;

	assert_true(outer >= 0);
	assert_int_equal(epoll_ctl(outer, EPOLL_CTL_ADD, waiter.epoll_fd, &ev),
			 0);
	n = epoll_wait(outer, &ev, 1, 0);
	close(outer);
	return n;
}

static void kick(int fd)
{
	assert_int_equal(eventfd_write(fd, 1), 0);
}

static void test_wake(void **state)
{
	(void)state;
	assert_false(is_ready());
	waiter_wake(&waiter);
	waiter_wake(&waiter); /* two calls before the wait are one */
	waiter_wait(&waiter, MINUTE_NS);
	assert_false(is_ready());
	waiter_wait(&waiter, 0);
	waiter_wake(&waiter); /* and it works again */
	waiter_wait(&waiter, MINUTE_NS);
}

static void test_watch(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK), handle;
	eventfd_t n;

	(void)state;
	kick(fd); /* before it was watched */
	handle = waiter_watch(&waiter, fd);
	assert_true(handle >= 0);
	waiter_wait(&waiter, MINUTE_NS);
	assert_false(is_ready()); /* nobody drained it, and yet */
	kick(fd);		  /* before the wait, on top of the old one */
	waiter_wait(&waiter, MINUTE_NS);
	assert_int_equal(eventfd_read(fd, &n), 0);
	kick(fd); /* after it was drained */
	waiter_wait(&waiter, MINUTE_NS);
	waiter_forget(&waiter, handle);
	kick(fd);
	assert_false(is_ready());
	close(fd);
}

/* The owner closes its descriptor while another process keeps the file. */
static void test_closed_under_us(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK), peer = dup(fd), handle;

	(void)state;
	handle = waiter_watch(&waiter, fd);
	close(fd);
	assert_int_equal(waiter_watch(&waiter, fd), -1);
	waiter_forget(&waiter, handle);
	kick(peer);
	assert_false(is_ready());
	waiter_forget(&waiter, -1);
	close(peer);
}

/* More files than one wait reads: the call behind them is not lost. */
static void test_many(void **state)
{
	int fd[40], handle[40];

	(void)state;
	for (int i = 0; i < 40; i++) {
		fd[i] = eventfd(0, EFD_NONBLOCK);
		handle[i] = waiter_watch(&waiter, fd[i]);
		kick(fd[i]);
	}
	waiter_wake(&waiter);
	for (int i = 0; i < 4; i++)
		waiter_wait(&waiter, 0);
	assert_false(is_ready());
	waiter_wake(&waiter);
	waiter_wait(&waiter, MINUTE_NS);
	for (int i = 0; i < 40; i++) {
		waiter_forget(&waiter, handle[i]);
		close(fd[i]);
	}
}

/* Each round, the sleeper waits for the caller's number; a lost call hangs. */
#define ROUNDS 20000u

static uint32_t posted, seen;

static void *call(void *arg)
{
	(void)arg;
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		__atomic_store_n(&posted, i, __ATOMIC_RELEASE);
		waiter_wake(&waiter);
		if (i % 4)
			continue; /* calls also come while it is awake */
		while (__atomic_load_n(&seen, __ATOMIC_ACQUIRE) != i)
			sched_yield();
	}
	return NULL;
}

static void test_no_lost_call(void **state)
{
	pthread_t caller;
	uint32_t n = 0;

	(void)state;
	assert_int_equal(pthread_create(&caller, NULL, call, NULL), 0);
	while (n < ROUNDS) {
		waiter_wait(&waiter, MINUTE_NS);
		n = __atomic_load_n(&posted, __ATOMIC_ACQUIRE);
		__atomic_store_n(&seen, n, __ATOMIC_RELEASE);
	}
	assert_int_equal(pthread_join(caller, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wake, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed_under_us, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_lost_call, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
