/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pins.h - `virsh vcpupin` kept true of what has come to rest
 *
 * Control thread, but for pins_restore() (guardian). pinsync.c decides; this
 * asks libvirt and repairs what its call undoes.
 */
#ifndef HOSTD_PINS_H
#define HOSTD_PINS_H

#include <stdint.h>

#include "act.h"
#include "actuate.h"
#include "loop.h"
#include "virt.h"
#include "vms.h"

struct pins;

/* pins_open() - @virt: where the connection will be, once there is one.
 * Return: 0 or -ENOMEM. */
int pins_open(struct pins **out, struct virt **virt, struct loop *loop,
	      const struct actuate *actuate, const struct act_ops *ops,
	      struct act *act);
void pins_close(struct pins *p);

/*
 * pins_turn() - Make at most one pin call, if one is due
 * @stable_ns: hostd.conf's pin-after
 * What libvirt had is noted in the journal before it is first changed.
 */
void pins_turn(struct pins *p, struct vms *vms, uint64_t stable_ns,
	       uint64_t now_ns);

/* pins_release() - Slots [first, first + cnt) change hands: libvirt gets back
 * what it believed of them before. The VM may be gone. */
void pins_release(struct pins *p, uint16_t first, uint16_t cnt);

/* pins_doubt() - libvirtd was away: tell it everything again. */
void pins_doubt(struct pins *p);

/* pins_restore() - In the guardian, hostd being dead: bring libvirt's view
 * back from the pin lines of a journal file. */
void pins_restore(const char *journal);

#endif
