/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h - for applications: register a thread, learn what its vcpu is up to
 *
 * For C11 and C++17, all in this header, nothing but the C library. It talks to
 * the guest-agent of the machine it runs in; without one every call says so and
 * the application goes on as it would have. docs/workers.md says when it pays.
 *
 *	struct hl_door door;		one in a process
 *	struct hl_worker me;		one in each thread that registers
 *
 *	hl_door_open(&door, NULL);
 *	hl_worker_open(&me, &door);
 *	for (;;) {
 *		job = next_job();
 *		...
 *		if (hl_worker_taken(&me))	one load
 *			finish soon, start nothing long
 *	}
 *	hl_worker_close(&me, &door);
 *	hl_door_close(&door);
 *
 * A worker is pinned by the agent while it is one; it should not set its own
 * affinity. After fork() the child has no door: it opens its own.
 *
 * Below the calls is what goes over the socket, for the agent as for them.
 */
#ifndef HL_WORKER_H
#define HL_WORKER_H

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- what both sides know ------------------------------------------------- */

#define HL_DOOR_PATH	"/run/heighliner-agent.sock"
#define HL_DOOR_VERSION 1
#define HL_DOOR_LINES	512 /* workers of one door */
#define HL_VCPU_NONE	0xffffu

enum hl_worker_state {
	HL_WORKER_RIDING, /* on any granted vcpu, or all if none is */
	HL_WORKER_PLACED, /* alone on one that has a cpu */
	HL_WORKER_TAKEN,  /* that one is being taken */
};

/* One worker. Written by the agent alone; whoever maps it can only read. */
struct hl_worker_line {
	uint32_t seq;	/* futex; grows after each change of the others */
	uint32_t state; /* enum hl_worker_state */
	uint16_t vcpu;	/* or HL_VCPU_NONE */
	uint16_t pad[27];
};

enum hl_door_kind {
	HL_DOOR_STATUS = 1, /* arg 1: as JSON; the text follows the answer */
	HL_DOOR_JOIN,	    /* arg: thread, as its own process numbers it */
	HL_DOOR_LEAVE,	    /* the same */
};

/* SOCK_SEQPACKET, one packet each; each asking has one answer. */
struct hl_door_ask {
	uint32_t version, kind;
	int32_t arg;
	uint32_t pad;
};

struct hl_door_answer {
	uint32_t version;
	int32_t err;	/* 0 or -errno; -EUSERS: the door is full */
	uint32_t line;	/* JOIN: which. The first brings the memory along, as a
			 * descriptor to be mapped read-only */
	uint32_t bytes; /* STATUS: of text */
};

/* --- the door ------------------------------------------------------------- */

struct hl_door {
	int fd; /* -1: there is no agent */
	pid_t pid;
	pthread_mutex_t lock;
	struct hl_worker_line *lines; /* mapped read-only; NULL: none yet */
};

struct hl_worker {
	const struct hl_worker_line *line;
	uint32_t line_no;
	pid_t tid;
};

/* What a worker that did not register looks at: it rides, for ever. */
static const struct hl_worker_line hl_worker_nobody = {
	0, HL_WORKER_RIDING, HL_VCPU_NONE, { 0 }
};

/*
 * hl_door_open() - Connect to the agent
 * @path: NULL: where it usually is
 * Return: 0 or -errno (-ENOENT, -ECONNREFUSED: no agent runs here). The door
 * may be used and closed all the same.
 */
static inline int hl_door_open(struct hl_door *d, const char *path)
{
	struct sockaddr_un addr;
	struct timeval patience;
	int err;

	memset(d, 0, sizeof(*d));
	pthread_mutex_init(&d->lock, NULL);
	d->pid = getpid();
	memset(&addr, 0, sizeof(addr));
	memset(&patience, 0, sizeof(patience));
	addr.sun_family = AF_UNIX;
	patience.tv_sec = 1;
	if (!path)
		path = HL_DOOR_PATH;
	d->fd = -1;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	d->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (d->fd < 0)
		return -errno;
	/* an agent that hangs must not hang its workers */
	setsockopt(d->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(d->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!connect(d->fd, (struct sockaddr *)&addr, sizeof(addr)))
		return 0;
	err = errno == EAGAIN ? -ETIMEDOUT : -errno;
	close(d->fd);
	d->fd = -1;
	return err;
}

/* hl_door_close() - All its workers leave. What they look at goes too: no
 * thread may use its worker any more. */
static inline void hl_door_close(struct hl_door *d)
{
	if (d->lines)
		munmap(d->lines, HL_DOOR_LINES * sizeof(*d->lines));
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	d->lines = NULL;
	pthread_mutex_destroy(&d->lock);
}

/* hl_door_there() - Is the agent still at the other end? */
static inline bool hl_door_there(const struct hl_door *d)
{
	struct pollfd p;

	p.fd = d->fd;
	p.events = 0;
	p.revents = 0;
	return d->fd >= 0 && poll(&p, 1, 0) >= 0 &&
	       !(p.revents & (POLLHUP | POLLERR));
}

/* One packet with room for a descriptor. Return: bytes or -errno. */
static inline ssize_t hl_door_receive(int sock, void *buf, size_t size, int *fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct cmsghdr *c;
	struct msghdr m;
	struct iovec iov;
	ssize_t n;

	memset(&m, 0, sizeof(m));
	iov.iov_base = buf;
	iov.iov_len = size;
	m.msg_iov = &iov;
	m.msg_iovlen = 1;
	m.msg_control = control.bytes;
	m.msg_controllen = sizeof(control.bytes);
	*fd = -1;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(c), sizeof(int));
	return n ? n : -ECONNRESET;
}

/*
 * hl_door_call() - One question, one answer; the caller holds the lock
 * @text: [@size] what follows the answer; may be NULL
 * @fd: a descriptor that came along, the caller's to close, or -1
 * Return: 0 or -errno, the agent's or the connection's. After a failure of the
 * connection the door is shut: answers could no longer be told apart.
 */
static inline int hl_door_call(struct hl_door *d, uint32_t kind, int32_t arg,
			       struct hl_door_answer *answer, char *packet,
			       size_t size, int *fd)
{
	struct hl_door_ask ask;
	ssize_t n;

	memset(&ask, 0, sizeof(ask));
	memset(answer, 0, sizeof(*answer));
	*fd = -1;
	ask.version = HL_DOOR_VERSION;
	ask.kind = kind;
	ask.arg = arg;
	if (d->fd < 0)
		return -ENOTCONN;
	/* a full door has answered and hung up before it is asked: then what
	 * it said is still there to be read */
	if (send(d->fd, &ask, sizeof(ask), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		n = errno == EAGAIN ? -ETIMEDOUT : -errno;
	else
		n = hl_door_receive(d->fd, packet, size, fd);
	if (n >= (ssize_t)sizeof(*answer)) {
		memcpy(answer, packet, sizeof(*answer));
		if (answer->version == HL_DOOR_VERSION && answer->err <= 0)
			return answer->err;
		n = -EPROTO;
	}
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	close(d->fd);
	d->fd = -1;
	return n < 0 ? (int)n : -EPROTO;
}

/* --- workers -------------------------------------------------------------- */

/*
 * hl_worker_open() - Register the calling thread
 * Return: 0; -EUSERS, -ENOSPC: the agent has no room; -EPERM: the door is
 * another process's (fork); -EEXIST: registered by another door; or what
 * hl_door_call() says. @w may be used all the same: it rides, for ever.
 */
static inline int hl_worker_open(struct hl_worker *w, struct hl_door *d)
{
	struct hl_door_answer a;
	char packet[sizeof(a)];
	void *map;
	int err, fd;

	w->line = &hl_worker_nobody;
	w->line_no = 0;
	w->tid = (pid_t)syscall(SYS_gettid);
	if (d->pid != getpid())
		return -EPERM;
	pthread_mutex_lock(&d->lock);
	err = hl_door_call(d, HL_DOOR_JOIN, w->tid, &a, packet, sizeof(packet),
			   &fd);
	if (!err && fd >= 0 && !d->lines) {
		map = mmap(NULL, HL_DOOR_LINES * sizeof(*d->lines), PROT_READ,
			   MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			err = -errno;
		else
			d->lines = (struct hl_worker_line *)map;
	}
	if (fd >= 0)
		close(fd);
	if (!err && (!d->lines || a.line >= HL_DOOR_LINES))
		err = -EPROTO;
	if (!err) {
		w->line_no = a.line;
		w->line = &d->lines[a.line];
	}
	pthread_mutex_unlock(&d->lock);
	return err;
}

/* hl_worker_close() - No worker any more; it gets back the affinity it had. */
static inline void hl_worker_close(struct hl_worker *w, struct hl_door *d)
{
	struct hl_door_answer a;
	char packet[sizeof(a)];
	int fd;

	if (w->line == &hl_worker_nobody || d->pid != getpid())
		return;
	w->line = &hl_worker_nobody;
	pthread_mutex_lock(&d->lock);
	hl_door_call(d, HL_DOOR_LEAVE, w->tid, &a, packet, sizeof(packet), &fd);
	if (fd >= 0)
		close(fd);
	pthread_mutex_unlock(&d->lock);
}

static inline enum hl_worker_state hl_worker_state(const struct hl_worker *w)
{
	uint32_t state = __atomic_load_n(&w->line->state, __ATOMIC_RELAXED);

	return (enum hl_worker_state)state;
}

/* hl_worker_taken() - Is its vcpu being taken? One load; for inner loops. */
static inline bool hl_worker_taken(const struct hl_worker *w)
{
	return hl_worker_state(w) == HL_WORKER_TAKEN;
}

/* hl_worker_vcpu() - Where it is placed, or HL_VCPU_NONE. */
static inline uint16_t hl_worker_vcpu(const struct hl_worker *w)
{
	return __atomic_load_n(&w->line->vcpu, __ATOMIC_RELAXED);
}

/* hl_worker_seq() - Read before looking; give it to hl_worker_wait(). */
static inline uint32_t hl_worker_seq(const struct hl_worker *w)
{
	return __atomic_load_n(&w->line->seq, __ATOMIC_ACQUIRE);
}

/*
 * hl_worker_wait() - Sleep until something changed since @seq was read
 *
 * For a thread that has nothing else to wait for, say one that gives up its
 * turn until it is placed again. An agent that was killed changes nothing any
 * more, so wait for a bounded time and ask hl_door_there().
 * Return: 0; -ETIMEDOUT; -EINTR.
 */
static inline int hl_worker_wait(const struct hl_worker *w, uint32_t seq,
				 unsigned timeout_ms)
{
	struct timespec ts;

	ts.tv_sec = (time_t)(timeout_ms / 1000);
	ts.tv_nsec = (long)(timeout_ms % 1000) * 1000000;
	if (!syscall(SYS_futex, &w->line->seq, FUTEX_WAIT, seq, &ts, NULL, 0) ||
	    errno == EAGAIN)
		return 0;
	return -errno;
}

#ifdef __cplusplus
}
static_assert(sizeof(struct hl_worker_line) == 64, "one cache line");
static_assert(sizeof(struct hl_door_ask) == 16, "no holes");
static_assert(sizeof(struct hl_door_answer) == 16, "no holes");
#else
_Static_assert(sizeof(struct hl_worker_line) == 64, "one cache line");
_Static_assert(sizeof(struct hl_door_ask) == 16, "no holes");
_Static_assert(sizeof(struct hl_door_answer) == 16, "no holes");
#endif

#endif
