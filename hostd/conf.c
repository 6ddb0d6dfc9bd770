// SPDX-License-Identifier: Apache-2.0
/*
 * conf.c - the text of hostd.conf laid over a struct conf
 *
 * Theory of operation: libinih splits "key = value"; it keeps no line numbers,
 * cuts long section names and joins indented lines. So its reader here hands
 * it one trimmed line at a time, counts, refuses what it would cut, and keeps
 * section headers to itself: a section is known before its first key, and may
 * have none. A line that is given to libinih must come back through handle();
 * one that does not was no "key = value". The first fault ends the parse.
 *
 * Comments: # or ; first on a line, or after white space.
 *
 * Pure: whoever calls owns everything; no file, no clock, no global.
 */
#include "conf.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf_key.h"

struct parse {
	struct conf *c;
	struct conf_error *err;
	const char *next, *end; /* text not read yet */
	struct conf_place here;
	const struct conf_key *keys; /* of the section; NULL before the first */
	char section[4 + VM_NAME_MAX]; /* its name for messages */
	void *base;		       /* what its keys fill */
	struct conf_place *at; /* where its keys' places go; NULL in [vm] */
	uint32_t seen;	       /* keys of this section, by bit */
	bool seen_hostd, seen_switch;
	bool expect; /* the last line given has not come back */
	bool failed;
};

int conf_refuse(const struct conf *c, struct conf_error *err,
		const struct conf_place *place, const char *fmt, ...)
{
	va_list ap;
	unsigned file = place && place->file ? place->file : 1;

	memset(err, 0, sizeof(*err));
	if (file <= c->file_cnt)
		snprintf(err->file, sizeof(err->file), "%s", c->file[file - 1]);
	err->line = place ? place->line : 0;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

#define fail(p, ...)                                                           \
	((p)->failed = true,                                                   \
	 conf_refuse((p)->c, (p)->err, &(p)->here, __VA_ARGS__))

/* How many letters to change, insert or drop to make @b of @a; both short. */
static unsigned edits(const char *a, const char *b)
{
	unsigned row[33], up, left, best;
	size_t n = strlen(b);

	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 0; a[i]; i++) {
		up = row[0]; /* the row above, one to the left */
		row[0] = i + 1;
		for (unsigned j = 0; j < n; j++) {
			left = row[j] + 1;
			best = up + (a[i] != b[j]);
			if (row[j + 1] + 1 < best)
				best = row[j + 1] + 1;
			up = row[j + 1];
			row[j + 1] = left < best ? left : best;
		}
	}
	return row[n];
}

const char *conf_nearest(const char *typed, const void *words, size_t stride)
{
	const char *best = NULL;
	unsigned least = 4;

	if (strlen(typed) > 32)
		return NULL;
	for (const char *at = words; *(const char *const *)at; at += stride) {
		const char *word = *(const char *const *)at;
		unsigned n = strlen(word) > 32 ? 32 : edits(typed, word);

		if (n < least && 2 * n < strlen(word)) {
			least = n;
			best = word;
		}
	}
	return best;
}

static bool has_key(const struct conf_key *keys, const char *name)
{
	for (; keys->name; keys++)
		if (!strcmp(keys->name, name))
			return true;
	return false;
}

static void fail_key(struct parse *p, const char *name)
{
	const char *near = conf_nearest(name, p->keys, sizeof(*p->keys));
	const char *home = has_key(conf_keys_hostd, name)    ? "[hostd]"
			   : has_key(conf_keys_switch, name) ? "[switch]"
			   : has_key(conf_keys_vm, name)     ? "[vm NAME]"
							     : NULL;

	if (home)
		fail(p, "key '%s' does not belong in [%s]: move it to %s", name,
		     p->section, home);
	else if (near)
		fail(p, "unknown key '%.50s' in [%s], did you mean '%s'?", name,
		     p->section, near);
	else
		fail(p,
		     "unknown key '%.50s' in [%s]: see hostd.conf(5) for all "
		     "keys",
		     name, p->section);
}

/* A VM has one SLO. Return: the key of it that this section has as well. */
static const char *other_slo(const struct parse *p, unsigned i)
{
	for (unsigned k = 0; p->keys[i].type == CONF_SLO && p->keys[k].name;
	     k++)
		if (k != i && p->keys[k].type == CONF_SLO && p->seen & 1u << k)
			return p->keys[k].name;
	return NULL;
}

/* libinih's handler: one key of the present section. Return: 1 always, for
 * the reader ends the parse after a fault. */
static int handle(void *arg, const char *section, const char *name,
		  const char *value)
{
	struct parse *p = arg;
	char why[300];
	unsigned i = 0;

	(void)section; /* may be cut: see above */
	p->expect = false;
	if (!p->keys) {
		fail(p,
		     "'%.50s' stands before any section: put it under [hostd], "
		     "[switch] or [vm NAME]",
		     name);
		return 1;
	}
	while (p->keys[i].name && strcmp(p->keys[i].name, name))
		i++;
	if (!p->keys[i].name)
		fail_key(p, name);
	else if (p->seen & 1u << i)
		fail(p, "'%s' is given twice in [%s]: remove one", name,
		     p->section);
	else if (other_slo(p, i))
		fail(p,
		     "'%s' and '%s' are both given in [%s]: an SLO has one "
		     "percentile, keep one",
		     other_slo(p, i), name, p->section);
	else if (!*value)
		fail(p,
		     "'%s' has no value: give one, or remove the line for the "
		     "default",
		     name);
	else if (conf_value_set(&p->keys[i], p->base, value, why, sizeof(why)))
		fail(p, "%s: %s", name, why);
	else if (p->at)
		p->at[i] = p->here;
	p->seen |= 1u << i;
	return 1;
}

/* A section begins: @keys fill @base from now on. */
static void enter(struct parse *p, const struct conf_key *keys, void *base,
		  struct conf_place *at)
{
	p->keys = keys;
	p->base = base;
	p->at = at;
	p->seen = 0;
}

static void enter_once(struct parse *p, const char *name, bool *seen,
		       const struct conf_key *keys, struct conf_place *at)
{
	if (*seen)
		fail(p, "[%s] stands twice in this file: join the two", name);
	*seen = true;
	snprintf(p->section, sizeof(p->section), "%s", name);
	enter(p, keys, p->c, at);
}

static void enter_vm(struct parse *p, const char *name)
{
	struct conf *c = p->c;
	struct conf_vm *vm = NULL;

	for (unsigned i = 0; i < c->vm_cnt && !vm; i++)
		if (!strcmp(c->vm[i].name, name))
			vm = &c->vm[i];
	if (strlen(name) >= VM_NAME_MAX) {
		fail(p, "the VM's name is too long: %d bytes at most",
		     VM_NAME_MAX - 1);
		return;
	}
	if (vm && vm->place.file == p->here.file) {
		fail(p,
		     "[vm %s] stands twice in this file (first in line %u): "
		     "join the two",
		     name, vm->place.line);
		return;
	}
	if (!vm && c->vm_cnt == VM_MAX) {
		fail(p, "too many VMs: %d at most", VM_MAX);
		return;
	}
	if (!vm) {
		vm = &c->vm[c->vm_cnt++];
		conf_vm_init(vm, name);
	}
	vm->place = p->here;
	snprintf(p->section, sizeof(p->section), "vm %s", vm->name);
	enter(p, conf_keys_vm, vm, NULL);
}

/* The index of switch's first key in conf.at[]. */
static unsigned switch_base(void)
{
	unsigned n = 0;

	while (conf_keys_hostd[n].name)
		n++;
	return n;
}

const struct conf_place *conf_key_at(const struct conf *c, const char *name)
{
	static const struct conf_place nowhere = { 0 };
	unsigned base = switch_base();

	for (unsigned i = 0; conf_keys_hostd[i].name; i++)
		if (!strcmp(conf_keys_hostd[i].name, name))
			return &c->at[i];
	for (unsigned i = 0; conf_keys_switch[i].name; i++)
		if (!strcmp(conf_keys_switch[i].name, name))
			return &c->at[base + i];
	return &nowhere;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_comment(const char *s, const char *end)
{
	while (s < end && is_blank(*s))
		s++;
	return s == end || *s == '#' || *s == ';';
}

/* "[...]": the first ] that nothing but a comment follows closes it, for a
 * VM's name may hold a ] as well. */
static void section_line(struct parse *p, const char *s, const char *end)
{
	static const char *const names[] = { "hostd", "switch", "vm", NULL };
	const char *close = s, *near;
	char name[128];

	while (close < end && !(*close == ']' && is_comment(close + 1, end)))
		close++;
	if (close == end) {
		fail(p, "the section has no closing ']'");
		return;
	}
	for (s++; s < close && is_blank(*s); s++)
		;
	for (; close > s && is_blank(close[-1]); close--)
		;
	snprintf(name, sizeof(name), "%.*s", (int)(close - s), s);
	if (!strcmp(name, "hostd"))
		enter_once(p, "hostd", &p->seen_hostd, conf_keys_hostd,
			   p->c->at);
	else if (!strcmp(name, "switch"))
		enter_once(p, "switch", &p->seen_switch, conf_keys_switch,
			   p->c->at + switch_base());
	else if (!strcmp(name, "vm"))
		fail(p, "[vm] needs a name: write [vm NAME], NAME as in virsh "
			"list");
	else if (!strncmp(name, "vm", 2) && is_blank(name[2]))
		enter_vm(p, name + 3 + strspn(name + 3, " \t"));
	else if ((near = conf_nearest(name, names, sizeof(names[0]))))
		fail(p, "unknown section [%s], did you mean [%s]?", name, near);
	else
		fail(p,
		     "unknown section [%s]: there are [hostd], [switch] and "
		     "[vm NAME]",
		     name);
}

/* A "key = value" line for libinih, without its comment. */
static void key_line(struct parse *p, const char *s, const char *end, char *out,
		     size_t room)
{
	for (const char *c = s + 1; c < end; c++)
		if ((*c == '#' || *c == ';') && is_blank(c[-1]))
			end = c;
	while (is_blank(end[-1]))
		end--;
	if ((size_t)(end - s) > room) {
		fail(p, "the line is too long: %zu bytes at most", room);
		return;
	}
	memcpy(out, s, (size_t)(end - s));
	memcpy(out + (end - s), "\n", 2);
	p->expect = true;
}

static void one_line(struct parse *p, const char *s, const char *end, char *out,
		     size_t room)
{
	for (const char *c = s; c < end; c++)
		if (((unsigned char)*c < ' ' && !is_blank(*c)) || *c == 0x7f) {
			fail(p,
			     "the line holds a control character (0x%02x): is "
			     "this a text file?",
			     *c);
			return;
		}
	if (p->here.line == 1 && end - s >= 3 && !memcmp(s, "\xef\xbb\xbf", 3))
		s += 3;
	while (s < end && is_blank(*s))
		s++;
	while (end > s && is_blank(end[-1]))
		end--;
	if (is_comment(s, end))
		return;
	if (*s == '[')
		section_line(p, s, end);
	else
		key_line(p, s, end, out, room);
}

static void fail_if_lost(struct parse *p)
{
	if (p->expect && !p->failed)
		fail(p, "this is neither a [section] nor key = value");
}

/* libinih's reader: fgets() over the text, see the top of this file. */
static char *read_line(char *out, int size, void *arg)
{
	struct parse *p = arg;
	const char *s = p->next, *end;

	fail_if_lost(p);
	if (p->failed || s == p->end || size < 3)
		return NULL;
	end = memchr(s, '\n', (size_t)(p->end - s));
	p->next = end ? end + 1 : p->end;
	p->here.line++;
	memcpy(out, "\n", 2);
	one_line(p, s, end ? end : p->end, out, (size_t)size - 2);
	return p->failed ? NULL : out;
}

int conf_parse(struct conf *c, const char *text, size_t len, const char *name,
	       struct conf_error *err)
{
	struct parse p = {
		.c = c, .err = err, .next = text, .end = text + len
	};

	if (c->file_cnt == CONF_FILES_MAX) {
		conf_refuse(c, err, NULL, "too many files: %d at most",
			    CONF_FILES_MAX);
		snprintf(err->file, sizeof(err->file), "%s", name);
		return -EINVAL;
	}
	snprintf(c->file[c->file_cnt++], CONF_NAME_MAX, "%s", name);
	p.here.file = c->file_cnt;
	if (ini_parse_stream(read_line, &p, handle, &p) == -2)
		fail(&p, "out of memory");
	fail_if_lost(&p);
	return p.failed ? -EINVAL : 0;
}
