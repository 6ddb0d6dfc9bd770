// SPDX-License-Identifier: Apache-2.0
/*
 * fake_libvirt.c - a libvirt made of tables, and a clock that can be set
 *
 * The event loop is a queue: virEventRunDefaultImpl() waits for one entry and
 * calls back, on whatever thread calls it, under one mutex.
 */
#include "fake_libvirt.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DOMAINS 2048
#define QUEUE	4096

struct _virConnect {
	bool alive;
};

struct _virDomain {
	struct fake_domain *d;
};

enum entry { ENTRY_LIFECYCLE, ENTRY_DEVICE, ENTRY_CLOSE };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct fake_domain *domain;
	unsigned domain_cnt;
	bool away;
	virConnectPtr conn;
	unsigned calls, fail_at, opens, refs;
	int pin_code;
	/* event loop */
	struct {
		enum entry kind;
		struct fake_domain *d;
	} queue[QUEUE];
	unsigned head, tail;
	bool timer_due;
	virEventTimeoutCallback on_timer;
	virConnectCloseFunc on_close;
	void *close_arg;
	struct {
		virConnectDomainEventGenericCallback fn;
		void *arg;
		int event;
	} callback[8];
	unsigned callback_cnt;
	uint64_t ahead_ns;
} fake = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

static __thread int last_code;

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int err = __real_clock_gettime(id, ts);
	uint64_t ns = (uint64_t)ts->tv_nsec +
		      __atomic_load_n(&fake.ahead_ns, __ATOMIC_RELAXED);

	ts->tv_sec += (time_t)(ns / 1000000000);
	ts->tv_nsec = (long)(ns % 1000000000);
	return err;
}

void fake_advance(uint64_t ns)
{
	__atomic_add_fetch(&fake.ahead_ns, ns, __ATOMIC_RELAXED);
}

/* --- the test's side ----------------------------------------------------- */

void fake_reset(void)
{
	if (!fake.domain)
		fake.domain = calloc(DOMAINS, sizeof(*fake.domain));
	memset(fake.domain, 0, DOMAINS * sizeof(*fake.domain));
	fake.domain_cnt = 0;
	fake.away = false;
	fake.calls = fake.fail_at = fake.opens = fake.refs = 0;
	fake.pin_code = 0;
	fake.head = fake.tail = 0;
	fake.timer_due = false;
}

struct fake_domain *fake_domain(const char *name, unsigned number)
{
	struct fake_domain *d = &fake.domain[fake.domain_cnt++];

	snprintf(d->name, sizeof(d->name), "%s", name);
	d->uuid[14] = (unsigned char)(number >> 8);
	d->uuid[15] = (unsigned char)number;
	snprintf(d->uuid_text, sizeof(d->uuid_text),
		 "00000000-0000-0000-0000-%012x", number);
	d->id = FAKE_ID_NONE;
	snprintf(d->xml, sizeof(d->xml), "<domain><vcpu>%u</vcpu></domain>",
		 FAKE_VCPUS);
	d->vcpu_cnt = FAKE_VCPUS;
	for (unsigned i = 0; i < FAKE_VCPUS; i++)
		for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++)
			cpumask_set(&d->pin[i], cpu);
	return d;
}

static void enqueue(enum entry kind, const struct fake_domain *d)
{
	pthread_mutex_lock(&fake.lock);
	if (fake.tail - fake.head < QUEUE) {
		fake.queue[fake.tail % QUEUE].kind = kind;
		fake.queue[fake.tail++ % QUEUE].d = (struct fake_domain *)d;
	}
	pthread_cond_broadcast(&fake.changed);
	/* Until the loop has taken it, so that a test need not sleep. */
	while (fake.head != fake.tail)
		pthread_cond_wait(&fake.changed, &fake.lock);
	pthread_mutex_unlock(&fake.lock);
}

void fake_event(const struct fake_domain *d)
{
	enqueue(ENTRY_LIFECYCLE, d);
}

void fake_device(const struct fake_domain *d)
{
	enqueue(ENTRY_DEVICE, d);
}

void fake_there(bool there)
{
	__atomic_store_n(&fake.away, !there, __ATOMIC_SEQ_CST);
	if (there || !fake.conn)
		return;
	fake.conn->alive = false;
	enqueue(ENTRY_CLOSE, NULL);
}

void fake_fail_at(unsigned n)
{
	fake.calls = 0;
	fake.fail_at = n;
}

void fake_fail_with(int code)
{
	fake.pin_code = code;
}

unsigned fake_calls(void)
{
	return fake.calls;
}

unsigned fake_opens(void)
{
	return __atomic_load_n(&fake.opens, __ATOMIC_SEQ_CST);
}

unsigned fake_refs(void)
{
	return fake.refs;
}

/* --- failing ------------------------------------------------------------- */

static bool fails(virConnectPtr conn)
{
	last_code = VIR_ERR_OK;
	if (++fake.calls == fake.fail_at || (conn && !conn->alive))
		last_code = VIR_ERR_INTERNAL_ERROR;
	return last_code != VIR_ERR_OK;
}

int virGetLastErrorCode(void)
{
	return last_code;
}

const char *virGetLastErrorMessage(void)
{
	return "scripted";
}

void virSetErrorFunc(void *arg, virErrorFunc handler)
{
	(void)arg;
	(void)handler;
}

/* --- event loop ---------------------------------------------------------- */

int virInitialize(void)
{
	return fails(NULL) ? -1 : 0;
}

int virEventRegisterDefaultImpl(void)
{
	return fails(NULL) ? -1 : 0;
}

int virEventAddTimeout(int ms, virEventTimeoutCallback cb, void *arg,
		       virFreeCallback free_arg)
{
	(void)ms;
	(void)arg;
	(void)free_arg;
	if (fails(NULL))
		return -1;
	fake.on_timer = cb;
	return 1;
}

void virEventUpdateTimeout(int timer, int ms)
{
	(void)timer;
	pthread_mutex_lock(&fake.lock);
	fake.timer_due = ms >= 0;
	pthread_cond_broadcast(&fake.changed);
	pthread_mutex_unlock(&fake.lock);
}

int virEventRemoveTimeout(int timer)
{
	(void)timer;
	return 0;
}

static void call_back(enum entry kind, struct fake_domain *d)
{
	struct _virDomain dom = { .d = d };

	if (kind == ENTRY_CLOSE && fake.on_close)
		fake.on_close(fake.conn, VIR_CONNECT_CLOSE_REASON_EOF,
			      fake.close_arg);
	for (unsigned i = 0; i < 8; i++) {
		int event = fake.callback[i].event;

		if (!fake.callback[i].fn)
			continue;
		if (kind == ENTRY_LIFECYCLE &&
		    event == VIR_DOMAIN_EVENT_ID_LIFECYCLE)
			((virConnectDomainEventCallback)(void (*)(void))fake
			     .callback[i]
			     .fn)(fake.conn, &dom, 0, 0, fake.callback[i].arg);
		if (kind == ENTRY_DEVICE &&
		    event == VIR_DOMAIN_EVENT_ID_DEVICE_ADDED)
			((virConnectDomainEventDeviceAddedCallback)(void (*)(
			    void))fake.callback[i]
			     .fn)(fake.conn, &dom, "net0",
				  fake.callback[i].arg);
	}
}

int virEventRunDefaultImpl(void)
{
	pthread_mutex_lock(&fake.lock);
	while (fake.head == fake.tail && !fake.timer_due)
		pthread_cond_wait(&fake.changed, &fake.lock);
	if (fake.timer_due) {
		pthread_mutex_unlock(&fake.lock);
		fake.on_timer(1, NULL);
		return 0;
	}
	call_back(fake.queue[fake.head % QUEUE].kind,
		  fake.queue[fake.head % QUEUE].d);
	fake.head++;
	pthread_cond_broadcast(&fake.changed);
	pthread_mutex_unlock(&fake.lock);
	return 0;
}

/* --- connection ---------------------------------------------------------- */

virConnectPtr virConnectOpen(const char *uri)
{
	virConnectPtr conn;

	(void)uri;
	__atomic_add_fetch(&fake.opens, 1, __ATOMIC_SEQ_CST);
	if (fails(NULL) || __atomic_load_n(&fake.away, __ATOMIC_SEQ_CST))
		return NULL;
	conn = calloc(1, sizeof(*conn));
	conn->alive = true;
	fake.conn = conn;
	fake.refs++;
	return conn;
}

int virConnectClose(virConnectPtr conn)
{
	if (fake.conn == conn)
		fake.conn = NULL;
	fake.refs--;
	free(conn);
	return 0;
}

int virConnectIsAlive(virConnectPtr conn)
{
	return conn->alive;
}

int virConnectSetKeepAlive(virConnectPtr conn, int interval, unsigned count)
{
	(void)interval;
	(void)count;
	return fails(conn) ? -1 : 0;
}

int virConnectRegisterCloseCallback(virConnectPtr conn, virConnectCloseFunc cb,
				    void *arg, virFreeCallback free_arg)
{
	(void)free_arg;
	if (fails(conn))
		return -1;
	fake.on_close = cb;
	fake.close_arg = arg;
	fake.refs++;
	return 0;
}

int virConnectUnregisterCloseCallback(virConnectPtr conn,
				      virConnectCloseFunc cb)
{
	(void)conn;
	(void)cb;
	fake.on_close = NULL;
	fake.refs--;
	return 0;
}

int virConnectDomainEventRegisterAny(virConnectPtr conn, virDomainPtr dom,
				     int event,
				     virConnectDomainEventGenericCallback cb,
				     void *arg, virFreeCallback free_arg)
{
	unsigned i = 0;

	(void)dom;
	(void)free_arg;
	if (fails(conn))
		return -1;
	while (fake.callback[i].fn)
		i++;
	fake.callback[i].fn = cb;
	fake.callback[i].arg = arg;
	fake.callback[i].event = event;
	fake.refs++;
	return (int)i;
}

int virConnectDomainEventDeregisterAny(virConnectPtr conn, int id)
{
	(void)conn;
	fake.callback[id].fn = NULL;
	fake.refs--;
	return 0;
}

int virNodeGetCPUMap(virConnectPtr conn, unsigned char **map, unsigned *online,
		     unsigned flags)
{
	(void)map;
	(void)online;
	(void)flags;
	return fails(conn) ? -1 : FAKE_CPUS;
}

/* --- domains ------------------------------------------------------------- */

static virDomainPtr handle(struct fake_domain *d)
{
	virDomainPtr dom = calloc(1, sizeof(*dom));

	dom->d = d;
	fake.refs++;
	return dom;
}

int virDomainFree(virDomainPtr dom)
{
	fake.refs--;
	free(dom);
	return 0;
}

int virConnectListAllDomains(virConnectPtr conn, virDomainPtr **list,
			     unsigned flags)
{
	int cnt = 0;

	(void)flags;
	if (fails(conn))
		return -1;
	*list = calloc(fake.domain_cnt + 1, sizeof(**list));
	for (unsigned i = 0; i < fake.domain_cnt; i++)
		if (!fake.domain[i].gone)
			(*list)[cnt++] = handle(&fake.domain[i]);
	return cnt;
}

virDomainPtr virDomainLookupByUUID(virConnectPtr conn,
				   const unsigned char *uuid)
{
	if (fails(conn))
		return NULL;
	for (unsigned i = 0; i < fake.domain_cnt; i++) {
		struct fake_domain *d = &fake.domain[i];

		if (!d->gone && !d->ghost && !memcmp(d->uuid, uuid, 16))
			return handle(d);
	}
	last_code = VIR_ERR_NO_DOMAIN;
	return NULL;
}

const char *virDomainGetName(virDomainPtr dom)
{
	return dom->d->name;
}

int virDomainGetUUID(virDomainPtr dom, unsigned char *uuid)
{
	memcpy(uuid, dom->d->uuid, 16);
	return 0;
}

int virDomainGetUUIDString(virDomainPtr dom, char *text)
{
	strcpy(text, dom->d->uuid_text);
	return 0;
}

unsigned virDomainGetID(virDomainPtr dom)
{
	return dom->d->id;
}

char *virDomainGetXMLDesc(virDomainPtr dom, unsigned flags)
{
	(void)flags;
	return fails(fake.conn) ? NULL : strdup(dom->d->xml);
}

int virDomainIsActive(virDomainPtr dom)
{
	return fails(fake.conn) ? -1 : dom->d->id != FAKE_ID_NONE;
}

int virDomainIsPersistent(virDomainPtr dom)
{
	return fails(fake.conn) ? -1 : !dom->d->transient;
}

int virDomainGetState(virDomainPtr dom, int *state, int *reason, unsigned flags)
{
	(void)flags;
	*reason = 0;
	*state = dom->d->paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING;
	return fails(fake.conn) ? -1 : 0;
}

int virDomainQemuMonitorCommand(virDomainPtr dom, const char *cmd, char **text,
				unsigned flags)
{
	if (fails(fake.conn) || !dom->d->cpus[0] || strcmp(cmd, "info cpus") ||
	    flags != VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP) {
		last_code = VIR_ERR_OPERATION_FAILED;
		return -1;
	}
	*text = strdup(dom->d->cpus);
	return 0;
}

static bool pin_fails(virDomainPtr dom, unsigned index)
{
	if (fails(fake.conn))
		return true;
	if (fake.pin_code)
		last_code = fake.pin_code;
	else if (index >= dom->d->vcpu_cnt)
		last_code = VIR_ERR_INVALID_ARG;
	return last_code != VIR_ERR_OK;
}

int virDomainPinVcpuFlags(virDomainPtr dom, unsigned index, unsigned char *map,
			  int bytes, unsigned flags)
{
	struct cpumask mask = { 0 };

	if (pin_fails(dom, index) || flags != VIR_DOMAIN_AFFECT_LIVE ||
	    bytes > VIR_CPU_MAPLEN(FAKE_CPUS))
		return -1;
	memcpy(mask.word, map, (size_t)bytes);
	dom->d->pin[index] = mask;
	return 0;
}

int virDomainGetVcpuPinInfo(virDomainPtr dom, int cnt, unsigned char *maps,
			    int bytes, unsigned flags)
{
	int rows = (int)dom->d->vcpu_cnt < cnt ? (int)dom->d->vcpu_cnt : cnt;

	if (pin_fails(dom, 0) || flags != VIR_DOMAIN_AFFECT_LIVE)
		return -1;
	for (int i = 0; i < rows; i++)
		memcpy(maps + i * bytes, dom->d->pin[i].word, (size_t)bytes);
	return rows;
}
