// SPDX-License-Identifier: Apache-2.0
/*
 * events.c - the kernel tells of threads that begin, change and end
 *
 * Theory of operation. A message is a netlink header, a connector header and an
 * event. It is believed only when its sender is the kernel (port 0: any process
 * may send to a netlink port, none can send as port 0), and each length fits
 * into the one around it.
 *
 * What is lost is noticed twice: the kernel says ENOBUFS when its queue to us
 * ran over, and numbers the messages of each cpu, so that a gap tells how many.
 * Either way the caller scans.
 *
 * The kernel answers a request to listen, and does not answer one from a
 * container, to which it then tells nothing either: until something was heard,
 * the caller does as if there were no events.
 *
 * The queue is as large as we may make it: a burst of forks is buffered while
 * the agent's vcpu has no cpu.
 */
#include "events.h"

#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hl/clock.h"

#define QUEUE_BYTES (16 << 20) /* about 20,000 events */
#define LATE_NS	    (10 * NSEC_PER_MSEC)
#define VECTOR	    32
#define MSG_BYTES   256 /* of one message; events have 76 */

/* --- parsing ------------------------------------------------------------ */

/* Bytes of struct proc_event up to its end if it is of this kind; 0: another.
 */
static size_t event_bytes(uint32_t what)
{
	size_t head = offsetof(struct proc_event, event_data);

	switch (what) {
	case PROC_EVENT_FORK:
		return head + sizeof(struct fork_proc_event);
	case PROC_EVENT_EXEC:
		return head + sizeof(struct exec_proc_event);
	case PROC_EVENT_UID:
	case PROC_EVENT_GID:
		return head + sizeof(struct id_proc_event);
	case PROC_EVENT_COMM:
		return head + sizeof(struct comm_proc_event);
	case PROC_EVENT_EXIT:
		/* older kernels' had no parent in it */
		return head + offsetof(struct exit_proc_event, exit_signal) +
		       sizeof(uint32_t);
	default:
		return 0;
	}
}

static void read_event(const struct proc_event *p, struct event *out)
{
	switch ((uint32_t)p->what) {
	case PROC_EVENT_FORK:
		out->kind = EVENT_FORK;
		out->tid = p->event_data.fork.child_pid;
		out->tgid = p->event_data.fork.child_tgid;
		out->parent_tid = p->event_data.fork.parent_pid;
		out->parent_tgid = p->event_data.fork.parent_tgid;
		break;
	case PROC_EVENT_EXEC:
		out->kind = EVENT_EXEC;
		out->tid = p->event_data.exec.process_pid;
		out->tgid = p->event_data.exec.process_tgid;
		break;
	case PROC_EVENT_UID:
	case PROC_EVENT_GID:
		out->kind = EVENT_OWNER;
		out->tid = p->event_data.id.process_pid;
		out->tgid = p->event_data.id.process_tgid;
		break;
	case PROC_EVENT_COMM:
		out->kind = EVENT_COMM;
		out->tid = p->event_data.comm.process_pid;
		out->tgid = p->event_data.comm.process_tgid;
		break;
	case PROC_EVENT_EXIT:
		out->kind = EVENT_EXIT;
		out->tid = p->event_data.exit.process_pid;
		out->tgid = p->event_data.exit.process_tgid;
		break;
	default:
		break;
	}
}

/* The body of one netlink message. */
static int parse_body(const uint8_t *body, size_t len, struct event *out)
{
	struct proc_event p = { 0 };
	struct cn_msg cn;
	size_t need;

	if (len < sizeof(cn))
		return -EINVAL;
	memcpy(&cn, body, sizeof(cn));
	if (cn.id.idx != CN_IDX_PROC || cn.id.val != CN_VAL_PROC)
		return 0;
	body += sizeof(cn);
	len -= sizeof(cn);
	if (cn.len > len || cn.len < offsetof(struct proc_event, event_data))
		return -EINVAL;
	len = cn.len < sizeof(p) ? cn.len : sizeof(p);
	memcpy(&p, body, len);
	need = event_bytes((uint32_t)p.what);
	if (len < need)
		return -EINVAL;
	out->cpu = p.cpu;
	out->seq = cn.seq;
	out->at_ns = p.timestamp_ns;
	read_event(&p, out);
	if (need && (out->tid <= 0 || out->tgid <= 0))
		return -EINVAL;
	/* Kinds we do not ask about count in the sequence all the same; the
	 * answer to our own request is of no cpu. */
	return need || p.cpu < EVENTS_CPUS;
}

int events_parse(const void *buf, size_t len, size_t *used, struct event *out)
{
	const uint8_t *at = buf;
	struct nlmsghdr h;

	memset(out, 0, sizeof(*out));
	*used = 0;
	if (len < sizeof(h))
		return -EINVAL;
	memcpy(&h, at, sizeof(h));
	if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
		return -EINVAL;
	*used = NLMSG_ALIGN((size_t)h.nlmsg_len);
	if (*used > len)
		*used = len;
	if (h.nlmsg_type == NLMSG_ERROR || h.nlmsg_type == NLMSG_NOOP)
		return 0;
	return parse_body(at + sizeof(h), h.nlmsg_len - sizeof(h), out);
}

uint32_t events_count(struct events *e, const struct event *ev, uint64_t now_ns)
{
	uint64_t age_ns = ev->at_ns < now_ns ? now_ns - ev->at_ns : 0;
	uint32_t lost = 0;

	e->n.taken++;
	if (age_ns > LATE_NS)
		e->n.late++;
	if (age_ns / NSEC_PER_USEC > e->n.oldest_us)
		e->n.oldest_us = age_ns / NSEC_PER_USEC;
	if (ev->cpu >= EVENTS_CPUS)
		return 0;
	if (e->known[ev->cpu])
		lost = ev->seq - e->next[ev->cpu];
	e->known[ev->cpu] = true;
	e->next[ev->cpu] = ev->seq + 1;
	e->n.lost += lost;
	return lost;
}

/* --- the socket --------------------------------------------------------- */

static int listen_to(int fd)
{
	const enum proc_cn_mcast_op op = PROC_CN_MCAST_LISTEN;
	const struct cn_msg cn = { .id = { CN_IDX_PROC, CN_VAL_PROC },
				   .len = sizeof(op) };
	uint8_t ask[NLMSG_HDRLEN + sizeof(cn) + sizeof(op)];
	const struct nlmsghdr h = { .nlmsg_len = sizeof(ask),
				    .nlmsg_type = NLMSG_DONE };

	memset(ask, 0, sizeof(ask));
	memcpy(ask, &h, sizeof(h));
	memcpy(ask + NLMSG_HDRLEN, &cn, sizeof(cn));
	memcpy(ask + NLMSG_HDRLEN + sizeof(cn), &op, sizeof(op));
	return send(fd, ask, sizeof(ask), 0) == sizeof(ask) ? 0 : -errno;
}

int events_open(struct events *e)
{
	const struct sockaddr_nl addr = { .nl_family = AF_NETLINK,
					  .nl_groups = CN_IDX_PROC };
	int bytes = QUEUE_BYTES, err;

	memset(e, 0, sizeof(*e));
	e->fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       NETLINK_CONNECTOR);
	if (e->fd < 0)
		return -errno;
	/* Beyond the machine's limit where we may, else up to it. */
	if (setsockopt(e->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
		       sizeof(bytes)) &&
	    setsockopt(e->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)))
		goto out_close;
	if (bind(e->fd, (const struct sockaddr *)&addr, sizeof(addr)))
		goto out_close;
	err = listen_to(e->fd);
	if (!err)
		return 0;
	errno = -err;
out_close:
	err = -errno;
	close(e->fd);
	e->fd = -1;
	return err;
}

void events_close(struct events *e)
{
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

/* One datagram. Return: were events lost before it? */
static bool take_datagram(struct events *e, const struct msghdr *m, size_t len,
			  uint64_t now_ns,
			  void (*take)(void *arg, const struct event *ev),
			  void *arg)
{
	const struct sockaddr_nl *from = m->msg_name;
	const uint8_t *at = m->msg_iov->iov_base;
	bool lost = false;
	size_t used = 1;

	if (m->msg_namelen != sizeof(*from) || from->nl_pid) {
		e->n.forged++;
		return false;
	}
	if (m->msg_flags & MSG_TRUNC)
		e->n.broken++;
	for (; len && used; at += used, len -= used) {
		struct event ev;
		int got = events_parse(at, len, &used, &ev);

		if (got < 0)
			e->n.broken++;
		else
			e->heard = true;
		if (got <= 0)
			continue;
		lost |= events_count(e, &ev, now_ns) > 0;
		if (ev.kind != EVENT_NONE)
			take(arg, &ev);
	}
	return lost;
}

int events_turn(struct events *e, uint64_t now_ns,
		void (*take)(void *arg, const struct event *ev), void *arg)
{
	static uint8_t room[VECTOR][MSG_BYTES];
	struct sockaddr_nl from[VECTOR];
	struct mmsghdr m[VECTOR];
	struct iovec iov[VECTOR];
	bool lost = false;
	int n = VECTOR;

	for (unsigned done = 0; done < EVENTS_BATCH && n == VECTOR;
	     done += VECTOR) {
		memset(m, 0, sizeof(m));
		for (unsigned i = 0; i < VECTOR; i++) {
			iov[i] = (struct iovec){ room[i], MSG_BYTES };
			m[i].msg_hdr.msg_iov = &iov[i];
			m[i].msg_hdr.msg_iovlen = 1;
			m[i].msg_hdr.msg_name = &from[i];
			m[i].msg_hdr.msg_namelen = sizeof(from[i]);
		}
		n = recvmmsg(e->fd, m, VECTOR, MSG_DONTWAIT, NULL);
		if (n < 0 && errno == ENOBUFS) {
			e->n.overrun++;
			lost = true;
			n = VECTOR;
			continue;
		}
		for (int i = 0; i < n; i++)
			lost |= take_datagram(e, &m[i].msg_hdr, m[i].msg_len,
					      now_ns, take, arg);
	}
	return lost ? -ENOBUFS : n == VECTOR;
}
