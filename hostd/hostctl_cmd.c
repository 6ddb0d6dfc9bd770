// SPDX-License-Identifier: Apache-2.0
/*
 * hostctl_cmd.c - hostctl's options and its table of commands
 */
#include "hostctl_cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "hostctl_agents.h"
#include "hostctl_record.h"
#include "hostctl_show.h"
#include "hostctl_sock.h"
#include "hostctl_why.h"

static const struct command {
	const char *name, *args, *help;		   /* args: a word each */
	int (*fn)(struct ctl *c, const char *arg); /* NULL: needs no hostd */
} commands[] = {
	{ "show", "[VM]", "all VMs, or everything of one (the default)",
	  show_vms },
	{ "cpus", "", "managed cpus: owner, for how long, why", show_cpus },
	{ "log", "[N]", "the last N decisions: which cpu moved, and why",
	  show_log },
	{ "why", "VM|CPU", "what led to the last decisions about it",
	  show_why },
	{ "agents", "", "guests' agents: state, what they want, share",
	  show_agents },
	{ "drops", "", "frames dropped, by port and reason", show_drops },
	{ "info", "", "facts and counters of hostd", show_info },
	{ "reload", "", "make hostd read its configuration again",
	  show_reload },
	{ "record", "FILE [SECONDS]", "what hostd sees and decides, for 10 s",
	  do_record },
	{ "check", "[ROOT]", "what this host lacks, and what that costs",
	  NULL },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *f)
{
	fputs("usage: hostctl [--socket PATH] [COMMAND [ARG...]]\n"
	      "       hostctl [--socket PATH] --json QUERY [ARG]\n\n",
	      f);
	for (unsigned i = 0; i < COMMANDS; i++)
		fprintf(f, "  %-7s %-14s %s\n", commands[i].name,
			commands[i].args, commands[i].help);
	fputs("\n  --socket PATH  hostd's telemetry socket (default: the "
	      "newest that answers)\n"
	      "  --json         one line of JSON; QUERY is info, vms, vm "
	      "NAME, agents,\n"
	      "                 agent NAME, cpus, cpu N, log N, record or "
	      "reload\n"
	      "  --version      print the version\n"
	      "  --help         this text; see hostctl(8)\n",
	      f);
}

static const struct command *find(const char *name)
{
	for (unsigned i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* How many arguments a command takes at most. */
static int args_max(const struct command *cmd)
{
	int n = *cmd->args != '\0';

	for (const char *p = cmd->args; *p; p++)
		n += *p == ' ';
	return n;
}

/* Why there is no hostd to talk to, and what to do. */
static void explain(FILE *err, int rc, const char *path)
{
	fputs("hostctl: ", err);
	if (rc == -EACCES)
		fputs("hostd's socket may not be used by this user: become "
		      "root",
		      err);
	else if (path)
		fprintf(err, "no hostd answers on %s (%s)", path,
			strerror(-rc));
	else if (rc == -ENOENT) {
		fputs("hostd does not run (no socket in", err);
		for (const char *const *d = sock_dirs(); *d; d++)
			fprintf(err, " %s", *d);
		fputs("): start it with systemctl start hostd", err);
	} else
		fprintf(err,
			"hostd does not answer (%s): look at systemctl status "
			"hostd",
			strerror(-rc));
	fputc('\n', err);
}

static int talk(struct ctl *c, const char *path,
		int (*fn)(struct ctl *c, const char *arg), const char *arg)
{
	int rc;

	c->fd = sock_open(path);
	if (c->fd < 0) {
		explain(c->err, c->fd, path);
		return 1;
	}
	c->reply = malloc(SOCK_REPLY_MAX);
	if (c->reply)
		rc = fn(c, arg);
	else {
		fputs("hostctl: out of memory\n", c->err);
		rc = 1;
	}
	free(c->reply);
	close(c->fd);
	return rc;
}

/* --json QUERY ARG... : joined by commas, as DPDK writes requests. */
static int run_json(struct ctl *c, const char *path, int argc, char **argv)
{
	char request[1024] = "";
	size_t n = 0;

	for (int i = 0; i < argc && n < sizeof(request); i++)
		n += (size_t)snprintf(request + n, sizeof(request) - n, "%s%s",
				      i ? "," : "", argv[i]);
	if (!argc || n >= sizeof(request)) {
		usage(c->err);
		return 2;
	}
	return talk(c, path, show_json, request);
}

/* The words after the options. What is no command is a VM's name. */
static int run_command(struct ctl *c, const char *path, int argc, char **argv)
{
	const struct command *cmd = argc ? find(argv[0]) : &commands[0];
	const char *arg;

	if (cmd && argc) {
		argv++;
		argc--;
	}
	if (!cmd)
		cmd = &commands[0];
	arg = argc ? argv[0] : NULL;
	c->arg2 = argc > 1 ? argv[1] : NULL;
	if (argc > args_max(cmd)) {
		usage(c->err);
		return 2;
	}
	if (!cmd->fn)
		return check_host(arg ? arg : "", c->out) ? 1 : 0;
	return talk(c, path, cmd->fn, arg);
}

int hostctl_run(int argc, char **argv, FILE *out, FILE *err)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct ctl c = { .fd = -1, .out = out, .err = err };
	const char *path = NULL;
	bool json = false;
	int opt;

	optind = 0; /* glibc: start over, whoever parsed before */
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+s:jVh", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'V':
			fprintf(out, "hostctl %s\n", HL_VERSION);
			return 0;
		case 'h':
			usage(out);
			return 0;
		default:
			usage(err);
			return 2;
		}
	}
	if (json)
		return run_json(&c, path, argc - optind, argv + optind);
	return run_command(&c, path, argc - optind, argv + optind);
}
