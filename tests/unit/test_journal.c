// SPDX-License-Identifier: Apache-2.0
/*
 * test_journal.c - lines of the restore journal to and from text
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "journal_line.h"

#define U     "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
#define TEN   "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

/* Each comes out as it went in. */
static const struct {
	const char *what, *line;
	struct journal_line out;
} good_row[] = {
	{ "a VM",
	  "vm " U " 4711 99887 web",
	  { .kind = JOURNAL_KIND_VM,
	    .id = 4711,
	    .start = 99887,
	    .uuid = U,
	    .text = "web" } },
	{ "blanks in a name",
	  "vm " U " 1 0 my old vm ",
	  { .kind = JOURNAL_KIND_VM,
	    .id = 1,
	    .uuid = U,
	    .text = "my old vm " } },
	{ "newline and backslash in a name",
	  "vm " U " 1 2 a\\012b\\134c",
	  { .kind = JOURNAL_KIND_VM,
	    .id = 1,
	    .start = 2,
	    .uuid = U,
	    .text = "a\nb\\c" } },
	{ "a name that is not ASCII",
	  "vm " U " 1 2 b\xc3\xa4r",
	  { .kind = JOURNAL_KIND_VM,
	    .id = 1,
	    .start = 2,
	    .uuid = U,
	    .text = "b\xc3\xa4r" } },
	{ "the largest start time",
	  "vm " U " 2147483647 18446744073709551615 x",
	  { .kind = JOURNAL_KIND_VM,
	    .id = 2147483647,
	    .start = UINT64_MAX,
	    .uuid = U,
	    .text = "x" } },
	{ "a file",
	  "file /cg/cpu/machine/cpu.idle 0",
	  { .kind = JOURNAL_KIND_FILE,
	    .path = "/cg/cpu/machine/cpu.idle",
	    .text = "0" } },
	{ "a path with a blank and systemd's escapes",
	  "file /cg/a\\040b/c\\134x2d/cpuset.cpus 0-3,8",
	  { .kind = JOURNAL_KIND_FILE,
	    .path = "/cg/a b/c\\x2d/cpuset.cpus",
	    .text = "0-3,8" } },
	{ "an empty value",
	  "file /cg/cpuset.cpus ",
	  { .kind = JOURNAL_KIND_FILE, .path = "/cg/cpuset.cpus" } },
	{ "a thread",
	  "thread 4712 99888 0-1,5",
	  { .kind = JOURNAL_KIND_THREAD,
	    .id = 4712,
	    .start = 99888,
	    .mask = { { 0x23 } } } },
	{ "the last cpu",
	  "thread 1 0 511",
	  { .kind = JOURNAL_KIND_THREAD,
	    .id = 1,
	    .mask = { { [7] = 1ull << 63 } } } },
	{ "a pin of vcpu 0",
	  "pin 0 63-64",
	  { .kind = JOURNAL_KIND_PIN, .mask = { { 1ull << 63, 1 } } } },
};

static const struct {
	const char *what, *line;
	int err;
} bad_row[] = {
	{ "nothing", "", -EINVAL },
	{ "an unknown word", "vms " U " 1 2 x", -EINVAL },
	{ "a word cut short", "threa 1 2 0", -EINVAL },
	{ "a word and no more", "vm", -EINVAL },
	{ "upper case", "VM " U " 1 2 x", -EINVAL },
	{ "a blank in front", " pin 0 1", -EINVAL },
	{ "two blanks", "pin  0 1", -EINVAL },
	{ "a short uuid", "vm 0a1b2c3d 1 2 x", -EINVAL },
	{ "a uuid without dashes",
	  "vm 0a1b2c3d04e5f060710829300a4b5c6d7e8f 1 2 x", -EINVAL },
	{ "a uuid in capitals", "vm 0A1B2C3D-4e5f-6071-8293-a4b5c6d7e8f9 1 2 x",
	  -EINVAL },
	{ "pid 0", "vm " U " 0 2 x", -ERANGE },
	{ "a negative pid", "vm " U " -1 2 x", -EINVAL },
	{ "a pid over all bounds", "vm " U " 2147483648 2 x", -ERANGE },
	{ "a start that overflows", "vm " U " 1 18446744073709551616 x",
	  -ERANGE },
	{ "leading zeros", "vm " U " 01 2 x", -EINVAL },
	{ "hexadecimal", "vm " U " 0x1 2 x", -EINVAL },
	{ "a name of 64 bytes", "vm " U " 1 2 " FIFTY TEN "0123", -EINVAL },
	{ "an escape cut short", "vm " U " 1 2 a\\01", -EINVAL },
	{ "an escape over a byte", "vm " U " 1 2 a\\400", -EINVAL },
	{ "an escaped NUL", "vm " U " 1 2 a\\000b", -EINVAL },
	{ "a path that is not absolute", "file cg/cpu.idle 0", -EINVAL },
	{ "no path", "file", -EINVAL },
	{ "a path over all bounds",
	  "file /" FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY
	      TEN "/cpu.idle 0",
	  -EINVAL },
	{ "a value with words in it", "file /cg/cpu.idle 1; reboot", -EINVAL },
	{ "a value of two lines", "file /cg/cpu.idle 1\\0121", -EINVAL },
	{ "thread 0: that is the caller", "thread 0 2 0", -ERANGE },
	{ "a thread without cpus", "thread 1 2 ", -EINVAL },
	{ "a cpu over all bounds", "thread 1 2 512", -ERANGE },
	{ "words for cpus", "thread 1 2 all", -EINVAL },
	{ "blanks after cpus", "thread 1 2 0 ", -EINVAL },
	{ "a vcpu over all bounds", "pin 8192 0", -ERANGE },
};

static void test_good(void **unused)
{
	char text[JOURNAL_LINE_MAX];
	struct journal_line l;
	size_t len;

	(void)unused;
	for (size_t i = 0; i < sizeof(good_row) / sizeof(good_row[0]); i++) {
		print_message("%s\n", good_row[i].what);
		len = strlen(good_row[i].line);
		assert_int_equal(journal_line_parse(&l, good_row[i].line, len),
				 0);
		assert_memory_equal(&l, &good_row[i].out, sizeof(l));
		assert_int_equal(journal_line_format(&l, text, sizeof(text)),
				 len + 1);
		assert_int_equal(text[len], '\n');
		text[len] = '\0';
		assert_string_equal(text, good_row[i].line);
	}
}

static void test_bad(void **unused)
{
	struct journal_line l;

	(void)unused;
	for (size_t i = 0; i < sizeof(bad_row) / sizeof(bad_row[0]); i++) {
		print_message("%s\n", bad_row[i].what);
		assert_int_equal(journal_line_parse(&l, bad_row[i].line,
						    strlen(bad_row[i].line)),
				 bad_row[i].err);
	}
	print_message("a NUL byte\n");
	assert_int_equal(journal_line_parse(&l, "pin 0 1\0", 8), -EINVAL);
	assert_int_equal(
	    journal_line_parse(&l, "vm " U " 1 2 a\0b", 3 + 36 + 8), -EINVAL);
}

/* The longest line there can be fits JOURNAL_LINE_MAX, and no less room. */
static void test_longest(void **unused)
{
	struct journal_line l = { .kind = JOURNAL_KIND_FILE }, back;
	char text[JOURNAL_LINE_MAX];
	int n;

	(void)unused;
	memset(l.path, ' ', sizeof(l.path) - 1);
	l.path[0] = '/';
	memset(l.text, '9', sizeof(l.text) - 1);
	n = journal_line_format(&l, text, sizeof(text));
	assert_in_range(n, 1, JOURNAL_LINE_MAX - 1);
	assert_int_equal(journal_line_parse(&back, text, (size_t)n - 1), 0);
	assert_memory_equal(&back, &l, sizeof(l));
	assert_int_equal(journal_line_format(&l, text, (size_t)n), -E2BIG);
	assert_int_equal(journal_line_format(&l, text, 0), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
