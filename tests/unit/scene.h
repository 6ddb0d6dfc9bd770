/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene.h - a snapshot in a line of text, a plan as text
 *
 * Words apart by blanks; times in microseconds. Each VM gets ten vcpu slots:
 * vcpu 12 is number 2 of the VM in slot 1.
 *	cpus=4		cpus 0-3, all managed, one cache, one node, no SMT
 *	move=2		moving a vcpu takes so long; else it is not known
 *	smt		cpus 0 and 1 are siblings, 2 and 3, ...
 *	llc=4 node=8	so many cpus share a cache, are on a node; other nodes
 *			are as far as ACPI says by default, 20
 *	dist=0:2:30	but these two are so far
 *	load=1:40/50	node 1 bears 40 MB/s since 5 ms, 50 are its limit
 *	unmanaged=2	cpu 2 is not managed
 *	floor=0		cpu 0 is on the floor
 *	fresh=2		cpu 2 got its owner 100 us ago, not a second ago
 *	ghost=2:95	cpu 2 is owned by vcpu 95, whatever that is
 *	lc, be, absent	the next VM: latency-critical, best-effort, not there;
 *			min=1 max=8 and a port, until it says otherwise
 *	min= max= slo= delay= held= noport	of that VM
 *	at=1 mem=30	its memory is on node 1; it moves 30 MB/s
 *	late=3/100	3 of its last 100 frames were
 *	ready:50@3	its next vcpu, ready for 50 us, last ran on cpu 3
 *	run halt unk	likewise running, halted, unknown; unplugged: no vcpu
 *	run@3#2		and has 2 workers that want to run, says the agent
 *	run@3*		and owns the cpu it last ran on
 */
#ifndef TESTS_UNIT_SCENE_H
#define TESTS_UNIT_SCENE_H

#include "policy/policy.h"

#define SCENE_NOW_NS 10000000000ull
#define SCENE_VCPUS  10 /* slots a VM */

/* scene_build() - Fails the test on a word it does not know. */
void scene_build(struct snapshot *s, const char *text);

/* scene_plan() - "2>12:delay 3>-:give-back", then bars: of slot 2 "bar2:0,4",
 * of all "bar*:-" (none now), each with its reason; Return: a static buffer. */
const char *scene_plan(const struct plan *p);

/* scene_decide() - One decision, as text. What is derived in @s is worked out
 * anew, and every VM listed as changed. */
const char *scene_decide(const struct policy_ops *ops, void *state,
			 struct snapshot *s);

#endif
