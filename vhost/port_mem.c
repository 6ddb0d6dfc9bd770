/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_mem.c - a port made of two queues, for tests and benches
 *
 * It behaves as a guest's NIC does: a bounded ring each way, an index that says
 * how far the guest took, wake-ups only when asked for. So a test of the switch
 * sees full rings, delays and lost wake-ups with no guest.
 *
 * Written by the guest's thread: from_guest's tail, to_guest's head, taken, up.
 * By the poll thread: the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hl/mbox.h"
#include "vhost/delay.h"
#include "vhost/eal.h"
#include "vhost/frame.h"
#include "vhost/port_mem.h"

struct port_mem {
	struct port port;		  /* first: ops get this */
	struct mbox from_guest, to_guest; /* of struct rte_mbuf * */
	struct delay delay;
	uint16_t given; /* frames ever pushed, modulo */
	uint16_t taken; /* frames ever taken, modulo */
	bool up;
	uint32_t armed; /* the guest shall kick */
	int event_fd;	/* its kick */
};

static struct port_mem *mem_of(struct port *p)
{
	return (struct port_mem *)p;
}

static uint16_t taken_now(const struct port_mem *m)
{
	return __atomic_load_n(&m->taken, __ATOMIC_ACQUIRE);
}

static unsigned mem_pull(struct port *p, struct rte_mbuf **frames, unsigned max)
{
	unsigned n = 0;

	p->signal.up = __atomic_load_n(&mem_of(p)->up, __ATOMIC_RELAXED);
	while (n < max && mbox_pop(&mem_of(p)->from_guest, &frames[n]))
		n++;
	return n;
}

static unsigned mem_push(struct port *p, struct rte_mbuf **frames, unsigned n,
			 uint64_t since_ns)
{
	struct port_mem *m = mem_of(p);
	unsigned done = 0;

	while (done < n && mbox_push(&m->to_guest, &frames[done]))
		done++;
	m->given += (uint16_t)done;
	delay_given(&m->delay, m->given, since_ns);
	return done;
}

static void mem_watch(struct port *p, uint64_t now_ns, struct score *delays)
{
	struct port_mem *m = mem_of(p);

	delay_taken(&m->delay, taken_now(m), now_ns, delays);
	p->signal = (struct port_signal){
		.up = __atomic_load_n(&m->up, __ATOMIC_RELAXED),
		.untaken = delay_untaken(&m->delay),
		.delay_ns = delay_oldest_ns(&m->delay, now_ns),
	};
}

static bool mem_arm(struct port *p, bool on)
{
	struct port_mem *m = mem_of(p);
	uint64_t kicks;

	/* Of this exchange and the one in port_mem_feed() one comes first: it
	 * is seen by the other, so the frame is seen or a kick is sent */
	__atomic_exchange_n(&m->armed, on, __ATOMIC_ACQ_REL);
	if (!on)
		return read(m->event_fd, &kicks, sizeof(kicks)) > 0;
	return m->from_guest.head !=
	       __atomic_load_n(&m->from_guest.tail, __ATOMIC_ACQUIRE);
}

static int mem_fd(struct port *p)
{
	return mem_of(p)->event_fd;
}

static void free_all(struct mbox *b)
{
	struct rte_mbuf *f;

	while (mbox_pop(b, &f))
		frame_free(f);
	mbox_exit(b);
}

static void mem_close(struct port *p)
{
	struct port_mem *m = mem_of(p);

	close(m->event_fd);
	delay_exit(&m->delay);
	free_all(&m->to_guest);
	free_all(&m->from_guest);
	free(m);
}

static const struct port_ops mem_ops = {
	.kind = "mem",
	.pull = mem_pull,
	.push = mem_push,
	.watch = mem_watch,
	.arm = mem_arm,
	.fd = mem_fd,
	.close = mem_close,
};

int port_mem_open(struct port **out, const char *name, uint16_t vm,
		  uint16_t ring_size)
{
	struct port_mem *m =
	    aligned_alloc(_Alignof(struct port_mem), sizeof(struct port_mem));
	int err;

	if (!m)
		return -ENOMEM;
	memset(m, 0, sizeof(*m));
	err = mbox_init(&m->from_guest, ring_size, sizeof(struct rte_mbuf *));
	if (err)
		goto err_free;
	err = mbox_init(&m->to_guest, ring_size, sizeof(struct rte_mbuf *));
	if (err)
		goto err_exit_from;
	err = delay_init(&m->delay, ring_size);
	if (err)
		goto err_exit_to;
	m->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->event_fd < 0) {
		err = -errno;
		goto err_exit_delay;
	}
	m->up = true;
	m->port.ops = &mem_ops;
	m->port.vm = vm;
	m->port.is_uplink = vm == VM_NONE;
	snprintf(m->port.name, sizeof(m->port.name), "%s", name);
	*out = &m->port;
	return 0;

err_exit_delay:
	delay_exit(&m->delay);
err_exit_to:
	mbox_exit(&m->to_guest);
err_exit_from:
	mbox_exit(&m->from_guest);
err_free:
	free(m);
	return err;
}

bool port_mem_feed(struct port *p, const void *frame, uint16_t bytes)
{
	struct rte_mbuf *f = frame_make(eal_pool(), frame, bytes);
	struct port_mem *m = mem_of(p);
	const uint64_t one = 1;

	if (!f)
		return false;
	if (!mbox_push(&m->from_guest, &f)) {
		frame_free(f);
		return false;
	}
	if (!__atomic_fetch_or(&m->armed, 0, __ATOMIC_ACQ_REL))
		return true;
	return write(m->event_fd, &one, sizeof(one)) == sizeof(one);
}

uint16_t port_mem_take(struct port *p, void *buf, uint16_t size)
{
	struct port_mem *m = mem_of(p);
	struct rte_mbuf *f;
	uint16_t bytes;

	if (!mbox_pop(&m->to_guest, &f))
		return 0;
	bytes = (uint16_t)frame_read(f, buf, size);
	frame_free(f);
	__atomic_store_n(&m->taken, (uint16_t)(m->taken + 1), __ATOMIC_RELEASE);
	return bytes;
}

void port_mem_set_up(struct port *p, bool up)
{
	__atomic_store_n(&mem_of(p)->up, up, __ATOMIC_RELAXED);
}
