/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_peer.h - one VM's agent: its channel, its page, what came of them
 *
 * The agents thread, and the control thread while it holds the agents' lock.
 * Nothing here blocks.
 */
#ifndef HOSTD_AGENT_PEER_H
#define HOSTD_AGENT_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent_board.h"
#include "agent_page.h"
#include "agent_session.h"
#include "hl/bounds.h"
#include "stat.h"

#define PEER_PATH_MAX  108 /* as virt_vm.channel */
#define PEER_SHMEM_MAX 64  /* as virt_vm.shmem */

/* What hostd knows of the VM. */
struct peer_conf {
	char name[VM_NAME_MAX];
	char channel[PEER_PATH_MAX]; /* QEMU's socket */
	char shmem[PEER_SHMEM_MAX];  /* name of the page's file; "": none */
	pid_t pid;		     /* QEMU */
	uint16_t first_vcpu, vcpu_cnt;
	bool enabled; /* agent = on */
};

struct peer;

/* What all peers share. */
struct peer_room {
	struct agent_board *board;
	struct peer *peer[VM_MAX];
	int epoll_fd;
	const char *shm_dir;	 /* "/dev/shm" */
	void (*wake)(void *arg); /* a guest wants more: the poll thread should
				  * look */
	void *wake_arg;
	uint32_t serial;	  /* of the last connection */
	struct session_page seen; /* scratch */
};

struct peer {
	struct session session;
	struct page page;
	struct peer_conf conf;
	uid_t qemu;
	const char *page_why; /* why there is no page; NULL: none is named */
	uint16_t vm;
	int fd;		   /* -1: not connected */
	uint32_t serial;   /* of the connection, in its epoll events */
	uint32_t interest; /* what epoll was told */
	bool stuck;	   /* the guest does not read */
	unsigned strikes;  /* connections ended for nonsense, lately */
	uint64_t linked_ns, retry_ns, tick_ns, look_ns;
	uint64_t due_ns; /* peer_time() is to be called then */
	uint8_t state_said;
};

/* peer_open() - @vm has a channel. It is connected in the next peer_time().
 * Return: 0 or -ENOMEM. */
int peer_open(struct peer_room *r, uint16_t vm, const struct peer_conf *c);

/* peer_set() - The same VM, configured, plugged or attached otherwise. */
void peer_set(struct peer_room *r, struct peer *p, const struct peer_conf *c);

/* peer_close() - Say good-bye, forget all of it. */
void peer_close(struct peer_room *r, struct peer *p);

/* peer_event() - epoll says @events of its connection. */
void peer_event(struct peer_room *r, struct peer *p, uint32_t events,
		uint64_t now_ns);

/* peer_words() - Grants may have changed: pass them on. */
void peer_words(struct peer_room *r, struct peer *p, uint64_t now_ns);

/* peer_time() - due_ns is here: connect, beat, look. */
void peer_time(struct peer_room *r, struct peer *p, uint64_t now_ns);

#endif
