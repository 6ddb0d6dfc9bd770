/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agents.h - the agents thread: all that is said to and heard of guests'
 * agents
 *
 * The poll thread knows its board only (agent_board.h). What people are shown
 * is in stat_hostd.vm[].agent.
 */
#ifndef HOSTD_AGENTS_H
#define HOSTD_AGENTS_H

#include <stdint.h>

#include "agent_board.h"
#include "agent_peer.h"

struct agents;

/*
 * agents_open() - No VMs yet, no thread yet
 * @shm_dir: "/dev/shm"; borrowed
 * @wake: called on the agents thread when a hint rose
 * Return: 0 or -errno. Start-up.
 */
int agents_open(struct agents **out, const char *shm_dir,
		void (*wake)(void *arg), void *wake_arg);

/* agents_start() - Start the thread; it inherits the caller's cpus. Return: 0
 * or -errno. */
int agents_start(struct agents *a);

/* agents_close() - Stop the thread, say good-bye to every agent. After the
 * poll thread, which uses the board. */
void agents_close(struct agents *a);

/* agents_board() - Where grants go and hints are; valid until agents_close().
 */
struct agent_board *agents_board(struct agents *a);

/*
 * agents_vm() - The VM in slot @vm has this channel from now on
 * @c: copied; NULL: it has none (any more)
 *
 * Again with other values: attached, plugged or configured otherwise. Control
 * thread. When it returns, nothing of what held before is in use.
 * Return: 0 or -ENOMEM.
 */
int agents_vm(struct agents *a, uint16_t vm, const struct peer_conf *c);

/* agents_turn() - Wait for something to do, @ms at most, and do it: what the
 * thread does all the time, for tests without one. */
void agents_turn(struct agents *a, int ms);

#endif
