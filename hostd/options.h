/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - hostd's command line
 */
#ifndef HOSTD_OPTIONS_H
#define HOSTD_OPTIONS_H

#include <stdbool.h>

struct options {
	const char *conf; /* NULL: no main file, defaults hold */
	const char *conf_dir, *run_dir;
	bool check, dry_run, restore;
};

/*
 * options_parse() - Read the command line; start-up
 * Ends the program for --help, --version and what it does not understand.
 */
void options_parse(struct options *opt, int argc, char **argv);

#endif
