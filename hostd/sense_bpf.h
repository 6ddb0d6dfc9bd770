/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sense_bpf.h - vcpu states from the kernel, read without a system call
 */
#ifndef HOSTD_SENSE_BPF_H
#define HOSTD_SENSE_BPF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sensor_page.h"

struct sense_bpf;

/*
 * sense_bpf_open() - Load the sensor and map its page; start-up
 * @why: on failure, what is wrong and what helps, in words for the operator
 * @size: bytes of @why; 200 hold every sentence
 *
 * Needs CAP_BPF and CAP_PERFMON, kernel type information (BTF), Linux 5.12, and
 * to be in the host's first pid namespace, for tids are the kernel's own.
 * Return: 0, or -errno: hostd then runs without ready wait.
 */
int sense_bpf_open(struct sense_bpf **out, char *why, size_t size);
void sense_bpf_close(struct sense_bpf *s);

/*
 * sense_bpf_watch() - Watch thread @tid in slot @vcpu; control thread
 *
 * What the slot watched before is forgotten, its sums start at 0. The slot
 * then says how the thread is now (an asleep thread: halted; any other:
 * running) and follows every event from here on. The thread's end empties it.
 *
 * Return: 0, -ESRCH when the thread has ended, -EEXIST when another slot
 * watches it, -EINVAL, or another -errno.
 */
int sense_bpf_watch(struct sense_bpf *s, uint16_t vcpu, pid_t tid);

/* sense_bpf_unwatch() - Forget the slot's thread; control thread. Nothing to
 * do for a slot that watches none. */
void sense_bpf_unwatch(struct sense_bpf *s, uint16_t vcpu);

/* sense_bpf_page() - Where to read what it sees; lives as long as @s. */
const struct sensor_page *sense_bpf_page(const struct sense_bpf *s);

#endif
