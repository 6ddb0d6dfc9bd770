// SPDX-License-Identifier: Apache-2.0
/*
 * loop.c - the poll thread: the one place where everything meets
 *
 * Theory of operation. One pass moves frames, and every interval_ns also looks
 * (sense), decides (policy, pure) and acts (owners -> wishes -> moves). All
 * data below belongs to this thread; the control thread sends messages. The
 * thread makes no system call but the wake-ups guests ask for, one to the
 * agents thread when a decision changed what a VM with an agent owns, and, when
 * there was nothing to do for idle_after_ns and sleeping is allowed, the sleep.
 *
 *	frame in -> sw_pass -> stamps -> sense_snapshot -> policy decide
 *	  -> owners_apply -> actuate_want -> backend thread -> vcpu moved
 */
#include "loop.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "hl/clock.h"
#include "hl/mbox.h"
#include "owners.h"
#include "policy/snapshot.h"
#include "publish.h"
#include "record.h"
#include "sense.h"
#include "sense_slo.h"
#include "stat.h"
#include "vhost/eal.h"
#include "why.h"

#define POLICY_STATES 16    /* upper bound of policies in policy_table */
#define MAIL_PER_PASS 64    /* messages handled in one pass */
#define POLL_NICE     (-15) /* ahead of what else runs on the poll cpu */

struct loop {
	struct loop_conf conf;
	struct settings set;
	pthread_t thread;
	bool started, stop;
	struct mbox inbox, outbox;
	struct port_list ports;
	struct owners owners;
	struct sense sense;
	struct snapshot snap;
	bool stale; /* what is derived in it, until the end of mail() */
	struct plan plan;
	void *state[POLICY_STATES]; /* one a policy, policy_table's order */
	uint64_t busy_ns, decide_ns, publish_ns; /* last busy, next two */
};

int loop_open(struct loop **out, const struct loop_conf *c)
{
	/* mboxes keep their two ends on cache lines of their own */
	struct loop *l = aligned_alloc(_Alignof(struct loop), sizeof(*l));

	if (!l)
		return -ENOMEM;
	memset(l, 0, sizeof(*l));
	l->conf = *c;
	for (unsigned i = 0; i < POLICY_STATES && policy_table[i]; i++) {
		l->state[i] = calloc(1, policy_table[i]->state_bytes + 1);
		if (!l->state[i])
			goto err_free;
	}
	for (unsigned i = 0; i < VCPU_MAX; i++) {
		l->snap.vcpu[i].vm = VM_NONE;
		l->snap.vcpu[i].cpu = CPU_NONE;
		l->snap.vcpu[i].last_cpu = CPU_NONE;
	}
	if (mbox_init(&l->inbox, MSG_SLOTS, sizeof(struct msg)))
		goto err_free;
	if (mbox_init(&l->outbox, MSG_SLOTS, sizeof(struct msg)))
		goto err_inbox;
	*out = l;
	return 0;

err_inbox:
	mbox_exit(&l->inbox);
err_free:
	for (unsigned i = 0; i < POLICY_STATES; i++)
		free(l->state[i]);
	free(l);
	return -ENOMEM;
}

void loop_close(struct loop *l)
{
	mbox_exit(&l->outbox);
	mbox_exit(&l->inbox);
	for (unsigned i = 0; i < POLICY_STATES; i++)
		free(l->state[i]);
	free(l);
}

void loop_wake(struct loop *l)
{
	sw_wake(l->conf.sw);
}

void loop_send(struct loop *l, const struct msg *m)
{
	const struct timespec pause = { .tv_nsec = 100000 };

	while (!mbox_push(&l->inbox, m)) {
		loop_wake(l);
		nanosleep(&pause, NULL);
	}
	loop_wake(l);
}

bool loop_recv(struct loop *l, struct msg *m)
{
	return mbox_pop(&l->outbox, m);
}

/* The box holds more than there can be ports, VMs and calls outstanding. */
static void tell(struct loop *l, const struct msg *m)
{
	if (mbox_push(&l->outbox, m))
		l->conf.wake_control();
}

void loop_call(struct loop *l, void (*fn)(void *arg), void *arg)
{
	const struct msg m = { .kind = MSG_CALL,
			       .call = { .fn = fn, .arg = arg } };

	tell(l, &m);
}

/* --- owners and wishes --------------------------------------------------- */

static void want(struct loop *l, uint16_t vcpu)
{
	struct cpumask mask;

	if (!l->set.act)
		return;
	mask = owners_mask(&l->owners, vcpu);
	if (!cpumask_empty(&mask))
		actuate_want(l->conf.actuate, vcpu, &mask, l->snap.now_ns);
}

static void want_vm(struct loop *l, uint16_t slot)
{
	const struct vm_view *vm = &l->snap.vm[slot];

	for (unsigned i = 0; i < vm->vcpu_cnt; i++)
		if (l->snap.vcpu[vm->first_vcpu + i].vm != VM_NONE)
			want(l, (uint16_t)(vm->first_vcpu + i));
}

static uint16_t vm_of(const struct loop *l, uint16_t vcpu)
{
	return vcpu == VCPU_NONE ? VM_NONE : l->snap.vcpu[vcpu].vm;
}

/* The policy reads who owns what from the snapshot: copy it there. While what
 * is derived there is stale, only the owner; the rest follows (mail()). */
static void show_owner(struct loop *l, uint16_t cpu, uint16_t owner)
{
	if (vm_of(l, l->snap.cpu[cpu].owner) != VM_NONE)
		sense_share(&l->sense, &l->snap, l->snap.cpu[cpu].owner);
	if (vm_of(l, owner) != VM_NONE)
		sense_share(&l->sense, &l->snap, owner);
	if (!l->stale) {
		snapshot_own(&l->snap, cpu, owner);
		return;
	}
	l->snap.cpu[cpu].owner = owner;
	l->snap.cpu[cpu].since_ns = l->snap.now_ns;
}

/* What the agent in the guest is told of a vcpu. One of a best-effort VM may
 * run anywhere, whatever it owns: to its agent, that is nothing. */
static void tell_agent(struct loop *l, uint16_t vcpu)
{
	bool tells = l->set.act && l->set.policy->tells_agents;
	uint16_t vm = l->snap.vcpu[vcpu].vm, cpu = l->owners.vcpu_cpu[vcpu];

	if (tells && vm != VM_NONE && cpu != CPU_NONE &&
	    l->snap.vm[vm].class == VM_CLASS_LATENCY_CRITICAL)
		board_grant(l->conf.board, vcpu, cpu, l->snap.cpu[cpu].llc);
	else
		board_grant(l->conf.board, vcpu, CPU_NONE, CPU_NONE);
}

/* Old and new owners of cpus that changed hands are told when all is shown: a
 * vcpu that goes from one cpu to another is not told of nothing in between. */
static void show_owners(struct loop *l)
{
	static uint16_t touched[2 * CPU_MAX];
	struct cpumask moved = l->owners.moved;
	unsigned cnt = 0;

	l->owners.moved = (struct cpumask){ 0 };
	cpumask_for_each (i, &moved) {
		uint16_t was = l->snap.cpu[i].owner;
		uint16_t is = owners_of_cpu(&l->owners, (uint16_t)i);

		if (was == is)
			continue;
		if (was != VCPU_NONE)
			touched[cnt++] = was;
		if (is != VCPU_NONE)
			touched[cnt++] = is;
		show_owner(l, (uint16_t)i, is);
	}
	if (!l->conf.board)
		return;
	while (cnt)
		tell_agent(l, touched[--cnt]);
	board_kick(l->conf.board);
}

static void act_on(struct loop *l)
{
	static uint16_t before[CPU_MAX];
	static struct owners_changed changed;

	for (unsigned i = 0; i < l->plan.count; i++)
		before[i] =
		    l->plan.grant[i].cpu < CPU_MAX
			? owners_of_cpu(&l->owners, l->plan.grant[i].cpu)
			: VCPU_NONE;
	stat_hostd.grants_refused +=
	    owners_apply(&l->owners, &l->snap, &l->plan, &changed);
	for (unsigned i = 0; i < l->plan.count; i++) {
		const struct grant *g = &l->plan.grant[i];

		if (g->cpu >= CPU_MAX || before[i] == g->vcpu ||
		    owners_of_cpu(&l->owners, g->cpu) != g->vcpu)
			continue; /* refused, or nothing new */
		why_moved(&l->snap, g, before[i]);
	}
	for (unsigned i = 0; i < l->plan.bar_cnt; i++) {
		const struct bar *b = &l->plan.bar[i];

		if (!owners_bar_stands(&l->owners, b))
			continue;
		if (stat_bar_note(b))
			why_barred(&l->snap, b);
	}
	show_owners(l);
	for (unsigned i = 0; i < changed.count; i++)
		want(l, changed.vcpu[i]);
}

static void note_max(uint64_t *max_ns, uint64_t took_ns)
{
	if (took_ns > *max_ns)
		*max_ns = took_ns;
}

static unsigned policy_index(const struct policy_ops *ops)
{
	unsigned i = 0;

	while (policy_table[i] != ops)
		i++;
	return i;
}

static void decide(struct loop *l, uint64_t now_ns)
{
	l->decide_ns = now_ns + l->set.interval_ns;
	if (l->conf.meters)
		meter_board_show(l->conf.meters, &l->snap);
	sense_snapshot(&l->sense, &l->snap, now_ns);
	l->plan.count = l->plan.bar_cnt = 0;
	if (l->set.act)
		l->set.policy->decide(l->state[policy_index(l->set.policy)],
				      &l->snap, &l->plan);
	record_look(&l->snap, &l->plan, l->set.interval_ns,
		    l->set.policy->name);
	if (!l->set.act)
		return;
	if (l->plan.count || l->plan.bar_cnt)
		act_on(l);
	stat_hostd.decisions++;
	note_max(&stat_hostd.decide_max_ns, clock_now_ns() - now_ns);
}

/* --- messages from the control thread ------------------------------------ */

static void take_settings(struct loop *l, const struct settings *set)
{
	l->stale = true;
	if (set->policy != l->set.policy) {
		memset(l->state[policy_index(set->policy)], 0,
		       set->policy->state_bytes);
		owners_bars_clear(&l->owners);
		stat_bars_clear();
	}
	l->set = *set;
	record_again();
	sw_set(l->conf.sw, &set->sw);
	owners_set(&l->owners, &set->managed, &set->floor);
	for (unsigned i = 0; i < l->snap.cpu_cnt && i < CPU_MAX; i++) {
		l->snap.cpu[i].managed = cpumask_has(&set->managed, i);
		l->snap.cpu[i].floor = cpumask_has(&set->floor, i);
	}
	if (!set->act) {
		owners_clear(&l->owners);
		stat_bars_clear();
		for (unsigned i = 0; i < l->snap.vcpu_cnt; i++)
			actuate_forget(l->conf.actuate, (uint16_t)i);
	}
	show_owners(l);
	snapshot_mark_all(&l->snap);
	for (unsigned i = 0; i < l->snap.vm_cnt; i++)
		if (l->snap.vm[i].present)
			want_vm(l, (uint16_t)i);
	if (!l->conf.board)
		return;
	for (unsigned i = 0; i < l->snap.vcpu_cnt; i++)
		tell_agent(l, (uint16_t)i); /* a policy may keep it to itself */
	board_kick(l->conf.board);
}

static void set_vcpu(struct loop *l, const struct msg *m)
{
	struct vcpu_view *v = &l->snap.vcpu[m->vcpu.slot];

	l->stale = true;
	sense_vcpu_renew(&l->sense, &l->snap, m->vcpu.slot);
	memset(v, 0, sizeof(*v));
	v->vm = m->vcpu.tid ? m->vcpu.vm : VM_NONE;
	v->cpu = CPU_NONE;
	v->last_cpu = CPU_NONE;
	if (m->vcpu.slot >= l->snap.vcpu_cnt)
		l->snap.vcpu_cnt = (uint16_t)(m->vcpu.slot + 1);
	actuate_vcpu(l->conf.actuate, m->vcpu.slot, v->vm, m->vcpu.index,
		     m->vcpu.pid, m->vcpu.tid);
}

static void set_vm(struct loop *l, uint16_t slot, const struct vm_view *view)
{
	struct vm_view *vm = &l->snap.vm[slot];

	l->stale = true;
	if (slot >= l->snap.vm_cnt)
		l->snap.vm_cnt = (uint16_t)(slot + 1);
	if (!vm->present)
		publish_vm_reset(slot);
	*vm = *view;
	vm->node = NODE_NONE;
	if (l->conf.meters)
		meter_board_show_vm(l->conf.meters, &l->snap, slot);
	sense_slo_set(&l->snap, slot, l->conf.sw, &l->ports);
	sense_vm_renew(&l->sense, &l->snap, slot);
	owners_vm_set(&l->owners, slot, view->class, view->first_vcpu,
		      view->vcpu_cnt);
	show_owners(l);
	want_vm(l, slot);
}

static void del_vm(struct loop *l, uint16_t slot)
{
	struct vm_view *vm = &l->snap.vm[slot];

	l->stale = true;
	for (unsigned i = 0; i < l->snap.cpu_cnt; i++) {
		const struct grant g = { .cpu = (uint16_t)i,
					 .vcpu = VCPU_NONE,
					 .reason = REASON_GONE };

		if (vm_of(l, l->snap.cpu[i].owner) == slot)
			why_moved(&l->snap, &g, l->snap.cpu[i].owner);
	}
	owners_vm_del(&l->owners, slot);
	show_owners(l);
	for (unsigned i = 0; i < vm->vcpu_cnt; i++) {
		uint16_t vcpu = (uint16_t)(vm->first_vcpu + i);

		sense_vcpu_renew(&l->sense, &l->snap, vcpu);
		l->snap.vcpu[vcpu].vm = VM_NONE;
		actuate_vcpu(l->conf.actuate, vcpu, VM_NONE, 0, 0, 0);
	}
	memset(vm, 0, sizeof(*vm));
	sense_slo_set(&l->snap, slot, l->conf.sw, &l->ports);
	sense_vm_renew(&l->sense, &l->snap, slot);
}

static void del_port(struct loop *l, struct port *p)
{
	for (unsigned i = 0; i < l->ports.count; i++) {
		if (l->ports.port[i] != p)
			continue;
		if (p->vm != VM_NONE)
			sense_port_del(&l->sense, &l->snap, p);
		sw_del(l->conf.sw, p);
		l->ports.port[i] = l->ports.port[--l->ports.count];
		return;
	}
}

static void add_port(struct loop *l, struct port *p)
{
	const struct msg m = { .kind = MSG_PORT_REFUSED, .port = p };

	if (l->ports.count == PORT_MAX || sw_add(l->conf.sw, p)) {
		tell(l, &m);
		return;
	}
	l->ports.port[l->ports.count++] = p;
	if (p->vm == VM_NONE)
		return;
	sense_port_add(&l->sense, p);
	sense_slo_set(&l->snap, p->vm, l->conf.sw, &l->ports);
}

static void handle(struct loop *l, struct msg *m)
{
	switch (m->kind) {
	case MSG_SETTINGS:
		take_settings(l, &m->settings);
		break;
	case MSG_PORT_ADD:
		add_port(l, m->port);
		break;
	case MSG_PORT_DEL:
		del_port(l, m->port);
		m->kind = MSG_PORT_OUT;
		tell(l, m);
		break;
	case MSG_VCPU_SET:
		set_vcpu(l, m);
		break;
	case MSG_VM_SET:
		set_vm(l, m->vm.slot, &m->vm.view);
		break;
	case MSG_VM_DEL:
		del_vm(l, m->vm.slot);
		m->kind = MSG_VM_OUT;
		tell(l, m);
		break;
	case MSG_REASSERT:
		actuate_reassert(l->conf.actuate, m->vcpu.slot, l->snap.now_ns);
		break;
	case MSG_STOP:
		l->stop = true;
		break;
	case MSG_PORT_OUT:
	case MSG_VM_OUT:
	case MSG_PORT_REFUSED:
	case MSG_CALL:
		break; /* these go the other way */
	}
}

/* After changes of what is configured: they may come in hundreds, so once a
 * pass is enough. */
static void freshen(struct loop *l)
{
	if (l->stale)
		snapshot_index(&l->snap);
	l->stale = false;
}

static void mail(struct loop *l)
{
	struct msg m;

	for (unsigned n = 0; n < MAIL_PER_PASS && mbox_pop(&l->inbox, &m); n++)
		handle(l, &m);
	freshen(l);
}

/* --- the pass ------------------------------------------------------------ */

/* Nothing happened for a while: sleep until a frame, a message or the time a
 * decision could matter. The snapshot is fresh: one interval old at most. */
static void rest(struct loop *l, uint64_t now_ns)
{
	uint64_t patience_ns;

	if (!l->set.may_sleep || now_ns - l->busy_ns < l->set.idle_after_ns)
		return;
	patience_ns = sense_patience_ns(&l->snap);
	if (patience_ns > PUBLISH_NS)
		patience_ns = PUBLISH_NS;
	if (actuate_busy(l->conf.actuate) && patience_ns > NSEC_PER_MSEC)
		patience_ns = NSEC_PER_MSEC;
	if (sw_sleep(l->conf.sw, patience_ns))
		stat_hostd.sleeps++;
	l->decide_ns = 0; /* look at once when awake */
}

static void pass(struct loop *l)
{
	uint64_t now_ns = clock_now_ns();

	stat_hostd.passes++;
	if (sw_pass(l->conf.sw, now_ns)) {
		stat_hostd.passes_busy++;
		l->busy_ns = now_ns;
	}
	if (now_ns >= l->decide_ns)
		decide(l, now_ns);
	actuate_turn(l->conf.actuate);
	mail(l);
	actuate_flush(l->conf.actuate, now_ns);
	if (now_ns >= l->publish_ns) {
		l->publish_ns = now_ns + PUBLISH_NS;
		l->snap.move_ns = actuate_move_ns();
		sense_shares(&l->sense, &l->snap);
		publish(&l->snap, &l->ports);
	}
	note_max(&stat_hostd.pass_max_ns, clock_now_ns() - now_ns);
	rest(l, now_ns);
}

static void *loop_main(void *arg)
{
	struct loop *l = arg;

	eal_thread_enter();
	pthread_setname_np(pthread_self(), "hostd-poll");
	prctl(PR_SET_TIMERSLACK, 1ul); /* sleeps end when asked, not 50 us on */
	/* Not allowed in some containers: the loop then only waits longer. */
	setpriority(PRIO_PROCESS, 0, POLL_NICE);
	while (!l->stop)
		pass(l);
	publish(&l->snap, &l->ports);
	eal_thread_leave();
	return NULL;
}

static void loop_init(struct loop *l)
{
	const struct topo *t = l->conf.topo;

	sense_init(&l->sense, l->conf.sw,
		   l->conf.bpf ? sense_bpf_page(l->conf.bpf) : NULL,
		   l->conf.board);
	owners_init(&l->owners, &l->conf.settings.managed,
		    &l->conf.settings.floor);
	l->snap.cpu_cnt = t->cpu_cnt;
	for (unsigned i = 0; i < t->cpu_cnt; i++) {
		struct cpu_view *c = &l->snap.cpu[i];

		c->owner = VCPU_NONE;
		c->sibling = t->cpu[i].sibling;
		c->llc = t->cpu[i].llc;
		c->node = t->cpu[i].node;
	}
	l->snap.node_cnt = t->node_cnt;
	for (unsigned i = 0; i < t->node_cnt; i++)
		memcpy(l->snap.node[i].distance, t->distance[i],
		       sizeof(t->distance[i]));
	l->set.policy = l->conf.settings.policy;
	take_settings(l, &l->conf.settings);
	freshen(l);
}

int loop_start(struct loop *l)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int err;

	loop_init(l);
	pthread_attr_init(&attr);
	if (l->conf.cpu != CPU_NONE) {
		CPU_ZERO(&set);
		CPU_SET(l->conf.cpu, &set);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	err = pthread_create(&l->thread, &attr, loop_main, l);
	pthread_attr_destroy(&attr);
	l->started = !err;
	return -err;
}

void loop_stop(struct loop *l)
{
	const struct msg m = { .kind = MSG_STOP };

	if (!l->started)
		return;
	loop_send(l, &m);
	pthread_join(l->thread, NULL);
	l->started = false;
}
