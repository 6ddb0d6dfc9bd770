/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h - `guest-agent status`: ask the agent that runs here, print
 */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

/*
 * status_main() - The whole command
 * @argv: "status", then --json, --socket PATH (default DOOR_PATH), --help
 * Return: the exit code: 0; 1: no answer, said on standard error; 2: usage.
 */
int status_main(int argc, char **argv);

#endif
