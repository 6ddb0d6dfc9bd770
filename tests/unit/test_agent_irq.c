// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_irq.c - interrupts and steering follow the grants, on a tree of
 * files in a temporary directory
 *
 * The "kernel" is the test: an interrupt goes to the first cpu of its set,
 * kernel-managed ones refuse (write() is wrapped).
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "cpulist.h"
#include "guest-agent/irq.h"
#include "guest-agent/irq_file.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define IRQ(n) "proc/irq/" n "/smp_affinity_list"
#define EFF(n) "proc/irq/" n "/effective_affinity_list"
#define RPS    "sys/class/net/eth0/queues/rx-0/rps_cpus"

static char root[64];
static struct irq_table table;
static int refuse; /* errno of writes */
static const char
    *keeps; /* what the file holds on, opened for writing or not */
static unsigned refusals;

ssize_t __real_write(int fd, const void *buf, size_t n);
ssize_t __wrap_write(int fd, const void *buf, size_t n);

ssize_t __wrap_write(int fd, const void *buf, size_t n)
{
	if (!refuse)
		return __real_write(fd, buf, n);
	refusals++;
	assert_int_equal(__real_write(fd, keeps, strlen(keeps)), strlen(keeps));
	errno = refuse;
	return -1;
}

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", text);
	assert_int_equal(fclose(f), 0);
}

static const char *get(const char *name)
{
	static char text[256];
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void nic(const char *name, const char *device)
{
	char path[256], target[256];

	snprintf(path, sizeof(path), "sys/class/net/%s/queues/rx-0/rps_cpus",
		 name);
	put(path, "00000000");
	snprintf(path, sizeof(path), "%s/sys/class/net/%s/device", root, name);
	snprintf(target, sizeof(target), "../../../%s", device);
	assert_int_equal(symlink(target, path), 0);
}

static void start(void)
{
	snprintf(root, sizeof(root), "/tmp/hl-irq-XXXXXX");
	assert_non_null(mkdtemp(root));
	memset(&table, 0, sizeof(table));
	refuse = 0;
	refusals = 0;
	nic("eth0", "virtio0");
	nic("eth1", "0000:00:07.0");
	put("proc/interrupts",
	    "           CPU0       CPU1       CPU2       CPU3\n"
	    "  1:          9          0          0          0   IO-APIC   "
	    "1-edge      i8042\n"
	    " 24:          0          0          0          0   PCI-MSI "
	    "81920-edge      virtio0-config\n"
	    " 25:       1234          0          0          0   PCI-MSI "
	    "81921-edge      virtio0-input.0\n"
	    " 26:          0       1235          0          0   PCI-MSI "
	    "81922-edge      virtio0-output.0\n"
	    " 27:          0       1235          0          0   PCI-MSI "
	    "81923-edge      virtio1-req.0\n"
	    " 28:          0       1235          0          0   PCI-MSI "
	    "81924-edge      virtio01-x, virtio0x, xvirtio0-input.0\n"
	    "NMI:          0          0          0          0   "
	    "Non-maskable\n");
	for (unsigned i = 24; i <= 28; i++) {
		char path[64];

		snprintf(path, sizeof(path), IRQ("%u"), i);
		put(path, "0-3");
		snprintf(path, sizeof(path), EFF("%u"), i);
		put(path, "0");
	}
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
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct cpumask set_of(const char *list)
{
	struct cpumask m;

	assert_int_equal(cpulist_parse(list, &m), 0);
	return m;
}

/* What the kernel does after each write: the first cpu of the set. */
static void settle(const char *n)
{
	char path[64], text[16];
	struct cpumask m;

	snprintf(path, sizeof(path), IRQ("%s"), n);
	m = set_of(get(path));
	snprintf(path, sizeof(path), EFF("%s"), n);
	snprintf(text, sizeof(text), "%u", cpumask_next(&m, 0));
	put(path, text);
}

static unsigned follow(const char *granted)
{
	const struct cpumask m = set_of(granted);
	unsigned n = irq_follow(&table, &m);

	settle("25");
	settle("26");
	settle("24");
	return n;
}

/* --- finding ------------------------------------------------------------- */

static unsigned notes(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < table.count; i++)
		n += table.note[i].path[0] != '\0';
	return n;
}

static void test_find(void **state)
{
	(void)state;
	start();
	irq_find(&table, root);
	assert_int_equal(notes(), 3); /* 24, 25, 26 */
	put(RPS, "0000000f");
	irq_find(&table, root);
	assert_int_equal(notes(), 4);
	irq_find(&table, root);
	assert_int_equal(notes(), 4);
	assert_int_equal(table.full, 0);
	stop();
}

/* The line an INTx NIC shares with others. */
static void test_find_shared(void **state)
{
	static const struct {
		const char *names;
		unsigned notes;
	} row[] = {
		{ "virtio0", 1 },
		{ "virtio0, virtio1", 1 },
		{ "uhci_hcd:usb1, virtio0", 1 },
		{ "virtio1, virtio2", 0 },
		{ "virtio", 0 },
		{ "virtio-net", 0 },
		{ "xvirtio0, virtio0x, virtio00x", 0 },
	};
	char line[256];

	(void)state;
	start();
	for (unsigned i = 0; i < LEN(row); i++) {
		snprintf(line, sizeof(line),
			 " 25:   17   0  IO-APIC  25-fasteoi   %s",
			 row[i].names);
		put("proc/interrupts", line);
		memset(&table, 0, sizeof(table));
		irq_find(&table, root);
		if (notes() != row[i].notes)
			fail_msg("%s: %u", row[i].names, notes());
	}
	stop();
}

/* A line that went is forgotten, its number may be another's; a list that
 * cannot be read proves nothing. */
static void test_find_again(void **state)
{
	char path[128], away[128];

	(void)state;
	start();
	put("proc/interrupts", " 25: 0 PCI virtio0-input.0");
	irq_find(&table, root);
	follow("2");
	assert_string_equal(get(IRQ("25")), "2");
	snprintf(path, sizeof(path), "%s/proc/interrupts", root);
	snprintf(away, sizeof(away), "%s/away", root);
	assert_int_equal(rename(path, away), 0);
	irq_find(&table, root);
	assert_int_equal(notes(), 1);
	put("proc/interrupts", " 25: 0 PCI ahci");
	put(IRQ("25"), "2");
	irq_find(&table, root);
	assert_int_equal(notes(), 0);
	assert_int_equal(irq_restore(&table), 0);
	assert_string_equal(get(IRQ("25")), "2");
	/* its place is taken again */
	put("proc/interrupts", " 26: 0 PCI virtio0-input.0");
	irq_find(&table, root);
	assert_int_equal(table.count, 1);
	stop();
}

static void test_full(void **state)
{
	char path[128];
	FILE *f;

	(void)state;
	start();
	snprintf(path, sizeof(path), "%s/proc/interrupts", root);
	f = fopen(path, "w");
	assert_non_null(f);
	for (unsigned i = 0; i < IRQ_MAX + 3; i++)
		fprintf(f, "%u: 0 PCI virtio0-input.%u\n", i, i);
	fclose(f);
	irq_find(&table, root);
	assert_int_equal(table.count, IRQ_MAX);
	assert_int_equal(table.full, 3);
	stop();
}

/* --- following ----------------------------------------------------------- */

static void test_follow(void **state)
{
	static const struct {
		const char *what, *had, *granted;
		bool rps;
		unsigned writes;
		const char *now;
	} row[] = {
		{ "goes to a granted one", "0-3", "0", 0, 0, "0-3" },
		{ "goes to one that is not", "0-3", "1,2", 0, 1, "1-2" },
		{ "none of its own is granted", "0", "2-3", 0, 1, "2-3" },
		{ "all of its own are", "0-1", "0-3", 0, 0, "0-1" },
		{ "nothing is granted", "0-3", "", 0, 0, "0-3" },
		{ "beyond what it had", "0-1", "1,7", 0, 1, "1" },
		{ "steering inside", "3", "0-1", 1, 0, "3" },
		{ "steering partly outside", "f", "0,2", 1, 1, "5" },
		{ "steering outside", "8", "0,2", 1, 1, "5" },
		{ "steering past word 0", "1,00000000", "40", 1, 1,
		  "100,00000000" },
		{ "steering all", "f", "", 1, 0, "f" },
	};

	(void)state;
	for (unsigned i = 0; i < LEN(row); i++) {
		const char *file = row[i].rps ? RPS : IRQ("25");
		const char *line = row[i].rps ? "" : " 25: 0 virtio0-input.0";
		unsigned n;

		start();
		put("proc/interrupts", line);
		put(file, row[i].had);
		irq_find(&table, root);
		n = follow(row[i].granted);
		if (n != row[i].writes || strcmp(get(file), row[i].now))
			fail_msg("%s: %u written, \"%s\"", row[i].what, n,
				 get(file));
		if (follow(row[i].granted))
			fail_msg("%s: not at rest", row[i].what);
		assert_int_equal(irq_restore(&table), 0);
		if (strcmp(get(file), row[i].had))
			fail_msg("%s: not put back", row[i].what);
		assert_int_equal(irq_restore(&table), 0);
		assert_int_equal(table.failed, 0);
		stop();
	}
}

/* A NIC with a queue a vcpu: each leaves its vcpu and comes back. */
static void test_queues(void **state)
{
	static const struct {
		const char *granted, *q0, *q1;
		unsigned writes;
	} step[] = {
		{ "0-3", "0", "1", 0 }, { "0", "0", "0", 1 },
		{ "0,2", "0", "0", 0 }, { "2-3", "2-3", "2-3", 2 },
		{ "3", "3", "3", 2 },	{ "1,3", "3", "1", 1 },
		{ "0-3", "0", "1", 1 }, { "2", "2", "2", 2 },
		{ "", "0", "1", 2 },
	};

	(void)state;
	start();
	put("proc/interrupts", " 25: 0 virtio0-input.0\n"
			       " 26: 0 virtio0-input.1");
	put(IRQ("25"), "0");
	put(IRQ("26"), "1");
	settle("26");
	irq_find(&table, root);
	for (unsigned i = 0; i < LEN(step); i++) {
		unsigned n = follow(step[i].granted);

		if (n != step[i].writes || strcmp(get(IRQ("25")), step[i].q0) ||
		    strcmp(get(IRQ("26")), step[i].q1))
			fail_msg("step %u, %s: %u written, \"%s\"", i,
				 step[i].granted, n, get(IRQ("26")));
	}
	assert_false(table.note[0].touched || table.note[1].touched);
	stop();
}

/* Without effective_affinity_list all of the set must be granted. */
static void test_no_effective(void **state)
{
	char path[128];

	(void)state;
	start();
	put("proc/interrupts", " 25: 0 virtio0-input.0");
	snprintf(path, sizeof(path), "%s/" EFF("25"), root);
	assert_int_equal(remove(path), 0);
	irq_find(&table, root);
	assert_int_equal(irq_follow(&table, &(struct cpumask){ { 1 } }), 1);
	assert_string_equal(get(IRQ("25")), "0");
	stop();
}

/* Somebody else's hand: what they set is what it gets back. */
static void test_foreign(void **state)
{
	(void)state;
	start();
	put("proc/interrupts", " 25: 0 virtio0-input.0");
	irq_find(&table, root);
	follow("2");
	put(IRQ("25"), "3");
	settle("25");
	follow("1");
	assert_string_equal(get(IRQ("25")), "1");
	assert_int_equal(irq_restore(&table), 0);
	assert_string_equal(get(IRQ("25")), "3");
	/* changed after our last look: theirs too */
	follow("1");
	put(IRQ("25"), "0-1");
	assert_int_equal(irq_restore(&table), 0);
	assert_string_equal(get(IRQ("25")), "0-1");
	stop();
}

/* --- failing ------------------------------------------------------------- */

static void test_refused(void **state)
{
	static const struct {
		const char *what;
		int err;
		unsigned tries; /* of three */
		bool forgotten;
	} row[] = {
		{ "kernel-managed", EIO, 1, 0 },
		{ "not allowed", EPERM, 1, 0 },
		{ "no vector free", ENOSPC, 3, 0 },
		{ "no cpu of it online", EINVAL, 3, 0 },
		{ "gone", ENODEV, 1, 1 },
	};

	(void)state;
	for (unsigned i = 0; i < LEN(row); i++) {
		start();
		put("proc/interrupts", " 25: 0 virtio0-input.0");
		irq_find(&table, root);
		refuse = row[i].err;
		keeps = "0-3";
		for (unsigned n = 0; n < 3; n++)
			assert_int_equal(
			    irq_follow(&table, &(struct cpumask){ { 4 } }), 0);
		refuse = 0;
		if (refusals != row[i].tries ||
		    (notes() == 0) != row[i].forgotten ||
		    table.failed != (row[i].forgotten ? 0 : row[i].tries) ||
		    table.note[0].touched)
			fail_msg("%s: %u tries, %u notes", row[i].what,
				 refusals, notes());
		stop();
	}
}

/* What could not be moved on still knows what it had. */
static void test_refused_later(void **state)
{
	(void)state;
	start();
	put("proc/interrupts", " 25: 0 virtio0-input.0");
	irq_find(&table, root);
	follow("2");
	refuse = EINVAL;
	keeps = "2";
	assert_int_equal(irq_follow(&table, &(struct cpumask){ { 2 } }), 0);
	assert_int_equal(irq_restore(&table), 1);
	refuse = 0;
	assert_int_equal(irq_restore(&table), 0);
	assert_string_equal(get(IRQ("25")), "0-3");
	stop();
}

/* The agent may die between noting and writing: either content is put back. */
static void test_died_between(void **state)
{
	static const char *const holds[] = { "2", "1" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start();
		put("proc/interrupts", " 25: 0 virtio0-input.0");
		irq_find(&table, root);
		follow("2");
		follow("1");
		put(IRQ("25"), holds[i]);
		assert_int_equal(irq_restore(&table), 0);
		assert_string_equal(get(IRQ("25")), "0-3");
		stop();
	}
}

static void test_gone_later(void **state)
{
	char path[128];

	(void)state;
	start();
	put("proc/interrupts", " 25: 0 virtio0-input.0");
	irq_find(&table, root);
	follow("2");
	snprintf(path, sizeof(path), "%s/" IRQ("25"), root);
	assert_int_equal(remove(path), 0);
	assert_int_equal(irq_restore(&table), 0);
	assert_int_equal(notes(), 0);
	assert_int_equal(irq_follow(&table, &(struct cpumask){ { 1 } }), 0);
	stop();
}

/* --- masks as text ------------------------------------------------------- */

static void test_hex(void **state)
{
	static const struct {
		const char *in;
		int err;
		const char *list, *out;
	} row[] = {
		{ "0", 0, "", "0" },
		{ "f", 0, "0-3", "f" },
		{ "00000000,0000000F\n", 0, "0-3", "f" },
		{ "1,00000000", 0, "32", "1,00000000" },
		{ "80000001,00000000,00000003", 0, "0-1,64,95",
		  "80000001,00000000,00000003" },
		{ "", -EINVAL, NULL, NULL },
		{ "\n", -EINVAL, NULL, NULL },
		{ "g", -EINVAL, NULL, NULL },
		{ "0x1", -EINVAL, NULL, NULL },
		{ "1,1", -EINVAL, NULL, NULL },
		{ ",00000001", -EINVAL, NULL, NULL },
		{ "1,", -EINVAL, NULL, NULL },
		{ "000000001", -EINVAL, NULL, NULL },
		{ "-1", -EINVAL, NULL, NULL },
	};
	struct cpumask m;
	char text[256];

	(void)state;
	for (unsigned i = 0; i < LEN(row); i++) {
		int err = mask_parse_hex(row[i].in, &m);

		if (err != row[i].err)
			fail_msg("\"%s\": %d", row[i].in, err);
		if (err)
			continue;
		mask_format_hex(&m, text, sizeof(text));
		if (strcmp(text, row[i].out))
			fail_msg("\"%s\": \"%s\"", row[i].in, text);
		cpulist_format(&m, text, sizeof(text));
		if (strcmp(text, row[i].list))
			fail_msg("\"%s\": \"%s\"", row[i].in, text);
	}
	/* the last cpu there can be, and the one after it */
	memset(&m, 0, sizeof(m));
	cpumask_set(&m, CPU_MAX - 1);
	mask_format_hex(&m, text, sizeof(text));
	assert_int_equal(mask_parse_hex(text, &m), 0);
	assert_true(cpumask_has(&m, CPU_MAX - 1));
	memmove(text + 2, text, strlen(text) + 1);
	memcpy(text, "1,", 2);
	assert_int_equal(mask_parse_hex(text, &m), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_shared),
		cmocka_unit_test(test_find_again),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_no_effective),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_later),
		cmocka_unit_test(test_died_between),
		cmocka_unit_test(test_gone_later),
		cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
