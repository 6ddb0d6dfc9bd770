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
 *
 * An answer of synthetic's own server names its request. One of memcached's
 * (memc.h) does not: it belongs to the oldest that its flow still waits for.
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
#define ASKED_MAX  256 /* requests a memcached flow may wait for */
#define CONNECT_MS 5000

struct flow {
	int fd;
	size_t have; /* TCP: bytes of an answer not whole yet */
	uint64_t asked_cnt, answered_cnt;
	uint32_t asked[ASKED_MAX]; /* memcached: requests in their order */
	char in[MEMC_BYTES_MAX];
};

_Static_assert(MEMC_BYTES_MAX > sizeof(struct msg), "room for any answer");

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
	bool tcp = c->conf->proto != PROTO_UDP;
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

static void note_answer(struct client *c, uint64_t seq)
{
	uint64_t now_ns = clock_now_ns() - c->start_ns;
	struct request *r;

	if (seq >= c->next || c->req[seq].latency_ns != LATENCY_NONE) {
		c->count->stray++;
		return;
	}
	r = &c->req[seq];
	r->latency_ns = now_ns - r->due_ns;
	c->waiting--;
}

/* One answer of synthetic's server: all of @f->in. Return: bytes taken. */
static ssize_t take_msg(struct client *c, struct flow *f)
{
	struct msg m;

	if (c->conf->proto == PROTO_TCP && f->have < sizeof(m))
		return 0;
	if (!msg_read(&m, f->in, f->have, MSG_ANSWER) || m.run != c->run)
		c->count->stray++;
	else
		note_answer(c, m.seq);
	return (ssize_t)f->have;
}

/* Return: bytes of the first answer; 0: not whole; -EPROTO. */
static ssize_t take_memc(struct client *c, struct flow *f)
{
	int miss;
	ssize_t n = memc_answer(f->in, f->have, &miss);

	if (n <= 0)
		return n;
	if (f->answered_cnt == f->asked_cnt)
		return -EPROTO;
	c->count->misses += (uint64_t)miss;
	note_answer(c, f->asked[f->answered_cnt++ % ASKED_MAX]);
	return n;
}

/* All that is whole in @f->in. Return: 0 or -EPROTO. */
static int flow_take(struct client *c, struct flow *f)
{
	ssize_t n = 0;

	while (f->have) {
		n = c->conf->proto == PROTO_MEMCACHED ? take_memc(c, f)
						      : take_msg(c, f);
		if (n <= 0)
			break;
		f->have -= (size_t)n;
		memmove(f->in, f->in + n, f->have);
	}
	return n < 0 ? (int)n : 0;
}

/* No more of this flow: what it still waits for is lost. */
static void flow_end(struct client *c, struct flow *f)
{
	epoll_ctl(c->epoll, EPOLL_CTL_DEL, f->fd, NULL);
	close(f->fd);
	f->fd = -1;
}

static void flow_drain(struct client *c, struct flow *f)
{
	bool tcp = c->conf->proto != PROTO_UDP;
	size_t room;
	ssize_t n;

	while (f->fd >= 0) {
		room = sizeof(f->in);
		if (c->conf->proto == PROTO_TCP)
			room = sizeof(struct msg); /* one by one */
		n = recv(f->fd, f->in + f->have, room - f->have, MSG_DONTWAIT);
		if (n < 0 && errno == ECONNREFUSED && !tcp)
			continue; /* nobody there yet; that one is lost */
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0 && !tcp)
			return;
		f->have += n > 0 ? (size_t)n : 0;
		if (flow_take(c, f) || (tcp && n <= 0))
			flow_end(c, f);
	}
}

/* Return: bytes to send for a request; 0: its flow waits for too many. */
static size_t put_request(struct client *c, struct flow *f, size_t seq,
			  char *out)
{
	struct msg m = { .magic = MSG_MAGIC,
			 .kind = MSG_REQUEST,
			 .unit = (uint8_t)c->conf->unit,
			 .run = c->run,
			 .seq = seq,
			 .work = c->req[seq].work };

	if (c->conf->proto != PROTO_MEMCACHED) {
		memcpy(out, &m, sizeof(m));
		return sizeof(m);
	}
	if (f->asked_cnt - f->answered_cnt == ASKED_MAX)
		return 0;
	f->asked[f->asked_cnt % ASKED_MAX] = (uint32_t)seq;
	return memc_ask(&c->conf->memc, seq, out);
}

static void send_one(struct client *c, size_t seq)
{
	struct flow *f = &c->flow[seq % c->conf->conns];
	char out[MEMC_BYTES_MAX];
	size_t bytes = put_request(c, f, seq, out);
	ssize_t n = -1;

	if (f->fd >= 0 && bytes)
		n = send(f->fd, out, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == (ssize_t)bytes) {
		f->asked_cnt++;
		c->waiting++;
		return;
	}
	c->count->stuck++;
	if (n > 0)
		flow_end(c, f); /* half a request: nobody can go on */
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

/* Return: 0 or -errno; waits where the socket takes no more. */
static int send_all(int fd, const char *buf, size_t bytes)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	for (; bytes; buf += n, bytes -= (size_t)n) {
		if (poll(&p, 1, CONNECT_MS) != 1)
			return -ETIMEDOUT;
		n = send(fd, buf, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0)
			n = 0;
	}
	return 0;
}

/* Every key gets its value before the first request is due. Nobody answers
 * that, but for a question at the end. */
static int fill_keys(struct client *c)
{
	struct pollfd p = { .fd = c->flow[0].fd, .events = POLLIN };
	char buf[MEMC_BYTES_MAX];
	int rc = 0;

	for (unsigned key = 0; !rc && key < c->conf->memc.keys; key++)
		rc = send_all(p.fd, buf, memc_fill(&c->conf->memc, key, buf));
	if (!rc)
		rc = send_all(p.fd, "version\r\n", 9);
	if (rc)
		return rc;
	if (poll(&p, 1, CONNECT_MS) != 1)
		return -ETIMEDOUT;
	if (recv(p.fd, buf, sizeof(buf), 0) < 8 || memcmp(buf, "VERSION ", 8))
		return -EPROTO;
	return 0;
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
	return c->conf->proto == PROTO_MEMCACHED ? fill_keys(c) : 0;
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
