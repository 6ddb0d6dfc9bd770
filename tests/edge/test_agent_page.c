// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_page.c - finding the page, and losing it
 *
 * A tree of files in a temporary directory plays sysfs; a file plays the
 * device's memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "guest-agent/page.h"
#include "tests/fake/fake_fail.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define TOKEN  0x7777000077770000ull

static char root[64];
static struct page page;

static void full(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/sys/bus/pci/devices/%s", root, name);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
}

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	full(path, sizeof(path), name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void memory(const char *name, uint64_t magic, uint32_t version,
		   uint64_t token, off_t bytes)
{
	const struct agent_host_head head = { .magic = magic,
					      .version = version,
					      .token = token };
	char path[256];
	int fd;

	full(path, sizeof(path), name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, &head, sizeof(head)), sizeof(head));
	assert_int_equal(ftruncate(fd, bytes), 0);
	close(fd);
}

/* A device; @bar: which of its files is the memory. */
static void device(const char *addr, const char *id, const char *bar,
		   uint64_t token)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/vendor", addr);
	put(name, "0x1af4\n");
	snprintf(name, sizeof(name), "%s/device", addr);
	put(name, id);
	snprintf(name, sizeof(name), "%s/enable", addr);
	put(name, "1\n");
	snprintf(name, sizeof(name), "%s/%s", addr, bar);
	memory(name, AGENT_HOST_MAGIC, AGENT_VERSION, token, 1 << 20);
}

static void start(void)
{
	snprintf(root, sizeof(root), "/tmp/hl-page-XXXXXX");
	assert_non_null(mkdtemp(root));
	memset(&page, 0, sizeof(page));
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void stop(void)
{
	page_close(&page);
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_find(void **state)
{
	char path[256], text[8];
	FILE *f;

	(void)state;
	start();
	assert_int_equal(page_open(&page, root, NULL, TOKEN), -ENODEV);
	device("0000:00:03.0", "0x1041\n", "resource2", TOKEN); /* a NIC */
	assert_int_equal(page_open(&page, root, NULL, TOKEN), -ENODEV);
	device("0000:00:04.0", "0x1110\n", "resource2", TOKEN + 1);
	device("0000:00:05.0", "0x1110\n", "resource2", TOKEN);
	device("0000:00:06.0", "0x1110\n", "resource2", TOKEN + 2);
	put("0000:00:05.0/enable", "0\n");
	assert_int_equal(page_open(&page, root, NULL, TOKEN), 0);
	assert_true(page_ok(&page));
	/* its memory was switched on, the others' left alone */
	full(path, sizeof(path), "0000:00:05.0/enable");
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_int_equal(text[0], '1');
	/* one at a time */
	assert_int_equal(page_open(&(struct page){ 0 }, root, NULL, TOKEN + 1),
			 -EBUSY);
	page_close(&page);
	page_close(&page);
	/* the write-combining file is taken where there is one */
	device("0000:00:06.0", "0x1110\n", "resource2_wc", TOKEN + 3);
	assert_int_equal(page_open(&page, root, NULL, TOKEN + 3), 0);
	page_close(&page);
	assert_int_equal(page_open(&page, root, NULL, 0), -ENODEV);
	stop();
}

static void test_heads(void **state)
{
	static const struct {
		const char *what;
		uint64_t magic;
		uint32_t version;
		uint64_t token;
		off_t bytes;
		int err;
	} row[] = {
		{ "good", AGENT_HOST_MAGIC, 1, TOKEN, 1 << 20, 0 },
		{ "just large enough", AGENT_HOST_MAGIC, 1, TOKEN,
		  sizeof(struct agent_page), 0 },
		{ "one byte less", AGENT_HOST_MAGIC, 1, TOKEN,
		  sizeof(struct agent_page) - 1, -ENODEV },
		{ "empty", 0, 0, 0, 0, -ENODEV },
		{ "no magic", 0, 1, TOKEN, 1 << 20, -ENODEV },
		{ "the other side's magic", AGENT_GUEST_MAGIC, 1, TOKEN,
		  1 << 20, -ENODEV },
		{ "version 0", AGENT_HOST_MAGIC, 0, TOKEN, 1 << 20, -ENODEV },
		{ "version 2", AGENT_HOST_MAGIC, 2, TOKEN, 1 << 20, -ENODEV },
		{ "another's", AGENT_HOST_MAGIC, 1, TOKEN + 1, 1 << 20,
		  -ENODEV },
		{ "unplugged: ones", ~0ull, ~0u, ~0ull, 1 << 20, -ENODEV },
	};
	char path[256];

	(void)state;
	for (unsigned i = 0; i < LEN(row); i++) {
		int err;

		start();
		memory("file", row[i].magic, row[i].version, row[i].token,
		       row[i].bytes);
		full(path, sizeof(path), "file");
		err = page_open(&page, root, path, TOKEN);
		if (err != row[i].err || (page.at != NULL) != !err)
			fail_msg("%s: %d", row[i].what, err);
		stop();
	}
}

static void test_steps_fail(void **state)
{
	static const struct {
		const char *call;
		int err;
	} row[] = { { "open", EACCES },
		    { "fstat", EIO },
		    { "mmap", ENOMEM },
		    { "sigaction", EINVAL } };
	unsigned before;
	char path[256];

	(void)state;
	start();
	memory("file", AGENT_HOST_MAGIC, 1, TOKEN, 1 << 20);
	full(path, sizeof(path), "file");
	before = fail_open();
	for (unsigned i = 0; i < LEN(row); i++) {
		fail_next(row[i].call, 0, row[i].err);
		assert_int_equal(page_open(&page, root, path, TOKEN),
				 -row[i].err);
		assert_true(fail_done());
		assert_int_equal(fail_open(), before);
		assert_null(page.at);
	}
	/* the way is free again */
	assert_int_equal(page_open(&page, root, path, TOKEN), 0);
	stop();
}

/* Where write-combining cannot be mapped, plain memory can. */
static void test_no_wc(void **state)
{
	char path[256];

	(void)state;
	start();
	device("0000:00:06.0", "0x1110\n", "resource2", TOKEN);
	full(path, sizeof(path), "0000:00:06.0/resource2_wc");
	assert_int_equal(mkdir(path, 0755), 0); /* fails to be opened: EISDIR */
	assert_int_equal(page_open(&page, root, NULL, TOKEN), 0);
	stop();
}

static void test_words(void **state)
{
	struct agent_hint hint = { .wait_us = 5, .flags = 1 };
	struct agent_hint_vcpu vcpu[2] = { { .ack = 1 }, { .wait_us = 9 } };
	uint64_t word[AGENT_VCPUS];
	char path[256];

	(void)state;
	start();
	memory("file", AGENT_HOST_MAGIC, 1, TOKEN, 1 << 20);
	full(path, sizeof(path), "file");
	assert_int_equal(page_open(&page, root, path, TOKEN), 0);
	page.at->to_guest[0].word = 17;
	page.at->to_guest[511].word = 18;
	assert_true(page_words(&page, word, AGENT_VCPUS));
	assert_int_equal(word[0], 17);
	assert_int_equal(word[511], 18);
	assert_false(page_heard(&page));
	page.at->host.beat--;
	assert_true(page_heard(&page));
	assert_false(page_heard(&page));
	page_greet(&page, 99);
	assert_true(page.at->guest.magic == AGENT_GUEST_MAGIC);
	assert_int_equal(page.at->guest.epoch, 99);
	assert_int_equal(page.at->guest.version, AGENT_VERSION);
	page_hint(&page, &hint, vcpu, 2);
	assert_memory_equal(&page.at->guest.hint, &hint, sizeof(hint));
	assert_memory_equal(&page.at->to_host[0].hint, vcpu, sizeof(vcpu[0]));
	assert_memory_equal(&page.at->to_host[1].hint, vcpu + 1,
			    sizeof(vcpu[0]));
	assert_int_equal(page.at->guest.beat, 1);
	stop();
}

/* --- SIGBUS -------------------------------------------------------------- */

/* Cut at each page of the structure: every read and write survives. */
static void test_cut(void **state)
{
	uint64_t word[AGENT_VCPUS];
	struct agent_hint_vcpu vcpu[AGENT_VCPUS] = { 0 };
	char path[256];

	(void)state;
	for (off_t cut = 0; cut < (off_t)sizeof(struct agent_page);
	     cut += 4096) {
		start();
		memory("file", AGENT_HOST_MAGIC, 1, TOKEN, 1 << 20);
		full(path, sizeof(path), "file");
		assert_int_equal(page_open(&page, root, path, TOKEN), 0);
		assert_int_equal(truncate(path, cut), 0);
		page_hint(&page, &(struct agent_hint){ 0 }, vcpu, AGENT_VCPUS);
		assert_false(page_words(&page, word, AGENT_VCPUS));
		assert_false(page_ok(&page));
		page_beat(&page);
		page_greet(&page, 1);
		page_close(&page);
		stop();
	}
}

/* A SIGBUS that is not the page's ends as it would have without us. */
static void test_not_ours(void **state)
{
	char path[256], other[256];
	int status;
	pid_t pid;

	(void)state;
	start();
	memory("file", AGENT_HOST_MAGIC, 1, TOKEN, 1 << 20);
	memory("other", 0, 0, 0, 4096);
	full(path, sizeof(path), "file");
	full(other, sizeof(other), "other");
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int fd = open(other, O_RDWR | O_CLOEXEC);
		volatile char *at =
		    mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		signal(SIGBUS, SIG_DFL);
		if (page_open(&page, root, path, TOKEN) || truncate(other, 0))
			_exit(1);
		_exit(at[0]);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	stop();
}

/* Whoever had the signal before has it again. */
static void test_handler_back(void **state)
{
	struct sigaction sa;
	char path[256];

	(void)state;
	start();
	memory("file", AGENT_HOST_MAGIC, 1, TOKEN, 1 << 20);
	full(path, sizeof(path), "file");
	signal(SIGBUS, SIG_IGN);
	assert_int_equal(page_open(&page, root, path, TOKEN), 0);
	page_close(&page);
	sigaction(SIGBUS, NULL, &sa);
	assert_true(sa.sa_handler == SIG_IGN);
	signal(SIGBUS, SIG_DFL);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_steps_fail),
		cmocka_unit_test(test_no_wc),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_handler_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
