// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_replay.c - any bytes as a recording
 *
 * First as they are, to the reader. Then mended, so that most records fit
 * (small slots, times that rise by 4 ms at most, a head), and replayed under a
 * policy of their choice: what the reader lets through must harm nobody.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hl/sensor.h"
#include "tests/sim/replay_run.h"

#define RECORDS_MAX 300
#define STEP_NS	    4000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct replay_file *r)
{
	const struct snapshot *s = &r->s;

	if (s->vm_cnt > VM_MAX || s->vcpu_cnt > VCPU_MAX ||
	    s->cpu_cnt > CPU_MAX || s->changed_cnt > VM_MAX ||
	    s->node_cnt > NODE_MAX || r->plan.count > CPU_MAX ||
	    r->plan.bar_cnt > BAR_MAX)
		abort();
	for (unsigned i = 0; i < s->vm_cnt; i++)
		if (s->vm[i].first_vcpu + s->vm[i].vcpu_cnt > VCPU_MAX ||
		    s->vm[i].delay_ns > s->now_ns ||
		    s->vm[i].ready_ns > s->now_ns)
			abort();
	for (unsigned i = 0; i < s->vcpu_cnt; i++)
		if (s->vcpu[i].vm != VM_NONE && (s->vcpu[i].vm >= s->vm_cnt ||
						 !s->vm[s->vcpu[i].vm].present))
			abort();
}

static void read_raw(const uint8_t *data, size_t size)
{
	static struct replay_file r;
	FILE *f = fmemopen((void *)(uintptr_t)data, size, "r");

	if (!f)
		return;
	if (!replay_open(&r, f))
		while (replay_next(&r) == 1)
			check(&r);
	fclose(f);
}

static void mend(struct record *r, uint64_t *now_ns)
{
	r->kind = (uint16_t)(RECORD_CPU + r->kind % 9);
	r->slot %= 8;
	switch (r->kind) {
	case RECORD_CPU:
		r->cpu.managed &= 1;
		r->cpu.floor &= 1;
		r->cpu.sibling %= 9;
		r->cpu.llc %= 4;
		r->cpu.node %= 2;
		break;
	case RECORD_VM:
		r->vm.first_vcpu = (uint16_t)(r->slot * 4 + r->vm.held % 3);
		r->vm.vcpu_cnt %= 5;
		r->vm.present = r->vm.vcpu_cnt > 0;
		r->vm.has_port &= 1;
		r->vm.class &= 1;
		r->vm.slo_signal &= 1;
		r->vm.hinted &= 1;
		r->vm.cpus_max %= 6;
		r->vm.slo_permyriad %= 10001;
		r->vm.node %= NODE_MAX;
		r->vm.hint_wanted %= r->vm.vcpu_cnt + 1;
		r->vm.hint_wait_ns %= 1000000000;
		r->vm.slo_ns %= 10000000;
		break;
	case RECORD_VCPU:
		r->slot = (uint16_t)(r->slot * 4 + r->vcpu.hint_runnable % 4);
		r->vcpu.vm = (uint16_t)(r->slot / 4);
		r->vcpu.run %= VCPU_RUN_RUNNING + 1;
		r->vcpu.cpu %= 9;
		r->vcpu.last_cpu %= 9;
		break;
	case RECORD_TIME:
		*now_ns += r->time.now_ns % STEP_NS;
		r->time.now_ns = *now_ns;
		r->time.interval_ns = 20000;
		r->time.policy[31] = '\0';
		break;
	case RECORD_GRANT:
		r->grant.cpu %= 8;
		r->grant.vcpu %= 32;
		r->grant.reason %= REASON_NUM;
		break;
	case RECORD_END:
		r->end.now_ns = *now_ns + r->end.now_ns % STEP_NS;
		break;
	default:
		break;
	}
}

static void replay_mended(const uint8_t *data, size_t size)
{
	static struct record r[1 + RECORDS_MAX];
	size_t cnt = size / sizeof(r[0]);
	unsigned policies = 0;
	struct replay *p;
	uint64_t now_ns = 1;
	FILE *f;

	if (!cnt)
		return;
	if (cnt > RECORDS_MAX)
		cnt = RECORDS_MAX;
	r[0] = (struct record){ .kind = RECORD_HEAD,
				.head = { .magic = RECORD_MAGIC,
					  .version = RECORD_VERSION,
					  .bytes = RECORD_BYTES,
					  .began_ns = now_ns } };
	memcpy(&r[1], data, cnt * sizeof(r[0]));
	for (size_t i = 1; i <= cnt; i++)
		mend(&r[i], &now_ns);
	p = calloc(1, sizeof(*p));
	f = fmemopen(r, (cnt + 1) * sizeof(r[0]), "r");
	while (policy_table[policies])
		policies++;
	if (replay_add(p, policy_table[data[2] % policies]))
		abort();
	replay_go(p, f);
	for (unsigned j = 0; j <= p->cnt; j++)
		for (unsigned i = 0; i < VM_MAX; i++)
			if (p->tally[j].vm[i].owned > CPU_MAX)
				abort();
	fclose(f);
	replay_free(p);
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_raw(data, size);
	replay_mended(data, size);
	return 0;
}
