// SPDX-License-Identifier: Apache-2.0
/*
 * server.c - answers synthetic requests after computing for as long as asked
 *
 * Each thread is a server of its own: its own sockets on the shared ports
 * (SO_REUSEPORT: the kernel spreads flows over them), its own connections, one
 * epoll. One request is computed at a time, in order of arrival. A peer that
 * sends anything but requests, or does not read its answers, loses its
 * connection; a bad datagram is dropped.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/load/burn.h"
#include "tests/load/server.h"

#define EVENTS 64
#define BURST  64 /* datagrams taken before other sockets get their turn */

struct conn {
	int fd;	     /* -1: free */
	size_t have; /* bytes of a message not whole yet */
	unsigned char in[sizeof(struct msg)];
};

struct worker {
	pthread_t thread;
	int epoll, udp, listener; /* -1: not served */
	uint64_t loop_ps;
	struct conn conn[CONNS_MAX];
};

/* epoll's data: these, or an index of conn[] */
enum { TAG_UDP = CONNS_MAX, TAG_LISTENER };

static struct worker workers[THREADS_MAX];

static void answer(const struct worker *w, struct msg *m)
{
	burn(m->unit == MSG_UNIT_NS ? burn_loops(m->work, w->loop_ps)
				    : m->work);
	m->kind = MSG_ANSWER;
}

static void serve_udp(struct worker *w)
{
	struct sockaddr_in from;
	struct msg m;
	char buf[sizeof(m) + 1]; /* one more shows what is too long */

	for (int i = 0; i < BURST; i++) {
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(w->udp, buf, sizeof(buf), MSG_DONTWAIT,
				     (struct sockaddr *)&from, &from_len);

		if (n < 0)
			return;
		if (!msg_read(&m, buf, (size_t)n, MSG_REQUEST))
			continue;
		answer(w, &m);
		/* a lost answer is the client's to count */
		(void)!sendto(w->udp, &m, sizeof(m), MSG_DONTWAIT,
			      (struct sockaddr *)&from, from_len);
	}
}

/* Return: false when the connection must end. */
static bool conn_serve(struct worker *w, struct conn *c)
{
	struct msg m;

	for (int i = 0; i < BURST; i++) {
		ssize_t n = recv(c->fd, c->in + c->have, sizeof(m) - c->have,
				 MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n <= 0)
			return false;
		c->have += (size_t)n;
		if (c->have < sizeof(m))
			continue;
		c->have = 0;
		if (!msg_read(&m, c->in, sizeof(m), MSG_REQUEST))
			return false;
		answer(w, &m);
		if (send(c->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) !=
		    (ssize_t)sizeof(m))
			return false;
	}
	return true;
}

static void serve_conn(struct worker *w, struct conn *c)
{
	if (conn_serve(w, c))
		return;
	close(c->fd);
	c->fd = -1;
}

static void serve_listener(struct worker *w)
{
	int fd = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK), one = 1;
	struct epoll_event ev = { .events = EPOLLIN };

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (unsigned i = 0; i < CONNS_MAX; i++) {
		if (w->conn[i].fd >= 0)
			continue;
		ev.data.u32 = i;
		if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev))
			break;
		w->conn[i] = (struct conn){ .fd = fd };
		return;
	}
	close(fd); /* table full: the client sees its connection end */
}

static void *worker_main(void *arg)
{
	struct epoll_event ev[EVENTS];
	struct worker *w = arg;

	for (;;) {
		int n = epoll_wait(w->epoll, ev, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (ev[i].data.u32 == TAG_UDP)
				serve_udp(w);
			else if (ev[i].data.u32 == TAG_LISTENER)
				serve_listener(w);
			else
				serve_conn(w, &w->conn[ev[i].data.u32]);
		}
	}
	return NULL;
}

/* Return: a socket bound to @port and watched under @tag, or -errno. */
static int open_socket(struct worker *w, int type, uint16_t port, uint32_t tag)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
				   .sin_port = htons(port) };
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = tag };
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0), one = 1, rc;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) ||
	    (type == SOCK_STREAM && listen(fd, 128)) ||
	    epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static int worker_open(struct worker *w, const struct server_conf *conf)
{
	w->udp = w->listener = -1;
	for (unsigned i = 0; i < CONNS_MAX; i++)
		w->conn[i].fd = -1;
	w->epoll = epoll_create1(0);
	if (w->epoll < 0)
		return -errno;
	if (conf->udp_port) {
		w->udp = open_socket(w, SOCK_DGRAM, conf->udp_port, TAG_UDP);
		if (w->udp < 0)
			return w->udp;
	}
	if (conf->tcp_port) {
		w->listener =
		    open_socket(w, SOCK_STREAM, conf->tcp_port, TAG_LISTENER);
		if (w->listener < 0)
			return w->listener;
	}
	return 0;
}

int server_run(const struct server_conf *conf)
{
	uint64_t loop_ps = burn_calibrate();
	int rc;

	for (unsigned i = 0; i < conf->threads; i++) {
		workers[i].loop_ps = loop_ps;
		rc = worker_open(&workers[i], conf);
		if (rc) {
			fprintf(stderr,
				"synthetic: cannot serve udp %u tcp "
				"%u: %s\n",
				conf->udp_port, conf->tcp_port, strerror(-rc));
			return rc; /* the process ends: nothing to undo */
		}
	}
	printf("synthetic server ready: udp %u tcp %u threads %u, one loop "
	       "takes %llu ps\n",
	       conf->udp_port, conf->tcp_port, conf->threads,
	       (unsigned long long)loop_ps);
	fflush(stdout);
	for (unsigned i = 1; i < conf->threads; i++) {
		rc = pthread_create(&workers[i].thread, NULL, worker_main,
				    &workers[i]);
		if (rc)
			return -rc;
	}
	worker_main(&workers[0]);
	return 0;
}
