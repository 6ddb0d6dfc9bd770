// SPDX-License-Identifier: Apache-2.0
/*
 * test_agent_port.c - finding the port, opening it, losing it
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/edge/link_stage.h"
#include "tests/fake/fake_fail.h"

/* --- finding the port ---------------------------------------------------- */

static void test_no_port(void **state)
{
	static const struct {
		const char *what;
		const char *file; /* below the directory */
		enum link_state state;
		const char *why;
	} row[] = {
		{ "nothing there", "none", LINK_NONE, "No such file" },
		{ "a file", "page", LINK_NONE, "neither a port nor a socket" },
		{ "a socket nobody listens at", "dead", LINK_WAITING,
		  "nobody listens" },
		{ "a seqpacket socket", "wrong", LINK_WAITING, "Protocol" },
		{ "search, and find nothing", NULL, LINK_NONE,
		  "has no port org.heighliner.agent.0" },
	};
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char path[128];
	int dead, wrong;

	(void)state;
	setup();
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/dead", host.dir);
	dead = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(dead, (struct sockaddr *)&a, sizeof(a)), 0);
	snprintf(path, sizeof(path), "%s/wrong", host.dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/wrong", host.dir);
	wrong = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(wrong, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(wrong, 1), 0);
	conf.root = host.dir;
	for (unsigned i = 0; i < LEN(row); i++) {
		snprintf(path, sizeof(path), "%s/%s", host.dir,
			 row[i].file ? row[i].file : "");
		conf.port = row[i].file ? path : NULL;
		assert_int_equal(link_open(&l, &conf, now_ns), 0);
		after(0);
		if (link_state(l) != row[i].state ||
		    !strstr(link_why(l), row[i].why))
			fail_msg("%s: %d, %s", row[i].what, link_state(l),
				 link_why(l));
		/* looked for again, but not at once */
		assert_int_equal(link_wait_ms(l, now_ns), 1000);
		assert_int_equal(link_wait_ms(l, now_ns + 1000000000), 0);
		assert_int_equal(owned(), 0);
		link_close(l);
	}
	l = NULL;
	close(dead);
	close(wrong);
	snprintf(path, sizeof(path), "%s/dead", host.dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/wrong", host.dir);
	unlink(path);
	stop();
}

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", host.dir, name);
	for (char *p = path + strlen(host.dir) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void tree_gone(void)
{
	static const char *const path[] = {
		"sys/class/virtio-ports/vport0p1/name",
		"sys/class/virtio-ports/vport0p1",
		"sys/class/virtio-ports/vport1p2/name",
		"sys/class/virtio-ports/vport1p2",
		"sys/class/virtio-ports",
		"sys/class",
		"sys",
		"dev/vport0p1",
		"dev/vport1p2",
		"dev/virtio-ports/" AGENT_PORT,
		"dev/virtio-ports",
		"dev",
	};
	char full[256];

	for (unsigned i = 0; i < LEN(path); i++) {
		snprintf(full, sizeof(full), "%s/%s", host.dir, path[i]);
		remove(full);
	}
}

/* A terminal plays the port: a character device with another end. */
static int port_device(const char *name)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	char path[256], slave[64];

	assert_true(fd >= 0);
	assert_int_equal(grantpt(fd), 0);
	assert_int_equal(unlockpt(fd), 0);
	assert_int_equal(ptsname_r(fd, slave, sizeof(slave)), 0);
	put(name, "");
	snprintf(path, sizeof(path), "%s/%s", host.dir, name);
	unlink(path);
	assert_int_equal(symlink(slave, path), 0);
	return fd;
}

static void raw(int fd)
{
	struct termios t;

	assert_int_equal(tcgetattr(fd, &t), 0);
	cfmakeraw(&t);
	assert_int_equal(tcsetattr(fd, TCSANOW, &t), 0);
}

static void test_search(void **state)
{
	static const char *const device[] = { "dev/vport1p2",
					      "dev/virtio-ports/" AGENT_PORT };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct agent_any m;
		int fd;

		setup();
		conf.port = NULL;
		conf.root = host.dir;
		if (i == 0) {
			put("sys/class/virtio-ports/vport0p1/name",
			    "org.qemu.guest_agent.0\n");
			put("sys/class/virtio-ports/vport1p2/name",
			    AGENT_PORT "\n");
		}
		fd = port_device(device[i]);
		raw(fd);
		assert_int_equal(link_open(&l, &conf, now_ns), 0);
		after(0);
		after(0);
		host.fd = -1;
		assert_true(read(fd, &m, sizeof(m)) ==
			    (ssize_t)(sizeof(m.head) + sizeof(m.hello)));
		assert_int_equal(m.head.kind, AGENT_HELLO);
		m.welcome = (struct agent_welcome){ .version = AGENT_VERSION,
						    .vcpu_cnt = 2 };
		agent_msg_put(&m, AGENT_WELCOME, m.head.epoch,
			      sizeof(m.welcome));
		assert_int_equal(write(fd, &m, m.head.bytes), m.head.bytes);
		after(1);
		check(LINK_CHANNEL, "");
		assert_true(read(fd, &m, sizeof(m)) > 0); /* hints */
		/* the end of what there is to read is not the port's */
		fail_next("read", 0, 0);
		after(1);
		assert_true(fail_done());
		check(LINK_CHANNEL, "");
		/* nobody at its other end, for a moment: the same port is
		 * greeted again */
		fail_next("poll", 0, EIO);
		after(1);
		assert_true(fail_done());
		check(LINK_WAITING, "nobody is at the other end");
		assert_int_equal(granted.vcpu_cnt, 0);
		after(1000);
		assert_true(read(fd, &m, sizeof(m)) ==
			    (ssize_t)(sizeof(m.head) + sizeof(m.hello)));
		assert_int_equal(m.head.kind, AGENT_HELLO);
		/* unplugged: fails to be read, and is searched again */
		fail_next("read", 0, ENODEV);
		after(1);
		assert_true(fail_done());
		check(LINK_NONE, "went away");
		assert_int_equal(granted.vcpu_cnt, 0);
		after(999);
		check(LINK_NONE, "went away");
		after(1);
		after(1);
		check(LINK_WAITING, "");
		/* nobody at its other end: no spinning on the hang-up */
		close(fd);
		after(1);
		after(1);
		assert_int_equal(
		    poll(&(struct pollfd){ link_fd(l), POLLIN, 0 }, 1, 0), 0);
		assert_true(link_wait_ms(l, now_ns) > 0);
		tree_gone();
		stop();
	}
}

static void test_busy(void **state)
{
	(void)state;
	start();
	fail_next("connect", 0, EAGAIN);
	after(0);
	assert_true(fail_done());
	check(LINK_WAITING, "Resource temporarily");
	fail_next("socket", 0, EBUSY);
	after(1000);
	check(LINK_WAITING, "another process");
	fail_next("socket", 0, EMFILE);
	after(1000);
	check(LINK_WAITING, "Too many");
	fail_next("epoll_ctl", 0, ENOMEM);
	after(1000);
	check(LINK_WAITING, "memory");
	after(1000);
	assert_true(host_accept(&host));
	stop();
}

static void test_open_fails(void **state)
{
	static const struct {
		const char *call;
		int err;
	} row[] = { { "calloc", ENOMEM }, { "epoll_create1", EMFILE } };
	unsigned open_before;

	(void)state;
	setup();
	open_before = fail_open();
	for (unsigned i = 0; i < LEN(row); i++) {
		fail_next(row[i].call, 0, row[i].err);
		assert_int_equal(link_open(&l, &conf, now_ns), -row[i].err);
		assert_true(fail_done());
		assert_int_equal(fail_open(), open_before);
	}
	l = NULL;
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_port),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_open_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
