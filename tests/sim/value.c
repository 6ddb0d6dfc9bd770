// SPDX-License-Identifier: Apache-2.0
/*
 * value.c - words of a line, as numbers
 *
 * Numbers are read digit by digit into integers: a decimal fraction means the
 * same on every machine, and what is too large is refused, not wrapped.
 */
#include "value.h"

#include <stddef.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *skip(const char *s)
{
	while (is_blank(*s))
		s++;
	return s;
}

static bool at_end(const char *s)
{
	return !*s || is_blank(*s);
}

/*
 * fixed() - Digits, perhaps a point and more digits, times @scale
 * Return: behind them; NULL when there are none, or the value is above @max.
 * Digits too small to count at this scale are refused too.
 */
static const char *fixed(const char *s, uint64_t scale, uint64_t max,
			 uint64_t *out)
{
	uint64_t whole = 0, part = 0;
	const char *from = s;

	for (; *s >= '0' && *s <= '9'; s++) {
		whole = whole * 10 + (uint64_t)(*s - '0');
		if (whole > max)
			return NULL;
	}
	if (s == from || (scale && whole > max / scale))
		return NULL;
	if (*s == '.') {
		uint64_t unit = scale;

		if (s[1] < '0' || s[1] > '9')
			return NULL;
		for (s++; *s >= '0' && *s <= '9'; s++) {
			if (unit % 10)
				return NULL;
			unit /= 10;
			part += unit * (uint64_t)(*s - '0');
		}
	}
	*out = whole * scale + part;
	return *out <= max ? s : NULL;
}

bool value_word(const char **s, const char *word)
{
	const char *p = skip(*s);
	size_t len = strlen(word);

	if (strncmp(p, word, len) || !at_end(p + len))
		return false;
	*s = p + len;
	return true;
}

bool value_number(const char **s, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *p = skip(*s);
	uint64_t n = 0;

	p = fixed(p, 1, max, &n);
	if (!p || !at_end(p) || n < min)
		return false;
	*out = n;
	*s = p;
	return true;
}

bool value_time(const char **s, uint64_t max, uint64_t *out)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} unit[] = {
		{ "ns", 1 },
		{ "us", 1000 },
		{ "ms", 1000000 },
		{ "s", 1000000000 },
	};
	const char *from = skip(*s), *p;
	uint64_t n;

	for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
		size_t len = strlen(unit[i].name);

		p = fixed(from, unit[i].ns, max, &n);
		if (!p || strncmp(p, unit[i].name, len) || !at_end(p + len))
			continue;
		*out = n;
		*s = p + len;
		return true;
	}
	return false;
}

bool value_percent(const char **s, uint32_t whole, uint64_t max, uint64_t *out)
{
	const char *p;
	uint64_t n;

	/* hundredths of a percent are as fine as it gets */
	p = fixed(skip(*s), 100, UINT32_MAX, &n);
	if (!p || *p != '%' || !at_end(p + 1))
		return false;
	n = n * whole / 10000;
	if (n > max)
		return false;
	*out = n;
	*s = p + 1;
	return true;
}

bool value_decimal(const char **s, uint64_t max, uint64_t *out)
{
	uint64_t n;
	const char *p = fixed(skip(*s), 1000, max, &n);

	if (!p || !at_end(p))
		return false;
	*out = n;
	*s = p;
	return true;
}

bool value_end(const char *s)
{
	return !*skip(s);
}
