/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door.h - the local socket: status, and workers that register themselves
 *
 * Protocol and client side: hl/worker.h. Anybody may ask for the status; a
 * thread is registered only by its own process.
 */
#ifndef AGENT_DOOR_H
#define AGENT_DOOR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DOOR_PATH     "/run/heighliner-agent.sock"
#define DOOR_CLIENTS  256
#define DOOR_TEXT_MAX (96 * 1024) /* of a status: 512 vcpus as JSON */

struct door;

struct door_ops {
	/* Text of the status, json or not. Return: bytes written. */
	size_t (*status)(void *arg, char *buf, size_t size, int json);
	/* Checked by the door: @tid is a thread of @tgid. Return: slot >= 0 or
	 * -errno. */
	int (*join)(void *arg, pid_t tid, pid_t tgid);
	void (*leave)(void *arg, pid_t tid);
	void *arg;
};

/* door_open() - Return: 0 or -errno (-EADDRINUSE: another agent is there). */
int door_open(struct door **out, const char *path, const struct door_ops *ops);
void door_close(struct door *d);
int door_fd(const struct door *d); /* epoll; readable: call door_turn() */
void door_turn(struct door *d);

/* door_tell() - A registered worker is placed on @vcpu (CPU_NONE: rides), or
 * is about to lose it (@leaving). No-op for those that did not register. */
void door_tell(struct door *d, pid_t tid, uint16_t vcpu, int leaving);

/* door_forget() - The thread is gone, or no worker any more: its line is free.
 * No-op for those that did not register; ops->leave() is not called. */
void door_forget(struct door *d, pid_t tid);

struct door_counts {
	uint32_t clients, registered; /* now */
	uint64_t full;		      /* turned away */
	uint64_t dropped;	      /* did not read, or made no sense */
	uint64_t refused;	      /* registrations */
};

void door_counts(const struct door *d, struct door_counts *out);

#endif
