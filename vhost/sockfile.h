/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockfile.h - the file of a listening socket: left-overs, group and mode
 */
#ifndef VHOST_SOCKFILE_H
#define VHOST_SOCKFILE_H

#include <stdint.h>

/*
 * sockfile_clear() - Make room for a socket at @path
 *
 * A left-over socket, one where nobody listens, is removed. Return: 0;
 * -EADDRINUSE when somebody listens; -EEXIST when it is no socket;
 * -ENAMETOOLONG when it does not fit a socket address; what access(2) says
 * when its directory cannot be written.
 */
int sockfile_clear(const char *path);

/*
 * sockfile_share() - Let @group (NULL: as it is) in, as far as @mode says
 *
 * The file must be the owner's alone until now (made under umask 0077): the
 * group comes first, then the mode, so nobody gets in who may not.
 * Return: 0 or -errno; -ENOENT for an unknown group.
 */
int sockfile_share(const char *path, const char *group, uint16_t mode);

#endif
