// SPDX-License-Identifier: Apache-2.0
/*
 * fake_ksched.c - a /dev/ksched that keeps the rules of hl/ksched.h
 *
 * The device is a memfd, so that the mapping is a real one; open(2), ioctl(2),
 * mmap(2) and close(2) are wrapped and let everything else through. One lock
 * around each call: the real module has finer ones.
 */
#include "fake_ksched.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hl/clock.h"
#include "hl/cpumask.h"
#include "task.h"

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
int __real_close(int fd);
int __wrap_close(int fd);

#define THREADS 64
#define HELD	1024

struct thread {
	pid_t tgid, tid; /* 0: free */
	struct cpumask had, bound, set;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool loaded, holding;
static int dev_fd = -1;
static bool started, over;
static struct ksched_page *page; /* ours, writable; the ring behind it */
static struct thread thread[THREADS];
static struct ksched_move held[HELD];
static unsigned held_cnt, forced, largest;
static unsigned calls[FAKE_CALLS];
static uint32_t silence_ms, spoilt[3];
static struct {
	int err, times;
} failing[FAKE_CALLS];

/* Return: 0, or the error the test wants. */
static int enter(enum fake_call call)
{
	calls[call]++;
	if (!failing[call].times)
		return 0;
	failing[call].times--;
	return failing[call].err;
}

static struct cpumask mask_of(const struct ksched_mask *m)
{
	struct cpumask out;

	memcpy(&out, m, sizeof(out));
	return out;
}

/* --- moves --------------------------------------------------------------- */

static void answer(const struct ksched_move *m, int err)
{
	struct ksched_done *ring = (struct ksched_done *)(page + 1);

	ring[page->head % KSCHED_RING_SLOTS] = (struct ksched_done){
		.slot = m->slot,
		.gen = m->gen,
		.err = err,
		.at_ns = clock_now_ns(),
	};
	__atomic_store_n(&page->head, page->head + 1, __ATOMIC_RELEASE);
}

static bool lives(const struct thread *t)
{
	return t->tid && !syscall(SYS_tgkill, t->tgid, t->tid, 0);
}

static int carry_out(const struct ksched_move *m)
{
	struct cpumask mask = mask_of(&m->mask), now;
	struct thread *t;

	if (cpumask_empty(&mask) || m->role >= KSCHED_ROLES || m->reserved)
		return -EINVAL;
	if (m->slot >= THREADS || !lives(&thread[m->slot]))
		return -ESRCH;
	t = &thread[m->slot];
	if (task_get_mask(t->tid, &now))
		return -ESRCH;
	if (!cpumask_equal(&now, &t->set)) {
		t->set = t->bound = now;
		return -ESTALE;
	}
	if (!cpumask_subset(&mask, &t->bound))
		return -EXDEV;
	if (task_set_mask(t->tid, &mask) || task_get_mask(t->tid, &now) ||
	    !cpumask_equal(&now, &mask))
		forced++;
	t->set = mask;
	return 0;
}

static bool has_newer(unsigned i)
{
	for (unsigned k = i + 1; k < held_cnt; k++)
		if (held[k].slot == held[i].slot)
			return true;
	return false;
}

static void carry_out_held(int err)
{
	for (unsigned i = 0; i < held_cnt; i++)
		answer(&held[i], err		? err
				 : has_newer(i) ? -ECANCELED
						: carry_out(&held[i]));
	held_cnt = 0;
}

static int commit(const struct ksched_commit *c)
{
	const struct ksched_move *m =
	    (const struct ksched_move *)(uintptr_t)c->moves;

	if (!c->count || c->count > KSCHED_BATCH_MAX || c->reserved)
		return EINVAL;
	if (c->count > largest)
		largest = c->count;
	for (unsigned i = 0; i < c->count; i++) {
		if (held_cnt == HELD)
			abort();
		held[held_cnt++] = m[i];
	}
	if (!holding)
		carry_out_held(0);
	return 0;
}

/* --- threads ------------------------------------------------------------- */

static int add(struct ksched_add *a)
{
	unsigned free_slot = THREADS;
	struct thread *t;
	uint64_t ticks;

	if (task_start(a->tgid, a->tid, &ticks) || ticks != a->start_ticks)
		return ESRCH;
	for (unsigned i = THREADS; i-- > 0;) {
		if (thread[i].tid == a->tid)
			return EEXIST;
		if (!thread[i].tid)
			free_slot = i; /* the lowest: used again at once */
	}
	if (free_slot == THREADS)
		return ENOSPC;
	t = &thread[free_slot];
	if (task_get_mask(a->tid, &t->had))
		return ESRCH;
	t->tgid = a->tgid;
	t->tid = a->tid;
	t->set = t->bound = t->had;
	a->slot = free_slot;
	memcpy(&a->had, &t->had, sizeof(a->had));
	return 0;
}

static void give_back(struct thread *t)
{
	if (lives(t))
		task_set_mask(t->tid, &t->had);
	memset(t, 0, sizeof(*t));
}

static int drop(const struct ksched_drop *d)
{
	if (d->slot >= THREADS || !thread[d->slot].tid)
		return ENOENT;
	carry_out_held(0); /* awaited */
	give_back(&thread[d->slot]);
	return 0;
}

static int learn(const struct ksched_learn *l)
{
	struct cpumask now;
	struct thread *t;

	if (l->slot >= THREADS || !thread[l->slot].tid)
		return ENOENT;
	t = &thread[l->slot];
	if (!lives(t) || task_get_mask(t->tid, &now))
		return ESRCH;
	t->set = now;
	t->bound =
	    l->how == KSCHED_LEARN_ONLY ? now : cpumask_or(t->bound, &now);
	return 0;
}

static void session_end(enum ksched_over why)
{
	if (over)
		return;
	carry_out_held(-ESHUTDOWN);
	for (unsigned i = 0; i < THREADS; i++)
		if (thread[i].tid)
			give_back(&thread[i]);
	over = true;
	__atomic_store_n(&page->over, why, __ATOMIC_RELEASE);
}

static int start(struct ksched_start *s)
{
	if (s->version != KSCHED_VERSION)
		return EPROTO;
	if (s->silence_ms < KSCHED_SILENCE_MIN_MS ||
	    s->silence_ms > KSCHED_SILENCE_MAX_MS || started)
		return EINVAL;
	started = true;
	silence_ms = s->silence_ms;
	s->map_bytes = spoilt[1] ? spoilt[1] : KSCHED_MAP_BYTES;
	return 0;
}

/* --- the device ---------------------------------------------------------- */

static int dev_open(void)
{
	int err = enter(FAKE_OPEN);

	if (!err)
		err = !loaded ? ENOENT : dev_fd >= 0 ? EBUSY : 0;
	if (err) {
		errno = err;
		return -1;
	}
	dev_fd = memfd_create("ksched", MFD_CLOEXEC);
	if (dev_fd < 0 || ftruncate(dev_fd, KSCHED_MAP_BYTES))
		abort();
	page = __real_mmap(NULL, KSCHED_MAP_BYTES, PROT_READ | PROT_WRITE,
			   MAP_SHARED, dev_fd, 0);
	if (page == MAP_FAILED)
		abort();
	page->version = spoilt[0] ? spoilt[0] : KSCHED_VERSION;
	page->map_bytes = KSCHED_MAP_BYTES;
	page->ring_slots = spoilt[2] ? spoilt[2] : KSCHED_RING_SLOTS;
	started = over = false;
	return dev_fd;
}

static int dev_ioctl(unsigned long request, void *arg)
{
	static const unsigned long known[FAKE_CALLS] = {
		[FAKE_START] = KSCHED_START,   [FAKE_ADD] = KSCHED_ADD,
		[FAKE_DROP] = KSCHED_DROP,     [FAKE_LEARN] = KSCHED_LEARN,
		[FAKE_COMMIT] = KSCHED_COMMIT, [FAKE_BEAT] = KSCHED_BEAT,
	};
	unsigned call = 0;
	int err;

	while (call < FAKE_CALLS && known[call] != request)
		call++;
	if (call == FAKE_CALLS)
		return ENOTTY;
	err = enter(call);
	if (err)
		return err;
	if (call == FAKE_START)
		return start(arg);
	if (!started)
		return EPERM;
	if (over)
		return ESHUTDOWN;
	return call == FAKE_ADD	     ? add(arg)
	       : call == FAKE_DROP   ? drop(arg)
	       : call == FAKE_LEARN  ? learn(arg)
	       : call == FAKE_COMMIT ? commit(arg)
				     : 0;
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;
	int fd;

	if (!strcmp(path, KSCHED_PATH)) {
		pthread_mutex_lock(&lock);
		fd = dev_open();
		pthread_mutex_unlock(&lock);
		return fd;
	}
	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return __real_open(path, flags, mode);
}

static bool is_dev(int fd)
{
	return fd >= 0 && fd == __atomic_load_n(&dev_fd, __ATOMIC_RELAXED);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;
	int err;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!is_dev(fd))
		return __real_ioctl(fd, request, arg);
	pthread_mutex_lock(&lock);
	err = dev_ioctl(request, arg);
	pthread_mutex_unlock(&lock);
	errno = err;
	return err ? -1 : 0;
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	int err;

	if (!is_dev(fd))
		return __real_mmap(at, n, prot, flags, fd, off);
	pthread_mutex_lock(&lock);
	err = enter(FAKE_MMAP);
	pthread_mutex_unlock(&lock);
	if (!err && (prot & PROT_WRITE || n != KSCHED_MAP_BYTES || off))
		err = EPERM;
	if (err) {
		errno = err;
		return MAP_FAILED;
	}
	return __real_mmap(at, n, prot, flags, fd, off);
}

int __wrap_close(int fd)
{
	if (is_dev(fd)) {
		pthread_mutex_lock(&lock);
		session_end(KSCHED_OVER_DRAINED);
		munmap(page, KSCHED_MAP_BYTES);
		page = NULL;
		__atomic_store_n(&dev_fd, -1, __ATOMIC_RELAXED);
		pthread_mutex_unlock(&lock);
	}
	return __real_close(fd);
}

/* --- for tests ----------------------------------------------------------- */

void fake_ksched_load(void)
{
	memset(calls, 0, sizeof(calls));
	memset(failing, 0, sizeof(failing));
	memset(spoilt, 0, sizeof(spoilt));
	forced = largest = 0;
	holding = false;
	loaded = true;
}

bool fake_ksched_unload(void)
{
	if (dev_fd >= 0)
		return false;
	loaded = false;
	return true;
}

void fake_ksched_fail(enum fake_call call, int err, int times)
{
	failing[call].err = err;
	failing[call].times = times;
}

unsigned fake_ksched_calls(enum fake_call call)
{
	return calls[call];
}

struct ksched_page *fake_ksched_page(void)
{
	return page;
}

void fake_ksched_spoil(uint32_t version, uint32_t map_bytes, uint32_t slots)
{
	spoilt[0] = version;
	spoilt[1] = map_bytes;
	spoilt[2] = slots;
}

void fake_ksched_hold(bool on)
{
	pthread_mutex_lock(&lock);
	holding = on;
	if (!on)
		carry_out_held(0);
	pthread_mutex_unlock(&lock);
}

void fake_ksched_end(enum ksched_over why)
{
	pthread_mutex_lock(&lock);
	if (dev_fd >= 0 && started)
		session_end(why);
	pthread_mutex_unlock(&lock);
}

bool fake_ksched_busy(void)
{
	return dev_fd >= 0;
}

unsigned fake_ksched_threads(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < THREADS; i++)
		n += thread[i].tid != 0;
	return n;
}

bool fake_ksched_has(pid_t tid)
{
	for (unsigned i = 0; i < THREADS; i++)
		if (thread[i].tid == tid)
			return true;
	return false;
}

unsigned fake_ksched_forced(void)
{
	return forced;
}

unsigned fake_ksched_largest(void)
{
	return largest;
}

uint32_t fake_ksched_silence_ms(void)
{
	return silence_ms;
}
