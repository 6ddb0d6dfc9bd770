// SPDX-License-Identifier: Apache-2.0
/*
 * agent_page.c - the page shared with a guest's agent, hostd's end of it
 *
 * It is a file in /dev/shm that QEMU has mapped too: the memory of an ivshmem
 * device. The token is new at each opening, so an agent that finds it in a
 * device knows that this is the page of the hostd it talks to.
 */
#include "agent_page.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static __thread struct page *volatile touched; /* this thread is at it now */
static struct sigaction bus_before;

/* --- files that are cut short -------------------------------------------- */

static void on_bus(int sig, siginfo_t *info, void *context)
{
	struct page *p = touched;
	size_t at = p ? (size_t)info->si_addr - (size_t)p->mem : SIZE_MAX;

	(void)context;
	if (at >= sizeof(*p->mem) ||
	    mmap(p->mem, sizeof(*p->mem), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p->mem)
		sigaction(sig, &bus_before, NULL); /* not ours: once more */
	else
		p->lost = true;
}

int page_guard(void)
{
	struct sigaction sa = { .sa_sigaction = on_bus,
				.sa_flags = SA_SIGINFO };
	struct sigaction now;

	if (sigaction(SIGBUS, NULL, &now))
		return -errno;
	if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_bus)
		return 0;
	bus_before = now;
	return sigaction(SIGBUS, &sa, NULL) ? -errno : 0;
}

/* --- hostd's half -------------------------------------------------------- */

static void put32(uint32_t *at, uint32_t v)
{
	__atomic_store_n(at, v, __ATOMIC_RELEASE);
}

static void put64(uint64_t *at, uint64_t v)
{
	__atomic_store_n(at, v, __ATOMIC_RELEASE);
}

/* The magic number last: what it promises is there by then. */
static void put_head(struct page *p, uint32_t gen)
{
	struct agent_host_head *h = &p->mem->host;

	put32(&h->version, AGENT_VERSION);
	put32(&h->vcpu_cnt, p->vcpu_cnt);
	put32(&h->gen, gen);
	put32(&h->beat, p->beat);
	put64(&h->token, p->token);
	put64(&h->magic, AGENT_HOST_MAGIC);
}

void page_words(struct page *p, const uint64_t *word, uint16_t vcpu_cnt,
		uint32_t gen)
{
	if (!p->mem)
		return;
	touched = p;
	for (unsigned i = 0; i < AGENT_VCPUS; i++) {
		uint64_t w = i < vcpu_cnt ? word[i] : 0;

		if (p->word[i] == w)
			continue;
		p->word[i] = w;
		put64(&p->mem->to_guest[i].word, w);
	}
	p->vcpu_cnt = vcpu_cnt;
	put_head(p, gen);
	touched = NULL;
}

void page_beat(struct page *p, uint32_t gen)
{
	if (!p->mem)
		return;
	touched = p;
	for (unsigned i = 0; i < AGENT_VCPUS; i++)
		put64(&p->mem->to_guest[i].word, p->word[i]);
	p->beat++;
	put_head(p, gen);
	touched = NULL;
}

/* --- opening ------------------------------------------------------------- */

static const char *check(int fd, uid_t qemu)
{
	struct stat st;

	if (fstat(fd, &st))
		return "cannot be looked at";
	if (!S_ISREG(st.st_mode))
		return "is no plain file";
	if (st.st_uid && st.st_uid != qemu)
		return "belongs neither to root nor to QEMU's user";
	if (st.st_mode & S_IWOTH)
		return "may be written by anybody";
	if (st.st_size < (off_t)sizeof(struct agent_page))
		return "is too small: <size unit='M'>1</size> will do";
	return NULL;
}

static const char *map(struct page *p, int fd)
{
	uint64_t token;
	void *mem;

	if (getrandom(&token, sizeof(token), GRND_NONBLOCK) != sizeof(token))
		return "has no token: no random numbers";
	mem = mmap(NULL, sizeof(*p->mem), PROT_READ | PROT_WRITE, MAP_SHARED,
		   fd, 0);
	if (mem == MAP_FAILED)
		return "cannot be mapped";
	memset(p, 0, sizeof(*p));
	p->mem = mem;
	p->token = token ? token : 1;
	return NULL;
}

const char *page_open(struct page *p, const char *dir, const char *name,
		      uid_t qemu)
{
	const char *why;
	char path[256];
	int fd;

	p->mem = NULL;
	p->token = 0;
	if (!*name || strchr(name, '/') ||
	    snprintf(path, sizeof(path), "%s/%s", dir, name) >=
		(int)sizeof(path))
		return "has no usable name";
	/* not to hang on a pipe, nor to follow a link */
	fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT	? "is not there"
		       : errno == ELOOP ? "is a link"
					: "cannot be opened";
	why = check(fd, qemu);
	if (!why)
		why = map(p, fd);
	close(fd);
	return why;
}

void page_close(struct page *p)
{
	if (!p->mem)
		return;
	touched = p;
	put64(&p->mem->host.magic, 0);
	put64(&p->mem->host.token, 0);
	for (unsigned i = 0; i < AGENT_VCPUS; i++)
		put64(&p->mem->to_guest[i].word, 0);
	touched = NULL;
	munmap(p->mem, sizeof(*p->mem));
	p->mem = NULL;
	p->token = 0;
	p->lost = false;
}

/* --- the guest's half ---------------------------------------------------- */

#define get(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)

static void get_hint(const struct agent_hint *from, struct agent_hint *to)
{
	to->wait_us = get(from->wait_us);
	to->wanted = get(from->wanted);
	to->runnable = get(from->runnable);
	to->workers = get(from->workers);
	to->flags = get(from->flags);
}

void page_read(struct page *p, uint16_t vcpu_cnt, struct session_page *out)
{
	const struct agent_guest_head *h = &p->mem->guest;

	touched = p;
	out->valid = get(h->magic) == AGENT_GUEST_MAGIC;
	out->valid &= get(h->version) == AGENT_VERSION;
	out->epoch = get(h->epoch);
	out->beat = get(h->beat);
	get_hint(&h->hint, &out->hint);
	for (unsigned i = 0; i < vcpu_cnt; i++) {
		const struct agent_hint_vcpu *v = &p->mem->to_host[i].hint;

		out->vcpu[i].ack = get(v->ack);
		out->vcpu[i].wait_us = get(v->wait_us);
		out->vcpu[i].runnable = get(v->runnable);
	}
	touched = NULL;
}
