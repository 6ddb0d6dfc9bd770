// SPDX-License-Identifier: Apache-2.0
/* replay_alone.c - `hostsim replay` as a program of its own */
#include "replay.h"

int main(int argc, char **argv)
{
	return replay_main(argc, argv);
}
