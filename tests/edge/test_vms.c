// SPDX-License-Identifier: Apache-2.0
/*
 * test_vms.c - the list of VMs, with libvirt's words in and everything faked
 *
 * The poll thread is a fake that answers each message at once, ports are
 * structs that remember their end, sensor and backend fail when told to. What
 * they are asked is written down as words; a test compares the words.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "stat.h"
#include "vhost/port_vhost.h"
#include "vms.h"

#define RUN "/run/t"

/* --- what happened, in words --------------------------------------------- */

static char said[8192];

static void __attribute__((format(printf, 1, 2))) note(const char *fmt, ...)
{
	size_t n = strlen(said);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said + n, sizeof(said) - n, fmt, ap);
	va_end(ap);
}

/* Everything since the last call must have been @words. */
static void expect(const char *what, const char *words)
{
	if (strcmp(said, words))
		print_error("%s:\n got  '%s'\n want '%s'\n", what, said, words);
	assert_string_equal(said, words);
	said[0] = '\0';
}

static unsigned count(const char *word)
{
	unsigned n = 0;

	for (const char *p = said; (p = strstr(p, word)); p++)
		n++;
	return n;
}

static void forget(void)
{
	said[0] = '\0';
}

/* --- the fakes ----------------------------------------------------------- */

static struct {
	int port_err, adopt_err, watch_err, agent_err;
	bool deaf; /* the poll thread answers nothing */
} fake;

static struct msg mail[8];
static unsigned mail_cnt, open_ports;
static uint16_t told_max; /* cpus_max of the last VM sent */
static struct port *last_port;

static void fake_close(struct port *p)
{
	note("close(%s) ", p->name);
	open_ports--;
	free(p);
}

static const struct port_ops fake_port = { .kind = "fake",
					   .close = fake_close };

int port_vhost_open(struct port **out, const struct port_vhost_conf *c)
{
	struct port *p;

	note("open(%s%s%s) ", strrchr(c->path, '/') + 1,
	     c->client ? ",client" : "", c->mac ? "" : ",nomac");
	if (fake.port_err)
		return fake.port_err;
	p = calloc(1, sizeof(*p));
	assert_non_null(p);
	p->ops = &fake_port;
	snprintf(p->name, sizeof(p->name), "%s", strrchr(c->path, '/') + 1);
	if (c->mac)
		memcpy(p->mac, c->mac, 6);
	open_ports++;
	*out = last_port = p;
	return 0;
}

static void answer(const struct msg *m, enum msg_kind kind)
{
	if (fake.deaf)
		return;
	assert_true(mail_cnt < 8);
	mail[mail_cnt] = *m;
	mail[mail_cnt++].kind = kind;
}

void loop_send(struct loop *l, const struct msg *m)
{
	(void)l;
	switch (m->kind) {
	case MSG_PORT_ADD:
		note("+port ");
		break;
	case MSG_PORT_DEL:
		note("-port ");
		answer(m, MSG_PORT_OUT);
		break;
	case MSG_VCPU_SET:
		note("vcpu%u=%d ", m->vcpu.slot, (int)m->vcpu.tid);
		break;
	case MSG_VM_SET:
		told_max = m->vm.view.cpus_max;
		note("vm%u(%c,%u+%u) ", m->vm.slot,
		     m->vm.view.class == VM_CLASS_BEST_EFFORT ? 'b' : 'l',
		     m->vm.view.first_vcpu, m->vm.view.vcpu_cnt);
		break;
	case MSG_VM_DEL:
		note("-vm%u ", m->vm.slot);
		answer(m, MSG_VM_OUT);
		break;
	default:
		fail();
	}
}

bool loop_recv(struct loop *l, struct msg *m)
{
	(void)l;
	if (!mail_cnt)
		return false;
	*m = mail[--mail_cnt];
	return true;
}

void loop_wake(struct loop *l)
{
	(void)l;
}

/* The wait for a deaf poll thread takes no time here. */
int __wrap_nanosleep(const struct timespec *t, struct timespec *left);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
	(void)t;
	(void)left;
	return 0;
}

int sense_bpf_watch(struct sense_bpf *s, uint16_t vcpu, pid_t tid)
{
	(void)s;
	note("watch%u=%d ", vcpu, (int)tid);
	return fake.watch_err;
}

void sense_bpf_unwatch(struct sense_bpf *s, uint16_t vcpu)
{
	(void)s;
	note("unwatch%u ", vcpu);
}

static int fake_adopt(struct act *a, const struct act_vm *vm)
{
	(void)a;
	note("adopt(%s,%u,%d) ", vm->name, vm->vcpu_cnt, (int)vm->pid);
	return fake.adopt_err;
}

static void fake_release(struct act *a, uint16_t vm)
{
	(void)a;
	note("release%u ", vm);
}

static const struct act_ops fake_act = { .name = "fake",
					 .adopt = fake_adopt,
					 .release = fake_release };

int agents_vm(struct agents *a, uint16_t slot, const struct peer_conf *c)
{
	(void)a;
	if (!c)
		note("-agent%u ", slot);
	else
		note("agent%u(%s,%s,%s%u+%u,%d) ", slot, c->channel, c->shmem,
		     c->enabled ? "" : "off,", c->first_vcpu, c->vcpu_cnt,
		     (int)c->pid);
	return fake.agent_err;
}

/* Whose memory traffic is counted; all 0: nobody's. */
static struct act_vm metered;

void meters_vm(struct meters *m, const struct act_vm *of)
{
	assert_ptr_equal(m, &metered);
	metered = *of;
}

void meters_gone(struct meters *m, uint16_t slot)
{
	assert_ptr_equal(m, &metered);
	if (slot == metered.vm)
		memset(&metered, 0, sizeof(metered));
}

static void on_release(uint16_t first, uint16_t cnt)
{
	note("unpin%u+%u ", first, cnt);
}

static struct conf *conf, *next;

const struct conf_vm *conf_vm(const struct conf *c, const char *name)
{
	static const struct conf_vm other = { .weight = 100 };

	for (unsigned i = 0; i < c->vm_cnt; i++)
		if (!strcmp(c->vm[i].name, name))
			return &c->vm[i];
	return &other;
}

/* --- a VM in libvirt's words --------------------------------------------- */

static struct vms *vms;
static struct virt_vm vm;

static int setup(void **state)
{
	struct vms_conf c = { .ops = &fake_act,
			      .bpf = (struct sense_bpf *)&fake,
			      .agents = (struct agents *)&fake,
			      .meters = (struct meters *)&metered,
			      .run_dir = RUN,
			      .on_release = on_release,
			      .act_on = true };

	(void)state;
	conf = calloc(1, sizeof(*conf));
	c.conf = conf;
	memset(&fake, 0, sizeof(fake));
	memset(&stat_hostd, 0, sizeof(stat_hostd));
	next = calloc(1, sizeof(*next));
	mail_cnt = open_ports = 0;
	forget();
	memset(&vm, 0, sizeof(vm));
	strcpy(vm.name, "a");
	strcpy(vm.uuid, "uuid-1");
	vm.state = VIRT_DEFINED;
	vm.nic_cnt = 1;
	strcpy(vm.nic[0].path, RUN "/a.sock");
	vm.vcpu_max = 4;
	return conf && next ? vms_open(&vms, &c) : -1;
}

static int teardown(void **state)
{
	(void)state;
	vms_close(vms);
	free(conf);
	free(next);
	return open_ports != 0;
}

static void runs(pid_t pid, unsigned cnt)
{
	vm.state = VIRT_RUNNING;
	vm.pid = pid;
	vm.vcpu_cnt = (uint16_t)cnt;
	memset(vm.tid, 0, sizeof(vm.tid));
	for (unsigned i = 0; i < cnt; i++)
		vm.tid[i] = pid + 1 + (pid_t)i;
}

static void told(enum virt_state state)
{
	vm.state = state;
	vms_update(vms, &vm);
}

/* Defined, then running with two vcpus; nothing said of it any more. */
static void start(void)
{
	runs(10, 2);
	vms_update(vms, &vm);
	forget();
}

#define STOPPED "-vm0 unwatch0 unwatch1 unwatch2 unwatch3 unpin0+4 release0 "
#define STARTED                                                                \
	"watch0=11 vcpu0=11 watch1=12 vcpu1=12 adopt(a,2,10) vm0(b,0+2) "

/* --- tests --------------------------------------------------------------- */

static void test_life(void **state)
{
	(void)state;
	told(VIRT_DEFINED);
	expect("defined: its port", "open(a.sock) +port ");
	runs(10, 2);
	vms_update(vms, &vm);
	expect("runs", STARTED);
	vms_update(vms, &vm);
	expect("told twice", "");
	told(VIRT_DEFINED);
	expect("stopped: out of the loop, then given back", STOPPED);
	told(VIRT_DEFINED);
	expect("stopped, told twice", "");
	told(VIRT_GONE);
	expect("gone", "-port close(a.sock) ");
	assert_false(stat_hostd.vm[0].present);
	told(VIRT_GONE);
	expect("gone, told twice", "");
}

static void test_gone_while_running(void **state)
{
	(void)state;
	start();
	told(VIRT_GONE);
	expect("gone", STOPPED "-port close(a.sock) ");
	assert_false(stat_hostd.vm[0].present);
}

static void test_same_name_new_uuid(void **state)
{
	(void)state;
	start();
	strcpy(vm.uuid, "uuid-2");
	runs(20, 1);
	vms_update(vms, &vm);
	expect("another VM under the same name",
	       STOPPED "watch0=21 vcpu0=21 adopt(a,1,20) vm0(b,0+1) ");
	assert_string_equal(stat_hostd.vm[0].uuid, "uuid-2");
}

static void test_pid_changed_unseen(void **state)
{
	(void)state;
	start();
	runs(20, 2);
	vms_update(vms, &vm);
	expect("crashed and started again",
	       STOPPED "watch0=21 vcpu0=21 watch1=22 vcpu1=22 "
		       "adopt(a,2,20) vm0(b,0+2) ");
}

static void test_hotplug(void **state)
{
	(void)state;
	start();
	runs(10, 3);
	vms_update(vms, &vm);
	expect("one more", "watch2=13 vcpu2=13 adopt(a,3,10) vm0(b,0+3) ");
	vm.tid[1] = 0;
	vms_update(vms, &vm);
	expect("a hole", "unwatch1 vcpu1=0 adopt(a,3,10) vm0(b,0+3) ");
	runs(10, 1);
	vms_update(vms, &vm);
	expect("one left", "unwatch2 vcpu2=0 adopt(a,1,10) vm0(b,0+1) ");
}

static void test_nics(void **state)
{
	(void)state;
	start();
	vm.nic_cnt = 2;
	strcpy(vm.nic[1].path, "/elsewhere/b.sock");
	vms_update(vms, &vm);
	expect("another switch's", "");
	strcpy(vm.nic[1].path, RUN "/b.sock");
	vm.nic[1].qemu_listens = true;
	vms_update(vms, &vm);
	expect("plugged", "open(b.sock,client) +port ");
	vm.nic[0].mac[5] = 1;
	vms_update(vms, &vm);
	expect("another address on the same socket",
	       "-port close(a.sock) open(a.sock) +port ");
	vm.nic[0].qemu_listens = true;
	vms_update(vms, &vm);
	expect("the other mode on the same socket",
	       "-port close(a.sock) open(a.sock,client) +port ");
	vm.nic[0] = vm.nic[1];
	vm.nic_cnt = 1;
	vms_update(vms, &vm);
	expect("unplugged", "-port close(a.sock) ");
}

static void test_failures(void **state)
{
	(void)state;
	fake.port_err = -EADDRINUSE;
	told(VIRT_DEFINED);
	expect("no port", "open(a.sock) ");
	assert_int_equal(stat_hostd.vms_refused, 1);
	fake.port_err = 0;
	told(VIRT_DEFINED);
	expect("tried again", "open(a.sock) +port ");

	runs(10, 2);
	fake.watch_err = -ESRCH;
	vms_update(vms, &vm);
	expect("not watched: managed by delay alone", STARTED);
	fake.watch_err = 0;
	told(VIRT_DEFINED);
	forget();

	runs(10, 2);
	fake.adopt_err = -EPERM;
	vms_update(vms, &vm);
	expect("not adopted", STARTED);
	assert_int_equal(told_max, 0); /* owns nothing it could not use */
	told(VIRT_DEFINED);
	expect("so not released", "-vm0 unwatch0 unwatch1 unwatch2 unwatch3 ");
}

/* The switch does not take a port: a word to the operator, nothing lost. */
static void test_port_refused(void **state)
{
	struct port port = { .name = "a" };
	struct msg m = { .kind = MSG_PORT_REFUSED, .port = &port };

	(void)state;
	answer(&m, MSG_PORT_REFUSED);
	vms_pump(vms);
	assert_int_equal(stat_hostd.vms_refused, 1);
}

static void test_adopted_again_fails(void **state)
{
	(void)state;
	start();
	fake.adopt_err = -EIO;
	runs(10, 3);
	vms_update(vms, &vm);
	forget();
	told(VIRT_DEFINED);
	expect("still adopted as before: to be released", STOPPED);
}

static void test_deaf_poll_thread(void **state)
{
	struct port *left;

	(void)state;
	told(VIRT_DEFINED);
	left = last_port;
	forget();
	fake.deaf = true;
	told(VIRT_GONE);
	expect("a port that may be in use is not freed", "-port ");
	assert_int_equal(open_ports, 1);
	fake.deaf = false;
	told(VIRT_DEFINED);
	expect("served anew", "open(a.sock) +port ");
	fake_close(left);
}

static void each(void *arg, const char *uuid, unsigned index, uint16_t slot)
{
	(void)arg;
	note("%s/%u@%u ", uuid, index, slot);
}

static void test_reload(void **state)
{
	(void)state;
	start();
	vms_each_vcpu(vms, each, NULL);
	expect("its vcpus", "uuid-1/0@0 uuid-1/1@1 ");
	next->vm_cnt = 1;
	strcpy(next->vm[0].name, "a");
	next->vm[0].class = VM_CLASS_LATENCY_CRITICAL;
	vms_reload(vms, next, true);
	expect("another class", "adopt(a,2,10) vm0(l,0+2) ");
	vms_reload(vms, next, false);
	expect("policy none", "unpin0+4 release0 vm0(l,0+2) ");
	vms_each_vcpu(vms, each, NULL);
	expect("nobody's vcpus", "");
	vms_reload(vms, next, false);
	expect("policy none again", "vm0(l,0+2) ");
	vms_reload(vms, conf, true);
	expect("back", "adopt(a,2,10) vm0(b,0+2) ");
}

#define AGENT "agent0(/run/c,heighliner-a,0+2,10) "

/* The memory traffic of its threads is counted while it runs. */
static void test_metered(void **state)
{
	(void)state;
	told(VIRT_DEFINED);
	assert_int_equal(metered.vcpu_cnt, 0);
	start();
	assert_string_equal(metered.name, "a");
	assert_int_equal(metered.pid, 10);
	assert_int_equal(metered.vcpu_cnt, 2);
	assert_int_equal(metered.tid[1], 12);
	runs(10, 3);
	vms_update(vms, &vm);
	assert_int_equal(metered.vcpu_cnt, 3);
	assert_int_equal(metered.tid[2], 13);
	told(VIRT_DEFINED);
	assert_int_equal(metered.vcpu_cnt, 0);
}

/* Its agent is told while it runs, and of every change. */
static void test_agent(void **state)
{
	(void)state;
	next->vm_cnt = conf->vm_cnt = 1;
	conf->vm[0].agent = true;
	strcpy(conf->vm[0].name, "a");
	strcpy(next->vm[0].name, "a");
	strcpy(vm.channel, "/run/c");
	strcpy(vm.shmem, "heighliner-a");
	told(VIRT_DEFINED);
	expect("does not run", "open(a.sock) +port ");
	runs(10, 2);
	vms_update(vms, &vm);
	expect("runs", STARTED AGENT);
	vms_update(vms, &vm);
	expect("told twice", "");
	vm.shmem[0] = '\0';
	vms_update(vms, &vm);
	expect("the page is detached", "agent0(/run/c,,0+2,10) ");
	vm.channel[0] = '\0';
	vms_update(vms, &vm);
	expect("the channel too", "-agent0 ");
	strcpy(vm.shmem, "heighliner-a");
	vms_update(vms, &vm);
	expect("a page alone is nothing", "");
	strcpy(vm.channel, "/run/c");
	vms_update(vms, &vm);
	expect("both attached again", AGENT);
	runs(10, 3);
	vms_update(vms, &vm);
	expect("a vcpu is plugged",
	       "watch2=13 vcpu2=13 adopt(a,3,10) vm0(b,0+3) "
	       "agent0(/run/c,heighliner-a,0+3,10) ");
	vms_reload(vms, next, true);
	expect("agent = off", "adopt(a,3,10) vm0(b,0+3) "
			      "agent0(/run/c,heighliner-a,off,0+3,10) ");
	told(VIRT_DEFINED);
	expect("stops: its agent first", "-agent0 " STOPPED);
	fake.agent_err = -ENOMEM;
	runs(10, 2);
	vms_update(vms, &vm);
	expect("no memory for it",
	       STARTED "agent0(/run/c,heighliner-a,off,0+2,10) ");
	fake.agent_err = 0;
	vms_update(vms, &vm);
	expect("told later", "agent0(/run/c,heighliner-a,off,0+2,10) ");
}

static void test_conf_socket(void **state)
{
	(void)state;
	strcpy(next->vm[0].name, "a");
	strcpy(next->vm[0].socket, "/anywhere/c.sock");
	next->vm_cnt = 1;
	vms_reload(vms, next, true);
	expect("served before libvirt knows", "open(c.sock,nomac) +port ");
	assert_true(stat_hostd.vm[0].present);
	told(VIRT_DEFINED);
	expect("both", "open(a.sock) +port ");
	told(VIRT_GONE);
	expect("the [vm] section's stays", "-port close(a.sock) ");
	assert_true(stat_hostd.vm[0].present);
	told(VIRT_DEFINED);
	forget();
	vms_reload(vms, conf, true);
	expect("the section is gone", "-port close(c.sock) ");
	vms_reload(vms, next, true);
	expect("and back, libvirt knows the VM", "open(c.sock,nomac) +port ");
	told(VIRT_GONE);
	forget();
	vms_reload(vms, conf, true);
	expect("gone from both", "-port close(c.sock) ");
	assert_false(stat_hostd.vm[0].present);

	strcpy(next->vm[0].socket, RUN "/a.sock");
	told(VIRT_DEFINED);
	forget();
	vms_reload(vms, next, true);
	expect("of both on one socket, libvirt's", "");
}

static void test_table_full(void **state)
{
	(void)state;
	vm.nic_cnt = 0;
	for (unsigned i = 0; i < VM_MAX; i++) {
		snprintf(vm.name, sizeof(vm.name), "vm-%u", i);
		vms_update(vms, &vm);
	}
	assert_int_equal(stat_hostd.vms_refused, 0);
	strcpy(vm.name, "one too many");
	vms_update(vms, &vm);
	assert_int_equal(stat_hostd.vms_refused, 1);
	strcpy(vm.name, "vm-7");
	told(VIRT_GONE);
	strcpy(vm.name, "one too many");
	told(VIRT_DEFINED);
	assert_int_equal(stat_hostd.vms_refused, 1);
	assert_string_equal(stat_hostd.vm[7].name, "one too many");
}

static void test_vcpu_slots_exhausted(void **state)
{
	(void)state;
	vm.nic_cnt = 0;
	vm.vcpu_max = ACT_VCPUS_MAX;
	for (unsigned i = 0; i <= VCPU_MAX / ACT_VCPUS_MAX; i++) {
		snprintf(vm.name, sizeof(vm.name), "vm-%u", i);
		runs((pid_t)(100 + i), 1);
		vms_update(vms, &vm);
	}
	assert_int_equal(count("adopt("), VCPU_MAX / ACT_VCPUS_MAX);
	assert_int_equal(stat_hostd.vms_refused, 1);
	strcpy(vm.name, "vm-3");
	told(VIRT_DEFINED);
	strcpy(vm.name, "vm-16");
	runs(116, 1);
	forget();
	vms_update(vms, &vm);
	expect("the room of the one that left",
	       "watch1536=117 vcpu1536=117 adopt(vm-16,1,116) "
	       "vm16(b,1536+1) ");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_life),
		T(test_gone_while_running),
		T(test_same_name_new_uuid),
		T(test_pid_changed_unseen),
		T(test_hotplug),
		T(test_nics),
		T(test_failures),
		T(test_adopted_again_fails),
		T(test_port_refused),
		T(test_deaf_poll_thread),
		T(test_reload),
		T(test_metered),
		T(test_agent),
		T(test_conf_socket),
		T(test_table_full),
		T(test_vcpu_slots_exhausted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
