// SPDX-License-Identifier: Apache-2.0
/*
 * sense_bpf.c - loads the vcpu sensor, says what it watches
 *
 * The kernel side, and who may write a slot when, is told in
 * ksched/bpf/vcpu.bpf.c and hl/sensor.h. The control thread opens, watches and
 * unwatches; the poll thread reads, from memory alone (sensor_page.h).
 *
 * A watch begins. Events alone do not tell how a thread is when its watch
 * begins, and a vcpu that spins alone on a cpu may not switch for minutes. So:
 *	1. the slot gets its thread, the map its tid: events count from here on;
 *	2. /proc says how the thread is now;
 *	3. that is written, but only if no event came since 1 (seq is as it
 *	   was): an event knows better and is never overwritten;
 *	4. if an event came while 3 held the slot, it was lost and counted as
 *	   missed: again from 2.
 * /proc does not tell running from ready. Such a thread is taken to run; if it
 * waits, its first wait goes uncounted and the first switch puts it right.
 *
 * A watch ends when told, or with its thread: the sensor itself then forgets
 * the tid, before the kernel can give it to another thread.
 */
#include "sense_bpf.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "hl/bounds.h"
#include "hl/clock.h"
#include "ksched/bpf/vcpu.skel.h"

#define SEED_TRIES   8
#define PID_NS_FIRST 0xeffffffcu /* inode of the first one, linux/proc_ns.h */

struct sense_bpf {
	struct vcpu_bpf *skel;
	struct sensor_page page; /* mapped from the kernel */
	int watched_fd;		 /* the map tid -> slot */
	uint32_t tid[VCPU_MAX];	 /* what each slot was told; 0: nothing */
};

/* --- start-up --------------------------------------------------------- */

/* libbpf's first complaint: the others follow from it. Start-up only. */
static char complaint[160];

__attribute__((format(printf, 2, 0))) static int
note_complaint(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level != LIBBPF_WARN || complaint[0])
		return 0;
	vsnprintf(complaint, sizeof(complaint), fmt, args);
	complaint[strcspn(complaint, "\n")] = '\0';
	return 0;
}

static bool file_has(const char *path, const char *word)
{
	char text[128] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return false;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	return got > 0 && strstr(text, word);
}

/* explain() - One sentence for the operator: what is wrong and what helps. */
static void explain(char *why, size_t size, int err)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		snprintf(why, size,
			 "the kernel carries no type information "
			 "(/sys/kernel/btf/vmlinux): boot one built with "
			 "CONFIG_DEBUG_INFO_BTF=y");
	else if (err == -ENOSYS)
		snprintf(why, size,
			 "the kernel has no bpf(2): boot one built with "
			 "CONFIG_BPF_SYSCALL=y");
	else if ((err == -EPERM || err == -EACCES) &&
		 file_has("/sys/kernel/security/lockdown", "[confidentiality]"))
		snprintf(why, size,
			 "the kernel is locked down: boot with "
			 "lockdown=integrity or less");
	else if (err == -EPERM || err == -EACCES)
		snprintf(why, size,
			 "no permission to load BPF programs: run hostd as "
			 "root or give it CAP_BPF and CAP_PERFMON");
	else if (err == -ESRCH || err == -ENOENT)
		snprintf(why, size,
			 "the kernel lacks the tracepoints sched_switch and "
			 "sched_wakeup: boot one built with "
			 "CONFIG_BPF_EVENTS=y");
	else
		snprintf(why, size,
			 "the kernel (5.12 or later needed) "
			 "refused the sensor: %s (%s)",
			 complaint[0] ? complaint : "no reason given",
			 strerror(-err));
}

/* Inside a pid namespace the tids hostd sees are not those the sensor sees. */
static bool tids_are_global(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) || st.st_ino == PID_NS_FIRST;
}

int sense_bpf_open(struct sense_bpf **out, char *why, size_t size)
{
	struct sense_bpf *s;
	int err;

	if (!tids_are_global()) {
		snprintf(why, size,
			 "hostd runs in a pid namespace: start it "
			 "in the host's own");
		return -EXDEV;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	complaint[0] = '\0';
	libbpf_set_print(note_complaint);
	/* libbpf raises RLIMIT_MEMLOCK itself where the kernel counts by it. */
	s->skel = vcpu_bpf__open_and_load();
	err = s->skel ? vcpu_bpf__attach(s->skel) : -errno;
	if (err) {
		explain(why, size, err);
		sense_bpf_close(s);
		return err;
	}
	s->page = (struct sensor_page){ .slot = s->skel->bss->slot,
					.word = s->skel->bss->dirty,
					.top = s->skel->bss->dirty_top };
	s->watched_fd = bpf_map__fd(s->skel->maps.watched);
	*out = s;
	return 0;
}

void sense_bpf_close(struct sense_bpf *s)
{
	if (!s)
		return;
	vcpu_bpf__destroy(s->skel);
	free(s);
}

/* --- writing a slot: control thread ----------------------------------- */

/* slot_take_at() - Become the writer, if nobody wrote since @seq. */
static bool slot_take_at(struct sensor_slot *slot, uint32_t seq)
{
	return !(seq & 1) &&
	       __atomic_compare_exchange_n(&slot->seq, &seq, seq + 1, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* slot_take() - Become the writer; a BPF program is done in a microsecond. */
static void slot_take(struct sensor_slot *slot)
{
	while (
	    !slot_take_at(slot, __atomic_load_n(&slot->seq, __ATOMIC_RELAXED)))
		sched_yield();
}

/* slot_put() - Done; the poll thread is to look. Return: its seq now. */
static uint32_t slot_put(const struct sensor_page *p, uint16_t vcpu)
{
	uint32_t seq =
	    __atomic_add_fetch(&p->slot[vcpu].seq, 1, __ATOMIC_SEQ_CST);

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	dirty_mark(p->word, p->top, vcpu);
	return seq;
}

/* slot_begin() - A clean slot for @tid (0: for nobody). Return: its seq. */
static uint32_t slot_begin(const struct sensor_page *p, uint16_t vcpu,
			   uint32_t tid)
{
	struct sensor_slot *slot = &p->slot[vcpu];

	slot_take(slot);
	slot->state = VCPU_RUN_UNKNOWN;
	slot->since_ns = 0;
	slot->ran_ns = 0;
	slot->waited_ns = 0;
	slot->runs = 0;
	slot->cpu = 0;
	slot->tid = tid;
	return slot_put(p, vcpu);
}

/*
 * thread_now() - How is a thread, by /proc/TID/stat?
 *
 * The line is "tid (name) STATE ... ", the name may hold anything, and the
 * cpu it last ran on is field 39: 36 behind the state (proc(5)).
 * Return: 0, -ESRCH for a thread that ended, or -errno.
 */
static int thread_now(uint32_t tid, enum vcpu_run *state, uint32_t *cpu)
{
	char path[32], text[1024], *at;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0)
		return -ESRCH;
	text[got] = '\0';
	at = strrchr(text, ')');
	if (!at || strlen(at) < 3)
		return -EIO;
	at += 2;
	if (*at == 'Z' || *at == 'X')
		return -ESRCH;
	*state = *at == 'R' ? VCPU_RUN_RUNNING : VCPU_RUN_HALTED;
	for (int i = 0; i < 36 && at; i++)
		at = strchr(at + 1, ' ');
	*cpu = at ? (uint32_t)strtoul(at, NULL, 10) : 0;
	return 0;
}

/*
 * slot_seed() - Steps 2 to 4 of the beginning of a watch
 * @seq: what slot_begin() returned
 *
 * Return: 0, or -errno when the thread cannot be looked at.
 */
static int slot_seed(const struct sensor_page *p, uint16_t vcpu, uint32_t tid,
		     uint32_t seq)
{
	struct sensor_slot *slot = &p->slot[vcpu];

	for (int i = 0; i < SEED_TRIES; i++) {
		uint64_t missed =
		    __atomic_load_n(&slot->missed, __ATOMIC_SEQ_CST);
		enum vcpu_run state = VCPU_RUN_UNKNOWN;
		uint32_t cpu = 0;
		int err = thread_now(tid, &state, &cpu);

		if (err)
			return err;
		if (!slot_take_at(slot, seq))
			return 0; /* an event came: it knows better */
		slot->state = state;
		slot->since_ns = clock_now_ns();
		slot->cpu = cpu;
		slot->runs = state == VCPU_RUN_RUNNING;
		seq = slot_put(p, vcpu);
		if (__atomic_load_n(&slot->missed, __ATOMIC_SEQ_CST) == missed)
			return 0;
	}
	return 0; /* eight in a row: it switches so often that the next is near
		   */
}

int sense_bpf_watch(struct sense_bpf *s, uint16_t vcpu, pid_t tid)
{
	uint32_t key = (uint32_t)tid, index = vcpu, seq;
	int err;

	if (vcpu >= VCPU_MAX || tid <= 0)
		return -EINVAL;
	sense_bpf_unwatch(s, vcpu);
	seq = slot_begin(&s->page, vcpu, key);
	if (bpf_map_update_elem(s->watched_fd, &key, &index, BPF_NOEXIST)) {
		err = -errno; /* -EEXIST: another slot watches it */
		slot_begin(&s->page, vcpu, 0);
		return err;
	}
	s->tid[vcpu] = key;
	err = slot_seed(&s->page, vcpu, key, seq);
	if (err)
		sense_bpf_unwatch(s, vcpu);
	return err;
}

void sense_bpf_unwatch(struct sense_bpf *s, uint16_t vcpu)
{
	uint32_t index;

	if (vcpu >= VCPU_MAX || !s->tid[vcpu])
		return;
	/* The thread may have ended and its tid be watched in another slot. */
	if (!bpf_map_lookup_elem(s->watched_fd, &s->tid[vcpu], &index) &&
	    index == vcpu)
		bpf_map_delete_elem(s->watched_fd, &s->tid[vcpu]);
	slot_begin(&s->page, vcpu, 0);
	s->tid[vcpu] = 0;
}

/* --- reading: sensor_page.h ------------------------------------------- */

const struct sensor_page *sense_bpf_page(const struct sense_bpf *s)
{
	return &s->page;
}
