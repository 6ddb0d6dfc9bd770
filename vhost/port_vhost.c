/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_vhost.c - a VM's NIC: one vhost-user device with one queue pair
 *
 * rte_vhost speaks the protocol on a thread of its own and calls back here
 * when a guest's driver starts and stops. The poll thread copies frames with
 * rte_vhost's two burst calls and, beside them, reads the to-guest ring to
 * see how far the guest is (delay.h).
 *
 * Two gates (gate.h) keep the two threads apart:
 *
 *	dev	the device id may be used. Shut in destroy_device, which
 *		rte_vhost calls with no lock held, so waiting for a poll thread
 *		that is inside a burst cannot deadlock.
 *	ring	ring pointers into guest memory may be followed. rte_vhost
 *		remaps that memory (SET_MEM_TABLE) with no device callback at
 *		all; so the gate is shut before and opened after every single
 *		protocol message, through the pre and post message handlers.
 *		These run with the queues' locks held: inside this gate the
 *		poll thread calls nothing that takes one.
 *
 * The burst calls take a spin lock that rte_vhost's thread holds while it
 * handles a message. Messages are rare: start, stop, migration, and an
 * interrupt being masked.
 *
 * The kick fd belongs to rte_vhost, which closes it when it likes; the switch
 * waits on a duplicate, edge-triggered, and takes a new one when fd_gen grows.
 * So nobody reads the eventfd, and a late or idle kick ends one sleep.
 *
 * Who writes what: `delay`, `kicks` and `signal` the poll thread; the rest
 * rte_vhost's thread, behind shut gates or with atomic words.
 */
#include "vhost/port_vhost.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "vhost/delay.h"
#include "vhost/eal.h"
#include "vhost/gate.h"
#include "vhost/sockfile.h"

/* Queue numbers of a virtio-net device with one pair (virtio 1.1, 5.1.2). */
#define TO_GUEST   0
#define FROM_GUEST 1

#define BIT(n) (1ull << (n))

/*
 * Not offered: packed rings, whose progress cannot be read; offloads, for a
 * frame may go to a VM without them; and everything that needs a control
 * queue, with which QEMU 7.2 crashes under TCG.
 */
#define FEATURES_OFF                                                           \
	(BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_NET_F_CSUM) |                  \
	 BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GSO) |                \
	 BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |           \
	 BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_HOST_UFO) |             \
	 BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) |         \
	 BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_GUEST_UFO) |           \
	 BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) | BIT(VIRTIO_NET_F_CTRL_VQ) |   \
	 BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_VLAN) |             \
	 BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) |   \
	 BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_MQ))

struct port_vhost {
	struct port port;
	struct gate dev, ring;
	int vid; /* -1: no driver runs */
	bool event_idx;
	struct rte_vhost_vring to, from;
	struct delay delay; /* inside `ring`; poll thread */

	bool queue_on[2]; /* rte_vhost's word, may flap within a message */
	bool in_message;
	bool up; /* all of the above, between messages; atomic */

	int kick_fd; /* rte_vhost's own, -1 while it may change; atomic */
	void (*wake)(void *arg);
	void *wake_arg;
	struct port_vhost *next;
	char path[]; /* the socket */
};

/* Every open port, for new_device() to find its own by path. */
static pthread_mutex_t ports_lock = PTHREAD_MUTEX_INITIALIZER;
static struct port_vhost *ports;
/* By device id, from new_device() to destroy_device(). */
static struct port_vhost *port_of[RTE_MAX_VHOST_DEVICE];

static struct port_vhost *port_get(int vid)
{
	return __atomic_load_n(&port_of[vid], __ATOMIC_ACQUIRE);
}

/* --- rte_vhost's thread -------------------------------------------------- */

static void publish_up(struct port_vhost *v)
{
	bool up =
	    v->vid >= 0 && v->queue_on[TO_GUEST] && v->queue_on[FROM_GUEST];

	if (up == v->up)
		return;
	__atomic_store_n(&v->up, up, __ATOMIC_RELEASE);
	v->wake(v->wake_arg);
}

static void kick_set(struct port_vhost *v, int fd)
{
	__atomic_store_n(&v->kick_fd, fd, __ATOMIC_RELEASE);
	__atomic_store_n(&v->port.fd_gen, v->port.fd_gen + 1, __ATOMIC_RELEASE);
}

static bool vring_get(int vid, uint16_t queue, struct rte_vhost_vring *vr)
{
	return !rte_vhost_get_vhost_vring(vid, queue, vr) && vr->avail &&
	       vr->used;
}

/*
 * rings_open() - Learn where the rings are now and let the poll thread look
 *
 * A ring cannot change its size while the device runs; one that does is not
 * followed until the next start, for its memory was checked for the old size.
 */
static void rings_open(struct port_vhost *v)
{
	if (!vring_get(v->vid, TO_GUEST, &v->to) ||
	    !vring_get(v->vid, FROM_GUEST, &v->from) ||
	    v->to.size != v->delay.size)
		return;
	kick_set(v, v->from.kickfd);
	gate_open(&v->ring);
}

/* A new ring: no stamp is valid. */
static bool delay_begin(struct port_vhost *v)
{
	uint16_t avail_idx, used_idx;

	delay_exit(&v->delay);
	if (!vring_get(v->vid, TO_GUEST, &v->to) ||
	    rte_vhost_get_vring_base(v->vid, TO_GUEST, &avail_idx, &used_idx) ||
	    delay_init(&v->delay, v->to.size))
		return false;
	delay_reset(&v->delay, used_idx);
	return true;
}

static void rings_shut(struct port_vhost *v)
{
	gate_shut(&v->ring);
	kick_set(v, -1);
}

static enum rte_vhost_msg_result message_begins(int vid, void *msg)
{
	struct port_vhost *v = port_get(vid);

	(void)msg;
	if (v) {
		/* After a message that failed, message_ended() did not run. */
		publish_up(v);
		v->in_message = true;
		rings_shut(v);
	}
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result message_ended(int vid, void *msg)
{
	struct port_vhost *v = port_get(vid);

	(void)msg;
	if (v) {
		v->in_message = false;
		rings_open(v);
		/* A poll thread that slept through it looks once more. */
		v->wake(v->wake_arg);
	}
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static const struct rte_vhost_user_extern_ops message_ops = {
	.pre_msg_handle = message_begins,
	.post_msg_handle = message_ended,
};

static struct port_vhost *port_find(const char *path)
{
	struct port_vhost *v;

	pthread_mutex_lock(&ports_lock);
	for (v = ports; v && strcmp(v->path, path) != 0; v = v->next)
		;
	pthread_mutex_unlock(&ports_lock);
	return v;
}

/* Called with both queues ready. Return: -1 refuses; a second QEMU on the
 * same socket is refused as long as the first is there. */
static int new_device(int vid)
{
	char path[PATH_MAX];
	struct port_vhost *v;
	uint64_t features;

	if (rte_vhost_get_ifname(vid, path, sizeof(path)))
		return -1;
	v = port_find(path);
	if (!v || v->vid >= 0)
		return -1;
	if (rte_vhost_get_negotiated_features(vid, &features) ||
	    rte_vhost_extern_callback_register(vid, &message_ops, NULL))
		return -1;
	v->event_idx = features & BIT(VIRTIO_RING_F_EVENT_IDX);
	v->in_message = false;
	v->queue_on[TO_GUEST] = v->queue_on[FROM_GUEST] = true;
	v->vid = vid;
	if (!delay_begin(v)) {
		v->vid = -1;
		return -1;
	}
	__atomic_store_n(&port_of[vid], v, __ATOMIC_RELEASE);
	rings_open(v);
	gate_open(&v->dev);
	publish_up(v);
	return 0;
}

static void destroy_device(int vid)
{
	struct port_vhost *v = port_get(vid);

	if (!v)
		return;
	rings_shut(v);
	gate_shut(&v->dev);
	v->vid = -1;
	__atomic_store_n(&port_of[vid], NULL, __ATOMIC_RELEASE);
	publish_up(v);
}

/* Masking an interrupt turns a queue off and on within one message; frames
 * must not be dropped for that: `up` changes between messages only. */
static int vring_state_changed(int vid, uint16_t queue, int enable)
{
	struct port_vhost *v = port_get(vid);

	if (!v || queue > FROM_GUEST)
		return 0;
	v->queue_on[queue] = enable;
	if (!v->in_message)
		publish_up(v);
	return 0;
}

/* On the poll thread, from inside a burst call. */
static void guest_notified(int vid)
{
	struct port_vhost *v = port_get(vid);

	if (v)
		v->port.count.kicks++;
}

static const struct rte_vhost_device_ops device_ops = {
	.new_device = new_device,
	.destroy_device = destroy_device,
	.vring_state_changed = vring_state_changed,
	.guest_notified = guest_notified,
};

/* --- poll thread --------------------------------------------------------- */

static struct port_vhost *to_vhost(struct port *p)
{
	return (struct port_vhost *)p;
}

static void up_refresh(struct port_vhost *v)
{
	v->port.signal.up = __atomic_load_n(&v->up, __ATOMIC_ACQUIRE);
}

static unsigned vhost_pull(struct port *p, struct rte_mbuf **frames,
			   unsigned max)
{
	struct port_vhost *v = to_vhost(p);
	unsigned n;

	up_refresh(v);
	if (!gate_enter(&v->dev))
		return 0;
	n = rte_vhost_dequeue_burst(v->vid, FROM_GUEST, eal_pool(), frames,
				    (uint16_t)max);
	gate_leave(&v->dev);
	return n;
}

/* Inside `dev`. A shut ring gate only makes the stamps a little late: the
 * next call covers what this one left out. */
static void stamp(struct port_vhost *v, uint64_t since_ns)
{
	uint16_t avail_idx, used_idx;

	if (rte_vhost_get_vring_base(v->vid, TO_GUEST, &avail_idx, &used_idx))
		return;
	if (!gate_enter(&v->ring))
		return;
	delay_given(&v->delay, used_idx, since_ns);
	gate_leave(&v->ring);
}

static unsigned vhost_push(struct port *p, struct rte_mbuf **frames, unsigned n,
			   uint64_t since_ns)
{
	struct port_vhost *v = to_vhost(p);
	unsigned done = 0, want, got;

	up_refresh(v);
	if (!gate_enter(&v->dev))
		return 0;
	do {
		want = n - done < PORT_BURST ? n - done : PORT_BURST;
		got = rte_vhost_enqueue_burst(v->vid, TO_GUEST, frames + done,
					      (uint16_t)want);
		done += got;
	} while (done < n && got == want);
	if (done)
		stamp(v, since_ns);
	gate_leave(&v->dev);
	rte_pktmbuf_free_bulk(frames, done); /* rte_vhost copied them */
	return done;
}

/* Inside `ring`. Each word the guest writes is read once. */
static uint16_t guest_progress(const struct port_vhost *v)
{
	const struct vring_avail *avail = v->to.avail;
	uint16_t avail_idx = __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE);
	uint16_t used_event = 0;

	if (v->event_idx)
		used_event =
		    __atomic_load_n(&avail->ring[v->to.size], __ATOMIC_ACQUIRE);
	return delay_progress(&v->delay, v->event_idx, used_event, avail_idx);
}

static void vhost_watch(struct port *p, uint64_t now_ns, struct score *delays)
{
	struct port_vhost *v = to_vhost(p);

	up_refresh(v);
	p->signal.blind = false;
	if (!gate_enter(&v->ring)) {
		p->signal.blind = p->signal.up;
		if (!p->signal.up) {
			p->signal.untaken = 0;
			p->signal.delay_ns = 0;
		}
		return; /* else a message is being handled: old values */
	}
	delay_taken(&v->delay, guest_progress(v), now_ns, delays);
	p->signal.untaken = delay_untaken(&v->delay);
	p->signal.delay_ns = delay_oldest_ns(&v->delay, now_ns);
	gate_leave(&v->ring);
}

/* Inside `dev`: frames the guest posted and rte_vhost has not dequeued. */
static bool guest_has_frames(struct port_vhost *v)
{
	uint16_t avail_idx, used_idx;
	bool any;

	if (rte_vhost_get_vring_base(v->vid, FROM_GUEST, &avail_idx, &used_idx))
		return false;
	if (!gate_enter(&v->ring))
		return false; /* message_ended() wakes */
	any =
	    __atomic_load_n(&v->from.avail->idx, __ATOMIC_ACQUIRE) != avail_idx;
	gate_leave(&v->ring);
	return any;
}

static bool vhost_arm(struct port *p, bool on)
{
	struct port_vhost *v = to_vhost(p);
	bool any = false;

	if (!gate_enter(&v->dev))
		return false;
	rte_vhost_enable_guest_notification(v->vid, FROM_GUEST, on);
	if (on) {
		/* The guest writes its index, then reads what we asked for;
		 * we the other way round: one of us sees the other. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		any = guest_has_frames(v);
	}
	gate_leave(&v->dev);
	return any;
}

static int vhost_fd(struct port *p)
{
	return __atomic_load_n(&to_vhost(p)->kick_fd, __ATOMIC_ACQUIRE);
}

/* --- control thread ------------------------------------------------------ */

static void list_add(struct port_vhost *v)
{
	pthread_mutex_lock(&ports_lock);
	v->next = ports;
	ports = v;
	pthread_mutex_unlock(&ports_lock);
}

static void list_del(struct port_vhost *v)
{
	struct port_vhost **at;

	pthread_mutex_lock(&ports_lock);
	for (at = &ports; *at && *at != v; at = &(*at)->next)
		;
	if (*at)
		*at = v->next;
	pthread_mutex_unlock(&ports_lock);
}

static void vhost_close(struct port *p)
{
	struct port_vhost *v = to_vhost(p);

	rte_vhost_driver_unregister(v->path); /* calls destroy_device() */
	list_del(v);
	delay_exit(&v->delay);
	free(v);
}

static const struct port_ops vhost_ops = {
	.kind = "vhost",
	.pull = vhost_pull,
	.push = vhost_push,
	.watch = vhost_watch,
	.arm = vhost_arm,
	.fd = vhost_fd,
	.close = vhost_close,
};

static struct port_vhost *port_make(const struct port_vhost_conf *conf)
{
	size_t path_bytes = strlen(conf->path) + 1;
	struct port_vhost *v = calloc(1, sizeof(*v) + path_bytes);

	if (!v)
		return NULL;
	memcpy(v->path, conf->path, path_bytes);
	v->port.ops = &vhost_ops;
	snprintf(v->port.name, sizeof(v->port.name), "%s", conf->name);
	v->port.vm = conf->vm;
	if (conf->mac) {
		v->port.mac_check = true;
		memcpy(v->port.mac, conf->mac, sizeof(v->port.mac));
	}
	v->vid = -1;
	v->kick_fd = -1;
	v->wake = conf->wake;
	v->wake_arg = conf->wake_arg;
	return v;
}

/* rte_vhost returns -1 and sometimes leaves errno. */
static int vhost_err(void)
{
	return errno > 0 ? -errno : -EIO;
}

/* bind(2) happens in this thread, in rte_vhost_driver_start(): under a umask
 * that lets nobody in but the owner. */
static int driver_start(const struct port_vhost_conf *conf)
{
	mode_t before;
	int ret;

	errno = 0;
	if (conf->client)
		return rte_vhost_driver_start(conf->path) ? vhost_err() : 0;
	before = umask(0077);
	ret = rte_vhost_driver_start(conf->path) ? vhost_err() : 0;
	umask(before);
	if (ret)
		return ret;
	return sockfile_share(conf->path, conf->group, conf->mode);
}

int port_vhost_open(struct port **out, const struct port_vhost_conf *conf)
{
	uint64_t flags = conf->client ? RTE_VHOST_USER_CLIENT : 0;
	struct port_vhost *v;
	int err;

	if (!conf->client) {
		err = sockfile_clear(conf->path);
		if (err)
			return err;
	}
	v = port_make(conf);
	if (!v)
		return -ENOMEM;
	errno = 0;
	if (rte_vhost_driver_register(conf->path, flags)) {
		err = vhost_err();
		goto err_free;
	}
	if (rte_vhost_driver_disable_features(conf->path, FEATURES_OFF) ||
	    rte_vhost_driver_callback_register(conf->path, &device_ops)) {
		err = vhost_err();
		goto err_unregister;
	}
	list_add(v); /* from start on new_device() looks for it */
	err = driver_start(conf);
	if (err)
		goto err_list;
	*out = &v->port;
	return 0;

err_list:
	list_del(v);
err_unregister:
	rte_vhost_driver_unregister(conf->path);
err_free:
	free(v);
	return err;
}
