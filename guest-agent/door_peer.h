/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door_peer.h - who is at the other end of the door's sockets
 */
#ifndef AGENT_DOOR_PEER_H
#define AGENT_DOOR_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct peer {
	pid_t pid; /* 0: of a pid namespace that is not ours */
	uid_t uid;
	uint64_t started; /* 0: was gone already */
};

/* peer_of() - Whoever connected. Return: 0 or -errno. */
int peer_of(int sock, struct peer *out);

/* peer_there() - Is it still that process, not another with its number? */
bool peer_there(const struct peer *p);

/*
 * peer_thread() - The thread that @p itself numbers @theirs (in its own pid
 * namespace, as gettid(2) says there), as it is numbered here
 * Return: its number; -ESRCH: @p has no such thread, or is gone itself.
 */
pid_t peer_thread(const struct peer *p, pid_t theirs);

#endif
