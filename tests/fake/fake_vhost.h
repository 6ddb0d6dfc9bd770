/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_vhost.h - a librte_vhost whose guest is the test
 *
 * Stands in for the rte_vhost_* functions port_vhost.c calls. Set-up calls are
 * logged in order and can be made to fail; rings are real memory that moves,
 * and is unmapped where the real library unmaps it, so that a stale pointer
 * crashes. The burst calls and messages share a lock as in the library.
 */
#ifndef TESTS_FAKE_VHOST_H
#define TESTS_FAKE_VHOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <rte_mbuf.h>
#include <rte_vhost.h>

#define FAKE_FRAMES 64

/* What the guest has mapped: one page, moved as a whole. */
struct fake_rings {
	struct {
		struct vring_avail head;
		uint16_t ring[256];
		uint16_t used_event;
	} to_avail, from_avail;
	struct vring_used to_used, from_used;
};

struct fake_vhost {
	char calls[512];  /* "register start ..." */
	const char *fail; /* this call fails */
	uint64_t flags, features_off;
	mode_t bind_umask; /* at rte_vhost_driver_start() */
	int listen_fd;	   /* -1: not started, or client */
	const struct rte_vhost_device_ops *ops;
	const struct rte_vhost_user_extern_ops *extern_ops;

	pthread_mutex_t lock; /* the queues' access lock */
	bool alive; /* between new_device() and destroy_device()'s return */
	char path[108];
	int vid;
	uint64_t features;
	uint16_t size;			/* of both rings */
	uint16_t last_avail, last_used; /* as the library keeps them */
	uint16_t from_last_avail;
	int kick_fd;
	struct fake_rings *rings;
	bool notify_guest; /* each enqueue sends an interrupt */
	int asked; /* last rte_vhost_enable_guest_notification(), -1: none */

	struct rte_mbuf *from_guest[FAKE_FRAMES]; /* next dequeue's answer */
	unsigned from_cnt;
	unsigned freed;	  /* frames given to rte_pktmbuf_free_bulk() */
	unsigned misused; /* calls with an id that is no device */
};

extern struct fake_vhost fake;

/* fake_reset() - As before the first call; rings of @size entries. */
void fake_reset(uint16_t size);
void fake_done(void);

/* fake_device_up() - Driver starts. Return: what new_device() said. */
int fake_device_up(int vid, uint64_t features);

/* fake_device_down() - The driver stops, then its memory goes away. */
void fake_device_down(void);

enum fake_msg {
	FAKE_MSG_NOTHING,
	FAKE_MSG_REMAP, /* SET_MEM_TABLE: the rings are elsewhere afterwards */
	FAKE_MSG_FLAP,	/* SET_VRING_CALL: a queue off and on within it */
	FAKE_MSG_FAILS, /* turns a queue off; no post handler runs */
};

/* fake_message() - A protocol message, with the queues' lock held. */
void fake_message(enum fake_msg kind);

/* fake_posts() - The guest posts @n more to-guest buffers. */
void fake_posts(uint16_t n);

#endif
