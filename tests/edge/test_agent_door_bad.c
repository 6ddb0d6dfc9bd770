// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_door_bad.c - bad clients, full tables, and each step of a set-up
 * made to fail
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/edge/door_stage.h"
#include "tests/fake/fake_fail.h"

/* --- bad clients --------------------------------------------------------- */

static void test_nonsense(void **state)
{
	static const struct {
		const char *what;
		struct hl_door_ask ask;
		size_t bytes;
	} row[] = {
		{ "too short", { HL_DOOR_VERSION, HL_DOOR_STATUS, 0, 0 }, 15 },
		{ "one byte", { 0 }, 1 },
		{ "too long", { HL_DOOR_VERSION, HL_DOOR_STATUS, 0, 0 }, 17 },
		{ "much too long",
		  { HL_DOOR_VERSION, HL_DOOR_STATUS, 0, 0 },
		  4096 },
		{ "another version", { 2, HL_DOOR_STATUS, 0, 0 }, 16 },
		{ "no kind", { HL_DOOR_VERSION, 0, 0, 0 }, 16 },
		{ "unknown kind", { HL_DOOR_VERSION, 4, 0, 0 }, 16 },
	};
	char packet[4096];

	(void)state;
	start();
	for (unsigned i = 0; i < LEN(row); i++) {
		int fd = raw_client();
		struct pollfd p = { .fd = fd, .events = POLLIN };

		memset(packet, 0, sizeof(packet));
		memcpy(packet, &row[i].ask, sizeof(row[i].ask));
		assert_int_equal(send(fd, packet, row[i].bytes, 0),
				 row[i].bytes);
		assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
		if (recv(fd, packet, sizeof(packet), 0) > 0)
			fail_msg("%s: answered", row[i].what);
		close(fd);
		await(0, 0);
		assert_int_equal(counts().dropped, i + 1);
	}
	stop();
}

/* Who asks and does not read is dropped, and holds up nobody. */
static void test_deaf_client(void **state)
{
	const struct hl_door_ask ask = { HL_DOOR_VERSION, HL_DOOR_STATUS, 0,
					 0 };
	struct hl_door d;
	char text[64];
	int fd;

	(void)state;
	start();
	text_bytes = DOOR_TEXT_MAX;
	fd = raw_client();
	for (unsigned i = 0; i < 1000 && counts().dropped == 0; i++) {
		if (send(fd, &ask, sizeof(ask), MSG_NOSIGNAL | MSG_DONTWAIT) <
		    0)
			poll(NULL, 0, 1);
		if (i == 3) {
			assert_int_equal(hl_door_open(&d, path), 0);
			assert_int_equal(ask_status(&d, 0, text, sizeof(text)),
					 0);
			hl_door_close(&d);
		}
	}
	await(0, 0);
	assert_int_equal(counts().dropped, 1);
	close(fd);
	stop();
}

static void test_full(void **state)
{
	struct hl_door d[DOOR_CLIENTS], more;
	char text[64];
	int err;

	(void)state;
	start();
	for (unsigned i = 0; i < DOOR_CLIENTS; i++)
		assert_int_equal(hl_door_open(&d[i], path), 0);
	await(DOOR_CLIENTS, 0);
	assert_int_equal(hl_door_open(&more, path), 0);
	/* turned away before or after it asked */
	err = ask_status(&more, 0, text, sizeof(text));
	assert_true(err == -EUSERS || err == -ECONNRESET);
	hl_door_close(&more);
	assert_int_equal(counts().full, 1);
	/* waits for the answer first: always told why */
	assert_int_equal(hl_door_open(&more, path), 0);
	poll(&(struct pollfd){ more.fd, POLLIN, 0 }, 1, LIMIT_MS);
	assert_int_equal(ask_status(&more, 0, text, sizeof(text)), -EUSERS);
	hl_door_close(&more);
	hl_door_close(&d[7]);
	await(DOOR_CLIENTS - 1, 0);
	assert_int_equal(hl_door_open(&d[7], path), 0);
	assert_int_equal(ask_status(&d[7], 0, text, sizeof(text)), 0);
	for (unsigned i = 0; i < DOOR_CLIENTS; i++)
		hl_door_close(&d[i]);
	await(0, 0);
	stop();
}

/* A user other than root cannot take all of it. */
static void test_full_for_one(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid())
		skip();
	start();
	assert_int_equal(chmod(dir, 0755), 0);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct hl_door d;
		char text[64];
		int err = 0;
		unsigned n;

		if (setresuid(65534, 65534, 65534))
			_exit(1);
		for (n = 0; n < DOOR_CLIENTS && !err; n++)
			err = hl_door_open(&d, path)
				  ?: ask_status(&d, 0, text, sizeof(text));
		_exit(n != DOOR_CLIENTS / 4 + 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	await(0, 0);
	stop();
}

static void *sleeper(void *arg)
{
	struct hl_worker w;

	hl_worker_open(&w, arg);
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* HL_DOOR_LINES workers a door, and not one more. */
static void test_lines_full(void **state)
{
	static pthread_t t[HL_DOOR_LINES];
	pthread_attr_t small;
	struct hl_worker w;
	struct hl_door d;

	(void)state;
	start();
	assert_int_equal(hl_door_open(&d, path), 0);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (unsigned i = 0; i < HL_DOOR_LINES; i++)
		assert_int_equal(pthread_create(&t[i], &small, sleeper, &d), 0);
	await(1, HL_DOOR_LINES);
	assert_int_equal(hl_worker_open(&w, &d), -ENOSPC);
	for (unsigned i = 0; i < HL_DOOR_LINES; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(counts().refused, 1);
	hl_door_close(&d);
	await(0, 0);
	stop();
}

/* --- opening ------------------------------------------------------------- */

static int listener_at(const char *at)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", at);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void test_in_use(void **state)
{
	struct door *other = NULL;
	struct stat st;
	char longer[200];
	FILE *f;
	int fd;

	(void)state;
	setup();
	/* left over from somebody who was killed */
	fd = listener_at(path);
	close(fd);
	assert_int_equal(door_open(&door, path, &ops), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	/* alive */
	assert_int_equal(door_open(&other, path, &ops), -EADDRINUSE);
	door_close(door);
	/* alive, of another kind */
	fd = listener_at(path);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(door_open(&door, path, &ops), -EADDRINUSE);
	close(fd);
	unlink(path);
	/* no socket: not ours to remove */
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(door_open(&door, path, &ops), -EEXIST);
	assert_int_equal(unlink(path), 0);
	memset(longer, 'x', sizeof(longer));
	longer[199] = '\0';
	assert_int_equal(door_open(&door, longer, &ops), -ENAMETOOLONG);
	assert_int_equal(door_open(&door, "/nowhere/sock", &ops), -ENOENT);
	door_close(NULL);
	rmdir(dir);
}

static void test_open_fails(void **state)
{
	static const struct {
		const char *call;
		unsigned skip;
		int err;
	} row[] = {
		{ "calloc", 0, ENOMEM },    { "epoll_create1", 0, EMFILE },
		{ "open", 0, EMFILE },	    { "socket", 0, EMFILE },
		{ "bind", 0, EACCES },	    { "socket", 1, EMFILE },
		{ "connect", 0, EACCES },   { "bind", 1, ENOSPC },
		{ "chmod", 0, EPERM },	    { "listen", 0, EOPNOTSUPP },
		{ "epoll_ctl", 0, ENOSPC },
	};
	unsigned before;

	(void)state;
	setup();
	before = fail_open();
	for (unsigned i = 0; i < LEN(row); i++) {
		int err;

		unlink(path);
		close(
		    listener_at(path)); /* stale, so that all steps are gone */
		if (!strcmp(row[i].call, "bind") && !row[i].skip)
			unlink(path);
		fail_next(row[i].call, row[i].skip, row[i].err);
		err = door_open(&door, path, &ops);
		if (!strcmp(row[i].call, "connect")) {
			/* not refused: somebody may be there */
			assert_int_equal(err, -EADDRINUSE);
		} else if (err != -row[i].err) {
			fail_msg("%s %u: %d", row[i].call, row[i].skip, err);
		}
		assert_true(fail_done());
		if (fail_open() != before)
			fail_msg("%s %u: leaks", row[i].call, row[i].skip);
	}
	fail_next(NULL, 0, 0);
	unlink(path);
	rmdir(dir);
}

/* A client in whose turn @call fails: set up while the door stands still, which
 * may still be looking for more after the last one. */
static int unlucky_client(const char *call, int err)
{
	int fd;

	pthread_mutex_lock(&lock);
	fail_next(call, 0, err);
	fd = raw_client();
	pthread_mutex_unlock(&lock);
	return fd;
}

/* What can fail when a worker joins. */
static void test_join_fails(void **state)
{
	static const struct {
		const char *call;
		int err;
	} row[] = {
		{ "memfd_create", EMFILE },
		{ "ftruncate", ENOSPC },
		{ "mmap", ENOMEM },
		{ "fcntl", EINVAL },
	};
	unsigned before;
	int fd;

	(void)state;
	start();
	fd = raw_client();
	await(1, 0);
	before = fail_open();
	for (unsigned i = 0; i < LEN(row); i++) {
		fail_next(row[i].call, 0, row[i].err);
		assert_int_equal(raw_join(fd, gettid()), -row[i].err);
		assert_true(fail_done());
		assert_int_equal(fail_open(), before);
		assert_int_equal(joins, 0);
	}
	assert_int_equal(raw_join(fd, gettid()), 0);
	close(fd);
	await(0, 0);
	/* out of descriptors: turned away, not left at the door */
	for (unsigned i = 0; i < 3; i++) {
		fd = unlucky_client(i == 2 ? "getsockopt" : "accept4", EMFILE);
		assert_int_equal(
		    poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, LIMIT_MS), 1);
		assert_true(fail_done());
		close(fd);
	}
	assert_int_equal(counts().full, 2);
	fd = unlucky_client("epoll_ctl", ENOSPC);
	assert_int_equal(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, LIMIT_MS),
			 1);
	close(fd);
	await(0, 0);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_deaf_client),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_full_for_one),
		cmocka_unit_test(test_lines_full),
		cmocka_unit_test(test_in_use),
		cmocka_unit_test(test_open_fails),
		cmocka_unit_test(test_join_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
