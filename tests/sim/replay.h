/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.h - `hostsim replay`: what would another policy have decided?
 */
#ifndef TESTS_SIM_REPLAY_H
#define TESTS_SIM_REPLAY_H

/*
 * replay_main() - replay FILE [--policy P]... [--slo VM=TIME]... [--compare]
 * @argv: argv[0] is a name for messages
 * Return: an exit code: 0; 1 when FILE cannot be read or is damaged (what was
 * read before that is shown); 2 for bad usage.
 */
int replay_main(int argc, char **argv);

#endif
