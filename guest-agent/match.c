// SPDX-License-Identifier: Apache-2.0
/*
 * match.c - is a process one whose threads are workers?
 *
 * A line of /proc/PID/cgroup is "N:CONTROLLERS:PATH", one a hierarchy; with
 * cgroup v2 alone there is one, "0::PATH". Any line will do: systemd keeps its
 * units in one of them, whichever the machine's set-up is.
 *
 * Pure.
 */
#include "match.h"

#include <string.h>

/* @text ends at @end. Tries the last * again one letter later: linear in memory
 * and at most length of pattern x length of text steps. */
static bool wild(const char *pattern, const char *text, const char *end)
{
	const char *star = NULL, *again = NULL;

	while (text < end) {
		if (*pattern == '*') {
			star = ++pattern;
			again = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool match_wild(const char *pattern, const char *text)
{
	return wild(pattern, text, text + strlen(text));
}

/* Is a directory on the path named as @pattern says? */
static bool has_unit(const char *pattern, const char *path, const char *end)
{
	while (path < end) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		const char *stop = slash ? slash : end;

		if (stop > path && wild(pattern, path, stop))
			return true;
		path = stop + 1;
	}
	return false;
}

/* Is the path @pattern's, or below it? */
static bool is_below(const char *pattern, const char *path, const char *end)
{
	for (const char *stop = path + 1; stop <= end; stop++)
		if ((stop == end || *stop == '/') && wild(pattern, path, stop))
			return true;
	return false;
}

static bool match_line(const struct match_rule *r, const char *line,
		       const char *end)
{
	const char *path = memchr(line, ':', (size_t)(end - line));

	if (path)
		path = memchr(path + 1, ':', (size_t)(end - path - 1));
	if (!path || ++path >= end)
		return false;
	return r->kind == MATCH_UNIT ? has_unit(r->text, path, end)
				     : is_below(r->text, path, end);
}

static bool match_cgroups(const struct match_rule *r, const char *cgroups)
{
	while (*cgroups) {
		const char *end = cgroups + strcspn(cgroups, "\n");

		if (match_line(r, cgroups, end))
			return true;
		cgroups = *end ? end + 1 : end;
	}
	return false;
}

bool match_process(const struct match *m, const char *comm, const char *cgroups)
{
	for (unsigned i = 0; i < m->count; i++) {
		const struct match_rule *r = &m->rule[i];

		if (r->kind == MATCH_COMMAND ? match_wild(r->text, comm)
					     : match_cgroups(r, cgroups))
			return true;
	}
	return false;
}

bool match_asks(const struct match *m, enum match_kind kind)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->rule[i].kind == kind)
			return true;
	return false;
}
