// SPDX-License-Identifier: Apache-2.0
/*
 * act_stage.c - the stage of act_cases on a fake tree of control groups
 */
#include "act_stage.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "task.h"
#include "tests/fake/fake_cgroup.h"

#define UUID "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"

static struct fake_vm machine;

int stage_open_backend(struct act_stage *s, struct act_conf *conf)
{
	static char journal[128]; /* its path */

	snprintf(journal, sizeof(journal), "%s/restore", fake_root());
	conf->journal = journal;
	cpumask_set(&conf->floor, s->cpu[0]);
	cpumask_set(&conf->managed, s->cpu[1]);
	return s->ops->open(&s->act, conf);
}

void stage_vm_begin(struct act_stage *s)
{
	struct cpumask two = { 0 };

	if (!fake_cpus(s->cpu))
		skip();
	fake_open(FAKE_V1, &machine);
	cpumask_set(&two, s->cpu[0]);
	cpumask_set(&two, s->cpu[1]);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(task_set_mask(machine.tid[i], &two), 0);
	s->vm = (struct act_vm){ .vm = 3,
				 .name = "my vm",
				 .uuid = UUID,
				 .pid = machine.pid,
				 .class = VM_CLASS_LATENCY_CRITICAL,
				 .weight = 100,
				 .vcpu_cnt = 2,
				 .tid = { machine.tid[0], machine.tid[1] } };
}

void stage_begin(struct act_stage *s)
{
	struct act_conf conf = { 0 };

	stage_vm_begin(s);
	assert_int_equal(stage_open_backend(s, &conf), 0);
}

void stage_end(struct act_stage *s)
{
	if (s->act)
		s->ops->close(s->act);
	s->act = NULL;
	fake_close(&machine);
}

void stage_kill(struct act_stage *s)
{
	(void)s;
	kill(machine.pid, SIGKILL);
	waitpid(machine.pid, NULL, 0);
	machine.pid = 0;
}

void stage_narrow(struct act_stage *s, unsigned index, unsigned cpu)
{
	char name[8], list[8];

	(void)s;
	snprintf(name, sizeof(name), "vcpu%u", index);
	snprintf(list, sizeof(list), "%u", cpu);
	fake_put(name, list);
}
