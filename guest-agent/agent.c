// SPDX-License-Identifier: Apache-2.0
/*
 * agent.c - the loop: what comes in, what is decided, what is carried out
 *
 * Theory of operation. One thread waits in epoll for the host, the kernel's
 * events, the door, a signal, the tick and the guardian's end. A turn is always
 * the same, whatever woke it:
 *
 *	events	who joined and left, before anything is decided
 *	link	what the host grants
 *	door	who registers, who asks
 *	scan	a piece of /proc, while a scan is under way
 *	apply	masks set, for APPLY_NS at most
 *	settle	acks, and interrupts after the grants
 *
 * Nothing blocks and nothing is long: what is left over is done in the next
 * turn, which then follows at once. Each tick looks at some workers, tells the
 * host how they do, and lets vcpus change hands.
 */
#include "agent.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "hl/clock.h"
#include "log.h"
#include "procfs.h"

#define APPLY_NS    (2 * NSEC_PER_MSEC)
#define SCAN_NS	    (2 * NSEC_PER_MSEC)
#define SCAN_GAP_MS 1 /* between two pieces of a scan */
/* A scan after another: where there are no events it is all there is. */
#define SCAN_BLIND_NS (500 * NSEC_PER_MSEC)
#define SCAN_SOON_NS  (50 * NSEC_PER_MSEC)
#define IRQ_GAP_NS    (5 * NSEC_PER_MSEC)
/* After so many ticks without news the tick doubles, as often as that. */
#define QUIET_TICKS 4
#define SLOW_MAX    3

/* --- small parts -------------------------------------------------------- */

static void on_event(void *arg, const struct event *ev)
{
	struct agent *a = arg;

	crew_event(&a->crew, ev, a->now_ns);
}

static void set_tick(struct agent *a, uint8_t slow)
{
	uint64_t ns = a->conf->tick_ns << slow;
	const struct timespec ts = { .tv_sec = (time_t)(ns / NSEC_PER_SEC),
				     .tv_nsec = (long)(ns % NSEC_PER_SEC) };
	const struct itimerspec t = { ts, ts };

	a->slow = slow;
	timerfd_settime(a->timer_fd, 0, &t, NULL);
}

/* The agent itself rides along: on a vcpu without a cpu it would be late. */
static void follow(const struct cpumask *granted)
{
	struct cpumask all;

	memset(&all, 0xff, sizeof(all));
	if (cpumask_empty(granted) ||
	    sched_setaffinity(0, sizeof(*granted), (const cpu_set_t *)granted))
		sched_setaffinity(0, sizeof(all), (const cpu_set_t *)&all);
}

/* --- one turn ----------------------------------------------------------- */

static void read_events(struct agent *a, uint64_t now_ns)
{
	if (a->events.fd < 0)
		return;
	if (events_turn(&a->events, now_ns, on_event, a) == -ENOBUFS) {
		a->crew.rescan = true;
		log_limited(LOG_LEVEL_WARN,
			    "events of threads were lost (%llu so far): "
			    "looking at all of /proc",
			    (unsigned long long)a->events.n.lost);
	}
}

/* What the host grants now; nothing when it is silent. */
static void take_grants(struct agent *a, uint64_t now_ns)
{
	struct cpumask granted = { 0 };

	if (!link_turn(a->link, now_ns))
		return;
	link_grants(a->link, &a->grants);
	a->n.takes++;
	for (unsigned v = 0; v < AGENT_VCPUS; v++)
		if (agent_word_owns(a->grants.word[v]))
			cpumask_set(&granted, v);
	if (a->conf->place) {
		crew_grants(&a->crew, &granted, now_ns);
		follow(&a->crew.place.granted);
	}
	a->acks_due = true;
	a->irqs_due = a->conf->interrupts;
}

static void turn_scan(struct agent *a, uint64_t now_ns)
{
	uint64_t soon_ns = now_ns + SCAN_SOON_NS;

	if (a->crew.rescan && a->scan_ns > soon_ns)
		a->scan_ns = soon_ns;
	if (!a->scan.running && now_ns >= a->scan_ns) {
		a->crew.rescan = false;
		hands_online(&a->crew.hands);
		irq_find(&a->share->irq, "/");
		a->irqs_due = a->conf->interrupts;
		scan_begin(&a->scan);
		a->scan_ns =
		    now_ns + (a->events_err ? SCAN_BLIND_NS : a->conf->scan_ns);
	}
	if (a->scan.running)
		scan_turn(&a->scan, &a->crew, now_ns, SCAN_NS);
}

/* All masks are as the grants want them: say so, and see to interrupts. */
static void settle(struct agent *a, uint64_t now_ns)
{
	if (a->acks_due) {
		a->acks_due = false;
		a->done = a->grants;
		for (unsigned v = 0; v < AGENT_VCPUS; v++)
			a->hints.vcpu[v].ack = a->done.word[v];
		link_hint(a->link, &a->hints.all, a->hints.vcpu,
			  a->done.vcpu_cnt, false, now_ns);
	}
	if (a->irqs_due && now_ns >= a->irq_ns) {
		a->irqs_due = false;
		a->irq_ns = now_ns + IRQ_GAP_NS;
		a->n.irq_moves +=
		    irq_follow(&a->share->irq, &a->crew.place.granted);
	}
}

/* The looks of one tick, for place and for those that registered. */
static void use_looks(struct agent *a, uint16_t from, uint64_t now_ns)
{
	const struct table *t = &a->share->table;
	unsigned slot = from < t->high ? from : 0, n = t->high;

	if (t->count > HINT_LOOKS_MAX && a->hints.turn != slot)
		n = (a->hints.turn + t->high - slot) % t->high;
	for (; n; n--, slot = slot + 1 < t->high ? slot + 1 : 0) {
		const struct worker *w = &t->worker[slot];

		if (!w->tid)
			continue;
		place_look(&a->crew.place, (uint16_t)slot, now_ns);
		if (w->why & WORKER_REGISTERED && w->vcpu == CPU_NONE)
			door_tell(a->door, w->tid, CPU_NONE, false);
	}
}

/* Is there nothing that the next tick should see soon? Then it may be late. */
static void pace(struct agent *a, uint16_t wanted, uint64_t picks)
{
	uint8_t slow;

	if (a->hints.urgent || a->hints.all.wanted != wanted ||
	    a->hints.all.wait_us || a->crew.place.n.picks != picks)
		a->quiet = 0;
	else if (a->quiet < QUIET_TICKS * SLOW_MAX)
		a->quiet++;
	slow = a->hints.any_ran ? a->quiet / QUIET_TICKS : SLOW_MAX;
	if (slow != a->slow)
		set_tick(a, slow);
}

static void tick(struct agent *a, uint64_t now_ns)
{
	const struct hint_reader reader = { procfs_look, &a->files };
	uint16_t from = a->hints.turn, wanted = a->hints.all.wanted;
	uint64_t picks = a->crew.place.n.picks;

	a->n.ticks++;
	a->hints.all.flags =
	    cpumask_empty(&a->crew.place.granted) ? 0 : AGENT_HINT_PLACING;
	hint_tick(&a->hints, &a->share->table, &a->done, &reader, now_ns);
	use_looks(a, from, now_ns);
	for (unsigned i = 0; i < a->hints.gone_cnt; i++)
		crew_drop(&a->crew, a->hints.gone[i], now_ns);
	place_tick(&a->crew.place, now_ns);
	link_hint(a->link, &a->hints.all, a->hints.vcpu, a->done.vcpu_cnt,
		  a->hints.urgent, now_ns);
	pace(a, wanted, picks);
}

static void turn(struct agent *a, bool ticked)
{
	uint64_t now_ns = clock_now_ns();

	a->n.turns++;
	a->now_ns = now_ns;
	__atomic_store_n(&a->share->beat_ns, now_ns, __ATOMIC_RELAXED);
	read_events(a, now_ns);
	take_grants(a, now_ns);
	door_turn(a->door);
	turn_scan(a, now_ns);
	if (ticked)
		tick(a, now_ns);
	if (!crew_apply(&a->crew, now_ns, clock_now_ns() + APPLY_NS))
		settle(a, now_ns);
}

/* --- waiting ------------------------------------------------------------ */

static int wait_ms(const struct agent *a, uint64_t now_ns)
{
	int ms = link_wait_ms(a->link, now_ns);

	if (place_pending(&a->crew.place))
		return 0;
	if ((a->scan.running || a->irqs_due) && (ms < 0 || ms > SCAN_GAP_MS))
		return SCAN_GAP_MS;
	return ms;
}

/* The guardian is gone: nobody would put things back. Fork another. */
static void mend_guard(struct agent *a)
{
	int err;

	epoll_ctl(a->epoll_fd, EPOLL_CTL_DEL, a->guard.fd, NULL);
	guard_lost(&a->guard);
	a->n.guards++;
	log_limited(LOG_LEVEL_WARN,
		    "the guardian was killed: starting another");
	err = guard_start(&a->guard, a->share, a->guard.lock_fd);
	if (err) {
		log_error("no guardian can be started (%s): stopping",
			  strerror(-err));
		a->stop = true;
		return;
	}
	epoll_ctl(
	    a->epoll_fd, EPOLL_CTL_ADD, a->guard.fd,
	    &(struct epoll_event){ .events = EPOLLIN, .data.fd = a->guard.fd });
}

void agent_run(struct agent *a)
{
	struct epoll_event ev[8];
	uint64_t expired;
	bool ticked;
	int n;

	set_tick(a, 0);
	while (!a->stop) {
		n = epoll_wait(a->epoll_fd, ev, 8, wait_ms(a, clock_now_ns()));
		ticked = false;
		for (int i = 0; i < n; i++) {
			if (ev[i].data.fd == a->signal_fd)
				a->stop = true;
			else if (ev[i].data.fd == a->guard.fd)
				mend_guard(a);
			else if (ev[i].data.fd == a->timer_fd)
				ticked = read(a->timer_fd, &expired,
					      sizeof(expired)) > 0;
		}
		turn(a, ticked);
	}
}
