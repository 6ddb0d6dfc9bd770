// SPDX-License-Identifier: Apache-2.0
/*
 * status.c - `guest-agent status`: ask the agent that runs here, print
 *
 * The agent writes the text or the JSON; here it is only asked for, and an
 * agent that is not there, or does not answer, is told apart.
 */
#include "status.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "door.h"
#include "hl/worker.h"

static int usage(FILE *to)
{
	fputs("usage: guest-agent status [--json] [--socket PATH]\n", to);
	return to == stdout ? 0 : 2;
}

static int complain(const char *path, int err)
{
	if (err == -ENOENT || err == -ECONNREFUSED)
		fputs("guest-agent: no guest-agent runs here: "
		      "systemctl start guest-agent\n",
		      stderr);
	else if (err == -EUSERS)
		fprintf(stderr, "guest-agent: %s: too many clients\n", path);
	else if (err == -ETIMEDOUT)
		fprintf(stderr, "guest-agent: %s: no answer\n", path);
	else
		fprintf(stderr, "guest-agent: %s: %s\n", path, strerror(-err));
	return 1;
}

static int show(const char *path, bool json)
{
	static char packet[sizeof(struct hl_door_answer) + DOOR_TEXT_MAX];
	struct hl_door_answer a;
	struct hl_door door;
	int err, fd = -1;

	err = hl_door_open(&door, path);
	if (!err)
		err = hl_door_call(&door, HL_DOOR_STATUS, json, &a, packet,
				   sizeof(packet), &fd);
	hl_door_close(&door);
	if (fd >= 0)
		close(fd);
	if (err)
		return complain(path, err);
	if (a.bytes > DOOR_TEXT_MAX)
		return complain(path, -EPROTO);
	if (fwrite(packet + sizeof(a), 1, a.bytes, stdout) != a.bytes ||
	    fflush(stdout))
		return complain("standard output", -errno);
	return 0;
}

int status_main(int argc, char **argv)
{
	const char *path = DOOR_PATH;
	bool json = false;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!strcmp(argv[i], "--socket") && i + 1 < argc)
			path = argv[++i];
		else if (!strcmp(argv[i], "--help"))
			return usage(stdout);
		else
			return usage(stderr);
	}
	return show(path, json);
}
