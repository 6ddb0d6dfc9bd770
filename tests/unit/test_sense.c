// SPDX-License-Identifier: Apache-2.0
/*
 * test_sense.c - ports and vcpu states become one snapshot; how long to sleep
 *
 * The switch and the sensor are played by two tables below.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sense.h"
#include "sense_bpf.h"
#include "stat.h"

#define US 1000ull
#define MS 1000000ull

static struct sensor_slot slot[8];
static bool torn[8];
static struct port_signal signal_of[4];

bool sense_bpf_read(const struct sense_bpf *b, uint16_t vcpu,
		    struct sensor_slot *out)
{
	(void)b;
	if (torn[vcpu])
		return false;
	*out = slot[vcpu];
	return true;
}

void sw_watch(struct sw *sw, struct port *p, uint64_t now_ns,
	      struct score *delays)
{
	(void)sw;
	(void)now_ns;
	p->signal = signal_of[p->id];
	score_add(delays, 1);
}

void sw_response(struct sw *sw, struct port *p, struct score *score)
{
	(void)sw;
	(void)p;
	(void)score;
}

/* Two VMs: 0 is latency-critical with vcpus 0 and 1, 1 best-effort with 4. */
static struct snapshot *s;
static struct port port[4];
static struct port_list ports;
static const struct sense_bpf *bpf = (const void *)&slot;
static struct agent_board board;

static int setup(void **state)
{
	(void)state;
	s = calloc(1, sizeof(*s));
	memset(&stat_hostd, 0, sizeof(stat_hostd));
	memset(slot, 0, sizeof(slot));
	memset(torn, 0, sizeof(torn));
	memset(signal_of, 0, sizeof(signal_of));
	memset(&board, 0, sizeof(board));
	s->vm_cnt = 2;
	s->vcpu_cnt = 8;
	for (unsigned i = 0; i < 8; i++) {
		s->vcpu[i].vm = VM_NONE;
		s->vcpu[i].cpu = CPU_NONE;
	}
	s->vm[0] = (struct vm_view){ .present = true,
				     .class = VM_CLASS_LATENCY_CRITICAL,
				     .cpus_min = 1,
				     .cpus_max = 2,
				     .first_vcpu = 0,
				     .vcpu_cnt = 2,
				     .owned = 1 };
	s->vm[1] = (struct vm_view){
		.present = true, .first_vcpu = 4, .vcpu_cnt = 1, .cpus_max = 2
	};
	s->vcpu[0].vm = s->vcpu[1].vm = 0;
	s->vcpu[4].vm = 1;
	ports.count = 3;
	for (unsigned i = 0; i < 3; i++) {
		port[i] = (struct port){ .id = (uint16_t)i,
					 .vm = i < 2 ? 0 : VM_NONE };
		ports.port[i] = &port[i];
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(s);
	return 0;
}

static void test_worst_port_counts(void **state)
{
	(void)state;
	signal_of[0] =
	    (struct port_signal){ .up = true, .held = 2, .delay_ns = 30 * US };
	signal_of[1] = (struct port_signal){ .held = 3, .delay_ns = 70 * US };
	sense_snapshot(s, NULL, &ports, bpf, &board, 5 * MS);
	assert_int_equal(s->vm[0].delay_ns, 70 * US);
	assert_int_equal(s->vm[0].held, 5);
	assert_true(s->vm[0].has_port);
	assert_false(s->vm[1].has_port);
	assert_int_equal(stat_hostd.vm[0].signal[SLO_DELAY].score.hist.count,
			 2);

	memset(signal_of, 0, sizeof(signal_of)); /* all taken, driver gone */
	sense_snapshot(s, NULL, &ports, bpf, &board, 6 * MS);
	assert_int_equal(s->vm[0].delay_ns, 0);
	assert_int_equal(s->vm[0].held, 0);
	assert_false(s->vm[0].has_port);
}

static void test_vcpu_states(void **state)
{
	static const struct {
		const char *what;
		struct sensor_slot slot;
		uint64_t ran_ns, waited_ns, ready_ns; /* seen at 10 ms */
	} rows[] = {
		{ "never seen", { .state = VCPU_RUN_UNKNOWN }, 0, 0, 0 },
		{ "runs since 8 ms",
		  { .state = VCPU_RUN_RUNNING,
		    .since_ns = 8 * MS,
		    .ran_ns = 3 * MS,
		    .waited_ns = 1 * MS },
		  5 * MS,
		  1 * MS,
		  0 },
		{ "waits since 9 ms",
		  { .state = VCPU_RUN_READY,
		    .since_ns = 9 * MS,
		    .ran_ns = 3 * MS,
		    .waited_ns = 1 * MS },
		  3 * MS,
		  2 * MS,
		  1 * MS },
		{ "halted",
		  { .state = VCPU_RUN_HALTED,
		    .since_ns = 9 * MS,
		    .ran_ns = 3 * MS },
		  3 * MS,
		  0,
		  0 },
		{ "stamped after this pass began",
		  { .state = VCPU_RUN_READY, .since_ns = 11 * MS },
		  0,
		  0,
		  0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		slot[0] = rows[i].slot;
		sense_snapshot(s, NULL, &ports, bpf, &board, 10 * MS);
		if (vcpu_ran_ns(s, 0) != rows[i].ran_ns ||
		    vcpu_waited_ns(s, 0) != rows[i].waited_ns ||
		    s->vm[0].ready_ns != rows[i].ready_ns)
			fail_msg("%s: ran %llu waited %llu ready %llu",
				 rows[i].what,
				 (unsigned long long)vcpu_ran_ns(s, 0),
				 (unsigned long long)vcpu_waited_ns(s, 0),
				 (unsigned long long)s->vm[0].ready_ns);
	}
}

static void test_slot_being_written_keeps_former_values(void **state)
{
	(void)state;
	slot[0] =
	    (struct sensor_slot){ .state = VCPU_RUN_READY, .since_ns = 1 * MS };
	sense_snapshot(s, NULL, &ports, bpf, &board, 2 * MS);
	torn[0] = true;
	slot[0].state = VCPU_RUN_HALTED;
	sense_snapshot(s, NULL, &ports, bpf, &board, 4 * MS);
	assert_int_equal(s->vcpu[0].run, VCPU_RUN_READY);
	assert_int_equal(s->vm[0].ready_ns, 3 * MS);
}

static void test_longest_ready_wait_counts(void **state)
{
	(void)state;
	slot[0] =
	    (struct sensor_slot){ .state = VCPU_RUN_READY, .since_ns = 9 * MS };
	slot[1] =
	    (struct sensor_slot){ .state = VCPU_RUN_READY, .since_ns = 7 * MS };
	sense_snapshot(s, NULL, &ports, bpf, &board, 10 * MS);
	assert_int_equal(s->vm[0].ready_ns, 3 * MS);
}

static void test_without_sensor(void **state)
{
	(void)state;
	sense_snapshot(s, NULL, &ports, NULL, NULL, 10 * MS);
	assert_int_equal(s->vcpu[0].run, VCPU_RUN_UNKNOWN);
	assert_int_equal(s->vm[0].ready_ns, 0);
}

/* What an agent says is there while it is heard, and not a look longer. */
static void test_hints(void **state)
{
	struct board_hint h = { .valid = true, .wanted = 2, .wait_us = 300 };

	(void)state;
	board_hint_put(&board, 0, &h);
	board_runnable_put(&board, 1, 7);
	sense_snapshot(s, NULL, &ports, bpf, &board, 1 * MS);
	assert_true(s->vm[0].hinted);
	assert_int_equal(s->vm[0].hint_wanted, 2);
	assert_int_equal(s->vm[0].hint_wait_ns, 300 * US);
	assert_int_equal(s->vcpu[0].hint_runnable, 0);
	assert_int_equal(s->vcpu[1].hint_runnable, 7);
	assert_false(s->vm[1].hinted);
	h.wanted = 0; /* heard, and wants nothing: that is a hint too */
	board_hint_put(&board, 0, &h);
	sense_snapshot(s, NULL, &ports, bpf, &board, 2 * MS);
	assert_true(s->vm[0].hinted);
	assert_int_equal(s->vm[0].hint_wanted, 0);
	h.valid = false;
	board_hint_put(&board, 0, &h);
	sense_snapshot(s, NULL, &ports, bpf, &board, 3 * MS);
	assert_false(s->vm[0].hinted);
	assert_int_equal(s->vm[0].hint_wait_ns, 0);
	assert_int_equal(s->vcpu[1].hint_runnable, 0);
}

/* Run time counts for the share while the vcpu owns a cpu; one that never saw
 * the sensor adds nothing. */
static void test_share(void **state)
{
	static const struct {
		const char *what;
		uint16_t cpu;		   /* of vcpu 0 since the last look */
		uint64_t ran0, ran1;	   /* of vcpus 0 and 1, by the sensor */
		uint64_t ran_ns, owned_ns; /* of the VM */
	} rows[] = {
		{ "owns nothing", CPU_NONE, 5 * MS, 0, 5 * MS, 0 },
		{ "owns one", 3, 8 * MS, 1 * MS, 9 * MS, 3 * MS },
		{ "did not run", 3, 8 * MS, 1 * MS, 9 * MS, 3 * MS },
		{ "the other ran", 3, 8 * MS, 4 * MS, 12 * MS, 3 * MS },
		{ "lost it", CPU_NONE, 9 * MS, 4 * MS, 13 * MS, 3 * MS },
	};
	const struct stat_share *sh = &stat_hostd.vm[0].share;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s->vcpu[0].cpu = rows[i].cpu;
		slot[0] = slot[1] =
		    (struct sensor_slot){ .state = VCPU_RUN_HALTED };
		slot[0].ran_ns = rows[i].ran0;
		slot[1].ran_ns = rows[i].ran1;
		sense_snapshot(s, NULL, &ports, bpf, &board, (i + 1) * MS);
		if (sh->ran_ns != rows[i].ran_ns ||
		    sh->owned_ns != rows[i].owned_ns)
			fail_msg("%s: %llu of %llu", rows[i].what,
				 (unsigned long long)sh->owned_ns,
				 (unsigned long long)sh->ran_ns);
	}
}

static void test_patience(void **state)
{
	static const struct {
		const char *what;
		uint64_t delay0, delay1, ready0, ready1;
		uint16_t owned, min, max;
		uint64_t patience_ns;
	} rows[] = {
		{ "nothing could change", 0, 0, 0, 0, 1, 1, 1, 100 * MS },
		{ "could grow", 0, 0, 0, 0, 1, 1, 2, 1 * MS },
		{ "more cpus allowed than vcpus", 0, 0, 0, 0, 2, 2, 9,
		  100 * MS },
		{ "could give back", 0, 0, 0, 0, 2, 1, 2, 1 * MS },
		{ "frame waits", 5, 0, 0, 0, 1, 1, 1, 50 * US },
		{ "frame waits at best-effort", 0, 5, 0, 0, 1, 1, 1, 50 * US },
		{ "vcpu ready and could grow", 0, 0, 5, 0, 1, 1, 2, 50 * US },
		{ "vcpu ready, no growth", 0, 0, 5, 0, 1, 1, 1, 100 * MS },
		{ "best-effort ready", 0, 0, 0, 5, 1, 1, 1, 100 * MS },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s->vm[0].delay_ns = rows[i].delay0;
		s->vm[1].delay_ns = rows[i].delay1;
		s->vm[0].ready_ns = rows[i].ready0;
		s->vm[1].ready_ns = rows[i].ready1;
		s->vm[0].owned = rows[i].owned;
		s->vm[0].cpus_min = rows[i].min;
		s->vm[0].cpus_max = rows[i].max;
		if (sense_patience_ns(s) != rows[i].patience_ns)
			fail_msg("%s: %llu ns", rows[i].what,
				 (unsigned long long)sense_patience_ns(s));
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_worst_port_counts),
		T(test_vcpu_states),
		T(test_slot_being_written_keeps_former_values),
		T(test_longest_ready_wait_counts),
		T(test_without_sensor),
		T(test_hints),
		T(test_share),
		T(test_patience),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
