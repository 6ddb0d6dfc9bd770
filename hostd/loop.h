/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h - the poll thread
 */
#ifndef HOSTD_LOOP_H
#define HOSTD_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "actuate.h"
#include "agent_board.h"
#include "meter_board.h"
#include "msg.h"
#include "sense_bpf.h"
#include "topo.h"

struct loop;

struct loop_conf {
	struct sw *sw;
	struct actuate *actuate;
	const struct sense_bpf *bpf; /* NULL: no sensor */
	struct agent_board *board;   /* NULL: guests' agents are not told */
	struct meter_board *meters;  /* NULL: no meters */
	const struct topo *topo;
	uint16_t cpu; /* where the poll thread runs; CPU_NONE: anywhere */
	struct settings settings;
	void (*wake_control)(void); /* a message waits for the control thread */
};

/* loop_open() - Allocate. Return: 0 or -ENOMEM. Start-up. */
int loop_open(struct loop **out, const struct loop_conf *c);

/* loop_start() - Start the poll thread. Return: 0 or -errno. Start-up. */
int loop_start(struct loop *l);

/* loop_stop() - Stop and join the poll thread; nothing is restored here. */
void loop_stop(struct loop *l);
void loop_close(struct loop *l);

/* loop_send() - To the poll thread, waiting while its box is full. Control. */
void loop_send(struct loop *l, const struct msg *m);

/* loop_recv() - From the poll thread. Return: false: nothing. Control. */
bool loop_recv(struct loop *l, struct msg *m);

/* loop_call() - Run @fn on the control thread. Poll thread only: it is the one
 * producer of that box. */
void loop_call(struct loop *l, void (*fn)(void *arg), void *arg);

/* loop_wake() - End the loop's sleep. Any thread. */
void loop_wake(struct loop *l);

#endif
