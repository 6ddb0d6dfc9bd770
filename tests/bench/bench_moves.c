// SPDX-License-Identifier: Apache-2.0
/*
 * bench_moves.c - what it takes to move vcpus, four ways in turn
 *
 *	bench_moves SPINNING IDLE CALLER CPUS TIMED COUNTED
 *
 * tests/bench/moves starts it, on a KVM host on which two VMs of 8 vcpus run
 * under libvirt: in one every vcpu spins, in the other every vcpu sleeps. It
 * prints one line a sample, and the script makes tables and figures of them:
 *
 *	timed|counted ROUND STATE MOVES SIDE caller_ns there_ns
 *
 * TIMED rounds come first. Then, if there are COUNTED ones, moves_count.c is
 * told to begin, which makes everything slower: their times are not used, and
 * the n-th counted sample is the n-th pair of marks it counted.
 *
 * caller_ns: from before the first call of a batch to the return of the last:
 * until the calling thread may go on. Its own instructions, those of the
 * kernel for it, and all waiting. It runs SCHED_OTHER on cpu CALLER, where
 * nobody else has business.
 *
 * there_ns: from the same beginning until the last vcpu of the batch is there:
 *	running, queued	it was switched in on its new cpu, as the BPF sensor
 *			saw it;
 *	sleeping	it may run there and nowhere else: for ksched the time
 *			in its last answer, for the others their return.
 *
 * States, on the cpus CPUS = c0 .. c8:
 *	running		vcpu i spins alone on ci, and goes to ci+1; the vcpu
 *			with the highest number goes first, so that each finds
 *			its new cpu free; one move: that vcpu alone
 *	queued		the vcpus that will move wait on c8, which a SCHED_FIFO
 *			thread keeps busy; vcpu i goes to ci, which is free
 *	sleeping	vcpu i is halted, and goes from ci to ci+1; the
 *			spinning VM is paused meanwhile
 *
 * A state is waited for before each sample (the sensor says when it is so).
 * Round 0 warms up. In each round the sides take turns in every cell, another
 * one first each time.
 *
 * Exit: 0 measured, 1 could not.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libvirt/virterror.h>

#include "cpulist.h"
#include "hl/clock.h"
#include "sense_bpf.h"
#include "task.h"
#include "tests/bench/moves.h"
#include "tests/bench/moves_mark.h"
#include "virt_proc.h"

#define CPUS	(MOVES_VCPUS + 1)
#define WAIT_NS (30 * NSEC_PER_SEC)
#define START_S 2 /* until all cpus count */
#define URI	"qemu:///system"

enum state { SLEEPING, QUEUED, RUNNING, STATES };
static const char *const state_name[] = { "sleeping", "queued", "running" };
static const unsigned batch[] = { 1, MOVES_VCPUS };

static struct sense_bpf *sensor;
static unsigned cpu[CPUS];
static struct moves_vm spinning, idle;

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *fmt,
								...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stderr, "bench_moves: ");
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

static void stay(pthread_t thread, unsigned on)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(on, &set);
	if (pthread_setaffinity_np(thread, sizeof(set), &set))
		die("cannot run on cpu %u", on);
}

/* --- the thread that keeps a cpu from vcpus ------------------------------- */

static sem_t hog_go;
static bool hog_on;

static void *hog_main(void *unused)
{
	for (;;) {
		sem_wait(&hog_go);
		while (__atomic_load_n(&hog_on, __ATOMIC_RELAXED))
			;
	}
	return unused;
}

static void hog(bool on)
{
	__atomic_store_n(&hog_on, on, __ATOMIC_RELAXED);
	if (on)
		sem_post(&hog_go);
}

static void hog_create(unsigned on)
{
	struct sched_param first = { .sched_priority = 1 };
	pthread_t thread;

	if (sem_init(&hog_go, 0, 0) ||
	    pthread_create(&thread, NULL, hog_main, NULL))
		die("no thread left");
	stay(thread, on);
	if (pthread_setschedparam(thread, SCHED_FIFO, &first))
		die("no SCHED_FIFO here");
}

/* seen() - A consistent copy of a slot that watches a thread. */
static bool seen(const struct sense_bpf *s, uint16_t vcpu,
		 struct sensor_slot *out)
{
	return sensor_read(sense_bpf_page(s), vcpu, out) && out->tid;
}

/* --- how a vcpu is ------------------------------------------------------- */

static bool is_on(const struct moves_vcpu *vcpu, unsigned on,
		  uint64_t *since_ns)
{
	struct sensor_slot slot;

	if (!seen(sensor, vcpu->watch, &slot) ||
	    slot.state != VCPU_RUN_RUNNING || slot.cpu != on)
		return false;
	*since_ns = slot.since_ns;
	return true;
}

/* It wants what @state says, and may run on @on alone. */
static bool is_bound(const struct moves_vcpu *vcpu, unsigned on,
		     enum vcpu_run state)
{
	struct sensor_slot slot;
	struct cpumask mask;

	return seen(sensor, vcpu->watch, &slot) && slot.state == state &&
	       !task_get_mask(vcpu->tid, &mask) && cpumask_count(&mask) == 1 &&
	       cpumask_has(&mask, on);
}

static bool is_ready(const struct moves_vm *vm, enum state state,
		     const struct moves_to *home)
{
	for (unsigned i = 0; i < MOVES_VCPUS; i++) {
		const struct moves_vcpu *vcpu = &vm->vcpu[home[i].vcpu];
		unsigned on = home[i].cpu;
		uint64_t since_ns;

		if (state == SLEEPING	  ? !is_bound(vcpu, on, VCPU_RUN_HALTED)
		    : on == cpu[CPUS - 1] ? !is_bound(vcpu, on, VCPU_RUN_READY)
					  : !is_on(vcpu, on, &since_ns))
			return false;
	}
	return true;
}

static void wait_ready(const struct moves_vm *vm, enum state state,
		       const struct moves_to *home)
{
	uint64_t end_ns = clock_now_ns() + WAIT_NS;

	while (!is_ready(vm, state, home)) {
		if (clock_now_ns() > end_ns)
			die("%s's vcpus are not %s", vm->name,
			    state_name[state]);
		usleep(1000);
	}
}

/* wait_there() - Return: when the last of the vcpus began to run there. */
static uint64_t wait_there(const struct moves_vm *vm, const struct moves_to *to,
			   unsigned cnt)
{
	uint64_t end_ns = clock_now_ns() + WAIT_NS, last_ns = 0, since_ns;

	for (unsigned i = 0; i < cnt; i++) {
		while (!is_on(&vm->vcpu[to[i].vcpu], to[i].cpu, &since_ns))
			if (clock_now_ns() > end_ns)
				die("%s's vcpu %u does not run on cpu %u",
				    vm->name, to[i].vcpu, to[i].cpu);
		if (since_ns > last_ns)
			last_ns = since_ns;
	}
	return last_ns;
}

/* --- a sample ------------------------------------------------------------ */

/* plan() - Where each vcpu begins, and where the first @cnt of them go. */
static void plan(enum state state, unsigned cnt, struct moves_to *home,
		 struct moves_to *to)
{
	for (unsigned i = 0; i < MOVES_VCPUS; i++) {
		unsigned vcpu = MOVES_VCPUS - 1 - i;

		home[i].vcpu = to[i].vcpu = vcpu;
		home[i].cpu = to[i].cpu = cpu[vcpu];
		if (state != QUEUED)
			to[i].cpu = cpu[vcpu + 1];
		else if (i < cnt)
			home[i].cpu = cpu[CPUS - 1];
	}
}

static void settle(const struct moves_side *side, uint64_t *at_ns)
{
	int err = side->settle ? side->settle(at_ns) : 0;

	if (err)
		die("%s answers: %s", side->name, strerror(-err));
}

static void sample(const char *what, unsigned round, enum state state,
		   unsigned cnt, const struct moves_side *side)
{
	const struct moves_vm *vm = state == SLEEPING ? &idle : &spinning;
	struct moves_to home[MOVES_VCPUS], to[MOVES_VCPUS];
	uint64_t begin_ns, end_ns, there_ns;
	int err;

	plan(state, cnt, home, to);
	if (state == QUEUED)
		hog(true);
	err = moves_place(vm, home);
	if (err)
		die("%s's vcpus cannot be put in place: %s", vm->name,
		    strerror(-err));
	wait_ready(vm, state, home);

	begin_ns = clock_now_ns();
	mark_begin();
	err = side->move(vm, to, cnt);
	mark_end();
	end_ns = there_ns = clock_now_ns();

	if (err)
		die("%s cannot move: %s", side->name, strerror(-err));
	if (state != SLEEPING)
		there_ns = wait_there(vm, to, cnt);
	hog(false);
	settle(side, state == SLEEPING ? &there_ns : &(uint64_t){ 0 });
	for (unsigned i = 0; i < cnt; i++) {
		struct cpumask mask;

		if (task_get_mask(vm->vcpu[to[i].vcpu].tid, &mask) ||
		    cpumask_count(&mask) != 1 || !cpumask_has(&mask, to[i].cpu))
			die("%s: not where it was sent", side->name);
	}
	printf("%s %u %s %u %s %llu %llu\n", what, round, state_name[state],
	       cnt, side->name, (unsigned long long)(end_ns - begin_ns),
	       (unsigned long long)(there_ns - begin_ns));
	fflush(stdout);
}

static void run_round(const char *what, unsigned round)
{
	for (unsigned state = 0; state < STATES; state++) {
		if (state == SLEEPING && virDomainSuspend(spinning.dom))
			die("%s cannot be paused", spinning.name);
		for (unsigned b = 0; b < 2; b++)
			for (unsigned i = 0; i < MOVES_SIDES; i++)
				sample(what, round, state, batch[b],
				       &moves_side[(round + i) % MOVES_SIDES]);
		if (state == SLEEPING && virDomainResume(spinning.dom))
			die("%s cannot go on", spinning.name);
	}
}

/* --- start ---------------------------------------------------------------- */

static void find_vm(virConnectPtr conn, struct moves_vm *vm, const char *name,
		    uint16_t watch)
{
	static const struct virt_proc proc = { "/proc", "/run/libvirt/qemu" };
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	pid_t tid[MOVES_VCPUS];
	int err;

	vm->name = name;
	vm->dom = virDomainLookupByName(conn, name);
	if (!vm->dom || virDomainGetUUIDString(vm->dom, uuid))
		die("libvirt knows no %s", name);
	vm->pid = virt_proc_pid(&proc, name, uuid);
	if (vm->pid < 0 ||
	    virt_proc_vcpus(&proc, vm->pid, tid, MOVES_VCPUS) != MOVES_VCPUS)
		die("%s does not run with %d vcpus", name, MOVES_VCPUS);
	for (unsigned i = 0; i < MOVES_VCPUS; i++) {
		vm->vcpu[i].tid = tid[i];
		vm->vcpu[i].watch = (uint16_t)(watch + i);
		err = sense_bpf_watch(sensor, vm->vcpu[i].watch, tid[i]);
		if (err)
			die("%s's vcpu %u cannot be watched: %s", name, i,
			    strerror(-err));
	}
	err = moves_add(vm);
	if (err)
		die("%s's vcpus cannot be prepared: %s", name, strerror(-err));
}

static void quiet(void *unused, virErrorPtr error)
{
	(void)unused;
	fprintf(stderr, "bench_moves: libvirt: %s\n", error->message);
}

static unsigned number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end || n > 1000000)
		die("%s is no such number", text);
	return (unsigned)n;
}

static void take_cpus(const char *text, struct cpumask *all)
{
	unsigned cnt = 0;

	if (cpulist_parse(text, all) || cpumask_count(all) != CPUS)
		die("%s: %d cpus are needed", text, CPUS);
	cpumask_for_each (c, all)
		cpu[cnt++] = c;
}

int main(int argc, char **argv)
{
	unsigned timed, counted;
	struct cpumask all;
	virConnectPtr conn;
	char why[256];
	int err;

	if (argc != 7)
		die("SPINNING IDLE CALLER CPUS TIMED COUNTED");
	take_cpus(argv[4], &all);
	timed = number(argv[5]);
	counted = number(argv[6]);
	if (sense_bpf_open(&sensor, why, sizeof(why)))
		die("%s", why);
	err = moves_open(&all);
	if (err)
		die("no session of ksched: %s", strerror(-err));
	virSetErrorFunc(NULL, quiet);
	conn = virConnectOpen(URI);
	if (!conn)
		die("no libvirt");
	hog_create(cpu[CPUS - 1]);
	stay(pthread_self(), number(argv[3]));
	find_vm(conn, &spinning, argv[1], 0);
	find_vm(conn, &idle, argv[2], MOVES_VCPUS);

	for (unsigned round = 0; round <= timed; round++)
		run_round("timed", round);
	if (counted) {
		mark_start();
		sleep(START_S);
		for (unsigned round = 0; round <= counted; round++)
			run_round("counted", round);
	}
	moves_close();
	virDomainFree(spinning.dom);
	virDomainFree(idle.dom);
	virConnectClose(conn);
	sense_bpf_close(sensor);
	return 0;
}
