// SPDX-License-Identifier: Apache-2.0
/*
 * lab_fuzz.c - a caller of ksched gone mad
 *
 *	lab_fuzz [--seed N] [--seconds N] [--of PID] PID...
 *
 * Three threads at once: ioctls with any number, size and pointer, structures
 * near good ones, mappings of any kind; descriptors that are opened, shared
 * and closed meanwhile. With --of the descriptor is that process's own, taken
 * out of it while it goes on working. Threads of the last PIDs are moved when
 * a move happens to be good. Exit: 0; 1 when an errno came that no caller is
 * told of.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hl/clock.h"
#include "session.h"

#define HANDS	  3
#define REOPEN_NS (300 * NSEC_PER_MSEC)
#define PIDS	  16

static struct {
	unsigned seed, seconds;
	pid_t of, pid[PIDS];
	unsigned pids;
} options = { .seed = 1, .seconds = 5 };

static int fd = -1; /* replaced and closed by main at any time */
static uint64_t until_ns, calls[HANDS], good[HANDS];
static char *pages; /* one to be read and written, one read-only, one not */
static unsigned strange;

/* --- something like an argument ------------------------------------------ */

union any {
	struct ksched_start start;
	struct ksched_add add;
	struct ksched_drop drop;
	struct ksched_learn learn;
	struct ksched_commit commit;
	struct ksched_move move[8];
	unsigned char byte[1024];
};

static unsigned pick(unsigned *seed, unsigned n)
{
	return (unsigned)rand_r(seed) % n;
}

/* A number that tends to be at some edge. */
static uint32_t odd(unsigned *seed)
{
	static const uint32_t edges[] = { 0,	    1,	     2,	      255,
					  256,	    257,     8191,    8192,
					  1u << 31, INT_MAX, UINT_MAX };

	return pick(seed, 2) ? edges[pick(seed, 11)] : (uint32_t)pick(seed, 40);
}

static pid_t any_tid(unsigned *seed, pid_t pid)
{
	char path[64];
	struct dirent *entry;
	pid_t tid = pid;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) && pick(seed, 8))
		tid = atoi(entry->d_name);
	if (dir)
		closedir(dir);
	return tid;
}

static void fill_moves(union any *a, unsigned *seed)
{
	for (unsigned i = 0; i < 8; i++)
		a->move[i] = (struct ksched_move){
			.slot = odd(seed),
			.gen = odd(seed),
			.role = pick(seed, 20) ? pick(seed, 3) : odd(seed),
			.reserved = pick(seed, 20) ? 0 : odd(seed),
			.mask.word[0] = pick(seed, 256),
		};
}

/* Nearly right for this request; the moves of a commit are in @more. */
static void fill(union any *a, union any *more, unsigned nr, unsigned *seed)
{
	pid_t pid = options.pid[pick(seed, options.pids)];

	memset(a, 0, sizeof(*a));
	switch (nr) {
	case 0:
		a->start.version = pick(seed, 4) ? KSCHED_VERSION : odd(seed);
		a->start.silence_ms = 100 + pick(seed, 2000);
		break;
	case 1:
		a->add.tgid = pick(seed, 10) ? pid : (pid_t)odd(seed);
		a->add.tid = any_tid(seed, pid);
		a->add.start_ticks = task_start_ticks(pid, a->add.tid);
		break;
	case 2:
	case 3:
		a->drop.slot = odd(seed);
		a->learn.how = pick(seed, 3);
		break;
	case 4:
		fill_moves(more, seed);
		a->commit.moves = (uintptr_t)more;
		a->commit.count =
		    pick(seed, 20) ? 1 + pick(seed, 8) : odd(seed);
		break;
	}
	if (!pick(seed, 5))
		for (unsigned i = 1 + pick(seed, 4); i; i--)
			a->byte[pick(seed, 88)] = (unsigned char)odd(seed);
	/* This one is good, and takes from a thread what it would get back. */
	if (nr == 3 && a->learn.how == KSCHED_LEARN_ONLY)
		a->learn.how = UINT_MAX;
}

/* Mostly good memory; else none, the kernel's, or half of it missing. */
static void *place(union any *a, unsigned *seed)
{
	switch (pick(seed, 12)) {
	case 0:
		return NULL;
	case 1:
		return (void *)(0xffff800000000000ul + odd(seed));
	case 2:
		return pages + 4096 - pick(seed, 100); /* then read-only */
	case 3:
		return pages + 8192 - pick(seed, 100); /* then nothing */
	default:
		return a;
	}
}

/* --- calls ---------------------------------------------------------------- */

static bool is_known(int err)
{
	static const int errs[] = { 0,	       EINVAL,	 EFAULT, ENOTTY,
				    ESRCH,     EEXIST,	 ENOSPC, ENOENT,
				    EPROTO,    ERANGE,	 EBUSY,	 EALREADY,
				    ESHUTDOWN, ENOTCONN, EBADF };

	for (unsigned i = 0; i < sizeof(errs) / sizeof(errs[0]); i++)
		if (err == errs[i])
			return true;
	return false;
}

static void call_ioctl(unsigned hand, unsigned *seed)
{
	static const unsigned long requests[] = { KSCHED_START,	 KSCHED_ADD,
						  KSCHED_DROP,	 KSCHED_LEARN,
						  KSCHED_COMMIT, KSCHED_BEAT };
	static union any more[HANDS];
	unsigned nr = pick(seed, 12) ? 1 + pick(seed, 4) : pick(seed, 6);
	unsigned long request = requests[nr];
	union any a;
	int err;

	fill(&a, &more[hand], nr, seed);
	if (!pick(seed, 10))
		request = _IOC(pick(seed, 4), KSCHED_MAGIC, pick(seed, 256),
			       pick(seed, 1 << 14));
	err = ioctl(fd, request, place(&a, seed)) ? errno : 0;
	calls[hand]++;
	good[hand] += !err;
	if (is_known(err))
		return;
	printf("request %lx: %s\n", request, strerror(err));
	__atomic_add_fetch(&strange, 1, __ATOMIC_RELAXED);
}

static void call_other(unsigned *seed)
{
	static const size_t bytes[] = { 1, 4096, 8192, KSCHED_MAP_BYTES,
					KSCHED_MAP_BYTES + 4096 };
	size_t n = bytes[pick(seed, 5)];
	char buffer[64] = { 0 };
	volatile char *map;

	switch (pick(seed, 4)) {
	case 0:
		if (read(fd, buffer, sizeof(buffer)) > 0 ||
		    write(fd, buffer, sizeof(buffer)) > 0)
			__atomic_add_fetch(&strange, 1, __ATOMIC_RELAXED);
		break;
	case 1:
		lseek(fd, odd(seed), SEEK_SET);
		break;
	default:
		map = mmap(NULL, n, pick(seed, 8),
			   pick(seed, 2) ? MAP_SHARED : MAP_PRIVATE, fd,
			   pick(seed, 2) ? 0 : 4096l * odd(seed));
		if (map == MAP_FAILED)
			break;
		if (!mprotect((void *)map, 4096, PROT_READ))
			(void)map[pick(seed, 4096)];
		mprotect((void *)map, n, PROT_READ | PROT_WRITE);
		munmap((void *)map, n);
	}
}

static void *hand_run(void *arg)
{
	unsigned hand = (unsigned)(uintptr_t)arg;
	unsigned seed = options.seed * HANDS + hand;

	while (clock_now_ns() < until_ns) {
		if (pick(&seed, 20))
			call_ioctl(hand, &seed);
		else
			call_other(&seed);
		if (!pick(&seed, 50))
			nap_ms(1);
	}
	return NULL;
}

/* --- descriptors -----------------------------------------------------------
 */

static int take_from(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int found = -1;

	for (int n = 3; pidfd >= 0 && found < 0 && n < 64; n++) {
		char path[64], target[64];
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, n);
		len = readlink(path, target, sizeof(target) - 1);
		if (len <= 0)
			continue;
		target[len] = 0;
		if (!strcmp(target, KSCHED_PATH))
			found = (int)syscall(SYS_pidfd_getfd, pidfd, n, 0);
	}
	if (pidfd >= 0)
		close(pidfd);
	return found;
}

/* Another descriptor under the hands' feet; most times one with a session. */
static void reopen(unsigned *seed)
{
	struct ksched_start start = { .version = KSCHED_VERSION,
				      .silence_ms = 100 + pick(seed, 2000) };
	int old = fd;

	if (options.of) {
		fd = take_from(options.of);
	} else {
		fd = -1;
		if (old >= 0)
			close(old);
		old = -1;
		fd = open(KSCHED_PATH, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && pick(seed, 8))
			ioctl(fd, KSCHED_START, &start);
	}
	if (old >= 0)
		close(old);
}

static int parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "of", required_argument, NULL, 'o' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (o == 's')
			options.seed = (unsigned)atoi(optarg);
		else if (o == 't')
			options.seconds = (unsigned)atoi(optarg);
		else if (o == 'o')
			options.of = atoi(optarg);
		else
			return -1;
	}
	for (; optind < argc && options.pids < PIDS; optind++)
		options.pid[options.pids++] = atoi(argv[optind]);
	return options.pids ? 0 : -1;
}

int main(int argc, char **argv)
{
	pthread_t hand[HANDS];
	unsigned seed;

	if (parse(argc, argv)) {
		fputs("usage: lab_fuzz [--seed N] [--seconds N] [--of PID] "
		      "PID...\n",
		      stderr);
		return 2;
	}
	seed = options.seed;
	pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return 1;
	mprotect(pages + 4096, 4096, PROT_READ);
	mprotect(pages + 8192, 4096, PROT_NONE);
	until_ns = clock_now_ns() + options.seconds * NSEC_PER_SEC;
	reopen(&seed);
	for (uintptr_t i = 0; i < HANDS; i++)
		if (pthread_create(&hand[i], NULL, hand_run, (void *)i))
			return 1;
	while (clock_now_ns() < until_ns) {
		nap_ms(REOPEN_NS / NSEC_PER_MSEC);
		reopen(&seed);
	}
	for (unsigned i = 0; i < HANDS; i++)
		pthread_join(hand[i], NULL);
	printf("{\"calls\": %llu, \"good\": %llu, \"strange\": %u}\n",
	       (unsigned long long)(calls[0] + calls[1] + calls[2]),
	       (unsigned long long)(good[0] + good[1] + good[2]), strange);
	return strange > 0;
}
