/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_vhost.c - a librte_vhost whose guest is the test
 */
#include "tests/fake/fake_vhost.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vhost/eal.h"

struct fake_vhost fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int called(const char *name)
{
	size_t len = strlen(fake.calls);

	snprintf(fake.calls + len, sizeof(fake.calls) - len, "%s%s",
		 len ? " " : "", name);
	if (!fake.fail || strcmp(fake.fail, name) != 0)
		return 0;
	errno = EPERM;
	return -1;
}

/* --- the library: set-up ------------------------------------------------- */

int rte_vhost_driver_register(const char *path, uint64_t flags)
{
	fake.flags = flags;
	snprintf(fake.path, sizeof(fake.path), "%s", path);
	return called("register");
}

int rte_vhost_driver_disable_features(const char *path, uint64_t features)
{
	(void)path;
	fake.features_off |= features;
	return called("disable");
}

int rte_vhost_driver_callback_register(
    const char *path, struct rte_vhost_device_ops const *const ops)
{
	(void)path;
	fake.ops = ops;
	return called("callbacks");
}

int rte_vhost_driver_start(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	fake.bind_umask = umask(0);
	umask(fake.bind_umask);
	if (called("start"))
		return -1;
	if (fake.flags & RTE_VHOST_USER_CLIENT)
		return 0;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	fake.listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fake.listen_fd, (struct sockaddr *)&un, sizeof(un)))
		return -1;
	return listen(fake.listen_fd, 1);
}

int rte_vhost_driver_unregister(const char *path)
{
	called("unregister");
	if (fake.alive)
		fake_device_down();
	if (fake.listen_fd >= 0) {
		close(fake.listen_fd);
		unlink(path);
	}
	fake.listen_fd = -1;
	return 0;
}

/* --- the library: a device ----------------------------------------------- */

static bool is_device(int vid)
{
	if (fake.alive && vid == fake.vid)
		return true;
	__atomic_fetch_add(&fake.misused, 1, __ATOMIC_RELAXED);
	return false;
}

int rte_vhost_get_ifname(int vid, char *buf, size_t len)
{
	(void)vid;
	snprintf(buf, len, "%s", fake.path);
	return called("ifname");
}

int rte_vhost_get_negotiated_features(int vid, uint64_t *features)
{
	(void)vid;
	*features = fake.features;
	return called("features");
}

int rte_vhost_extern_callback_register(
    int vid, struct rte_vhost_user_extern_ops const *const ops, void *ctx)
{
	(void)vid;
	(void)ctx;
	fake.extern_ops = ops;
	return called("extern");
}

int rte_vhost_get_vhost_vring(int vid, uint16_t queue,
			      struct rte_vhost_vring *vr)
{
	struct fake_rings *r = fake.rings;

	if (!is_device(vid))
		return -1;
	memset(vr, 0, sizeof(*vr));
	vr->size = fake.size;
	vr->kickfd = fake.kick_fd;
	vr->callfd = -1;
	vr->avail = queue ? &r->from_avail.head : &r->to_avail.head;
	vr->used = queue ? &r->from_used : &r->to_used;
	return 0;
}

int rte_vhost_get_vring_base(int vid, uint16_t queue, uint16_t *avail,
			     uint16_t *used)
{
	if (!is_device(vid))
		return -1;
	*avail = queue ? fake.from_last_avail : fake.last_avail;
	*used = queue ? fake.from_last_avail : fake.last_used;
	return 0;
}

uint16_t rte_vhost_enqueue_burst(int vid, uint16_t queue,
				 struct rte_mbuf **frames, uint16_t n)
{
	uint16_t room;

	(void)queue;
	(void)frames;
	if (!is_device(vid))
		return 0;
	pthread_mutex_lock(&fake.lock);
	room = (uint16_t)(fake.rings->to_avail.head.idx - fake.last_used);
	n = n < room ? n : room;
	fake.last_used = (uint16_t)(fake.last_used + n);
	fake.rings->to_used.idx = fake.last_used;
	if (n && fake.notify_guest)
		fake.ops->guest_notified(vid);
	pthread_mutex_unlock(&fake.lock);
	return n;
}

uint16_t rte_vhost_dequeue_burst(int vid, uint16_t queue,
				 struct rte_mempool *pool,
				 struct rte_mbuf **frames, uint16_t max)
{
	uint16_t n;

	(void)queue;
	(void)pool;
	if (!is_device(vid))
		return 0;
	pthread_mutex_lock(&fake.lock);
	n = fake.from_cnt < max ? (uint16_t)fake.from_cnt : max;
	memcpy(frames, fake.from_guest, n * sizeof(frames[0]));
	fake.from_cnt -= n;
	fake.from_last_avail = (uint16_t)(fake.from_last_avail + n);
	pthread_mutex_unlock(&fake.lock);
	return n;
}

int rte_vhost_enable_guest_notification(int vid, uint16_t queue, int enable)
{
	if (!is_device(vid) || queue != 1)
		return -1;
	pthread_mutex_lock(&fake.lock);
	fake.asked = enable;
	pthread_mutex_unlock(&fake.lock);
	return 0;
}

/* --- other libraries ----------------------------------------------------- */

void rte_pktmbuf_free_bulk(struct rte_mbuf **frames, unsigned n)
{
	(void)frames;
	fake.freed += n;
}

struct rte_mempool *eal_pool(void)
{
	return NULL; /* nothing looks into it here */
}

/* --- the guest ----------------------------------------------------------- */

static struct fake_rings *rings_map(void)
{
	void *mem =
	    mmap(NULL, sizeof(struct fake_rings), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		abort();
	return mem;
}

/* The copy is mapped while the old one still is: never the same address. */
static void rings_move(void)
{
	struct fake_rings *to = rings_map();

	memcpy(to, fake.rings, sizeof(*to));
	munmap(fake.rings, sizeof(*fake.rings));
	fake.rings = to;
}

void fake_reset(uint16_t size)
{
	fake = (struct fake_vhost){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.listen_fd = -1,
		.asked = -1,
		.size = size,
		.kick_fd = eventfd(0, EFD_NONBLOCK),
		.rings = rings_map(),
	};
}

void fake_done(void)
{
	close(fake.kick_fd);
	munmap(fake.rings, sizeof(*fake.rings));
}

int fake_device_up(int vid, uint64_t features)
{
	int ret;

	/* As the library does: the queues are reported before the device. */
	fake.ops->vring_state_changed(vid, 0, 1);
	fake.ops->vring_state_changed(vid, 1, 1);
	fake.vid = vid;
	fake.features = features;
	fake.alive = true;
	ret = fake.ops->new_device(vid);
	if (ret)
		fake.alive = false;
	return ret;
}

void fake_device_down(void)
{
	fake.ops->destroy_device(fake.vid);
	fake.alive = false;
	rings_move();
}

void fake_message(enum fake_msg kind)
{
	pthread_mutex_lock(&fake.lock);
	fake.extern_ops->pre_msg_handle(fake.vid, NULL);
	if (kind == FAKE_MSG_REMAP)
		rings_move();
	if (kind == FAKE_MSG_FLAP || kind == FAKE_MSG_FAILS)
		fake.ops->vring_state_changed(fake.vid, 0, 0);
	if (kind != FAKE_MSG_FAILS)
		fake.extern_ops->post_msg_handle(fake.vid, NULL);
	if (kind == FAKE_MSG_FLAP)
		fake.ops->vring_state_changed(fake.vid, 0, 1);
	pthread_mutex_unlock(&fake.lock);
}

void fake_posts(uint16_t n)
{
	struct vring_avail *avail = &fake.rings->to_avail.head;

	__atomic_store_n(&avail->idx, (uint16_t)(avail->idx + n),
			 __ATOMIC_RELEASE);
}
