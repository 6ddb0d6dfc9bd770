/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msg.h - what the control thread and the poll thread tell each other
 *
 * Two mboxes (hl/mbox.h), one each way. The poll thread never waits for the
 * control thread; what it cannot say now it says in a later pass.
 */
#ifndef HOSTD_MSG_H
#define HOSTD_MSG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hl/cpumask.h"
#include "policy/policy.h"
#include "vhost/switch.h"

#define MSG_SLOTS 4096

enum msg_kind {
	/* control -> poll */
	MSG_SETTINGS, /* take these from now on */
	MSG_PORT_ADD, /* a port to serve */
	MSG_PORT_DEL, /* answered by MSG_PORT_OUT */
	MSG_VCPU_SET, /* the thread behind a vcpu slot; tid 0: unplugged */
	MSG_VM_SET,   /* a VM runs, or its configuration changed */
	MSG_VM_DEL,   /* a VM stopped; answered by MSG_VM_OUT */
	MSG_REASSERT, /* submit this vcpu's mask again */
	MSG_STOP,     /* leave the loop */
	/* poll -> control */
	MSG_PORT_OUT,	  /* nothing refers to the port any more */
	MSG_VM_OUT,	  /* nothing refers to the VM's slots any more */
	MSG_PORT_REFUSED, /* the switch does not take this port */
	MSG_CALL,	  /* a backend wants this run on the control thread */
};

/* What hostctl reload may change in a running loop. */
struct settings {
	struct cpumask managed, floor;
	const struct policy_ops *policy;
	uint64_t interval_ns;	/* between two decisions */
	uint64_t idle_after_ns; /* idle so long: sleep */
	bool may_sleep;
	bool act; /* false: only observe, touch no VM */
	struct sw_conf sw;
};

struct msg {
	enum msg_kind kind;
	union {
		struct settings settings;
		struct port *port;
		struct {
			uint16_t slot, vm, index;
			pid_t pid, tid;
		} vcpu;
		struct {
			uint16_t slot;
			struct vm_view view; /* only what is configured */
		} vm;
		struct {
			void (*fn)(void *arg);
			void *arg;
		} call;
	};
};

#endif
