// SPDX-License-Identifier: Apache-2.0
/*
 * page.c - find and map the agent's page from within a guest
 *
 * ivshmem-plain is a PCI device whose second BAR is the memory: sysfs gives it
 * as a file, no driver needed (QEMU, docs/specs/ivshmem-spec.txt).
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/load/page.h"

#define DEVICES "/sys/bus/pci/devices/*"
#define VENDOR	0x1af4
#define DEVICE	0x1110

static unsigned long number(const char *dir, const char *name)
{
	char path[256], text[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return strtoul(text, NULL, 0);
}

/* So that it decodes its memory, whatever the firmware did. */
static void enable(const char *dir)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/enable", dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, "1", 1); /* mapping tells whether it worked */
	close(fd);
}

static int find(char *path, size_t size)
{
	int rc = -ENODEV;
	glob_t found;

	if (glob(DEVICES, 0, NULL, &found))
		return rc;
	for (size_t i = 0; rc && i < found.gl_pathc; i++) {
		const char *dir = found.gl_pathv[i];

		if (number(dir, "vendor") != VENDOR ||
		    number(dir, "device") != DEVICE)
			continue;
		enable(dir);
		snprintf(path, size, "%s/resource2", dir);
		rc = 0;
	}
	globfree(&found);
	return rc;
}

int page_map(const char *file, bool write, struct agent_page **out)
{
	int prot = PROT_READ | (write ? PROT_WRITE : 0), fd, rc = 0;
	char path[256];
	void *mem;

	if (!file) {
		rc = find(path, sizeof(path));
		if (rc)
			return rc;
		file = path;
	}
	fd = open(file, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	mem = mmap(NULL, sizeof(struct agent_page), prot, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		rc = -errno;
	else
		*out = mem;
	close(fd);
	return rc;
}
