/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - find and map the agent's page from within a guest
 */
#ifndef LOAD_PAGE_H
#define LOAD_PAGE_H

#include <stdbool.h>

#include "hl/agent.h"

/*
 * page_map() - Map the first ivshmem device, or @file where it is not NULL
 * Return: 0 or -errno; -ENODEV: there is no such device.
 */
int page_map(const char *file, bool write, struct agent_page **out);

#endif
