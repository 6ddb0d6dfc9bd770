/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_caladan.h - what the two halves of Caladan's model share
 */
#ifndef TESTS_SIM_MODEL_CALADAN_H
#define TESTS_SIM_MODEL_CALADAN_H

#include "model.h"

struct caladan_state {
	bool begun;
	bool waking[VM_MAX];	   /* granted a cpu in the decision before */
	uint64_t since_ns[VM_MAX]; /* congested since; 0: not */
	uint16_t guaranteed[VM_MAX];
	uint16_t reserved[CPU_MAX]; /* for a VM, or VM_NONE */
	uint16_t last_vm[CPU_MAX];  /* whose it was last, or VM_NONE */
	uint64_t last_ns[CPU_MAX];  /* until when */
	struct cpumask beside;	    /* barred to all best-effort VMs */
	uint16_t limit[VM_MAX];	    /* cpus of a best-effort VM; 0: no limit */
	uint64_t limited_ns;	    /* the last step */
};

/* caladan_bar() - Its controllers of SMT siblings and of memory bandwidth:
 * where best-effort VMs may not run. */
void caladan_bar(struct caladan_state *st, const struct snapshot *s,
		 struct plan *p);

#endif
