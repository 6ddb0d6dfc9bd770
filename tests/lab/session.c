// SPDX-License-Identifier: Apache-2.0
/*
 * session.c - a session with /dev/ksched, for tests
 */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "hl/clock.h"

int session_open(struct session *s, unsigned silence_ms)
{
	struct ksched_start start = { .version = KSCHED_VERSION,
				      .silence_ms = silence_ms };
	void *map;
	int rc;

	*s = (struct session){ .fd = open(KSCHED_PATH, O_RDWR | O_CLOEXEC) };
	if (s->fd < 0)
		return -errno;
	rc = session_ioctl(s, KSCHED_START, &start);
	if (rc)
		goto close_fd;
	map = mmap(NULL, KSCHED_MAP_BYTES, PROT_READ, MAP_SHARED, s->fd, 0);
	if (map == MAP_FAILED) {
		rc = -errno;
		goto close_fd;
	}
	s->page = map;
	s->ring = (const void *)((const char *)map + sizeof(*s->page));
	return 0;
close_fd:
	close(s->fd);
	s->fd = -1;
	return rc;
}

/* The mapping holds the file open, so it goes first. */
void session_close(struct session *s)
{
	if (s->page)
		munmap((void *)(uintptr_t)s->page, KSCHED_MAP_BYTES);
	if (s->fd >= 0)
		close(s->fd);
	*s = (struct session){ .fd = -1 };
}

int session_ioctl(const struct session *s, unsigned long request, void *arg)
{
	return ioctl(s->fd, request, arg) ? -errno : 0;
}

int session_add(const struct session *s, pid_t tgid, pid_t tid,
		struct ksched_mask *had)
{
	struct ksched_add add = { .tgid = tgid,
				  .tid = tid,
				  .start_ticks = task_start_ticks(tgid, tid) };
	int rc = session_ioctl(s, KSCHED_ADD, &add);

	if (rc)
		return rc;
	if (had)
		*had = add.had;
	return (int)add.slot;
}

int session_drop(const struct session *s, uint32_t slot)
{
	struct ksched_drop drop = { .slot = slot };

	return session_ioctl(s, KSCHED_DROP, &drop);
}

int session_learn(const struct session *s, uint32_t slot, uint32_t how)
{
	struct ksched_learn learn = { .slot = slot, .how = how };

	return session_ioctl(s, KSCHED_LEARN, &learn);
}

int session_commit(struct session *s, const struct ksched_move *moves,
		   uint32_t count)
{
	struct ksched_commit commit = { .moves = (uintptr_t)moves,
					.count = count };
	int rc = session_ioctl(s, KSCHED_COMMIT, &commit);

	if (!rc)
		s->asked += count;
	return rc;
}

bool session_answer(struct session *s, struct ksched_done *d, unsigned wait_ms)
{
	uint64_t until_ns = clock_now_ns() + wait_ms * NSEC_PER_MSEC;

	while (__atomic_load_n(&s->page->head, __ATOMIC_ACQUIRE) == s->read) {
		if (clock_now_ns() >= until_ns)
			return false;
		usleep(50);
	}
	*d = s->ring[s->read++ % KSCHED_RING_SLOTS];
	return true;
}

/* Number @field (from 1, above 3) of a stat file, whose second may hold
 * spaces. */
static long long stat_field(const char *path, unsigned field)
{
	char text[1024], *at;
	long long value = -1;
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		return -1;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	at = strrchr(text, ')');
	for (unsigned i = 2; at && i < field; i++)
		at = strchr(at + 1, ' ');
	if (at)
		sscanf(at, " %lld", &value);
	return value;
}

uint64_t task_start_ticks(pid_t tgid, pid_t tid)
{
	char path[64];
	long long ticks;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", tgid, tid);
	ticks = stat_field(path, 22);
	return ticks < 0 ? 0 : (uint64_t)ticks;
}

int task_cpu(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	return (int)stat_field(path, 39);
}

int task_mask(pid_t tid, struct ksched_mask *m)
{
	memset(m, 0, sizeof(*m));
	return sched_getaffinity(tid, sizeof(*m), (cpu_set_t *)m) ? -errno : 0;
}

int task_set_mask(pid_t tid, const struct ksched_mask *m)
{
	return sched_setaffinity(tid, sizeof(*m), (const cpu_set_t *)m) ? -errno
									: 0;
}

struct ksched_mask mask_of(int cpu)
{
	return mask_range(cpu, cpu);
}

struct ksched_mask mask_range(int first, int last)
{
	struct ksched_mask m = { 0 };

	for (int cpu = first; cpu <= last; cpu++)
		m.word[cpu / 64] |= 1ull << cpu % 64;
	return m;
}

bool mask_has(const struct ksched_mask *m, unsigned cpu)
{
	return cpu < KSCHED_CPUS_MAX && m->word[cpu / 64] >> cpu % 64 & 1;
}

bool mask_same(const struct ksched_mask *a, const struct ksched_mask *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool mask_empty(const struct ksched_mask *m)
{
	struct ksched_mask none = { 0 };

	return mask_same(m, &none);
}

bool mask_within(const struct ksched_mask *inner,
		 const struct ksched_mask *outer)
{
	for (unsigned i = 0; i < KSCHED_CPUS_MAX / 64; i++)
		if (inner->word[i] & ~outer->word[i])
			return false;
	return true;
}

const char *mask_text(const struct ksched_mask *m)
{
	static char text[4][256];
	static unsigned turn;
	char *out = text[turn++ % 4];
	size_t n = 0;

	out[0] = 0;
	for (unsigned cpu = 0; cpu < KSCHED_CPUS_MAX; cpu++) {
		unsigned last = cpu;

		if (!mask_has(m, cpu))
			continue;
		while (mask_has(m, last + 1))
			last++;
		n += (size_t)snprintf(out + n, sizeof(text[0]) - n,
				      last > cpu ? "%s%u-%u" : "%s%u",
				      n ? "," : "", cpu, last);
		if (n >= sizeof(text[0]))
			break;
		cpu = last;
	}
	return out;
}

void nap_ms(unsigned ms)
{
	struct timespec ts = { .tv_sec = ms / 1000,
			       .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}
