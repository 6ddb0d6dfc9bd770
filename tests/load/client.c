// SPDX-License-Identifier: Apache-2.0
/*
 * client.c - sends requests at times fixed in advance and times the answers
 *
 * Open loop: a request goes out when it is due, whatever became of the former
 * ones, and its latency counts from when it was *due*. A request that this
 * client would send more than late_ns too late is not sent but counted: the
 * client's own trouble must not look like the server's, nor be hidden.
 * Requests take the flows in turn. One thread: it sleeps in epoll until the
 * next request is due or an answer comes; with spin it never sleeps.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hl/clock.h"
#include "tests/load/client.h"

#define EVENTS	   64
#define CONNECT_MS 5000

struct flow {
	int fd;
	size_t have; /* TCP: bytes of an answer not whole yet */
	unsigned char in[sizeof(struct msg) + 1];
};

struct client {
	const struct client_conf *conf;
	struct client_count *count;
	struct request *req;
	size_t n, next, waiting; /* next to send; sent without an answer */
	uint64_t start_ns, run;
	int epoll;
	struct flow flow[CONNS_MAX];
};

static int flow_open(struct client *c, struct flow *f)
{
	bool tcp = c->conf->proto == PROTO_TCP;
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(c->conf->port),
				  .sin_addr.s_addr = htonl(c->conf->addr) };
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = f };
	int one = 1, err = 0;
	socklen_t err_len = sizeof(err);

	f->fd = socket(AF_INET,
		       (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
	if (f->fd < 0)
		return -errno;
	if (tcp)
		setsockopt(f->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(f->fd, (struct sockaddr *)&to, sizeof(to))) {
		struct pollfd p = { .fd = f->fd, .events = POLLOUT };

		if (errno != EINPROGRESS)
			return -errno;
		if (poll(&p, 1, CONNECT_MS) != 1)
			return -ETIMEDOUT;
		getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &err, &err_len);
		if (err)
			return -err;
	}
	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, f->fd, &ev) ? -errno : 0;
}

static void take_answer(struct client *c, const void *buf, size_t len)
{
	uint64_t now_ns = clock_now_ns() - c->start_ns;
	struct request *r;
	struct msg m;

	if (!msg_read(&m, buf, len, MSG_ANSWER) || m.run != c->run ||
	    m.seq >= c->next || c->req[m.seq].latency_ns != LATENCY_NONE) {
		c->count->stray++;
		return;
	}
	r = &c->req[m.seq];
	r->latency_ns = now_ns - r->due_ns;
	c->waiting--;
}

static void flow_drain(struct client *c, struct flow *f)
{
	bool tcp = c->conf->proto == PROTO_TCP;
	ssize_t n;

	for (;;) {
		/* a datagram may be one byte longer, to be seen as too long */
		n = recv(f->fd, f->in + f->have,
			 sizeof(struct msg) + !tcp - f->have, MSG_DONTWAIT);
		if (n < 0 && errno == ECONNREFUSED)
			continue; /* UDP: nobody there yet; that one is lost */
		if (n <= 0)
			break;
		f->have += (size_t)n;
		if (tcp && f->have < sizeof(struct msg))
			continue;
		take_answer(c, f->in, f->have);
		f->have = 0;
	}
	if (tcp && (!n || (errno != EAGAIN && errno != EINTR)))
		epoll_ctl(c->epoll, EPOLL_CTL_DEL, f->fd, NULL);
}

static void send_one(struct client *c, size_t seq)
{
	struct flow *f = &c->flow[seq % c->conf->conns];
	struct msg m = { .magic = MSG_MAGIC,
			 .kind = MSG_REQUEST,
			 .unit = (uint8_t)c->conf->unit,
			 .run = c->run,
			 .seq = seq,
			 .work = c->req[seq].work };

	if (send(f->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    (ssize_t)sizeof(m)) {
		c->waiting++;
		return;
	}
	c->count->stuck++;
}

/* Send what is due. Return: ns until the next one is. */
static uint64_t send_due(struct client *c)
{
	while (c->next < c->n) {
		struct request *r = &c->req[c->next];
		uint64_t now_ns = clock_now_ns() - c->start_ns, late_ns;

		if (now_ns < r->due_ns)
			return r->due_ns - now_ns;
		late_ns = now_ns - r->due_ns;
		if (late_ns > c->count->late_max_ns)
			c->count->late_max_ns = late_ns;
		if (late_ns > c->conf->late_ns)
			r->latency_ns = LATENCY_NEVER_SENT;
		else
			send_one(c, c->next);
		c->next++;
	}
	return 0;
}

static void wait_and_receive(struct client *c, uint64_t wait_ns)
{
	struct timespec ts = { .tv_sec = (time_t)(wait_ns / NSEC_PER_SEC),
			       .tv_nsec = (long)(wait_ns % NSEC_PER_SEC) };
	struct epoll_event ev[EVENTS];
	int n;

	if (c->conf->spin)
		ts = (struct timespec){ 0 };
	n = epoll_pwait2(c->epoll, ev, EVENTS, &ts, NULL);
	for (int i = 0; i < n; i++)
		flow_drain(c, ev[i].data.ptr);
}

static int client_open(struct client *c)
{
	for (unsigned i = 0; i < CONNS_MAX; i++)
		c->flow[i].fd = -1;
	c->epoll = epoll_create1(0);
	if (c->epoll < 0)
		return -errno;
	for (unsigned i = 0; i < c->conf->conns; i++) {
		int rc = flow_open(c, &c->flow[i]);

		if (rc)
			return rc;
	}
	return 0;
}

static void client_close(struct client *c)
{
	for (unsigned i = 0; i < c->conf->conns; i++)
		if (c->flow[i].fd >= 0)
			close(c->flow[i].fd);
	if (c->epoll >= 0)
		close(c->epoll);
}

int client_run(const struct client_conf *conf, struct request *req, size_t n,
	       struct client_count *count)
{
	struct client *c = calloc(1, sizeof(*c));
	uint64_t end_ns;
	int rc;

	memset(count, 0, sizeof(*count));
	if (!c)
		return -ENOMEM;
	c->conf = conf;
	c->count = count;
	c->req = req;
	c->n = n;
	/* without this the kernel may wake us 50 us late to save power */
	prctl(PR_SET_TIMERSLACK, 1);
	rc = client_open(c);
	if (rc) {
		fprintf(stderr, "synthetic: cannot reach the server: %s\n",
			strerror(-rc));
		goto out_close;
	}
	c->start_ns = clock_now_ns();
	count->start_ns = c->start_ns;
	c->run = c->start_ns; /* two runs never start in the same ns */
	while (c->next < c->n) {
		uint64_t wait_ns = send_due(c);

		if (c->next < c->n)
			wait_and_receive(c, wait_ns);
	}
	end_ns = clock_now_ns() + conf->grace_ns;
	for (uint64_t now_ns = clock_now_ns(); c->waiting && now_ns < end_ns;
	     now_ns = clock_now_ns())
		wait_and_receive(c, end_ns - now_ns);
out_close:
	client_close(c);
	free(c);
	return rc;
}
