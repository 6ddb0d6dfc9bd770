/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.h - what every VM had before hostd changed it, as a text file
 *
 * Control thread, and the guardian; may block. The file is written whole (new
 * file, rename) before a change is made, and is there only while something is
 * to be put back. It outlives hostd, not the host: no VM does either. One line
 * an item:
 *	vm UUID PID STARTTIME NAME
 *	file PATH VALUE			a cgroup file and what it held
 *	thread TID STARTTIME CPULIST	a thread's affinity
 *	pin INDEX CPULIST		libvirt's own view of vcpu INDEX
 * Items belong to the vm line above them. STARTTIME (field 22 of
 * /proc/PID/stat) keeps a recycled id from being touched. In PATH blanks,
 * control bytes and backslashes are written \ooo, in NAME all these but blanks.
 *
 * Whoever reads the file does not trust it: only cpu.idle, cpu.shares,
 * cpu.weight and cpuset.cpus below a cgroup mount are ever written.
 */
#ifndef HOSTD_JOURNAL_H
#define HOSTD_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hl/bounds.h"
#include "hl/cpumask.h"

struct journal;

/*
 * journal_open() - An empty journal that will be kept at @path
 * Return: 0; -EEXIST when a file is there: what an earlier hostd changed must
 * be put back first, journal_restore(); or -errno.
 */
int journal_open(struct journal **out, const char *path);

/* journal_close() - Free; the file stays if it lists anything. */
void journal_close(struct journal *j);

/*
 * Items are gathered for one VM, then journal_commit() makes them durable.
 * Adding what is already there for a VM keeps the first value: the original.
 * A VM that was started anew (other pid) loses its old items.
 * Return: 0; -ESRCH for a task that is gone; -ENOENT for a VM not noted or a
 * file that is not there; or -errno.
 */
int journal_vm(struct journal *j, const char *uuid, pid_t pid,
	       const char *name);
int journal_file(struct journal *j, const char *uuid, const char *path);
int journal_thread(struct journal *j, const char *uuid, pid_t tid);
int journal_pin(struct journal *j, const char *uuid, unsigned index,
		const struct cpumask *mask);
int journal_commit(struct journal *j);

/*
 * journal_restore_vm() - Put one VM back, forget it, commit
 * A VM or item that is gone is no failure. Return: 0 or the first -errno; the
 * VM is forgotten in any case.
 */
int journal_restore_vm(struct journal *j, const char *uuid);

struct journal_result {
	unsigned vms, restored, gone, failed; /* items but for vms */
};

/*
 * journal_put_back() - Put back everything a journal file lists; it stays
 * @out: may be NULL
 *
 * Needs no other state. For who must still read the pin lines.
 * Return: 0, -ENOENT when there is nothing to do, or -errno of the first
 * failure (the others are still carried out).
 */
int journal_put_back(const char *path, struct journal_result *out);

/*
 * journal_restore() - journal_put_back(), then remove the file
 * Return: as journal_put_back().
 */
int journal_restore(const char *path, struct journal_result *out);

/* journal_each_pin() - Call @fn for every pin line of a VM that still lives;
 * the guardian uses it to bring libvirt's view back. Return: 0 or -errno. */
int journal_each_pin(const char *path,
		     void (*fn)(void *arg, const char *uuid, unsigned index,
				const struct cpumask *mask),
		     void *arg);

#endif
