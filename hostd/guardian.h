/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guardian.h - a small process that puts everything back if hostd dies
 *
 * Forked before anything is changed, it sleeps on a socket pair whose other
 * end hostd holds. When hostd is gone, however it went, that end is closed and
 * the guardian carries out the journal. It holds hostd's lock file meanwhile,
 * so that a new hostd starts only after everything is back.
 */
#ifndef HOSTD_GUARDIAN_H
#define HOSTD_GUARDIAN_H

/*
 * guardian_start() - Fork the guardian
 * @journal: path of the restore journal
 * @lock_fd: hostd's lock file, inherited; -1: none
 * @after: called in the guardian once the journal was carried out (libvirt's
 *	   view brought back), while the file is still there; may be NULL
 *
 * Call with one thread running, once. The guardian ignores terminal signals,
 * is in a session of its own, and is ready when this returns.
 * Return: 0 or -errno.
 */
int guardian_start(const char *journal, int lock_fd,
		   void (*after)(const char *journal));

/* guardian_dismiss() - Orderly stop: everything was restored already. Waits
 * for the guardian's end; nothing happens without one. */
void guardian_dismiss(void);

/*
 * guardian_lock() - Take hostd's lock, waiting for a restore under way
 * @wait_ms: how long
 * Return: a file descriptor, -EBUSY while another hostd runs, or -errno. The
 * lock is held until the last process that inherited the descriptor is gone.
 */
int guardian_lock(const char *path, unsigned wait_ms);

#endif
