// SPDX-License-Identifier: Apache-2.0
/*
 * door_lines.c - memory that tells registered workers what they are
 *
 * `seq` is stored last: who has read it and finds it unchanged afterwards has
 * missed nothing. The memory is ours for as long as we map it, whatever the
 * client does with its descriptor.
 */
#include "door_lines.h"

#include <errno.h>
#include <limits.h>

#define LINES_BYTES (HL_DOOR_LINES * sizeof(struct hl_worker_line))

int lines_open(struct lines *l)
{
	int fd =
	    memfd_create("heighliner-workers", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *at;
	int err;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)LINES_BYTES))
		goto err_close;
	at = mmap(NULL, LINES_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		goto err_close;
	/* after the mapping: from here on nobody gets a writable one */
	if (fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE |
		      F_SEAL_SEAL))
		goto err_unmap;
	l->fd = fd;
	l->at = (struct hl_worker_line *)at;
	return 0;

err_unmap:
	err = -errno;
	munmap(at, LINES_BYTES);
	close(fd);
	return err;
err_close:
	err = -errno;
	close(fd);
	return err;
}

void lines_set(struct lines *l, unsigned line, enum hl_worker_state state,
	       uint16_t vcpu)
{
	struct hl_worker_line *w = &l->at[line];
	uint32_t seq = w->seq;

	/* stays as it is: no reason to wake anybody */
	if (w->state == (uint32_t)state && w->vcpu == vcpu)
		return;
	__atomic_store_n(&w->vcpu, vcpu, __ATOMIC_RELAXED);
	__atomic_store_n(&w->state, (uint32_t)state, __ATOMIC_RELAXED);
	__atomic_store_n(&w->seq, seq + 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &w->seq, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void lines_close(struct lines *l)
{
	if (!l->at)
		return;
	for (unsigned i = 0; i < HL_DOOR_LINES; i++)
		if (l->at[i].seq)
			lines_set(l, i, HL_WORKER_RIDING, HL_VCPU_NONE);
	munmap(l->at, LINES_BYTES);
	close(l->fd);
	l->at = NULL;
	l->fd = -1;
}
