/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - the command lines of synthetic and antagonist
 */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/load/arrive.h"
#include "tests/load/memc.h"
#include "tests/load/msg.h"

#define SAMPLES_MAX 10000000 /* requests of one run */
#define THREADS_MAX 256
#define CONNS_MAX   1024
#define KEYS_MAX    1000000

enum proto { PROTO_UDP, PROTO_TCP, PROTO_MEMCACHED, PROTO_NUM };

struct server_conf {
	uint16_t udp_port, tcp_port; /* 0: not served */
	unsigned threads;
};

struct client_conf {
	uint32_t addr; /* IPv4, host byte order */
	uint16_t port;
	enum proto proto;
	struct arrive arrive; /* length: warm-up and measured time together */
	enum msg_unit unit;
	struct memc_conf memc; /* PROTO_MEMCACHED only */
	uint64_t warmup_ns, late_ns, grace_ns;
	unsigned conns;
	bool spin;
	const char *out, *cdf; /* files, NULL: none */
};

enum antagonist { ANTAGONIST_SPIN, ANTAGONIST_STREAM, ANTAGONIST_CACHE };

struct antagonist_conf {
	enum antagonist kind;
	unsigned threads;
	uint64_t report_ns, bytes;
};

enum command { COMMAND_HELP, COMMAND_SERVER, COMMAND_CLIENT };

struct synthetic_conf {
	enum command command;
	struct server_conf server;
	struct client_conf client;
};

/*
 * options_synthetic(), options_antagonist() - argv to a filled struct
 * @why: gets a sentence when the command line is refused
 *
 * Return: 0, or -EINVAL. `--help` anywhere: options_synthetic() answers
 * COMMAND_HELP, options_antagonist() answers 1.
 */
int options_synthetic(int argc, char **argv, struct synthetic_conf *c,
		      char *why, size_t size);
int options_antagonist(int argc, char **argv, struct antagonist_conf *c,
		       char *why, size_t size);

/*
 * options_time() - "20us", "1.5s" or a bare number of @unit_ns, to ns
 * Return: 0 or -EINVAL.
 */
int options_time(const char *text, uint64_t unit_ns, uint64_t *out_ns);

/* options_number() - A decimal number of [low, high]. Return: 0 or -EINVAL. */
int options_number(const char *text, uint64_t low, uint64_t high,
		   uint64_t *out);

/* options_hostport() - "10.0.0.2:7000". Return: 0 or -EINVAL. */
int options_hostport(const char *text, uint32_t *addr, uint16_t *port);

#endif
