// SPDX-License-Identifier: Apache-2.0
/* test_name.c - VM names to the wire, back, and onto a terminal */
#include "name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *what, *name, *wire, *shown;
} rows[] = {
	{ "plain", "web-1.example", "web-1.example", "web-1.example" },
	{ "nothing", "", "", "" },
	{ "blank, comma, quotes", "a b,\"c\"\\", "a b,\"c\"\\", "a b,\"c\"\\" },
	{ "percent", "100%41", "100%2541", "100%41" },
	{ "umlaut", "gr\xc3\xbcn", "gr%C3%BCn", "gr\xc3\xbcn" },
	{ "escape sequence", "\x1b[2Jx", "%1B[2Jx", "\\x1B[2Jx" },
	{ "newline and tab", "a\nb\t", "a%0Ab%09", "a\\x0Ab\\x09" },
	{ "no UTF-8", "\xff\xc3", "%FF%C3", "\\xFF\\xC3" },
	{ "overlong", "\xc0\xaf\xe0\x80\xaf", "%C0%AF%E0%80%AF",
	  "\\xC0\\xAF\\xE0\\x80\\xAF" },
	{ "C1 control in UTF-8", "\xc2\x9b", "%C2%9B", "\\xC2\\x9B" },
	{ "four bytes", "\xf0\x9f\x9a\xa2", "%F0%9F%9A%A2",
	  "\xf0\x9f\x9a\xa2" },
};

static void test_rows(void **state)
{
	char wire[256], shown[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(name_to_wire(rows[i].name, wire, sizeof(wire)));
		if (strcmp(wire, rows[i].wire))
			fail_msg("%s: wire %s", rows[i].what, wire);
		name_from_wire(wire);
		if (strcmp(wire, rows[i].name))
			fail_msg("%s: back as %s", rows[i].what, wire);
		name_printable(rows[i].name, shown, sizeof(shown));
		if (strcmp(shown, rows[i].shown))
			fail_msg("%s: shown as %s", rows[i].what, shown);
	}
}

static void test_decode_odd(void **state)
{
	static const struct {
		const char *in, *out;
	} odd[] = { { "%", "%" },	{ "a%4", "a%4" }, { "%zz", "%zz" },
		    { "%00x", "%00x" }, { "%4a", "%4a" }, { "%%41", "%A" },
		    { "%41%", "A%" } };
	char text[16];

	(void)state;
	for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		strcpy(text, odd[i].in);
		name_from_wire(text);
		assert_string_equal(text, odd[i].out);
	}
}

static void test_cut(void **state)
{
	char out[8];

	(void)state;
	assert_false(name_to_wire("ab\xff\xff", out, sizeof(out)));
	assert_string_equal(out, "ab%FF");
	assert_true(name_to_wire("1234567", out, sizeof(out)));
	assert_false(name_to_wire("12345678", out, sizeof(out)));
	name_printable("123456\xc3\xbc", out, sizeof(out));
	assert_string_equal(out, "123456");
	assert_int_equal(name_width("gr\xc3\xbcn"), 4);
}

/* Any bytes at all: there and back is the same, what is shown is harmless. */
static void test_random(void **state)
{
	char name[65], wire[256], shown[512];

	(void)state;
	srandom(1);
	for (unsigned turn = 0; turn < 20000; turn++) {
		size_t n = (size_t)random() % 64;

		for (size_t i = 0; i < n; i++)
			name[i] = (char)(random() % 255 + 1);
		name[n] = '\0';
		assert_true(name_to_wire(name, wire, sizeof(wire)));
		for (char *p = wire; *p; p++)
			assert_in_range(*p, ' ', '~');
		name_from_wire(wire);
		assert_string_equal(wire, name);
		name_printable(name, shown, sizeof(shown));
		for (char *p = shown; *p; p++)
			assert_false((*p > 0 && *p < ' ') || *p == 0x7f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_decode_odd),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
