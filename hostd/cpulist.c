// SPDX-License-Identifier: Apache-2.0
/*
 * cpulist.c - cpu sets as text
 *
 * A list is items between commas; an item is "N", "N-M" or "N-M:S" (every
 * S-th cpu from N on), as taskset(1) takes them. Written by hand rather than
 * with strtoul and printf, so that it stays pure, takes no sign and no hex, and
 * says exactly what was too large.
 *
 * Pure: any thread.
 */
#include <errno.h>

#include "cpulist.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * parse_number() - Decimal digits at *@text, which moves behind them
 *
 * Saturates above CPU_MAX: what matters then is only that it is too large.
 * Return: 0, or -EINVAL when there is no digit.
 */
static int parse_number(const char **text, unsigned *out)
{
	const char *p = *text;
	unsigned n = 0;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (n < CPU_MAX)
			n = n * 10 + (unsigned)(*p - '0');
	*text = p;
	*out = n;
	return 0;
}

/* parse_item() - One "N", "N-M" or "N-M:S". Return: 0 or -errno. */
static int parse_item(const char **text, struct cpumask *out)
{
	unsigned first, last, step = 1;
	int err;

	err = parse_number(text, &first);
	if (err)
		return err;
	last = first;
	if (**text == '-') {
		++*text;
		err = parse_number(text, &last);
		if (err)
			return err;
		if (**text == ':') {
			++*text;
			err = parse_number(text, &step);
			if (err)
				return err;
		}
	}
	if (first >= CPU_MAX || last >= CPU_MAX)
		return -ERANGE;
	if (last < first || !step)
		return -EINVAL;
	for (unsigned cpu = first; cpu <= last; cpu += step)
		cpumask_set(out, cpu);
	return 0;
}

int cpulist_parse(const char *text, struct cpumask *out)
{
	struct cpumask m = { 0 };
	int err;

	while (is_space(*text))
		text++;
	if (*text) {
		for (;;) {
			err = parse_item(&text, &m);
			if (err)
				return err;
			if (*text != ',')
				break;
			text++;
		}
		while (is_space(*text))
			text++;
		if (*text)
			return -EINVAL;
	}
	*out = m;
	return 0;
}

/* put_number() - Decimal @n at @to. Return: how many bytes. */
static size_t put_number(char *to, unsigned n)
{
	char digit[10];
	size_t len = 0;

	do {
		digit[len++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	for (size_t i = 0; i < len; i++)
		to[i] = digit[len - 1 - i];
	return len;
}

char *cpulist_format(const struct cpumask *m, char *buf, size_t size)
{
	unsigned cpu = cpumask_next(m, 0), last;
	char item[sizeof(",511-511")];
	size_t used = 0, len;

	if (!size)
		return buf;
	while (cpu != CPU_NONE) {
		for (last = cpu; cpumask_has(m, last + 1); last++)
			;
		len = 0;
		if (used)
			item[len++] = ',';
		len += put_number(item + len, cpu);
		if (last != cpu) {
			item[len++] = '-';
			len += put_number(item + len, last);
		}
		/* whole items only: half a number is another number */
		if (used + len >= size)
			break;
		for (size_t i = 0; i < len; i++)
			buf[used++] = item[i];
		cpu = cpumask_next(m, last + 1);
	}
	buf[used] = '\0';
	return buf;
}
