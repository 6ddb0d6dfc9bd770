// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_door.c - the local socket, from both sides: status and workers
 */
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "guest-agent/status.h"
#include "tests/edge/door_stage.h"

/* --- status -------------------------------------------------------------- */

static void test_status(void **state)
{
	struct hl_door d;
	char text[64];

	(void)state;
	start();
	assert_int_equal(hl_door_open(&d, path), 0);
	assert_true(hl_door_there(&d));
	assert_int_equal(ask_status(&d, 0, text, sizeof(text)), 0);
	assert_string_equal(text, "well\n");
	assert_int_equal(ask_status(&d, 1, text, sizeof(text)), 0);
	assert_string_equal(text, "{\"state\":1}\n");
	/* the longest there can be arrives whole */
	text_bytes = DOOR_TEXT_MAX;
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(ask_status(&d, 0, text, sizeof(text)), 0);
	assert_int_equal(strspn(text, "x"), sizeof(text) - 1);
	hl_door_close(&d);
	await(0, 0);
	stop();
}

/* The command, in a child whose output is kept. */
static int command(const char *const *argv, char *out, size_t size)
{
	char *args[5] = { 0 };
	int fd[2], status, argc = 0;
	ssize_t n = 0, got = 0;
	pid_t pid;

	for (; argv[argc]; argc++)
		args[argc] = (char *)(uintptr_t)argv[argc];
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(fd[1], STDOUT_FILENO);
		dup2(fd[1], STDERR_FILENO);
		status = status_main(argc, args);
		fflush(stdout);
		_exit(status);
	}
	close(fd[1]);
	while ((size_t)got < size - 1 &&
	       (n = read(fd[0], out + got, size - 1 - (size_t)got)) > 0)
		got += n;
	out[got] = '\0';
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_command(void **state)
{
	const struct {
		const char *argv[5];
		int code;
		const char *says;
	} row[] = {
		{ { "status", "--socket", path }, 0, "well\n" },
		{ { "status", "--json", "--socket", path }, 0, "{\"state\"" },
		{ { "status", "--help" }, 0, "usage: guest-agent status" },
		{ { "status", "--jsn" }, 2, "usage: guest-agent status" },
		{ { "status", "--socket" }, 2, "usage: guest-agent status" },
		{ { "status", "--socket", "/nowhere" },
		  1,
		  "no guest-agent runs here: systemctl start guest-agent" },
	};
	char out[256];

	(void)state;
	start();
	fflush(stdout);
	for (unsigned i = 0; i < LEN(row); i++) {
		int code = command(row[i].argv, out, sizeof(out));

		if (code != row[i].code || !strstr(out, row[i].says))
			fail_msg("%s %s: %d, %s", row[i].argv[0],
				 row[i].argv[1], code, out);
	}
	await(0, 0);
	stop();
	/* and when it is gone */
	assert_int_equal(command(row[0].argv, out, sizeof(out)), 1);
	assert_non_null(strstr(out, "no guest-agent runs here"));
}

/* --- workers ------------------------------------------------------------- */

static void test_worker(void **state)
{
	struct hl_worker w;
	struct hl_door d;
	uint32_t seq;

	(void)state;
	start();
	assert_int_equal(hl_door_open(&d, path), 0);
	assert_int_equal(hl_worker_open(&w, &d), 0);
	assert_int_equal(joins, 1);
	assert_int_equal(joined[0], gettid());
	assert_int_equal(hl_worker_state(&w), HL_WORKER_RIDING);
	assert_int_equal(hl_worker_vcpu(&w), HL_VCPU_NONE);
	seq = hl_worker_seq(&w);
	assert_true(seq != 0);

	tell(gettid(), 3, 0);
	assert_int_equal(hl_worker_state(&w), HL_WORKER_PLACED);
	assert_int_equal(hl_worker_vcpu(&w), 3);
	assert_false(hl_worker_taken(&w));
	assert_true(hl_worker_seq(&w) != seq);
	/* too late for a wait */
	assert_int_equal(hl_worker_wait(&w, seq, 60000), 0);
	seq = hl_worker_seq(&w);
	tell(gettid(), 3, 0);
	assert_int_equal(hl_worker_seq(&w), seq); /* the same again */
	assert_int_equal(hl_worker_wait(&w, seq, 1), -ETIMEDOUT);
	tell(gettid(), 3, 1);
	assert_true(hl_worker_taken(&w));
	tell(gettid(), HL_VCPU_NONE, 0);
	assert_int_equal(hl_worker_state(&w), HL_WORKER_RIDING);
	tell(1, 3, 1); /* none of ours */

	/* joined twice is joined once */
	assert_int_equal(hl_worker_open(&w, &d), 0);
	assert_int_equal(joins, 1);
	hl_worker_close(&w, &d);
	hl_worker_close(&w, &d);
	assert_int_equal(leaves, 1);
	assert_int_equal(hl_worker_state(&w), HL_WORKER_RIDING);
	assert_int_equal(counts().registered, 0);
	hl_door_close(&d);
	stop();
}

static struct hl_worker waiter;

static void *wait_for_word(void *arg)
{
	struct hl_door *d = arg;

	if (hl_worker_open(&waiter, d))
		return NULL;
	for (uint32_t seq; !hl_worker_taken(&waiter);) {
		seq = hl_worker_seq(&waiter);
		if (!hl_worker_taken(&waiter) &&
		    hl_worker_wait(&waiter, seq, LIMIT_MS))
			return NULL;
	}
	hl_worker_close(&waiter, d);
	return arg;
}

/* A thread that sleeps is woken by the change. */
static void test_wakes(void **state)
{
	struct hl_door d;
	pthread_t t;
	void *got;

	(void)state;
	start();
	assert_int_equal(hl_door_open(&d, path), 0);
	assert_int_equal(pthread_create(&t, NULL, wait_for_word, &d), 0);
	await(1, 1);
	tell(joined[0], 2, 0);
	tell(joined[0], 2, 1);
	assert_int_equal(pthread_join(t, &got), 0);
	assert_ptr_equal(got, &d);
	hl_door_close(&d);
	stop();
}

static void *join_and_look(void *arg)
{
	struct hl_door *d = arg;
	struct hl_worker w;

	for (unsigned i = 0; i < 50; i++) {
		if (hl_worker_open(&w, d))
			return NULL;
		tell(w.tid, (uint16_t)(w.tid % 512), 0);
		if (hl_worker_vcpu(&w) != w.tid % 512)
			return NULL;
		hl_worker_close(&w, d);
	}
	return arg;
}

/* Many threads, one door: each has its own answers and its own line. */
static void test_many(void **state)
{
	struct hl_door d;
	pthread_t t[16];
	void *got;

	(void)state;
	start();
	assert_int_equal(hl_door_open(&d, path), 0);
	for (unsigned i = 0; i < LEN(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, join_and_look, &d),
				 0);
	for (unsigned i = 0; i < LEN(t); i++) {
		assert_int_equal(pthread_join(t[i], &got), 0);
		assert_ptr_equal(got, &d);
	}
	assert_int_equal(joins, 50 * LEN(t));
	hl_door_close(&d);
	stop();
}

/* The end of the connection is the end of its workers. */
static void test_eof(void **state)
{
	struct hl_worker w;
	struct hl_door d;
	int status;
	pid_t pid;

	(void)state;
	start();
	fflush(stdout);
	for (unsigned i = 0; i < 3; i++) {
		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			if (hl_door_open(&d, path) || hl_worker_open(&w, &d))
				_exit(1);
			raise(SIGKILL);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		await(0, 0);
	}
	assert_int_equal(joins, 3);
	assert_int_equal(leaves, 3);
	stop();
}

/* Only one's own threads. */
static void test_whose(void **state)
{
	static const struct {
		const char *what;
		int32_t tid; /* 0: the child's own; -1: the test's */
	} row[] = {
		{ "the parent's", -1 },
		{ "init's", 1 },
		{ "nobody's", 0x7fffffff },
		{ "negative", -7 },
	};
	struct hl_worker w;
	struct hl_door d;
	int status, fd;
	pid_t pid;

	(void)state;
	start();
	assert_int_equal(hl_door_open(&d, path), 0);
	fflush(stdout);
	for (unsigned i = 0; i < LEN(row); i++) {
		const pid_t me = getpid();

		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			fd = raw_client();
			_exit(
			    raw_join(fd, row[i].tid == -1 ? me : row[i].tid) !=
				-ESRCH ||
			    raw_join(fd, getpid()));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			fail_msg("%s", row[i].what);
	}
	/* a child with its parent's door: says so itself, and the agent too */
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(hl_worker_open(&w, &d) != -EPERM ||
		      raw_join(d.fd, getpid()) != -ESRCH);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	assert_int_equal(counts().refused, LEN(row) + 1);
	/* the same thread through two doors */
	assert_int_equal(hl_worker_open(&w, &d), 0);
	fd = raw_client();
	assert_int_equal(raw_join(fd, gettid()), -EEXIST);
	close(fd);
	hl_worker_close(&w, &d);
	hl_door_close(&d);
	stop();
}

/* In a pid namespace a thread knows another number of itself. */
static void test_namespace(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	start();
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct hl_worker w;
		struct hl_door d;

		if (unshare(CLONE_NEWPID))
			_exit(77);
		pid = fork();
		if (pid) {
			waitpid(pid, &status, 0);
			_exit(WEXITSTATUS(status));
		}
		_exit(getpid() != 1 || hl_door_open(&d, path) ||
		      hl_worker_open(&w, &d));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	await(0, 0);
	if (WEXITSTATUS(status) != 77) {
		assert_int_equal(WEXITSTATUS(status), 0);
		assert_int_equal(joins, 1);
	}
	stop();
}

/* The agent has no room, or the thread went and its number came back. */
static void test_refused(void **state)
{
	struct hl_worker w;
	struct hl_door d;

	(void)state;
	start();
	assert_int_equal(hl_door_open(&d, path), 0);
	join_err = -ENOSPC;
	assert_int_equal(hl_worker_open(&w, &d), -ENOSPC);
	assert_int_equal(hl_worker_state(&w), HL_WORKER_RIDING);
	assert_int_equal(hl_worker_wait(&w, 0, 1), -ETIMEDOUT);
	join_err = 0;
	assert_int_equal(hl_worker_open(&w, &d), 0);
	/* the agent saw it exit: its line is free, and it may come again */
	pthread_mutex_lock(&lock);
	door_forget(door, gettid());
	door_forget(door, gettid());
	joined[0] = 0;
	leaves++;
	pthread_mutex_unlock(&lock);
	assert_int_equal(counts().registered, 0);
	assert_int_equal(hl_worker_open(&w, &d), 0);
	assert_int_equal(w.line_no, 0);
	hl_door_close(&d);
	await(0, 0);
	stop();
}

/* The memory is for reading, and stays as large as it is. */
static void test_sealed(void **state)
{
	struct hl_door_ask ask = { HL_DOOR_VERSION, HL_DOOR_JOIN, gettid(), 0 };
	struct hl_door_answer a;
	void *map;
	int fd, mem;

	(void)state;
	start();
	fd = raw_client();
	assert_int_equal(send(fd, &ask, sizeof(ask), 0), sizeof(ask));
	assert_int_equal(hl_door_receive(fd, &a, sizeof(a), &mem), sizeof(a));
	assert_true(mem >= 0);
	assert_int_equal(ftruncate(mem, 0), -1);
	assert_int_equal(ftruncate(mem, 1 << 20), -1);
	assert_int_equal(pwrite(mem, "x", 1, 0), -1);
	assert_int_equal(
	    fallocate(mem, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096),
	    -1);
	assert_int_equal(fcntl(mem, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_ptr_equal(
	    mmap(NULL, 64, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0),
	    MAP_FAILED);
	map = mmap(NULL, 64, PROT_READ, MAP_SHARED, mem, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(mprotect(map, 64, PROT_READ | PROT_WRITE), -1);
	munmap(map, 64);
	close(mem);
	close(fd);
	await(0, 0);
	stop();
}

/* An agent that goes leaves nobody in the belief that its vcpu is taken. */
static void test_agent_goes(void **state)
{
	struct hl_worker w;
	struct hl_door d;

	(void)state;
	start();
	assert_int_equal(hl_door_open(&d, path), 0);
	assert_int_equal(hl_worker_open(&w, &d), 0);
	tell(gettid(), 1, 1);
	assert_true(hl_worker_taken(&w));
	stop();
	assert_false(hl_worker_taken(&w));
	assert_false(hl_door_there(&d));
	hl_worker_close(&w, &d);
	assert_int_equal(hl_worker_open(&w, &d), -ENOTCONN);
	assert_false(hl_worker_taken(&w));
	hl_door_close(&d);
}

/* --- the example --------------------------------------------------------- */

/* docs/workers.md's program, with an agent that takes vcpus all the time. */
static void test_example(void **state)
{
	char self[512], program[600], out[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	unsigned long given = 0;
	int fd[2], status;
	unsigned turn = 0;
	pid_t pid;

	(void)state;
	assert_true(n > 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(program, sizeof(program), "%s/../load/cooperate", self);
	start();
	assert_int_equal(pipe(fd), 0);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(fd[1], STDOUT_FILENO);
		execl(program, program, "100000", path, NULL);
		_exit(99);
	}
	close(fd[1]);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		pthread_mutex_lock(&lock);
		for (unsigned i = 0; i < 2; i++)
			door_tell(door, joined[i], 1, turn & 1);
		pthread_mutex_unlock(&lock);
		turn++;
		poll(NULL, 0, 1);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	n = read(fd[0], out, sizeof(out) - 1);
	assert_true(n > 0);
	out[n] = '\0';
	close(fd[0]);
	assert_int_equal(sscanf(out, "agent, %lu pieces given back", &given),
			 1);
	assert_int_equal(joins, 2);
	assert_true(given > 0);
	await(0, 0);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_wakes),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_eof),
		cmocka_unit_test(test_whose),
		cmocka_unit_test(test_namespace),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_agent_goes),
		cmocka_unit_test(test_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
