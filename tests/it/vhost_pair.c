/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost_pair.c - port_vhost against a real driver in another process
 *
 * The parent is hostd's side: a port on a real librte_vhost. The child plays
 * the VM: DPDK's net_virtio_user, opened as an uplink, sends every frame back.
 * It is killed and started again; each time the port must come up, carry
 * frames both ways, count delays, go down, and leave no file open.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hl/clock.h"
#include "vhost/eal.h"
#include "vhost/frame.h"
#include "vhost/port_uplink.h"
#include "vhost/port_vhost.h"

#define RECONNECTS  5
#define FRAMES	    2000
#define FRAME_BYTES 200
#define LIMIT_NS    (20 * NSEC_PER_SEC)

struct scene {
	const char *what;
	bool client; /* hostd connects, the VM's side listens */
	bool guest_first;
};

static const struct scene scenes[] = {
	{ "hostd listens", false, false },
	{ "hostd connects, was there first", true, false },
	{ "hostd connects, the VM was there first", true, true },
};

static int wake_fd;
static struct score delays;

static void wake(void *arg)
{
	(void)arg;
	eventfd_write(wake_fd, 1);
}

static _Noreturn void fail(const char *what)
{
	printf("FAILED: %s\n", what);
	exit(1);
}

static void start_dpdk(const char *prefix)
{
	struct eal_conf conf = {
		.prefix = prefix,
		.mbufs = 8191,
		.log_level = "critical", /* a killed VM is no news here */
	};

	if (eal_start(&conf))
		fail("DPDK does not start");
}

static struct rte_mbuf *test_frame(void)
{
	/* A local experimental Ethernet type (IEEE 802): nobody else sends it.
	 */
	const uint8_t data[FRAME_BYTES] = { 2, [12] = 0x88, 0xb5 };
	struct rte_mbuf *f = frame_make(eal_pool(), data, sizeof(data));

	if (!f)
		fail("no packet memory");
	return f;
}

static bool is_ours(const struct rte_mbuf *f)
{
	return frame_bytes(f) == FRAME_BYTES && frame_head(f)[12] == 0x88 &&
	       frame_head(f)[13] == 0xb5;
}

/* --- the VM's side ------------------------------------------------------- */

static int guest_main(const char *path, bool listens)
{
	struct rte_mbuf *frames[PORT_BURST];
	char spec[200];
	struct port *p;

	start_dpdk("vhost_pair_guest");
	snprintf(spec, sizeof(spec), "vdev:net_virtio_user0,path=%s%s", path,
		 listens ? ",server=1" : "");
	if (port_uplink_open(&p, spec, wake, NULL))
		fail("net_virtio_user does not start");
	/* This driver starts the device twice; what it was given the first time
	 * is lost. Here it is up for good: say so. */
	frames[0] = test_frame();
	if (!p->ops->push(p, frames, 1, 0))
		fail("net_virtio_user does not send");
	for (;;) {
		unsigned n = p->ops->pull(p, frames, PORT_BURST), sent = 0;

		while (sent < n)
			sent += p->ops->push(p, frames + sent, n - sent, 0);
		if (!n)
			sched_yield();
	}
}

static pid_t guest_start(const char *path, bool listens)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		execl("/proc/self/exe", "vhost_pair", "guest", path,
		      listens ? "listens" : "connects", NULL);
	_exit(1);
}

static void guest_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- hostd's side -------------------------------------------------------- */

static unsigned fds_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	if (!dir)
		fail("no /proc");
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* rte_vhost closes a device's files after it has told the port. */
static void wait_fds(unsigned want)
{
	uint64_t limit_ns = clock_now_ns() + LIMIT_NS;

	while (fds_open() != want) {
		if (clock_now_ns() > limit_ns)
			fail("files are left open");
		sched_yield();
	}
}

/* Sleep as a switch does, but no longer than a moment. */
static void port_sleep(struct port *p)
{
	struct pollfd fds[2] = {
		{ .fd = wake_fd, .events = POLLIN },
		{ .fd = p->ops->fd(p), .events = POLLIN },
	};
	eventfd_t calls;

	if (!p->ops->arm(p, true))
		poll(fds, 2, 10);
	p->ops->arm(p, false);
	if (fds[0].revents)
		eventfd_read(wake_fd, &calls);
	if (fds[1].revents)
		eventfd_read(fds[1].fd, &calls);
}

static void wait_hello(struct port *p)
{
	uint64_t limit_ns = clock_now_ns() + LIMIT_NS;
	struct rte_mbuf *f;
	bool hello = false;

	while (!hello) {
		if (p->ops->pull(p, &f, 1)) {
			hello = is_ours(f);
			frame_free(f);
		} else {
			port_sleep(p);
		}
		if (clock_now_ns() > limit_ns)
			fail("the port does not come up");
	}
	if (!p->signal.up)
		fail("the port is used and not up");
}

static void wait_down(struct port *p)
{
	uint64_t limit_ns = clock_now_ns() + LIMIT_NS;

	while (p->ops->watch(p, clock_now_ns(), NULL), p->signal.up) {
		if (clock_now_ns() > limit_ns)
			fail("the port does not go down");
		port_sleep(p);
	}
}

/* FRAMES through the VM and back, few enough at a time to fit its rings. */
static void exchange(struct port *p)
{
	uint64_t limit_ns = clock_now_ns() + LIMIT_NS;
	struct rte_mbuf *f, *got[PORT_BURST];
	unsigned sent = 0, back = 0, n;

	while (back < FRAMES) {
		if (sent < FRAMES && sent - back < PORT_BURST) {
			f = test_frame();
			if (p->ops->push(p, &f, 1, clock_now_ns()))
				sent++;
			else
				frame_free(f);
		}
		p->ops->watch(p, clock_now_ns(), &delays);
		n = p->ops->pull(p, got, PORT_BURST);
		for (unsigned i = 0; i < n; i++)
			back += is_ours(got[i]);
		rte_pktmbuf_free_bulk(got, n);
		if (!n && sent - back >= PORT_BURST)
			port_sleep(p);
		if (clock_now_ns() > limit_ns)
			fail("frames do not come back");
	}
}

static void play(const struct scene *s, const char *path)
{
	struct port_vhost_conf conf = {
		.name = "pair",
		.path = path,
		.client = s->client,
		.mode = 0600,
		.wake = wake,
	};
	unsigned before = fds_open();
	struct port *p;
	pid_t guest = 0;

	if (s->guest_first) {
		guest = guest_start(path, s->client);
		while (access(path, F_OK)) /* timeout(1) ends it */
			sched_yield();
	}
	if (port_vhost_open(&p, &conf))
		fail("the port does not open");
	for (unsigned i = 0; i <= RECONNECTS; i++) {
		if (!guest)
			guest = guest_start(path, s->client);
		hist_reset(&delays.hist);
		wait_hello(p);
		exchange(p);
		guest_kill(guest);
		guest = 0;
		wait_down(p);
		if (s->client)
			unlink(path); /* the killed VM's */
		/* All but a ring's worth was seen to be taken. */
		if (delays.hist.count < FRAMES / 2)
			fail("delays are not counted");
		wait_fds(before + 1); /* the port's socket */
	}
	p->ops->close(p);
	wait_fds(before);
	if (rte_mempool_avail_count(eal_pool()) != eal_pool()->size)
		fail("frames are lost");
	printf("%s: %d connections, median delay %llu ns\n", s->what,
	       RECONNECTS + 1,
	       (unsigned long long)hist_quantile(&delays.hist, 5000));
}

/* The first port makes rte_vhost open files that it keeps. */
static void warm_up(const char *path)
{
	struct port_vhost_conf conf = { .name = "first", .path = path };
	struct port *p;

	if (port_vhost_open(&p, &conf))
		fail("the first port does not open");
	p->ops->close(p);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/vhost_pair.XXXXXX", path[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && !strcmp(argv[1], "guest"))
		return guest_main(argv[2], !strcmp(argv[3], "listens"));
	if (!mkdtemp(dir))
		fail("no directory");
	snprintf(path, sizeof(path), "%s/sock", dir);
	wake_fd = eventfd(0, EFD_NONBLOCK);
	start_dpdk("vhost_pair");
	warm_up(path);
	for (unsigned i = 0; i < RTE_DIM(scenes); i++)
		play(&scenes[i], path);
	eal_stop();
	rmdir(dir);
	return 0;
}
