// SPDX-License-Identifier: Apache-2.0
/*
 * policy_slo.c - each VM's own target, with the fewest cpus that meet it
 *
 * The idea. A tail is made of moments in which a vcpu wanted a cpu and had
 * none. So look for those moments and nothing else, give a cpu at once, and
 * have it back as soon as its owner rests: what a VM owns then follows what it
 * runs, request by request. What sets the pace is not a clock but what a move
 * takes on this host, measured: snapshot.move_ns. Where moves take 2 us this is
 * Caladan's rule; where they take a millisecond cpus stay for a while. Until
 * some moves were made it is not known, and the slow rules below stand alone.
 *
 * Asking. A VM that owns nothing and wants to run asks at once: what it rides
 * on is everybody's. One that owns some asks when it has waited for two moves,
 * or for 1/200 of its SLO if that is longer; never later than a quarter of it:
 * three quarters are left to be served in. It may be the oldest untaken frame
 * that waits, or a ready vcpu; frames held for a full ring are over the limit
 * by nature. None of them is enough alone. A guest may leave frames lying while
 * all its vcpus are halted or run on cpus they own; cpus do not cure that. So
 * the VM must have more runnable vcpus than cpus. If it has not, and a vcpu
 * waits while another's cpu lies idle, the cpu changes hands inside the VM
 * instead. After a grant the VM may ask again one threshold later; a vcpu that
 * has itself waited too long is proof enough.
 *
 * Giving back. A cpu above the VM's minimum goes back when its owner has been
 * halted for two moves: giving it and having it again costs two, so nobody does
 * much worse than who knows the future (budget.c). A VM that is late more often
 * than its SLO forgives, while cpus are to be had, keeps its own longer: 32
 * moves, then 1024, but never more than 100 ms. And every WINDOW its cpu
 * time is compared with what it owns: it needs its use / 70 %, for below that
 * three vcpus in random order seldom want the same cpu at once, and nothing
 * below 5 %, a guest kernel's ticks. If it owns more, and no wait came near the
 * threshold, the least useful cpu goes. If it asks again within a second that
 * was wrong: the next one is held twice as long by this rule, up to HOLD_MAX;
 * an ask that comes later halves it. A VM that did not run at all in a window
 * (paused, crashed) spares cpus whatever its signals say; and frames untaken
 * for a whole second are no longer a signal.
 *
 * When cpus are short. Guarantees first, always (guarantee.c): a VM owns its
 * minimum, wanted or not, so that its first request after a rest waits for
 * nobody. Then best-effort owners lose, then cpus whose owners rest, then the
 * running vcpu that may wait longest by its SLO, but within equal parts by
 * weight (take.c). So who misses is no accident: of equal parts, who asked for
 * the loosest target; of equal targets, who has most. What each VM missed is
 * counted beside what its SLO forgives: hostctl shows it. Those who own nothing
 * ask first, the rest in an order that turns. A cpu just moved is left alone
 * for ten moves.
 *
 * Which cpu. Near the VM's memory, where that is known, then a core of its own
 * before a warm one: on a busy core each thread is a third slower. Harvesters
 * are kept off the other thread of such a core (cores.h); policy ias lets them,
 * until they are seen to hurt. A VM that is late changes a poor cpu for a
 * better one that is free (better.h): else it would keep the longer what makes
 * it late.
 *
 * Scarce signals. With no vcpu states every vcpu counts as runnable and the
 * delay alone asks; no cpu time either, so cpus go back one at a time after
 * BLIND_WINDOWS quiet ones, and the doubling hold does the learning. With no
 * port the ready wait alone asks.
 *
 * A VM whose agent (docs/overview.md) keeps its workers on the vcpus that own a
 * cpu does not show its need by vcpus that wait: hint.h says by what, and how
 * far it is believed. It obtains a free cpu, never somebody's. Its cpus go back
 * by windows only, since the agent is told of each, and below 90 %: it leaves
 * no work behind a busy vcpu while another one rests.
 *
 * Cost. A VM is looked at when something of it changed or it waits, which is
 * what the snapshot lists, and when its timer is due: an owner has halted for
 * long enough, its window ends, a hint of its agent will have come true. So VMs
 * at rest cost nothing, and a decision that is told of all VMs comes to the
 * same as one that is told of those that changed.
 *
 * Best-effort VMs own nothing here. They ride on every managed cpu below
 * everybody, and the kernel divides what is left by their weights; ownership
 * would change no affinity and only cost moves.
 *
 * It does badly where
 *  - targets are nearer than a decision and a move: a VM with no guarantee pays
 *    both on the first request after each rest. Give it a minimum;
 *  - most cpus are in use and both threads of most cores are: an owner more on
 *    a core slows down another one, and nobody weighs that;
 *  - the wait is inside the guest (a lock, one busy vcpu out of many): no
 * signal here tells that from a slow application;
 *  - best-effort work matters more than a third of a core's speed: see ias.
 */
#include "better.h"
#include "slo_window.h"

#include "hl/sensor.h"

#define US 1000ull
#define MS 1000000ull

/* While a move's cost is not known: a quarter of the SLO; below 20 us a signal
 * would be about the cost of waking a vcpu (about 40 us on virtual machines).
 * When it is: a 200th costs next to nothing in cpus (2 % more than a 30th in
 * the simulator) and no less than half an interval can be seen. */
#define SLO_SHARE	     4
#define THRESHOLD_MIN_NS     (20 * US)
#define QUICK_SHARE	     200
#define QUICK_MIN_NS	     (10 * US)
#define THRESHOLD_DEFAULT_NS (100 * US) /* latency-critical, no SLO given */

/* Near the threshold: a quarter of it, but not what any wake-up costs. */
#define NEAR_SHARE  4
#define NEAR_MIN_NS (10 * US)

#define STUCK_NS (1000 * MS) /* a guest with a cpu takes frames by then */

#define HOLD_MIN_NS   (2 * MS) /* above what the slowest backend takes */
#define HOLD_MAX_NS   (HOLD_MIN_NS << 11) /* 4 s */
#define LINGER_MAX_NS (100 * MS) /* 1024 slow moves would be half a minute */
#define SETTLE_MOVES  10 /* a cpu just moved has to be of some use first */
#define SHORT_NS      (100 * MS)  /* so long cpus count as short after that */
#define SOON_NS	      (1000 * MS) /* idle cpus serve harvesters meanwhile */

/* A hint that obtained nothing is looked at again then: soon enough for what
 * was going to take a free cpu. */
#define AGAIN_NS (50 * US)

/* Of one decision: searches for one of another VM's cpus (0.3 us each), of them
 * such as go through the VMs; changes for a better cpu; VMs looked into,
 * searches for a cpu, timers. */
#define TAKES_MAX    32
#define VAIN_MAX     4
#define CHANGES_MAX  4
#define ASKS_MAX     64
#define SEARCHES_MAX 64
#define TIMERS_MAX   64

/* What is known of a VM is asked for so many VMs before its turn: states of a
 * thousand VMs do not fit the first-level cache. */
#define AHEAD 4

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t threshold_ns(const struct snapshot *s, uint16_t vm)
{
	uint64_t slo_ns = s->vm[vm].slo_ns, most_ns = slo_ns / SLO_SHARE;

	if (!slo_ns)
		return THRESHOLD_DEFAULT_NS;
	if (!s->move_ns)
		return greater(most_ns, THRESHOLD_MIN_NS);
	return lesser(greater(most_ns, THRESHOLD_MIN_NS),
		      greater(greater(2 * s->move_ns, slo_ns / QUICK_SHARE),
			      QUICK_MIN_NS));
}

/* is_short() - Did somebody ask in vain for a free cpu lately? */
static bool is_short(const struct slo_state *st, const struct snapshot *s)
{
	return st->short_ns && s->now_ns - st->short_ns < SHORT_NS;
}

/*
 * linger_ns() - How long @m keeps a cpu whose owner has halted
 *
 * As long as the gear says its budget allows; but not while cpus are short:
 * then what one VM keeps unused makes another one late.
 */
static uint64_t linger_ns(const struct slo_state *st, const struct snapshot *s,
			  const struct slo_vm *m)
{
	const struct gear *gear = budget_gear(&m->budget);

	if (is_short(st, s))
		gear = budget_thriftiest();
	return lesser(gear->linger_moves * s->move_ns, LINGER_MAX_NS);
}

/* heard() - Does a VM's port say anything about cpus? */
static bool heard(const struct pick *k, uint16_t vm)
{
	const struct vm_view *v = &k->s->vm[vm];

	return v->has_port && !(pick_owned(k, vm) && v->delay_ns >= STUCK_NS);
}

/* starved() - Does a VM that owns nothing want to run? Where moves are known to
 * be quick there is nothing to wait for: what it rides on is everybody's. */
static bool starved(const struct pick *k, uint16_t vm)
{
	uint16_t vcpu;

	if (!k->s->move_ns || k->s->vm[vm].owned || pick_owned(k, vm))
		return false;
	vcpu = pick_vcpu(k, vm, CPU_NONE, PICK_RUNNABLE);
	return vcpu != VCPU_NONE && k->s->vcpu[vcpu].run != VCPU_RUN_UNKNOWN;
}

/* trouble() - Return: which signal of @vm is over the threshold, or NONE.
 * @poor: it is starved */
static enum reason trouble(const struct pick *k, uint16_t vm,
			   const struct hint_trust *trust, bool poor)
{
	const struct vm_view *v = &k->s->vm[vm];
	uint64_t limit = threshold_ns(k->s, vm);
	bool port = heard(k, vm);

	if (poor)
		return REASON_READY_WAIT;
	if (port && v->delay_ns >= limit)
		return REASON_DELAY;
	if (v->ready_ns >= limit)
		return REASON_READY_WAIT;
	if (port && v->held)
		return REASON_HELD;
	if (v->hinted && hint_asks_ns(k, vm, trust, limit) <= k->s->now_ns)
		return REASON_HINT;
	return REASON_NONE;
}

/*
 * is_near() - Did a wait come near the threshold?
 *
 * With vcpu states a ready wait is the whole truth: delay without one is the
 * guest's own time. Without them the port is all there is.
 */
static bool is_near(const struct pick *k, uint16_t vm, const struct slo_vm *m)
{
	const struct vm_view *v = &k->s->vm[vm];
	uint64_t limit = threshold_ns(k->s, vm) / NEAR_SHARE;

	if (limit < NEAR_MIN_NS)
		limit = NEAR_MIN_NS;
	if (v->ready_ns >= limit)
		return true;
	return !m->sensed && heard(k, vm) && (v->held || v->delay_ns >= limit);
}

/* next_ns() - When @vm must be looked at though nothing changes; HINT_NEVER:
 * it need not. */
static uint64_t next_ns(const struct pick *k, const struct slo_vm *m,
			uint16_t vm, bool poor)
{
	const struct vm_view *v = &k->s->vm[vm];
	uint64_t at_ns = lesser(
	    m->halted_ns, m->judged ? m->window_ns + WINDOW_NS : HINT_NEVER);
	uint64_t hint_ns;

	if (poor) /* one that runs on the floor is not listed */
		at_ns = lesser(at_ns,
			       greater(k->s->now_ns + AGAIN_NS, m->grace_ns));
	if (!v->hinted)
		return at_ns;
	hint_ns = hint_asks_ns(k, vm, &m->trust, threshold_ns(k->s, vm));
	if (hint_ns < m->grace_ns)
		hint_ns = m->grace_ns;
	if (hint_ns <= k->s->now_ns)
		hint_ns = k->s->now_ns + AGAIN_NS;
	return lesser(at_ns, hint_ns);
}

/* wait_for_next() - Nothing more to do for @vm now: set its timer. */
static void wait_for_next(const struct pick *k, struct slo_state *st,
			  uint16_t vm, bool poor)
{
	uint64_t at_ns = next_ns(k, &st->vm[vm], vm, poor);

	if (at_ns == HINT_NEVER)
		wheel_stop(&st->wheel, vm);
	else
		wheel_set(&st->wheel, vm, at_ns);
}

/* listen() - Signals of @vm; it is put on the list when in trouble. */
static void listen(struct pick *k, struct slo_state *st, uint16_t vm, bool poor)
{
	struct slo_vm *m = &st->vm[vm];
	enum reason why;

	if (m->judged && is_near(k, vm, m)) {
		m->loud = true;
		m->spare = 0;
	}
	why = trouble(k, vm, &m->trust, poor);
	if (why != REASON_NONE)
		st->ask[st->ask_cnt++] =
		    (struct slo_ask){ vm, why, !pick_owned(k, vm) };
}

/*
 * give_halted() - Cpus above @vm's minimum whose owners have halted long enough
 *
 * Not where an agent places workers: they would have to be told each time; nor
 * before it is known what a move takes.
 * Return: when to look again; HINT_NEVER: not before something changes.
 */
static uint64_t give_halted(struct pick *k, const struct slo_state *st,
			    uint16_t vm)
{
	const struct slo_vm *m = &st->vm[vm];
	const struct snapshot *s = k->s;
	const struct vm_view *v = &s->vm[vm];
	uint64_t linger, next_ns = HINT_NEVER, halted_ns;

	if (!s->move_ns || v->hinted || pick_owned(k, vm) <= v->cpus_min)
		return HINT_NEVER;
	linger = linger_ns(st, s, m);
	for (unsigned i = v->first_vcpu;
	     i < snapshot_vcpus_end(s, vm) && pick_owned(k, vm) > v->cpus_min;
	     i++) {
		uint16_t cpu = pick_held(k, vm, i);

		if (cpu == CPU_NONE || s->vcpu[i].run != VCPU_RUN_HALTED)
			continue;
		halted_ns = pick_halted_ns(s, (uint16_t)i);
		if (halted_ns < linger) {
			next_ns =
			    lesser(next_ns, s->now_ns - halted_ns + linger);
			continue;
		}
		pick_because(k, halted_ns, linger);
		pick_drop(k, cpu, REASON_GIVE_BACK);
	}
	return next_ns;
}

/* watch() - Something of @vm changed, or its timer is due. */
static void watch(struct pick *k, struct slo_state *st, uint16_t vm)
{
	const struct vm_view *v = &k->s->vm[vm];
	struct slo_vm *m = &st->vm[vm];
	bool poor, late = false;

	if (!pick_is_lc(k->s, vm)) {
		m->live = false;
		wheel_stop(&st->wheel, vm);
		return;
	}
	if (!m->live) {
		*m = (struct slo_vm){ .live = true, .hold_ns = HOLD_MIN_NS };
		budget_start(&m->budget, v, k->s->now_ns);
	}
	if (is_short(st, k->s)) /* then no gear makes anybody late */
		budget_pause(&m->budget, v, k->s->now_ns);
	else if (v->done != m->budget.done || v->late != m->budget.late)
		late = budget_turn(&m->budget, v, k->s->now_ns);
	m->halted_ns = give_halted(k, st, vm);
	if (late && st->changes < CHANGES_MAX) {
		better_pass(k, vm);
		st->changes++;
	}
	poor = starved(k, vm);
	if ((v->delay_ns || v->ready_ns || v->held || v->hinted || poor) &&
	    k->s->now_ns >= m->grace_ns)
		listen(k, st, vm, poor);
	if (window_matters(k, m, vm)) {
		window_look(k, m, vm);
	} else {
		m->judged = false;
		m->spare = 0;
	}
	wait_for_next(k, st, vm, poor);
}

/* dropped() - Does this plan give a cpu to nobody? It is free in the next. */
static bool dropped(const struct pick *k)
{
	for (unsigned i = 0; i < k->plan->count; i++)
		if (k->plan->grant[i].vcpu == VCPU_NONE &&
		    (k->plan->grant[i].reason == REASON_GIVE_BACK ||
		     k->plan->grant[i].reason == REASON_BUDGET))
			return true;
	return false;
}

/* take() - A cpu of another VM: one it could spare by its last window, or one
 * of pick_take()'s. Return: it, or CPU_NONE. */
static uint16_t take(struct pick *k, struct slo_state *st, uint16_t asker,
		     uint16_t vcpu)
{
	const struct snapshot *s = k->s;
	uint64_t settle_ns = HOLD_MIN_NS;
	uint16_t cpu;

	if (s->move_ns)
		settle_ns = lesser(settle_ns, SETTLE_MOVES * s->move_ns);
	st->short_ns = s->now_ns;
	/* half of them for those who own something: who owns nothing comes
	 * first and may ask in vain for ever */
	if (st->takes >= (pick_owned(k, asker) ? TAKES_MAX : TAKES_MAX / 2))
		return CPU_NONE;
	st->takes++;
	cpu = pick_take(k, asker, vcpu, settle_ns);
	if (cpu != CPU_NONE)
		return cpu;
	if (st->vain == VAIN_MAX)
		return CPU_NONE;
	st->vain++;
	vmset_for_each(i, &s->rich)
	{
		uint16_t vm = (uint16_t)i;

		if (vm == asker || !st->vm[vm].spare ||
		    pick_owned(k, vm) <= s->vm[vm].cpus_min)
			continue;
		cpu = pick_loser(k, vm);
		if (cpu == CPU_NONE ||
		    s->now_ns - s->cpu[cpu].since_ns < settle_ns)
			continue;
		st->vm[vm].spare--;
		return cpu;
	}
	return CPU_NONE;
}

/* granted() - Remember a grant: how long it is kept, when it has settled. */
static void granted(const struct pick *k, struct slo_state *st, uint16_t vm)
{
	const struct snapshot *s = k->s;
	struct slo_vm *m = &st->vm[vm];
	struct pick_use use = pick_use(s, vm);

	if (m->gave_ns && s->now_ns - m->gave_ns < SOON_NS)
		m->hold_ns = lesser(2 * m->hold_ns, HOLD_MAX_NS);
	else if (m->gave_ns && m->hold_ns > HOLD_MIN_NS)
		m->hold_ns /= 2;
	m->gave_ns = 0; /* one give-back is regretted once */
	m->granted_ns = s->now_ns;
	m->spare = 0;
	m->calm = 0;
	window_open(m, s->now_ns, &use);
	wait_for_next(k, st, vm, false); /* it owns one now */
}

/*
 * hand_over() - A vcpu waits while another of its VM owns an idle cpu
 *
 * The kernel lets the waiting one ride there, once it looks; it looks late
 * when the cpu is on another cache. Owning it needs no looking.
 */
static void hand_over(struct pick *k, uint16_t vm, uint16_t vcpu)
{
	const struct snapshot *s = k->s;
	uint16_t cpu;

	if (pick_waited_ns(s, vcpu) < threshold_ns(s, vm))
		return;
	cpu = pick_loser(k, vm);
	if (cpu == CPU_NONE || !pick_halted_ns(s, pick_owner(k, cpu)))
		return;
	pick_because(k, pick_waited_ns(s, vcpu), threshold_ns(s, vm));
	pick_give(k, cpu, vcpu, REASON_READY_WAIT);
}

/*
 * help_inside() - Work waits in the guest for vcpus that own a cpu: a free cpu
 * for a vcpu that owns none, halted as it is; the agent will use it
 */
static bool help_inside(struct pick *k, struct slo_state *st,
			struct slo_ask ask)
{
	struct slo_vm *m = &st->vm[ask.vm];
	struct pick_use use;
	uint16_t cpu, vcpu;

	if (pick_owned(k, ask.vm) >= k->s->vm[ask.vm].cpus_max)
		return false;
	cpu = pick_cpu(k, ask.vm, PICK_ANY);
	if (cpu == CPU_NONE)
		return true;
	vcpu = pick_vcpu(k, ask.vm, cpu, PICK_ANY);
	if (vcpu == VCPU_NONE)
		return true;
	pick_because(k, pick_signal_ns(&k->s->vm[ask.vm], ask.why),
		     threshold_ns(k->s, ask.vm));
	pick_give(k, cpu, vcpu, ask.why);
	use = pick_use(k->s, ask.vm);
	m->granted_ns = k->s->now_ns;
	m->spare = 0;
	window_open(m, k->s->now_ns, &use);
	hint_tried(&m->trust, k->s->now_ns, use.ran_ns);
	wait_for_next(k, st, ask.vm, false);
	return true;
}

/*
 * help() - One more cpu for a VM in trouble, if that can help
 * Return: whether all cpus were looked through, which is what costs.
 */
static bool help(struct pick *k, struct slo_state *st, struct slo_ask ask)
{
	const struct snapshot *s = k->s;
	const struct vm_view *v = &s->vm[ask.vm];
	struct slo_vm *m = &st->vm[ask.vm];
	enum reason why = ask.why;
	bool enough = pick_use(s, ask.vm).runnable <= pick_owned(k, ask.vm);
	uint16_t vcpu, cpu;

	if (why == REASON_HINT ||
	    (enough &&
	     hint_full(k, ask.vm, &m->trust, threshold_ns(s, ask.vm))))
		return help_inside(k, st, ask);
	vcpu = pick_vcpu(k, ask.vm, CPU_NONE, PICK_RUNNABLE);
	if (vcpu == VCPU_NONE)
		return false;
	if (enough) {
		hand_over(k, ask.vm, vcpu);
		return true;
	}
	m->loud = true;
	m->spare = 0;
	if (pick_owned(k, ask.vm) >= v->cpus_max)
		return false;
	if (!starved(k, ask.vm) &&
	    s->now_ns - m->granted_ns < threshold_ns(s, ask.vm) &&
	    pick_waited_ns(s, vcpu) < threshold_ns(s, ask.vm))
		return false;
	cpu = pick_cpu(k, ask.vm, PICK_RUNNABLE);
	if (cpu == CPU_NONE) {
		if (dropped(k))
			return false;
		cpu = take(k, st, ask.vm, vcpu);
		if (cpu == CPU_NONE)
			return true;
		why = REASON_PREEMPTED;
	}
	vcpu = pick_vcpu(k, ask.vm, cpu, PICK_RUNNABLE);
	pick_because(k, pick_signal_ns(v, ask.why), threshold_ns(s, ask.vm));
	pick_give(k, cpu, vcpu, why);
	granted(k, st, ask.vm);
	return true;
}

/*
 * help_all() - Those on the list whose turn it is
 *
 * Who owns nothing comes first. When everybody is in trouble at once, a
 * decision still has to be short: the next one goes on where this one ends.
 */
static void help_all(struct pick *k, struct slo_state *st)
{
	unsigned cnt = st->ask_cnt, searches = 0;
	unsigned now = cnt < ASKS_MAX ? cnt : ASKS_MAX;

	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < now && searches < SEARCHES_MAX; i++) {
			struct slo_ask ask = st->ask[(st->turn + i) % cnt];

			if (ask.poor == !round)
				searches += help(k, st, ask);
		}
	}
	if (cnt)
		st->turn = (uint16_t)((st->turn + (now < cnt ? now : 1)) % cnt);
}

void slo_pass(struct slo_state *st, struct pick *k)
{
	const struct snapshot *s = k->s;

	uint16_t vm;

	k->whole = k->by_node = true;
	k->quiet = st->cores.quiet;
	pick_guarantee(k);
	pick_trim(k);
	st->ask_cnt = st->takes = st->vain = st->changes = 0;
	for (unsigned i = 0; i < s->changed_cnt; i++) {
		if (i + AHEAD < s->changed_cnt) {
			const struct slo_vm *m = &st->vm[s->changed[i + AHEAD]];

			__builtin_prefetch(m, 1);
			__builtin_prefetch(&m->budget, 1);
		}
		watch(k, st, s->changed[i]);
	}
	for (unsigned i = 0; i < TIMERS_MAX; i++) {
		vm = wheel_pop(&st->wheel, s->now_ns);
		if (vm == VM_NONE)
			break;
		watch(k, st, vm);
	}
	help_all(k, st);
}

static void slo_decide(void *state, const struct snapshot *s, struct plan *p)
{
	struct slo_state *st = state;
	struct pick k;

	pick_begin(&k, s, p);
	slo_pass(st, &k);
	pick_end(&k);
	cores_pass(&st->cores, s, p);
}

const struct policy_ops policy_slo = {
	.name = "slo",
	.about = "each VM's own target with the fewest cpus (the default)",
	.tells_agents = true,
	.state_bytes = sizeof(struct slo_state),
	.decide = slo_decide,
};
