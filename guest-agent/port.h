/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port.h - the byte stream to the host: a virtio-serial port or a unix socket
 *
 * Nothing blocks. The agent's one thread.
 */
#ifndef AGENT_PORT_H
#define AGENT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PORT_PATH 256

/* port_find() - The device of the port named AGENT_PORT, as the machine below
 * @root has it. Return: 0, -ENOENT: there is none. */
int port_find(const char *root, char *path, size_t size);

/*
 * port_open() - Open a port, or connect to a unix socket
 * @is_device: a port stays there while nobody is at its other end; a socket
 *	       that was hung up has to be opened again
 * Return: a descriptor or -errno (-ENOTSUP: it is neither).
 */
int port_open(const char *path, bool *is_device);

/* port_hung() - Is nobody at the other end? */
bool port_hung(int fd);

/* port_read() - Return: bytes; 0: the end; -EAGAIN; -errno: it is gone. */
ssize_t port_read(int fd, void *buf, size_t bytes);

/* port_write() - Return: bytes taken, -EAGAIN, -errno. Never a signal. */
ssize_t port_write(int fd, const void *buf, size_t bytes);

#endif
