/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_relay.c - a slow device behind a thread of its own
 *
 * Two rings with one producer and one consumer each: `in` from the relay
 * thread to the poll thread, `out` the other way. The relay thread moves
 * bursts between them and the device while there is any, then sleeps on the
 * device and on its own eventfd. It does not spin first: on a small machine
 * it may share its cpu with the poll thread.
 *
 * Each side tells the other when it is about to sleep, in a word of its own
 * (`armed`, `asleep`), then looks at its ring once more; each looks at the
 * other's word after putting frames into a ring. Both orders are sequentially
 * consistent, so one of the two sees the other and no wake-up is lost. Who
 * finds the word set takes it back and wakes: one wake-up for each sleep.
 *
 * When `in` is full the poll thread is behind. Frames then stay with the
 * device, which drops by its own rules, as a NIC does.
 */
#include "vhost/port_relay.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "vhost/eal.h"

#define RING_FRAMES 1024
/* How long to leave alone a device that cannot wake us, or a full ring. */
#define PAUSE_NS 100000

struct relay {
	struct port port;
	struct relay_dev dev;
	struct rte_ring *in, *out;
	void (*wake)(void *arg);
	void *wake_arg;
	pthread_t thread;
	int event_fd; /* wakes the relay thread */

	bool armed;    /* the poll thread sleeps; set by it, cleared by both */
	bool asleep;   /* the relay thread sleeps; likewise */
	bool stop;     /* control thread */
	uint64_t lost; /* frames the device refused; relay thread */
	uint64_t lost_seen; /* poll thread */
};

/* A frame was put into a ring before: order that store before the look at
 * the other side's word. Who takes the word away has to wake. */
static bool word_take(bool *word)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(word, __ATOMIC_SEQ_CST) &&
	       __atomic_exchange_n(word, false, __ATOMIC_SEQ_CST);
}

static void relay_wake(struct relay *r)
{
	const uint64_t one = 1;

	/* A full counter means that it is awake anyway. */
	if (write(r->event_fd, &one, sizeof(one)) < 0)
		return;
}

/* --- relay thread -------------------------------------------------------- */

/* Return: frames moved from the device to the poll thread. */
static unsigned relay_in(struct relay *r)
{
	struct rte_mbuf *frames[PORT_BURST];
	unsigned room = rte_ring_free_count(r->in), n;

	if (!room)
		return 0;
	n = r->dev.receive(r->dev.dev, frames,
			   room < PORT_BURST ? room : PORT_BURST);
	if (!n)
		return 0;
	rte_ring_sp_enqueue_bulk(r->in, (void *const *)frames, n, NULL);
	if (word_take(&r->armed))
		r->wake(r->wake_arg);
	return n;
}

/* Return: frames moved from the poll thread to the device, lost ones too. */
static unsigned relay_out(struct relay *r)
{
	struct rte_mbuf *frames[PORT_BURST];
	unsigned n, sent;

	n = rte_ring_sc_dequeue_burst(r->out, (void **)frames, PORT_BURST,
				      NULL);
	if (!n)
		return 0;
	sent = r->dev.send(r->dev.dev, frames, n);
	rte_pktmbuf_free_bulk(frames + sent, n - sent);
	__atomic_store_n(&r->lost, r->lost + n - sent, __ATOMIC_RELAXED);
	return n;
}

static void relay_sleep(struct relay *r)
{
	struct pollfd fds[2] = {
		{ .fd = r->event_fd, .events = POLLIN },
		{ .fd = r->dev.fd, .events = POLLIN },
	};
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	bool ask = r->dev.fd < 0 || !rte_ring_free_count(r->in);
	uint64_t calls;

	__atomic_store_n(&r->asleep, true, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (rte_ring_empty(r->out) &&
	    !__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE))
		ppoll(fds, ask ? 1 : 2, ask ? &pause : NULL, NULL);
	__atomic_store_n(&r->asleep, false, __ATOMIC_SEQ_CST);
	/* Gone for good (somebody deleted the TAP): ask now and then, no more.
	 */
	if (fds[1].revents & ~POLLIN)
		r->dev.fd = -1;
	if (fds[0].revents && read(r->event_fd, &calls, sizeof(calls)) < 0)
		return; /* not blocking: taken already */
}

static void *relay_main(void *arg)
{
	struct relay *r = arg;
	/* Without it frames come from the pool's shared stock: slower only. */
	bool entered = !eal_thread_enter();

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		unsigned moved = relay_in(r) + relay_out(r);

		if (!moved)
			relay_sleep(r);
	}
	if (entered)
		eal_thread_leave();
	return NULL;
}

/* --- poll thread --------------------------------------------------------- */

static struct relay *to_relay(struct port *p)
{
	return (struct relay *)p;
}

static unsigned relay_pull(struct port *p, struct rte_mbuf **frames,
			   unsigned max)
{
	struct relay *r = to_relay(p);
	uint64_t lost = __atomic_load_n(&r->lost, __ATOMIC_RELAXED);

	p->count.drop[DROP_UPLINK_FULL] += lost - r->lost_seen;
	r->lost_seen = lost;
	return rte_ring_sc_dequeue_burst(r->in, (void **)frames, max, NULL);
}

static unsigned relay_push(struct port *p, struct rte_mbuf **frames, unsigned n,
			   uint64_t since_ns)
{
	struct relay *r = to_relay(p);
	unsigned taken;

	(void)since_ns;
	taken =
	    rte_ring_sp_enqueue_burst(r->out, (void *const *)frames, n, NULL);
	if (taken && word_take(&r->asleep))
		relay_wake(r);
	return taken;
}

static bool relay_arm(struct port *p, bool on)
{
	struct relay *r = to_relay(p);

	__atomic_store_n(&r->armed, on, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return on && !rte_ring_empty(r->in);
}

/* The relay thread calls wake(). */
static int relay_fd(struct port *p)
{
	(void)p;
	return -1;
}

/* --- control thread ------------------------------------------------------ */

static struct rte_ring *ring_make(const char *name)
{
	ssize_t bytes = rte_ring_get_memsize(RING_FRAMES);
	void *mem;

	if (bytes < 0 ||
	    posix_memalign(&mem, RTE_CACHE_LINE_SIZE, (size_t)bytes))
		return NULL;
	rte_ring_init(mem, name, RING_FRAMES, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return mem;
}

static void ring_free(struct rte_ring *ring)
{
	struct rte_mbuf *frames[PORT_BURST];
	unsigned n;

	while ((n = rte_ring_sc_dequeue_burst(ring, (void **)frames, PORT_BURST,
					      NULL)))
		rte_pktmbuf_free_bulk(frames, n);
	free(ring);
}

static void relay_close(struct port *p)
{
	struct relay *r = to_relay(p);

	__atomic_store_n(&r->stop, true, __ATOMIC_SEQ_CST);
	relay_wake(r);
	pthread_join(r->thread, NULL);
	r->dev.close(r->dev.dev);
	close(r->event_fd);
	ring_free(r->out);
	ring_free(r->in);
	free(r);
}

static const struct port_ops relay_ops = {
	.kind = "relay",
	.pull = relay_pull,
	.push = relay_push,
	.arm = relay_arm,
	.fd = relay_fd,
	.close = relay_close,
};

/* The process's signals are for other threads. */
static int thread_start(struct relay *r)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&r->thread, NULL, relay_main, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		pthread_setname_np(r->thread, "relay");
	return err;
}

int port_relay_open(struct port **out, const char *name,
		    const struct relay_dev *dev, void (*wake)(void *arg),
		    void *wake_arg)
{
	struct relay *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		return -ENOMEM;
	r->port.ops = &relay_ops;
	r->port.vm = VM_NONE;
	r->port.is_uplink = true;
	snprintf(r->port.name, sizeof(r->port.name), "%s", name);
	r->dev = *dev;
	r->wake = wake;
	r->wake_arg = wake_arg;
	r->in = ring_make("relay_in");
	if (!r->in)
		goto err_free;
	r->out = ring_make("relay_out");
	if (!r->out)
		goto err_in;
	r->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->event_fd < 0) {
		err = -errno;
		goto err_out;
	}
	err = thread_start(r);
	if (err)
		goto err_event;
	*out = &r->port;
	return 0;

err_event:
	close(r->event_fd);
err_out:
	free(r->out);
err_in:
	free(r->in);
err_free:
	free(r);
	return err;
}
