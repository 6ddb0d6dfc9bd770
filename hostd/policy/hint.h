/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hint.h - how far what a guest's agent says is believed
 *
 * An agent keeps a VM's workers on the vcpus that own a cpu. So vcpus that own
 * none have nothing to run, and the host no longer sees work wait for them: it
 * waits inside the guest. What shows it, from outside: every vcpu that owns a
 * cpu has been running without a pause. And, later and not to be relied on:
 * the agent says that a worker waits, and that more vcpus could be used.
 *
 * Both may be made up, and the first is common at moderate load. What they
 * obtain is one free cpu, for a vcpu that need not be runnable, to be judged
 * HINT_TRY_NS later by what the VM has used since: would one cpu fewer have
 * done? Then it was a wrong guess or a lie. After k of them, less one for each
 * right one, "without a pause" means BUSY_NS << k, and words are not heard for
 * DOUBT_NS << k. (Who lies and then spins has used what it may have.)
 *
 * Pure; poll thread.
 */
#ifndef HOSTD_POLICY_HINT_H
#define HOSTD_POLICY_HINT_H

#include "pick.h"

/* Two ticks of an agent: by then it has put a worker there. */
#define HINT_TRY_NS 40000000ull

struct hint_trust {
	bool trying;	   /* a cpu was given on a hint, its use not known */
	uint8_t doubt;	   /* k */
	uint64_t tried_ns; /* when */
	uint64_t ran_ns;   /* cpu time of the VM's vcpus then */
	uint64_t deaf_ns;  /* words are not heard before this */
};

/*
 * hint_full() - Is a VM with an agent short of cpus, though no vcpu waits?
 * @for_ns: its owning vcpus must all have run without a pause for so long
 */
bool hint_full(const struct pick *k, uint16_t vm, const struct hint_trust *t,
	       uint64_t for_ns);

#define HINT_NEVER UINT64_MAX

/*
 * hint_asks_ns() - From when on does a VM ask for one more cpu by hints alone?
 * @limit_ns: a worker must wait so long
 * Return: a time, perhaps past, that holds if nothing changes; or HINT_NEVER.
 */
uint64_t hint_asks_ns(const struct pick *k, uint16_t vm,
		      const struct hint_trust *t, uint64_t limit_ns);

/* hint_tried() - A cpu has just been given on a hint.
 * @ran_ns: cpu time of the VM's vcpus so far */
void hint_tried(struct hint_trust *t, uint64_t now_ns, uint64_t ran_ns);

/*
 * hint_judge() - Was that right? Call now and then
 * @owned: cpus the VM owns
 * @percent: how much of a cpu may be in use before another one is needed
 * Return: true once, when it was wrong: take one back.
 */
bool hint_judge(struct hint_trust *t, uint64_t now_ns, uint64_t ran_ns,
		unsigned owned, unsigned percent);

#endif
