// SPDX-License-Identifier: Apache-2.0
/*
 * vms.c - the control thread's list of VMs: their ports, slots and threads
 *
 * Theory of operation. An entry is a VM by name, known from libvirt or from a
 * [vm] section with a socket. Its index is its slot in every table. Defined
 * VMs have ports (a guest may come any time); running ones also have vcpu
 * slots, a watched thread for each vcpu, and are adopted by the backend.
 *
 * What leaves is taken out of the poll thread first, with an answer awaited
 * (it answers within a pass), then given back by the backend, then freed: so
 * no slot, port or thread id is used by anybody when it is used again.
 *
 * Everything may be told twice; what is in line already is left alone.
 */
#include "vms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "stat.h"
#include "vhost/port_vhost.h"

#define ANSWER_MS 2000 /* the poll thread answers within a pass */

struct want {
	struct virt_nic nic;
	bool has_mac; /* frames must carry nic.mac */
};

struct nic {
	struct want is; /* as it was opened */
	struct port *port;
};

struct entry {
	bool known; /* to libvirt; else only to a [vm] section */
	bool running, adopted;
	uint16_t slot;
	uint16_t first_vcpu, vcpu_cap; /* reserved in the vcpu table */
	unsigned nic_cnt;
	struct nic nic[VIRT_NICS_MAX];
	unsigned xml_cnt;
	struct virt_nic xml[VIRT_NICS_MAX]; /* as libvirt told last */
	char channel[VIRT_PATH_MAX], shmem[VIRT_SHMEM_MAX]; /* the same */
	struct peer_conf agent; /* as told last; channel "": not told */
	struct act_vm act;	/* name, uuid, pid, threads */
};

struct vms {
	struct vms_conf c;
	struct entry *entry[VM_MAX];
	bool vcpu_used[VCPU_MAX];
	const void *answered; /* the port that came out last */
	uint16_t vm_answered;
};

/* --- what the poll thread sends ------------------------------------------ */

static void port_refused(const struct port *p)
{
	stat_hostd.vms_refused++;
	log_limited(LOG_LEVEL_ERROR,
		    "VM '%s': its NIC %02x:%02x:%02x:%02x:%02x:%02x stays cut "
		    "off: another VM has that MAC, or the switch is full",
		    p->name, p->mac[0], p->mac[1], p->mac[2], p->mac[3],
		    p->mac[4], p->mac[5]);
}

void vms_pump(struct vms *v)
{
	struct msg m;

	while (loop_recv(v->c.loop, &m)) {
		if (m.kind == MSG_CALL)
			m.call.fn(m.call.arg);
		else if (m.kind == MSG_PORT_OUT)
			v->answered = m.port;
		else if (m.kind == MSG_VM_OUT)
			v->vm_answered = m.vm.slot;
		else if (m.kind == MSG_PORT_REFUSED)
			port_refused(m.port);
	}
}

/* Pump until the poll thread has let go of @port (or, NULL, of VM @slot).
 * Return: false when it did not answer. */
static bool await(struct vms *v, const struct port *port, uint16_t slot)
{
	const struct timespec pause = { .tv_nsec = 200000 };
	bool out = false;

	for (unsigned n = 0; n < ANSWER_MS * 5 && !out; n++) {
		vms_pump(v);
		out = port ? v->answered == port : v->vm_answered == slot;
		if (!out)
			nanosleep(&pause, NULL);
	}
	v->answered = NULL;
	v->vm_answered = VM_NONE;
	return out;
}

/* --- entries and vcpu slots ---------------------------------------------- */

static struct entry *entry_find(struct vms *v, const char *name)
{
	for (unsigned i = 0; i < VM_MAX; i++)
		if (v->entry[i] && !strcmp(v->entry[i]->act.name, name))
			return v->entry[i];
	return NULL;
}

static struct entry *entry_get(struct vms *v, const char *name)
{
	struct entry *e = entry_find(v, name);

	if (e)
		return e;
	for (unsigned i = 0; i < VM_MAX; i++) {
		if (v->entry[i])
			continue;
		e = calloc(1, sizeof(*e));
		if (!e)
			break;
		e->slot = (uint16_t)i;
		e->act.vm = e->slot;
		strncpy(e->act.name, name, sizeof(e->act.name) - 1);
		memcpy(stat_hostd.vm[i].name, e->act.name, sizeof(e->act.name));
		stat_hostd.vm[i].present = true;
		v->entry[i] = e;
		return e;
	}
	stat_hostd.vms_refused++;
	log_limited(LOG_LEVEL_ERROR,
		    "VM '%s' is not served: the table of %u VMs is full", name,
		    VM_MAX);
	return NULL;
}

static void entry_free(struct vms *v, struct entry *e)
{
	stat_hostd.vm[e->slot].present = false;
	v->entry[e->slot] = NULL;
	free(e);
}

/* First fit; a VM's slots stand together. Return: false when none fits. */
static bool vcpus_reserve(struct vms *v, struct entry *e, unsigned cnt)
{
	unsigned run = 0;

	for (unsigned i = 0; i < VCPU_MAX; i++) {
		run = v->vcpu_used[i] ? 0 : run + 1;
		if (run < cnt)
			continue;
		e->first_vcpu = (uint16_t)(i + 1 - cnt);
		e->vcpu_cap = (uint16_t)cnt;
		memset(&v->vcpu_used[e->first_vcpu], true, cnt);
		return true;
	}
	return false;
}

static void vcpus_free(struct vms *v, struct entry *e)
{
	memset(&v->vcpu_used[e->first_vcpu], false, e->vcpu_cap);
	e->vcpu_cap = 0;
}

/* --- ports --------------------------------------------------------------- */

static void wake_loop(void *arg)
{
	loop_wake(arg);
}

static void nic_open(struct vms *v, struct entry *e, const struct want *w)
{
	const struct conf *conf = v->c.conf;
	struct msg m = { .kind = MSG_PORT_ADD };
	const struct port_vhost_conf c = {
		.name = e->act.name,
		.path = w->nic.path,
		.client = w->nic.qemu_listens,
		.vm = e->slot,
		.mac = w->has_mac ? w->nic.mac : NULL,
		.group = conf->socket_group[0] ? conf->socket_group : NULL,
		.mode = conf->socket_mode,
		.wake = wake_loop,
		.wake_arg = v->c.loop,
	};
	int err = port_vhost_open(&m.port, &c);

	if (err) {
		stat_hostd.vms_refused++;
		log_limited(LOG_LEVEL_ERROR,
			    "VM '%s': cannot serve socket %s: %s; "
			    "retried when libvirt tells of the VM again, or at "
			    "a reload",
			    e->act.name, w->nic.path, strerror(-err));
		return;
	}
	e->nic[e->nic_cnt++] = (struct nic){ .is = *w, .port = m.port };
	loop_send(v->c.loop, &m);
	log_info("VM '%s': serving %s (%s)", e->act.name, w->nic.path,
		 w->nic.qemu_listens ? "hostd connects" : "QEMU connects");
}

static void nic_close(struct vms *v, struct entry *e, unsigned i)
{
	const struct msg m = { .kind = MSG_PORT_DEL, .port = e->nic[i].port };

	loop_send(v->c.loop, &m);
	if (await(v, m.port, VM_NONE))
		m.port->ops->close(m.port);
	else /* the poll thread may use it still */
		log_error("VM '%s': %s is left open: the poll thread does not "
			  "answer",
			  e->act.name, e->nic[i].is.nic.path);
	e->nic[i] = e->nic[--e->nic_cnt];
}

/* Sockets in the run directory are ours; others belong to other switches. */
static bool path_is_ours(const struct vms *v, const char *path)
{
	size_t n = strlen(v->c.run_dir);

	return !strncmp(path, v->c.run_dir, n) && path[n] == '/';
}

/* What the VM's XML and its [vm] section name; of both on one socket, the XML.
 * @w: [VIRT_NICS_MAX]. Return: how many. */
static unsigned wanted_nics(const struct vms *v, const struct entry *e,
			    struct want *w)
{
	const struct conf_vm *cv = conf_vm(v->c.conf, e->act.name);
	unsigned cnt = 0;

	for (unsigned i = 0; i < e->xml_cnt; i++)
		if (path_is_ours(v, e->xml[i].path))
			w[cnt++] = (struct want){ e->xml[i], true };
	for (unsigned i = 0; i < cnt; i++)
		if (!strcmp(w[i].nic.path, cv->socket))
			return cnt;
	if (cv->socket[0] && cnt < VIRT_NICS_MAX) {
		memset(&w[cnt], 0, sizeof(w[cnt]));
		memcpy(w[cnt].nic.path, cv->socket, sizeof(cv->socket));
		memcpy(w[cnt].nic.mac, cv->mac, sizeof(cv->mac));
		w[cnt++].has_mac = cv->mac_set;
	}
	return cnt;
}

static bool same_want(const struct want *a, const struct want *b)
{
	return !strcmp(a->nic.path, b->nic.path) &&
	       a->nic.qemu_listens == b->nic.qemu_listens &&
	       a->has_mac == b->has_mac &&
	       (!a->has_mac ||
		!memcmp(a->nic.mac, b->nic.mac, sizeof(a->nic.mac)));
}

/* Serve what is wanted and nothing else. A NIC with another address or mode
 * than before is another NIC, on the same socket perhaps: so first close. */
static void sync_nics(struct vms *v, struct entry *e)
{
	struct want want[VIRT_NICS_MAX];
	bool open[VIRT_NICS_MAX] = { false };
	unsigned cnt = wanted_nics(v, e, want), k;

	for (unsigned i = e->nic_cnt; i-- > 0;) {
		for (k = 0; k < cnt; k++)
			if (!open[k] && same_want(&e->nic[i].is, &want[k]))
				break;
		if (k < cnt)
			open[k] = true;
		else
			nic_close(v, e, i);
	}
	for (k = 0; k < cnt; k++)
		if (!open[k])
			nic_open(v, e, &want[k]);
}

/* --- running VMs --------------------------------------------------------- */

static void send_vm(struct vms *v, const struct entry *e)
{
	const struct conf_vm *cv = conf_vm(v->c.conf, e->act.name);
	struct msg m = { .kind = MSG_VM_SET };
	struct vm_view *view = &m.vm.view;

	m.vm.slot = e->slot;
	view->present = true;
	view->class = cv->class;
	/* A VM that no backend could adopt must not hold cpus in vain. */
	if (e->adopted || !v->c.act_on) {
		view->cpus_min = cv->cpus_min;
		view->cpus_max = cv->cpus_max;
	}
	view->weight = cv->weight;
	view->slo_ns = cv->slo_ns;
	view->slo_permyriad = cv->slo_permyriad;
	view->slo_signal = cv->slo_signal;
	view->first_vcpu = e->first_vcpu;
	view->vcpu_cnt = e->act.vcpu_cnt;
	loop_send(v->c.loop, &m);
}

static void send_vcpu(struct vms *v, const struct entry *e, unsigned index,
		      pid_t tid)
{
	const struct msg m = {
		.kind = MSG_VCPU_SET,
		.vcpu = { .slot = (uint16_t)(e->first_vcpu + index),
			  .vm = e->slot,
			  .index = (uint16_t)index,
			  .pid = e->act.pid,
			  .tid = tid },
	};

	loop_send(v->c.loop, &m);
}

static void adopt(struct vms *v, struct entry *e)
{
	const struct conf_vm *cv = conf_vm(v->c.conf, e->act.name);
	int err;

	e->act.class = cv->class;
	e->act.weight = cv->weight;
	if (!v->c.act_on)
		return;
	err = v->c.ops->adopt(v->c.act, &e->act);
	e->adopted |= !err; /* on error what was done before still holds */
	if (err)
		log_limited(LOG_LEVEL_ERROR,
			    "VM '%s' keeps its cpus as they are: backend %s "
			    "cannot manage it: %s",
			    e->act.name, v->c.ops->name, strerror(-err));
}

static void release(struct vms *v, struct entry *e)
{
	if (!e->adopted)
		return;
	v->c.on_release(e->first_vcpu, e->vcpu_cap);
	v->c.ops->release(v->c.act, e->slot);
	e->adopted = false;
}

static bool same_agent(const struct peer_conf *a, const struct peer_conf *b)
{
	return !strcmp(a->channel, b->channel) && !strcmp(a->shmem, b->shmem) &&
	       a->pid == b->pid && a->first_vcpu == b->first_vcpu &&
	       a->vcpu_cnt == b->vcpu_cnt && a->enabled == b->enabled;
}

/* The agent of a VM that runs: where it is, what it may. */
static void sync_agent(struct vms *v, struct entry *e)
{
	const struct conf_vm *cv = conf_vm(v->c.conf, e->act.name);
	struct peer_conf want = { .pid = 0 };

	if (!v->c.agents)
		return;
	if (e->running && e->channel[0]) {
		memcpy(want.name, e->act.name, sizeof(want.name));
		memcpy(want.channel, e->channel, sizeof(want.channel));
		memcpy(want.shmem, e->shmem, sizeof(want.shmem));
		want.pid = e->act.pid;
		want.first_vcpu = e->first_vcpu;
		want.vcpu_cnt = e->act.vcpu_cnt;
		want.enabled = cv->agent;
	}
	if (same_agent(&want, &e->agent))
		return;
	if (agents_vm(v->c.agents, e->slot, want.channel[0] ? &want : NULL)) {
		log_limited(LOG_LEVEL_ERROR, "VM '%s': no memory for its agent",
			    e->act.name);
		return; /* again when libvirt tells of the VM again */
	}
	e->agent = want;
}

static void stop_vm(struct vms *v, struct entry *e)
{
	struct msg m = { .kind = MSG_VM_DEL };

	if (!e->running)
		return;
	e->running = false;
	sync_agent(v, e);
	meters_gone(v->c.meters, e->slot);
	m.vm.slot = e->slot;
	loop_send(v->c.loop, &m);
	await(v, NULL, e->slot);
	if (v->c.bpf)
		for (unsigned i = 0; i < e->vcpu_cap; i++)
			sense_bpf_unwatch(v->c.bpf,
					  (uint16_t)(e->first_vcpu + i));
	release(v, e);
	vcpus_free(v, e);
	log_info("VM '%s' left", e->act.name);
}

static bool same_threads(const struct entry *e, const struct virt_vm *vm)
{
	return e->running && e->act.pid == vm->pid &&
	       e->act.vcpu_cnt == vm->vcpu_cnt &&
	       !memcmp(e->act.tid, vm->tid, vm->vcpu_cnt * sizeof(vm->tid[0]));
}

/* Tell sensor and poll thread of every vcpu whose thread is not as before. */
static void sync_vcpus(struct vms *v, struct entry *e, const struct virt_vm *vm)
{
	unsigned cnt =
	    vm->vcpu_cnt > e->act.vcpu_cnt ? vm->vcpu_cnt : e->act.vcpu_cnt;

	for (unsigned i = 0; i < cnt && i < e->vcpu_cap; i++) {
		pid_t tid = i < vm->vcpu_cnt ? vm->tid[i] : 0;
		uint16_t slot = (uint16_t)(e->first_vcpu + i);

		if (e->act.tid[i] == tid)
			continue;
		e->act.tid[i] = tid;
		if (v->c.bpf && tid)
			sense_bpf_watch(v->c.bpf, slot, tid);
		else if (v->c.bpf)
			sense_bpf_unwatch(v->c.bpf, slot);
		send_vcpu(v, e, i, tid);
	}
	e->act.vcpu_cnt =
	    vm->vcpu_cnt < e->vcpu_cap ? vm->vcpu_cnt : e->vcpu_cap;
}

static void run_vm(struct vms *v, struct entry *e, const struct virt_vm *vm)
{
	unsigned cap =
	    vm->vcpu_max > vm->vcpu_cnt ? vm->vcpu_max : vm->vcpu_cnt;

	if (e->running && e->act.pid != vm->pid)
		stop_vm(v, e); /* crashed and started again unseen */
	if (same_threads(e, vm))
		return;
	if (!e->running) {
		if (!cap || cap > ACT_VCPUS_MAX || !vcpus_reserve(v, e, cap)) {
			stat_hostd.vms_refused++;
			log_limited(LOG_LEVEL_ERROR,
				    "VM '%s' is not managed: no room for its "
				    "%u vcpus (%u at most in all)",
				    e->act.name, cap, VCPU_MAX);
			return;
		}
		memset(e->act.tid, 0, sizeof(e->act.tid));
		e->act.vcpu_cnt = 0;
		e->act.pid = vm->pid;
		e->running = true;
	}
	sync_vcpus(v, e, vm);
	meters_vm(v->c.meters, &e->act);
	adopt(v, e);
	send_vm(v, e);
	log_info("VM '%s' runs: pid %d, %u vcpus, %s", e->act.name,
		 (int)vm->pid, vm->vcpu_cnt,
		 e->act.class == VM_CLASS_LATENCY_CRITICAL ? "latency-critical"
							   : "best-effort");
}

/* Libvirt does not know it, and no [vm] section has a socket of it. */
static void free_if_unknown(struct vms *v, struct entry *e)
{
	if (!e->known && !e->nic_cnt)
		entry_free(v, e);
}

void vms_update(struct vms *v, const struct virt_vm *vm)
{
	struct entry *e = vm->state == VIRT_GONE ? entry_find(v, vm->name)
						 : entry_get(v, vm->name);

	if (!e)
		return;
	if (e->act.uuid[0] && strcmp(e->act.uuid, vm->uuid))
		stop_vm(v, e); /* another VM under the same name */
	memcpy(e->act.uuid, vm->uuid, sizeof(e->act.uuid));
	memcpy(stat_hostd.vm[e->slot].uuid, vm->uuid, sizeof(e->act.uuid));
	if (vm->state != VIRT_RUNNING)
		stop_vm(v, e);
	e->known = vm->state != VIRT_GONE;
	e->xml_cnt = e->known ? vm->nic_cnt : 0;
	memcpy(e->xml, vm->nic, sizeof(e->xml));
	memcpy(e->channel, vm->channel, sizeof(e->channel));
	memcpy(e->shmem, vm->shmem, sizeof(e->shmem));
	sync_nics(v, e);
	if (vm->state == VIRT_RUNNING)
		run_vm(v, e, vm);
	sync_agent(v, e);
	free_if_unknown(v, e);
}

/* --- start, reload, stop ------------------------------------------------- */

/* Entries for the [vm] sections with a socket, then every VM's sockets. */
static void sync_all_nics(struct vms *v)
{
	const struct conf *conf = v->c.conf;

	for (unsigned i = 0; i < conf->vm_cnt; i++)
		if (conf->vm[i].socket[0])
			entry_get(v, conf->vm[i].name);
	for (unsigned i = 0; i < VM_MAX; i++) {
		struct entry *e = v->entry[i];

		if (!e)
			continue;
		sync_nics(v, e);
		free_if_unknown(v, e);
	}
}

int vms_open(struct vms **out, const struct vms_conf *c)
{
	struct vms *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->c = *c;
	v->vm_answered = VM_NONE;
	sync_all_nics(v);
	*out = v;
	return 0;
}

void vms_reload(struct vms *v, const struct conf *next, bool act_on)
{
	v->c.conf = next;
	v->c.act_on = act_on;
	for (unsigned i = 0; i < VM_MAX; i++) {
		struct entry *e = v->entry[i];

		if (!e || !e->running)
			continue;
		if (act_on)
			adopt(v, e);
		else
			release(v, e);
		send_vm(v, e);
		sync_agent(v, e);
	}
	sync_all_nics(v);
}

void vms_each_vcpu(struct vms *v,
		   void (*fn)(void *arg, const char *uuid, unsigned index,
			      uint16_t slot),
		   void *arg)
{
	for (unsigned i = 0; i < VM_MAX; i++) {
		const struct entry *e = v->entry[i];

		for (unsigned k = 0; e && e->adopted && k < e->act.vcpu_cnt;
		     k++)
			if (e->act.tid[k])
				fn(arg, e->act.uuid, k,
				   (uint16_t)(e->first_vcpu + k));
	}
}

void vms_close(struct vms *v)
{
	for (unsigned i = 0; i < VM_MAX; i++) {
		struct entry *e = v->entry[i];

		if (!e)
			continue;
		stop_vm(v, e);
		while (e->nic_cnt)
			nic_close(v, e, e->nic_cnt - 1);
		entry_free(v, e);
	}
	free(v);
}
