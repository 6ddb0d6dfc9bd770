// SPDX-License-Identifier: Apache-2.0
/*
 * test_sense_bpf.c - sense_bpf.c against a libbpf that does as it is told
 *
 * libbpf's calls are wrapped: loading fails as a table says or hands out plain
 * memory for slots, the map is an array. So no root is needed, and events can
 * be made to happen at the worst moment.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "hl/bounds.h"
#include "hostd/sense_bpf.h"
#include "ksched/bpf/vcpu.skel.h"

/* --- the fake libbpf ------------------------------------------------------ */
#define FAKE_FD	  1000
#define FAKE_TIDS 4

static struct {
	int open_err, load_err, attach_err; /* 0 or -errno */
	const char *complaint;
	bool no_btf;
	libbpf_print_fn_t print;
	int destroyed;
	int update_err;
	/* what happens right after a tid went into the map */
	void (*on_update)(uint32_t index);
	/* what happens when the seed's time is taken, its slot being held */
	void (*on_clock)(void);
	int clocks;
	struct {
		uint32_t tid, index;
	} map[FAKE_TIDS];
} fake;

/* What the kernel would map. */
static struct vcpu_bpf__bss bss;
static struct sensor_slot *const slots = bss.slot;

static void complain(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fake.print(LIBBPF_WARN, fmt, args);
	va_end(args);
}

libbpf_print_fn_t __wrap_libbpf_set_print(libbpf_print_fn_t fn);
int __wrap_bpf_object__open_skeleton(struct bpf_object_skeleton *s,
				     const struct bpf_object_open_opts *opts);
int __wrap_bpf_object__load_skeleton(struct bpf_object_skeleton *s);
int __wrap_bpf_object__attach_skeleton(struct bpf_object_skeleton *s);
void __wrap_bpf_object__destroy_skeleton(struct bpf_object_skeleton *s);
int __wrap_bpf_map__fd(const struct bpf_map *map);
int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value,
			       __u64 flags);
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);
int __wrap_bpf_map_delete_elem(int fd, const void *key);
int __wrap_access(const char *path, int mode);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

libbpf_print_fn_t __wrap_libbpf_set_print(libbpf_print_fn_t fn)
{
	fake.print = fn;
	return NULL;
}

int __wrap_bpf_object__open_skeleton(struct bpf_object_skeleton *s,
				     const struct bpf_object_open_opts *opts)
{
	(void)s, (void)opts;
	return fake.open_err;
}

int __wrap_bpf_object__load_skeleton(struct bpf_object_skeleton *s)
{
	if (fake.complaint) {
		complain("%s\n", fake.complaint);
		complain("and so on\n");
	}
	for (int i = 0; i < s->map_cnt; i++)
		if (s->maps[i].mmaped)
			*s->maps[i].mmaped = &bss;
	return fake.load_err;
}

int __wrap_bpf_object__attach_skeleton(struct bpf_object_skeleton *s)
{
	(void)s;
	return fake.attach_err;
}

void __wrap_bpf_object__destroy_skeleton(struct bpf_object_skeleton *s)
{
	fake.destroyed++;
	free(s->maps);
	free(s->progs);
	free(s);
}

int __wrap_bpf_map__fd(const struct bpf_map *map)
{
	(void)map;
	return FAKE_FD;
}

static int map_find(uint32_t tid)
{
	for (int i = 0; i < FAKE_TIDS; i++)
		if (fake.map[i].tid == tid)
			return i;
	return -1;
}

int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value,
			       __u64 flags)
{
	uint32_t tid, index;
	int at;

	memcpy(&tid, key, sizeof(tid));
	memcpy(&index, value, sizeof(index));
	assert_int_equal(fd, FAKE_FD);
	assert_int_equal(flags, BPF_NOEXIST);
	errno = fake.update_err ? fake.update_err : EEXIST;
	if (fake.update_err || map_find(tid) >= 0)
		return -1;
	at = map_find(0);
	assert_true(at >= 0);
	fake.map[at].tid = tid;
	fake.map[at].index = index;
	if (fake.on_update)
		fake.on_update(index);
	return 0;
}

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	uint32_t tid;
	int at;

	assert_int_equal(fd, FAKE_FD);
	memcpy(&tid, key, sizeof(tid));
	at = map_find(tid);
	if (at < 0)
		return -1;
	memcpy(value, &fake.map[at].index, sizeof(uint32_t));
	return 0;
}

int __wrap_bpf_map_delete_elem(int fd, const void *key)
{
	uint32_t tid;
	int at;

	assert_int_equal(fd, FAKE_FD);
	memcpy(&tid, key, sizeof(tid));
	at = map_find(tid);
	if (at < 0)
		return -1;
	fake.map[at].tid = 0;
	return 0;
}

int __wrap_access(const char *path, int mode)
{
	assert_string_equal(path, "/sys/kernel/btf/vmlinux");
	assert_int_equal(mode, R_OK);
	return fake.no_btf ? -1 : 0;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	assert_int_equal(id, CLOCK_MONOTONIC);
	fake.clocks++;
	if (fake.on_clock)
		fake.on_clock();
	ts->tv_sec = 5;
	ts->tv_nsec = 7;
	return 0;
}

static int reset(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	memset(&bss, 0, sizeof(bss));
	return 0;
}

static struct sense_bpf *opened(void)
{
	struct sense_bpf *s = NULL;
	char why[200];

	assert_int_equal(sense_bpf_open(&s, why, sizeof(why)), 0);
	assert_non_null(s);
	return s;
}

/* --- opening -------------------------------------------------------------- */
static const struct {
	const char *what;
	int open_err, load_err, attach_err;
	bool no_btf;
	const char *complaint;
	const char *said; /* a part of the sentence */
} failures[] = {
	{ "not even opened", -ENOMEM, 0, 0, false, NULL, "Cannot allocate" },
	{ "no permission", 0, -EPERM, 0, false, "denied", "CAP_BPF" },
	{ "refused", 0, -EACCES, 0, false, "denied", "CAP_PERFMON" },
	{ "no BTF", 0, -ESRCH, 0, true, NULL, "CONFIG_DEBUG_INFO_BTF" },
	{ "no bpf(2)", 0, -ENOSYS, 0, false, NULL, "CONFIG_BPF_SYSCALL" },
	{ "no tracepoint", 0, -ESRCH, 0, false, NULL, "CONFIG_BPF_EVENTS" },
	{ "verifier", 0, -EINVAL, 0, false, "bad insn", "bad insn (Invalid" },
	{ "not attached", 0, 0, -EBUSY, false, NULL, "no reason given" },
};

static void test_open_fails(void **state)
{
	for (unsigned i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		struct sense_bpf *s = NULL;
		char why[200] = "", cut[8];
		int err = failures[i].open_err + failures[i].load_err +
			  failures[i].attach_err;

		print_message("%s\n", failures[i].what);
		reset(state);
		fake.open_err = failures[i].open_err;
		fake.load_err = failures[i].load_err;
		fake.attach_err = failures[i].attach_err;
		fake.no_btf = failures[i].no_btf;
		fake.complaint = failures[i].complaint;
		assert_int_equal(sense_bpf_open(&s, why, sizeof(why)), err);
		assert_null(s);
		assert_non_null(strstr(why, failures[i].said));
		assert_null(strchr(why, '\n'));
		assert_int_equal(fake.destroyed, 1);
		sense_bpf_open(&s, cut, sizeof(cut));
		assert_int_equal(strlen(cut), sizeof(cut) - 1);
	}
}

static void test_open_close(void **state)
{
	(void)state;
	sense_bpf_close(opened());
	assert_int_equal(fake.destroyed, 1);
	sense_bpf_close(NULL);
}

/* seen() - A consistent copy of a slot that watches a thread. */
static bool seen(const struct sense_bpf *s, uint16_t vcpu,
		 struct sensor_slot *out)
{
	return sensor_read(sense_bpf_page(s), vcpu, out) && out->tid;
}

/* --- watching ------------------------------------------------------------- */

/* marked() - Is the slot marked, both ways up? The marks are gone then. */
static bool marked(uint16_t vcpu)
{
	bool top = dirty_take(&bss.dirty_top[vcpu / 4096]) >> (vcpu / 64) & 1;

	return dirty_take(&bss.dirty[vcpu / 64].bits) >> (vcpu % 64) & 1 && top;
}

/* Whoever writes a slot marks it. */
static void test_writes_are_marked(void **state)
{
	struct sense_bpf *s = opened();

	(void)state;
	assert_false(marked(70));
	assert_int_equal(sense_bpf_watch(s, 70, getpid()), 0);
	assert_true(marked(70));
	assert_false(marked(70));
	sense_bpf_unwatch(s, 70);
	assert_true(marked(70));
	assert_false(marked(6));
	sense_bpf_close(s);
}

/* The test's own thread is awake: /proc says R. */
static void test_watch_seeds(void **state)
{
	struct sense_bpf *s = opened();
	pid_t me = getpid();
	struct sensor_slot got;

	(void)state;
	slots[3].ran_ns = slots[3].waited_ns = slots[3].runs = 99;
	assert_int_equal(sense_bpf_watch(s, 3, me), 0);
	assert_true(seen(s, 3, &got));
	assert_int_equal(got.tid, me);
	assert_int_equal(got.state, VCPU_RUN_RUNNING);
	assert_int_equal(got.since_ns, 5000000007ull);
	assert_int_equal(got.ran_ns, 0);
	assert_int_equal(got.waited_ns, 0);
	assert_int_equal(got.runs, 1);
	assert_int_equal(fake.map[0].tid, me);
	assert_int_equal(fake.map[0].index, 3);

	sense_bpf_unwatch(s, 3);
	assert_false(seen(s, 3, &got));
	assert_int_equal(map_find((uint32_t)me), -1);
	assert_int_equal(slots[3].seq % 2, 0);
	sense_bpf_unwatch(s, 3); /* nothing more to forget */
	sense_bpf_close(s);
}

static void event_ready(uint32_t index)
{
	slots[index].seq += 2;
	slots[index].state = VCPU_RUN_READY;
	slots[index].since_ns = 1;
}

/* An event between the map and the seed knows better than the seed. */
static void test_event_beats_seed(void **state)
{
	struct sense_bpf *s = opened();
	struct sensor_slot got;

	(void)state;
	fake.on_update = event_ready;
	assert_int_equal(sense_bpf_watch(s, 0, getpid()), 0);
	assert_true(seen(s, 0, &got));
	assert_int_equal(got.state, VCPU_RUN_READY);
	assert_int_equal(got.since_ns, 1);
	sense_bpf_close(s);
}

static struct sense_bpf *sensor; /* for miss_twice() */

static void miss_twice(void)
{
	struct sensor_slot got;

	assert_int_equal(slots[0].seq % 2, 1); /* a reader keeps off */
	assert_false(seen(sensor, 0, &got));
	if (fake.clocks <= 2)
		slots[0].missed++;
}

static void miss_always(void)
{
	slots[0].missed++;
}

/* An event that found the slot held by the seed: the thread is asked again. */
static void test_missed_event_seeds_again(void **state)
{
	struct sense_bpf *s = opened();

	(void)state;
	sensor = s;
	fake.on_clock = miss_twice;
	assert_int_equal(sense_bpf_watch(s, 0, getpid()), 0);
	assert_int_equal(fake.clocks, 3);
	fake.clocks = 0;
	fake.on_clock = miss_always;
	assert_int_equal(sense_bpf_watch(s, 0, getpid()), 0);
	assert_int_equal(fake.clocks, 8); /* and not for ever */
	sense_bpf_close(s);
}

static void test_watch_refuses(void **state)
{
	struct sense_bpf *s = opened();
	struct sensor_slot got;
	int me = getpid();

	(void)state;
	assert_int_equal(sense_bpf_watch(s, VCPU_MAX, me), -EINVAL);
	assert_int_equal(sense_bpf_watch(s, 0, 0), -EINVAL);
	assert_int_equal(sense_bpf_watch(s, 0, -1), -EINVAL);
	sense_bpf_unwatch(s, VCPU_MAX);
	/* no such thread: tids end far below */
	assert_int_equal(sense_bpf_watch(s, 0, 0x7fffffff), -ESRCH);
	assert_int_equal(map_find(0x7fffffff), -1);
	assert_false(seen(s, 0, &got));
	/* a full map, or any other failure, leaves the slot empty */
	fake.update_err = E2BIG;
	assert_int_equal(sense_bpf_watch(s, 0, me), -E2BIG);
	assert_false(seen(s, 0, &got));
	fake.update_err = 0;
	/* one thread, one slot */
	assert_int_equal(sense_bpf_watch(s, 1, me), 0);
	assert_int_equal(sense_bpf_watch(s, 2, me), -EEXIST);
	assert_true(seen(s, 1, &got));
	assert_false(seen(s, 2, &got));
	sense_bpf_close(s);
}

/* Slot 1's thread ended; its tid was used again and is watched in slot 2.
 * Ending the first watch must not end the second. */
static void test_tid_used_again(void **state)
{
	struct sense_bpf *s = opened();
	int me = getpid();
	struct sensor_slot got;

	(void)state;
	assert_int_equal(sense_bpf_watch(s, 1, me), 0);
	fake.map[map_find((uint32_t)me)].tid = 0; /* as the sensor does */
	slots[1].tid = 0;
	assert_int_equal(sense_bpf_watch(s, 2, me), 0);
	sense_bpf_unwatch(s, 1);
	assert_true(map_find((uint32_t)me) >= 0);
	assert_true(seen(s, 2, &got));
	assert_int_equal(got.tid, me);
	sense_bpf_close(s);
}

/* --- reading -------------------------------------------------------------- */
#define WRITES 50000

/* Writes as the sensor does: every field has the same value, seq around it. */
static void *write_slots(void *arg)
{
	struct sensor_slot *w = arg;

	for (unsigned i = 1; i <= WRITES; i++) {
		__atomic_store_n(&w->seq, 2 * i - 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&w->state, i, __ATOMIC_SEQ_CST);
		__atomic_store_n(&w->since_ns, i, __ATOMIC_SEQ_CST);
		__atomic_store_n(&w->ran_ns, i, __ATOMIC_SEQ_CST);
		__atomic_store_n(&w->waited_ns, i, __ATOMIC_SEQ_CST);
		__atomic_store_n(&w->runs, i, __ATOMIC_SEQ_CST);
		__atomic_store_n(&w->cpu, i, __ATOMIC_SEQ_CST);
		__atomic_store_n(&w->tid, i, __ATOMIC_SEQ_CST);
		__atomic_store_n(&w->seq, 2 * i, __ATOMIC_SEQ_CST);
		sched_yield(); /* else hardly a read would succeed */
	}
	return NULL;
}

static void test_read_is_never_torn(void **state)
{
	struct sense_bpf *s = opened();
	struct sensor_slot got;
	pthread_t writer;
	unsigned torn = 0, good = 0;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, write_slots, &slots[9]),
			 0);
	do {
		if (!seen(s, 9, &got))
			continue;
		good++;
		torn += got.state != got.tid || got.since_ns != got.tid ||
			got.ran_ns != got.tid || got.waited_ns != got.tid ||
			got.runs != got.tid || got.cpu != got.tid;
	} while (__atomic_load_n(&slots[9].seq, __ATOMIC_ACQUIRE) < 2 * WRITES);
	pthread_join(writer, NULL);
	assert_true(seen(s, 9, &got));
	assert_int_equal(got.tid, WRITES);
	print_message("%u reads\n", good);
	assert_int_equal(torn, 0);
	slots[9].seq |= 1;
	assert_false(seen(s, 9, &got));
	sense_bpf_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_open_fails, reset),
		cmocka_unit_test_setup(test_open_close, reset),
		cmocka_unit_test_setup(test_writes_are_marked, reset),
		cmocka_unit_test_setup(test_watch_seeds, reset),
		cmocka_unit_test_setup(test_event_beats_seed, reset),
		cmocka_unit_test_setup(test_missed_event_seeds_again, reset),
		cmocka_unit_test_setup(test_watch_refuses, reset),
		cmocka_unit_test_setup(test_tid_used_again, reset),
		cmocka_unit_test_setup(test_read_is_never_torn, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
