// SPDX-License-Identifier: Apache-2.0
/*
 * name.c - VM names on their way to the operator; see name.h. Pure.
 */
#include "name.h"

#include <string.h>

static const char hex[] = "0123456789ABCDEF";

bool name_to_wire(const char *name, char *out, size_t size)
{
	size_t n = 0;

	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;
		bool plain = c >= ' ' && c < 0x7f && c != '%';

		if (n + (plain ? 1 : 3) >= size)
			break;
		if (plain) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '%';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	out[n] = '\0';
	return !*name;
}

static int hex_value(char c)
{
	const char *at = c ? strchr(hex, c) : NULL;

	return at ? (int)(at - hex) : -1;
}

size_t name_json_bytes(const char *wire)
{
	size_t n = 3; /* quotes and comma */

	for (; *wire; wire++)
		n += *wire == '"' || *wire == '\\' ? 2 : 1;
	return n;
}

void name_from_wire(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		int high = *in == '%' ? hex_value(in[1]) : -1;
		int low = high >= 0 ? hex_value(in[2]) : -1;

		if (low < 0 || !(high | low)) {
			*out++ = *in;
			continue;
		}
		*out++ = (char)(high << 4 | low);
		in += 2;
	}
	*out = '\0';
}

/* Bytes of the well-formed UTF-8 character at @s, 0 when there is none. Not
 * looked for: surrogates and the like, which a terminal shows as a box. */
static size_t utf8_bytes(const unsigned char *s)
{
	size_t n = s[0] >= 0xc2 && s[0] < 0xe0	 ? 2
		   : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		   : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, and U+0080..U+009F, which are control characters */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xc2 && s[1] < 0xa0))
		return 0;
	return n;
}

char *name_printable(const char *text, char *out, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = 0, len;

	while (*s) {
		len = *s >= ' ' && *s < 0x7f ? 1 : utf8_bytes(s);
		if (n + (len ? len : 4) >= size)
			break;
		if (len) {
			memcpy(out + n, s, len);
			n += len;
			s += len;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[*s >> 4];
		out[n++] = hex[*s & 15];
		s++;
	}
	if (size)
		out[n] = '\0';
	return out;
}

size_t name_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}
