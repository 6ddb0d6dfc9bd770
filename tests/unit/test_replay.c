// SPDX-License-Identifier: Apache-2.0
/*
 * test_replay.c - policies decide again on what was recorded
 *
 * A small host is played, 20 us a turn while something waits, 1 ms otherwise,
 * as hostd's loop would: it shows its snapshot to a policy, carries the plan
 * out and records both. Replaying that file must give the same decisions; with
 * another target or policy, those that can be told from the story.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hl/sensor.h"
#include "owners.h"
#include "policy/snapshot.h"
#include "record_feed.h"
#include "tests/sim/replay.h"
#include "tests/sim/replay_run.h"

#define US	    1000ull
#define MS	    1000000ull
#define INTERVAL_NS (20 * US)

static struct snapshot *s;
static struct owners owners;
static struct owners_changed changed;
static struct plan plan;
static struct feed *feed;
static void *state_of;
static const struct policy_ops *ops;
static uint64_t untaken_ns[VM_MAX];
static char names[VM_MAX][VM_NAME_MAX];
static char path[] = "/tmp/test_replay.XXXXXX";
static FILE *out;
static struct replay *p;

/* --- the host that is played
 * -------------------------------------------------- */

static const char *name_of(uint16_t vm)
{
	return names[vm];
}

static void put(const struct record *r)
{
	assert_int_equal(fwrite(r, sizeof(*r), 1, out), 1);
}

static void add_vm(uint16_t vm, const char *name, uint16_t first, uint16_t cnt,
		   uint64_t slo_ns)
{
	snprintf(names[vm], VM_NAME_MAX, "%s", name);
	s->vm[vm] = (struct vm_view){
		.present = true,
		.has_port = true,
		.class =
		    slo_ns ? VM_CLASS_LATENCY_CRITICAL : VM_CLASS_BEST_EFFORT,
		.cpus_max = 4,
		.weight = 100,
		.first_vcpu = first,
		.vcpu_cnt = cnt,
		.slo_ns = slo_ns,
		.slo_permyriad = 9900,
		.node = NODE_NONE,
	};
	for (unsigned i = 0; i < cnt; i++)
		s->vcpu[first + i] = (struct vcpu_view){
			.vm = vm,
			.cpu = CPU_NONE,
			.last_cpu = CPU_NONE,
			.run = VCPU_RUN_HALTED,
			.since_ns = s->now_ns,
		};
	if (vm >= s->vm_cnt)
		s->vm_cnt = (uint16_t)(vm + 1);
	if (first + cnt > s->vcpu_cnt)
		s->vcpu_cnt = (uint16_t)(first + cnt);
	assert_int_equal(
	    owners_vm_set(&owners, vm, s->vm[vm].class, first, cnt), 0);
	snapshot_index(s);
	snapshot_mark_all(s);
}

static void del_vm(uint16_t vm)
{
	struct vm_view *v = &s->vm[vm];

	owners_vm_del(&owners, vm);
	for (unsigned i = 0; i < v->vcpu_cnt; i++)
		s->vcpu[v->first_vcpu + i].vm = VM_NONE;
	memset(v, 0, sizeof(*v));
	untaken_ns[vm] = 0;
	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++)
		s->cpu[cpu].owner = owners_of_cpu(&owners, cpu);
	snapshot_index(s);
	snapshot_mark_all(s);
}

/* run() - A vcpu does something else from now on. */
static void run(uint16_t vcpu, enum vcpu_run to)
{
	struct vcpu_view *v = &s->vcpu[vcpu];

	v->ran_ns = vcpu_ran_ns(s, vcpu);
	v->waited_ns = vcpu_waited_ns(s, vcpu);
	v->run = (uint8_t)to;
	v->since_ns = s->now_ns;
	snapshot_mark(s, v->vm);
}

/* frame() - One arrives, or the last one is taken. */
static void frame(uint16_t vm, bool waits)
{
	untaken_ns[vm] = waits ? s->now_ns : 0;
	snapshot_mark(s, vm);
}

static bool ages(void)
{
	bool waits = false;

	for (uint16_t i = 0; i < s->vm_cnt; i++) {
		if (!s->vm[i].present ||
		    !replay_ages(s, i, untaken_ns[i], s->now_ns))
			continue;
		snapshot_mark(s, i);
		waits = true;
	}
	return waits;
}

static void turn(void)
{
	struct record r;

	snapshot_list(s);
	plan.count = plan.bar_cnt = 0;
	ops->decide(state_of, s, &plan);
	feed_look(feed, s, &plan, name_of, INTERVAL_NS, ops->name);
	while (mbox_pop(&feed->ring, &r))
		put(&r);
	owners_apply(&owners, s, &plan, &changed);
	for (uint16_t cpu = 0; cpu < s->cpu_cnt; cpu++)
		if (owners_of_cpu(&owners, cpu) != s->cpu[cpu].owner)
			snapshot_own(s, cpu, owners_of_cpu(&owners, cpu));
}

/* go() - So much time passes. */
static void go(uint64_t ns)
{
	uint64_t until_ns = s->now_ns + ns;

	while (s->now_ns < until_ns) {
		bool waits = ages();

		turn();
		s->now_ns += waits ? INTERVAL_NS : MS;
	}
}

/* host() - Four cpus, all but the first managed; a recording begins. */
static void host(const struct policy_ops *policy)
{
	struct record head = { .kind = RECORD_HEAD,
			       .head = { .magic = RECORD_MAGIC,
					 .version = RECORD_VERSION,
					 .bytes = RECORD_BYTES,
					 .began_ns = MS,
					 .hostd = "1.0" } };
	struct cpumask managed = { { 0xe } }, floor = { { 1 } };

	ops = policy;
	free(state_of);
	state_of = calloc(1, ops->state_bytes + 1);
	memset(s, 0, sizeof(*s));
	memset(untaken_ns, 0, sizeof(untaken_ns));
	s->now_ns = MS;
	s->cpu_cnt = 4;
	for (unsigned i = 0; i < VCPU_MAX; i++)
		s->vcpu[i].vm = VM_NONE;
	for (unsigned i = 0; i < 4; i++)
		s->cpu[i] = (struct cpu_view){ .managed = i > 0,
					       .owner = VCPU_NONE,
					       .sibling = CPU_NONE };
	owners_init(&owners, &managed, &floor);
	snapshot_index(s);
	assert_int_equal(feed_init(feed), 0);
	out = fopen(path, "w");
	assert_non_null(out);
	put(&head);
}

static void recorded(bool whole)
{
	const struct record end = { .kind = RECORD_END,
				    .end = { .now_ns = s->now_ns } };

	if (whole)
		put(&end);
	fclose(out);
	feed_exit(feed);
}

static void replay(const struct policy_ops *policy, const char *slo_vm,
		   uint64_t slo_ns)
{
	FILE *f = fopen(path, "r");

	replay_free(p);
	memset(p, 0, sizeof(*p));
	if (slo_vm)
		p->slo[p->slo_cnt++] =
		    (struct replay_slo){ .vm = slo_vm, .ns = slo_ns };
	assert_int_equal(replay_add(p, policy), 0);
	assert_int_equal(replay_go(p, f), 0);
	fclose(f);
}

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	s = calloc(1, sizeof(*s));
	feed = malloc(sizeof(*feed));
	p = calloc(1, sizeof(*p));
	return fd < 0 || close(fd) || !s || !feed || !p;
}

static int teardown(void **state)
{
	(void)state;
	replay_free(p);
	free(p);
	free(feed);
	free(s);
	free(state_of);
	return unlink(path);
}

/* --- what is replayed
 * ------------------------------------------------------------ */

/*
 * story() - A frame waits 300 us for web, which owns nothing; then it is quiet
 * for a while, and the cpu is given back. @move_ns: what hostd knew of moves
 */
static void story(const struct policy_ops *policy, uint64_t move_ns)
{
	host(policy);
	s->move_ns = move_ns;
	add_vm(0, "web", 0, 2, 400 * US);
	add_vm(1, "batch", 8, 1, 0);
	run(8, VCPU_RUN_RUNNING);
	go(5 * MS);
	run(0, VCPU_RUN_READY);
	frame(0, true);
	go(300 * US);
	run(0, VCPU_RUN_RUNNING);
	frame(0, false);
	go(200 * US);
	run(0, VCPU_RUN_HALTED);
	go(100 * MS);
	recorded(true);
}

static void test_same(void **state)
{
	const struct replay_vm *was, *is;

	(void)state;
	story(&policy_slo, 0);
	replay(&policy_slo, NULL, 0);
	was = &p->tally[REPLAY_RECORDED].vm[0];
	is = &p->tally[1].vm[0];
	assert_int_equal(was->gained, 1);
	assert_int_equal(was->lost, 1);
	assert_int_equal(is->gained, 1);
	assert_int_equal(is->lost, 1);
	assert_int_equal(p->tally[1].moves, 2);
	assert_int_equal(p->tally[1].refused, 0);
	assert_int_equal(p->tally[1].reason[REASON_GIVE_BACK], 1);
	assert_int_equal(p->tally[REPLAY_RECORDED].reason[REASON_GIVE_BACK], 1);
	/* hostd's owners are seen one look later than its decision */
	assert_true(is->owned_ns > 2 * MS);
	assert_in_range(was->owned_ns, is->owned_ns - MS, is->owned_ns + MS);
	assert_int_equal(p->over_ns[0], 0);
	assert_int_equal(is->helped_ns, 0);
	assert_false(p->file.cut);
}

/* The wait was 300 us, seen at 100 us, a quarter of 400: with a tenth of that
 * goal it is over for 260 us, and the cpu comes as soon as 20 us are over. */
static void test_other_slo(void **state)
{
	(void)state;
	story(&policy_slo, 0);
	replay(&policy_slo, "web", 40 * US);
	assert_in_range(p->over_ns[0], 240 * US, 280 * US);
	assert_int_equal(p->tally[1].vm[0].gained, 1);
	/* from 40 us, when it is over, until the recorded cpu came */
	assert_in_range(p->tally[1].vm[0].helped_ns, 40 * US, 100 * US);
	replay(&policy_slo, "batch", 40 * US);
	assert_int_equal(p->over_ns[0], 0);
}

/* What a move takes is part of a recording: who owns nothing asks at once. */
static void test_move_cost(void **state)
{
	(void)state;
	story(&policy_slo, 2 * US);
	replay(&policy_slo, NULL, 0);
	assert_int_equal(p->file.s.move_ns, 2 * US);
	assert_int_equal(p->tally[1].moves, p->tally[REPLAY_RECORDED].moves);
	assert_int_equal(p->tally[1].reason[REASON_READY_WAIT],
			 p->tally[REPLAY_RECORDED].reason[REASON_READY_WAIT]);
	assert_int_equal(p->over_ns[0], 0);
}

static void test_other_policy(void **state)
{
	(void)state;
	story(&policy_slo, 0);
	replay(&policy_static, NULL, 0);
	/* both vcpus have one from the first look on, for good */
	assert_int_equal(p->tally[1].vm[0].gained, 2);
	assert_int_equal(p->tally[1].vm[0].lost, 0);
	assert_int_equal(p->tally[1].vm[1].gained, 0);
	assert_int_equal(p->tally[1].reason[REASON_SPARE], 2);
	assert_true(p->tally[1].vm[0].owned_ns > 200 * MS);
}

/* What was owned when the recording began is owned by all, and is no move. */
static void test_adopt(void **state)
{
	(void)state;
	host(&policy_none);
	add_vm(0, "web", 0, 2, 400 * US);
	plan.count = plan.bar_cnt = 0;
	plan_add(&plan, 2, 1, REASON_NONE);
	owners_apply(&owners, s, &plan, &changed);
	snapshot_own(s, 2, 1);
	go(20 * MS);
	recorded(true);
	replay(&policy_none, NULL, 0);
	assert_int_equal(p->tally[0].vm[0].owned, 1);
	assert_int_equal(p->tally[1].vm[0].owned, 1);
	assert_int_equal(p->tally[1].vm[0].gained, 0);
	assert_int_equal(p->tally[0].moves, 0);
}

/* VMs leave, slots go to others, a look is cut off: owners follow. */
static void test_slots(void **state)
{
	(void)state;
	host(&policy_static);
	add_vm(0, "web", 0, 2, 400 * US);
	go(5 * MS);
	del_vm(0);
	go(5 * MS);
	add_vm(1, "other", 1, 2, 400 * US);
	go(5 * MS);
	del_vm(1);
	add_vm(0, "web", 2, 3, 400 * US);
	go(5 * MS);
	recorded(false);
	replay(&policy_static, NULL, 0);
	assert_true(p->file.cut);
	assert_int_equal(p->tally[1].refused, 0);
	assert_int_equal(p->tally[1].vm[0].gained, 5);
	assert_int_equal(p->tally[1].vm[0].lost, 2);
	assert_int_equal(p->tally[1].vm[1].gained, 2);
	assert_int_equal(p->tally[1].vm[1].lost, 2);
	assert_int_equal(p->tally[1].vm[0].owned, 3);
	assert_int_equal(p->tally[0].vm[0].gained, 5);
	assert_int_equal(p->tally[0].vm[1].lost, 2);
}

static unsigned rnd(unsigned below)
{
	return (unsigned)random() % below;
}

/* A host that does anything for seconds: the same policy decides the same. */
static void test_random(void **state)
{
	static const struct policy_ops *const policies[] = { &policy_slo,
							     &policy_simple };

	(void)state;
	srandom(3);
	for (unsigned i = 0; i < 2; i++) {
		const struct replay_tally *was, *is;

		host(policies[i]);
		for (uint16_t vm = 0; vm < 4; vm++)
			add_vm(vm, (const char[]){ (char)('a' + vm), '\0' },
			       (uint16_t)(vm * 4), 4, (vm % 3) * 300 * US);
		for (unsigned n = 0; n < 5000; n++) {
			uint16_t vm = (uint16_t)rnd(4);

			run((uint16_t)rnd(16), (enum vcpu_run)(1 + rnd(3)));
			if (!rnd(2))
				frame(vm, !untaken_ns[vm]);
			go(rnd(10) ? rnd(300) * US : rnd(30) * MS);
		}
		recorded(true);
		replay(policies[i], NULL, 0);
		was = &p->tally[REPLAY_RECORDED];
		is = &p->tally[1];
		assert_true(was->moves > 20);
		assert_int_equal(is->moves, was->moves);
		for (unsigned vm = 0; vm < 4; vm++) {
			assert_int_equal(is->vm[vm].gained, was->vm[vm].gained);
			assert_int_equal(is->vm[vm].lost, was->vm[vm].lost);
		}
		assert_memory_equal(is->reason, was->reason,
				    sizeof(is->reason));
	}
}

/* --- the command
 * -------------------------------------------------------------------- */

static char text[1 << 16];

/* Words apart by "|", "FILE" stands for the recording. Return: exit code. */
static int command(const char *words)
{
	char copy[256], name[] = "replay", *argv[16] = { name }, *save;
	int argc = 1, rc, fds[2] = { dup(1), dup(2) };
	FILE *f = tmpfile();

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *w = strtok_r(copy, "|", &save); w && argc < 15;
	     w = strtok_r(NULL, "|", &save))
		argv[argc++] = strcmp(w, "FILE") ? w : path;
	fflush(stdout);
	dup2(fileno(f), 1);
	dup2(fileno(f), 2);
	rc = replay_main(argc, argv);
	fflush(stdout);
	dup2(fds[0], 1);
	dup2(fds[1], 2);
	close(fds[0]);
	close(fds[1]);
	rewind(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return rc;
}

static void test_command(void **state)
{
	static const struct {
		const char *words;
		int rc;
		const char *want;
	} rows[] = {
		{ "", 2, "usage: hostsim replay" },
		{ "FILE|FILE", 2, "usage: hostsim replay" },
		{ "FILE|--policy|nonsense", 2, "usage: hostsim replay" },
		{ "FILE|--slo|web", 2, "usage: hostsim replay" },
		{ "FILE|--slo|web=0us", 2, "usage: hostsim replay" },
		{ "FILE|--slo|web=-1us", 2, "usage: hostsim replay" },
		{ "FILE|--slo|web=1", 2, "usage: hostsim replay" },
		{ "FILE|--slo|=1us", 2, "usage: hostsim replay" },
		{ "FILE|--slo|web=99999999999999999999s", 2, "usage: " },
		{ "FILE|--nonsense", 2, "usage: hostsim replay" },
		{ "/nonexistent/a", 1, "cannot open /nonexistent/a: No such" },
		{ "/dev/null", 1, "the file is empty" },
		{ "FILE", 0,
		  "by hostd 1.0 under policy slo, 3 cpus managed, 2 "
		  "VMs; " },
		{ "FILE", 0, "recorded       1     1 " },
		{ "FILE", 0, "slo            1     1 " },
		{ "FILE", 0, "Open loop" },
		{ "FILE|--policy|simple", 0, "simple " },
		{ "FILE|--slo|web=40us", 0, "web    40.0us  2" },
		{ "FILE|--compare", 0, "static " },
		{ "FILE|--slo|nobody=1ms", 1, "no VM 'nobody' was recorded" },
	};

	(void)state;
	story(&policy_slo, 0);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = command(rows[i].words);

		if (rc != rows[i].rc || !strstr(text, rows[i].want))
			fail_msg("%s: %d %s", rows[i].words, rc, text);
	}
	/* nothing but its head; and damaged */
	truncate(path, RECORD_BYTES);
	assert_int_equal(command("FILE"), 0);
	assert_non_null(strstr(text, "nothing to decide"));
	truncate(path, RECORD_BYTES - 1);
	assert_int_equal(command("FILE"), 1);
	truncate(path, 10 * RECORD_BYTES);
	assert_int_equal(command("FILE"), 1);
	assert_non_null(strstr(text, "no record of kind 0 belongs here"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_other_slo),
		cmocka_unit_test(test_move_cost),
		cmocka_unit_test(test_other_policy),
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
