// SPDX-License-Identifier: Apache-2.0
/*
 * options.c - the command lines of synthetic and antagonist
 *
 * getopt_long finds the options, one setter a program puts them into its
 * struct. A refused value is named together with its option.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hl/clock.h"
#include "tests/load/options.h"

enum {
	OPT_HELP = 1000,
	OPT_UDP,
	OPT_TCP,
	OPT_THREADS,
	OPT_TO,
	OPT_PROTO,
	OPT_RATE,
	OPT_TIME,
	OPT_WARMUP,
	OPT_DIST,
	OPT_SERVICE,
	OPT_LOOPS,
	OPT_SEED,
	OPT_LATE,
	OPT_GRACE,
	OPT_CONNS,
	OPT_KEYS,
	OPT_VALUE,
	OPT_SETS,
	OPT_SPIN,
	OPT_OUT,
	OPT_CDF,
	OPT_REPORT,
	OPT_BYTES
};

int options_number(const char *text, uint64_t low, uint64_t high, uint64_t *out)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || n < low || n > high)
		return -EINVAL;
	*out = n;
	return 0;
}

int options_time(const char *text, uint64_t unit_ns, uint64_t *out_ns)
{
	static const struct {
		const char *suffix;
		uint64_t ns;
	} unit[] = {
		{ "ns", 1 },
		{ "us", NSEC_PER_USEC },
		{ "ms", NSEC_PER_MSEC },
		{ "s", NSEC_PER_SEC },
	};
	double value;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	value = strtod(text, &end);
	for (size_t i = 0; *end && i < sizeof(unit) / sizeof(unit[0]); i++) {
		if (strcmp(end, unit[i].suffix))
			continue;
		unit_ns = unit[i].ns;
		end += strlen(end);
	}
	value *= (double)unit_ns;
	if (*end || !(value < 1e15)) /* 11 days; no number fails here too */
		return -EINVAL;
	*out_ns = (uint64_t)llround(value);
	return 0;
}

int options_hostport(const char *text, uint32_t *addr, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	struct in_addr in;
	char host[16];
	uint64_t n;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (inet_pton(AF_INET, host, &in) != 1)
		return -EINVAL;
	if (options_number(colon + 1, 1, UINT16_MAX, &n))
		return -EINVAL;
	*addr = ntohl(in.s_addr);
	*port = (uint16_t)n;
	return 0;
}

static int parse_rate(const char *text, double *out)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	*out = strtod(text, &end);
	return *end || !(*out >= 0.01 && *out <= 1e7) ? -EINVAL : 0;
}

static int parse_dist(const char *text, enum dist *out)
{
	for (int d = 0; d < DIST_NUM; d++) {
		if (!strcmp(text, arrive_dist_name((enum dist)d))) {
			*out = (enum dist)d;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_proto(const char *text, enum proto *out)
{
	static const char *const name[PROTO_NUM] = { "udp", "tcp",
						     "memcached" };

	for (int p = 0; p < PROTO_NUM; p++) {
		if (!strcmp(text, name[p])) {
			*out = (enum proto)p;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_port(const char *text, uint16_t *out)
{
	uint64_t n;

	if (options_number(text, 1, UINT16_MAX, &n))
		return -EINVAL;
	*out = (uint16_t)n;
	return 0;
}

static int parse_count(const char *text, unsigned max, unsigned *out)
{
	uint64_t n;

	if (options_number(text, 1, max, &n))
		return -EINVAL;
	*out = (unsigned)n;
	return 0;
}

/* As parse_count(), but 0 will do. */
static int parse_part(const char *text, unsigned max, unsigned *out)
{
	uint64_t n;

	if (options_number(text, 0, max, &n))
		return -EINVAL;
	*out = (unsigned)n;
	return 0;
}

/* A setter's answers: 0, -EINVAL for a bad value, 1 for --help. */
typedef int (*set_fn)(void *conf, int opt, const char *value);

static int set_server(void *conf, int opt, const char *value)
{
	struct server_conf *c = conf;

	switch (opt) {
	case OPT_UDP:
		return parse_port(value, &c->udp_port);
	case OPT_TCP:
		return parse_port(value, &c->tcp_port);
	default:
		return parse_count(value, THREADS_MAX, &c->threads);
	}
}

static int set_work(struct client_conf *c, int opt, const char *value)
{
	if (opt == OPT_SERVICE) {
		c->unit = MSG_UNIT_NS;
		return options_time(value, 1, &c->arrive.work);
	}
	c->unit = MSG_UNIT_LOOPS;
	return options_number(value, 0, MSG_LOOPS_MAX, &c->arrive.work);
}

static int set_memc(struct memc_conf *c, int opt, const char *value)
{
	switch (opt) {
	case OPT_KEYS:
		return parse_count(value, KEYS_MAX, &c->keys);
	case OPT_VALUE:
		return parse_count(value, MEMC_VALUE_MAX, &c->value);
	default:
		return parse_part(value, 100, &c->sets);
	}
}

static int set_client(void *conf, int opt, const char *value)
{
	struct client_conf *c = conf;

	switch (opt) {
	case OPT_TO:
		return options_hostport(value, &c->addr, &c->port);
	case OPT_PROTO:
		return parse_proto(value, &c->proto);
	case OPT_RATE:
		return parse_rate(value, &c->arrive.rate);
	case OPT_TIME:
		return options_time(value, NSEC_PER_SEC, &c->arrive.length_ns);
	case OPT_WARMUP:
		return options_time(value, NSEC_PER_SEC, &c->warmup_ns);
	case OPT_DIST:
		return parse_dist(value, &c->arrive.dist);
	case OPT_SEED:
		return options_number(value, 0, UINT64_MAX, &c->arrive.seed);
	case OPT_LATE:
		return options_time(value, NSEC_PER_USEC, &c->late_ns);
	case OPT_GRACE:
		return options_time(value, NSEC_PER_SEC, &c->grace_ns);
	case OPT_CONNS:
		return parse_count(value, CONNS_MAX, &c->conns);
	case OPT_SPIN:
		c->spin = true;
		return 0;
	case OPT_OUT:
		c->out = value;
		return 0;
	case OPT_CDF:
		c->cdf = value;
		return 0;
	case OPT_SERVICE:
	case OPT_LOOPS:
		return set_work(c, opt, value);
	default:
		return set_memc(&c->memc, opt, value);
	}
}

static int set_antagonist(void *conf, int opt, const char *value)
{
	struct antagonist_conf *c = conf;

	switch (opt) {
	case OPT_REPORT:
		return options_time(value, NSEC_PER_SEC, &c->report_ns) ||
			       !c->report_ns
			   ? -EINVAL
			   : 0;
	case OPT_BYTES:
		return options_number(value, 4096, 1ull << 40, &c->bytes);
	default:
		return parse_count(value, THREADS_MAX, &c->threads);
	}
}

#define ARG(name, id)                                                          \
	{                                                                      \
		name, required_argument, NULL, id                              \
	}
#define HELP                                                                   \
	{                                                                      \
		"help", no_argument, NULL, OPT_HELP                            \
	}
#define END                                                                    \
	{                                                                      \
		NULL, 0, NULL, 0                                               \
	}

static const struct option server_options[] = { ARG("udp", OPT_UDP),
						ARG("tcp", OPT_TCP),
						ARG("threads", OPT_THREADS),
						HELP, END };

static const struct option client_options[] = { ARG("to", OPT_TO),
						ARG("proto", OPT_PROTO),
						ARG("rate", OPT_RATE),
						ARG("time", OPT_TIME),
						ARG("warmup", OPT_WARMUP),
						ARG("dist", OPT_DIST),
						ARG("service", OPT_SERVICE),
						ARG("loops", OPT_LOOPS),
						ARG("seed", OPT_SEED),
						ARG("late", OPT_LATE),
						ARG("grace", OPT_GRACE),
						ARG("conns", OPT_CONNS),
						ARG("keys", OPT_KEYS),
						ARG("value", OPT_VALUE),
						ARG("sets", OPT_SETS),
						{ "spin", no_argument, NULL,
						  OPT_SPIN },
						ARG("out", OPT_OUT),
						ARG("cdf", OPT_CDF),
						HELP,
						END };

static const struct option antagonist_options[] = { ARG("threads", OPT_THREADS),
						    ARG("report", OPT_REPORT),
						    ARG("bytes", OPT_BYTES),
						    HELP, END };

static const char *option_name(const struct option *o, int id)
{
	while (o->name && o->val != id)
		o++;
	return o->name ? o->name : "?";
}

/* Return: as the setter; argv[0] is the command. */
static int parse(int argc, char **argv, const struct option *options,
		 set_fn set, void *conf, char *why, size_t size)
{
	int opt;

	optind = 0; /* start afresh, whoever parsed before */
	while ((opt = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
		if (opt == OPT_HELP)
			return 1;
		if (opt == ':' || opt == '?') {
			snprintf(why, size, "%s: %s; --help lists all options",
				 argv[optind - 1],
				 opt == ':' ? "needs a value"
					    : "no such option");
			return -EINVAL;
		}
		if (set(conf, opt, optarg)) {
			snprintf(why, size, "--%s: '%s' is no such value",
				 option_name(options, opt), optarg);
			return -EINVAL;
		}
	}
	if (optind < argc) {
		snprintf(why, size, "'%s' is not an option", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

static int refuse(char *why, size_t size, const char *text)
{
	snprintf(why, size, "%s", text);
	return -EINVAL;
}

static int parse_client(int argc, char **argv, struct client_conf *c, char *why,
			size_t size)
{
	int rc;

	*c = (struct client_conf){
		.arrive = { .rate = 1000,
			    .length_ns = 10 * NSEC_PER_SEC,
			    .seed = 1 },
		.unit = MSG_UNIT_NS,
		.warmup_ns = NSEC_PER_SEC,
		.late_ns = 200 * NSEC_PER_USEC,
		.grace_ns = NSEC_PER_SEC,
		.conns = 1,
		.memc = { .keys = 1000, .value = 100, .sets = 10 },
	};
	rc = parse(argc, argv, client_options, set_client, c, why, size);
	if (rc)
		return rc;
	if (!c->port)
		return refuse(why, size, "--to HOST:PORT is needed");
	if (!c->arrive.length_ns)
		return refuse(why, size, "--time must be more than 0");
	if (c->proto == PROTO_MEMCACHED && c->arrive.work)
		return refuse(why, size,
			      "memcached does no --service and no --loops");
	if (c->unit == MSG_UNIT_NS && c->arrive.work > MSG_NS_MAX / 100)
		return refuse(why, size, "--service: at most 100ms");
	c->arrive.length_ns += c->warmup_ns;
	if (arrive_room(&c->arrive) > SAMPLES_MAX)
		return refuse(why, size,
			      "more than 10 million requests: lower "
			      "--rate or --time");
	return 0;
}

int options_synthetic(int argc, char **argv, struct synthetic_conf *c,
		      char *why, size_t size)
{
	const char *command = argc > 1 ? argv[1] : "--help";
	int rc;

	memset(c, 0, sizeof(*c));
	if (!strcmp(command, "--help"))
		return 0;
	if (!strcmp(command, "server")) {
		c->command = COMMAND_SERVER;
		c->server.threads = 1;
		rc = parse(argc - 1, argv + 1, server_options, set_server,
			   &c->server, why, size);
		if (!rc && !c->server.udp_port && !c->server.tcp_port)
			return refuse(why, size,
				      "--udp PORT or --tcp PORT is needed");
	} else if (!strcmp(command, "client")) {
		c->command = COMMAND_CLIENT;
		rc = parse_client(argc - 1, argv + 1, &c->client, why, size);
	} else {
		return refuse(why, size, "the command is server or client");
	}
	if (rc == 1) {
		c->command = COMMAND_HELP;
		rc = 0;
	}
	return rc;
}

int options_antagonist(int argc, char **argv, struct antagonist_conf *c,
		       char *why, size_t size)
{
	static const char *const kind[] = { "spin", "stream", "cache" };

	*c = (struct antagonist_conf){ .threads = 1,
				       .report_ns = NSEC_PER_SEC,
				       .bytes = 32 << 20 };
	if (argc < 2 || !strcmp(argv[1], "--help"))
		return 1;
	for (int i = 0; i < 3; i++) {
		if (strcmp(argv[1], kind[i]))
			continue;
		c->kind = (enum antagonist)i;
		return parse(argc - 1, argv + 1, antagonist_options,
			     set_antagonist, c, why, size);
	}
	return refuse(why, size, "the kind is spin, stream or cache");
}
