// SPDX-License-Identifier: Apache-2.0
/*
 * bench_pass.c - what a decision costs: by what changed, and by what there is
 *
 * A host of 128 cpus and many VMs of 4 vcpus each. Time goes in steps of 5 us;
 * in each, so many VMs change: half of them begin to run, half, which ran since
 * the step before, rest; each step others; and one in 64 steps a vcpu is found
 * to have waited too long, so that a cpu is granted and, some windows later,
 * given back. Timed is what hostd does then: sense, the policy slo, the
 * ownership table, owners shown in the snapshot. Frames and the moves
 * themselves are not in it.
 *
 * Beside it, in alternating rounds on the same host, a scan of the same state
 * as Caladan's slow pass does it: read the line of every vcpu, work out whether
 * its VM is congested, and look at every cpu for one that fell idle. It decides
 * nothing, so it is flattered.
 *
 * Both find the sensor's lines in this cpu's caches, where on a host they come
 * from other cpus; that costs a scan more lines, and a decision fewer.
 *
 * 10,000 VMs are more than hostd is built for: the same sources built with
 * other bounds, big/bench_pass beside this program, measure those rows.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hl/clock.h"
#include "owners.h"
#include "policy/pick.h"
#include "sense.h"
#include "sense_slo.h"
#include "stat.h"
#include "tests/bench/pick_stat.h"
#include "tests/bench/pick_tsc.h"

#define CPUS	 128
#define VCPUS	 4 /* a VM */
#define STEP_NS	 5000ull
#define STEPS	 4000u /* in a round; timed one by one */
#define BATCHES	 64u   /* of idle passes: timed so many at once */
#define WARM_UP	 20000u
#define GRANT_IN 64
#define WAIT_NS	 150000ull
#define BIG_VMS	 10000u

/* --- the host ------------------------------------------------------------ */

static struct sensor_slot slot[VCPU_MAX] __attribute__((aligned(64)));
static struct dirty_word word[DIRTY_WORDS(VCPU_MAX)]
    __attribute__((aligned(64)));
static unsigned long long top[DIRTY_TOPS(VCPU_MAX)];
static const struct sensor_page page = { slot, word, top };

static struct snapshot snap;
static struct sense sense;
static struct owners table;
static struct plan plan;
static void *state;
static unsigned vms, step, next_vm, waits;
static uint64_t moves;

/* No port has anything new. */
unsigned sw_looks(const struct sw *sw)
{
	(void)sw;
	return 0;
}

struct port *sw_next_look(struct sw *sw)
{
	(void)sw;
	return NULL;
}

void sw_watch(struct sw *sw, struct port *p, uint64_t now_ns,
	      struct score *delays)
{
	(void)sw, (void)p, (void)now_ns, (void)delays;
}

void sw_response(struct sw *sw, struct port *p, struct score *score)
{
	(void)sw, (void)p, (void)score;
}

static void add_vm(uint16_t vm)
{
	uint16_t first = (uint16_t)(vm * VCPUS);

	snap.vm[vm] = (struct vm_view){ .present = true,
					.class = VM_CLASS_LATENCY_CRITICAL,
					.cpus_min = vm < CPUS / 2,
					.cpus_max = VCPUS,
					.first_vcpu = first,
					.vcpu_cnt = VCPUS,
					.node = NODE_NONE };
	owners_vm_set(&table, vm, VM_CLASS_LATENCY_CRITICAL, first, VCPUS);
	for (uint16_t i = 0; i < VCPUS; i++) {
		snap.vcpu[first + i] = (struct vcpu_view){ .vm = vm };
		slot[first + i] =
		    (struct sensor_slot){ .state = VCPU_RUN_HALTED,
					  .tid = 1,
					  .cpu = (first + i) % CPUS };
	}
	sense_vm_renew(&sense, &snap, vm);
}

static void host(unsigned vm_cnt)
{
	struct cpumask all = { 0 }, floor = { 0 };

	memset(&snap, 0, sizeof(snap));
	memset(&sense, 0, sizeof(sense));
	memset(word, 0, sizeof(word));
	memset(top, 0, sizeof(top));
	vms = vm_cnt;
	step = next_vm = waits = 0;
	snap.now_ns = NSEC_PER_SEC;
	snap.vm_cnt = (uint16_t)vms;
	snap.vcpu_cnt = (uint16_t)(vms * VCPUS);
	snap.cpu_cnt = CPUS;
	snap.node_cnt = 2;
	for (uint16_t i = 0; i < CPUS; i++) {
		cpumask_set(&all, i);
		snap.cpu[i] = (struct cpu_view){ .managed = true,
						 .owner = VCPU_NONE,
						 .sibling = i ^ 1,
						 .llc = i / 16 * 16,
						 .node = i / 64 };
	}
	owners_init(&table, &all, &floor);
	sense_init(&sense, NULL, &page, NULL);
	for (uint16_t i = 0; i < vms; i++)
		add_vm(i);
	snapshot_index(&snap);
	free(state);
	state = calloc(1, policy_slo.state_bytes);
}

/* --- events -------------------------------------------------------------- */

static void event(unsigned vcpu, enum vcpu_run to, uint64_t since_ns)
{
	struct sensor_slot *s = &slot[vcpu];

	s->seq += 2;
	if (s->state == VCPU_RUN_RUNNING)
		s->ran_ns += snap.now_ns - s->since_ns;
	s->state = to;
	s->since_ns = since_ns;
	dirty_mark(word, top, vcpu);
}

/* A vcpu that runs comes to rest, and the other way round. */
static void change(unsigned vm)
{
	unsigned vcpu = vm * VCPUS + vm % VCPUS;

	event(vcpu,
	      slot[vcpu].state == VCPU_RUN_HALTED ? VCPU_RUN_RUNNING
						  : VCPU_RUN_HALTED,
	      snap.now_ns);
}

/* What happened in the 5 us before this pass. */
static void happen(unsigned changing)
{
	snap.now_ns += STEP_NS;
	step++;
	for (unsigned i = 0; i < changing; i++)
		change((next_vm + i) % vms);
	next_vm = (next_vm + changing / 2) % vms;
	if (!changing)
		return;
	if (step % GRANT_IN == 0)
		event(waits, VCPU_RUN_READY, snap.now_ns - WAIT_NS);
	if (step % GRANT_IN == 1)
		event(waits, VCPU_RUN_RUNNING, snap.now_ns);
	if (step % GRANT_IN == 2) {
		event(waits, VCPU_RUN_HALTED, snap.now_ns);
		waits = (waits + 7 * VCPUS) % (vms * VCPUS);
	}
}

/* --- a pass -------------------------------------------------------------- */

static __attribute__((noinline)) void pass(void)
{
	static struct owners_changed changed;
	struct cpumask moved;

	sense_snapshot(&sense, &snap, snap.now_ns);
	plan.count = plan.bar_cnt = 0;
	policy_slo.decide(state, &snap, &plan);
	if (!plan.count)
		return;
	owners_apply(&table, &snap, &plan, &changed);
	moved = table.moved;
	table.moved = (struct cpumask){ 0 };
	cpumask_for_each (cpu, &moved)
		snapshot_own(&snap, (uint16_t)cpu,
			     owners_of_cpu(&table, (uint16_t)cpu));
	moves += plan.count;
}

/* --- the scan ------------------------------------------------------------ */

static uint64_t delay_ns[VM_MAX]; /* of each VM */
static bool idle[CPUS];

static __attribute__((noinline)) unsigned scan(void)
{
	unsigned congested = 0, edges = 0;
	struct sensor_slot s;

	for (unsigned vm = 0; vm < vms; vm++) {
		uint64_t worst_ns = 0, wait_ns;

		for (unsigned i = 0; i < VCPUS; i++) {
			if (!sensor_read(&page, (uint16_t)(vm * VCPUS + i), &s))
				continue;
			if (s.state != VCPU_RUN_READY)
				continue;
			wait_ns = snap.now_ns - s.since_ns;
			worst_ns = wait_ns > worst_ns ? wait_ns : worst_ns;
		}
		delay_ns[vm] = worst_ns;
		congested += worst_ns >= 10000;
	}
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		uint16_t owner = table.cpu_owner[cpu];
		bool now =
		    owner == VCPU_NONE || slot[owner].state == VCPU_RUN_HALTED;

		edges += now && !idle[cpu];
		idle[cpu] = now;
	}
	return congested + edges;
}

/* --- measuring ----------------------------------------------------------- */

static double ns_per_tick, empty_ticks;
static volatile unsigned sink;

static void calibrate(void)
{
	static uint64_t empty[1001];
	uint64_t begin_ns = clock_now_ns(), begin = tsc_begin(), end;

	while (clock_now_ns() - begin_ns < 50 * NSEC_PER_MSEC)
		;
	end = tsc_end();
	ns_per_tick =
	    (double)(clock_now_ns() - begin_ns) / (double)(end - begin);
	for (unsigned i = 0; i < 1001; i++) {
		begin = tsc_begin();
		empty[i] = tsc_end() - begin;
	}
	empty_ticks = (double)median_of(empty, 1001);
}

/* round_ns() - Mean over STEPS passes, or scans. The mean: rare grants count.
 * A pass that takes ten times as long as the median was interrupted. */
static double round_ns(unsigned changing, bool scans)
{
	static uint64_t took[STEPS], sorted[STEPS];
	uint64_t begin, limit;
	double sum = 0;
	unsigned cnt = 0;

	for (unsigned i = 0; i < STEPS; i++) {
		happen(changing);
		begin = tsc_begin();
		if (scans)
			sink = scan();
		else
			pass();
		took[i] = tsc_end() - begin;
		if (scans)
			pass();
	}
	memcpy(sorted, took, sizeof(sorted));
	limit = 10 * median_of(sorted, STEPS) + 20000;
	for (unsigned i = 0; i < STEPS; i++) {
		if (took[i] > limit)
			continue;
		sum += (double)took[i] - empty_ticks;
		cnt++;
	}
	return sum / cnt * ns_per_tick;
}

/* idle_ns() - Of a pass that finds nothing new, many at once. */
static double idle_ns(void)
{
	uint64_t took[BATCHES], begin;

	for (unsigned i = 0; i < BATCHES; i++) {
		begin = tsc_begin();
		for (unsigned k = 0; k < STEPS / BATCHES; k++) {
			snap.now_ns += STEP_NS;
			pass();
		}
		took[i] = tsc_end() - begin;
	}
	return (double)median_of(took, BATCHES) / (STEPS / BATCHES) *
	       ns_per_tick;
}

struct point {
	double pass[ROUNDS], scan[ROUNDS];
};

static void measure(unsigned vm_cnt, unsigned changing, struct point *p)
{
	struct estimate pass_ns, scan_ns;

	host(vm_cnt);
	for (unsigned i = 0; i < WARM_UP; i++) {
		happen(changing);
		pass();
	}
	moves = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		p->pass[i] = changing ? round_ns(changing, false) : idle_ns();
		p->scan[i] = round_ns(changing, true);
	}
	pass_ns = estimate(p->pass);
	scan_ns = estimate(p->scan);
	printf("%6u VMs %6u changing  pass %7.0f ns (%.0f to %.0f)  "
	       "scan %7.0f ns (%.0f to %.0f)  %.1f moves/1000\n",
	       vm_cnt, changing, pass_ns.median, pass_ns.low, pass_ns.high,
	       scan_ns.median, scan_ns.low, scan_ns.high,
	       (double)moves * 1000 / (2 * ROUNDS * STEPS));
	fflush(stdout);
}

/* --- what picking a vcpu costs ------------------------------------------- */

static void show_pick(void)
{
	static const uint16_t vcpus[] = { 4, 16, 64, 256 };
	static uint64_t took[1001];
	struct pick k;

	printf("\npick_vcpu() among the vcpus of one VM:");
	for (unsigned n = 0; n < 4; n++) {
		host(16);
		snap.vm_cnt = 1;
		snap.vm[0].vcpu_cnt = vcpus[n];
		snap.vcpu_cnt = vcpus[n];
		for (unsigned i = 0; i < vcpus[n]; i++)
			snap.vcpu[i] =
			    (struct vcpu_view){ .run = VCPU_RUN_READY,
						.cpu = CPU_NONE,
						.since_ns = i };
		plan.count = 0;
		pick_begin(&k, &snap, &plan);
		for (unsigned i = 0; i < 1001; i++) {
			uint64_t begin = tsc_begin();

			sink = pick_vcpu(&k, 0, 7, PICK_RUNNABLE);
			took[i] = tsc_end() - begin;
		}
		printf(" %u: %.0f ns", vcpus[n],
		       ((double)median_of(took, 1001) - empty_ticks) *
			   ns_per_tick);
	}
	printf("\n\n");
}

/* --- figures ------------------------------------------------------------- */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_pass: %s\n", what);
	exit(1);
}

/* The other build, which does one idle round for each byte it is sent. */
static int to_big;
static FILE *from_big;

static void start_big(void)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 32);
	int to[2], from[2];

	if (len < 0 || pipe(to) || pipe(from))
		die("no pipe");
	path[len] = '\0';
	strcpy(strrchr(path, '/') + 1, "big/bench_pass");
	switch (fork()) {
	case -1:
		die("no fork");
	case 0:
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[1]);
		execl(path, path, "--big", NULL);
		die("big/bench_pass cannot be run");
	}
	close(to[0]);
	close(from[1]);
	to_big = to[1];
	from_big = fdopen(from[0], "r");
}

static void measure_big(void)
{
	static struct point p;
	char c;

	measure(BIG_VMS, BIG_VMS, &p);
	measure(BIG_VMS, 32, &p);
	measure(BIG_VMS, 0, &p);
	printf("idle\n");
	fflush(stdout);
	while (read(0, &c, 1) == 1) {
		printf("%f\n", idle_ns());
		fflush(stdout);
	}
}

/* growth() - Idle passes of 10,000 VMs beside those of 16, round by round. */
static struct estimate growth(void)
{
	double few[ROUNDS], many[ROUNDS];
	char line[256] = "";

	start_big();
	while (fgets(line, sizeof(line), from_big) && strcmp(line, "idle\n"))
		fputs(line, stdout);
	host(16);
	idle_ns();
	for (unsigned i = 0; i < ROUNDS; i++) {
		few[i] = idle_ns();
		if (write(to_big, "", 1) != 1 ||
		    !fgets(line, sizeof(line), from_big))
			die("big/bench_pass ended");
		many[i] = atof(line);
	}
	close(to_big);
	fclose(from_big);
	return estimate_ratio(many, few);
}

static void figure(const char *name, double value, const char *unit,
		   const char *sign, double goal)
{
	bool met = sign[0] == '<' ? value <= goal : value >= goal;

	printf("figure %s %.2f %s goal %s%.1f %s\n", name, value, unit, sign,
	       goal, met ? "met" : "missed");
}

/* once() - STEPS steps, untimed, for a program that counts instructions. */
static void once(unsigned vm_cnt, unsigned changing)
{
	host(vm_cnt);
	for (unsigned i = 0; i < WARM_UP + STEPS; i++) {
		happen(changing);
		pass();
	}
}

int main(int argc, char **argv)
{
	static const unsigned vm_cnt[] = { 16, 128, 1024 };
	static struct point p, at;
	struct estimate grown;

	if (argc == 3 && atoi(argv[1]) > 0 &&
	    atoi(argv[1]) * VCPUS < VCPU_MAX) {
		once((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]));
		return 0;
	}
	calibrate();
	if (argc == 2 && !strcmp(argv[1], "--big")) {
		measure_big();
		return 0;
	}
	for (unsigned i = 0; i < 3; i++) {
		measure(vm_cnt[i], 0, &p);
		measure(vm_cnt[i], vm_cnt[i] < 32 ? vm_cnt[i] : 32, &at);
		if (vm_cnt[i] > 32)
			measure(vm_cnt[i], vm_cnt[i], &p);
	}
	grown = growth();
	show_pick();
	figure("pass-1024-ns", estimate(at.pass).median, "ns", "<=", 1000);
	figure("pass-gain-vs-scan", estimate_ratio(at.scan, at.pass).median,
	       "x", ">=", 10);
	figure("pass-idle-growth", grown.median, "x", "<=", 1.5);
	return 0;
}
