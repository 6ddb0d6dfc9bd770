/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_port_vhost.c - a VM's NIC against a librte_vhost made for the test
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/fake/fake_vhost.h"
#include "vhost/port_vhost.h"

#define BIT(n)	  (1ull << (n))
#define EVENT_IDX BIT(VIRTIO_RING_F_EVENT_IDX)
#define RING	  8

static char dir[] = "/tmp/test_port_vhost.XXXXXX";
static char path[64];
static unsigned wakes;

static void wake(void *arg)
{
	assert_ptr_equal(arg, &wakes);
	__atomic_fetch_add(&wakes, 1, __ATOMIC_RELAXED);
}

static struct port_vhost_conf conf_default(void)
{
	return (struct port_vhost_conf){
		.name = "vm1",
		.path = path,
		.vm = 7,
		.mode = 0660,
		.wake = wake,
		.wake_arg = &wakes,
	};
}

static struct port *open_default(void)
{
	struct port_vhost_conf conf = conf_default();
	struct port *p;

	assert_int_equal(port_vhost_open(&p, &conf), 0);
	return p;
}

static int setup(void **state)
{
	(void)state;
	fake_reset(RING);
	wakes = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_done();
	return 0;
}

static unsigned fds_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* --- the socket ---------------------------------------------------------- */

static void open_undoes_what_it_did(void **state)
{
	static const struct {
		const char *what, *fail, *group;
		int err;
		const char *calls;
	} row[] = {
		{ "register", "register", NULL, -EPERM, "register" },
		{ "features", "disable", NULL, -EPERM,
		  "register disable unregister" },
		{ "callbacks", "callbacks", NULL, -EPERM,
		  "register disable callbacks unregister" },
		{ "start", "start", NULL, -EPERM,
		  "register disable callbacks start unregister" },
		{ "unknown group", NULL, "no-such-group", -ENOENT,
		  "register disable callbacks start unregister" },
	};
	unsigned before = fds_open();
	struct port_vhost_conf conf;
	struct port *p;

	(void)state;
	for (unsigned i = 0; i < RTE_DIM(row); i++) {
		print_message("%s\n", row[i].what);
		fake.calls[0] = '\0';
		fake.fail = row[i].fail;
		conf = conf_default();
		conf.group = row[i].group;
		assert_int_equal(port_vhost_open(&p, &conf), row[i].err);
		assert_string_equal(fake.calls, row[i].calls);
		assert_int_not_equal(access(path, F_OK), 0);
		assert_int_equal(fds_open(), before);
	}
	/* No port is left for a device to find. */
	assert_int_equal(fake_device_up(3, 0), -1);
}

static int listen_at(const char *at)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", at);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 0), 0);
	return fd;
}

static void only_left_overs_are_removed(void **state)
{
	enum before { NOTHING, STALE, SERVED, FULL, FILE_THERE };
	static const struct {
		const char *what;
		enum before before;
		bool client;
		int err;
	} row[] = {
		{ "nothing there", NOTHING, false, 0 },
		{ "a stale socket", STALE, false, 0 },
		{ "a served socket", SERVED, false, -EADDRINUSE },
		{ "a served socket, backlog full", FULL, false, -EADDRINUSE },
		{ "a file", FILE_THERE, false, -EEXIST },
		{ "client: QEMU serves it", SERVED, true, 0 },
		{ "client: QEMU is not there yet", NOTHING, true, 0 },
	};
	struct port_vhost_conf conf;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct port *p;
	int fd, full;

	(void)state;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	for (unsigned i = 0; i < RTE_DIM(row); i++) {
		print_message("%s\n", row[i].what);
		fd = full = -1;
		if (row[i].before == FILE_THERE)
			fd = open(path, O_CREAT | O_WRONLY, 0600);
		else if (row[i].before != NOTHING)
			fd = listen_at(path);
		if (row[i].before == STALE)
			close(fd);
		if (row[i].before == FULL) {
			full = socket(AF_UNIX, SOCK_STREAM, 0);
			assert_int_equal(connect(full, (void *)&un, sizeof(un)),
					 0);
		}
		conf = conf_default();
		conf.client = row[i].client;
		assert_int_equal(port_vhost_open(&p, &conf), row[i].err);
		assert_int_equal(fake.flags & RTE_VHOST_USER_CLIENT,
				 row[i].client ? RTE_VHOST_USER_CLIENT : 0);
		if (row[i].err) /* what is not ours stays */
			assert_int_equal(access(path, F_OK), 0);
		else
			p->ops->close(p);
		if (row[i].before != NOTHING && row[i].before != STALE)
			close(fd);
		if (full >= 0)
			close(full);
		unlink(path);
	}
}

static void impossible_paths(void **state)
{
	char at[200];
	struct port_vhost_conf conf = conf_default();
	struct port *p;

	(void)state;
	conf.path = at;
	memset(at, 'x', sizeof(at));
	at[0] = '/';
	at[108] = '\0';
	assert_int_equal(port_vhost_open(&p, &conf), -ENAMETOOLONG);
	snprintf(at, sizeof(at), "%s/none/sock", dir);
	assert_int_equal(port_vhost_open(&p, &conf), -ENOENT);
	assert_string_equal(fake.calls, ""); /* rte_vhost was not asked */
}

static void nobody_gets_in_before_group_and_mode(void **state)
{
	struct port_vhost_conf conf = conf_default();
	struct group *group = getgrgid(getgid());
	mode_t before = umask(0002);
	struct stat st;
	struct port *p;

	(void)state;
	assert_non_null(group);
	conf.group = group->gr_name;
	assert_int_equal(port_vhost_open(&p, &conf), 0);
	assert_int_equal(fake.bind_umask, 0077);
	assert_int_equal(umask(before), 0002); /* as it was */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(st.st_gid, getgid());
	p->ops->close(p);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void features(void **state)
{
	static const struct {
		const char *what;
		unsigned bit;
		bool off;
	} row[] = {
		{ "packed ring", VIRTIO_F_RING_PACKED, true },
		{ "checksum from guest", VIRTIO_NET_F_CSUM, true },
		{ "checksum to guest", VIRTIO_NET_F_GUEST_CSUM, true },
		{ "TSO from guest", VIRTIO_NET_F_HOST_TSO4, true },
		{ "TSO to guest", VIRTIO_NET_F_GUEST_TSO6, true },
		{ "UFO to guest", VIRTIO_NET_F_GUEST_UFO, true },
		{ "control queue", VIRTIO_NET_F_CTRL_VQ, true },
		{ "more queues, needs control", VIRTIO_NET_F_MQ, true },
		{ "announce, needs control", VIRTIO_NET_F_GUEST_ANNOUNCE,
		  true },
		{ "mergeable buffers", VIRTIO_NET_F_MRG_RXBUF, false },
		{ "event index", VIRTIO_RING_F_EVENT_IDX, false },
		{ "indirect", VIRTIO_RING_F_INDIRECT_DESC, false },
		{ "virtio 1", VIRTIO_F_VERSION_1, false },
		{ "MTU", VIRTIO_NET_F_MTU, false },
		{ "migration", VHOST_F_LOG_ALL, false },
	};
	struct port *p = open_default();

	(void)state;
	for (unsigned i = 0; i < RTE_DIM(row); i++) {
		print_message("%s\n", row[i].what);
		assert_int_equal(!!(fake.features_off & BIT(row[i].bit)),
				 row[i].off);
	}
	p->ops->close(p);
}

/* --- a device ------------------------------------------------------------ */

static struct rte_mbuf *frames[FAKE_FRAMES]; /* nobody looks inside */

static void nothing_works_without_a_driver(struct port *p)
{
	struct rte_mbuf *got[PORT_BURST];

	assert_int_equal(p->ops->pull(p, got, PORT_BURST), 0);
	assert_int_equal(p->ops->push(p, frames, 4, 0), 0);
	p->ops->watch(p, 1000, NULL);
	assert_false(p->signal.up);
	assert_int_equal(p->signal.untaken, 0);
	assert_int_equal(p->signal.delay_ns, 0);
	assert_false(p->ops->arm(p, true));
	assert_false(p->ops->arm(p, false));
	assert_int_equal(p->ops->fd(p), -1);
	assert_int_equal(fake.misused, 0);
}

static void a_driver_comes_and_goes(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
	static const int vids[] = { 5, 5, 0, RTE_MAX_VHOST_DEVICE - 1 };
	struct port_vhost_conf conf = conf_default();
	struct rte_mbuf *got[PORT_BURST];
	uint32_t gen;
	unsigned woken;
	struct port *p;

	(void)state;
	conf.mac = mac;
	assert_int_equal(port_vhost_open(&p, &conf), 0);
	assert_string_equal(p->name, "vm1");
	assert_int_equal(p->vm, 7);
	assert_true(p->mac_check);
	assert_memory_equal(p->mac, mac, sizeof(mac));
	for (unsigned i = 0; i < RTE_DIM(vids); i++) {
		nothing_works_without_a_driver(p);
		gen = p->fd_gen;
		woken = wakes;
		assert_int_equal(fake_device_up(vids[i], EVENT_IDX), 0);
		assert_true(wakes > woken);
		fake.from_cnt = 3;
		assert_int_equal(p->ops->pull(p, got, 2), 2);
		assert_int_equal(p->ops->pull(p, got, 2), 1);
		assert_true(p->signal.up);
		assert_int_equal(p->ops->fd(p), fake.kick_fd);
		assert_true(p->fd_gen != gen);
		/* A second QEMU on this socket has to wait. */
		assert_int_equal(fake.ops->new_device(500), -1);
		assert_true(p->signal.up);
		woken = wakes;
		fake_device_down();
		assert_true(wakes > woken);
	}
	nothing_works_without_a_driver(p);
	p->ops->close(p);
}

static void a_device_without_port_is_refused(void **state)
{
	struct port *p = open_default();

	(void)state;
	snprintf(fake.path, sizeof(fake.path), "/somewhere/else");
	assert_int_equal(fake_device_up(1, 0), -1);
	snprintf(fake.path, sizeof(fake.path), "%s", path);
	fake.fail = "extern";
	assert_int_equal(fake_device_up(1, 0), -1);
	nothing_works_without_a_driver(p);
	fake.fail = NULL;
	assert_int_equal(fake_device_up(1, 0), 0);
	p->ops->close(p); /* with the driver still there */
	assert_int_equal(fake.misused, 0);
}

static void push_gives_what_fits(void **state)
{
	struct port *p = open_default();

	(void)state;
	assert_int_equal(fake_device_up(0, 0), 0);
	assert_int_equal(p->ops->push(p, frames, 4, 0), 0); /* none posted */
	fake_posts(6);
	assert_int_equal(p->ops->push(p, frames, 4, 0), 4);
	assert_int_equal(fake.freed, 4);
	fake.notify_guest = true;
	assert_int_equal(p->ops->push(p, frames, 4, 0), 2);
	assert_int_equal(fake.freed, 6);
	assert_int_equal(p->count.kicks, 1);
	p->ops->close(p);
}

/* A large ring takes more than one burst of the library in one push. */
static void push_goes_on_past_a_burst(void **state)
{
	struct port *p = open_default();

	(void)state;
	fake.size = 128;
	assert_int_equal(fake_device_up(0, 0), 0);
	fake_posts(50);
	assert_int_equal(p->ops->push(p, frames, FAKE_FRAMES, 0), 50);
	assert_int_equal(fake.freed, 50);
	p->ops->close(p);
}

/* Three frames given at 100 ns to a ring of 8, looked at at 400 ns. */
static void watch_sees_the_guest(void **state)
{
	static const struct {
		const char *what;
		uint64_t features;
		uint16_t used_event, posts;
		uint16_t untaken;
		uint64_t delay_ns;
	} row[] = {
		{ "asleep", EVENT_IDX, 0, 0, 3, 300 },
		{ "took one, asks for more", EVENT_IDX, 1, 0, 2, 300 },
		{ "took all", EVENT_IDX, 3, 0, 0, 0 },
		{ "polls: posted two again", EVENT_IDX, 0, 2, 1, 300 },
		{ "no EVENT_IDX: posted three", 0, 1, 3, 0, 0 },
		{ "no EVENT_IDX: only says so", 0, 3, 0, 3, 300 },
		{ "lie: took what it was not given", EVENT_IDX, 4, 0, 3, 300 },
		{ "lie: far away", EVENT_IDX, 40000, 0, 3, 300 },
		{ "lie: posted a whole ring again", EVENT_IDX, 0, 8, 3, 300 },
	};
	struct score *s = calloc(1, sizeof(*s));
	struct port *p = open_default();

	(void)state;
	assert_non_null(s);
	for (unsigned i = 0; i < RTE_DIM(row); i++) {
		print_message("%s\n", row[i].what);
		memset(fake.rings, 0, sizeof(*fake.rings));
		fake.last_used = 0;
		hist_reset(&s->hist);
		assert_int_equal(fake_device_up(0, row[i].features), 0);
		fake_posts(RING);
		assert_int_equal(p->ops->push(p, frames, 3, 100), 3);
		fake_posts(row[i].posts);
		fake.rings->to_avail.ring[RING] = row[i].used_event;
		p->ops->watch(p, 400, s);
		assert_int_equal(p->signal.untaken, row[i].untaken);
		assert_int_equal(p->signal.delay_ns, row[i].delay_ns);
		assert_int_equal(s->hist.count, 3 - row[i].untaken);
		fake_device_down();
		p->ops->watch(p, 500, s);
		assert_int_equal(p->signal.untaken, 0);
		assert_int_equal(p->signal.delay_ns, 0);
	}
	p->ops->close(p);
	free(s);
}

static void messages(void **state)
{
	struct port *p = open_default();
	unsigned woken;
	uint32_t gen;

	(void)state;
	assert_int_equal(fake_device_up(0, EVENT_IDX), 0);
	fake_posts(RING);
	assert_int_equal(p->ops->push(p, frames, 3, 100), 3);

	print_message("memory moves: stamps survive, pointers do not\n");
	gen = p->fd_gen;
	fake_message(FAKE_MSG_REMAP);
	fake.rings->to_avail.ring[RING] = 1;
	p->ops->watch(p, 400, NULL);
	assert_int_equal(p->signal.untaken, 2);
	assert_int_equal(p->signal.delay_ns, 300);
	assert_int_equal(p->ops->fd(p), fake.kick_fd);
	assert_true(p->fd_gen != gen);

	print_message("an interrupt is masked: the port stays up\n");
	woken = wakes;
	fake_message(FAKE_MSG_FLAP);
	assert_int_equal(wakes, woken + 1); /* for its end, not for up, down */
	assert_int_equal(p->ops->push(p, frames, 1, 150), 1);
	assert_true(p->signal.up);

	print_message("within a message: old values, no pointer followed\n");
	fake.extern_ops->pre_msg_handle(0, NULL);
	assert_int_equal(mprotect(fake.rings, sizeof(*fake.rings), PROT_NONE),
			 0);
	p->ops->watch(p, 500, NULL);
	assert_int_equal(p->signal.delay_ns, 300);
	assert_false(p->ops->arm(p, true));
	assert_int_equal(p->ops->fd(p), -1);
	assert_int_equal(
	    mprotect(fake.rings, sizeof(*fake.rings), PROT_READ | PROT_WRITE),
	    0);
	fake.extern_ops->post_msg_handle(0, NULL);
	p->ops->watch(p, 500, NULL);
	assert_int_equal(p->signal.delay_ns, 400);

	print_message("a queue off between messages: down\n");
	fake.ops->vring_state_changed(0, 1, 0);
	p->ops->watch(p, 500, NULL);
	assert_false(p->signal.up);
	fake.ops->vring_state_changed(0, 1, 1);
	p->ops->watch(p, 500, NULL);
	assert_true(p->signal.up);

	print_message("a message that failed: told at the next one\n");
	fake_message(FAKE_MSG_FAILS);
	fake_message(FAKE_MSG_NOTHING);
	p->ops->watch(p, 500, NULL);
	assert_false(p->signal.up);

	print_message("another ring size under way: not followed\n");
	fake.size = 2 * RING;
	fake_message(FAKE_MSG_NOTHING);
	assert_int_equal(p->ops->fd(p), -1);
	fake_device_down();
	assert_int_equal(fake_device_up(0, EVENT_IDX), 0);
	assert_int_equal(p->ops->fd(p), fake.kick_fd);
	p->ops->watch(p, 600, NULL);
	assert_int_equal(p->signal.untaken, 0);
	p->ops->close(p);
}

static void arm_asks_and_looks_again(void **state)
{
	struct port *p = open_default();

	(void)state;
	assert_int_equal(fake_device_up(0, EVENT_IDX), 0);
	assert_false(p->ops->arm(p, true));
	assert_int_equal(fake.asked, 1);
	assert_false(p->ops->arm(p, false));
	assert_int_equal(fake.asked, 0);
	fake.rings->from_avail.head.idx = 1; /* a frame before the question */
	assert_true(p->ops->arm(p, true));
	assert_false(p->ops->arm(p, false));
	p->ops->close(p);
}

/* --- both threads -------------------------------------------------------- */

struct poller {
	struct port *port;
	bool stop;
};

static void *poll_main(void *arg)
{
	struct poller *t = arg;
	struct rte_mbuf *got[PORT_BURST];
	struct port *p = t->port;

	for (uint64_t now_ns = 1; !__atomic_load_n(&t->stop, __ATOMIC_RELAXED);
	     now_ns++) {
		p->ops->pull(p, got, PORT_BURST);
		p->ops->push(p, frames, 5, now_ns);
		p->ops->watch(p, now_ns, NULL);
		p->ops->arm(p, now_ns & 1);
		p->ops->fd(p);
	}
	return NULL;
}

/* Rings are unmapped under a poll thread that never stops: neither a stale
 * pointer, nor a dead device, nor a deadlock with the queues' lock held. */
static void the_poll_thread_never_sees_stale_memory(void **state)
{
	struct poller t = { .port = open_default() };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, poll_main, &t), 0);
	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(fake_device_up((int)i % 3, EVENT_IDX), 0);
		for (unsigned k = 0; k < 10; k++) {
			fake_message(k & 1 ? FAKE_MSG_REMAP : FAKE_MSG_FLAP);
			fake_posts(RING);
		}
		fake_device_down();
	}
	__atomic_store_n(&t.stop, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(fake.misused, 0);
	t.port->ops->close(t.port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(open_undoes_what_it_did),
		T(only_left_overs_are_removed),
		T(impossible_paths),
		T(nobody_gets_in_before_group_and_mode),
		T(features),
		T(a_driver_comes_and_goes),
		T(a_device_without_port_is_refused),
		T(push_gives_what_fits),
		T(push_goes_on_past_a_burst),
		T(watch_sees_the_guest),
		T(messages),
		T(arm_asks_and_looks_again),
		T(the_poll_thread_never_sees_stale_memory),
	};
	int failed;

	alarm(60); /* a deadlock ends the test */
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/sock", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return failed;
}
