// SPDX-License-Identifier: Apache-2.0
/*
 * test_policy_slo.c - single decisions of the slo policy, and short sequences
 *
 * How it behaves over seconds of changing load: test_policy_slo_host.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/types.h>
#include "hl/sensor.h"
#include "scene.h"

#define US 1000ull
#define MS 1000000ull

static struct snapshot snap;

static const struct {
	const char *what, *in, *out;
} row[] = {
	/* guarantee */
	{ "the minimum first, wanted or not", "cpus=2 lc min=1 halt:90000",
	  "0>0:guarantee" },
	{ "both minimums do not fit: the first slot's does",
	  "cpus=1 lc min=1 ready:900 lc min=1 ready:900", "0>0:guarantee" },
	/* thresholds: a quarter of the SLO, 20 us at least, else 100 us */
	{ "below the default", "cpus=2 lc delay=99 run@0* run", "" },
	{ "at the default", "cpus=2 lc delay=100 run@0* run", "1>1:delay" },
	{ "below a quarter of the SLO",
	  "cpus=2 lc slo=1000 delay=249 run@0* run", "" },
	{ "at a quarter of the SLO", "cpus=2 lc slo=1000 delay=250 run@0* run",
	  "1>1:delay" },
	{ "a tight SLO: below 20 us", "cpus=2 lc slo=40 delay=19 run@0* run",
	  "" },
	{ "a tight SLO: at 20 us", "cpus=2 lc slo=40 delay=20 run@0* run",
	  "1>1:delay" },
	{ "a ready wait", "cpus=2 lc slo=400 run@0* ready:100",
	  "1>1:ready-wait" },
	{ "held frames, however young", "cpus=2 lc held=1 run@0* run",
	  "1>1:held" },
	{ "no port: only the ready wait tells",
	  "cpus=2 lc noport delay=900 held=3 run@0* run", "" },
	{ "no port, a ready wait", "cpus=2 lc noport run@0* ready:100",
	  "1>1:ready-wait" },
	/* can a cpu help? */
	{ "nobody runnable without a cpu", "cpus=2 lc delay=900 run@0* halt",
	  "" },
	{ "one runnable vcpu, one cpu", "cpus=2 lc delay=900 halt@0* run", "" },
	{ "as many cpus as vcpus", "cpus=3 lc delay=900 run@0* run@1*", "" },
	{ "at the maximum", "cpus=2 lc max=1 delay=900 run@0* ready:900", "" },
	{ "idle cpu inside the VM: it changes hands",
	  "cpus=2 lc min=2 halt:50@0* run@1* ready:100", "0>2:ready-wait" },
	{ "but not for a wait below the threshold",
	  "cpus=2 lc min=2 delay=900 halt:50@0* run@1* ready:99", "" },
	{ "an unplugged vcpu gets nothing",
	  "cpus=2 lc delay=900 run@0* unplugged", "" },
	{ "a best-effort VM asks in vain", "cpus=2 be delay=900 ready:900",
	  "" },
	/* stuck */
	{ "frames untaken for a second, though it owns a cpu",
	  "cpus=2 lc delay=1000000 held=1 run@0* run", "" },
	{ "the same, owning none: starved, as far as we know",
	  "cpus=2 lc min=0 delay=1000000 run", "0>0:delay" },
	{ "stuck frames do not hide a ready wait",
	  "cpus=2 lc delay=1000000 run@0* ready:100", "1>1:ready-wait" },
	/* scarce signals */
	{ "no sensor: delay alone asks", "cpus=2 lc delay=100 unk@0* unk",
	  "1>1:delay" },
	{ "no sensor, no port: the minimum", "cpus=2 lc noport unk@0* unk",
	  "" },
	/* whose cpu */
	{ "a best-effort owner first",
	  "cpus=2 lc min=0 ready:100 lc min=0 run@0* be min=1 run@1*",
	  "1>0:preempted" },
	{ "never a guaranteed one",
	  "cpus=2 lc min=1 run@0* ready:500 lc min=1 run@1*", "" },
	{ "two above the minimum more than the asker",
	  "cpus=3 lc min=0 ready:500 lc min=1 run@0* run@1* run@2*",
	  "2>0:preempted" },
	{ "one more is no reason: it would swing back",
	  "cpus=2 lc min=0 ready:500 lc min=1 run@0* run@1*", "" },
	{ "not what changed hands just now",
	  "cpus=3 fresh=0 fresh=1 fresh=2 lc min=0 ready:500 "
	  "lc min=1 run@0* run@1* run@2*",
	  "" },
	{ "who owns nothing asks first",
	  "cpus=2 lc min=1 run@0* ready:900 lc min=0 ready:100",
	  "1>10:ready-wait" },
	{ "two in trouble, two cpus",
	  "cpus=4 lc run@0* ready:900 lc run@1* ready:100",
	  "2>1:ready-wait 3>11:ready-wait" },
	{ "one cpu a VM and decision",
	  "cpus=4 lc run@0* ready:900 ready:800 ready:700", "1>1:ready-wait" },
	/* an agent keeps work inside the guest */
	{ "all it owns has run for a millisecond",
	  "cpus=2 lc agent=0:0 run:1000@0* halt", "1>1:hint" },
	{ "not so long yet", "cpus=2 lc agent=0:0 run:999@0* halt", "" },
	{ "one of two rests", "cpus=3 lc agent=0:0 run:9000@0* halt@1* halt",
	  "" },
	{ "no agent, no hint", "cpus=2 lc run:9000@0* halt", "" },
	{ "a frame waits: a threshold is long enough",
	  "cpus=2 lc agent=0:0 delay=100 run:100@0* halt", "1>1:delay" },
	{ "it says that a worker waits", "cpus=2 lc agent=2:100 run:10@0* halt",
	  "1>1:hint" },
	{ "not long enough", "cpus=2 lc agent=2:99 run:10@0* halt", "" },
	{ "but wants no more than it has",
	  "cpus=2 lc agent=1:900 run:10@0* halt", "" },
	{ "at the maximum, whatever it says",
	  "cpus=2 lc max=1 agent=8:900000 run:9000@0* halt", "" },
	{ "a hint takes nobody's cpu",
	  "cpus=4 lc min=0 agent=8:900000 run:9000@0* halt "
	  "lc min=1 run@1* run@2* run@3*",
	  "" },
	{ "owning none it does not place workers: other signals ask",
	  "cpus=2 lc min=0 agent=2:900 run:9000", "" },
	{ "the vcpu that has workers",
	  "cpus=2 lc min=0 delay=900 run run#1 run", "0>1:delay" },
	/* what a move takes is known, and it is little */
	{ "who owns nothing asks at once",
	  "cpus=2 move=2 lc min=0 slo=1000 ready:1", "0>0:ready-wait" },
	{ "also one that runs on the floor",
	  "cpus=2 move=2 lc min=0 slo=1000 run", "0>0:ready-wait" },
	{ "the next cpu at a 200th of the SLO",
	  "cpus=2 move=2 lc slo=4000 run@0* ready:20", "1>1:ready-wait" },
	{ "not before", "cpus=2 move=2 lc slo=4000 run@0* ready:19", "" },
	{ "nor before two moves", "cpus=2 move=20 lc slo=4000 run@0* ready:39",
	  "" },
	{ "nor, however slow moves are, later than at a quarter",
	  "cpus=2 move=9000 lc slo=400 run@0* ready:100", "1>1:ready-wait" },
	{ "halted for two moves",
	  "cpus=2 move=50 lc min=0 slo=1000 halt:100@0*", "0>-:give-back" },
	{ "not yet", "cpus=2 move=50 lc min=0 slo=1000 halt:99@0*", "" },
	{ "all above the minimum at once",
	  "cpus=3 move=50 lc min=1 halt:100@0* halt:100@1* halt:100@2*",
	  "0>-:give-back 1>-:give-back" },
	{ "never the minimum", "cpus=2 move=50 lc min=1 halt:90000@0*", "" },
	{ "an agent would have to be told each time",
	  "cpus=2 move=50 lc min=0 agent=0:0 halt:9000@0*", "" },
	/* cpus are short: by deadlines, within equal parts */
	{ "a tighter SLO",
	  "cpus=1 move=2 lc min=0 slo=1000 ready:100 "
	  "lc min=0 slo=9000 run:900@0*",
	  "0>0:preempted" },
	{ "the same SLO, asked for earlier",
	  "cpus=1 move=2 lc min=0 slo=1000 ready:400 "
	  "lc min=0 slo=1000 run:50@0*",
	  "0>0:preempted" },
	{ "later",
	  "cpus=1 move=2 lc min=0 slo=1000 ready:50 "
	  "lc min=0 slo=1000 run:400@0*",
	  "" },
	{ "half its SLO is the most a run says of the past",
	  "cpus=1 move=2 lc min=0 slo=1000 ready:626 "
	  "lc min=0 slo=1000 run:9000@0*",
	  "0>0:preempted" },
	{ "deadlines nearer than an eighth of the SLO are the same",
	  "cpus=1 move=2 lc min=0 slo=1000 ready:625 "
	  "lc min=0 slo=1000 run:9000@0*",
	  "" },
	{ "who has no SLO may always wait",
	  "cpus=1 move=2 lc min=0 slo=1000 ready:50 lc min=0 run:50@0*",
	  "0>0:preempted" },
	{ "unless he has no more than the asker: he would take it back",
	  "cpus=2 move=2 lc min=0 slo=1000 run@0* ready:500 "
	  "lc min=0 run@1*",
	  "" },
	{ "but not from who has less than the asker",
	  "cpus=2 move=2 lc min=0 slo=1000 run@0* ready:900 ready:900 "
	  "lc min=1 slo=9000 run@1*",
	  "" },
	{ "an idle one, whatever the parts",
	  "cpus=2 move=2 lc min=0 slo=1000 run@0* ready:900 "
	  "lc min=0 slo=1000 agent=0:0 halt:20@1*",
	  "1>1:preempted" },
	{ "what has just changed hands is left alone",
	  "cpus=1 fresh=0 move=11 lc min=0 slo=1000 ready:400 "
	  "lc min=0 slo=9000 run@0*",
	  "" },
	{ "one goes back in this decision: it is free in the next",
	  "cpus=1 move=50 lc min=0 slo=1000 halt:100@0* "
	  "lc min=0 slo=1000 ready:400",
	  "0>-:give-back" },
	/* whole cores */
	{ "harvesters leave the other thread of an owner's core",
	  "cpus=4 smt lc run@2* be run", "bar*:3:sibling" },
	{ "both threads are owned: one stays open to them",
	  "cpus=4 smt lc min=2 run@2* run@3* be run", "bar*:3:sibling" },
	{ "nobody owns anything", "cpus=4 smt lc min=0 halt be run", "" },
	{ "a core of its own, though another thread is warmer",
	  "cpus=4 smt lc min=0 slo=400 run@0* ready:100@1",
	  "2>1:ready-wait bar*:1:sibling" },
	/* which cpu */
	{ "near its memory, though far cpus are warm",
	  "cpus=4 node=2 move=2 lc min=0 at=1 slo=1000 run@0",
	  "2>0:ready-wait" },
	/* limits */
	{ "a maximum lowered", "cpus=2 lc max=1 run@0* run@1*",
	  "1>-:give-back" },
	{ "an unmanaged cpu is made up for at once",
	  "cpus=2 unmanaged=0 lc min=1 run@0*", "0>-:gone 1>0:guarantee" },
	{ "a VM that is gone", "cpus=2 absent run@0*", "0>-:gone" },
};

static void test_rows(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		void *state = calloc(1, policy_slo.state_bytes);
		const char *out;

		scene_build(&snap, row[i].in);
		out = scene_decide(&policy_slo, state, &snap);
		if (strcmp(out, row[i].out))
			fail_msg("%s:\n%s\ngot  %s\nwant %s", row[i].what,
				 row[i].in, out, row[i].out);
		free(state);
	}
}

/* take() - Vcpu slot owns the cpu from now on, as a plan said. */
static void take(uint16_t cpu, uint16_t vcpu)
{
	if (snap.cpu[cpu].owner != VCPU_NONE)
		snap.vcpu[snap.cpu[cpu].owner].cpu = CPU_NONE;
	snap.cpu[cpu].owner = vcpu;
	snap.cpu[cpu].since_ns = snap.now_ns;
	if (vcpu != VCPU_NONE)
		snap.vcpu[vcpu].cpu = cpu;
}

/* After a grant: the next one threshold later, unless a vcpu waits itself. */
static void test_settle(void **unused)
{
	void *state = calloc(1, policy_slo.state_bytes);

	(void)unused;
	scene_build(&snap, "cpus=4 lc delay=100 run@0* run run run");
	assert_string_equal(scene_decide(&policy_slo, state, &snap),
			    "1>1:delay");
	take(1, 1);
	snap.now_ns += 99 * US;
	assert_string_equal(scene_decide(&policy_slo, state, &snap), "");
	snap.now_ns += 1 * US;
	assert_string_equal(scene_decide(&policy_slo, state, &snap),
			    "2>2:delay");
	take(2, 2);
	snap.vcpu[3].run = VCPU_RUN_READY;
	snap.vcpu[3].since_ns = snap.now_ns - 95 * US;
	snap.now_ns += 5 * US;
	assert_string_equal(scene_decide(&policy_slo, state, &snap),
			    "3>3:delay");
	free(state);
}

/*
 * windows() - Let @cnt windows pass, in steps of 1 ms
 * @load: percent of one cpu that the VM uses in all; runs have just begun
 * @wait_us: longest ready wait seen meanwhile
 *
 * Return: the first plan that was not empty, carried out; or "".
 */
static const char *windows(void *state, unsigned cnt, unsigned load,
			   unsigned wait_us)
{
	const char *out = "";

	snap.vm[0].ready_ns = wait_us * US;
	for (unsigned i = 0; i < 10 * cnt && !*out; i++) {
		snap.now_ns += MS;
		snap.vcpu[0].ran_ns += load * MS / 100;
		for (unsigned v = 0; v < SCENE_VCPUS; v++)
			if (snap.vcpu[v].run == VCPU_RUN_RUNNING)
				snap.vcpu[v].since_ns = snap.now_ns;
		out = scene_decide(&policy_slo, state, &snap);
	}
	return out;
}

static const struct {
	const char *what, *in;
	unsigned cnt, load, wait_us;
	const char *out;
} window_row[] = {
	{ "one of two would do", "cpus=2 lc run@0* run@1*", 2, 69, 0,
	  "1>-:give-back" },
	{ "one of two would not do", "cpus=2 lc run@0* run@1*", 5, 71, 0, "" },
	{ "two of three would do", "cpus=3 lc run@0* run@1* run@2*", 2, 139, 0,
	  "2>-:give-back" },
	{ "somebody waited a quarter of the threshold",
	  "cpus=2 lc run@0* run@1*", 5, 10, 25, "" },
	{ "somebody waited less", "cpus=2 lc run@0* run@1*", 2, 10, 24,
	  "1>-:give-back" },
	{ "a tight SLO: waking up is no wait", "cpus=2 lc slo=40 run@0* run@1*",
	  2, 10, 9, "1>-:give-back" },
	{ "never the minimum", "cpus=2 lc min=2 halt@0* halt@1*", 5, 0, 0, "" },
	{ "min=0: the last one when at rest", "cpus=2 lc min=0 run@0*", 2, 4, 0,
	  "0>-:give-back" },
	{ "min=0: not while it works", "cpus=2 lc min=0 run@0*", 5, 6, 0, "" },
	{ "it does not run at all, whatever its port says",
	  "cpus=2 lc delay=900 held=1 halt@0* halt@1*", 2, 0, 0,
	  "1>-:give-back" },
	{ "frames wait in a guest that has cpus: not about cpus",
	  "cpus=2 lc delay=900 run@0* halt@1*", 2, 30, 0, "1>-:give-back" },
	{ "no sensor, quiet: after ten windows",
	  "cpus=2 lc delay=24 unk@0* unk@1*", 11, 0, 0, "1>-:give-back" },
	{ "no sensor, quiet: not before", "cpus=2 lc delay=24 unk@0* unk@1*", 9,
	  0, 0, "" },
	{ "no sensor, not quiet", "cpus=2 lc delay=25 unk@0* unk@1*", 30, 0, 0,
	  "" },
	{ "an agent: one of two would do", "cpus=2 lc agent=0:0 run@0* run@1*",
	  2, 89, 0, "1>-:give-back" },
	{ "an agent: one of two would not do",
	  "cpus=2 lc agent=0:0 run@0* run@1*", 5, 91, 0, "" },
	{ "no sensor, stuck frames", "cpus=2 lc delay=2000000 unk@0* unk@1*",
	  11, 0, 0, "1>-:give-back" },
};

static void test_windows(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(window_row) / sizeof(window_row[0]);
	     i++) {
		void *state = calloc(1, policy_slo.state_bytes);
		const char *out;

		scene_build(&snap, window_row[i].in);
		out = windows(state, window_row[i].cnt, window_row[i].load,
			      window_row[i].wait_us);
		if (strcmp(out, window_row[i].out))
			fail_msg("%s:\n%s\ngot  %s\nwant %s",
				 window_row[i].what, window_row[i].in, out,
				 window_row[i].out);
		free(state);
	}
}

/* A VM that has spare cpus by its last window loses one to a VM in need. */
static void test_spare_is_taken(void **unused)
{
	void *state = calloc(1, policy_slo.state_bytes);

	(void)unused;
	scene_build(&snap, "cpus=4 lc min=1 run@0* run@1* run@2* "
			   "lc min=1 run@3* run");
	assert_string_equal(windows(state, 2, 50, 0), "2>-:give-back");
	take(2, VCPU_NONE);
	snap.cpu[2].managed = false;
	/* VM 0 owns two and needs one, VM 1 owns its minimum: only what the
	 * window said makes it a victim */
	snap.vcpu[11].run = VCPU_RUN_READY;
	snap.vcpu[11].since_ns = snap.now_ns - 200 * US;
	snap.vm[1].ready_ns = 200 * US;
	assert_string_equal(scene_decide(&policy_slo, state, &snap),
			    "1>11:preempted");
	free(state);
}

/*
 * Doubt: a cpu obtained by a hint and not used makes the policy deaf for 1 s,
 * then 2 s, up to 64 s; one that is used ends that.
 */
static void test_doubt(void **unused)
{
	static const unsigned deaf_s[] = {
		0, 1, 2, 4, 8, 16, 32, 64, 64, 0, 32
	};
	void *state = calloc(1, policy_slo.state_bytes);
	uint64_t gave_ns = SCENE_NOW_NS;

	(void)unused;
	scene_build(&snap, "cpus=2 lc agent=2:900000 halt@0* halt");
	for (unsigned i = 0; i < sizeof(deaf_s) / sizeof(deaf_s[0]); i++) {
		const char *out = windows(state, 10000, 50, 0);

		assert_string_equal(out, "1>1:hint");
		assert_in_range(snap.now_ns - gave_ns, deaf_s[i] * 1000 * MS,
				(deaf_s[i] * 1000 + 10) * MS);
		take(1, 1);
		if (i == 8) /* this one is used */
			assert_string_equal(windows(state, 20, 190, 0), "");
		assert_string_equal(windows(state, 1000, 50, 0),
				    "1>-:give-back");
		take(1, VCPU_NONE);
		gave_ns = snap.now_ns;
	}
	free(state);
}

/*
 * Regret: each cpu asked for again right after it was given back is held twice
 * as long; asked for much later, half as long.
 */
static void test_hold(void **unused)
{
	void *state = calloc(1, policy_slo.state_bytes);
	uint64_t granted_ns = 0, held_ns, last_ns = 0;

	(void)unused;
	scene_build(&snap, "cpus=2 lc min=1 run@0* run@1*");
	for (unsigned turn = 0; turn < 14; turn++) {
		const char *out = windows(state, 1000, 10, 0);

		assert_string_equal(out, "1>-:give-back");
		take(1, VCPU_NONE);
		held_ns = turn ? snap.now_ns - granted_ns : 0;
		if (turn > 4 && turn < 12 && held_ns < last_ns * 3 / 2)
			fail_msg("turn %u: held %lu ms, before %lu", turn,
				 (unsigned long)(held_ns / MS),
				 (unsigned long)(last_ns / MS));
		if (held_ns > 4200 * MS)
			fail_msg("turn %u: for ever", turn);
		last_ns = held_ns;
		if (turn == 13)
			snap.now_ns += 2000 * MS;
		snap.vcpu[1].run = VCPU_RUN_READY;
		snap.vcpu[1].since_ns = snap.now_ns - 100 * US;
		snap.vm[0].ready_ns = 100 * US;
		assert_string_equal(scene_decide(&policy_slo, state, &snap),
				    "1>1:ready-wait");
		take(1, 1);
		granted_ns = snap.now_ns;
		snap.vcpu[1].run = VCPU_RUN_RUNNING;
	}
	assert_true(windows(state, 1000, 10, 0)[0]);
	assert_true(snap.now_ns - granted_ns < last_ns * 3 / 4);
	free(state);
}

/* What is always late keeps its cpus through pauses: so many moves long, and
 * where moves are slow so long. */
static const struct {
	unsigned move_us, linger_us;
} linger_row[] = {
	{ 2, 2048 },
	{ 97, 99328 },
	{ 98, 100000 },
	{ 20000, 100000 },
};

static void test_linger(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(linger_row) / sizeof(linger_row[0]);
	     i++) {
		void *state = calloc(1, policy_slo.state_bytes);
		const uint64_t linger_ns = linger_row[i].linger_us * US;

		scene_build(&snap, "cpus=2 lc min=0 slo=500 run@0*");
		snap.move_ns = linger_row[i].move_us * US;
		for (unsigned turn = 0; turn < 10; turn++) {
			snap.now_ns += 20 * MS;
			snap.vm[0].done += 100;
			snap.vm[0].late += 100;
			snap.vcpu[0].ran_ns += 20 * MS;
			assert_string_equal(
			    scene_decide(&policy_slo, state, &snap), "");
		}
		snap.vcpu[0].run = VCPU_RUN_HALTED;
		snap.vcpu[0].since_ns = snap.now_ns;
		/* never calm enough for its windows to close */
		snap.vm[0].ready_ns = 100 * US;
		snap.now_ns += linger_ns - US;
		assert_string_equal(scene_decide(&policy_slo, state, &snap),
				    "");
		snap.now_ns += US;
		assert_string_equal(scene_decide(&policy_slo, state, &snap),
				    "0>-:give-back");
		free(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_settle),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_spare_is_taken),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_linger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
