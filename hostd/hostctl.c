// SPDX-License-Identifier: Apache-2.0
/*
 * hostctl.c - ask hostd what it does and tell it to reload; see hostctl(8)
 */
#include <stdio.h>

#include "hostctl_cmd.h"

int main(int argc, char **argv)
{
	int rc = hostctl_run(argc, argv, stdout, stderr);

	/* a full disk or a closed pipe must not look like success */
	if (fflush(stdout) && !rc)
		rc = 1;
	return rc;
}
