// SPDX-License-Identifier: Apache-2.0
/*
 * options.c - hostd's command line
 */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "policy/policy.h"

#define CONF_FILE "/etc/heighliner/hostd.conf"
#define CONF_DIR  "/etc/heighliner/conf.d"
#define RUN_DIR	  "/run/heighliner"

static void usage(void)
{
	printf(
	    "usage: hostd [OPTION]...\n"
	    "Serve VMs' NICs over vhost-user and keep each VM's latency SLO "
	    "by moving cpus.\n\n"
	    "  -c, --config FILE  configuration (" CONF_FILE ")\n"
	    "  -d, --conf-dir DIR drop-ins, *.conf in order (" CONF_DIR ")\n"
	    "  -r, --run-dir DIR  sockets, lock and restore journal (" RUN_DIR
	    ")\n"
	    "      --check-config read the configuration, say what is wrong, "
	    "exit\n"
	    "      --dry-run      decide and show, but move nothing\n"
	    "      --restore      put back what a dead hostd left behind, "
	    "exit\n"
	    "  -v, --verbose      say more\n"
	    "      --help, --version\n\n"
	    "policies:\n");
	for (unsigned i = 0; policy_table[i]; i++)
		printf("  %-8s %s\n", policy_table[i]->name,
		       policy_table[i]->about);
	printf("\nSee hostd(8), hostd.conf(5), hostctl(8).\n");
}

void options_parse(struct options *opt, int argc, char **argv)
{
	enum { OPT_CHECK = 256, OPT_DRY, OPT_RESTORE, OPT_HELP, OPT_VERSION };
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "conf-dir", required_argument, NULL, 'd' },
		{ "run-dir", required_argument, NULL, 'r' },
		{ "check-config", no_argument, NULL, OPT_CHECK },
		{ "dry-run", no_argument, NULL, OPT_DRY },
		{ "restore", no_argument, NULL, OPT_RESTORE },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*opt = (struct options){ .conf_dir = CONF_DIR, .run_dir = RUN_DIR };
	while ((c = getopt_long(argc, argv, "c:d:r:v", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			opt->conf = optarg;
			break;
		case 'd':
			opt->conf_dir = optarg;
			break;
		case 'r':
			opt->run_dir = optarg;
			break;
		case 'v':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case OPT_CHECK:
			opt->check = true;
			break;
		case OPT_DRY:
			opt->dry_run = true;
			break;
		case OPT_RESTORE:
			opt->restore = true;
			break;
		case OPT_HELP:
			usage();
			exit(EXIT_SUCCESS);
		case OPT_VERSION:
			puts("hostd " HL_VERSION);
			exit(EXIT_SUCCESS);
		default:
			fprintf(stderr, "try 'hostd --help'\n");
			exit(EXIT_FAILURE);
		}
	}
	if (optind < argc)
		log_die("unexpected argument '%s': try 'hostd --help'",
			argv[optind]);
	/* Without -c a missing main file means defaults; a named one must be
	 * there. */
	if (!opt->conf && !access(CONF_FILE, F_OK))
		opt->conf = CONF_FILE;
}
