// SPDX-License-Identifier: Apache-2.0
/*
 * test_publish.c - windows turn, counters add up, owners are named
 *
 * publish.c remembers when it looked last, for the whole process: so time goes
 * on from test to test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "publish.h"
#include "stat.h"

static struct snapshot *s;
static struct port_list *ports;
static uint64_t now_ns;

static int setup(void **state)
{
	(void)state;
	memset(&stat_hostd, 0, sizeof(stat_hostd));
	s = calloc(1, sizeof(*s));
	ports = calloc(1, sizeof(*ports));
	if (!s || !ports)
		return -1;
	now_ns += 2 * STAT_WINDOW_NS;
	s->now_ns = now_ns;
	s->vm_cnt = 3;
	for (unsigned i = 0; i < 3; i++) {
		s->vm[i].present = true;
		stat_hostd.vm[i].window_end_ns = now_ns;
	}
	publish(s, ports); /* a window begins here */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(ports);
	free(s);
	return 0;
}

static void publish_after(uint64_t ns)
{
	s->now_ns = now_ns += ns;
	publish(s, ports);
}

/* A delay seen at 0 is shown for one to two windows. */
static void test_windows(void **state)
{
	static const struct {
		const char *what;
		uint64_t after_ns;
		uint64_t shown;
	} table[] = {
		{ "at once", 0, 1 },
		{ "just before the turn", STAT_WINDOW_NS - 1, 1 },
		{ "the turn: now the one before", 1, 1 },
		{ "just before the next", STAT_WINDOW_NS - 1, 1 },
		{ "the next turn: out of sight", 1, 0 },
		{ "for good", 3 * STAT_WINDOW_NS, 0 },
	};
	struct stat_signal *signal = &stat_hostd.vm[1].signal[SLO_RESPONSE];
	struct hist shown;

	(void)state;
	score_add(&signal->score, 1000);
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		publish_after(table[i].after_ns);
		stat_window(signal, &shown);
		if (shown.count != table[i].shown)
			fail_msg("%s: %u shown", table[i].what,
				 (unsigned)shown.count);
	}
}

/* VMs that came together turn at different times, none later than a window. */
static void test_spread(void **state)
{
	uint64_t first_ns = now_ns;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		stat_hostd.vm[i].window_end_ns = 0;
	publish_after(0);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t end_ns = stat_hostd.vm[i].window_end_ns;

		assert_true(end_ns > first_ns);
		assert_true(end_ns <= first_ns + STAT_WINDOW_NS);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(end_ns,
					     stat_hostd.vm[k].window_end_ns);
	}
}

static void fill(struct port *p, uint16_t vm, uint64_t n)
{
	p->vm = vm;
	p->count.from_frames = n;
	p->count.from_bytes = 10 * n;
	p->count.to_frames = 100 * n;
	p->count.to_bytes = 1000 * n;
	p->count.kicks = 2 * n;
	p->count.drop[DROP_NUM - 1] = 3 * n;
	ports->port[ports->count++] = p;
}

static void check_count(const struct port_count *c, uint64_t n)
{
	assert_int_equal(c->from_frames, n);
	assert_int_equal(c->from_bytes, 10 * n);
	assert_int_equal(c->to_frames, 100 * n);
	assert_int_equal(c->to_bytes, 1000 * n);
	assert_int_equal(c->kicks, 2 * n);
	assert_int_equal(c->drop[DROP_NUM - 1], 3 * n);
	assert_int_equal(c->drop[0], 0);
}

/* Ports of one VM stand anywhere in the list; each call sums anew. */
static void test_ports(void **state)
{
	static struct port port[6];

	(void)state;
	fill(&port[0], 2, 1);
	fill(&port[1], VM_NONE, 5);
	fill(&port[2], 0, 7);
	fill(&port[3], 2, 20);
	fill(&port[4], VM_NONE, 300);
	fill(&port[5], 9, 1); /* defined, has never run: no view yet */
	for (unsigned turn = 0; turn < 2; turn++) {
		publish_after(1);
		check_count(&stat_hostd.vm[2].port, 21);
		check_count(&stat_hostd.vm[0].port, 7);
		check_count(&stat_hostd.vm[1].port, 0);
		check_count(&stat_hostd.uplink, 305);
	}
	ports->count = 3; /* one of VM 2's was unplugged */
	publish_after(1);
	check_count(&stat_hostd.vm[2].port, 1);
}

/* Times of a VM are sums over its plugged vcpus. */
static void test_vm(void **state)
{
	(void)state;
	s->vm[1].first_vcpu = 4;
	s->vm[1].vcpu_cnt = 3;
	s->vm[1].delay_ns = 77;
	s->vm[1].has_port = true;
	for (unsigned i = 3; i < 8; i++) {
		s->vcpu[i].vm = 1;
		s->vcpu[i].ran_ns = 1u << i;
		s->vcpu[i].waited_ns = 1u << (i + 8);
	}
	s->vcpu[5].vm = VM_NONE;
	publish_after(1);
	assert_int_equal(stat_hostd.vm[1].ran_ns, 1 << 4 | 1 << 6);
	assert_int_equal(stat_hostd.vm[1].waited_ns, 1 << 12 | 1 << 14);
	assert_int_equal(stat_hostd.vm[1].view.delay_ns, 77);
	assert_true(stat_hostd.vm[1].port_up);
	assert_false(stat_hostd.vm[0].port_up);
	/* it leaves: shown once more, as absent */
	memset(&s->vm[1], 0, sizeof(s->vm[1]));
	publish_after(1);
	assert_false(stat_hostd.vm[1].view.present);
	assert_int_equal(stat_hostd.vm[1].ran_ns, 0);
}

static void test_cpus(void **state)
{
	(void)state;
	s->cpu_cnt = 3;
	s->vm[1].first_vcpu = 4;
	s->vm[1].vcpu_cnt = 3;
	for (unsigned i = 0; i < 8; i++)
		s->vcpu[i].vm = VM_NONE;
	s->vcpu[6].vm = 1;
	s->cpu[0].owner = VCPU_NONE;
	s->cpu[1] =
	    (struct cpu_view){ .managed = true, .owner = 6, .since_ns = 42 };
	s->cpu[2].owner = 7; /* its VM left in this very pass */
	publish_after(1);
	assert_int_equal(stat_hostd.cpu[0].owner_vm, VM_NONE);
	assert_int_equal(stat_hostd.cpu[0].owner, VCPU_NONE);
	assert_int_equal(stat_hostd.cpu[1].owner_vm, 1);
	assert_int_equal(stat_hostd.cpu[1].owner_index, 2);
	assert_int_equal(stat_hostd.cpu[1].since_ns, 42);
	assert_true(stat_hostd.cpu[1].managed);
	assert_int_equal(stat_hostd.cpu[2].owner_vm, VM_NONE);
}

/* The share shown is that of the last one to two windows. */
static void test_share(void **state)
{
	static const struct {
		const char *what;
		uint64_t after_ns, ran_ns, owned_ns; /* ran and owned more */
		uint64_t ppm;
	} table[] = {
		{ "did not run", 0, 0, 0, 0 },
		{ "half", 0, 100, 50, 500000 },
		{ "the turn", STAT_WINDOW_NS, 0, 0, 500000 },
		{ "all since", 0, 300, 300, 875000 },
		{ "the next turn", STAT_WINDOW_NS, 0, 0, 1000000 },
		{ "none since", 0, 100, 0, 750000 },
		{ "two turns later", 2 * STAT_WINDOW_NS, 0, 0, 0 },
		{ "the turn after", STAT_WINDOW_NS, 0, 0, 0 },
	};
	struct stat_vm *vm = &stat_hostd.vm[1];

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		vm->share.ran_ns += table[i].ran_ns;
		vm->share.owned_ns += table[i].owned_ns;
		publish_after(table[i].after_ns);
		if (stat_share_ppm(vm) != table[i].ppm)
			fail_msg("%s: %u ppm", table[i].what,
				 (unsigned)stat_share_ppm(vm));
	}
}

/* Nothing of the former VM is left but the name, which is not publish's. */
static void test_reset(void **state)
{
	struct stat_vm *vm = &stat_hostd.vm[1], blank = { 0 };

	(void)state;
	memset(vm, 0x5a, sizeof(*vm));
	memcpy(blank.name, vm->name, sizeof(blank.name));
	memcpy(blank.uuid, vm->uuid, sizeof(blank.uuid));
	publish_vm_reset(1);
	assert_memory_equal(vm->name, blank.name, sizeof(blank.name));
	assert_memory_equal(vm->uuid, blank.uuid, sizeof(blank.uuid));
	assert_memory_equal(&vm->view, &blank.view, sizeof(blank.view));
	assert_memory_equal(&vm->port, &blank.port, sizeof(blank.port));
	for (unsigned i = 0; i < SLO_SIGNAL_NUM; i++) /* limits are set anew */
		vm->signal[i].score.limit_ns = 0;
	assert_memory_equal(vm->signal, blank.signal, sizeof(blank.signal));
	assert_int_equal(vm->done | vm->late, 0);
	assert_false(vm->port_up);
	assert_int_equal(vm->gained | vm->lost | vm->moves_failed, 0);
	assert_int_equal(vm->ran_ns | vm->waited_ns, 0);
	assert_int_equal(vm->share.ran_ns | vm->share.owned_ns, 0);
	assert_int_equal(stat_share_ppm(vm), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_windows), T(test_ports), T(test_vm),	T(test_cpus),
		T(test_share),	 T(test_reset), T(test_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
