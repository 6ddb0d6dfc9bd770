// SPDX-License-Identifier: Apache-2.0
/*
 * virt.c - libvirt: which VMs there are, which threads, which sockets
 *
 * Theory of operation. Events only say where to look: they mark a domain
 * dirty. After each turn of the event loop dirty domains are looked at (XML,
 * state, /proc) and told if anything changed. Every SWEEP_NS all domains are
 * listed and those marked dirty that an event should have told of, and running
 * ones whose set of threads changed, for no event tells of a plugged vcpu. So
 * a lost event costs 2 s, and nothing depends on their order.
 *
 * A QEMU that waits for its vhost-user socket has no vcpu threads, and libvirt
 * a job on it: listing and XML still work, monitor and pin calls wait. Such a
 * VM is told DEFINED, so that the socket is made ready; it is never pinned.
 *
 * While libvirt is away the VMs are as they were told last. After a
 * reconnection all are looked at and told again, and those not there any more
 * are told GONE.
 */
#include "virt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hl/clock.h"
#include "log.h"
#include "virt_conn.h"
#include "virt_proc.h"
#include "virt_xml.h"

#define SWEEP_NS     (2 * NSEC_PER_SEC)
#define OPEN_WAIT_NS (3 * NSEC_PER_SEC)

struct domain {
	uint8_t uuid[VIRT_UUID_BYTES];
	unsigned id;   /* at the last look */
	uint64_t mark; /* virt_proc_mark() at the last look */
	bool dirty, seen;
	bool told;	   /* since the connection was made */
	struct virt_vm vm; /* as told last; name "": never told */
};

struct virt {
	struct virt_conn *conn;
	struct virt_events ev;
	struct virt_proc roots;
	bool work; /* somebody is dirty */
	unsigned refused;
	uint64_t sweep_ns; /* not before */
	unsigned domain_cnt, hint;
	struct domain *domain[VM_MAX];
	struct virt_vm now;  /* scratch: a domain being looked at */
	struct virt_xml xml; /* scratch */
};

/* --- domains ------------------------------------------------------------- */

/* Lists come in much the same order each time: search on from the last hit. */
static struct domain *domain_find(struct virt *v, const uint8_t *uuid)
{
	for (unsigned i = 0; i < v->domain_cnt; i++) {
		unsigned at = (v->hint + i) % v->domain_cnt;

		if (memcmp(v->domain[at]->uuid, uuid, VIRT_UUID_BYTES))
			continue;
		v->hint = at + 1;
		return v->domain[at];
	}
	return NULL;
}

static struct domain *domain_add(struct virt *v, const uint8_t *uuid)
{
	struct domain *d;

	if (v->domain_cnt == VM_MAX)
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	memcpy(d->uuid, uuid, VIRT_UUID_BYTES);
	d->id = VIRT_ID_NONE;
	v->domain[v->domain_cnt++] = d;
	return d;
}

static void tell(struct virt *v, struct domain *d, enum virt_state state)
{
	d->vm.state = state;
	if (state != VIRT_RUNNING) {
		d->vm.pid = 0;
		d->vm.vcpu_cnt = 0;
		memset(d->vm.tid, 0, sizeof(d->vm.tid));
	}
	v->ev.vm(v->ev.arg, &d->vm);
}

/* Tell that it is gone, if it was ever told, and forget it. */
static void domain_del(struct virt *v, struct domain *d)
{
	for (unsigned i = 0; i < v->domain_cnt; i++) {
		if (v->domain[i] != d)
			continue;
		v->domain[i] = v->domain[--v->domain_cnt];
		break;
	}
	if (d->vm.name[0])
		tell(v, d, VIRT_GONE);
	free(d);
}

/* --- looking at one domain ----------------------------------------------- */

/* Thread names are not as expected: ask QEMU. */
static int ask_monitor(struct virt *v, const struct domain *d,
		       struct virt_vm *vm)
{
	char *text = NULL;
	int err = virt_conn_cpus(v->conn, d->uuid, &text);

	if (err)
		return err;
	vm->vcpu_cnt =
	    (uint16_t)virt_proc_monitor(text, vm->tid, VIRT_VCPUS_MAX);
	free(text);
	for (unsigned i = 0; i < vm->vcpu_cnt && vm->pid <= 0; i++)
		if (vm->tid[i])
			vm->pid = virt_proc_owner(&v->roots, vm->tid[i],
						  vm->name, vm->uuid);
	log_limited(LOG_LEVEL_INFO,
		    "VM '%s': vcpu threads have no names, asked QEMU's monitor",
		    vm->name);
	return 0;
}

/*
 * look_threads() - Find pid and tids of an active domain
 *
 * The mark is taken first: what changes while we look is seen by the next
 * sweep. Return: 0, also when there are no threads (yet); -errno when libvirt
 * could not be asked.
 */
static int look_threads(struct virt *v, struct domain *d, struct virt_vm *vm)
{
	int err = 0;

	vm->pid = virt_proc_pid(&v->roots, vm->name, vm->uuid);
	d->mark = vm->pid > 0 ? virt_proc_mark(&v->roots, vm->pid) : 0;
	if (vm->pid > 0)
		vm->vcpu_cnt = (uint16_t)virt_proc_vcpus(
		    &v->roots, vm->pid, vm->tid, VIRT_VCPUS_MAX);
	if (!vm->vcpu_cnt)
		err = ask_monitor(v, d, vm);
	if (!d->mark && vm->pid > 0)
		d->mark = virt_proc_mark(&v->roots, vm->pid);
	if (vm->vcpu_cnt && vm->pid > 0) {
		vm->state = VIRT_RUNNING;
		return 0;
	}
	vm->pid = 0;
	vm->vcpu_cnt = 0;
	memset(vm->tid, 0, sizeof(vm->tid));
	/* A QEMU that does not answer now is one that does not run yet; a lost
	 * connection says nothing about the VM. */
	return err == -ENOTCONN || err == -ESRCH ? err : 0;
}

static int look_xml(struct virt *v, const char *xml, struct virt_vm *vm)
{
	int err = virt_xml_parse(xml, strlen(xml), &v->xml);

	if (err) {
		log_limited(LOG_LEVEL_WARN,
			    "VM '%s': cannot read its XML from libvirt: %s",
			    vm->name, strerror(-err));
		return err;
	}
	if (v->xml.nic_refused)
		log_limited(LOG_LEVEL_WARN,
			    "VM '%s': %u vhostuser interfaces are not served: "
			    "each needs an absolute <source path> under 108 "
			    "bytes, mode='client' or 'server' and a <mac>; %d "
			    "at most",
			    vm->name, v->xml.nic_refused, VIRT_NICS_MAX);
	if (v->xml.agent_refused)
		log_limited(LOG_LEVEL_WARN,
			    "VM '%s': %u of its agent's devices are not used: "
			    "one <channel type='unix'> with mode='bind' and a "
			    "path under 108 bytes, one <shmem> of model "
			    "ivshmem-plain with a name under 64 bytes",
			    vm->name, v->xml.agent_refused);
	memcpy(vm->channel, v->xml.channel, sizeof(vm->channel));
	memcpy(vm->shmem, v->xml.shmem, sizeof(vm->shmem));
	vm->vcpu_max = v->xml.vcpu_max;
	vm->nic_cnt = v->xml.nic_cnt;
	memcpy(vm->nic, v->xml.nic, sizeof(vm->nic));
	return 0;
}

/* Find out what holds of a domain now, into v->now. Return: 0 or -errno. */
static int look(struct virt *v, struct domain *d)
{
	struct virt_vm *vm = &v->now;
	struct virt_looked seen;
	size_t bytes;
	int err = virt_conn_look(v->conn, d->uuid, &seen);

	if (err)
		return err;
	memset(vm, 0, sizeof(*vm));
	bytes = strlen(seen.name) + 1;
	if (bytes > sizeof(vm->name)) {
		err = -ENAMETOOLONG;
		goto out;
	}
	memcpy(vm->name, seen.name, bytes);
	memcpy(vm->uuid, seen.uuid, sizeof(vm->uuid));
	d->id = seen.id;
	d->mark = 0;
	vm->state = seen.active || seen.persistent ? VIRT_DEFINED : VIRT_GONE;
	err = look_xml(v, seen.xml, vm);
	if (!err && seen.active)
		err = look_threads(v, d, vm);
out:
	free(seen.name);
	free(seen.xml);
	return err;
}

static bool is_same(const struct virt_vm *a, const struct virt_vm *b)
{
	if (strcmp(a->name, b->name) || strcmp(a->uuid, b->uuid) ||
	    a->state != b->state || a->pid != b->pid ||
	    a->vcpu_max != b->vcpu_max || a->vcpu_cnt != b->vcpu_cnt ||
	    a->nic_cnt != b->nic_cnt || strcmp(a->channel, b->channel) ||
	    strcmp(a->shmem, b->shmem) ||
	    memcmp(a->tid, b->tid, sizeof(a->tid)))
		return false;
	for (unsigned i = 0; i < a->nic_cnt; i++)
		if (strcmp(a->nic[i].path, b->nic[i].path) ||
		    a->nic[i].qemu_listens != b->nic[i].qemu_listens ||
		    memcmp(a->nic[i].mac, b->nic[i].mac, 6))
			return false;
	return true;
}

static bool is_restarted(const struct virt_vm *was, const struct virt_vm *is)
{
	return was->state == VIRT_RUNNING && is->state == VIRT_RUNNING &&
	       was->pid != is->pid;
}

static void take(struct virt *v, struct domain *d)
{
	const struct virt_vm *now = &v->now;
	struct virt_vm *was = &d->vm;

	if (now->state == VIRT_GONE) {
		domain_del(v, d);
		return;
	}
	if (d->told && is_same(was, now))
		return;
	if (was->name[0] && strcmp(was->name, now->name))
		tell(v, d, VIRT_GONE);
	else if (was->name[0] && is_restarted(was, now))
		tell(v, d, VIRT_DEFINED);
	*was = *now;
	d->told = true;
	tell(v, d, was->state);
}

/* Look at a dirty domain; on failure it stays dirty until the next sweep. */
static void refresh(struct virt *v, struct domain *d)
{
	int err = look(v, d);

	if (err == -ESRCH)
		domain_del(v, d);
	if (err)
		return;
	d->dirty = false;
	take(v, d);
}

/* Look at all dirty domains. One that is removed gives its place to the last,
 * which was looked at before: so downwards. */
static void settle(struct virt *v)
{
	v->work = false;
	for (unsigned i = v->domain_cnt; i-- && virt_conn_is_up(v->conn);)
		if (v->domain[i]->dirty)
			refresh(v, v->domain[i]);
}

/* --- events and sweeps --------------------------------------------------- */

static struct domain *domain_get(struct virt *v, const uint8_t *uuid)
{
	struct domain *d = domain_find(v, uuid);

	if (!d)
		d = domain_add(v, uuid);
	if (!d)
		log_limited(LOG_LEVEL_WARN,
			    "more than %d VMs: the others are not managed",
			    VM_MAX);
	return d;
}

static void touch(void *arg, const uint8_t *uuid)
{
	struct virt *v = arg;
	struct domain *d;

	for (unsigned i = 0; !uuid && i < v->domain_cnt; i++)
		v->domain[i]->dirty = true;
	if (!uuid) {
		v->sweep_ns = 0;
		return;
	}
	d = domain_get(v, uuid);
	if (!d)
		return; /* counted by the next sweep */
	d->dirty = true;
	v->work = true;
}

/* Did the threads of an active domain change since we looked? */
static bool is_changed(const struct virt *v, const struct domain *d,
		       const char *name)
{
	pid_t pid = d->vm.pid;

	if (!pid)
		pid = virt_proc_pid(&v->roots, name, d->vm.uuid);
	return d->mark != (pid > 0 ? virt_proc_mark(&v->roots, pid) : 0);
}

/* A listed domain: known, the same run of it, the same threads? */
static void sweep_one(void *arg, const struct virt_listed *l)
{
	struct virt *v = arg;
	struct domain *d;

	if (strlen(l->name) >= VM_NAME_MAX) {
		v->refused++;
		log_limited(LOG_LEVEL_WARN,
			    "VM '%s' is not managed: its name is longer than "
			    "%d bytes",
			    l->name, VM_NAME_MAX - 1);
		return;
	}
	d = domain_get(v, l->uuid);
	if (!d) {
		v->refused++;
		return;
	}
	d->seen = true;
	if (!d->told || d->id != l->id || strcmp(d->vm.name, l->name) ||
	    (l->id != VIRT_ID_NONE && is_changed(v, d, l->name)))
		d->dirty = true;
	v->work |= d->dirty;
}

static void sweep(struct virt *v, uint64_t now_ns)
{
	v->sweep_ns = now_ns + SWEEP_NS;
	v->refused = 0;
	for (unsigned i = 0; i < v->domain_cnt; i++)
		v->domain[i]->seen = false;
	if (virt_conn_list(v->conn, sweep_one, v))
		return;
	for (unsigned i = v->domain_cnt; i--;)
		if (!v->domain[i]->seen)
			domain_del(v, v->domain[i]);
}

/* --- the loop ------------------------------------------------------------ */

/* Until the timeout, the next sweep, the next attempt: whichever is first. */
static int wait_ms(const struct virt *v, int timeout_ms, uint64_t now_ns)
{
	uint64_t until = virt_conn_is_up(v->conn) ? v->sweep_ns
						  : virt_conn_retry_ns(v->conn);
	uint64_t ms = 0;

	if (virt_conn_is_opening(v->conn))
		ms = SWEEP_NS / NSEC_PER_MSEC;
	else if (until > now_ns)
		ms = (until - now_ns) / NSEC_PER_MSEC + 1;
	return timeout_ms >= 0 && (uint64_t)timeout_ms < ms ? timeout_ms
							    : (int)ms;
}

static void link_change(struct virt *v, bool up)
{
	v->sweep_ns = 0;
	for (unsigned i = 0; i < v->domain_cnt; i++)
		v->domain[i]->told = false;
	v->ev.link(v->ev.arg, up);
}

void virt_turn(struct virt *v, int timeout_ms)
{
	uint64_t now_ns = clock_now_ns();
	enum virt_link change;

	virt_conn_wait(v->conn, wait_ms(v, timeout_ms, now_ns));
	now_ns = clock_now_ns();
	change = virt_conn_step(v->conn, now_ns);
	if (change != VIRT_LINK_SAME)
		link_change(v, change == VIRT_LINK_UP);
	if (virt_conn_is_up(v->conn) && now_ns >= v->sweep_ns)
		sweep(v, now_ns);
	if (v->work)
		settle(v);
}

void virt_wake(struct virt *v)
{
	virt_conn_wake(v->conn);
}

unsigned virt_refused(const struct virt *v)
{
	return v->refused;
}

int virt_open_at(struct virt **out, const char *uri,
		 const struct virt_events *ev, const char *proc,
		 const char *run)
{
	struct virt *v = calloc(1, sizeof(*v));
	uint64_t now_ns, until;
	int err;

	if (!v)
		return -ENOMEM;
	v->ev = *ev;
	v->roots.proc = proc;
	v->roots.run = run;
	err = virt_conn_open(&v->conn, uri, touch, v);
	if (err) {
		free(v);
		return err;
	}
	*out = v;
	now_ns = clock_now_ns();
	until = now_ns + OPEN_WAIT_NS;
	virt_conn_step(v->conn, now_ns);
	while (virt_conn_is_opening(v->conn) && now_ns < until) {
		virt_turn(v, (int)((until - now_ns) / NSEC_PER_MSEC + 1));
		now_ns = clock_now_ns();
	}
	return 0;
}

int virt_open(struct virt **out, const char *uri, const struct virt_events *ev)
{
	return virt_open_at(out, uri, ev, "/proc", "/run/libvirt/qemu");
}

void virt_close(struct virt *v)
{
	virt_conn_close(v->conn);
	for (unsigned i = 0; i < v->domain_cnt; i++)
		free(v->domain[i]);
	free(v);
}

/* --- pins ---------------------------------------------------------------- */

/* A vcpu that runs, else pin calls might wait: see the top. */
static const struct domain *running(const struct virt *v, const char *uuid,
				    unsigned index)
{
	for (unsigned i = 0; i < v->domain_cnt; i++) {
		const struct virt_vm *vm = &v->domain[i]->vm;

		if (!strcmp(vm->uuid, uuid))
			return vm->state == VIRT_RUNNING && index < vm->vcpu_cnt
				   ? v->domain[i]
				   : NULL;
	}
	return NULL;
}

int virt_pin(struct virt *v, const char *uuid, unsigned index,
	     const struct cpumask *mask)
{
	const struct domain *d = running(v, uuid, index);

	if (!virt_conn_is_up(v->conn))
		return -ENOTCONN;
	return d ? virt_conn_pin(v->conn, d->uuid, index, mask) : -ESRCH;
}

int virt_pinned(struct virt *v, const char *uuid, unsigned index,
		struct cpumask *mask)
{
	const struct domain *d = running(v, uuid, index);
	struct virt_looked seen;
	int err;

	if (!virt_conn_is_up(v->conn))
		return -ENOTCONN;
	if (!d)
		return -ESRCH;
	err = virt_conn_pinned(v->conn, d->uuid, index, mask);
	if (err)
		return err;
	err = virt_conn_look(v->conn, d->uuid, &seen);
	if (err)
		return err;
	err = virt_xml_parse(seen.xml, strlen(seen.xml), &v->xml);
	free(seen.name);
	free(seen.xml);
	if (err)
		return -EIO;
	return virt_xml_pinned(&v->xml, index) ? 0 : 1;
}
