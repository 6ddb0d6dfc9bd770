// SPDX-License-Identifier: Apache-2.0
/*
 * journal_line.c - one line of the restore journal, to and from text
 *
 * Fields are separated by exactly one blank; the last field runs to the end
 * of the line and may be empty. A line that was accepted, formatted and parsed
 * again means the same.
 */
#include "journal_line.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "cpulist.h"

static const char *const kind_word[] = { "vm", "file", "thread", "pin" };

/* --- reading ------------------------------------------------------------- */

struct text {
	const char *at, *end;
};

/* The bytes up to the next blank, which is eaten. */
static struct text next_word(struct text *t)
{
	struct text word = { t->at, t->at };

	while (word.end < t->end && *word.end != ' ')
		word.end++;
	t->at = word.end < t->end ? word.end + 1 : word.end;
	return word;
}

static int read_number(struct text *t, uint64_t max, uint64_t *out)
{
	struct text w = next_word(t);
	uint64_t n = 0;

	if (w.at == w.end || (*w.at == '0' && w.end - w.at > 1))
		return -EINVAL;
	for (; w.at < w.end; w.at++) {
		unsigned digit = (unsigned)(*w.at - '0');

		if (digit > 9)
			return -EINVAL;
		if (n > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		n = n * 10 + digit;
	}
	*out = n;
	return n > max ? -ERANGE : 0;
}

static int read_id(struct text *t, uint32_t min, uint32_t max, uint32_t *out)
{
	uint64_t n;
	int err = read_number(t, max, &n);

	if (err)
		return err;
	*out = (uint32_t)n;
	return n < min ? -ERANGE : 0;
}

static bool is_octal(char c, char top)
{
	return c >= '0' && c <= top;
}

/* Undo the escapes of a whole text. A NUL is never one of them. */
static int read_escaped(struct text t, char *out, size_t size)
{
	size_t len = 0;

	while (t.at < t.end) {
		char c = *t.at++;

		if (c == '\\') {
			if (t.end - t.at < 3 || !is_octal(t.at[0], '3') ||
			    !is_octal(t.at[1], '7') || !is_octal(t.at[2], '7'))
				return -EINVAL;
			c = (char)((t.at[0] - '0') << 6 | (t.at[1] - '0') << 3 |
				   (t.at[2] - '0'));
			t.at += 3;
		}
		if (!c || len + 1 >= size)
			return -EINVAL;
		out[len++] = c;
	}
	out[len] = '\0';
	return 0;
}

static int read_uuid(struct text *t, char *out)
{
	struct text w = next_word(t);
	size_t len = (size_t)(w.end - w.at);

	if (len != 36)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? w.at[i] != '-'
			 : !strchr("0123456789abcdef", w.at[i]) || !w.at[i])
			return -EINVAL;
	}
	memcpy(out, w.at, len);
	out[len] = '\0';
	return 0;
}

/* What the files of cgroup_may_write() hold: a number, a cpu list, nothing. */
static bool value_ok(const char *value)
{
	return value[strspn(value, "0123456789,-")] == '\0';
}

/* The rest of the line: a cpu list. An empty one would be no place to run. */
static int read_mask(struct text t, struct cpumask *m)
{
	char list[CGROUP_VALUE_MAX];
	size_t len = (size_t)(t.end - t.at);
	int err;

	if (!len || len >= sizeof(list) || memchr(t.at, '\0', len))
		return -EINVAL;
	memcpy(list, t.at, len);
	list[len] = '\0';
	if (!value_ok(list))
		return -EINVAL;
	err = cpulist_parse(list, m);
	if (err)
		return err;
	return cpumask_empty(m) ? -EINVAL : 0;
}

static int parse_vm(struct journal_line *l, struct text t)
{
	int err = read_uuid(&t, l->uuid);

	if (!err)
		err = read_id(&t, 1, INT32_MAX, &l->id);
	if (!err)
		err = read_number(&t, UINT64_MAX, &l->start);
	return err ? err : read_escaped(t, l->text, VM_NAME_MAX);
}

static int parse_file(struct journal_line *l, struct text t)
{
	int err = read_escaped(next_word(&t), l->path, sizeof(l->path));

	if (!err)
		err = read_escaped(t, l->text, sizeof(l->text));
	if (err)
		return err;
	return l->path[0] == '/' && value_ok(l->text) ? 0 : -EINVAL;
}

static int parse_thread(struct journal_line *l, struct text t)
{
	int err = read_id(&t, 1, INT32_MAX, &l->id);

	if (!err)
		err = read_number(&t, UINT64_MAX, &l->start);
	return err ? err : read_mask(t, &l->mask);
}

static int parse_pin(struct journal_line *l, struct text t)
{
	int err = read_id(&t, 0, VCPU_MAX - 1, &l->id);

	return err ? err : read_mask(t, &l->mask);
}

int journal_line_parse(struct journal_line *l, const char *at, size_t len)
{
	static int (*const parse[])(struct journal_line *, struct text) = {
		[JOURNAL_KIND_VM] = parse_vm,
		[JOURNAL_KIND_FILE] = parse_file,
		[JOURNAL_KIND_THREAD] = parse_thread,
		[JOURNAL_KIND_PIN] = parse_pin,
	};
	struct text t = { at, at + len }, word = next_word(&t);
	size_t n = (size_t)(word.end - word.at);

	memset(l, 0, sizeof(*l));
	for (size_t k = 0; k < sizeof(parse) / sizeof(parse[0]); k++) {
		if (n != strlen(kind_word[k]) || memcmp(at, kind_word[k], n))
			continue;
		l->kind = (enum journal_kind)k;
		return parse[k](l, t);
	}
	return -EINVAL;
}

/* --- writing ------------------------------------------------------------- */

struct out {
	char *buf;
	size_t size, len;
};

/* Past the end only `len` grows, which tells that it did not fit. */
static void put_char(struct out *o, char c)
{
	if (o->len < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_text(struct out *o, const char *s)
{
	while (*s)
		put_char(o, *s++);
}

static void put_escaped(struct out *o, const char *s, bool blanks)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c > ' ' && c != '\\' && c != 0x7f) {
			put_char(o, *s);
		} else if (c == ' ' && !blanks) {
			put_char(o, ' ');
		} else {
			put_char(o, '\\');
			put_char(o, (char)('0' + (c >> 6)));
			put_char(o, (char)('0' + (c >> 3 & 7)));
			put_char(o, (char)('0' + (c & 7)));
		}
	}
}

static void put_number(struct out *o, uint64_t n)
{
	char digit[21], *at = digit + sizeof(digit) - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	put_text(o, at);
	put_char(o, ' ');
}

static void put_mask(struct out *o, const struct cpumask *m)
{
	char list[4 * CPU_MAX];

	put_text(o, cpulist_format(m, list, sizeof(list)));
}

int journal_line_format(const struct journal_line *l, char *buf, size_t size)
{
	struct out o = { buf, size, 0 };

	put_text(&o, kind_word[l->kind]);
	put_char(&o, ' ');
	switch (l->kind) {
	case JOURNAL_KIND_VM:
		put_text(&o, l->uuid);
		put_char(&o, ' ');
		put_number(&o, l->id);
		put_number(&o, l->start);
		put_escaped(&o, l->text, false);
		break;
	case JOURNAL_KIND_FILE:
		put_escaped(&o, l->path, true);
		put_char(&o, ' ');
		put_escaped(&o, l->text, true);
		break;
	case JOURNAL_KIND_THREAD:
		put_number(&o, l->id);
		put_number(&o, l->start);
		put_mask(&o, &l->mask);
		break;
	case JOURNAL_KIND_PIN:
		put_number(&o, l->id);
		put_mask(&o, &l->mask);
		break;
	}
	put_char(&o, '\n');
	put_char(&o, '\0');
	if (o.len > size)
		return -E2BIG;
	return (int)o.len - 1;
}
