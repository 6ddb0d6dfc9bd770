/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * bounds.h - how many of each thing there can be
 *
 * Every table is fixed in size and allocated once. "Full" is a counted case,
 * never an error path. Indices are u16; *_NONE means "no such thing".
 */
#ifndef HL_BOUNDS_H
#define HL_BOUNDS_H

#define CPU_MAX 512
#ifndef VM_MAX /* a bench of more VMs is built with other bounds */
#define VM_MAX	 1024
#define VCPU_MAX 8192
#endif
#define NODE_MAX    16
#define VM_NAME_MAX 64 /* bytes of a libvirt domain name, NUL included */

#define CPU_NONE  0xffffu
#define VCPU_NONE 0xffffu
#define VM_NONE	  0xffffu
#define NODE_NONE 0xffffu

#endif
