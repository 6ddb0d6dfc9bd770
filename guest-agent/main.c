// SPDX-License-Identifier: Apache-2.0
/*
 * main.c - guest-agent: command line, configuration, start and end
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "log.h"
#include "procfs.h"
#include "status.h"

#define CONF_FILE     "/etc/heighliner/guest-agent.conf"
#define CONF_FILE_MAX (64u << 10)
#define LOCK_WAIT_MS  5000 /* a guardian may still be putting things back */
#define ANSWER_MS     500  /* the kernel's, to a request to listen */

struct options {
	const char *conf; /* NULL: CONF_FILE where it is there */
	const char *channel, *page;
	bool check;
};

static void usage(void)
{
	printf(
	    "usage: guest-agent [OPTION]...\n"
	    "       guest-agent status [--json]\n"
	    "Run the threads that matter on the vcpus that have a cpu, as "
	    "hostd grants them.\n\n"
	    "  -c, --conf FILE     configuration (" CONF_FILE ")\n"
	    "      --channel PATH  virtio port, or a Unix socket, to the host "
	    "(search)\n"
	    "      --page FILE     page shared with the host, none: use none "
	    "(search)\n"
	    "      --once-check    read the configuration, say what is wrong "
	    "and whom it\n"
	    "                      chooses, exit\n"
	    "  -v, --verbose       say more\n"
	    "      --help, --version\n\n"
	    "See guest-agent(8).\n");
}

static void options_parse(struct options *o, int argc, char **argv)
{
	enum { OPT_CHANNEL = 256, OPT_PAGE, OPT_CHECK, OPT_HELP, OPT_VERSION };
	static const struct option longs[] = {
		{ "conf", required_argument, NULL, 'c' },
		{ "channel", required_argument, NULL, OPT_CHANNEL },
		{ "page", required_argument, NULL, OPT_PAGE },
		{ "once-check", no_argument, NULL, OPT_CHECK },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:v", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->conf = optarg;
			break;
		case OPT_CHANNEL:
			o->channel = optarg;
			break;
		case OPT_PAGE:
			o->page = optarg;
			break;
		case OPT_CHECK:
			o->check = true;
			break;
		case 'v':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case OPT_HELP:
			usage();
			exit(EXIT_SUCCESS);
		case OPT_VERSION:
			puts("guest-agent " HL_VERSION);
			exit(EXIT_SUCCESS);
		default:
			fprintf(stderr, "try 'guest-agent --help'\n");
			exit(EXIT_FAILURE);
		}
	}
	if (optind < argc)
		log_die("unexpected argument '%s': try 'guest-agent --help'",
			argv[optind]);
}

/* --- configuration ------------------------------------------------------ */

/* Without -c a missing file means defaults; a named one must be there. */
static void load_file(struct agent_conf *c, const char *named)
{
	static char text[CONF_FILE_MAX + 1];
	const char *path = named ? named : CONF_FILE;
	struct agent_conf_error err;
	ssize_t n, len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && !named)
		return;
	if (fd < 0)
		log_die("%s: the file cannot be opened (%s)", path,
			strerror(errno));
	while ((n = read(fd, text + len, sizeof(text) - (size_t)len)) > 0)
		len += n;
	if (n < 0)
		log_die("%s: the file cannot be read (%s)", path,
			strerror(errno));
	close(fd);
	if (len > CONF_FILE_MAX)
		log_die("%s: the file is too long: %u bytes at most", path,
			CONF_FILE_MAX);
	if (agent_conf_parse(c, text, (size_t)len, &err))
		log_die("%s:%u: %s", path, err.line, err.text);
}

static void set_path(char to[AGENT_CONF_PATH], const char *option,
		     const char *value)
{
	if (strlen(value) >= AGENT_CONF_PATH)
		log_die("%s: the path is too long: %d bytes at most", option,
			AGENT_CONF_PATH - 1);
	snprintf(to, AGENT_CONF_PATH, "%s", value);
}

static void load_conf(struct agent_conf *c, const struct options *o)
{
	agent_conf_default(c);
	load_file(c, o->conf);
	if (o->channel)
		set_path(c->channel, "--channel", o->channel);
	if (o->page)
		set_path(c->page, "--page", o->page);
}

/* --- --once-check ------------------------------------------------------- */

static unsigned count_threads(pid_t pid)
{
	const struct dirent *e;
	char path[64];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (!d)
		return 0;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void drop_event(void *arg, const struct event *ev)
{
	(void)arg;
	(void)ev;
}

/* The configuration is good; whom does it choose now, and what may we do? */
static int once_check(const struct agent_conf *c)
{
	static struct crew crew;
	unsigned processes = 0, threads = 0;
	struct procfs_stat s;
	const struct dirent *e;
	static struct events ev;
	DIR *d = opendir("/proc");
	pid_t pid;
	int err;

	crew.match = &c->match;
	while (d && (e = readdir(d))) {
		if (!procfs_pid(e->d_name, &pid) || procfs_stat(pid, pid, &s) ||
		    s.kthread || !crew_chosen(&crew, pid))
			continue;
		processes++;
		threads += count_threads(pid);
	}
	if (d)
		closedir(d);
	printf("configuration is good: %u rules choose %u threads of %u "
	       "processes now\n",
	       c->match.count, threads, processes);
	err = events_open(&ev);
	if (!err) {
		poll(&(struct pollfd){ .fd = ev.fd, .events = POLLIN }, 1,
		     ANSWER_MS);
		events_turn(&ev, 0, drop_event, NULL);
		events_close(&ev);
	}
	if (err || !ev.heard)
		printf("events of threads cannot be had (%s): they would be "
		       "found by scans alone\n",
		       err ? strerror(-err) : "the kernel does not answer");
	return EXIT_SUCCESS;
}

/* --- main --------------------------------------------------------------- */

static int lock_agent(const char *socket)
{
	char path[AGENT_CONF_PATH + 8];
	int fd;

	snprintf(path, sizeof(path), "%s.lock", socket);
	fd = guard_lock(path, LOCK_WAIT_MS);
	if (fd == -EBUSY)
		log_die("another guest-agent runs here (%s)", path);
	if (fd < 0)
		log_die("%s: cannot be locked (%s); run as root", path,
			strerror(-fd));
	return fd;
}

int main(int argc, char **argv)
{
	static struct agent agent;
	static struct agent_conf conf;
	struct options o = { 0 };
	char why[200];

	if (argc > 1 && !strcmp(argv[1], "status"))
		return status_main(argc - 1, argv + 1);
	options_parse(&o, argc, argv);
	load_conf(&conf, &o);
	if (o.check)
		return once_check(&conf);
	if (agent_open(&agent, &conf, lock_agent(conf.socket), why,
		       sizeof(why)))
		log_die("%s", why);
	log_info("ready: %u rules, channel %s", conf.match.count,
		 *conf.channel ? conf.channel : "searched for");
	if (agent.events_err)
		log_warn("no events of threads (%s): they are found by scans "
			 "alone",
			 strerror(-agent.events_err));
	agent_run(&agent);
	log_info("stopping: all get back what they had");
	agent_close(&agent);
	return EXIT_SUCCESS;
}
