/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pick.h - what several policies need: which cpu, which vcpu, who loses
 *
 * A struct pick is one decision under way: what the plan so far makes of the
 * snapshot. It lives on the stack of decide() and is as good as empty when
 * pick_begin() returns: what the plan does not touch is read from the snapshot,
 * so that a decision that changes nothing costs nothing. A cpu already in the
 * plan is left alone by every function here, so a plan names it once. Pure;
 * poll thread.
 *
 * Snapshots come from hostd's own threads, but nothing here trusts them: an
 * index out of range or a slot that contradicts another one means "gone". What
 * is derived (policy.h) is taken as it is.
 */
#ifndef HOSTD_POLICY_PICK_H
#define HOSTD_POLICY_PICK_H

#include "hl/cpumask.h"
#include "policy.h"
#include "snapshot.h"

#define PICK_VICTIMS  32
#define PICK_SEARCHES 4 /* of one decision, through all cpus for one asker */

struct pick {
	const struct snapshot *s;
	struct plan *plan;
	bool by_node;		   /* pick_cpu(): distance before all else */
	bool whole;		   /* pick_cpu(): then cores, not threads */
	struct cpumask quiet;	   /* with whole: these before others */
	struct cpumask free;	   /* managed and owned by nobody, as planned */
	struct cpumask gone;	   /* part of free: the last owner is gone */
	struct cpumask alone;	   /* nobody owns the sibling, as planned */
	struct cpumask moved;	   /* stands in the plan */
	uint64_t saw_ns, limit_ns; /* pick_because() */
	/* Of each of the plan's lines; nothing behind plan->count is written.
	 */
	uint16_t to_vm[CPU_MAX], from_vm[CPU_MAX];
	uint16_t owner[CPU_MAX]; /* by cpu, where it stands in the plan */
	/* pick_take(): cpus of others, the best first, once they were looked
	 * for
	 */
	uint16_t victim[PICK_VICTIMS], victim_cnt, searches;
	bool victims_known;
};

/* Which vcpus may be given a cpu. */
enum pick_who {
	PICK_RUNNABLE, /* waits, runs elsewhere, or we cannot tell */
	PICK_ANY,      /* halted ones too */
};

/*
 * pick_begin() - An empty plan
 *
 * A cpu that is no longer managed is taken from its owner at once
 * (REASON_GONE). One whose owner is gone counts as free.
 */
void pick_begin(struct pick *k, const struct snapshot *s, struct plan *p);

/* pick_end() - Plan REASON_GONE for the cpus of gone owners nobody took. */
void pick_end(struct pick *k);

/* pick_is_lc() - Is slot @vm (< vm_cnt) a latency-critical VM that is there? */
static inline bool pick_is_lc(const struct snapshot *s, uint16_t vm)
{
	return s->vm[vm].present &&
	       s->vm[vm].class == VM_CLASS_LATENCY_CRITICAL;
}

/* pick_owner() - Who owns @cpu (< cpu_cnt) as planned, or VCPU_NONE. */
static inline uint16_t pick_owner(const struct pick *k, uint16_t cpu)
{
	return cpumask_has(&k->moved, cpu) ? k->owner[cpu]
					   : snapshot_owner(k->s, cpu);
}

/* pick_owned() - Cpus of @vm as planned. O(lines of the plan). */
static inline uint16_t pick_owned(const struct pick *k, uint16_t vm)
{
	unsigned cnt = k->s->vm[vm].owned;

	for (unsigned i = 0; i < k->plan->count; i++) {
		cnt += k->to_vm[i] == vm;
		cnt -= k->from_vm[i] == vm;
	}
	return (uint16_t)cnt;
}

/* pick_give() - Plan @cpu for @vcpu, taking it from whoever has it. */
void pick_give(struct pick *k, uint16_t cpu, uint16_t vcpu, enum reason why);

/* pick_drop() - Plan @cpu for nobody. */
void pick_drop(struct pick *k, uint16_t cpu, enum reason why);

/* pick_change() - Plan @to, a free cpu, for who owns @from, which nobody will.
 */
void pick_change(struct pick *k, uint16_t from, uint16_t to, enum reason why);

/* pick_held() - The managed cpu slot @vcpu of @vm owns and no line of the plan
 * has moved; or CPU_NONE. */
uint16_t pick_held(const struct pick *k, uint16_t vm, unsigned vcpu);

/*
 * pick_because() - The figures behind the line that is planned next
 * @saw_ns, @limit_ns: as in struct grant; a line without them says 0. Of
 *	REASON_GIVE_BACK: how long what the VM owns was idle, and what is too
 *	long; of any other reason: a wait, and its limit.
 */
static inline void pick_because(struct pick *k, uint64_t saw_ns,
				uint64_t limit_ns)
{
	k->saw_ns = saw_ns;
	k->limit_ns = limit_ns;
}

/* pick_signal_ns() - What the signal behind @why says of @v; 0: no time. */
static inline uint64_t pick_signal_ns(const struct vm_view *v, enum reason why)
{
	switch (why) {
	case REASON_DELAY:
		return v->delay_ns;
	case REASON_READY_WAIT:
		return v->ready_ns;
	case REASON_HINT:
		return v->hint_wait_ns;
	default:
		return 0;
	}
}

/*
 * pick_cpu() - The free cpu that suits a VM best
 * @who: which of its vcpus count when looking for a warm cache
 *
 * In this order of weight: a vcpu in question last ran there; its SMT sibling
 * is the VM's; so is something on its last-level cache; so is something on
 * its NUMA node (a VM that owns nothing is where its vcpus last ran); no other
 * VM owns its sibling. Ties: the lowest number. With by_node, before all that:
 * no free cpu is nearer to where the VM's memory is, if that is known.
 * With whole, then: it is one of `quiet`; nobody owns its sibling.
 * O(vcpus of the VM), and some words of masks.
 * Return: a cpu, or CPU_NONE when none is free.
 */
uint16_t pick_cpu(const struct pick *k, uint16_t vm, enum pick_who who);

/*
 * pick_vcpu() - The vcpu of @vm that should be given @cpu (CPU_NONE: some cpu)
 *
 * Of those that own none: a runnable one that last ran on it; then the longest
 * ready; then a running one; then one we know nothing of; last a halted one.
 * Among equals, one that has workers to run, if the VM's agent says so.
 * Nobody starves under "last home first": a vcpu without a cpu rides on those
 * its VM owns. O(vcpus of the VM). Return: a vcpu, or VCPU_NONE.
 */
uint16_t pick_vcpu(const struct pick *k, uint16_t vm, uint16_t cpu,
		   enum pick_who who);

/* pick_loser() - The cpu @vm misses least: one whose owner is halted, far from
 * the VM's other cpus, gained last; then the highest number. O(vcpus of the
 * VM). Return: a cpu, or CPU_NONE. */
uint16_t pick_loser(const struct pick *k, uint16_t vm);

/*
 * pick_take() - A cpu of another VM, for @vcpu of @asker, when none is free
 * @settle_ns: one that changed hands since then is left alone
 *
 * Above its own minimum a VM loses, in this order: a best-effort VM any; one
 * whose owner halted as long ago, the longest first; one whose owner runs and
 * should be through later than @vcpu, the latest first. Nobody loses the last
 * who owns, by weight, less above his minimum than the asker. Who has no SLO
 * may always wait, who owns most of them first; where the asker has none, the
 * cpu must come from who owns at least two more.
 *
 * Should be through: an SLO after it began to want a cpu; after it began to
 * run, or half an SLO ago if that is later: it has gone through several since
 * then. O(cpus) when it is called first in a decision, which finds the best
 * PICK_VICTIMS for all that follow, and for PICK_SEARCHES askers who may have
 * none of them; else O(PICK_VICTIMS).
 * Return: a cpu, or CPU_NONE.
 */
uint16_t pick_take(struct pick *k, uint16_t asker, uint16_t vcpu,
		   uint64_t settle_ns);

/* pick_guarantee() - Bring every latency-critical VM up to what is due.
 *
 * From free cpus, then from best-effort owners, then from VMs that own more
 * than is due. Every line is REASON_GUARANTEE. Nothing but a look at a set
 * when nobody is short. */
void pick_guarantee(struct pick *k);

/* pick_trim() - Take from every VM what it owns above its cpus_max. */
void pick_trim(struct pick *k);

/* What the vcpus of one VM are up to. */
struct pick_use {
	uint16_t plugged;  /* vcpus there are */
	uint16_t runnable; /* ready, running, or unknown */
	bool sensed;	   /* some vcpu's state is known */
	uint64_t ran_ns;   /* summed cpu time */
};

/* pick_use() - Add up @vm's vcpus. O(vcpus of the VM). */
struct pick_use pick_use(const struct snapshot *s, uint16_t vm);

/* pick_waited_ns() - How long @vcpu has been ready and not running; or 0. */
uint64_t pick_waited_ns(const struct snapshot *s, uint16_t vcpu);

/* pick_halted_ns() - How long @vcpu has been halted; 0 when it is not. */
uint64_t pick_halted_ns(const struct snapshot *s, uint16_t vcpu);

#endif
