/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door_stage.h - a door in a thread, as in the agent, and its clients
 *
 * What the door asks of the agent is written down. Clients are the test itself
 * and children of it.
 */
#ifndef DOOR_STAGE_H
#define DOOR_STAGE_H

#include "guest-agent/door.h"
#include "hl/worker.h"

#define LEN(a)	   (sizeof(a) / sizeof((a)[0]))
#define LIMIT_MS   5000 /* for anything that is to happen */
#define JOINED_MAX 2048

extern char dir[64], path[96];
extern struct door *door;
extern pthread_mutex_t lock; /* around each use of `door` */
extern const struct door_ops ops;

/* The agent's side: who joined, how often; what it answers. */
extern pid_t joined[JOINED_MAX];
extern unsigned joins, leaves;
extern int join_err;
extern size_t text_bytes; /* of a status; 0: a short one */

/* setup() - A directory; start(): a door in its thread too. */
void setup(void);
void start(void);
void stop(void);

struct door_counts counts(void);
void tell(pid_t tid, uint16_t vcpu, int leaving);

/* await() - Until the door has so many clients and workers. */
void await(uint32_t clients, uint32_t registered);

/* ask_status() - Return: 0 or -errno. */
int ask_status(struct hl_door *d, int json, char *text, size_t size);

/* raw_client(), raw_join() - Without the calls of hl/worker.h. */
int raw_client(void);
int raw_join(int fd, int32_t tid);

#endif
