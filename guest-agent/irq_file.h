/* SPDX-License-Identifier: Apache-2.0 */
/*
 * irq_file.h - files that hold a set of cpus, and where those of a NIC are
 *
 * The agent's thread, or the guardian.
 */
#ifndef AGENT_IRQ_FILE_H
#define AGENT_IRQ_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "hl/cpumask.h"

/*
 * mask_read(), mask_write() - A cpu list ("0-3,8"), or with @hex 32-bit words
 * from the highest down ("00000001,0000000f")
 * Return: 0 or -errno (-EINVAL, -ERANGE: not such a text).
 */
int mask_read(const char *path, bool hex, struct cpumask *out);
int mask_write(const char *path, bool hex, const struct cpumask *m);

/* mask_parse_hex(), mask_format_hex() - The latter as short as can be. */
int mask_parse_hex(const char *text, struct cpumask *out);
char *mask_format_hex(const struct cpumask *m, char *buf, size_t size);

typedef void (*irq_found)(void *arg, const char *path, bool rps);

/* irq_scan() - Call @found with each affinity file of a virtio NIC's interrupt
 * and each receive steering file of its queues that is not empty. Return:
 * false: could not look everywhere. */
bool irq_scan(const char *root, irq_found found, void *arg);

#endif
