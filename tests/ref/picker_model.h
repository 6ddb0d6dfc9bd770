/* SPDX-License-Identifier: Apache-2.0 */
/*
 * picker_model.h - the picker's rule, as slow and plain as it can be said
 *
 * Every member has a state, a home and a number that says when it last became
 * idle; a pick looks at all of them. Shared by the unit test and the fuzzer,
 * each of which makes the same step here and in hl/picker.h and compares.
 */
#ifndef TESTS_REF_PICKER_MODEL_H
#define TESTS_REF_PICKER_MODEL_H

#include "hl/picker.h"

#define MODEL_MEMBERS 1024

struct picker_model {
	uint16_t cpu_cnt, member_cnt;
	uint16_t sibling[CPU_MAX], llc[CPU_MAX];
	int64_t now;
	struct {
		enum picker_state state;
		uint16_t home;
		int64_t since; /* below 0: never ran, by when it joined */
	} member[MODEL_MEMBERS];
};

/* What can be done to a picker; OP_END closes a table. */
enum picker_op {
	OP_END,
	OP_JOIN,
	OP_LEAVE,
	OP_ACTIVATE,
	OP_IDLE,
	OP_PICK,
	OP_NUM
};

/* picker_model_init() - @sibling, @llc: as for picker_init(), here with an
 * entry for each cpu */
void picker_model_init(struct picker_model *m, uint16_t cpu_cnt,
		       uint16_t member_cnt, const uint16_t *sibling,
		       const uint16_t *llc);

/* picker_model_step() - What the picker has to answer to this step */
int picker_model_step(struct picker_model *m, enum picker_op op,
		      uint16_t member, uint16_t cpu);

/* picker_step() - The same step of the picker itself */
int picker_step(struct picker *p, enum picker_op op, uint16_t member,
		uint16_t cpu);

/*
 * picker_whole() - Do picker and model agree in everything, and does every ring
 * hold exactly the idle members it must, in order, both ways round?
 */
bool picker_whole(const struct picker *p, const struct picker_model *m);

#endif
