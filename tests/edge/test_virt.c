// SPDX-License-Identifier: Apache-2.0
/*
 * test_virt.c - what hostd is told of VMs, against a scripted libvirt
 *
 * /proc and the pid files are a tree in a temporary directory; the clock jumps
 * when a test says so. What was told is compared as text, one line a VM:
 * "NAME STATE pid tids".
 */
#include "virt.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/fake/fake_libvirt.h"

#define SECOND	 1000000000ull
#define PATIENCE 2000 /* passes of 5 ms, for a thread to do its work */

static char root[64], proc[80], run[80];
static char told[65536];
static unsigned told_cnt;
static int pin_in_callback; /* what virt_pinned() said, asked when told */
static bool ask_in_callback;
static struct virt *virt;

/* --- files --------------------------------------------------------------- */

static void put(const char *text, size_t len, const char *fmt, ...)
{
	char path[256];
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	for (char *at = path + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(path, 0755);
		*at = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

/* A thread of process @pid with that name, in cgroup @group. */
static void put_thread(int pid, int tid, const char *comm, const char *group)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "3:cpuset:/m/%s\n0::/\n", group);

	put(comm, strlen(comm), "%s/%d/task/%d/comm", proc, pid, tid);
	put(text, (size_t)n, "%s/%d/task/%d/cgroup", proc, pid, tid);
}

static void put_process(int pid, const char *name, const char *uuid)
{
	char text[512];
	int n = snprintf(text, sizeof(text),
			 "qemu%c-name%cguest=%s,debug-threads=on%c-uuid%c%s%c",
			 0, 0, name, 0, 0, uuid, 0);

	put(text, (size_t)n, "%s/%d/cmdline", proc, pid);
	put_thread(pid, pid, "qemu\n", "emulator");
}

static void put_pidfile(const char *name, int pid)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", pid);

	put(text, (size_t)n, "%s/%s.pid", run, name);
}

static void remove_files(void)
{
	char cmd[192];

	snprintf(cmd, sizeof(cmd), "rm -rf %s/proc %s/run", root, root);
	assert_int_equal(system(cmd), 0);
}

/* --- domains ------------------------------------------------------------- */

/* Let @d run as @pid with vcpus 0 and 1 on threads pid + 1 and pid + 2. */
static void start(struct fake_domain *d, unsigned id, int pid)
{
	d->id = id;
	put_process(pid, d->name, d->uuid_text);
	put_pidfile(d->name, pid);
	put_thread(pid, pid + 1, "CPU 0/KVM\n", "vcpu0");
	put_thread(pid, pid + 2, "CPU 1/KVM\n", "vcpu1");
}

static void stop(struct fake_domain *d)
{
	char path[256];

	d->id = FAKE_ID_NONE;
	snprintf(path, sizeof(path), "%s/%s.pid", run, d->name);
	unlink(path);
}

static void on_vm(void *arg, const struct virt_vm *vm)
{
	static const char *const state[] = { "DEFINED", "RUNNING", "GONE" };
	size_t n = strlen(told);
	struct cpumask mask;

	(void)arg;
	told_cnt++;
	if (ask_in_callback)
		pin_in_callback = virt_pinned(virt, vm->uuid, 0, &mask);
	n += (size_t)snprintf(told + n, sizeof(told) - n, "%s %s %d", vm->name,
			      state[vm->state], (int)vm->pid);
	for (unsigned i = 0; i < vm->vcpu_cnt && n < sizeof(told); i++)
		n += (size_t)snprintf(told + n, sizeof(told) - n, " %d",
				      (int)vm->tid[i]);
	if (vm->channel[0] && n < sizeof(told))
		n += (size_t)snprintf(told + n, sizeof(told) - n, " channel=%s",
				      vm->channel);
	if (vm->shmem[0] && n < sizeof(told))
		n += (size_t)snprintf(told + n, sizeof(told) - n, " page=%s",
				      vm->shmem);
	for (unsigned i = 0; i < vm->nic_cnt && n < sizeof(told); i++)
		n += (size_t)snprintf(told + n, sizeof(told) - n, " %s",
				      vm->nic[i].path);
	if (n < sizeof(told))
		snprintf(told + n, sizeof(told) - n, "\n");
}

static void on_link(void *arg, bool up)
{
	(void)arg;
	strcat(told, up ? "link up\n" : "link down\n");
}

static int open_virt(void)
{
	const struct virt_events ev = { .vm = on_vm, .link = on_link };

	return virt_open_at(&virt, "fake:///", &ev, proc, run);
}

static void expect(const char *what, const char *text)
{
	if (strcmp(told, text))
		fail_msg("%s: told\n%swanted\n%s", what, told, text);
	told[0] = '\0';
}

static void turn(void)
{
	virt_turn(virt, 0);
}

/* Time passes until the next sweep, and it happens. */
static void sweep(void)
{
	fake_advance(2 * SECOND);
	turn();
}

/* A second passes by the clock, 5 ms at most of ours. */
static void pass(void)
{
	fake_advance(SECOND);
	virt_turn(virt, 5);
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	remove_files();
	told[0] = '\0';
	told_cnt = 0;
	ask_in_callback = false;
	return 0;
}

static int close_virt(void **state)
{
	(void)state;
	virt_close(virt);
	assert_int_equal(fake_refs(), 0);
	return 0;
}

/* --- tests --------------------------------------------------------------- */

static void test_open(void **state)
{
	struct fake_domain *b, *a = fake_domain("a", 1);

	(void)state;
	b = fake_domain("b", 2);
	start(b, 7, 100);
	strcpy(a->xml, "<domain><devices><interface type='vhostuser'>"
		       "<mac address='52:54:00:00:00:01'/>"
		       "<source type='unix' path='/s/a' mode='client'/>"
		       "</interface></devices></domain>");
	assert_int_equal(open_virt(), 0);
	expect("at open", "link up\nb RUNNING 100 101 102\na DEFINED 0 /s/a\n");
	turn();
	sweep();
	expect("nothing changed", "");
}

static void test_events(void **state)
{
	struct fake_domain *b, *a = fake_domain("a", 1);

	(void)state;
	assert_int_equal(open_virt(), 0);
	expect("at open", "link up\na DEFINED 0\n");
	start(a, 1, 100);
	fake_event(a);
	turn();
	expect("started", "a RUNNING 100 101 102\n");
	fake_event(a);
	turn();
	expect("an event, nothing new", "");
	strcpy(a->xml, "<domain><devices><interface type='vhostuser'>"
		       "<mac address='52:54:00:00:00:01'/>"
		       "<source type='unix' path='/s/a' mode='server'/>"
		       "</interface></devices></domain>");
	fake_device(a);
	turn();
	expect("NIC plugged", "a RUNNING 100 101 102 /s/a\n");
	stop(a);
	fake_event(a);
	turn();
	expect("stopped", "a DEFINED 0 /s/a\n");
	a->gone = true;
	fake_event(a);
	turn();
	expect("undefined", "a GONE 0 /s/a\n");
	b = fake_domain("b", 2);
	b->transient = true;
	start(b, 2, 200);
	fake_event(b);
	turn();
	expect("transient", "b RUNNING 200 201 202\n");
	stop(b);
	fake_event(b);
	turn();
	expect("transient, stopped", "b GONE 0\n");
}

#define CHANNEL(source)                                                        \
	"<channel type='unix'>" source                                         \
	"<target type='virtio' name='org.heighliner.agent.0'/></channel>"
#define BIND  "<source mode='bind' path='/run/c'/>"
#define SHMEM "<shmem name='heighliner-a'><model type='ivshmem-plain'/></shmem>"

static void devices(struct fake_domain *d, const char *xml)
{
	snprintf(d->xml, sizeof(d->xml),
		 "<domain><devices>%s</devices></domain>", xml);
}

/* The agent's devices, attached to a VM that runs and detached again. */
static void test_agent(void **state)
{
	struct fake_domain *a = fake_domain("a", 1);

	(void)state;
	devices(a, CHANNEL(""));
	assert_int_equal(open_virt(), 0);
	expect("defined: libvirt has chosen no path yet",
	       "link up\na DEFINED 0\n");
	start(a, 1, 100);
	devices(a, CHANNEL(BIND));
	fake_event(a);
	turn();
	expect("runs: now it has", "a RUNNING 100 101 102 channel=/run/c\n");
	devices(a, CHANNEL(BIND) SHMEM);
	fake_device(a);
	turn();
	expect("page attached",
	       "a RUNNING 100 101 102 channel=/run/c page=heighliner-a\n");
	devices(a, SHMEM);
	fake_device(a);
	turn();
	expect("channel detached", "a RUNNING 100 101 102 page=heighliner-a\n");
	devices(a, "");
	fake_device(a);
	turn();
	expect("page detached", "a RUNNING 100 101 102\n");
	fake_device(a);
	turn();
	expect("another device", "");
}

static void test_no_event(void **state)
{
	struct fake_domain *b, *a = fake_domain("a", 1);
	char path[256];

	(void)state;
	start(a, 1, 100);
	assert_int_equal(open_virt(), 0);
	expect("at open", "link up\na RUNNING 100 101 102\n");
	put_thread(100, 150, "CPU 3/TCG\n", "vcpu3");
	put_thread(100, 151, "worker\n", "emulator");
	turn();
	expect("vcpu 3 plugged, no sweep yet", "");
	sweep();
	expect("vcpu 3 plugged", "a RUNNING 100 101 102 0 150\n");
	snprintf(path, sizeof(path), "rm -r %s/100/task/102", proc);
	assert_int_equal(system(path), 0);
	sweep();
	expect("vcpu 1 unplugged", "a RUNNING 100 101 0 0 150\n");
	start(a, 2, 300);
	sweep();
	expect("started anew", "a DEFINED 0\na RUNNING 300 301 302\n");
	b = fake_domain("b", 2);
	sweep();
	expect("defined", "b DEFINED 0\n");
	strcpy(b->name, "c");
	sweep();
	expect("renamed", "b GONE 0\nc DEFINED 0\n");
	b->gone = true;
	stop(a);
	sweep();
	expect("undefined, stopped", "c GONE 0\na DEFINED 0\n");
}

/* QEMU hangs in its start until somebody serves its socket. */
static void test_waits_for_socket(void **state)
{
	struct fake_domain *a = fake_domain("a", 1);
	const struct cpumask mask = { { 1 } };

	(void)state;
	a->id = 1;
	a->paused = true;
	strcpy(a->cpus, "* CPU #0: thread_id=101\n"); /* would hang */
	put_process(100, "a", a->uuid_text);
	put_pidfile("a", 100);
	assert_int_equal(open_virt(), 0);
	expect("waits", "link up\na DEFINED 0\n");
	assert_int_equal(virt_pin(virt, a->uuid_text, 0, &mask), -ESRCH);
	sweep();
	expect("still waits", "");
	start(a, 1, 100);
	sweep();
	expect("runs", "a RUNNING 100 101 102\n");
	assert_int_equal(virt_pin(virt, a->uuid_text, 0, &mask), 0);
}

/* Files that are not what they seem. */
static void test_proc(void **state)
{
	struct fake_domain *d[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		d[i] = fake_domain((char[]){ (char)('a' + i), 0 }, i);
	start(d[0], 1, 100);
	put_process(100, "a", "00000000-0000-0000-0000-00000000ffff");
	start(d[1], 2, 200);
	put_pidfile("b", 201); /* no such process */
	start(d[2], 3, 300);
	put_thread(300, 302, "CPU 1/KVM\n", "vcpu0");
	start(d[3], 4, 400);
	put_thread(400, 403, "CPU 700/KVM\n", "vcpu700");
	put_thread(400, 404, "CPU 2\n", "vcpu2");
	put_thread(400, 405, "CPU -1/KVM\n", "vcpu3");
	assert_int_equal(open_virt(), 0);
	expect("a: another's pid, b: dead, c: cgroup of another, d: odd names",
	       "link up\nd RUNNING 400 401 402\nc RUNNING 300 301\n"
	       "b DEFINED 0\na DEFINED 0\n");
}

static void test_monitor(void **state)
{
	struct fake_domain *a = fake_domain("a", 1), *b = fake_domain("b", 2);
	static const char status[] = "Name:\tq\nTgid:\t300\nNgid:\t0\n";

	(void)state;
	a->id = 1;
	put_process(200, "a", a->uuid_text);
	put_pidfile("a", 200);
	strcpy(a->cpus,
	       "* CPU #0: thread_id=211\r\n  CPU #1: thread_id=212\r\n");
	b->id = 2; /* its pid file is elsewhere; one thread for both vcpus */
	put_process(300, "b", b->uuid_text);
	put(status, strlen(status), "%s/311/status", proc);
	strcpy(b->cpus,
	       "* CPU #0: thread_id=311\r\n  CPU #1: thread_id=311\r\n"
	       "  CPU #9999: thread_id=5\r\n  CPU #2: thread_id=-4\r\n");
	assert_int_equal(open_virt(), 0);
	expect("threads without names",
	       "link up\nb RUNNING 300 311\na RUNNING 200 211 212\n");
}

static void test_bad_domains(void **state)
{
	struct fake_domain *bad, *ghost, *longer;

	(void)state;
	fake_domain("good", 1);
	bad = fake_domain("bad", 2);
	strcpy(bad->xml, "<domain><vcpu>many</vcpu></domain>");
	ghost = fake_domain("ghost", 3);
	ghost->ghost = true;
	longer = fake_domain("", 4);
	memset(longer->name, 'x', VM_NAME_MAX);
	assert_int_equal(open_virt(), 0);
	expect("bad XML, gone between list and look, name too long",
	       "link up\ngood DEFINED 0\n");
	assert_int_equal(virt_refused(virt), 1);
	strcpy(bad->xml, "<domain/>");
	longer->name[VM_NAME_MAX - 1] = '\0';
	ghost->ghost = false;
	sweep();
	assert_int_equal(told_cnt, 4);
	assert_int_equal(virt_refused(virt), 0);
}

static void test_too_many(void **state)
{
	struct fake_domain *first = NULL;

	(void)state;
	for (unsigned i = 0; i < VM_MAX + 500; i++) {
		struct fake_domain *d = fake_domain("many", i);

		snprintf(d->name, sizeof(d->name), "many-%u", i);
		first = first ? first : d;
	}
	assert_int_equal(open_virt(), 0);
	assert_int_equal(told_cnt, VM_MAX);
	assert_int_equal(virt_refused(virt), 500);
	first->gone = true;
	sweep();
	sweep();
	assert_int_equal(told_cnt, VM_MAX + 2); /* one gone, one more */
	assert_int_equal(virt_refused(virt), 499);
}

/* More events than the box holds: the VMs are looked at all the same. */
static void test_flood(void **state)
{
	struct fake_domain *a = fake_domain("a", 1), *b = fake_domain("b", 2);

	(void)state;
	assert_int_equal(open_virt(), 0);
	told[0] = '\0';
	for (unsigned i = 0; i < 1000; i++)
		fake_event(a);
	strcpy(b->xml, "<domain><devices><interface type='vhostuser'>"
		       "<mac address='52:54:00:00:00:01'/>"
		       "<source type='unix' path='/s/b' mode='server'/>"
		       "</interface></devices></domain>");
	fake_event(b); /* lost, and a sweep alone would not see it */
	turn();
	turn();
	expect("after a flood", "b DEFINED 0 /s/b\n");
}

static void test_link(void **state)
{
	const struct cpumask mask = { { 1 } };
	struct fake_domain *a = fake_domain("a", 1), *b = fake_domain("b", 2);
	unsigned opens;

	(void)state;
	start(b, 1, 100);
	assert_int_equal(open_virt(), 0);
	expect("up", "link up\nb RUNNING 100 101 102\na DEFINED 0\n");
	fake_there(false);
	turn();
	expect("down", "link down\n");
	assert_int_equal(virt_pin(virt, b->uuid_text, 0, &mask), -ENOTCONN);
	opens = fake_opens();
	turn();
	turn();
	assert_int_equal(fake_opens(), opens); /* not before 250 ms */
	for (unsigned i = 0; i < 40; i++)
		pass();
	opens = fake_opens() - opens;
	assert_in_range(opens, 2, 10); /* 0.25 0.5 1 2 4 8 8 8 8 s */
	expect("still down", "");
	a->gone = true;
	fake_there(true);
	for (unsigned i = 0; i < PATIENCE && !told[0]; i++)
		pass();
	expect("up again", "link up\na GONE 0\nb RUNNING 100 101 102\n");
	assert_int_equal(virt_pin(virt, b->uuid_text, 0, &mask), 0);
}

static void test_away_at_open(void **state)
{
	(void)state;
	fake_domain("a", 1);
	fake_there(false);
	assert_int_equal(open_virt(), 0);
	expect("away", "");
	fake_there(true);
	for (unsigned i = 0; i < PATIENCE && !told[0]; i++)
		pass();
	expect("came", "link up\na DEFINED 0\n");
}

static void test_pin(void **state)
{
	static const struct {
		const char *what;
		const char *uuid;
		unsigned index;
		uint64_t mask;
		int code, out;
	} row[] = {
		{ "fine", "00000000-0000-0000-0000-000000000001", 1, 0x802, 0,
		  0 },
		{ "cpus beyond the host are left out",
		  "00000000-0000-0000-0000-000000000001", 0, 0xf001, 0, 0 },
		{ "none is left", "00000000-0000-0000-0000-000000000001", 1,
		  0xf000, 0, -EINVAL },
		{ "unknown VM", "00000000-0000-0000-0000-000000000009", 0, 1, 0,
		  -ESRCH },
		{ "not running", "00000000-0000-0000-0000-000000000002", 0, 1,
		  0, -ESRCH },
		{ "no such vcpu", "00000000-0000-0000-0000-000000000001", 2, 1,
		  0, -ESRCH },
		{ "stops now", "00000000-0000-0000-0000-000000000001", 1, 1,
		  VIR_ERR_OPERATION_INVALID, -ESRCH },
		{ "undefined now", "00000000-0000-0000-0000-000000000001", 1, 1,
		  VIR_ERR_NO_DOMAIN, -ESRCH },
		{ "is migrating", "00000000-0000-0000-0000-000000000001", 1, 1,
		  VIR_ERR_OPERATION_TIMEOUT, -EIO },
	};
	struct fake_domain *a = fake_domain("a", 1);
	struct cpumask mask;

	(void)state;
	fake_domain("b", 2);
	start(a, 1, 100);
	assert_int_equal(open_virt(), 0);
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct cpumask want = { { row[i].mask } };
		int out;

		fake_fail_with(row[i].code);
		out = virt_pin(virt, row[i].uuid, row[i].index, &want);
		if (out != row[i].out)
			fail_msg("%s: %d", row[i].what, out);
	}
	fake_fail_with(0);
	assert_int_equal(a->pin[1].word[0], 0x802);
	assert_int_equal(a->pin[0].word[0], 1);
	strcpy(a->xml, "<domain><cputune><vcpupin vcpu='1' cpuset='1,11'/>"
		       "</cputune></domain>");
	assert_int_equal(virt_pinned(virt, a->uuid_text, 1, &mask), 0);
	assert_int_equal(mask.word[0], 0x802);
	assert_int_equal(virt_pinned(virt, a->uuid_text, 0, &mask), 1);
	assert_int_equal(virt_pinned(virt, a->uuid_text, 2, &mask), -ESRCH);
	a->vcpu_cnt = 1;
	assert_int_equal(virt_pinned(virt, a->uuid_text, 1, &mask), -ESRCH);
}

static void test_ask_when_told(void **state)
{
	struct fake_domain *a = fake_domain("a", 1);

	(void)state;
	start(a, 1, 100);
	ask_in_callback = true;
	assert_int_equal(open_virt(), 0);
	assert_int_equal(pin_in_callback, 1);
}

static void test_wake(void **state)
{
	(void)state;
	assert_int_equal(open_virt(), 0);
	virt_wake(virt);
	virt_turn(virt, 600000); /* or the test hangs */
}

/* Step k of n fails, for every k: in the end all is told, nothing leaks. */
static void test_each_call_fails(void **state)
{
	unsigned k = 0;
	bool failed = true;

	for (; failed; k++) {
		struct fake_domain *a, *b;
		struct cpumask mask = { { 3 } };

		setup(state);
		a = fake_domain("a", 1);
		b = fake_domain("b", 2);
		start(b, 1, 100);
		fake_fail_at(k + 1);
		if (open_virt()) {
			assert_int_equal(fake_refs(), 0);
			continue;
		}
		for (unsigned i = 0; i < PATIENCE && told_cnt < 2; i++)
			pass();
		for (unsigned i = 0; i < 8; i++)
			pass();
		failed = fake_calls() >= k + 1;
		fake_fail_at(0);
		if (!strstr(told, "a DEFINED 0\n") ||
		    !strstr(told, "b RUNNING 100 101 102\n"))
			fail_msg("call %u fails: told\n%s", k + 1, told);
		assert_int_equal(virt_pin(virt, b->uuid_text, 0, &mask), 0);
		assert_int_equal(b->pin[0].word[0], 3);
		assert_int_equal(a->id, FAKE_ID_NONE);
		close_virt(state);
	}
	assert_in_range(k, 20, 200); /* it did try many */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, close_virt)

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* first: the event loop is registered once in a process */
		cmocka_unit_test(test_each_call_fails),
		TEST(test_open),
		TEST(test_events),
		TEST(test_agent),
		TEST(test_no_event),
		TEST(test_waits_for_socket),
		TEST(test_proc),
		TEST(test_monitor),
		TEST(test_bad_domains),
		TEST(test_too_many),
		TEST(test_flood),
		TEST(test_link),
		TEST(test_away_at_open),
		TEST(test_pin),
		TEST(test_ask_when_told),
		TEST(test_wake),
	};
	int failed;

	snprintf(root, sizeof(root), "/tmp/test_virt.XXXXXX");
	if (!mkdtemp(root))
		return 1;
	snprintf(proc, sizeof(proc), "%s/proc", root);
	snprintf(run, sizeof(run), "%s/run", root);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_files();
	rmdir(root);
	return failed;
}
