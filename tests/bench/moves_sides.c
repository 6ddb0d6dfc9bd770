// SPDX-License-Identifier: Apache-2.0
/*
 * moves_sides.c - four ways to move vcpus
 *
 *	ksched		one KSCHED_COMMIT for all; answers come in its ring
 *	affinity	sched_setaffinity(2), one call a vcpu
 *	cpuset		cpuset.cpus of the vcpu's own control group, as libvirt
 *			made it: one open, write, close a vcpu
 *	libvirt		virDomainPinVcpu() on a connection that stays open
 *
 * moves_place() takes away what the last one left behind and puts the vcpus
 * where they start, the same way for all: ksched holds a session all the time,
 * is told what the others changed (KSCHED_LEARN), and is the quickest.
 */
#include "tests/bench/moves.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpulist.h"
#include "hl/clock.h"
#include "hl/ksched.h"
#include "task.h"

#define SILENCE_MS     KSCHED_SILENCE_MAX_MS
#define ANSWER_WAIT_NS (10 * NSEC_PER_SEC)

static struct cpumask all_cpus;
static char all_text[CGROUP_VALUE_MAX];

static struct {
	int fd;
	const struct ksched_page *page;
	const struct ksched_done *ring; /* behind the page */
	uint64_t sent, seen;		/* moves, answers */
} session = { .fd = -1 };

static struct cpumask only(unsigned cpu)
{
	struct cpumask m = { 0 };

	cpumask_set(&m, cpu);
	return m;
}

/* --- ksched -------------------------------------------------------------- */

static int ksched_move(const struct moves_vm *vm, const struct moves_to *to,
		       unsigned cnt)
{
	struct ksched_move move[MOVES_VCPUS];
	struct ksched_commit commit = { .moves = (uintptr_t)move,
					.count = cnt };

	memset(move, 0, cnt * sizeof(move[0]));
	for (unsigned i = 0; i < cnt; i++) {
		move[i].slot = vm->vcpu[to[i].vcpu].slot;
		move[i].gen = (uint32_t)session.sent + i;
		move[i].role = KSCHED_OWNER;
		move[i].mask.word[to[i].cpu / 64] = 1ull << (to[i].cpu % 64);
	}
	if (ioctl(session.fd, KSCHED_COMMIT, &commit))
		return -errno;
	session.sent += cnt;
	return 0;
}

static int ksched_settle(uint64_t *at_ns)
{
	uint64_t end_ns = clock_now_ns() + ANSWER_WAIT_NS;

	*at_ns = 0;
	while (session.seen < session.sent) {
		const struct ksched_done *done =
		    &session.ring[session.seen % KSCHED_RING_SLOTS];

		if (__atomic_load_n(&session.page->head, __ATOMIC_ACQUIRE) <=
		    session.seen) {
			if (clock_now_ns() > end_ns)
				return -ETIMEDOUT;
			usleep(100);
			continue;
		}
		if (done->err)
			return done->err;
		if (done->at_ns > *at_ns)
			*at_ns = done->at_ns;
		session.seen++;
	}
	return 0;
}

static int ksched_add(const struct moves_vm *vm, struct moves_vcpu *vcpu)
{
	struct ksched_add add = { .tgid = vm->pid, .tid = vcpu->tid };
	uint64_t ticks;
	int err = task_start(vm->pid, vcpu->tid, &ticks);

	if (err)
		return err;
	add.start_ticks = ticks;
	if (ioctl(session.fd, KSCHED_ADD, &add))
		return -errno;
	vcpu->slot = add.slot;
	return 0;
}

/* --- the others ---------------------------------------------------------- */

static int affinity_move(const struct moves_vm *vm, const struct moves_to *to,
			 unsigned cnt)
{
	int err = 0;

	for (unsigned i = 0; i < cnt && !err; i++) {
		struct cpumask m = only(to[i].cpu);

		err = task_set_mask(vm->vcpu[to[i].vcpu].tid, &m);
	}
	return err;
}

static int cpuset_move(const struct moves_vm *vm, const struct moves_to *to,
		       unsigned cnt)
{
	char text[16];
	int err = 0;

	for (unsigned i = 0; i < cnt && !err; i++) {
		snprintf(text, sizeof(text), "%u", to[i].cpu);
		err = cgroup_write(vm->vcpu[to[i].vcpu].cpuset, text);
	}
	return err;
}

/* A struct cpumask is laid out as libvirt's cpu maps are. */
static int libvirt_move(const struct moves_vm *vm, const struct moves_to *to,
			unsigned cnt)
{
	for (unsigned i = 0; i < cnt; i++) {
		struct cpumask m = only(to[i].cpu);

		if (virDomainPinVcpu(vm->dom, to[i].vcpu,
				     (unsigned char *)m.word,
				     VIR_CPU_MAPLEN((int)to[i].cpu + 1)))
			return -EIO;
	}
	return 0;
}

const struct moves_side moves_side[MOVES_SIDES] = {
	{ "ksched", ksched_move, ksched_settle },
	{ "affinity", affinity_move, NULL },
	{ "cpuset", cpuset_move, NULL },
	{ "libvirt", libvirt_move, NULL },
};

/* --- before, between and after ------------------------------------------- */

int moves_open(const struct cpumask *all)
{
	struct ksched_start start = { .version = KSCHED_VERSION,
				      .silence_ms = SILENCE_MS };
	void *map;

	all_cpus = *all;
	cpulist_format(all, all_text, sizeof(all_text));
	session.fd = open(KSCHED_PATH, O_RDWR | O_CLOEXEC);
	if (session.fd < 0 || ioctl(session.fd, KSCHED_START, &start))
		return -errno;
	map = mmap(NULL, start.map_bytes, PROT_READ, MAP_SHARED, session.fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	session.page = map;
	session.ring = (const void *)(session.page + 1);
	return 0;
}

void moves_close(void)
{
	close(session.fd);
}

int moves_add(struct moves_vm *vm)
{
	struct cgroup_mounts mounts;
	int err = cgroup_mounts_load(&mounts);

	for (unsigned i = 0; i < MOVES_VCPUS && !err; i++) {
		struct moves_vcpu *vcpu = &vm->vcpu[i];
		char dir[CGROUP_PATH_MAX], own[16];
		bool v2;

		snprintf(own, sizeof(own), "/vcpu%u", i);
		err = cgroup_of(&mounts, vm->pid, vcpu->tid, CGROUP_KIND_CPUSET,
				dir, &v2);
		if (!err && (strlen(dir) < strlen(own) ||
			     strcmp(dir + strlen(dir) - strlen(own), own)))
			err = -ENOENT;
		if (!err)
			err = cgroup_join(vcpu->cpuset, dir, "cpuset.cpus");
		if (!err)
			err = ksched_add(vm, vcpu);
	}
	return err;
}

/* vcpu_widen() - Away with what a cpuset or an affinity confines it to. */
static int vcpu_widen(const struct moves_vcpu *vcpu)
{
	struct ksched_learn learn = { vcpu->slot, KSCHED_LEARN_ONLY };
	char text[CGROUP_VALUE_MAX];
	int err = cgroup_read(vcpu->cpuset, text, sizeof(text));

	if (!err && strcmp(text, all_text))
		err = cgroup_write(vcpu->cpuset, all_text);
	if (!err)
		err = task_set_mask(vcpu->tid, &all_cpus);
	if (!err && ioctl(session.fd, KSCHED_LEARN, &learn))
		err = -errno;
	return err;
}

int moves_place(const struct moves_vm *vm, const struct moves_to *home)
{
	uint64_t at_ns;
	int err = 0;

	for (unsigned i = 0; i < MOVES_VCPUS && !err; i++)
		err = vcpu_widen(&vm->vcpu[i]);
	if (!err)
		err = ksched_move(vm, home, MOVES_VCPUS);
	return err ? err : ksched_settle(&at_ns);
}
