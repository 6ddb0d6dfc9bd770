/* SPDX-License-Identifier: Apache-2.0 */
/*
 * act_stage.h - the stage of act_cases on a fake tree of control groups
 */
#ifndef ACT_STAGE_H
#define ACT_STAGE_H

#include "act_cases.h"

/* stage_begin() and the others are the members of struct act_stage. */
void stage_begin(struct act_stage *s);
void stage_end(struct act_stage *s);
void stage_kill(struct act_stage *s);
void stage_narrow(struct act_stage *s, unsigned index, unsigned cpu);

/* stage_begin() in two steps: the VM, then the backend. @conf: the rest of it.
 * Return: what open() said. */
void stage_vm_begin(struct act_stage *s);
int stage_open_backend(struct act_stage *s, struct act_conf *conf);

#endif
