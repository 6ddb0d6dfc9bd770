// SPDX-License-Identifier: Apache-2.0
/*
 * virt_conn.c - the door to libvirt: one connection, its events, its calls
 *
 * Theory of operation. Two threads: the control thread makes every call; the
 * event thread does nothing but run libvirt's event loop, whose callbacks leave
 * a uuid in a box and wake the control thread.
 *
 * Never for ever. Keepalive ends a call when libvirtd does not answer for 20 s
 * (4 times 5 s), but its timer is served by the event loop: in libvirt 9.0 a
 * call made on the loop's own thread is never ended, hence the second thread.
 * Keepalive can be set only on an open connection; so opening, which may hang
 * as well, is done on a thread of its own (virt_opener.c). What libvirtd does
 * answer, but late, is bounded by its own limit for a busy domain, 30 s.
 *
 * Not subscribed: REBOOT, which a guest can cause at will and which changes
 * neither process nor threads, and TUNABLE, which our own pins cause. libvirt
 * 9.0 says nothing when a vcpu is plugged.
 */
#include "virt_conn.h"

#include <errno.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hl/clock.h"
#include "hl/mbox.h"
#include "log.h"
#include "virt_opener.h"

#define RETRY_NS	(250 * NSEC_PER_MSEC) /* doubled up to RETRY_MAX_NS */
#define RETRY_MAX_NS	(8 * NSEC_PER_SEC)
#define KEEPALIVE_S	5
#define KEEPALIVE_COUNT 3
#define BOX_SLOTS	256u /* touched domains not yet looked at */

_Static_assert(VIRT_UUID_BYTES == VIR_UUID_BUFLEN, "libvirt's raw uuid");

enum { EVENT_LIFECYCLE, EVENT_ADDED, EVENT_REMOVED, EVENT_NUM };

struct virt_conn {
	struct mbox touched; /* raw uuids, event thread -> control thread */
	/* control thread */
	virConnectPtr conn;    /* NULL: away */
	struct opener *opener; /* NULL: no attempt under way */
	char *uri;
	void (*touch)(void *arg, const uint8_t *uuid);
	void *arg;
	int callback[EVENT_NUM]; /* -1: not registered */
	bool watched;		 /* the close callback is registered */
	unsigned tries, cpu_cnt;
	uint64_t retry_ns; /* no attempt before */
	/* constant while the event thread runs */
	int wake_fd, timer;
	pthread_t thread;
	/* both, atomic */
	bool lost;     /* the connection ended */
	bool overflow; /* the box was full: anything may have happened */
	bool stop;     /* the event thread shall end */
};

/* --- event thread -------------------------------------------------------- */

static int on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event,
			int detail, void *arg)
{
	unsigned char uuid[VIR_UUID_BUFLEN];
	struct virt_conn *c = arg;

	(void)conn;
	(void)event;
	(void)detail;
	if (virDomainGetUUID(dom, uuid) || !mbox_push(&c->touched, uuid))
		__atomic_store_n(&c->overflow, true, __ATOMIC_RELEASE);
	virt_conn_wake(c);
	return 0;
}

/* DEVICE_ADDED, DEVICE_REMOVED: perhaps a NIC, or the agent's channel. */
static void on_device(virConnectPtr conn, virDomainPtr dom, const char *alias,
		      void *arg)
{
	(void)alias;
	(void)on_lifecycle(conn, dom, 0, 0, arg);
}

static void on_lost(virConnectPtr conn, int reason, void *arg)
{
	struct virt_conn *c = arg;

	(void)conn;
	log_debug("libvirt closed the connection, reason %d", reason);
	__atomic_store_n(&c->lost, true, __ATOMIC_RELEASE);
	virt_conn_wake(c);
}

/* Only ends a round of the loop. */
static void on_timer(int timer, void *arg)
{
	(void)arg;
	virEventUpdateTimeout(timer, -1);
}

static void *event_run(void *arg)
{
	struct virt_conn *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE))
		if (virEventRunDefaultImpl() < 0)
			poll(NULL, 0, 100); /* broken: at least do not spin */
	return NULL;
}

static void quiet(void *arg, virErrorPtr err)
{
	(void)arg;
	if (err->message)
		log_debug("libvirt: %s", err->message);
}

/* Signals are for the control thread, whose wait they end. */
static int event_start(struct virt_conn *c)
{
	static bool registered; /* the event loop is the process's */
	sigset_t all, before;
	int err;

	virSetErrorFunc(NULL, quiet);
	if (virInitialize() < 0)
		return -EIO;
	if (!registered && virEventRegisterDefaultImpl() < 0)
		return -EIO;
	registered = true;
	c->timer = virEventAddTimeout(-1, on_timer, NULL, NULL);
	if (c->timer < 0)
		return -EIO;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&c->thread, NULL, event_run, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		virEventRemoveTimeout(c->timer);
	return -err;
}

static void event_stop(struct virt_conn *c)
{
	__atomic_store_n(&c->stop, true, __ATOMIC_RELEASE);
	virEventUpdateTimeout(c->timer, 0);
	pthread_join(c->thread, NULL);
	virEventRemoveTimeout(c->timer);
}

/* --- waiting ------------------------------------------------------------- */

void virt_conn_wait(struct virt_conn *c, int ms)
{
	struct pollfd p = { .fd = c->wake_fd, .events = POLLIN };
	uint8_t uuid[VIRT_UUID_BYTES];
	uint64_t count;

	if (poll(&p, 1, ms) > 0 && read(c->wake_fd, &count, sizeof(count)) < 0)
		return; /* cannot be: nobody else reads it */
	while (mbox_pop(&c->touched, uuid))
		c->touch(c->arg, uuid);
	if (__atomic_exchange_n(&c->overflow, false, __ATOMIC_ACQ_REL))
		c->touch(c->arg, NULL);
}

void virt_conn_wake(struct virt_conn *c)
{
	const uint64_t one = 1;
	int saved = errno; /* may be called in a signal handler */

	if (write(c->wake_fd, &one, sizeof(one)) < 0)
		errno = saved; /* the counter is full: it is awake */
}

/* --- the connection ------------------------------------------------------ */

static void *conn_open(const char *uri, char *why, size_t size)
{
	virConnectPtr conn = virConnectOpen(uri);

	if (!conn)
		snprintf(why, size, "%s", virGetLastErrorMessage());
	return conn;
}

static void conn_drop(void *conn)
{
	virConnectClose(conn);
}

/* Events make things quick; the sweep would find all of it. So a driver that
 * has none, or no keepalive (test:///), will do. */
static void subscribe(struct virt_conn *c)
{
	static const int id[EVENT_NUM] = {
		[EVENT_LIFECYCLE] = VIR_DOMAIN_EVENT_ID_LIFECYCLE,
		[EVENT_ADDED] = VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
		[EVENT_REMOVED] = VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
	};
	virConnectDomainEventGenericCallback fn[EVENT_NUM] = {
		[EVENT_LIFECYCLE] = VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle),
		[EVENT_ADDED] = VIR_DOMAIN_EVENT_CALLBACK(on_device),
		[EVENT_REMOVED] = VIR_DOMAIN_EVENT_CALLBACK(on_device),
	};

	c->watched =
	    !virConnectRegisterCloseCallback(c->conn, on_lost, c, NULL);
	if (virConnectSetKeepAlive(c->conn, KEEPALIVE_S, KEEPALIVE_COUNT))
		log_debug("libvirt: no keepalive: %s",
			  virGetLastErrorMessage());
	for (unsigned i = 0; i < EVENT_NUM; i++) {
		c->callback[i] = virConnectDomainEventRegisterAny(
		    c->conn, NULL, id[i], fn[i], c, NULL);
		if (c->callback[i] < 0)
			log_debug("libvirt: no event %d: %s", id[i],
				  virGetLastErrorMessage());
	}
}

static void link_up(struct virt_conn *c, virConnectPtr conn)
{
	int cpus;

	c->conn = conn;
	__atomic_store_n(&c->lost, false, __ATOMIC_RELEASE);
	subscribe(c);
	cpus = virNodeGetCPUMap(conn, NULL, NULL, 0);
	if (cpus <= 0)
		cpus = (int)sysconf(_SC_NPROCESSORS_CONF);
	c->cpu_cnt = cpus > 0 && cpus < CPU_MAX ? (unsigned)cpus : CPU_MAX;
}

static void link_drop(struct virt_conn *c)
{
	for (unsigned i = 0; i < EVENT_NUM; i++)
		if (c->callback[i] >= 0)
			virConnectDomainEventDeregisterAny(c->conn,
							   c->callback[i]);
	if (c->watched)
		virConnectUnregisterCloseCallback(c->conn, on_lost);
	virConnectClose(c->conn);
	c->conn = NULL;
}

static void retry_later(struct virt_conn *c, uint64_t now_ns)
{
	uint64_t ns = RETRY_NS << (c->tries < 8 ? c->tries : 8);

	c->tries++;
	c->retry_ns = now_ns + (ns < RETRY_MAX_NS ? ns : RETRY_MAX_NS);
}

/* Begin an attempt, if it is time. */
static void attempt(struct virt_conn *c, uint64_t now_ns)
{
	static const struct opener_ops ops = { conn_open, conn_drop };
	int err;

	if (now_ns < c->retry_ns)
		return;
	err = opener_start(&c->opener, &ops, c->uri, c->wake_fd);
	if (!err)
		return;
	c->opener = NULL;
	retry_later(c, now_ns);
	log_limited(LOG_LEVEL_WARN, "no thread to open libvirt with: %s",
		    strerror(-err));
}

enum virt_link virt_conn_step(struct virt_conn *c, uint64_t now_ns)
{
	char why[160];
	void *conn;

	if (virt_conn_is_up(c))
		return VIRT_LINK_SAME;
	if (c->conn) {
		link_drop(c);
		retry_later(c, now_ns);
		return VIRT_LINK_DOWN;
	}
	if (!c->opener) {
		attempt(c, now_ns);
		return VIRT_LINK_SAME;
	}
	if (!opener_take(c->opener, &conn, why, sizeof(why)))
		return VIRT_LINK_SAME;
	c->opener = NULL;
	if (conn) {
		link_up(c, conn);
		return VIRT_LINK_UP;
	}
	if (!c->tries)
		log_warn("libvirt does not answer at %s, trying again: %s",
			 c->uri, why);
	retry_later(c, now_ns);
	return VIRT_LINK_SAME;
}

bool virt_conn_is_up(const struct virt_conn *c)
{
	return c->conn && !__atomic_load_n(&c->lost, __ATOMIC_ACQUIRE);
}

bool virt_conn_is_opening(const struct virt_conn *c)
{
	return c->opener;
}

uint64_t virt_conn_retry_ns(const struct virt_conn *c)
{
	return c->retry_ns;
}

int virt_conn_open(struct virt_conn **out, const char *uri,
		   void (*touch)(void *arg, const uint8_t *uuid), void *arg)
{
	struct virt_conn *c = aligned_alloc(64, sizeof(*c));
	int err = -ENOMEM;

	if (!c)
		return -ENOMEM;
	memset(c, 0, sizeof(*c));
	c->touch = touch;
	c->arg = arg;
	c->uri = strdup(uri);
	if (!c->uri)
		goto err_free;
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wake_fd < 0) {
		err = -errno;
		goto err_uri;
	}
	err = mbox_init(&c->touched, BOX_SLOTS, VIRT_UUID_BYTES);
	if (err)
		goto err_wake;
	err = event_start(c);
	if (err)
		goto err_mbox;
	*out = c;
	return 0;

err_mbox:
	mbox_exit(&c->touched);
err_wake:
	close(c->wake_fd);
err_uri:
	free(c->uri);
err_free:
	free(c);
	return err;
}

void virt_conn_close(struct virt_conn *c)
{
	if (c->conn)
		link_drop(c);
	if (c->opener)
		opener_leave(c->opener);
	event_stop(c);
	mbox_exit(&c->touched);
	close(c->wake_fd);
	free(c->uri);
	free(c);
}

/* --- calls --------------------------------------------------------------- */

/* What the last error means. */
static int error_of(struct virt_conn *c)
{
	if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
		return -ESRCH;
	if (virConnectIsAlive(c->conn) != 1)
		__atomic_store_n(&c->lost, true, __ATOMIC_RELEASE);
	return virt_conn_is_up(c) ? -EIO : -ENOTCONN;
}

static int find(struct virt_conn *c, const uint8_t *uuid, virDomainPtr *out)
{
	if (!virt_conn_is_up(c))
		return -ENOTCONN;
	*out = virDomainLookupByUUID(c->conn, uuid);
	return *out ? 0 : error_of(c);
}

int virt_conn_list(struct virt_conn *c,
		   void (*fn)(void *arg, const struct virt_listed *d),
		   void *arg)
{
	virDomainPtr *list = NULL;
	int cnt;

	if (!virt_conn_is_up(c))
		return -ENOTCONN;
	cnt = virConnectListAllDomains(c->conn, &list, 0);
	if (cnt < 0)
		return error_of(c);
	c->tries = 0; /* it works: a later loss is a new story */
	for (int i = 0; i < cnt; i++) {
		struct virt_listed d = { .name = virDomainGetName(list[i]) };

		d.id = virDomainGetID(list[i]);
		if (d.name && !virDomainGetUUID(list[i], d.uuid))
			fn(arg, &d);
		virDomainFree(list[i]);
	}
	free(list);
	return 0;
}

static int look(struct virt_conn *c, virDomainPtr dom, struct virt_looked *out)
{
	const char *name = virDomainGetName(dom);
	int active, persistent, err;

	if (!name || virDomainGetUUIDString(dom, out->uuid))
		return -EIO;
	out->id = virDomainGetID(dom);
	out->xml = virDomainGetXMLDesc(dom, 0);
	if (!out->xml)
		return error_of(c);
	active = virDomainIsActive(dom);
	persistent = active < 0 ? -1 : virDomainIsPersistent(dom);
	if (persistent < 0) {
		err = error_of(c);
		goto err_xml;
	}
	out->active = active;
	out->persistent = persistent;
	out->name = strdup(name);
	if (out->name)
		return 0;
	err = -ENOMEM;
err_xml:
	free(out->xml);
	return err;
}

int virt_conn_look(struct virt_conn *c, const uint8_t *uuid,
		   struct virt_looked *out)
{
	virDomainPtr dom;
	int err = find(c, uuid, &dom);

	if (err)
		return err;
	err = look(c, dom, out);
	virDomainFree(dom);
	return err;
}

/* While a domain starts, or waits for a socket, libvirt has a job on it. */
static int ask(struct virt_conn *c, virDomainPtr dom, char **text)
{
	int state = VIR_DOMAIN_NOSTATE, reason;

	if (virDomainGetState(dom, &state, &reason, 0))
		return error_of(c);
	if (state != VIR_DOMAIN_RUNNING)
		return -EAGAIN;
	if (virDomainQemuMonitorCommand(dom, "info cpus", text,
					VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP))
		return error_of(c);
	return 0;
}

int virt_conn_cpus(struct virt_conn *c, const uint8_t *uuid, char **text)
{
	virDomainPtr dom;
	int err = find(c, uuid, &dom);

	if (err)
		return err;
	err = ask(c, dom, text);
	virDomainFree(dom);
	return err;
}

static int pin_error(struct virt_conn *c)
{
	int code = virGetLastErrorCode();

	if (code == VIR_ERR_OPERATION_INVALID || code == VIR_ERR_INVALID_ARG)
		return -ESRCH; /* the VM does not run, or has no such vcpu */
	return error_of(c);
}

int virt_conn_pin(struct virt_conn *c, const uint8_t *uuid, unsigned index,
		  const struct cpumask *mask)
{
	struct cpumask map = { 0 };
	virDomainPtr dom;
	int err = find(c, uuid, &dom);

	if (err)
		return err;
	cpumask_for_each (cpu, mask)
		if (cpu < c->cpu_cnt)
			cpumask_set(&map, cpu);
	if (cpumask_empty(&map))
		err = -EINVAL;
	else if (virDomainPinVcpuFlags(dom, index, (unsigned char *)map.word,
				       VIR_CPU_MAPLEN((int)c->cpu_cnt),
				       VIR_DOMAIN_AFFECT_LIVE))
		err = pin_error(c);
	virDomainFree(dom);
	return err;
}

int virt_conn_pinned(struct virt_conn *c, const uint8_t *uuid, unsigned index,
		     struct cpumask *mask)
{
	size_t bytes = VIR_CPU_MAPLEN(c->cpu_cnt);
	unsigned char *maps;
	virDomainPtr dom;
	int rows, err = find(c, uuid, &dom);

	if (err)
		return err;
	/* One call for all vcpus up to this one: take the last row. */
	maps = calloc(index + 1, bytes);
	if (!maps) {
		err = -ENOMEM;
		goto out_dom;
	}
	rows = virDomainGetVcpuPinInfo(dom, (int)index + 1, maps, (int)bytes,
				       VIR_DOMAIN_AFFECT_LIVE);
	memset(mask, 0, sizeof(*mask));
	if (rows < 0)
		err = pin_error(c);
	else if (rows <= (int)index)
		err = -ESRCH;
	else
		memcpy(mask->word, maps + index * bytes, bytes);
	free(maps);
out_dom:
	virDomainFree(dom);
	return err;
}
