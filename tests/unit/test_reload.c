// SPDX-License-Identifier: Apache-2.0
/*
 * test_reload.c - who asks gets the answer to his own question, or a timeout
 *
 * Askers are threads of their own; the test is the control thread. The clock
 * reload.c reads for its deadline is the test's: shifted back by nearly the
 * whole patience, an asker waits for milliseconds only.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "reload.h"

static time_t shift_s; /* constant while an asker runs */

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = __real_clock_gettime(id, t);

	t->tv_sec -= shift_s;
	return rc;
}

static sem_t woken; /* the control thread has work */

static void wake(void)
{
	sem_post(&woken);
}

static struct asker {
	pthread_t thread;
	int err;
	char text[640];
} one, two;

static void *ask(void *arg)
{
	struct asker *a = arg;

	a->err = reload_ask(a->text, sizeof(a->text));
	return NULL;
}

/* Return once the question is there. */
static void start(struct asker *a)
{
	memset(a->text, 0, sizeof(a->text));
	assert_int_equal(pthread_create(&a->thread, NULL, ask, a), 0);
	sem_wait(&woken);
}

static unsigned served;

static int take(char *text, size_t size)
{
	snprintf(text, size, "taken %u", ++served);
	return 0;
}

static int refuse(char *text, size_t size)
{
	served++;
	snprintf(text, size, "h.conf:3: no such key 'cpu'");
	return -EINVAL;
}

static int never(char *text, size_t size)
{
	(void)text;
	(void)size;
	fail_msg("served without being asked");
	return 0;
}

static int setup(void **state)
{
	(void)state;
	served = 0;
	shift_s = 0;
	reload_set_wake(wake);
	return sem_init(&woken, 0, 0);
}

static void test_nobody_asks(void **state)
{
	(void)state;
	reload_serve(never);
}

static void test_answer(void **state)
{
	static const struct {
		const char *what;
		int (*fn)(char *text, size_t size);
		int err;
		const char *text;
	} table[] = {
		{ "taken", take, 0, "taken 1" },
		{ "refused: the sentence and the error", refuse, -EINVAL,
		  "h.conf:3: no such key 'cpu'" },
		{ "taken after a refused one", take, 0, "taken 3" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		print_message("%s\n", table[i].what);
		start(&one);
		reload_serve(table[i].fn);
		pthread_join(one.thread, NULL);
		assert_int_equal(one.err, table[i].err);
		assert_string_equal(one.text, table[i].text);
	}
	reload_serve(never);
}

static void test_signal(void **state)
{
	(void)state;
	reload_signal();
	assert_int_equal(sem_trywait(&woken), 0);
	reload_serve(take);
	assert_int_equal(served, 1);
	reload_serve(never);
}

/* One at a time, each by a turn of its own. */
static void test_two_askers(void **state)
{
	(void)state;
	start(&one);
	assert_int_equal(pthread_create(&two.thread, NULL, ask, &two), 0);
	reload_serve(take);
	pthread_join(one.thread, NULL);
	sem_wait(&woken);
	reload_serve(take);
	pthread_join(two.thread, NULL);
	assert_int_equal(served, 2);
	assert_string_not_equal(one.text, two.text);
}

static void test_timeout(void **state)
{
	(void)state;
	shift_s = 10;
	start(&one);
	pthread_join(one.thread, NULL);
	assert_int_equal(one.err, -ETIMEDOUT);
	assert_non_null(strstr(one.text, "has not answered"));
	/* It is still carried out, and nobody waits for that. */
	reload_serve(take);
	assert_int_equal(served, 1);
	reload_serve(never);
	/* The dropped answer is not the next one's. */
	shift_s = 0;
	start(&two);
	reload_serve(refuse);
	pthread_join(two.thread, NULL);
	assert_int_equal(two.err, -EINVAL);
}

/* The first asker gave up and a second one asks while the first question is
 * being worked on: what is read now may be older than the second question. */
static int slow(char *text, size_t size)
{
	pthread_join(one.thread, NULL);
	shift_s = 0;
	start(&two);
	snprintf(text, size, "the first one's answer");
	return 0;
}

static void test_late_answer(void **state)
{
	(void)state;
	shift_s = 10;
	start(&one);
	reload_serve(slow);
	assert_int_equal(one.err, -ETIMEDOUT);
	reload_serve(take);
	pthread_join(two.thread, NULL);
	assert_int_equal(two.err, 0);
	assert_string_equal(two.text, "taken 1");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(test_nobody_asks), T(test_answer),  T(test_signal),
		T(test_two_askers),  T(test_timeout), T(test_late_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
