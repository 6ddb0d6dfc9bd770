// SPDX-License-Identifier: Apache-2.0
/*
 * door.c - the local socket: status, and workers that register themselves
 *
 * Theory of operation: a client is a connection, and each packet a question
 * (hl/worker.h) that is answered at once; an answer that does not fit into the
 * socket, because nobody reads, ends the client. An entry is a registered
 * thread, found by its number through a hash, and by its line through its
 * client. With the connection go the client's entries.
 *
 * A client may be anybody: it gets answers about the agent, and may register
 * threads of its own process, which are then pinned like other workers and no
 * better. Users other than root share DOOR_CLIENTS, each up to USER_CLIENTS, so
 * that none can shut the door on all. No client is ever waited for.
 */
#include "door.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "door_lines.h"
#include "door_listen.h"
#include "door_peer.h"
#include "hl/worker.h"
#include "table.h"

#define USER_CLIENTS (DOOR_CLIENTS / 4)
#define ENTRIES	     WORKER_MAX
#define BUCKETS	     1024
#define NONE	     0xffffu
#define EVENTS	     32
#define PACKETS	     8	/* of one client in one turn */
#define ACCEPTS	     16 /* in one turn */
#define SEND_BYTES   (2 * DOOR_TEXT_MAX)
#define LISTENER     UINT64_MAX

struct entry {
	pid_t tid; /* 0: free */
	uint16_t client, line;
	uint16_t next; /* in its bucket, or free */
};

struct client {
	int fd;	      /* -1: free */
	uint32_t gen; /* tells an event of the one before */
	struct peer peer;
	struct lines lines;
	uint16_t joined;
	uint16_t entry[HL_DOOR_LINES];
};

struct door {
	struct door_ops ops;
	struct door_counts counts;
	int epoll, listener;
	int spare; /* given up to turn somebody away when there is no other */
	uint16_t free; /* entries */
	uint16_t bucket[BUCKETS];
	struct entry entry[ENTRIES];
	struct client client[DOOR_CLIENTS];
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char text[DOOR_TEXT_MAX];
};

/* --- entries ------------------------------------------------------------- */

static uint16_t *bucket_of(struct door *d, pid_t tid)
{
	return &d->bucket[(uint32_t)tid % BUCKETS];
}

static struct entry *entry_find(struct door *d, pid_t tid)
{
	uint16_t i = *bucket_of(d, tid);

	while (i != NONE && d->entry[i].tid != tid)
		i = d->entry[i].next;
	return i == NONE ? NULL : &d->entry[i];
}

static void entry_add(struct door *d, pid_t tid, uint16_t client, uint16_t line)
{
	uint16_t i = d->free, *head = bucket_of(d, tid);
	struct entry *e = &d->entry[i];

	d->free = e->next;
	*e = (struct entry){ tid, client, line, *head };
	*head = i;
	d->client[client].entry[line] = i;
	d->client[client].joined++;
	d->counts.registered++;
	lines_set(&d->client[client].lines, line, HL_WORKER_RIDING,
		  HL_VCPU_NONE);
}

static void entry_del(struct door *d, struct entry *e)
{
	uint16_t i = (uint16_t)(e - d->entry);
	uint16_t *link = bucket_of(d, e->tid);
	struct client *c = &d->client[e->client];

	while (*link != i)
		link = &d->entry[*link].next;
	*link = e->next;
	lines_set(&c->lines, e->line, HL_WORKER_RIDING, HL_VCPU_NONE);
	c->entry[e->line] = NONE;
	c->joined--;
	d->counts.registered--;
	e->tid = 0;
	e->next = d->free;
	d->free = i;
}

void door_forget(struct door *d, pid_t tid)
{
	struct entry *e = entry_find(d, tid);

	if (e)
		entry_del(d, e);
}

void door_tell(struct door *d, pid_t tid, uint16_t vcpu, int leaving)
{
	struct entry *e = entry_find(d, tid);
	enum hl_worker_state state = HL_WORKER_PLACED;

	if (!e)
		return;
	if (leaving)
		state = HL_WORKER_TAKEN;
	else if (vcpu == HL_VCPU_NONE)
		state = HL_WORKER_RIDING;
	lines_set(&d->client[e->client].lines, e->line, state, vcpu);
}

/* --- clients ------------------------------------------------------------- */

static void leave(struct door *d, struct entry *e)
{
	pid_t tid = e->tid;

	entry_del(d, e);
	d->ops.leave(d->ops.arg, tid);
}

static void client_drop(struct door *d, struct client *c)
{
	for (unsigned i = 0; i < HL_DOOR_LINES && c->joined; i++)
		if (c->entry[i] != NONE)
			leave(d, &d->entry[c->entry[i]]);
	lines_close(&c->lines);
	close(c->fd);
	c->fd = -1;
	c->gen++;
	d->counts.clients--;
}

/* Return: 0, or -errno: nothing was sent. */
static int answer(int sock, struct hl_door_answer *a, char *text, int fd)
{
	struct iovec iov[2] = { { a, sizeof(*a) }, { text, a->bytes } };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	struct cmsghdr *c;

	if (fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	if (sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

/* Somebody of the same process, or left over from a thread of that number? */
static int join_twice(struct door *d, struct client *c, struct entry *e,
		      uint32_t *line)
{
	struct client *other = &d->client[e->client];

	if (other == c) {
		*line = e->line;
		return 0;
	}
	if (other->peer.pid == c->peer.pid &&
	    other->peer.started == c->peer.started)
		return -EEXIST;
	leave(d, e);
	return 1;
}

static int join(struct door *d, struct client *c, pid_t theirs, uint32_t *line)
{
	pid_t tid = peer_thread(&c->peer, theirs);
	struct entry *e;
	uint16_t i = 0;
	int rc;

	if (!c->peer.pid)
		return -EPERM;
	if (tid < 0)
		return tid;
	e = entry_find(d, tid);
	if (e) {
		rc = join_twice(d, c, e, line);
		if (rc <= 0)
			return rc;
	}
	while (i < HL_DOOR_LINES && c->entry[i] != NONE)
		i++;
	if (i == HL_DOOR_LINES || d->free == NONE)
		return -ENOSPC;
	if (!c->lines.at) {
		rc = lines_open(&c->lines);
		if (rc)
			return rc;
	}
	rc = d->ops.join(d->ops.arg, tid, c->peer.pid);
	if (rc < 0)
		return rc;
	entry_add(d, tid, (uint16_t)(c - d->client), i);
	*line = i;
	return 0;
}

static int part(struct door *d, struct client *c, pid_t theirs)
{
	pid_t tid = peer_thread(&c->peer, theirs);
	struct entry *e = tid > 0 ? entry_find(d, tid) : NULL;

	if (!e || &d->client[e->client] != c)
		return -ESRCH;
	leave(d, e);
	return 0;
}

/* Return: false: the client is to be dropped. */
static bool handle(struct door *d, struct client *c,
		   const struct hl_door_ask *ask)
{
	struct hl_door_answer a = { .version = HL_DOOR_VERSION };
	int fd = -1;

	if (ask->version != HL_DOOR_VERSION)
		return false;
	switch (ask->kind) {
	case HL_DOOR_STATUS:
		a.bytes = (uint32_t)d->ops.status(d->ops.arg, d->text,
						  sizeof(d->text), ask->arg);
		break;
	case HL_DOOR_JOIN:
		a.err = join(d, c, ask->arg, &a.line);
		if (a.err)
			d->counts.refused++;
		else
			fd = c->lines.fd;
		break;
	case HL_DOOR_LEAVE:
		a.err = part(d, c, ask->arg);
		break;
	default:
		return false;
	}
	return !answer(c->fd, &a, d->text, fd);
}

static void client_turn(struct door *d, struct client *c)
{
	struct hl_door_ask ask;
	ssize_t n;

	for (unsigned i = 0; i < PACKETS; i++) {
		n = recv(c->fd, &ask, sizeof(ask), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			client_drop(d, c);
			return;
		}
		if (n != sizeof(ask) || !handle(d, c, &ask)) {
			d->counts.dropped++;
			client_drop(d, c);
			return;
		}
	}
}

/* --- who comes in -------------------------------------------------------- */

static struct client *client_free(struct door *d, uid_t uid)
{
	struct client *free = NULL;
	unsigned same = 0;

	for (unsigned i = 0; i < DOOR_CLIENTS; i++) {
		if (d->client[i].fd < 0)
			free = &d->client[i];
		else
			same += d->client[i].peer.uid == uid;
	}
	return uid && same >= USER_CLIENTS ? NULL : free;
}

static void turn_away(struct door *d, int fd)
{
	struct hl_door_answer a = { .version = HL_DOOR_VERSION,
				    .err = -EUSERS };
	struct hl_door_ask ask;

	/* a question left unread would cost the client the answer */
	if (recv(fd, &ask, sizeof(ask), MSG_DONTWAIT) >= 0 || errno == EAGAIN)
		answer(fd, &a, NULL, -1);
	close(fd);
	d->counts.full++;
}

static void take_in(struct door *d, int fd)
{
	const int bytes = SEND_BYTES;
	struct epoll_event e = { .events = EPOLLIN };
	struct client *c;
	struct peer peer;

	if (peer_of(fd, &peer)) {
		close(fd);
		return;
	}
	c = client_free(d, peer.uid);
	if (!c) {
		turn_away(d, fd);
		return;
	}
	/* one whole answer must fit, whatever the machine's default is */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	e.data.u64 = (uint64_t)c->gen << 32 | (uint64_t)(c - d->client);
	if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &e)) {
		turn_away(d, fd);
		return;
	}
	c->fd = fd;
	c->peer = peer;
	d->counts.clients++;
}

static void let_in(struct door *d)
{
	for (unsigned i = 0; i < ACCEPTS; i++) {
		int fd = accept4(d->listener, NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			take_in(d, fd);
			continue;
		}
		if ((errno != EMFILE && errno != ENFILE) || d->spare < 0)
			return;
		/* or the listener would stay readable for ever */
		close(d->spare);
		fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			turn_away(d, fd);
		d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
}

void door_turn(struct door *d)
{
	struct epoll_event e[EVENTS];
	int n = epoll_wait(d->epoll, e, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		struct client *c;

		if (e[i].data.u64 == LISTENER) {
			let_in(d);
			continue;
		}
		c = &d->client[e[i].data.u64 & 0xffffffff];
		/* it may be another by now */
		if (c->fd >= 0 && c->gen == (uint32_t)(e[i].data.u64 >> 32))
			client_turn(d, c);
	}
}

/* --- opening and closing ------------------------------------------------- */

static void tables_init(struct door *d)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		d->bucket[i] = NONE;
	for (unsigned i = 0; i < ENTRIES; i++)
		d->entry[i].next = (uint16_t)(i + 1 < ENTRIES ? i + 1 : NONE);
	for (unsigned i = 0; i < DOOR_CLIENTS; i++) {
		d->client[i].fd = d->client[i].lines.fd = -1;
		memset(d->client[i].entry, 0xff, sizeof(d->client[i].entry));
	}
}

int door_open(struct door **out, const char *path, const struct door_ops *ops)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = LISTENER };
	struct door *d;
	int err;

	if (strlen(path) >= sizeof(d->path))
		return -ENAMETOOLONG;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->ops = *ops;
	memcpy(d->path, path, strlen(path) + 1);
	tables_init(d);
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (d->epoll < 0) {
		err = -errno;
		goto err_free;
	}
	d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (d->spare < 0) {
		err = -errno;
		goto err_epoll;
	}
	d->listener = door_listen(path);
	if (d->listener < 0) {
		err = d->listener;
		goto err_spare;
	}
	if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->listener, &e)) {
		err = -errno;
		goto err_listener;
	}
	*out = d;
	return 0;

err_listener:
	unlink(path);
	close(d->listener);
err_spare:
	close(d->spare);
err_epoll:
	close(d->epoll);
err_free:
	free(d);
	return err;
}

void door_close(struct door *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < DOOR_CLIENTS; i++)
		if (d->client[i].fd >= 0)
			client_drop(d, &d->client[i]);
	unlink(d->path);
	close(d->listener);
	close(d->spare);
	close(d->epoll);
	free(d);
}

int door_fd(const struct door *d)
{
	return d->epoll;
}

void door_counts(const struct door *d, struct door_counts *out)
{
	*out = d->counts;
}
