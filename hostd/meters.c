// SPDX-License-Identifier: Apache-2.0
/*
 * meters.c - the meters thread: memory traffic of VMs and nodes, and where the
 * memory of each VM is
 *
 * Theory of operation. One thread sleeps until a reading is due, reads the
 * meter, and puts what changed by an eighth or more on the board. Traffic is
 * the average since the reading before. A meter that cannot tell nodes apart
 * (perf) gives a node the traffic of the VMs whose memory is there. Now and
 * then one VM's memory is looked for, too. A lock is held while it works, never
 * while it sleeps or looks for memory; the control thread takes it to change
 * the list of VMs.
 *
 * Why a thread of its own: readings are a few milliseconds apart, and the
 * control thread may hang in a call to libvirt for longer than that.
 */
#include "meters.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hl/clock.h"
#include "log.h"
#include "node.h"
#include "stat.h"

#define COST_FACTOR 50 /* reading may take this part of a cpu's time */

struct entry {
	struct act_vm *vm; /* NULL: no VM */
	uint64_t look_ns;  /* for its memory, next */
	uint16_t node;
	uint64_t bytes_s, shown_bytes_s;
};

struct meters {
	pthread_mutex_t lock; /* all below */
	pthread_cond_t cond;
	pthread_t thread;
	bool started, stop;
	bool kicked; /* something changed: do not sleep now */
	char name[160];
	struct meter_conf conf;
	struct meters_set set;
	const struct meter_ops *ops;
	struct meter *meter; /* NULL: none */
	uint64_t read_ns;    /* next reading */
	uint64_t was_ns;     /* last one; 0: none yet */
	struct meter_sample was, now;
	unsigned node_cnt;
	struct entry entry[VM_MAX];
	struct meter_board board;
};

/* --- rates --------------------------------------------------------------- */

/* Bytes a second between two readings; 0 when one of them is missing or the
 * counter began anew. */
static uint64_t rate(const struct meter_count *was,
		     const struct meter_count *now, uint64_t span_ns)
{
	if (!was->there || !now->there || now->bytes < was->bytes || !span_ns)
		return 0;
	return (uint64_t)((double)(now->bytes - was->bytes) * 1e9 /
			  (double)span_ns);
}

static void put_vm(struct meters *m, unsigned vm)
{
	struct entry *e = &m->entry[vm];

	e->shown_bytes_s = e->bytes_s;
	meter_board_vm_put(&m->board, (uint16_t)vm, e->node, e->bytes_s);
}

static void put_vms(struct meters *m, uint64_t span_ns)
{
	for (unsigned vm = 0; vm < VM_MAX; vm++) {
		struct entry *e = &m->entry[vm];
		uint64_t was = e->shown_bytes_s, now;

		if (!e->vm)
			continue;
		now = rate(&m->was.vm[vm], &m->now.vm[vm], span_ns);
		e->bytes_s = now;
		if ((now > was ? now - was : was - now) > was / 8)
			put_vm(m, vm);
	}
}

/* What the VMs at home on @node move, where no meter tells it of the node.
 * Return: false when none of them is metered. */
static bool node_by_vms(const struct meters *m, unsigned node, uint64_t *sum)
{
	bool any = false;

	*sum = 0;
	for (unsigned vm = 0; vm < VM_MAX; vm++) {
		const struct entry *e = &m->entry[vm];

		if (!e->vm || !m->now.vm[vm].there ||
		    (e->node != node && m->node_cnt > 1))
			continue;
		*sum += e->bytes_s;
		any = true;
	}
	return any;
}

static void put_nodes(struct meters *m, uint64_t span_ns)
{
	struct node_view v = { .since_ns = m->was_ns,
			       .mem_max_bytes_s = m->set.node_max_bytes_s };

	meter_board_nodes_begin(&m->board);
	for (unsigned i = 0; i < m->node_cnt; i++) {
		v.metered = m->was.node[i].there && m->now.node[i].there;
		v.mem_bytes_s = rate(&m->was.node[i], &m->now.node[i], span_ns);
		if (!v.metered)
			v.metered =
			    m->was_ns && node_by_vms(m, i, &v.mem_bytes_s);
		meter_board_node_put(&m->board, i, &v);
	}
	meter_board_nodes_end(&m->board);
}

static void forget_rates(struct meters *m)
{
	m->was_ns = m->read_ns = 0;
	memset(&m->was, 0, sizeof(m->was));
	memset(&m->now, 0, sizeof(m->now));
	for (unsigned vm = 0; vm < VM_MAX; vm++) {
		m->entry[vm].bytes_s = 0;
		if (m->entry[vm].vm && m->entry[vm].shown_bytes_s)
			put_vm(m, vm);
	}
	put_nodes(m, 0);
}

/* --- a turn -------------------------------------------------------------- */

static void read_meter(struct meters *m, uint64_t now_ns)
{
	uint64_t begin_ns = clock_now_ns(), cost_ns, pause_ns;

	m->was = m->now;
	memset(&m->now, 0, sizeof(m->now));
	m->ops->read(m->meter, now_ns, &m->now);
	if (m->was_ns) {
		put_vms(m, now_ns - m->was_ns);
		put_nodes(m, now_ns - m->was_ns);
	}
	m->was_ns = now_ns;
	cost_ns = clock_now_ns() - begin_ns;
	pause_ns = m->set.acts ? METERS_FAST_NS : METERS_SLOW_NS;
	if (pause_ns < COST_FACTOR * cost_ns)
		pause_ns = COST_FACTOR * cost_ns;
	m->read_ns = now_ns + pause_ns;
}

/* find_node() - Without the lock: a look may block for as long as QEMU holds
 * its memory map. What became of the VM meanwhile is seen afterwards. */
static void find_node(struct meters *m, unsigned vm, pid_t pid)
{
	struct entry *e = &m->entry[vm];
	uint16_t node = 0;
	int err = 0;

	if (m->node_cnt > 1) {
		pthread_mutex_unlock(&m->lock);
		err = node_of_process(m->conf.root, pid, &node);
		pthread_mutex_lock(&m->lock);
	}
	if (err || !e->vm || e->vm->pid != pid)
		return; /* gone, as likely as not: what was known stands */
	if (node == e->node)
		return;
	e->node = node;
	put_vm(m, vm);
}

/* One VM a turn at most. Return: when the next one is due. */
static uint64_t find_nodes(struct meters *m, uint64_t now_ns)
{
	uint64_t next_ns = now_ns + METERS_NODE_NS;
	unsigned due = VM_MAX;

	for (unsigned vm = 0; vm < VM_MAX; vm++) {
		struct entry *e = &m->entry[vm];

		if (!e->vm)
			continue;
		if (due == VM_MAX && e->look_ns <= now_ns) {
			due = vm;
			e->look_ns = now_ns + METERS_NODE_NS;
		}
		if (e->look_ns < next_ns)
			next_ns = e->look_ns;
	}
	if (due < VM_MAX)
		find_node(m, due, m->entry[due].vm->pid);
	return next_ns;
}

uint64_t meters_turn(struct meters *m, uint64_t now_ns)
{
	uint64_t next_ns;

	pthread_mutex_lock(&m->lock);
	if (m->meter && now_ns >= m->read_ns)
		read_meter(m, now_ns);
	next_ns = find_nodes(m, now_ns);
	if (m->meter && m->read_ns < next_ns)
		next_ns = m->read_ns;
	pthread_mutex_unlock(&m->lock);
	return next_ns;
}

static void *run(void *arg)
{
	struct meters *m = arg;
	uint64_t next_ns;
	struct timespec at;

	pthread_setname_np(pthread_self(), "hostd-meters");
	for (;;) {
		next_ns = meters_turn(m, clock_now_ns());
		at.tv_sec = (time_t)(next_ns / NSEC_PER_SEC);
		at.tv_nsec = (long)(next_ns % NSEC_PER_SEC);
		pthread_mutex_lock(&m->lock);
		if (!m->stop && !m->kicked)
			pthread_cond_timedwait(&m->cond, &m->lock, &at);
		if (m->stop)
			break;
		m->kicked = false;
		pthread_mutex_unlock(&m->lock);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

/* --- from the control thread --------------------------------------------- */

static void kick(struct meters *m)
{
	m->kicked = true;
	pthread_cond_signal(&m->cond);
}

static void watch(struct meters *m, const struct act_vm *vm)
{
	int err = m->meter ? m->ops->watch(m->meter, vm) : 0;

	if (err && vm->vcpu_cnt)
		log_limited(LOG_LEVEL_WARN,
			    "VM '%s': memory traffic of it is not or not all "
			    "counted: %s",
			    vm->name, strerror(-err));
}

void meters_vm(struct meters *m, const struct act_vm *vm)
{
	struct entry *e;

	if (!m)
		return;
	e = &m->entry[vm->vm];
	pthread_mutex_lock(&m->lock);
	if (!e->vm) {
		e->vm = malloc(sizeof(*e->vm));
		e->look_ns = clock_now_ns() + METERS_NODE_FIRST_NS;
	}
	if (e->vm) { /* else: as if nothing were known of it */
		*e->vm = *vm;
		watch(m, vm);
	}
	memset(&m->now.vm[vm->vm], 0, sizeof(m->now.vm[0]));
	kick(m);
	pthread_mutex_unlock(&m->lock);
}

void meters_gone(struct meters *m, uint16_t vm)
{
	struct entry *e;

	if (!m)
		return;
	e = &m->entry[vm];
	pthread_mutex_lock(&m->lock);
	if (e->vm) {
		e->vm->vcpu_cnt = 0;
		watch(m, e->vm);
		free(e->vm);
		*e = (struct entry){ .node = NODE_NONE };
		put_vm(m, vm);
		memset(&m->now.vm[vm], 0, sizeof(m->now.vm[0]));
	}
	pthread_mutex_unlock(&m->lock);
}

static void close_meter(struct meters *m, const char *why)
{
	if (m->meter)
		m->ops->close(m->meter);
	m->meter = NULL;
	forget_rates(m);
	snprintf(stat_hostd.meter, sizeof(stat_hostd.meter), "%s", why);
}

static void open_meter(struct meters *m)
{
	int err = meter_open(&m->ops, &m->meter, m->name, &m->conf,
			     stat_hostd.meter, sizeof(stat_hostd.meter));

	if (err) {
		log_warn("memory traffic is not metered: %s", stat_hostd.meter);
		m->meter = NULL;
		return;
	}
	for (unsigned vm = 0; vm < VM_MAX; vm++)
		if (m->entry[vm].vm)
			watch(m, m->entry[vm].vm);
}

void meters_set(struct meters *m, const struct meters_set *set)
{
	bool wanted =
	    strcmp(m->name, "none") && (set->acts || strcmp(m->name, "auto"));

	pthread_mutex_lock(&m->lock);
	m->set = *set;
	m->read_ns = 0;
	if (!wanted)
		close_meter(m, "none");
	else if (!m->meter)
		open_meter(m);
	kick(m);
	pthread_mutex_unlock(&m->lock);
}

struct meter_board *meters_board(struct meters *m)
{
	return &m->board;
}

/* --- start and stop ------------------------------------------------------ */

int meters_open(struct meters **out, const char *name,
		const struct meter_conf *c)
{
	struct meters *m = calloc(1, sizeof(*m));
	pthread_condattr_t attr;

	if (!m)
		return -ENOMEM;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->cond, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&m->lock, NULL);
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->conf = *c;
	m->node_cnt = c->topo->node_cnt;
	meter_board_init(&m->board);
	for (unsigned vm = 0; vm < VM_MAX; vm++)
		m->entry[vm].node = NODE_NONE;
	*out = m;
	return 0;
}

int meters_start(struct meters *m)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&m->thread, NULL, run, m);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	m->started = !err;
	return -err;
}

void meters_close(struct meters *m)
{
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	kick(m);
	pthread_mutex_unlock(&m->lock);
	if (m->started)
		pthread_join(m->thread, NULL);
	close_meter(m, "none");
	for (unsigned vm = 0; vm < VM_MAX; vm++)
		free(m->entry[vm].vm);
	pthread_cond_destroy(&m->cond);
	pthread_mutex_destroy(&m->lock);
	free(m);
}
