// SPDX-License-Identifier: Apache-2.0
/*
 * liar.c - in a guest: an agent gone mad, or bad
 *
 * Writes to the page and the channel what no agent would, at random times:
 * random bytes, floods, well-formed messages of nonsense, and lies that would
 * obtain cpus if anybody believed them. Whatever it does, hostd must go on,
 * other VMs must not feel it, and this VM must not get more than it may have.
 * The same seed does the same, but for the times the kernel makes it wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hl/agent_wire.h"
#include "hl/clock.h"
#include "tests/load/options.h"
#include "tests/load/page.h"

#define PORTS	     "/sys/class/virtio-ports/*"
#define PAUSE_MAX_NS (20 * NSEC_PER_MSEC)
#define FLOOD_BYTES  65536
#define STEP_MAX     4096 /* bytes of the page written at once */
#define HELLO_EVERY  16	  /* acts: so that the host goes on listening */

static const char usage[] =
    "liar [OPTION]...\n"
    "  --time T     so long (until a signal)\n"
    "  --seed N     another story (1)\n"
    "  --page FILE  instead of the ivshmem device; none: leave it alone\n"
    "  --port PATH  instead of the agent's port; none: leave it alone\n"
    "Prints one line of JSON at the end.\n";

struct liar {
	uint64_t time_ns, seed, epoch;
	const char *page_file, *port_path;
	struct agent_page *page; /* NULL: none */
	int port;		 /* -1: none */
	uint64_t acts, page_bytes, port_bytes, port_full;
};

static volatile sig_atomic_t over;

static void end(int sig)
{
	(void)sig;
	over = 1;
}

/* SplitMix64, as in arrive.c. */
static uint64_t next_random(struct liar *l)
{
	uint64_t z = l->seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static void fill(struct liar *l, void *to, size_t n)
{
	uint8_t *p = to;

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)next_random(l);
}

static void say(struct liar *l, const void *buf, size_t n)
{
	ssize_t done = l->port < 0 ? -1 : write(l->port, buf, n);

	if (done > 0)
		l->port_bytes += (uint64_t)done;
	else
		l->port_full++;
}

static void say_msg(struct liar *l, struct agent_any *m, enum agent_kind kind,
		    size_t body)
{
	say(l, m, agent_msg_put(m, kind, l->epoch, body));
}

/* --- what it does ----------------------------------------------------------
 */

static void page_noise(struct liar *l)
{
	size_t n = next_random(l) % STEP_MAX + 1;
	size_t at = next_random(l) % (sizeof(*l->page) - n);

	if (!l->page)
		return;
	fill(l, (uint8_t *)l->page + at, n);
	l->page_bytes += n;
}

static void port_noise(struct liar *l)
{
	uint8_t buf[1024];
	size_t n = next_random(l) % sizeof(buf) + 1;

	fill(l, buf, n);
	say(l, buf, n);
}

/* As many messages as the port takes, each asking to be looked at. */
static void port_flood(struct liar *l)
{
	static uint8_t buf[FLOOD_BYTES];
	struct agent_any m;
	size_t fill_bytes = 0, n;

	n = agent_msg_put(&m, AGENT_BELL, l->epoch, 0);
	while (fill_bytes + n <= sizeof(buf)) {
		memcpy(buf + fill_bytes, &m, n);
		fill_bytes += n;
	}
	say(l, buf, fill_bytes);
}

static void hello(struct liar *l)
{
	struct agent_any m = { 0 };

	if (!(next_random(l) % 4))
		l->epoch = next_random(l);
	m.hello.version = next_random(l) % 8 ? AGENT_VERSION : ~0u;
	m.hello.caps = AGENT_CAP_PAGE | AGENT_CAP_PLACE;
	m.hello.vcpu_cnt = next_random(l) % 4 ? 2 : (uint32_t)next_random(l);
	fill(l, m.hello.name, sizeof(m.hello.name)); /* no end, no letters */
	say_msg(l, &m, AGENT_HELLO, sizeof(m.hello));
}

/* Well-formed, senseless. */
static void nonsense(struct liar *l)
{
	unsigned count = (unsigned)next_random(l) % (AGENT_HINTS_MAX + 1);
	struct agent_any m;

	fill(l, &m, sizeof(m));
	if (next_random(l) % 2) {
		m.hints.count = (uint16_t)count;
		say_msg(l, &m, AGENT_HINTS, agent_hints_bytes(count));
		return;
	}
	count %= AGENT_WORDS_MAX;
	m.grants.count = (uint16_t)count; /* it is not ours to grant */
	say_msg(l, &m, AGENT_GRANTS, agent_grants_bytes(count));
}

/* All vcpus wanted, and workers that have waited for an hour. */
static void claim(struct liar *l)
{
	struct agent_any m = { 0 };
	struct agent_hint all = { .wait_us = 3600000000u,
				  .wanted = UINT16_MAX,
				  .runnable = UINT16_MAX,
				  .workers = UINT16_MAX,
				  .flags = AGENT_HINT_PLACING };

	m.hints.hint = all;
	m.hints.count = AGENT_HINTS_MAX;
	for (unsigned i = 0; i < AGENT_HINTS_MAX; i++) {
		m.hints.vcpu[i].wait_us = all.wait_us;
		m.hints.vcpu[i].runnable = all.runnable;
	}
	if (l->page) {
		l->page->guest.magic = AGENT_GUEST_MAGIC;
		l->page->guest.version = AGENT_VERSION;
		l->page->guest.epoch = l->epoch;
		l->page->guest.beat++;
		l->page->guest.hint = all;
		for (unsigned i = 0; i < AGENT_HINTS_MAX; i++)
			l->page->to_host[i].hint = m.hints.vcpu[i];
		l->page_bytes += sizeof(all) * (AGENT_HINTS_MAX + 1);
	}
	say_msg(l, &m, AGENT_HINTS, agent_hints_bytes(AGENT_HINTS_MAX));
	say_msg(l, &m, AGENT_BELL, 0);
}

static void (*const act[])(struct liar *l) = {
	page_noise, port_noise, port_flood, hello,
	nonsense,   claim,	claim,	    claim,
};

#define ACTS (sizeof(act) / sizeof(act[0]))

/* --- around it --------------------------------------------------------------
 */

/* What the host says is read, so that it can go on saying it. */
static void listen_to_host(struct liar *l, uint64_t wait_ns)
{
	struct timespec ts = { .tv_nsec = (long)wait_ns };
	struct pollfd p = { .fd = l->port, .events = POLLIN };
	char buf[4096];

	if (ppoll(&p, 1, &ts, NULL) > 0 && read(l->port, buf, sizeof(buf)) <= 0)
		nanosleep(&ts, NULL); /* nobody at the other end */
}

static void tell_stories(struct liar *l)
{
	uint64_t end_ns = clock_now_ns() + l->time_ns;

	l->epoch = next_random(l);
	while (!over && (!l->time_ns || clock_now_ns() < end_ns)) {
		if (l->acts % HELLO_EVERY)
			act[next_random(l) % ACTS](l);
		else
			hello(l);
		l->acts++;
		listen_to_host(l, next_random(l) % PAUSE_MAX_NS);
	}
}

/* Return: a descriptor, or -errno. */
static int open_port(const char *path)
{
	int rc = -ENODEV;
	glob_t found;

	if (path)
		return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (glob(PORTS, 0, NULL, &found))
		return rc;
	for (size_t i = 0; rc < 0 && i < found.gl_pathc; i++) {
		char file[256], name[64] = "";
		FILE *f;

		snprintf(file, sizeof(file), "%s/name", found.gl_pathv[i]);
		f = fopen(file, "re");
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f))
			name[strcspn(name, "\n")] = '\0';
		fclose(f);
		if (strcmp(name, AGENT_PORT))
			continue;
		snprintf(file, sizeof(file), "/dev/%s",
			 strrchr(found.gl_pathv[i], '/') + 1);
		rc = open(file, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (rc < 0)
			rc = -errno;
	}
	globfree(&found);
	return rc;
}

static bool is_none(const char *path)
{
	return path && !strcmp(path, "none");
}

static int parse(int argc, char **argv, struct liar *l)
{
	static const struct option options[] = {
		{ "time", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "page", required_argument, NULL, 'f' },
		{ "port", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt, rc = 0;

	while (!rc && (opt = getopt_long(argc, argv, "", options, NULL)) > 0) {
		if (opt == 't')
			rc = options_time(optarg, NSEC_PER_SEC, &l->time_ns);
		else if (opt == 's')
			rc = options_number(optarg, 0, UINT64_MAX, &l->seed);
		else if (opt == 'f')
			l->page_file = optarg;
		else if (opt == 'p')
			l->port_path = optarg;
		else
			rc = opt == 'h' ? 1 : -EINVAL;
	}
	return !rc && optind < argc ? -EINVAL : rc;
}

int main(int argc, char **argv)
{
	static struct liar l = { .seed = 1, .port = -1 };
	struct sigaction sa = { .sa_handler = end };
	int rc = parse(argc, argv, &l);

	if (rc) {
		fputs(usage, rc < 0 ? stderr : stdout);
		return rc < 0 ? 2 : 0;
	}
	if (!is_none(l.page_file))
		rc = page_map(l.page_file, true, &l.page);
	if (!rc && !is_none(l.port_path)) {
		l.port = open_port(l.port_path);
		rc = l.port < 0 ? l.port : 0;
	}
	if (rc) {
		fprintf(stderr, "liar: %s: %s\n", l.page ? "port" : "page",
			strerror(-rc));
		return 1;
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	tell_stories(&l);
	printf("{\"acts\": %llu, \"page_bytes\": %llu, \"port_bytes\": %llu, "
	       "\"port_full\": %llu}\n",
	       (unsigned long long)l.acts, (unsigned long long)l.page_bytes,
	       (unsigned long long)l.port_bytes,
	       (unsigned long long)l.port_full);
	return 0;
}
