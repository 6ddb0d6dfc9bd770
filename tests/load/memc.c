// SPDX-License-Identifier: Apache-2.0
/*
 * memc.c - memcached's text protocol, as far as a load needs it
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/memc.h"

#define LINE_BYTES 96 /* any line about our keys is shorter */

/* SplitMix64, as in arrive.c: neighbours in number have nothing in common. */
static uint64_t mix(uint64_t z)
{
	z = (z + 1) * 0x9e3779b97f4a7c15ull;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static size_t put_set(const struct memc_conf *c, unsigned key,
		      const char *noreply, char *buf)
{
	int n = snprintf(buf, LINE_BYTES, "set k%u 0 0 %u%s\r\n", key, c->value,
			 noreply);

	memset(buf + n, 'v', c->value);
	memcpy(buf + n + c->value, "\r\n", 2);
	return (size_t)n + c->value + 2;
}

size_t memc_ask(const struct memc_conf *c, uint64_t seq, char *buf)
{
	uint64_t r = mix(seq);
	unsigned key = (unsigned)(r % c->keys);

	if ((r >> 40) % 100 < c->sets)
		return put_set(c, key, "", buf);
	return (size_t)snprintf(buf, LINE_BYTES, "get k%u\r\n", key);
}

size_t memc_fill(const struct memc_conf *c, unsigned key, char *buf)
{
	return put_set(c, key, " noreply", buf);
}

/* VALUE <key> <flags> <bytes>\r\n<data>\r\nEND\r\n; @line: its first, @n bytes
 */
static ssize_t value_answer(const char *line, size_t n, const char *buf,
			    size_t len)
{
	static const char end[] = "\r\nEND\r\n";
	static const char begin[] = "VALUE k";
	const char *size = strrchr(line, ' ');
	unsigned long bytes;
	char *rest;
	size_t all;

	if (strncmp(line, begin, strlen(begin)) || size < line + strlen(begin))
		return -EPROTO;
	bytes = strtoul(size, &rest, 10);
	if (strcmp(rest, "\r\n") || rest == size || bytes > MEMC_VALUE_MAX)
		return -EPROTO;
	all = n + bytes + strlen(end);
	if (len < all)
		return 0;
	return memcmp(buf + n + bytes, end, strlen(end)) ? -EPROTO
							 : (ssize_t)all;
}

ssize_t memc_answer(const char *buf, size_t len, int *miss)
{
	const char *end =
	    memchr(buf, '\n', len < LINE_BYTES ? len : LINE_BYTES);
	size_t n = end ? (size_t)(end - buf) + 1 : 0;
	char line[LINE_BYTES + 1];

	*miss = 0;
	if (!end)
		return len < LINE_BYTES ? 0 : -EPROTO;
	memcpy(line, buf, n);
	line[n] = '\0';
	if (!strcmp(line, "STORED\r\n"))
		return (ssize_t)n;
	if (!strcmp(line, "END\r\n")) {
		*miss = 1;
		return (ssize_t)n;
	}
	return value_answer(line, n, buf, len);
}
