/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostctl_answer.h - hostd's answers, taken apart
 *
 * Nothing in an answer is trusted: a field that is missing or of another type
 * reads as 0 or "", and text is made printable.
 */
#ifndef HOSTD_HOSTCTL_ANSWER_H
#define HOSTD_HOSTCTL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TEXT_MAX 512 /* one string of an answer, printable */
#define ASK_S	 5
#define RELOAD_S 60 /* hostd may have to wait for libvirt */

struct answer;

/* One conversation with hostd. */
struct ctl {
	int fd; /* from sock_open() */
	FILE *out, *err;
	const char *arg2; /* a command's second argument, or NULL */
	char *reply;	  /* SOCK_REPLY_MAX bytes */
};

enum answer_kind { ANSWER_ANY, ANSWER_LIST, ANSWER_RECORD };

/* complain() - One sentence to c->err. Return: 1. */
int complain(struct ctl *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * answer_ask() - Ask for /heighliner/@what, with ",@arg" unless NULL
 * @kind: what the answer must be; ANSWER_ANY may be null, "no such thing"
 *
 * Return: the answer, for answer_free(); NULL with a message written.
 */
struct answer *answer_ask(struct ctl *c, enum answer_kind kind,
			  const char *what, const char *arg,
			  unsigned timeout_s);
void answer_free(struct answer *a);

bool answer_is_record(const struct answer *a);
bool answer_is_null(const struct answer *a);

/* The field @key of a record; text goes to @buf of TEXT_MAX, returned. */
uint64_t answer_num(const struct answer *a, const char *key);
const char *answer_text(const struct answer *a, const char *key, char *buf);

/* The list in field @key, or the answer itself with NULL. */
size_t answer_count(const struct answer *a, const char *key);
uint64_t answer_num_at(const struct answer *a, const char *key, size_t i);
const char *answer_text_at(const struct answer *a, const char *key, size_t i,
			   char *buf);

/* answer_raw_at() - A string as it came, to be sent back; never to be shown. */
const char *answer_raw_at(const struct answer *a, const char *key, size_t i);

/* answer_each() - Call @fn for every number but 0 whose key begins so; @rest is
 * the rest of the key, printable. */
void answer_each(const struct answer *a, const char *prefix,
		 void (*fn)(void *arg, const char *rest, uint64_t n),
		 void *arg);

/* answer_dump() - As one line of JSON, ASCII only. Return: 0 or -1. */
int answer_dump(const struct answer *a, FILE *out);

#endif
