/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - what `guest-agent status` shows
 */
#ifndef AGENT_REPORT_H
#define AGENT_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "agent.h"

/*
 * report() - Write the agent's state, as lines for people or as JSON
 * @buf: @size bytes; cut, and still NUL-terminated, when that is too little
 * Return: bytes without the NUL.
 */
size_t report(const struct agent *a, char *buf, size_t size, int json,
	      uint64_t now_ns);

#endif
