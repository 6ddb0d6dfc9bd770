// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_agent_procfs.c - any bytes as /proc's stat, schedstat and names
 *
 * The bytes are copied to memory of just their size, so that a read beyond them
 * is seen.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guest-agent/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1), *name = malloc(size + 1);
	struct procfs_stat s;
	uint64_t run, wait;
	pid_t pid;

	if (!copy || !name)
		abort();
	memcpy(name, data, size);
	name[size] = '\0';
	if (procfs_pid(name, &pid))
		must(pid > 0);
	free(name);
	memcpy(copy, data, size);
	if (!procfs_parse_stat(copy, size, &s))
		must(s.ppid >= 0 && (s.cpu < CPU_MAX || s.cpu == CPU_NONE));
	procfs_parse_schedstat(copy, size, &run, &wait);
	free(copy);
	return 0;
}
