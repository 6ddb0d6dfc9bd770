// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_virt_xml.c - any bytes as a domain XML
 *
 * Whatever comes in, what comes out can be used: counts in bounds, paths
 * absolute and terminated, MAC addresses of one machine, the page's file in the
 * directory it belongs in.
 */
#include <stdlib.h>
#include <string.h>

#include "virt_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct virt_xml x;

	if (virt_xml_parse((const char *)data, size, &x))
		return 0;
	check(x.nic_cnt <= VIRT_NICS_MAX);
	for (unsigned i = 0; i < x.nic_cnt; i++) {
		const struct virt_nic *n = &x.nic[i];

		check(n->path[0] == '/');
		check(memchr(n->path, '\0', sizeof(n->path)));
		check(!(n->mac[0] & 1));
	}
	check(memchr(x.channel, '\0', sizeof(x.channel)));
	check(!x.channel[0] || x.channel[0] == '/');
	check(memchr(x.shmem, '\0', sizeof(x.shmem)));
	check(!x.shmem[0] ||
	      (!strncmp(x.shmem, "heighliner-", 11) && !strchr(x.shmem, '/')));
	return 0;
}
