// SPDX-License-Identifier: Apache-2.0
/*
 * page.c - the page: memory shared with hostd
 *
 * Theory of operation: the memory is BAR 2 of an ivshmem-plain device, mapped
 * through sysfs, so that no driver is needed; with a file instead, everything
 * can be tried without a VM. Several such devices may be there, other people's
 * too: the one is meant whose head holds the token of hostd's welcome.
 *
 * The host may write anything there at any time, so a word is loaded once, and
 * what is loaded is only ever compared or copied, never used as an index.
 *
 * The memory may go away: the device unplugged, the file cut short. Then the
 * next access raises SIGBUS. The handler puts private zero pages in place of
 * all of the mapping, so that the access is made again and finds zeros, which
 * no head begins with: page_ok() says no, and the agent goes on without a
 * page. A SIGBUS from anywhere else is handed to whoever was there before. An
 * unplugged device whose mapping stays reads as ones, which is no head either.
 *
 * The mapping may be write-combining, where stores can linger in the cpu: a
 * full fence follows each group of them.
 */
#include "page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

#define PAGE_VENDOR "0x1af4"
#define PAGE_DEVICE "0x1110"
#define PAGE_PATH   512

/* What the handler has to know. Set before the handler, so never torn. */
static struct agent_page *volatile guarded;
static struct sigaction guard_before;

#define load(p)	    __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* --- when the memory goes away ------------------------------------------- */

static void on_bus(int sig, siginfo_t *info, void *context)
{
	const char *at = info->si_addr, *base = (const char *)guarded;
	int err = errno;

	(void)sig;
	(void)context;
	if (base && at >= base && at < base + sizeof(struct agent_page) &&
	    mmap(
		(void *)base, sizeof(struct agent_page), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
		errno = err;
		return;
	}
	/* not ours: the access is made again, and ends as it would have */
	sigaction(SIGBUS, &guard_before, NULL);
	errno = err;
}

static int guard(struct agent_page *at)
{
	struct sigaction sa = { .sa_sigaction = on_bus,
				.sa_flags = SA_SIGINFO };

	sigemptyset(&sa.sa_mask);
	guarded = at;
	if (!sigaction(SIGBUS, &sa, &guard_before))
		return 0;
	guarded = NULL;
	return -errno;
}

static void unguard(void)
{
	sigaction(SIGBUS, &guard_before, NULL);
	guarded = NULL;
}

/* --- finding it ---------------------------------------------------------- */

static bool head_is(struct agent_page *at, uint64_t token)
{
	return load(&at->host.magic) == AGENT_HOST_MAGIC &&
	       load(&at->host.version) == AGENT_VERSION &&
	       load(&at->host.token) == token;
}

/* Return: 0; -ENODEV: it is not the one meant; -errno: cannot be mapped. */
static int map_one(struct page *p, const char *path, uint64_t token)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK), err;
	struct agent_page *at;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		err = -errno;
		goto out_close;
	}
	err = -ENODEV;
	if (st.st_size < (off_t)sizeof(*at))
		goto out_close;
	at = mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		err = -errno;
		goto out_close;
	}
	err = guard(at);
	if (err)
		goto err_unmap;
	err = -ENODEV;
	if (!head_is(at, token))
		goto err_unguard;
	*p = (struct page){ .at = at,
			    .token = token,
			    .host_beat = load(&at->host.beat) };
	close(fd);
	return 0;

err_unguard:
	unguard();
err_unmap:
	munmap(at, sizeof(*at));
out_close:
	close(fd);
	return err;
}

static void read_word(const char *dir, const char *name, char *buf, size_t size)
{
	char path[PAGE_PATH];

	buf[0] = '\0';
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) <
	    (int)sizeof(path))
		text_read(path, buf, size);
	buf[strcspn(buf, "\n")] = '\0';
}

/* A device that no driver took may have its memory switched off: then it reads
 * as ones. Left on: others may look at it too. */
static void enable(const char *dir)
{
	char word[16], path[PAGE_PATH];
	int fd;

	read_word(dir, "enable", word, sizeof(word));
	if (strcmp(word, "0") ||
	    snprintf(path, sizeof(path), "%s/enable", dir) >= (int)sizeof(path))
		return;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* if this fails, the head is not there, and that is said */
	if (write(fd, "1", 1) < 0)
		errno = 0;
	close(fd);
}

static int try_device(struct page *p, const char *dir, uint64_t token)
{
	static const char *const name[] = { "resource2_wc", "resource2" };
	char path[PAGE_PATH], vendor[16], device[16];
	int err = -ENODEV;

	read_word(dir, "vendor", vendor, sizeof(vendor));
	read_word(dir, "device", device, sizeof(device));
	if (strcmp(vendor, PAGE_VENDOR) || strcmp(device, PAGE_DEVICE))
		return -ENODEV;
	enable(dir);
	for (unsigned i = 0; i < 2; i++) {
		if (snprintf(path, sizeof(path), "%s/%s", dir, name[i]) >=
		    (int)sizeof(path))
			return -ENAMETOOLONG;
		err = map_one(p, path, token);
		if (!err || err == -ENODEV)
			break;
	}
	return err;
}

int page_open(struct page *p, const char *root, const char *file,
	      uint64_t token)
{
	char dir[PAGE_PATH], path[PAGE_PATH];
	int err = -ENODEV, one;
	struct dirent *e;
	DIR *d;

	if (guarded)
		return -EBUSY;
	if (!token)
		return -ENODEV;
	if (file)
		return map_one(p, file, token);
	if (snprintf(dir, sizeof(dir), "%s/sys/bus/pci/devices", root) >=
	    (int)sizeof(dir))
		return -ENAMETOOLONG;
	d = opendir(dir);
	if (!d)
		return -ENODEV;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' ||
		    snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >=
			(int)sizeof(path))
			continue;
		one = try_device(p, path, token);
		if (one != -ENODEV)
			err = one;
		if (!one)
			break;
	}
	closedir(d);
	return err;
}

void page_close(struct page *p)
{
	if (!p->at)
		return;
	store(&p->at->guest.magic, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	unguard();
	munmap(p->at, sizeof(*p->at));
	p->at = NULL;
}

/* --- the host's half ----------------------------------------------------- */

bool page_ok(const struct page *p)
{
	return p->at && head_is(p->at, p->token);
}

bool page_heard(struct page *p)
{
	uint32_t beat = load(&p->at->host.beat);
	bool moved = beat != p->host_beat;

	p->host_beat = beat;
	return moved;
}

bool page_words(const struct page *p, uint64_t *word, uint16_t vcpu_cnt)
{
	for (unsigned i = 0; i < vcpu_cnt; i++)
		word[i] = load(&p->at->to_guest[i].word);
	return page_ok(p);
}

/* --- ours ---------------------------------------------------------------- */

/* The first @words 64-bit words of a line, each stored as a whole. */
static void put(void *line, const void *from, unsigned words)
{
	uint64_t *to = line, word;

	for (unsigned i = 0; i < words; i++) {
		memcpy(&word, (const char *)from + i * sizeof(word),
		       sizeof(word));
		store(&to[i], word);
	}
}

void page_greet(struct page *p, uint64_t epoch)
{
	struct agent_guest_head *g = &p->at->guest;

	store(&g->magic, 0);
	store(&g->epoch, epoch);
	store(&g->version, AGENT_VERSION);
	store(&g->magic, AGENT_GUEST_MAGIC);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void page_hint(struct page *p, const struct agent_hint *hint,
	       const struct agent_hint_vcpu *vcpu, uint16_t vcpu_cnt)
{
	_Static_assert(sizeof(*hint) == 16 && sizeof(*vcpu) == 16, "2 words");

	for (unsigned i = 0; i < vcpu_cnt && i < AGENT_VCPUS; i++)
		put(&p->at->to_host[i].hint, &vcpu[i], 2);
	put(&p->at->guest.hint, hint, 2);
	page_beat(p);
}

void page_beat(struct page *p)
{
	store(&p->at->guest.beat, ++p->beat);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
