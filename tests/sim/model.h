/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - what others do, as policies: for the simulator only
 *
 * Each is a policy object like hostd's own (hostd/policy/policy.h) and reads
 * the same snapshot, so that nothing but the decisions differs. Each is meant
 * to be as good as its paper, and where a VM does not fit what the paper has,
 * as good as can be; its head comment says what that meant and what was left
 * out. All of them get, free of charge, what is hostd's: an owner runs the
 * moment it wants to, harvesters run on whatever it leaves, and cpus move at
 * the speed of ksched.
 */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H

#include "policy/pick.h"

extern const struct policy_ops model_smartharvest, model_parties, model_caladan;

#define SMARTHARVEST_POLL_NS   50000ull	    /* a look at the vcpus */
#define SMARTHARVEST_WINDOW_NS 25000000ull  /* a prediction */
#define PARTIES_INTERVAL_NS    500000000ull /* a decision */
#define CALADAN_INTERVAL_NS    10000ull	    /* a decision */

/* parties_answered() - What PARTIES' clients tell it: a VM's response times.
 * @state: of model_parties */
void parties_answered(void *state, uint16_t vm, uint64_t response_ns);

/*
 * model_fit() - Bring every latency-critical VM to so many cpus
 * @target: by VM, within its cpus_min and cpus_max
 *
 * Where there are not so many, minimums come first and the rest is divided
 * evenly. Free cpus are taken first, then those of VMs above their target.
 * What is above a target and wanted by nobody becomes nobody's.
 */
void model_fit(struct pick *k, const uint16_t target[VM_MAX]);

/* model_clamp() - @cpus within what @v may own and has vcpus for. */
uint16_t model_clamp(const struct vm_view *v, unsigned cpus);

#endif
