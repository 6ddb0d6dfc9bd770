// SPDX-License-Identifier: Apache-2.0
/*
 * test_sense.c - ports and vcpu states become one snapshot; how long to sleep
 *
 * The switch and the sensor are played by tables below.
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
#include "policy/snapshot.h"
#include "stat.h"

#define US 1000ull
#define MS 1000000ull

static struct sensor_slot slot[VCPU_MAX];
static struct dirty_word word[DIRTY_WORDS(VCPU_MAX)];
static unsigned long long top[DIRTY_TOPS(VCPU_MAX)];
static const struct sensor_page page = { slot, word, top };

/* event() - The sensor writes a slot. */
static void event(uint16_t vcpu, struct sensor_slot to)
{
	to.tid = 1;
	slot[vcpu] = to;
	dirty_mark(word, top, vcpu);
}

static struct port port[PORT_MAX];
static struct port_signal signal_of[PORT_MAX];
static uint16_t look[PORT_MAX]; /* ports the switch names */
static unsigned look_at, look_cnt, watched;

static void name_port(uint16_t id)
{
	look[look_cnt++] = id;
}

unsigned sw_looks(const struct sw *sw)
{
	(void)sw;
	return look_cnt - look_at;
}

struct port *sw_next_look(struct sw *sw)
{
	(void)sw;
	return &port[look[look_at++]];
}

void sw_watch(struct sw *sw, struct port *p, uint64_t now_ns,
	      struct score *delays)
{
	(void)sw;
	(void)now_ns;
	p->signal = signal_of[p->id];
	score_add(delays, 1);
	watched++;
}

void sw_response(struct sw *sw, struct port *p, struct score *score)
{
	(void)sw;
	(void)p;
	(void)score;
}

/* Two VMs: 0 is latency-critical with vcpus 0 and 1, 1 best-effort with 4. */
static struct snapshot *s;
static struct sense *z;
static struct agent_board board;

static int setup(void **state)
{
	(void)state;
	s = calloc(1, sizeof(*s));
	memset(&stat_hostd, 0, sizeof(stat_hostd));
	z = calloc(1, sizeof(*z));
	memset(slot, 0, sizeof(slot));
	memset(word, 0, sizeof(word));
	memset(top, 0, sizeof(top));
	memset(signal_of, 0, sizeof(signal_of));
	look_at = look_cnt = watched = 0;
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
	snapshot_index(s);
	sense_init(z, NULL, &page, &board);
	for (uint16_t i = 0; i < 3; i++) {
		port[i] = (struct port){ .id = i, .vm = i < 2 ? 0 : VM_NONE };
		if (i < 2)
			sense_port_add(z, &port[i]);
		name_port(i);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(z);
	free(s);
	return 0;
}

static void test_worst_port_counts(void **state)
{
	(void)state;
	signal_of[0] =
	    (struct port_signal){ .up = true, .held = 2, .delay_ns = 30 * US };
	signal_of[1] = (struct port_signal){ .held = 3, .delay_ns = 70 * US };
	sense_snapshot(z, s, 5 * MS);
	assert_int_equal(s->vm[0].delay_ns, 70 * US);
	assert_int_equal(s->vm[0].held, 5);
	assert_true(s->vm[0].has_port);
	assert_false(s->vm[1].has_port);
	assert_int_equal(stat_hostd.vm[0].signal[SLO_DELAY].score.hist.count,
			 2);

	memset(signal_of, 0, sizeof(signal_of)); /* all taken, driver gone */
	name_port(0);
	name_port(1);
	sense_snapshot(z, s, 6 * MS);
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
		event(0, rows[i].slot);
		sense_snapshot(z, s, 10 * MS);
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
	struct sensor_slot ready = { .state = VCPU_RUN_READY,
				     .since_ns = 1 * MS };
	struct sensor_slot halted = { .seq = 1, .state = VCPU_RUN_HALTED };

	(void)state;
	event(0, ready);
	sense_snapshot(z, s, 2 * MS);
	event(0, halted);
	sense_snapshot(z, s, 4 * MS);
	assert_int_equal(s->vcpu[0].run, VCPU_RUN_READY);
	assert_int_equal(s->vm[0].ready_ns, 3 * MS);
	halted.seq = 2; /* written: marked again */
	event(0, halted);
	sense_snapshot(z, s, 5 * MS);
	assert_int_equal(s->vcpu[0].run, VCPU_RUN_HALTED);
	assert_int_equal(s->vm[0].ready_ns, 0);
}

/* A thread that has ended neither runs nor waits, and its sums stay. */
static void test_thread_ends(void **state)
{
	(void)state;
	event(0, (struct sensor_slot){ .state = VCPU_RUN_RUNNING,
				       .since_ns = 1 * MS,
				       .ran_ns = 7 * MS });
	sense_snapshot(z, s, 2 * MS);
	slot[0].tid = 0;
	dirty_mark(word, top, 0);
	sense_snapshot(z, s, 3 * MS);
	assert_int_equal(s->vcpu[0].run, VCPU_RUN_UNKNOWN);
	assert_int_equal(s->vcpu[0].last_cpu, CPU_NONE);
	assert_int_equal(vcpu_ran_ns(s, 0), 7 * MS);
}

static void test_longest_ready_wait_counts(void **state)
{
	(void)state;
	event(0, (struct sensor_slot){ .state = VCPU_RUN_READY,
				       .since_ns = 9 * MS });
	event(1, (struct sensor_slot){ .state = VCPU_RUN_READY,
				       .since_ns = 7 * MS });
	sense_snapshot(z, s, 10 * MS);
	assert_int_equal(s->vm[0].ready_ns, 3 * MS);
	event(1, (struct sensor_slot){ .state = VCPU_RUN_RUNNING,
				       .since_ns = 10 * MS });
	sense_snapshot(z, s, 12 * MS);
	assert_int_equal(s->vm[0].ready_ns, 3 * MS);
}

static void test_without_sensor(void **state)
{
	(void)state;
	sense_init(z, NULL, NULL, NULL);
	event(0, (struct sensor_slot){ .state = VCPU_RUN_READY });
	signal_of[0].delay_ns = 5 * US;
	sense_snapshot(z, s, 10 * MS);
	assert_int_equal(s->vcpu[0].run, VCPU_RUN_UNKNOWN);
	assert_int_equal(s->vm[0].ready_ns, 0);
	assert_int_equal(s->vm[0].delay_ns, 5 * US);
}

/* --- what is listed ------------------------------------------------------ */

/* changed() - "0 1": the VMs the snapshot lists. */
static const char *changed(void)
{
	static char text[64];
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < s->changed_cnt && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u",
					i ? " " : "", s->changed[i]);
	return text;
}

static void look_again(const char *what, const char *out)
{
	static uint64_t now_ns = 100 * MS;

	sense_snapshot(z, s, now_ns += MS);
	if (strcmp(changed(), out))
		fail_msg("%s: \"%s\", not \"%s\"", what, changed(), out);
}

static void test_lists_what_changed(void **state)
{
	struct board_hint h = { .valid = true };

	(void)state;
	look_again("ports that came", "0");
	look_again("nothing", "");
	event(4, (struct sensor_slot){ .state = VCPU_RUN_RUNNING });
	look_again("a vcpu runs", "1");
	look_again("and goes on", "");
	event(4, (struct sensor_slot){ .state = VCPU_RUN_READY });
	event(1, (struct sensor_slot){ .state = VCPU_RUN_HALTED });
	look_again("one waits, one halts", "0 1");
	look_again("it still waits", "1");
	event(4, (struct sensor_slot){ .state = VCPU_RUN_RUNNING });
	look_again("it runs", "1");
	look_again("and that is all", "");
	event(6, (struct sensor_slot){ .state = VCPU_RUN_READY });
	look_again("nobody's slot", "");
	signal_of[1].delay_ns = 5 * US;
	name_port(1);
	look_again("a frame waits", "0");
	look_again("nobody names its port, but it waits", "0");
	signal_of[1].delay_ns = 0;
	name_port(1);
	look_again("it is taken", "0");
	look_again("nothing again", "");
	board_hint_put(&board, 1, &h);
	look_again("a hint", "1");
	look_again("no news", "");
	board_hint_put(&board, 7, &h);
	look_again("of a VM that is not there", "");
	snapshot_mark(s, 0);
	look_again("marked by the loop", "0");
}

/* What is set anew is looked at again, even where an event came before. */
static void test_renew(void **state)
{
	(void)state;
	look_again("ports that came", "0");
	event(5, (struct sensor_slot){ .state = VCPU_RUN_READY });
	look_again("nobody's slot", "");
	sense_vcpu_renew(z, s, 5);
	s->vcpu[5].vm = 1;
	s->vm[1].vcpu_cnt = 2;
	snapshot_index(s);
	sense_vm_renew(z, s, 1);
	look_again("set", "1");
	assert_int_equal(s->vcpu[5].run, VCPU_RUN_READY);
	assert_true(s->vm[1].ready_ns);
	look_again("and waits", "1");
	sense_vcpu_renew(z, s, 5); /* unplugged while it waits */
	s->vcpu[5].vm = VM_NONE;
	look_again("gone", "1");
	assert_int_equal(s->vm[1].ready_ns, 0);
	look_again("quiet", "");
	sense_port_del(z, s, &port[0]);
	look_again("a port goes", "0");
}

/* More is new than one look takes in: every slot gets its turn, some more than
 * once, for those looked at first are marked again meanwhile. */
static void test_bounded(void **state)
{
	struct sensor_slot runs = { .state = VCPU_RUN_RUNNING };
	unsigned seen = 0, looks = 0;

	(void)state;
	s->vm_cnt = 1;
	s->vcpu_cnt = 1000;
	s->vm[0].vcpu_cnt = 1000;
	for (uint16_t i = 0; i < 1000; i++) {
		s->vcpu[i] = (struct vcpu_view){ .vm = 0, .cpu = CPU_NONE };
		event(i, runs);
	}
	for (; seen < 1000 && looks < 50; looks++) {
		sense_snapshot(z, s, (looks + 1) * MS);
		seen = 0;
		for (uint16_t i = 0; i < 1000; i++)
			seen += s->vcpu[i].run == VCPU_RUN_RUNNING;
		for (uint16_t i = 0; i < 64; i++)
			event(i, runs);
	}
	assert_int_equal(seen, 1000);
	assert_in_range(looks, 3, 8);
	assert_in_range(stat_hostd.looks_put_off, looks - 1, looks);
}

static void test_bounded_ports(void **state)
{
	(void)state;
	for (uint16_t i = 3; i < 303; i++) {
		port[i] = (struct port){ .id = i, .vm = 0 };
		sense_port_add(z, &port[i]);
		name_port(i);
	}
	for (unsigned i = 0; i < 2; i++) {
		sense_snapshot(z, s, MS);
		assert_in_range(watched, 100 * (i + 1), 150 * (i + 1));
	}
	sense_snapshot(z, s, MS);
	assert_int_equal(watched, 302); /* all but the uplink */
	assert_int_equal(stat_hostd.looks_put_off, 2);
}

/* What an agent says is there while it is heard, and not a look longer. */
static void test_hints(void **state)
{
	struct board_hint h = { .valid = true, .wanted = 2, .wait_us = 300 };

	(void)state;
	board_hint_put(&board, 0, &h);
	board_runnable_put(&board, 1, 7);
	sense_snapshot(z, s, 1 * MS);
	assert_true(s->vm[0].hinted);
	assert_int_equal(s->vm[0].hint_wanted, 2);
	assert_int_equal(s->vm[0].hint_wait_ns, 300 * US);
	assert_int_equal(s->vcpu[0].hint_runnable, 0);
	assert_int_equal(s->vcpu[1].hint_runnable, 7);
	assert_false(s->vm[1].hinted);
	h.wanted = 0; /* heard, and wants nothing: that is a hint too */
	board_hint_put(&board, 0, &h);
	sense_snapshot(z, s, 2 * MS);
	assert_true(s->vm[0].hinted);
	assert_int_equal(s->vm[0].hint_wanted, 0);
	h.valid = false;
	board_hint_put(&board, 0, &h);
	sense_snapshot(z, s, 3 * MS);
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
		event(0, (struct sensor_slot){ .state = VCPU_RUN_HALTED,
					       .ran_ns = rows[i].ran0 });
		event(1, (struct sensor_slot){ .state = VCPU_RUN_HALTED,
					       .ran_ns = rows[i].ran1 });
		sense_snapshot(z, s, (i + 1) * MS);
		sense_shares(z, s);
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
		s->vm[0].cpus_min = rows[i].min;
		s->vm[0].cpus_max = rows[i].max;
		s->cpu_cnt = 2;
		for (uint16_t k = 0; k < 2; k++)
			s->cpu[k] = (struct cpu_view){
				.managed = true,
				.owner = k < rows[i].owned ? k : VCPU_NONE,
			};
		snapshot_index(s);
		snapshot_mark_all(s);
		snapshot_list(s);
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
		T(test_thread_ends),
		T(test_without_sensor),
		T(test_lists_what_changed),
		T(test_renew),
		T(test_bounded),
		T(test_bounded_ports),
		T(test_hints),
		T(test_share),
		T(test_patience),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
