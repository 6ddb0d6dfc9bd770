// SPDX-License-Identifier: Apache-2.0
/*
 * door_peer.c - who is at the other end of the door's sockets
 *
 * The kernel says which process connected. A number may be handed out again
 * once its process is gone, while a child still holds the connection: so the
 * process's start time is kept, and must be the same before and after a thread
 * of it is looked up. What is below /proc/PID/task is of that process alone.
 *
 * A thread in a container knows only its number there. The kernel shows all
 * numbers of a thread, the innermost last (NSpid of its status).
 */
#include "door_peer.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "procfs.h"
#include "text.h"

#define TASKS_MAX 1024 /* looked through for one number */

int peer_of(int sock, struct peer *out)
{
	struct procfs_stat stat;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	*out = (struct peer){ .pid = cred.pid, .uid = cred.uid };
	if (cred.pid > 0 && !procfs_stat(cred.pid, cred.pid, &stat))
		out->started = stat.started;
	return 0;
}

bool peer_there(const struct peer *p)
{
	struct procfs_stat stat;

	return p->pid > 0 && p->started &&
	       !procfs_stat(p->pid, p->pid, &stat) &&
	       stat.started == p->started;
}

/* The innermost number of thread @tid of @pid, or -ESRCH. */
static pid_t inner_number(pid_t pid, pid_t tid)
{
	char path[64], text[4096], *line;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid,
		 (int)tid);
	if (text_read(path, text, sizeof(text)) <= 0)
		return -ESRCH;
	/* a process may choose its name, in the first line, but the kernel
	 * writes a newline in it as two characters */
	line = strstr(text, "\nNSpid:");
	if (!line)
		return tid; /* no namespaces in this kernel */
	line += strlen("\nNSpid:");
	line[strcspn(line, "\n")] = '\0';
	line = strrchr(line, '\t');
	return line ? (pid_t)strtol(line + 1, NULL, 10) : -ESRCH;
}

static pid_t search(pid_t pid, pid_t theirs)
{
	pid_t tid, found = -ESRCH;
	struct dirent *e;
	unsigned n = 0;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	while (found < 0 && n < TASKS_MAX && (e = readdir(dir))) {
		if (!procfs_pid(e->d_name, &tid))
			continue;
		n++;
		if (inner_number(pid, tid) == theirs)
			found = tid;
	}
	closedir(dir);
	return found;
}

pid_t peer_thread(const struct peer *p, pid_t theirs)
{
	pid_t tid = theirs;

	if (theirs <= 0 || !peer_there(p))
		return -ESRCH;
	if (inner_number(p->pid, tid) != theirs)
		tid = search(p->pid, theirs);
	return peer_there(p) ? tid : -ESRCH;
}
