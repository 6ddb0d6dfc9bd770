/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virt_xml.h - what hostd needs of a libvirt domain XML
 */
#ifndef HOSTD_VIRT_XML_H
#define HOSTD_VIRT_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virt.h"

#define VIRT_XML_MAX (4u << 20) /* bytes; libvirt's own limit for a string */

struct virt_xml {
	uint16_t vcpu_max; /* <vcpu>: how many may ever be plugged */
	uint16_t nic_cnt;
	uint16_t nic_refused; /* vhostuser, but unusable or too many */
	struct virt_nic nic[VIRT_NICS_MAX];
	char channel[VIRT_PATH_MAX]; /* of the agent's channel; "": none */
	char shmem[VIRT_SHMEM_MAX];  /* of the agent's page; "": none */
	uint16_t agent_refused;	     /* either, but unusable or a second one */
	uint64_t pinned[VIRT_VCPUS_MAX / 64]; /* has its own <vcpupin> */
};

/*
 * virt_xml_parse() - Read a <domain>
 * @text: @len bytes, any bytes at all; need not end in NUL
 *
 * A function of the text alone; loads nothing, follows no entity. A NIC whose
 * path, mode or MAC address hostd cannot use is counted, not taken; so is an
 * agent's channel or page. A channel with no path at all is not counted:
 * libvirt gives it one when the domain starts. Return: 0; -EINVAL for what is
 * no domain, -E2BIG over VIRT_XML_MAX, -ENOMEM.
 */
int virt_xml_parse(const char *text, size_t len, struct virt_xml *out);

/* virt_xml_pinned() - Does vcpu @index have a <vcpupin> of its own? */
static inline bool virt_xml_pinned(const struct virt_xml *x, unsigned index)
{
	return index < VIRT_VCPUS_MAX &&
	       (x->pinned[index / 64] >> index % 64 & 1);
}

#endif
