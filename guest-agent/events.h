/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.h - the kernel tells of threads that begin, change and end
 *
 * The process connector of netlink. Needs CAP_NET_ADMIN, and the machine's own
 * pid and user namespaces; without it scan.c does alone. One thread.
 */
#ifndef AGENT_EVENTS_H
#define AGENT_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define EVENTS_CPUS  1024 /* whose sequence numbers are watched */
#define EVENTS_BATCH 512  /* messages read in one turn, at most */

enum event_kind {
	EVENT_NONE,  /* nothing we ask about */
	EVENT_FORK,  /* a process or thread was cloned */
	EVENT_EXEC,  /* a process is another program now */
	EVENT_COMM,  /* a thread was renamed */
	EVENT_EXIT,  /* a thread ended */
	EVENT_OWNER, /* a process's user or group changed */
};

struct event {
	uint8_t kind; /* enum event_kind */
	pid_t tid, tgid;
	pid_t parent_tid, parent_tgid; /* of EVENT_FORK */
	uint32_t cpu;		       /* where; counts @seq there */
	uint32_t seq;
	uint64_t at_ns; /* when, CLOCK_MONOTONIC */
};

struct events_counters {
	uint64_t taken;	  /* messages that were events */
	uint64_t lost;	  /* numbers missing between them */
	uint64_t overrun; /* times the kernel said that it dropped some */
	uint64_t late;	  /* older than 10 ms when they were read */
	uint64_t oldest_us;
	uint64_t forged; /* not from the kernel */
	uint64_t broken; /* lengths that do not fit */
};

struct events {
	int fd;
	bool heard; /* the kernel has answered: it does tell us */
	struct events_counters n;
	bool known[EVENTS_CPUS];
	uint32_t next[EVENTS_CPUS]; /* sequence number expected of each cpu */
};

/*
 * events_parse() - The first event in a message of the process connector
 * @buf: @len bytes, any bytes at all
 * @used: how many of them belonged to it; 0: the rest is no message
 *
 * Pure. Return: 1 an event; 0 a message that is none; -EINVAL it is broken.
 */
int events_parse(const void *buf, size_t len, size_t *used, struct event *out);

/* events_open() - Return: 0, or -errno: -EPERM without CAP_NET_ADMIN. */
int events_open(struct events *e);
void events_close(struct events *e);

/*
 * events_turn() - Read up to EVENTS_BATCH messages
 * @take: called for each event
 * Return: 0; 1 there may be more; -ENOBUFS some were lost: look at all of /proc
 * (what was read was given to @take all the same).
 */
int events_turn(struct events *e, uint64_t now_ns,
		void (*take)(void *arg, const struct event *ev), void *arg);

/* events_count() - Judge one event's number and age. Return: how many were
 * lost before it. */
uint32_t events_count(struct events *e, const struct event *ev,
		      uint64_t now_ns);

#endif
