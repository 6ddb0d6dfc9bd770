// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_journal.c - any bytes as a restore journal
 *
 * Each line is refused, or is in bounds, and written again it means the same.
 * The same bytes then serve as mountinfo and as /proc/PID/cgroup.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "journal_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int truth)
{
	if (!truth)
		abort();
}

static void line(const char *at, size_t len)
{
	static char text[JOURNAL_LINE_MAX];
	static struct journal_line l, again;
	int n;

	if (journal_line_parse(&l, at, len))
		return;
	must(strnlen(l.text, sizeof(l.text)) < sizeof(l.text));
	must(strnlen(l.path, sizeof(l.path)) < sizeof(l.path));
	must(l.kind != JOURNAL_KIND_VM || strlen(l.uuid) == 36);
	must(l.kind != JOURNAL_KIND_VM || strlen(l.text) < VM_NAME_MAX);
	must(l.kind != JOURNAL_KIND_FILE || l.path[0] == '/');
	must(l.kind != JOURNAL_KIND_FILE ||
	     !l.text[strspn(l.text, "0123456789,-")]);
	must(l.kind != JOURNAL_KIND_THREAD || (l.id && (int32_t)l.id > 0));
	must(l.kind != JOURNAL_KIND_PIN || l.id < VCPU_MAX);
	n = journal_line_format(&l, text, sizeof(text));
	must(n > 0 && text[n - 1] == '\n' && !memchr(text, '\n', n - 1));
	must(!journal_line_parse(&again, text, (size_t)n - 1));
	must(!memcmp(&l, &again, sizeof(l)));
}

static void groups(const char *text)
{
	static struct cgroup_mounts m;
	char path[CGROUP_PATH_MAX];
	bool v2;

	cgroup_mounts_parse(&m, text);
	for (int k = 0; k < CGROUP_KIND_NUM; k++) {
		if (cgroup_locate(&m, text, (enum cgroup_kind)k, path, &v2))
			continue;
		must(strnlen(path, sizeof(path)) < sizeof(path));
		cgroup_vm_group(path);
		cgroup_may_write(&m, path);
	}
	if (cgroup_may_write(&m, text))
		must(text[0] == '/' && !strstr(text, "/../"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (!stop)
			stop = end;
		line(at, (size_t)(stop - at));
		at = stop + 1;
	}
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	groups(text);
	free(text);
	return 0;
}
