/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memc.h - memcached's text protocol, as far as a load needs it
 *
 * Pure. Answers come in the order of the requests on a connection and say
 * nothing of which request they answer. Source: protocol.txt of memcached 1.6.
 */
#ifndef LOAD_MEMC_H
#define LOAD_MEMC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MEMC_VALUE_MAX 1024
#define MEMC_BYTES_MAX (MEMC_VALUE_MAX + 128) /* of a request or an answer */

/* What is asked: keys are chosen evenly, `sets` of 100 requests are SETs. */
struct memc_conf {
	unsigned keys, value, sets;
};

/*
 * memc_ask() - Write request @seq
 * @buf: room for MEMC_BYTES_MAX
 *
 * The same number gives the same request. Return: its length.
 */
size_t memc_ask(const struct memc_conf *c, uint64_t seq, char *buf);

/* memc_fill() - Write a SET of key @key that nobody answers. As memc_ask(). */
size_t memc_fill(const struct memc_conf *c, unsigned key, char *buf);

/*
 * memc_answer() - How long is the first answer in @buf?
 * Return: its bytes; 0 when it is not whole; -EPROTO when it is none to a GET
 * or SET of ours (or an error). *@miss: a GET found nothing.
 */
ssize_t memc_answer(const char *buf, size_t len, int *miss);

#endif
