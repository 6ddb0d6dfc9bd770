/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door_listen.h - a socket file to listen at
 */
#ifndef AGENT_DOOR_LISTEN_H
#define AGENT_DOOR_LISTEN_H

/*
 * door_listen() - A SOCK_SEQPACKET socket at @path, for everybody to connect
 *
 * @path: shorter than sun_path. A file left over from somebody who died is
 *	  replaced.
 * Return: a descriptor; -EADDRINUSE: somebody listens there; -EEXIST: it is no
 * socket; or -errno.
 */
int door_listen(const char *path);

#endif
