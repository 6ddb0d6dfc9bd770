// SPDX-License-Identifier: Apache-2.0
/*
 * conf.c - guest-agent.conf as one plain struct
 *
 * A line is "key = value", "[agent]", or a comment; # and ; begin one at the
 * start of a line or after white space. There is one section, so that the file
 * looks like hostd's, and no library: the agent is one static file. The first
 * fault ends the parse.
 *
 * Pure: whoever calls owns everything; no file, no clock, no global.
 */
#include "conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "door.h"
#include "hl/clock.h"

#define LINE_MAX_BYTES 400

enum key_type { KEY_BOOL, KEY_TIME, KEY_PATH, KEY_RULE };

struct key {
	const char *name;
	enum key_type type;
	size_t at;	   /* offset in struct agent_conf */
	uint64_t min, max; /* KEY_TIME, ns; KEY_RULE: min is the match_kind */
	const char *word;  /* KEY_PATH: stored as "" */
};

#define FIELD(member) offsetof(struct agent_conf, member)

static const struct key keys[] = {
	{ "channel", KEY_PATH, FIELD(channel), 0, 0, "auto" },
	{ "page", KEY_PATH, FIELD(page), 0, 0, "auto" },
	{ "socket", KEY_PATH, FIELD(socket), 0, 0, NULL },
	{ "place", KEY_BOOL, FIELD(place), 0, 0, NULL },
	{ "interrupts", KEY_BOOL, FIELD(interrupts), 0, 0, NULL },
	{ "register", KEY_BOOL, FIELD(registered), 0, 0, NULL },
	{ "tick", KEY_TIME, FIELD(tick_ns), 5 * NSEC_PER_MSEC, NSEC_PER_SEC,
	  NULL },
	{ "scan", KEY_TIME, FIELD(scan_ns), NSEC_PER_SEC, 3600 * NSEC_PER_SEC,
	  NULL },
	{ "age-cap", KEY_TIME, FIELD(age_ns), NSEC_PER_MSEC, 10 * NSEC_PER_SEC,
	  NULL },
	{ "command", KEY_RULE, FIELD(match), MATCH_COMMAND, 15, NULL },
	{ "unit", KEY_RULE, FIELD(match), MATCH_UNIT, MATCH_TEXT - 1, NULL },
	{ "cgroup", KEY_RULE, FIELD(match), MATCH_CGROUP, MATCH_TEXT - 1,
	  NULL },
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static int __attribute__((format(printf, 2, 3)))
refuse(struct agent_conf_error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	for (char *p = err->text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return -EINVAL;
}

void agent_conf_default(struct agent_conf *c)
{
	memset(c, 0, sizeof(*c));
	snprintf(c->socket, sizeof(c->socket), "%s", DOOR_PATH);
	c->place = true;
	c->interrupts = true;
	c->registered = true;
	c->tick_ns = 20 * NSEC_PER_MSEC;
	c->scan_ns = 5 * NSEC_PER_SEC;
	c->age_ns = 50 * NSEC_PER_MSEC;
}

/* --- values ------------------------------------------------------------- */

static int set_bool(bool *field, const struct key *k, const char *text,
		    struct agent_conf_error *err)
{
	if (!strcmp(text, "yes") || !strcmp(text, "no")) {
		*field = *text == 'y';
		return 0;
	}
	return refuse(err, "%s: '%.60s' is neither yes nor no", k->name, text);
}

/* A whole number and "ms" or "s". */
static int set_time(uint64_t *field, const struct key *k, const char *text,
		    struct agent_conf_error *err)
{
	const char *p = text;
	uint64_t v = 0, unit = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (v <= k->max)
			v = v * 10 + (unsigned)(*p - '0');
	if (!strcmp(p, "ms"))
		unit = NSEC_PER_MSEC;
	else if (!strcmp(p, "s"))
		unit = NSEC_PER_SEC;
	if (p == text || !unit)
		return refuse(err,
			      "%s: '%.60s' is no time: write a whole number "
			      "and ms or s, as in 20ms",
			      k->name, text);
	if (__builtin_mul_overflow(v, unit, &v) || v < k->min || v > k->max)
		return refuse(err,
			      "%s: '%.60s' is out of range: %llums to %llums",
			      k->name, text, k->min / NSEC_PER_MSEC,
			      k->max / NSEC_PER_MSEC);
	*field = v;
	return 0;
}

static int set_path(char field[AGENT_CONF_PATH], const struct key *k,
		    const char *text, struct agent_conf_error *err)
{
	bool none = !strcmp(k->name, "page") && !strcmp(text, "none");

	if (k->word && !strcmp(text, k->word))
		text = "";
	else if (*text != '/' && !none)
		return refuse(err,
			      "%s: '%.60s' is no full path: begin with /%s%s%s",
			      k->name, text, k->word ? ", or write " : "",
			      k->word ? k->word : "",
			      !strcmp(k->name, "page") ? " or none" : "");
	if (strlen(text) >= AGENT_CONF_PATH)
		return refuse(err, "%s: the path is too long: %d bytes at most",
			      k->name, AGENT_CONF_PATH - 1);
	memset(field, 0, AGENT_CONF_PATH);
	memcpy(field, text, strlen(text) + 1);
	return 0;
}

static int add_rule(struct match *m, const struct key *k, const char *text,
		    struct agent_conf_error *err)
{
	struct match_rule *r = &m->rule[m->count];

	if (m->count == MATCH_RULES)
		return refuse(err,
			      "too many of command, unit and cgroup: %d at "
			      "most; a * in one may stand for several",
			      MATCH_RULES);
	if (strlen(text) > k->max)
		return refuse(err,
			      "%s: the name is too long: %u bytes at most%s",
			      k->name, (unsigned)k->max,
			      k->min == MATCH_COMMAND
				  ? ", as ps -o comm shows it; end it with *"
				  : "");
	if (k->min == MATCH_CGROUP && *text != '/' && *text != '*')
		return refuse(err,
			      "%s: '%.60s' is no control group: begin with /, "
			      "as in /proc/PID/cgroup",
			      k->name, text);
	if (k->min == MATCH_UNIT && strchr(text, '/'))
		return refuse(err,
			      "%s: '%.60s' is no unit: write its name, as in "
			      "web.service; for a path there is cgroup",
			      k->name, text);
	m->count++;
	memset(r, 0, sizeof(*r));
	r->kind = (uint8_t)k->min;
	memcpy(r->text, text, strlen(text) + 1);
	return 0;
}

/* --- lines -------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static int set_key(struct agent_conf *c, const struct key *k, const char *value,
		   struct agent_conf_error *err)
{
	void *field = (char *)c + k->at;

	if (!*value)
		return refuse(err,
			      "'%s' has no value: give one, or remove the line "
			      "for the default",
			      k->name);
	switch (k->type) {
	case KEY_BOOL:
		return set_bool(field, k, value, err);
	case KEY_TIME:
		return set_time(field, k, value, err);
	case KEY_PATH:
		return set_path(field, k, value, err);
	case KEY_RULE:
		return add_rule(field, k, value, err);
	}
	return -EINVAL;
}

/* "key = value"; @seen: keys there were, by bit. */
static int take_pair(struct agent_conf *c, char *line, uint32_t *seen,
		     struct agent_conf_error *err)
{
	char *value = strchr(line, '='), *end;
	unsigned i = 0;

	if (!value)
		return refuse(err, "'%.60s' is neither [agent] nor key = value",
			      line);
	for (end = value; end > line && is_blank(end[-1]); end--)
		;
	*end = '\0';
	if (end < value)
		*value = '\0';
	for (value++; is_blank(*value); value++)
		;
	while (i < KEYS && strcmp(keys[i].name, line))
		i++;
	if (i == KEYS)
		return refuse(err,
			      "unknown key '%.60s': see guest-agent(8) for all "
			      "keys",
			      line);
	if (keys[i].type != KEY_RULE && *seen & 1u << i)
		return refuse(err, "'%s' is given twice: remove one",
			      keys[i].name);
	*seen |= 1u << i;
	return set_key(c, &keys[i], value, err);
}

/* Cut comment and white space. Return: -EINVAL what cannot be a line. */
static int clean_line(const char *s, const char *end, char out[LINE_MAX_BYTES],
		      struct agent_conf_error *err)
{
	for (const char *p = s; p < end; p++) {
		if (((unsigned char)*p < ' ' && !is_blank(*p)) || *p == 0x7f)
			return refuse(err,
				      "the line holds a control character "
				      "(0x%02x): is this a text file?",
				      *p);
		if ((*p == '#' || *p == ';') && (p == s || is_blank(p[-1])))
			end = p;
	}
	while (s < end && is_blank(*s))
		s++;
	while (end > s && is_blank(end[-1]))
		end--;
	if (end - s >= LINE_MAX_BYTES)
		return refuse(err, "the line is too long: %d bytes at most",
			      LINE_MAX_BYTES - 1);
	memcpy(out, s, (size_t)(end - s));
	out[end - s] = '\0';
	return 0;
}

int agent_conf_parse(struct agent_conf *c, const char *text, size_t len,
		     struct agent_conf_error *err)
{
	const char *s = text, *stop = text + len, *end;
	char line[LINE_MAX_BYTES] = "";
	uint32_t seen = 0;
	int rc = 0;

	memset(err, 0, sizeof(*err));
	for (; !rc && s < stop; s = end + 1) {
		end = memchr(s, '\n', (size_t)(stop - s));
		if (!end)
			end = stop;
		err->line++;
		rc = clean_line(s, end, line, err);
		if (rc || !*line || !strcmp(line, "[agent]"))
			continue;
		if (*line == '[')
			rc = refuse(err,
				    "unknown section %.60s: there is [agent]",
				    line);
		else
			rc = take_pair(c, line, &seen, err);
	}
	return rc;
}
