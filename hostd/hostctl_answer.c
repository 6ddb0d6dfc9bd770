// SPDX-License-Identifier: Apache-2.0
/*
 * hostctl_answer.c - hostd's answers, taken apart
 *
 * An answer is { "COMMAND": VALUE }. A struct answer is jansson's json_t under
 * another name, so that one file knows jansson.
 */
#include "hostctl_answer.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>

#include "hostctl_sock.h"
#include "name.h"

static const json_t *json(const struct answer *a)
{
	return (const json_t *)a;
}

int complain(struct ctl *c, const char *fmt, ...)
{
	va_list ap;

	fputs("hostctl: ", c->err);
	va_start(ap, fmt);
	vfprintf(c->err, fmt, ap);
	va_end(ap);
	fputc('\n', c->err);
	return 1;
}

static const char *ask_error(ssize_t rc)
{
	if (rc == -ETIMEDOUT)
		return "hostd does not answer: is its host overloaded? try "
		       "again";
	if (rc == -ECONNRESET)
		return "hostd went away (or has too many clients): try again";
	if (rc == -EMSGSIZE)
		return "hostd's answer is too large";
	return strerror((int)-rc);
}

static bool is_kind(const json_t *v, enum answer_kind kind)
{
	return kind == ANSWER_ANY ||
	       (kind == ANSWER_LIST ? json_is_array(v) : json_is_object(v));
}

struct answer *answer_ask(struct ctl *c, enum answer_kind kind,
			  const char *what, const char *arg, unsigned timeout_s)
{
	char request[1024], key[64], shown[300];
	json_t *reply, *value;
	ssize_t n;

	/* DPDK reads 1023 bytes of a request, and commands have under 56 */
	if (snprintf(key, sizeof(key), "/heighliner/%s", what) >=
		(int)sizeof(key) ||
	    snprintf(request, sizeof(request), "%s%s%s", key, arg ? "," : "",
		     arg ? arg : "") >= (int)sizeof(request) - 1) {
		complain(c, "the argument is too long");
		return NULL;
	}
	n = sock_ask(c->fd, request, c->reply, SOCK_REPLY_MAX, timeout_s);
	if (n < 0) {
		complain(c, "%s", ask_error(n));
		return NULL;
	}
	reply = json_loadb(c->reply, (size_t)n, 0, NULL);
	value = json_incref(json_object_get(reply, key));
	json_decref(reply);
	if (value && is_kind(value, kind))
		return (struct answer *)value;
	name_printable(key, shown, sizeof(shown));
	if (json_is_null(value))
		complain(c,
			 "nobody knows %s on this socket: is it hostd's, and "
			 "is hostd of hostctl's version?",
			 shown);
	else
		complain(c, "the answer to %s cannot be understood", shown);
	json_decref(value);
	return NULL;
}

void answer_free(struct answer *a)
{
	json_decref((json_t *)a);
}

bool answer_is_record(const struct answer *a)
{
	return json_is_object(json(a));
}

bool answer_is_null(const struct answer *a)
{
	return json_is_null(json(a));
}

static uint64_t num_of(const json_t *v)
{
	json_int_t n = json_is_integer(v) ? json_integer_value(v) : 0;

	return n > 0 ? (uint64_t)n : 0;
}

static const char *text_of(const json_t *v, char *buf)
{
	char raw[TEXT_MAX];

	snprintf(raw, sizeof(raw), "%s",
		 json_is_string(v) ? json_string_value(v) : "");
	name_from_wire(raw);
	return name_printable(raw, buf, TEXT_MAX);
}

static const json_t *list_of(const struct answer *a, const char *key)
{
	return key ? json_object_get(json(a), key) : json(a);
}

uint64_t answer_num(const struct answer *a, const char *key)
{
	return num_of(json_object_get(json(a), key));
}

const char *answer_text(const struct answer *a, const char *key, char *buf)
{
	return text_of(json_object_get(json(a), key), buf);
}

size_t answer_count(const struct answer *a, const char *key)
{
	return json_array_size(list_of(a, key));
}

uint64_t answer_num_at(const struct answer *a, const char *key, size_t i)
{
	return num_of(json_array_get(list_of(a, key), i));
}

const char *answer_text_at(const struct answer *a, const char *key, size_t i,
			   char *buf)
{
	return text_of(json_array_get(list_of(a, key), i), buf);
}

const char *answer_raw_at(const struct answer *a, const char *key, size_t i)
{
	const char *s = json_string_value(json_array_get(list_of(a, key), i));

	return s ? s : "";
}

void answer_each(const struct answer *a, const char *prefix,
		 void (*fn)(void *arg, const char *rest, uint64_t n), void *arg)
{
	size_t len = strlen(prefix);
	char rest[TEXT_MAX];
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)a, key, v)
	{
		if (strncmp(key, prefix, len) || !num_of(v))
			continue;
		fn(arg, name_printable(key + len, rest, sizeof(rest)),
		   num_of(v));
	}
}

int answer_dump(const struct answer *a, FILE *out)
{
	int rc = json_dumpf(json(a), out, JSON_ENSURE_ASCII | JSON_ENCODE_ANY);

	fputc('\n', out);
	return rc;
}
