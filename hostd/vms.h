/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vms.h - the control thread's list of VMs: their ports, slots and threads
 *
 * Takes what libvirt says and what the configuration says, and brings ports,
 * backend and poll thread in line with it. Control thread only.
 */
#ifndef HOSTD_VMS_H
#define HOSTD_VMS_H

#include <stdbool.h>
#include <stdint.h>

#include "act.h"
#include "agents.h"
#include "conf.h"
#include "loop.h"
#include "meters.h"
#include "sense_bpf.h"
#include "virt.h"

struct vms;

struct vms_conf {
	const struct conf *conf; /* borrowed; replaced by vms_reload() */
	struct loop *loop;
	const struct act_ops *ops;
	struct act *act;
	struct sense_bpf *bpf; /* NULL: no sensor */
	struct agents *agents; /* NULL: guests' agents are left alone */
	struct meters *meters; /* NULL: nothing is metered */
	const char *run_dir;   /* sockets under it are ours to serve */
	/* libvirt's view of these slots is to be put back; before release() */
	void (*on_release)(uint16_t first_vcpu, uint16_t cnt);
	bool act_on; /* false: policy none, touch no VM */
};

/* vms_open() - Also serves the sockets that [vm] sections name. */
int vms_open(struct vms **out, const struct vms_conf *c);

/* vms_close() - Take every VM out, close every port. */
void vms_close(struct vms *v);

/* vms_update() - libvirt says: the VM is in this state now. May repeat. */
void vms_update(struct vms *v, const struct virt_vm *vm);

/* vms_reload() - A new configuration, checked already, holds from now on. */
void vms_reload(struct vms *v, const struct conf *next, bool act_on);

/* vms_pump() - Handle what the poll thread sent. */
void vms_pump(struct vms *v);

/*
 * vms_each_vcpu() - Call @fn for every plugged vcpu of every running VM
 * Used by the slow walk that keeps libvirt's view in line.
 */
void vms_each_vcpu(struct vms *v,
		   void (*fn)(void *arg, const char *uuid, unsigned index,
			      uint16_t slot),
		   void *arg);

#endif
