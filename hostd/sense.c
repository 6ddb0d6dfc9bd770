// SPDX-License-Identifier: Apache-2.0
/*
 * sense.c - ports and vcpu states become one snapshot
 *
 * Theory of operation. Three sources: each port's signal (age of the oldest
 * frame its guest has not taken, frames held), each vcpu's sensor slot
 * (running, ready, halted; since when), and the board with what the guests'
 * agents say, which is in bounds already. All are plain memory reads. A
 * vm_view's delay is the worst of its ports, its ready wait the worst of its
 * vcpus.
 *
 * Each source says what is new: the sensor and the agents by marks
 * (hl/dirty.h), the switch by a list of ports. Only that is read, and only its
 * VMs are listed as changed; a host full of VMs at rest costs a look at some
 * words. What waits grows older by itself: VMs with an untaken frame or a ready
 * vcpu are kept in a set and listed until nothing waits any more.
 *
 * One call is bounded: what it did not reach is still marked, and the next one
 * begins there. Slots are read in two steps, first asked for, then looked at:
 * another cpu wrote each of them last, and so the waits for them overlap.
 *
 * The sensor stamps with the same clock, but on other cpus and after this
 * pass read it: ages are clamped at 0.
 */
#include "sense.h"

#include "hl/clock.h"
#include "policy/snapshot.h"
#include "sense_slo.h"
#include "stat.h"

/* While something waits the loop looks this often: the resolution of delay. */
#define LOOK_NS (50 * NSEC_PER_USEC)
/* A VM could get a cpu but nothing waits: ready waits are noticed this soon. */
#define CALM_NS NSEC_PER_MSEC
/* No decision could change anything: only frames and messages matter. */
#define STILL_NS (100 * NSEC_PER_MSEC)

/* Of one call; each costs some ten ns, a port more. */
#define VCPUS_MAX 256
#define PORTS_MAX 128
#define WAITS_MAX 256

#define WORDS DIRTY_WORDS(VCPU_MAX)

void sense_init(struct sense *z, struct sw *sw, const struct sensor_page *page,
		struct agent_board *board)
{
	z->sw = sw;
	z->page = page;
	z->board = board;
}

/* --- vcpus --------------------------------------------------------------- */

/* longest_ready() - Which of @vm's ready vcpus is ready since when. */
static void longest_ready(const struct snapshot *s, uint16_t vm,
			  struct sense_ready *r)
{
	*r = (struct sense_ready){ .since_ns = UINT64_MAX };
	for (unsigned i = s->vm[vm].first_vcpu; i < snapshot_vcpus_end(s, vm);
	     i++) {
		const struct vcpu_view *v = &s->vcpu[i];

		if (v->vm != vm || v->run != VCPU_RUN_READY)
			continue;
		r->cnt++;
		if (v->since_ns < r->since_ns)
			r->since_ns = v->since_ns;
	}
}

/* read_vcpu() - What the sensor says of @vcpu now. */
static void read_vcpu(struct sense *z, struct snapshot *s, uint16_t vcpu)
{
	struct vcpu_view *v = &s->vcpu[vcpu];
	struct sensor_slot now;
	bool was_ready = v->run == VCPU_RUN_READY;

	if (v->vm == VM_NONE || !sensor_read(z->page, vcpu, &now))
		return; /* being written: it will be marked */
	v->run = (uint8_t)(now.tid ? now.state : VCPU_RUN_UNKNOWN);
	v->since_ns = now.since_ns;
	if (v->run == VCPU_RUN_UNKNOWN)
		v->last_cpu = CPU_NONE;
	else
		v->last_cpu = (uint16_t)now.cpu;
	v->ran_ns = now.ran_ns;
	v->waited_ns = now.waited_ns;
	snapshot_mark(s, v->vm);
	if (!was_ready && v->run != VCPU_RUN_READY)
		return;
	z->ready[v->vm].stale = true;
	vmset_add(&z->waiting, v->vm);
}

/* pend() - Look at @vcpu though the sensor does not ask for it. */
static void pend(struct sense *z, uint16_t vcpu)
{
	z->pending[vcpu / 64] |= 1ull << (vcpu % 64);
	z->pending_top[vcpu / 4096] |= 1ull << (vcpu / 64 % 64);
	z->any_pending = true;
}

/* next_word() - The first word at or after @word in which something is
 * pending, going round; WORDS when there is none. */
static unsigned next_word(const struct sense *z, unsigned word)
{
	unsigned top = word / 64;
	uint64_t rest = z->pending_top[top] >> (word % 64);

	if (rest)
		return word + (unsigned)__builtin_ctzll(rest);
	for (unsigned i = 1; i <= DIRTY_TOPS(VCPU_MAX); i++) {
		top = (word / 64 + i) % DIRTY_TOPS(VCPU_MAX);
		rest = z->pending_top[top];
		if (rest)
			return top * 64 + (unsigned)__builtin_ctzll(rest);
	}
	return WORDS;
}

/* collect() - Slots to look at, asked for. Return: how many. */
static unsigned collect(struct sense *z, const struct snapshot *s,
			uint16_t *vcpu)
{
	unsigned cnt = 0, word = z->word;
	uint64_t bits;

	if (!z->any_pending && !dirty_any(z->page->top, DIRTY_TOPS(VCPU_MAX)))
		return 0;
	for (unsigned i = 0; i < DIRTY_TOPS(VCPU_MAX); i++)
		z->pending_top[i] |= dirty_take(&z->page->top[i]);
	while (cnt < VCPUS_MAX && (word = next_word(z, word)) < WORDS) {
		z->pending_top[word / 64] &= ~(1ull << (word % 64));
		bits = z->pending[word] | dirty_take(&z->page->word[word].bits);
		z->pending[word] = 0;
		for (; bits; bits &= bits - 1) {
			vcpu[cnt] = (uint16_t)(word * 64 +
					       (unsigned)__builtin_ctzll(bits));
			__builtin_prefetch(&z->page->slot[vcpu[cnt]]);
			__builtin_prefetch(&s->vcpu[vcpu[cnt]], 1);
			cnt++;
		}
		z->word = word = (word + 1) % WORDS;
	}
	z->any_pending = next_word(z, z->word) < WORDS;
	return cnt;
}

static void look_at_vcpus(struct sense *z, struct snapshot *s)
{
	uint16_t vcpu[VCPUS_MAX + 64]; /* a word more than it stops at */
	unsigned cnt = collect(z, s, vcpu);

	for (unsigned i = 0; i < cnt; i++)
		read_vcpu(z, s, vcpu[i]);
	stat_hostd.looks_put_off += z->any_pending;
}

/* --- ports --------------------------------------------------------------- */

/* add_ports() - The worst of @vm's ports, as watched last. */
static void add_ports(struct sense *z, struct snapshot *s, uint16_t vm)
{
	struct vm_view *v = &s->vm[vm];

	v->delay_ns = 0;
	v->held = 0;
	v->has_port = false;
	for (const struct port *p = z->first_port[vm]; p;
	     p = z->next_port[p->id]) {
		v->has_port |= p->signal.up;
		v->held = (uint16_t)(v->held + p->signal.held);
		if (p->signal.delay_ns > v->delay_ns)
			v->delay_ns = p->signal.delay_ns;
	}
	if (v->delay_ns)
		vmset_add(&z->waiting, vm);
	snapshot_mark(s, vm);
}

static void look_at_ports(struct sense *z, struct snapshot *s)
{
	unsigned cnt = sw_looks(z->sw);

	stat_hostd.looks_put_off += cnt > PORTS_MAX;
	for (unsigned i = 0; i < cnt && i < PORTS_MAX; i++) {
		struct port *p = sw_next_look(z->sw);

		if (p->vm == VM_NONE)
			continue;
		sw_watch(z->sw, p, s->now_ns, sense_slo_delays(p->vm));
		sense_slo(s, p->vm);
		add_ports(z, s, p->vm);
	}
}

/* --- hints --------------------------------------------------------------- */

static void read_hint(struct sense *z, struct snapshot *s, uint16_t vm)
{
	struct vm_view *v = &s->vm[vm];
	const struct board_hint h = board_hint(z->board, vm);

	v->hinted = h.valid;
	/* the board may be of before a vcpu was unplugged */
	v->hint_wanted = h.wanted < v->vcpu_cnt ? h.wanted : v->vcpu_cnt;
	v->hint_wait_ns = h.wait_us * NSEC_PER_USEC;
	for (unsigned i = v->first_vcpu; i < snapshot_vcpus_end(s, vm); i++)
		s->vcpu[i].hint_runnable =
		    h.valid ? board_runnable(z->board, (uint16_t)i) : 0;
	snapshot_mark(s, vm);
}

static void look_at_hints(struct sense *z, struct snapshot *s)
{
	uint64_t words, vms;

	for (unsigned i = 0; i < DIRTY_TOPS(VM_MAX); i++) {
		words = dirty_take(&z->board->dirty_top[i]);
		for (; words; words &= words - 1) {
			unsigned word =
			    i * 64 + (unsigned)__builtin_ctzll(words);

			vms = dirty_take(&z->board->dirty[word].bits);
			for (; vms; vms &= vms - 1) {
				unsigned vm =
				    word * 64 + (unsigned)__builtin_ctzll(vms);

				if (s->vm[vm].present)
					read_hint(z, s, (uint16_t)vm);
			}
		}
	}
}

/* --- who waits ----------------------------------------------------------- */

static uint64_t age_ns(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

/* grow_older() - Waits are longer than they were; who waits no more is listed
 * for the last time. */
static void grow_older(struct sense *z, struct snapshot *s)
{
	unsigned vm = vmset_next(&z->waiting, z->wait_at), cnt = 0;

	if (vm == VM_NONE && z->wait_at)
		vm = vmset_next(&z->waiting, 0);
	for (; vm != VM_NONE && cnt < WAITS_MAX; cnt++) {
		struct vm_view *v = &s->vm[vm];
		struct sense_ready *r = &z->ready[vm];

		if (r->stale)
			longest_ready(s, (uint16_t)vm, r);
		v->ready_ns = r->cnt ? age_ns(s->now_ns, r->since_ns) : 0;
		snapshot_mark(s, (uint16_t)vm);
		if (!r->cnt && !v->delay_ns)
			vmset_del(&z->waiting, vm);
		vm = vmset_next(&z->waiting, vm + 1);
	}
	stat_hostd.looks_put_off += vm != VM_NONE;
	z->wait_at = vm != VM_NONE ? (uint16_t)vm : 0;
}

void sense_snapshot(struct sense *z, struct snapshot *s, uint64_t now_ns)
{
	s->now_ns = now_ns;
	if (z->page)
		look_at_vcpus(z, s);
	look_at_ports(z, s);
	if (z->board)
		look_at_hints(z, s);
	grow_older(z, s);
	snapshot_list(s);
}

/* --- what is configured changes ------------------------------------------ */

void sense_vcpu_renew(struct sense *z, struct snapshot *s, uint16_t vcpu)
{
	struct vcpu_view *v = &s->vcpu[vcpu];
	uint16_t vm = v->vm;

	pend(z, vcpu);
	if (vm == VM_NONE)
		return;
	sense_share(z, s, vcpu);
	z->counted_ns[vcpu] = 0;
	z->ready[vm].stale = true;
	vmset_add(&z->waiting, vm); /* for one turn at least */
}

void sense_vm_renew(struct sense *z, struct snapshot *s, uint16_t vm)
{
	const struct vm_view *v = &s->vm[vm];

	for (unsigned i = v->first_vcpu; i < snapshot_vcpus_end(s, vm); i++)
		pend(z, (uint16_t)i);
	add_ports(z, s, vm);
	if (z->board)
		read_hint(z, s, vm);
	z->ready[vm].stale = true;
	vmset_add(&z->waiting, vm);
}

void sense_port_add(struct sense *z, struct port *p)
{
	z->next_port[p->id] = z->first_port[p->vm];
	z->first_port[p->vm] = p;
}

void sense_port_del(struct sense *z, struct snapshot *s, struct port *p)
{
	struct port **at = &z->first_port[p->vm];

	while (*at && *at != p)
		at = &z->next_port[(*at)->id];
	if (*at)
		*at = z->next_port[p->id];
	add_ports(z, s, p->vm);
}

/* --- what vcpus ran ------------------------------------------------------ */

void sense_share(struct sense *z, const struct snapshot *s, uint16_t vcpu)
{
	const struct vcpu_view *v = &s->vcpu[vcpu];
	struct stat_share *share = &stat_hostd.vm[v->vm].share;
	uint64_t ran_ns = vcpu_ran_ns(s, vcpu), more_ns;

	if (ran_ns > z->counted_ns[vcpu]) {
		more_ns = ran_ns - z->counted_ns[vcpu];
		share->ran_ns += more_ns;
		share->owned_ns += v->cpu != CPU_NONE ? more_ns : 0;
		z->counted_ns[vcpu] = ran_ns;
	}
}

void sense_shares(struct sense *z, const struct snapshot *s)
{
	for (unsigned i = 0; i < s->vcpu_cnt; i++)
		if (s->vcpu[i].vm != VM_NONE)
			sense_share(z, s, (uint16_t)i);
}

/* --- sleep --------------------------------------------------------------- */

uint64_t sense_patience_ns(const struct snapshot *s)
{
	/* who waits is listed */
	for (unsigned i = 0; i < s->changed_cnt; i++) {
		const struct vm_view *v = &s->vm[s->changed[i]];

		if (v->delay_ns)
			return LOOK_NS;
		if (v->present && v->class == VM_CLASS_LATENCY_CRITICAL &&
		    v->ready_ns && v->owned < v->cpus_max &&
		    v->owned < v->vcpu_cnt)
			return LOOK_NS;
	}
	return vmset_empty(&s->elastic) ? STILL_NS : CALM_NS;
}
