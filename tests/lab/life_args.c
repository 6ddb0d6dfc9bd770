// SPDX-License-Identifier: Apache-2.0
/*
 * life_args.c - who may open /dev/ksched, and every argument that is wrong
 */
#include "life.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NOBODY	  65534
#define KTHREADD  2
#define BAD_WORD  ((void *)1ul)
#define KERNEL_AT ((void *)0xffff888000000000ul)

static int open_device(void)
{
	int fd = open(KSCHED_PATH, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void one_session_at_a_time(void **state)
{
	(void)state;
	assert_err(open_device(), -EBUSY);
	session_close(&ses);
	assert_err(session_open(&ses, SESSION_SILENCE_MS), 0);
}

/* What opening gives a child that is not root; positive errno. */
static int open_as_nobody(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(255);
		_exit(open_device() < 0 ? errno : 0);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void root_only(void **state)
{
	struct stat st;
	int err;

	(void)state;
	session_close(&ses);
	assert_int_equal(stat(KSCHED_PATH, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(open_as_nobody(), EACCES);
	/* Nor where somebody made the file writable. */
	assert_int_equal(chmod(KSCHED_PATH, 0666), 0);
	err = open_as_nobody();
	assert_int_equal(chmod(KSCHED_PATH, 0600), 0);
	assert_int_equal(err, EPERM);
}

static void start_arguments(void **state)
{
	static const struct {
		const char *what;
		struct ksched_start in;
		int err;
	} rows[] = {
		{ "version 0", { .silence_ms = 1000 }, -EPROTO },
		{ "next version",
		  { .version = KSCHED_VERSION + 1, .silence_ms = 1000 },
		  -EPROTO },
		{ "silence 0", { .version = KSCHED_VERSION }, -ERANGE },
		{ "silence too short",
		  { .version = KSCHED_VERSION,
		    .silence_ms = KSCHED_SILENCE_MIN_MS - 1 },
		  -ERANGE },
		{ "silence too long",
		  { .version = KSCHED_VERSION,
		    .silence_ms = KSCHED_SILENCE_MAX_MS + 1 },
		  -ERANGE },
		{ "reserved set",
		  { .version = KSCHED_VERSION,
		    .silence_ms = 1000,
		    .reserved = 1 },
		  -EINVAL },
		{ "map_bytes set",
		  { .version = KSCHED_VERSION,
		    .silence_ms = 1000,
		    .map_bytes = 4096 },
		  -EINVAL },
		{ "shortest silence",
		  { .version = KSCHED_VERSION,
		    .silence_ms = KSCHED_SILENCE_MIN_MS },
		  0 },
	};
	struct session s;

	(void)state;
	session_close(&ses);
	s = (struct session){ .fd = open_device() };
	assert_true(s.fd >= 0);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ksched_start in = rows[i].in;

		row(rows[i].what);
		assert_err(session_ioctl(&s, KSCHED_START, &in), rows[i].err);
		if (!rows[i].err)
			assert_int_equal(in.map_bytes, KSCHED_MAP_BYTES);
	}
	close(s.fd);
}

/* A session that was not started, or twice. */
static void start_comes_first_and_once(void **state)
{
	struct ksched_start start = { .version = KSCHED_VERSION,
				      .silence_ms = 1000 };
	struct ksched_move m = { .mask = mask_of(1) };
	struct session s;
	int err[4];

	(void)state;
	assert_true(session_ioctl(&ses, KSCHED_START, &start) < 0);
	session_close(&ses);
	s = (struct session){ .fd = open_device() };
	assert_true(s.fd >= 0);
	err[0] = session_add(&s, getpid(), gettid(), NULL);
	err[1] = session_drop(&s, 0);
	err[2] = session_learn(&s, 0, KSCHED_LEARN_ADD);
	err[3] = session_commit(&s, &m, 1);
	close(s.fd);
	for (unsigned i = 0; i < 4; i++)
		assert_true(err[i] < 0);
}

static void mapping_is_read_only(void **state)
{
	static const struct {
		const char *what;
		size_t bytes;
		int prot, flags;
		off_t at;
	} refused[] = {
		{ "writable", KSCHED_MAP_BYTES, PROT_READ | PROT_WRITE,
		  MAP_SHARED, 0 },
		{ "write only", KSCHED_MAP_BYTES, PROT_WRITE, MAP_SHARED, 0 },
		{ "a page too long", KSCHED_MAP_BYTES + 4096, PROT_READ,
		  MAP_SHARED, 0 },
		{ "behind its end", 4096, PROT_READ, MAP_SHARED,
		  KSCHED_MAP_BYTES },
		{ "far behind its end", 4096, PROT_READ, MAP_SHARED, 1l << 40 },
	};
	void *page = (void *)(uintptr_t)ses.page;

	(void)state;
	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		row(refused[i].what);
		assert_ptr_equal(mmap(NULL, refused[i].bytes, refused[i].prot,
				      refused[i].flags, ses.fd, refused[i].at),
				 MAP_FAILED);
	}
	row("made writable later");
	assert_int_equal(mprotect(page, 4096, PROT_READ | PROT_WRITE), -1);
	row("what it says");
	assert_int_equal(ses.page->version, KSCHED_VERSION);
	assert_int_equal(ses.page->map_bytes, KSCHED_MAP_BYTES);
	assert_int_equal(ses.page->ring_slots, KSCHED_RING_SLOTS);
	assert_int_equal(ses.page->over, KSCHED_ALIVE);
	assert_int_equal(ses.page->head, 0);
}

/* Every ioctl there is, and some there are not, with pointers to nowhere. */
static void pointers_to_nowhere(void **state)
{
	static const struct {
		const char *what;
		unsigned long request;
		int err;
	} rows[] = {
		{ "start", KSCHED_START, -EFAULT },
		{ "add", KSCHED_ADD, -EFAULT },
		{ "drop", KSCHED_DROP, -EFAULT },
		{ "learn", KSCHED_LEARN, -EFAULT },
		{ "commit", KSCHED_COMMIT, -EFAULT },
		{ "no such number", _IO(KSCHED_MAGIC, 6), -ENOTTY },
		{ "number 255", _IO(KSCHED_MAGIC, 255), -ENOTTY },
		{ "add of another size",
		  _IOWR(KSCHED_MAGIC, 1, struct ksched_mask), -ENOTTY },
		{ "add, write only", _IOW(KSCHED_MAGIC, 1, struct ksched_add),
		  -ENOTTY },
		{ "somebody else's", TCGETS, -ENOTTY },
	};
	void *const at[] = { NULL, BAD_WORD, KERNEL_AT };

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		row(rows[i].what);
		for (unsigned k = 0; k < 3; k++)
			assert_err(session_ioctl(&ses, rows[i].request, at[k]),
				   rows[i].err);
	}
	row("beat, which looks at no argument");
	assert_err(session_ioctl(&ses, KSCHED_BEAT, NULL), 0);
}

static void add_arguments(void **state)
{
	struct herd gone = { 0 };
	pid_t me = getpid(), mine, dead;
	uint64_t ticks;

	(void)state;
	assert_err(herd_start(&gone, 1, (enum work[]){ WORK_SLEEP }), 0);
	dead = gone.pid;
	herd_end(&gone);
	assert_err(herd_start(&herd, 1, (enum work[]){ WORK_SLEEP }), 0);
	assert_err(worker_start(&worker[0], WORK_SLEEP), 0);
	mine = worker[0].tid;
	ticks = task_start_ticks(me, mine);

	const struct {
		const char *what;
		struct ksched_add in;
		int err;
	} rows[] = {
		{ "a thread of another process",
		  { .tgid = me,
		    .tid = herd.worker[0].tid,
		    .start_ticks =
			task_start_ticks(herd.pid, herd.worker[0].tid) },
		  -ESRCH },
		{ "another process's number",
		  { .tgid = herd.pid, .tid = mine, .start_ticks = ticks },
		  -ESRCH },
		{ "not its process's number",
		  { .tgid = mine, .tid = mine, .start_ticks = ticks },
		  -ESRCH },
		{ "started a tick later",
		  { .tgid = me, .tid = mine, .start_ticks = ticks + 1 },
		  -ESRCH },
		{ "started a tick sooner",
		  { .tgid = me, .tid = mine, .start_ticks = ticks - 1 },
		  -ESRCH },
		{ "no start", { .tgid = me, .tid = mine }, -ESRCH },
		{ "has ended", { .tgid = dead, .tid = dead }, -ESRCH },
		{ "kthreadd",
		  { .tgid = KTHREADD,
		    .tid = KTHREADD,
		    .start_ticks = task_start_ticks(KTHREADD, KTHREADD) },
		  -EINVAL },
		{ "number 0", { .tgid = me, .start_ticks = ticks }, -EINVAL },
		{ "process 0", { .tid = mine, .start_ticks = ticks }, -EINVAL },
		{ "number -1",
		  { .tgid = me, .tid = -1, .start_ticks = ticks },
		  -EINVAL },
		{ "largest number",
		  { .tgid = me, .tid = INT32_MAX, .start_ticks = ticks },
		  -ESRCH },
		{ "reserved set",
		  { .tgid = me,
		    .tid = mine,
		    .start_ticks = ticks,
		    .reserved = 1 },
		  -EINVAL },
		{ "good",
		  { .tgid = me, .tid = mine, .start_ticks = ticks },
		  0 },
		{ "again",
		  { .tgid = me, .tid = mine, .start_ticks = ticks },
		  -EEXIST },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ksched_add in = rows[i].in;
		struct ksched_mask now;

		row(rows[i].what);
		assert_err(session_ioctl(&ses, KSCHED_ADD, &in), rows[i].err);
		if (rows[i].err)
			continue;
		assert_err(task_mask(mine, &now), 0);
		assert_true(mask_same(&in.had, &now));
	}
}

/* The caller cannot be told the slot: then nothing was handed over. */
static void add_without_room_for_the_answer(void **state)
{
	struct ksched_add *page;
	struct ksched_add in;

	(void)state;
	assert_err(worker_start(&worker[0], WORK_SLEEP), 0);
	in = (struct ksched_add){ .tgid = getpid(), .tid = worker[0].tid };
	in.start_ticks = task_start_ticks(in.tgid, in.tid);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	*page = in;
	mprotect(page, 4096, PROT_READ);
	assert_err(session_ioctl(&ses, KSCHED_ADD, page), -EFAULT);
	munmap(page, 4096);
	assert_err(session_ioctl(&ses, KSCHED_ADD, &in), 0);
}

static void drop_and_learn_arguments(void **state)
{
	static const struct {
		const char *what;
		uint32_t slot, second;
		int drop, learn;
	} rows[] = {
		{ "a slot never used", 17, 0, -ENOENT, -ENOENT },
		{ "the last slot", KSCHED_THREADS_MAX - 1, 0, -ENOENT,
		  -ENOENT },
		{ "one too many", KSCHED_THREADS_MAX, 0, -ENOENT, -ENOENT },
		{ "the largest number", UINT32_MAX, 0, -ENOENT, -ENOENT },
		{ "sign bit", 1u << 31, 0, -ENOENT, -ENOENT },
	};
	uint32_t slot = add_worker(0, WORK_SLEEP);
	struct ksched_drop drop = { .slot = slot, .reserved = 1 };

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		row(rows[i].what);
		assert_err(session_drop(&ses, rows[i].slot), rows[i].drop);
		assert_err(session_learn(&ses, rows[i].slot, rows[i].second),
			   rows[i].learn);
	}
	row("drop: reserved set");
	assert_err(session_ioctl(&ses, KSCHED_DROP, &drop), -EINVAL);
	row("learn: no such way");
	assert_err(session_learn(&ses, slot, 2), -EINVAL);
	assert_err(session_learn(&ses, slot, UINT32_MAX), -EINVAL);
	row("drop twice");
	assert_err(session_drop(&ses, slot), 0);
	assert_err(session_drop(&ses, slot), -ENOENT);
}

static void commit_arguments(void **state)
{
	uint32_t slot = add_worker(0, WORK_SLEEP);
	struct ksched_move *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ksched_move good = { .slot = slot, .mask = mask_of(1) };
	struct ksched_move *split =
	    (void *)((char *)pages + 4096 - sizeof(good) - 8);

	(void)state;
	assert_ptr_not_equal(pages, MAP_FAILED);
	pages[0] = good;
	*split = good;
	mprotect((char *)pages + 4096, 4096, PROT_NONE);

	const struct {
		const char *what;
		struct ksched_commit in;
		int err;
	} rows[] = {
		{ "none", { .moves = (uintptr_t)pages }, -EINVAL },
		{ "one too many",
		  { .moves = (uintptr_t)pages, .count = KSCHED_BATCH_MAX + 1 },
		  -EINVAL },
		{ "the largest count",
		  { .moves = (uintptr_t)pages, .count = UINT32_MAX },
		  -EINVAL },
		{ "a count whose size overflows",
		  { .moves = (uintptr_t)pages, .count = 0x33333334 },
		  -EINVAL },
		{ "reserved set",
		  { .moves = (uintptr_t)pages, .count = 1, .reserved = 1 },
		  -EINVAL },
		{ "no address", { .count = 1 }, -EFAULT },
		{ "the kernel's memory",
		  { .moves = (uintptr_t)KERNEL_AT, .count = 1 },
		  -EFAULT },
		{ "an address that wraps",
		  { .moves = UINT64_MAX - 10, .count = 1 },
		  -EFAULT },
		{ "the second is unreadable",
		  { .moves = (uintptr_t)split, .count = 2 },
		  -EFAULT },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ksched_commit in = rows[i].in;

		row(rows[i].what);
		assert_err(session_ioctl(&ses, KSCHED_COMMIT, &in),
			   rows[i].err);
		assert_int_equal(ses.page->asked, 0);
		assert_int_equal(ses.page->head, 0);
	}
	row("nothing moved");
	assert_mask(worker[0].tid, mask_range(0, LIFE_CPUS - 1));
	munmap(pages, 8192);
}

static void move_arguments(void **state)
{
	uint32_t slot = add_worker_on(0, WORK_SLEEP, mask_range(1, 3));
	const struct {
		const char *what;
		struct ksched_move in;
		int err;
	} rows[] = {
		{ "no cpu", { .slot = slot }, -EINVAL },
		{ "a role too many",
		  { .slot = slot, .role = KSCHED_ROLES, .mask = mask_of(1) },
		  -EINVAL },
		{ "reserved set",
		  { .slot = slot, .reserved = 1, .mask = mask_of(1) },
		  -EINVAL },
		{ "a slot never used",
		  { .slot = slot + 9, .mask = mask_of(1) },
		  -ESRCH },
		{ "a slot too many",
		  { .slot = KSCHED_THREADS_MAX, .mask = mask_of(1) },
		  -ESRCH },
		{ "the largest slot",
		  { .slot = UINT32_MAX, .mask = mask_of(1) },
		  -ESRCH },
		{ "beyond the bound",
		  { .slot = slot, .mask = mask_of(4) },
		  -EXDEV },
		{ "half beyond the bound",
		  { .slot = slot, .mask = mask_range(3, 4) },
		  -EXDEV },
		{ "a cpu there never was",
		  { .slot = slot, .mask = mask_of(KSCHED_CPUS_MAX - 1) },
		  -EXDEV },
		{ "owner", { .slot = slot, .mask = mask_of(1) }, 0 },
		{ "rider",
		  { .slot = slot, .role = KSCHED_RIDER, .mask = mask_of(2) },
		  0 },
		{ "harvester",
		  { .slot = slot,
		    .role = KSCHED_HARVESTER,
		    .mask = mask_of(3) },
		  0 },
		{ "the same again", { .slot = slot, .mask = mask_of(3) }, 0 },
	};
	struct ksched_mask is = mask_range(1, 3);
	uint64_t moved = 0, gone = 0, refused = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		row(rows[i].what);
		assert_err(move_answer(&rows[i].in).err, rows[i].err);
		if (!rows[i].err)
			is = rows[i].in.mask;
		assert_mask(worker[0].tid, is);
		moved += !rows[i].err;
		gone += rows[i].err == -ESRCH;
		refused += rows[i].err && rows[i].err != -ESRCH;
	}
	row("the page's counters");
	assert_int_equal(ses.page->moved, moved);
	assert_int_equal(ses.page->gone, gone);
	assert_int_equal(ses.page->refused, refused);
	assert_int_equal(ses.page->asked, ses.page->head);
}

const struct CMUnitTest args_cases[] = {
	LIFE_CASE(one_session_at_a_time),
	LIFE_CASE(root_only),
	LIFE_CASE(start_arguments),
	LIFE_CASE(start_comes_first_and_once),
	LIFE_CASE(mapping_is_read_only),
	LIFE_CASE(pointers_to_nowhere),
	LIFE_CASE(add_arguments),
	LIFE_CASE(add_without_room_for_the_answer),
	LIFE_CASE(drop_and_learn_arguments),
	LIFE_CASE(commit_arguments),
	LIFE_CASE(move_arguments),
};
const size_t args_count = sizeof(args_cases) / sizeof(args_cases[0]);
