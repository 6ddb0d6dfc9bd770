// SPDX-License-Identifier: Apache-2.0
/*
 * test_record.c - what the poll thread records is what the reader sees
 *
 * The feed writes into its ring, a file in memory takes the records, the reader
 * reads them: after each look it must know what the snapshot said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hl/sensor.h"
#include "record_feed.h"
#include "tests/sim/replay_read.h"

#define INTERVAL_NS 20000

static struct feed *feed;
static struct snapshot *s;
static struct plan plan;
static struct replay_file *file;
static char names[VM_MAX][VM_NAME_MAX];
static char *bytes;
static size_t size;
static FILE *out;

static const char *name_of(uint16_t vm)
{
	return names[vm];
}

static void put(const struct record *r)
{
	assert_int_equal(fwrite(r, sizeof(*r), 1, out), 1);
}

static int setup(void **state)
{
	struct record head = { .kind = RECORD_HEAD,
			       .head = { .magic = RECORD_MAGIC,
					 .version = RECORD_VERSION,
					 .bytes = RECORD_BYTES,
					 .began_ns = 1000000 } };

	(void)state;
	feed = malloc(sizeof(*feed));
	s = calloc(1, sizeof(*s));
	file = calloc(1, sizeof(*file));
	if (!feed || !s || !file || feed_init(feed))
		return -1;
	s->now_ns = 1000000;
	s->cpu_cnt = 4;
	s->node_cnt = 1;
	memset(names, 0, sizeof(names));
	memset(&plan, 0, sizeof(plan));
	for (unsigned i = 0; i < VCPU_MAX; i++)
		s->vcpu[i].vm = VM_NONE;
	for (unsigned i = 0; i < 4; i++)
		s->cpu[i] = (struct cpu_view){ .managed = i > 0,
					       .floor = !i,
					       .owner = VCPU_NONE,
					       .sibling = (uint16_t)(i ^ 1),
					       .llc = (uint16_t)(i / 2) };
	out = open_memstream(&bytes, &size);
	put(&head);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (file->f)
		fclose(file->f);
	fclose(out);
	free(bytes);
	feed_exit(feed);
	free(feed);
	free(s);
	free(file);
	return 0;
}

static void add_vm(uint16_t vm, const char *name, uint16_t first, uint16_t cnt)
{
	snprintf(names[vm], VM_NAME_MAX, "%s", name);
	s->vm[vm] = (struct vm_view){ .present = true,
				      .has_port = true,
				      .class = VM_CLASS_LATENCY_CRITICAL,
				      .cpus_max = 4,
				      .weight = 100,
				      .first_vcpu = first,
				      .vcpu_cnt = cnt,
				      .slo_ns = 300000,
				      .slo_permyriad = 9900,
				      .node = NODE_NONE };
	for (unsigned i = 0; i < cnt; i++)
		s->vcpu[first + i] = (struct vcpu_view){ .vm = vm,
							 .cpu = CPU_NONE,
							 .last_cpu = CPU_NONE };
	if (vm >= s->vm_cnt)
		s->vm_cnt = (uint16_t)(vm + 1);
	if (first + cnt > s->vcpu_cnt)
		s->vcpu_cnt = (uint16_t)(first + cnt);
	s->changed[s->changed_cnt++] = vm;
}

/* look() - One look after @ns; Return: records in the ring. */
static uint32_t look(uint64_t ns)
{
	s->now_ns += ns;
	feed_look(feed, s, &plan, name_of, INTERVAL_NS, "slo");
	s->changed_cnt = 0;
	plan.count = plan.bar_cnt = 0;
	return FEED_RECORDS - mbox_room(&feed->ring);
}

static void drain(void)
{
	struct record r;

	while (mbox_pop(&feed->ring, &r))
		put(&r);
}

/* begin_reading() - What was drained so far. */
static void begin_reading(void)
{
	fflush(out);
	file->f = fmemopen(bytes, size, "r");
	assert_non_null(file->f);
	assert_int_equal(replay_open(file, file->f), 0);
}

static void same_vcpu(const char *what, unsigned i)
{
	const struct vcpu_view *a = &s->vcpu[i], *b = &file->s.vcpu[i];

	if (a->vm != b->vm)
		fail_msg("%s: vcpu %u is %u's, not %u's", what, i, b->vm,
			 a->vm);
	if (a->vm == VM_NONE)
		return;
	if (a->cpu != b->cpu || a->last_cpu != b->last_cpu ||
	    a->run != b->run || a->since_ns != b->since_ns ||
	    a->ran_ns != b->ran_ns || a->waited_ns != b->waited_ns ||
	    a->hint_runnable != b->hint_runnable)
		fail_msg("%s: vcpu %u", what, i);
}

/* same() - The reader knows what the snapshot says. */
static void same(const char *what)
{
	assert_int_equal(file->s.now_ns, s->now_ns);
	assert_int_equal(file->s.cpu_cnt, s->cpu_cnt);
	for (unsigned i = 0; i < s->cpu_cnt; i++)
		if (file->s.cpu[i].managed != s->cpu[i].managed ||
		    file->s.cpu[i].floor != s->cpu[i].floor ||
		    file->s.cpu[i].sibling != s->cpu[i].sibling ||
		    file->s.cpu[i].llc != s->cpu[i].llc)
			fail_msg("%s: cpu %u", what, i);
	assert_memory_equal(&file->s.node[0], &s->node[0], sizeof(s->node[0]));
	for (unsigned i = 0; i < s->vm_cnt; i++) {
		struct vm_view a = s->vm[i], b = file->s.vm[i];

		a.ready_ns = b.ready_ns; /* is its vcpus' */
		if (memcmp(&a, &b, sizeof(a)) ||
		    (a.present && strcmp(names[i], file->name[i])))
			fail_msg("%s: VM %u", what, i);
	}
	for (unsigned i = 0; i < s->vcpu_cnt; i++)
		same_vcpu(what, i);
}

/* One thing changes -> so many records, the time included. */
static void test_changes(void **state)
{
	(void)state;
	add_vm(0, "web", 0, 2);
	/* cpus; name, VM and vcpus; the time. A node without figures: none. */
	assert_int_equal(look(1000), 4 + 4 + 1);
	drain();
	assert_int_equal(look(1000), 0); /* nothing new, nothing written */
	s->changed[s->changed_cnt++] = 0;
	assert_int_equal(look(1000), 0); /* listed, and yet the same */

	s->vm[0].delay_ns = 5000;
	s->changed[s->changed_cnt++] = 0;
	assert_int_equal(look(1000), 2);
	drain();
	s->vm[0].delay_ns += 1000; /* the same frame, older */
	s->changed[s->changed_cnt++] = 0;
	assert_int_equal(look(1000), 0);

	s->vcpu[1].run = VCPU_RUN_READY;
	s->vcpu[1].since_ns = s->now_ns - 300;
	s->vm[0].delay_ns += 1000;
	s->changed[s->changed_cnt++] = 0;
	assert_int_equal(look(1000), 2);
	drain();
	s->node[0].mem_bytes_s = 7; /* nodes are looked at each time */
	assert_int_equal(look(1000), 2);
	drain();
	s->cpu[2].managed = false; /* cpus only when told */
	assert_int_equal(look(1000), 0);
	feed_again(feed);
	s->vm[0].delay_ns += 3000; /* three looks later */
	assert_int_equal(look(1000), 2);
	drain();
	plan_add(&plan, 1, 0, REASON_DELAY);
	plan.bar[plan.bar_cnt++] = (struct bar){ .vm = 0 };
	assert_int_equal(look(1000), 3);
	drain();
}

static void test_read_back(void **state)
{
	(void)state;
	add_vm(0, "web", 0, 2);
	add_vm(5, "b\xc3\xa4tch", 10, 3);
	s->vm[5].delay_ns = 70000;
	s->vcpu[1].run = VCPU_RUN_READY;
	s->vcpu[1].since_ns = s->now_ns - 9000;
	s->node[0].mem_bytes_s = 7;
	s->node[0].distance[1] = 20;
	plan_add(&plan, 1, 1, REASON_READY_WAIT);
	plan.grant[0].saw_ns = 10000;
	plan.grant[0].limit_ns = 8000;
	plan.bar[plan.bar_cnt++] = (struct bar){ .vm = 5,
						 .reason = REASON_SIBLING,
						 .cpus = { { 6 } } };
	look(1000);
	drain();
	begin_reading();
	assert_int_equal(replay_next(file), 1);
	same("all at once");
	assert_true(file->time.whole);
	assert_true(file->configured);
	assert_string_equal(file->time.policy, "slo");
	assert_int_equal(file->time.interval_ns, INTERVAL_NS);
	assert_int_equal(file->s.changed_cnt, 2);
	assert_int_equal(file->s.vm[0].ready_ns, 10000);
	assert_int_equal(file->plan.count, 1);
	assert_int_equal(file->plan.grant[0].vcpu, 1);
	assert_int_equal(file->plan.grant[0].reason, REASON_READY_WAIT);
	assert_int_equal(file->plan.grant[0].saw_ns, 10000);
	assert_int_equal(file->plan.grant[0].limit_ns, 8000);
	assert_int_equal(file->plan.bar_cnt, 1);
	assert_int_equal(file->plan.bar[0].vm, 5);
	assert_int_equal(file->plan.bar[0].cpus.word[0], 6);
	assert_int_equal(replay_next(file), 0);
	assert_true(file->cut); /* nobody wrote RECORD_END */
}

/* Slots change hands: what the former VM left must not show through. */
static void test_slots(void **state)
{
	(void)state;
	add_vm(0, "web", 0, 4);
	s->vcpu[3].ran_ns = 77;
	look(1000);
	drain();
	/* gone, and another VM with other slots of the same range */
	for (unsigned i = 0; i < 4; i++)
		s->vcpu[i] = (struct vcpu_view){ .vm = VM_NONE };
	s->vm[0] = (struct vm_view){ 0 };
	s->changed[s->changed_cnt++] = 0;
	look(1000);
	drain();
	add_vm(1, "other", 2, 2);
	s->vcpu[3].ran_ns = 77;
	look(1000);
	drain();
	/* back with fewer vcpus, and another name, without a look between */
	add_vm(0, "web2", 0, 1);
	look(1000);
	drain();
	begin_reading();
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(replay_next(file), 1);
	same("slots");
}

/* looks() - Until nothing is left to be written; all are drained. */
static unsigned looks(void)
{
	unsigned n = 0;

	while (look(1000)) {
		assert_true(FEED_RECORDS - mbox_room(&feed->ring) <=
			    FEED_STEP + 1);
		n++;
		drain();
	}
	s->now_ns -= 1000; /* the look that wrote nothing */
	return n;
}

/* More than a look may write or compare: it takes several, and the last of
 * them is the first that is whole. */
static void test_many(void **state)
{
	static const struct {
		const char *what;
		unsigned vms, vcpus; /* of each */
		unsigned looks;
	} rows[] = {
		{ "VMs", 500, 4, (500 + FEED_VMS - 1) / FEED_VMS },
		/* cpus; name, view, vcpus */
		{ "vcpus", 2, 800, (4 + 2 * 802 + FEED_STEP - 1) / FEED_STEP },
	};
	char name[16];

	(void)state;
	for (unsigned row = 0; row < 2; row++) {
		teardown(NULL);
		setup(NULL);
		for (unsigned i = 0; i < rows[row].vms; i++) {
			snprintf(name, sizeof(name), "vm%u", i);
			add_vm((uint16_t)i, name,
			       (uint16_t)(i * rows[row].vcpus),
			       (uint16_t)rows[row].vcpus);
		}
		if (looks() != rows[row].looks)
			fail_msg("%s", rows[row].what);
		begin_reading();
		for (unsigned i = 0; i < rows[row].looks; i++) {
			assert_int_equal(replay_next(file), 1);
			assert_int_equal(file->time.whole,
					 i == rows[row].looks - 1);
		}
		same(rows[row].what);
	}
}

/* A VM whose vcpus all change in every look, and that are more than a look may
 * write: it keeps nobody from being written, and no vcpu of its own. */
static void test_greedy(void **state)
{
	enum { VCPUS = FEED_STEP + 100 };

	(void)state;
	add_vm(0, "many", 0, VCPUS);
	add_vm(1, "one", VCPUS, 1);
	looks();
	s->vcpu[VCPUS].ran_ns = 5;
	s->changed[s->changed_cnt++] = 1;
	for (unsigned n = 0; n < 8; n++) {
		for (unsigned i = 0; i < VCPUS; i++)
			s->vcpu[i].ran_ns++;
		s->changed[s->changed_cnt++] = 0;
		look(1000);
		drain();
	}
	assert_int_equal(feed->vcpus[VCPUS].ran_ns, 5);
	for (unsigned i = 0; i < VCPUS; i++)
		if (feed->vcpus[i].ran_ns < 4)
			fail_msg("vcpu %u: as %u looks ago", i,
				 8 - (unsigned)feed->vcpus[i].ran_ns);
}

/* Nobody takes anything out: looks are left out and counted, then all is
 * there. */
static void test_full(void **state)
{
	const struct record *last;
	unsigned looks = 0;

	(void)state;
	add_vm(0, "web", 0, 1);
	while (!feed->skipped) {
		s->vcpu[0].ran_ns++;
		s->changed[s->changed_cnt++] = 0;
		if (looks++ % 2)
			plan_add(&plan, 1, 0, REASON_DELAY);
		look(1000);
	}
	plan_add(&plan, 1, 0, REASON_DELAY);
	plan_add(&plan, 2, VCPU_NONE, REASON_SPARE);
	s->vcpu[0].ran_ns = 12345;
	s->changed[s->changed_cnt++] = 0;
	look(1000);
	assert_int_equal(feed->skipped, 2);
	assert_in_range(feed->lost, 2, 3);
	drain();
	look(1000); /* not listed any more, and written all the same */
	drain();
	fflush(out);
	last = (const struct record *)(bytes + size) - 1;
	assert_int_equal(last->kind, RECORD_TIME);
	assert_int_equal(last->time.skipped, 2);
	begin_reading();
	while (replay_next(file) == 1)
		;
	assert_int_equal(file->s.vcpu[0].ran_ns, 12345);
}

/* --- a host that does anything ---------------------------------------------
 */

static unsigned rnd(unsigned below)
{
	return (unsigned)random() % below;
}

static bool taken[80]; /* vcpu slots of a VM */

static void any_vm(uint16_t vm)
{
	struct vm_view *v = &s->vm[vm];

	if (!v->present) {
		uint16_t first = (uint16_t)rnd(60),
			 cnt = (uint16_t)(1 + rnd(5));

		for (unsigned i = 0; i < cnt; i++)
			if (taken[first + i])
				return;
		memset(&taken[first], true, cnt);
		add_vm(vm, rnd(2) ? "a" : "b", first, cnt);
		return;
	}
	s->changed[s->changed_cnt++] = vm;
	if (!rnd(20)) {
		for (unsigned i = 0; i < v->vcpu_cnt; i++)
			s->vcpu[v->first_vcpu + i] =
			    (struct vcpu_view){ .vm = VM_NONE };
		memset(&taken[v->first_vcpu], false, v->vcpu_cnt);
		*v = (struct vm_view){ 0 };
		return;
	}
	v->delay_ns = rnd(2) ? rnd(100000) : 0;
	v->done += rnd(3);
	v->held = (uint16_t)rnd(2);
	for (unsigned i = 0; i < v->vcpu_cnt; i++) {
		struct vcpu_view *u = &s->vcpu[v->first_vcpu + i];

		if (rnd(3))
			continue;
		u->vm = rnd(9) ? vm : VM_NONE;
		u->run = (uint8_t)rnd(4);
		u->since_ns = s->now_ns - rnd(1000);
		u->cpu = (uint16_t)(rnd(2) ? rnd(4) : CPU_NONE);
		u->ran_ns += rnd(100);
	}
}

static void test_random(void **state)
{
	unsigned whole = 0;

	(void)state;
	srandom(5);
	memset(taken, false, sizeof(taken));
	begin_reading();
	for (unsigned turn = 0; turn < 20000; turn++) {
		bool looked[20] = { false };

		for (unsigned i = rnd(4); i--;) {
			uint16_t vm = (uint16_t)rnd(20);

			if (!looked[vm])
				any_vm(vm);
			looked[vm] = true;
		}
		if (!look(1 + rnd(5000)))
			continue;
		/* the reader goes on with what is new */
		fclose(out);
		free(bytes);
		out = open_memstream(&bytes, &size);
		drain();
		fflush(out);
		fclose(file->f);
		file->f = fmemopen(bytes, size, "r");
		if (replay_next(file) != 1)
			fail_msg("turn %u: %s", turn, file->error);
		same("random");
		whole++;
	}
	assert_in_range(whole, 10000, 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_slots, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_greedy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
