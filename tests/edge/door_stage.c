// SPDX-License-Identifier: Apache-2.0
/*
 * door_stage.c - a door in a thread, as in the agent, and its clients
 */
#include "tests/edge/door_stage.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

char dir[64], path[96];
struct door *door;
static pthread_t thread;
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool ending;

/* --- the agent ----------------------------------------------------------- */

pid_t joined[JOINED_MAX];
unsigned joins, leaves;
int join_err;
size_t text_bytes;

static size_t on_status(void *arg, char *buf, size_t size, int json)
{
	assert_ptr_equal(arg, &joined);
	assert_int_equal(size, DOOR_TEXT_MAX);
	if (text_bytes) {
		memset(buf, 'x', text_bytes);
		return text_bytes;
	}
	return (size_t)snprintf(buf, size, json ? "{\"state\":1}\n" : "well\n");
}

static int on_join(void *arg, pid_t tid, pid_t tgid)
{
	char task[64];

	assert_ptr_equal(arg, &joined);
	snprintf(task, sizeof(task), "/proc/%d/task/%d", tgid, tid);
	assert_int_equal(access(task, F_OK), 0);
	if (join_err)
		return join_err;
	for (unsigned i = 0; i < JOINED_MAX; i++) {
		assert_int_not_equal(joined[i], tid);
		if (joined[i])
			continue;
		joined[i] = tid;
		joins++;
		return (int)i;
	}
	return -ENOSPC;
}

static void on_leave(void *arg, pid_t tid)
{
	assert_ptr_equal(arg, &joined);
	for (unsigned i = 0; i < JOINED_MAX; i++) {
		if (joined[i] != tid)
			continue;
		joined[i] = 0;
		leaves++;
		return;
	}
	fail_msg("%d left, who never joined", tid);
}

const struct door_ops ops = { on_status, on_join, on_leave, &joined };

static void *agent(void *arg)
{
	struct pollfd p = { .fd = door_fd(door), .events = POLLIN };

	while (!__atomic_load_n(&ending, __ATOMIC_ACQUIRE)) {
		if (poll(&p, 1, 10) <= 0)
			continue;
		pthread_mutex_lock(&lock);
		door_turn(door);
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/hl-door-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	memset(joined, 0, sizeof(joined));
	joins = leaves = 0;
	join_err = 0;
	text_bytes = 0;
	ending = false;
}

void start(void)
{
	setup();
	assert_int_equal(door_open(&door, path, &ops), 0);
	assert_int_equal(pthread_create(&thread, NULL, agent, NULL), 0);
}

void stop(void)
{
	__atomic_store_n(&ending, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	door_close(door);
	door = NULL;
	assert_int_equal(joins, leaves);
	assert_int_equal(access(path, F_OK), -1);
	rmdir(dir);
}

struct door_counts counts(void)
{
	struct door_counts c;

	pthread_mutex_lock(&lock);
	door_counts(door, &c);
	pthread_mutex_unlock(&lock);
	return c;
}

void tell(pid_t tid, uint16_t vcpu, int leaving)
{
	pthread_mutex_lock(&lock);
	door_tell(door, tid, vcpu, leaving);
	pthread_mutex_unlock(&lock);
}

/* Wait until the door has so many clients and workers. */
void await(uint32_t clients, uint32_t registered)
{
	struct door_counts c;

	for (unsigned ms = 0; ms < LIMIT_MS; ms++) {
		c = counts();
		if (c.clients == clients && c.registered == registered)
			return;
		poll(NULL, 0, 1);
	}
	fail_msg("%u clients, %u workers", c.clients, c.registered);
}

int ask_status(struct hl_door *d, int json, char *text, size_t size)
{
	static char packet[sizeof(struct hl_door_answer) + DOOR_TEXT_MAX];
	struct hl_door_answer a;
	int fd, err = hl_door_call(d, HL_DOOR_STATUS, json, &a, packet,
				   sizeof(packet), &fd);

	if (!err)
		snprintf(text, size, "%.*s", (int)a.bytes, packet + sizeof(a));
	return err;
}

int raw_client(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

int raw_join(int fd, int32_t tid)
{
	struct hl_door_ask ask = { HL_DOOR_VERSION, HL_DOOR_JOIN, tid, 0 };
	struct hl_door_answer a;
	int got;

	assert_int_equal(send(fd, &ask, sizeof(ask), MSG_NOSIGNAL),
			 sizeof(ask));
	assert_int_equal(hl_door_receive(fd, &a, sizeof(a), &got), sizeof(a));
	if (got >= 0)
		close(got);
	assert_int_equal(got >= 0, a.err == 0);
	return a.err;
}
